package quant

import (
	"fmt"
	"math"
	"strings"
)

// Type is a number format. Its values are ggml's, as GGUF files store them.
type Type uint8

// The formats that can be decoded.
const (
	F32  Type = 0
	F16  Type = 1
	Q4_0 Type = 2  // 32 values: a half, then a nibble each
	Q8_0 Type = 8  // 32 values: a half, then a signed byte each
	Q4_K Type = 12 // 256 values: two halves, 8 scales and minima of 6 bits, a nibble each
	Q6_K Type = 14 // 256 values: 6 bits each, 16 scales of a byte, a half
	BF16 Type = 30
)

type format struct {
	t      Type
	name   string
	values int // in a block
	bytes  int // of a block
}

// formats lists every type once; the order is that of Types.
var formats = [...]format{
	{F32, "F32", 1, 4}, {F16, "F16", 1, 2}, {BF16, "BF16", 1, 2},
	{Q8_0, "Q8_0", 32, 34}, {Q4_0, "Q4_0", 32, 18}, {Q4_K, "Q4_K", 256, 144}, {Q6_K, "Q6_K", 256, 210},
}

func (t Type) format() (format, bool) {
	for _, f := range formats {
		if f.t == t {
			return f, true
		}
	}
	return format{}, false
}

// Types lists the formats that can be decoded.
func Types() []Type {
	out := make([]Type, len(formats))
	for i, f := range formats {
		out[i] = f.t
	}
	return out
}

// Known says whether values of this type can be decoded.
func (t Type) Known() bool { _, ok := t.format(); return ok }

// CanEncode says whether values can be encoded as this type.
func (t Type) CanEncode() bool {
	switch t {
	case F32, F16, BF16, Q8_0, Q4_0:
		return true
	}
	return false
}

// BlockSize is the number of values in a block, 0 for an unknown type.
func (t Type) BlockSize() int { f, _ := t.format(); return f.values }

// BlockBytes is the size of a block, 0 for an unknown type.
func (t Type) BlockBytes() int { f, _ := t.format(); return f.bytes }

// String is the type's name in the field, such as "Q8_0".
func (t Type) String() string {
	if f, ok := t.format(); ok {
		return f.name
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// ParseType reads a type's name in any case.
func ParseType(s string) (Type, error) {
	names := make([]string, len(formats))
	for i, f := range formats {
		if strings.EqualFold(f.name, s) {
			return f.t, nil
		}
		names[i] = f.name
	}
	return 0, fmt.Errorf("quantisation %q is not supported: use one of %s", s, strings.Join(names, ", "))
}

// RowBytes is the size of n values, which must be whole blocks.
func RowBytes(t Type, n int) (int, error) {
	f, ok := t.format()
	switch {
	case !ok:
		return 0, fmt.Errorf("quantisation %v is not supported", t)
	case n < 0 || n%f.values != 0:
		return 0, fmt.Errorf("%d values are not whole blocks of %d, as %v needs", n, f.values, t)
	case n/f.values > math.MaxInt/f.bytes:
		return 0, fmt.Errorf("%d values of %v are too many", n, t)
	}
	return n / f.values * f.bytes, nil
}

func check(t Type, values, bytes int) error {
	want, err := RowBytes(t, values)
	if err == nil && want != bytes {
		err = fmt.Errorf("%d values of %v take %d bytes, not %d", values, t, want, bytes)
	}
	return err
}
