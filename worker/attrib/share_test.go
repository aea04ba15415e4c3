package attrib

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openledger/openledger/protocol"
)

// Scores of unrelated records: noise of the width that the projection gives.
func noise(r *rand.Rand, n int) []int64 {
	s := make([]int64, n)
	for i := range s {
		s[i] = int64(r.NormFloat64() * one * one / 32)
	}
	return s
}

func TestNoiseGoesToThePool(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var paid uint64
	const rounds = 200
	for range rounds {
		for _, w := range weigh(noise(r, 1000), 1024, 20, nil) {
			paid += w
		}
	}
	require.Less(t, float64(paid)/rounds/protocol.WeightScale, 0.01)
}

func TestARecalledRecordIsPaid(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for _, n := range []int{1, 2, 10, 146, 10_000} {
		scores := noise(r, n)
		scores[n/2] = one * one * 9 / 10
		w := weigh(scores, 1024, 20, map[int]*owned{n / 2: {tokens: 20 * 1024}})
		require.Greater(t, w[n/2], uint64(protocol.WeightScale*8/10), "%d records", n)
	}
}

func TestRecordsThatExplainMoreThanAllShare(t *testing.T) {
	scores := make([]int64, 100)
	for i := range 4 {
		scores[i] = one * one * 8 / 10
	}
	w := weigh(scores, 1024, 20, nil)
	for i := range 4 {
		require.InDelta(t, protocol.WeightScale/4, float64(w[i]), 2)
	}
}

func TestSpansDecideAtMostTheirShare(t *testing.T) {
	w := weigh(make([]int64, 50), 1024, 10, map[int]*owned{3: {tokens: 5 * 1024}, 7: {tokens: 5 * 1024}})
	require.Equal(t, uint64(spanShare/2), w[3])
	require.Equal(t, uint64(spanShare/2), w[7])
}

func TestWeightsNeverExceedTheScale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "n")
		scores := make([]int64, n)
		spans := map[int]*owned{}
		for i := range scores {
			scores[i] = rapid.Int64Range(-one*one, one*one).Draw(t, "score")
			if rapid.Bool().Draw(t, "has") {
				spans[i] = &owned{tokens: rapid.Int64Range(0, 1<<20).Draw(t, "tokens")}
			}
		}
		tokens := rapid.IntRange(0, 2000).Draw(t, "tokens")
		var sum uint64
		for i, w := range weigh(scores, 1024, tokens, spans) {
			sum += w
			if w > 0 && scores[i] <= 0 && spans[i] == nil {
				t.Fatalf("record %d with score %d is paid", i, scores[i])
			}
		}
		if sum > protocol.WeightScale {
			t.Fatalf("weights add up to %d", sum)
		}
	})
}
