package main

import (
	"math"
	"strconv"
	"strings"

	"github.com/openledger/openledger/protocol"
)

// byteSize is a flag of so many bytes: 1048576, or 1MiB.
type byteSize int64

var byteUnits = []struct {
	name  string
	shift int
}{{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"", 0}}

// String writes it with the largest unit that divides it.
func (b *byteSize) String() string {
	for _, u := range byteUnits {
		if n := int64(*b); n>>u.shift<<u.shift == n && n != 0 {
			return strconv.FormatInt(n>>u.shift, 10) + u.name
		}
	}
	return "0"
}

// Set reads a whole number with a unit, or none.
func (b *byteSize) Set(s string) error {
	for _, u := range byteUnits {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64>>u.shift {
			break
		}
		*b = byteSize(n << u.shift)
		return nil
	}
	return protocol.Errorf(protocol.KindInvalid, "", "%q is not a number of bytes: write 1048576, 500MiB or 2GiB", s)
}

// Type is what help calls it.
func (*byteSize) Type() string { return "bytes" }
