package speed

import (
	"runtime"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// What a machine is takes no more room than there is, and nothing that a terminal obeys.
func TestHardware(t *testing.T) {
	whole := Hardware(1 << 10)
	require.Regexp(t, `^\d+ cores of .+, \d+ GiB of memory$`, whole)
	require.False(t, strings.ContainsFunc(whole, func(r rune) bool { return !unicode.IsPrint(r) }))
	for limit := 40; limit <= len(whole); limit++ {
		short := Hardware(limit)
		require.LessOrEqual(t, len(short), limit)
		require.Regexp(t, ` GiB of memory$`, short, "the name is what is cut")
	}
	require.Equal(t, whole+", "+runtime.Version(), Machine())
}
