package attrib

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// Weights are the part of the surprisal that each source takes away, above the noise.
func TestContextWeights(t *testing.T) {
	const one = 2 * nat // a nat, twice as scores are
	const scale = protocol.WeightScale
	for name, c := range map[string]struct {
		scores    []int64
		surprisal int64
		tokens    int
		want      []uint64
	}{
		"half of it":                      {[]int64{32 * one}, 64 * one, 0, []uint64{scale / 2}},
		"below a 64th of a nat per token": {[]int64{one, 2 * one}, 64 * one, 64, []uint64{0, scale / 64}},
		"no better than another harmed":   {[]int64{3 * one, 5 * one, -3 * one}, 64 * one, 0, []uint64{0, scale / 32, 0}},
		"together more than all":          {[]int64{60 * one, 20 * one}, 40 * one, 0, []uint64{scale / 4 * 3, scale / 4}},
		"all harmed":                      {[]int64{-one, -2 * one}, 64 * one, 0, []uint64{0, 0}},
		"nothing was surprising":          {[]int64{0, 0}, 0, 0, []uint64{0, 0}},
		"no sources":                      {nil, 64 * one, 9, []uint64{}},
	} {
		got := contextWeights(c.scores, c.surprisal, c.tokens)
		require.Equal(t, c.want, got, name)
	}
}
