package attrib

import (
	"slices"

	"github.com/openledger/openledger/protocol"
)

// How scores become money. The numbers are part of the algorithm's name.
const (
	// spanShare is how many parts of WeightScale go by verbatim spans when they
	// cover the whole output; in proportion when they cover less.
	spanShare = protocol.WeightScale / 5
	// maxShares is how many records one output pays at most; the rest is pool.
	maxShares = 16
	// minNull is the number of records from which the null is estimated from
	// the scores; below, it is that of independent directions.
	minNull = 16
	// minSpan is the length of a span, in tokens, at least.
	minSpan = 4
	// spanBits: a span counts when the records are expected to hold it by
	// chance, by unigram probability, less than 2^-spanBits times.
	spanBits = 10
)

// threshold is the score above which a record counts. The null is the bulk of
// this query's own scores: its centre is their median and its width their median
// absolute deviation (both bear with up to half of the records being truly
// influential), at least the width that a random projection to dim numbers
// gives to unrelated directions. The cut is sqrt(2 ln n) widths above: of n
// scores of pure noise about none is expected beyond it.
func threshold(scores []int64, dim int) int64 {
	n := len(scores)
	var centre int64
	width := int64(one*one) / int64(isqrt(uint64(dim)))
	if n >= minNull {
		s := slices.Clone(scores)
		slices.Sort(s)
		centre = max(0, s[n/2])
		for i := range s {
			s[i] = abs(s[i] - centre)
		}
		slices.Sort(s)
		width = max(width, s[n/2]*14826/10000)
	}
	// sqrt(2 ln n) in 1/256: 2 ln n = 2 ln 2 * log2 n.
	ln2 := uint64(log2Fixed(uint64(max(n, 2)))) * 90852 >> 16 // 2 ln n in 1/65536
	return centre + width*int64(isqrt(ln2))/256
}

func abs(x int64) int64 {
	if x < 0 {
		return -x
	}
	return x
}

// owned is one record's part in the spans of an output.
type owned struct {
	tokens int64 // covered tokens, divided among all owners, in 1/1024
	spans  []protocol.Span
}

// weigh gives every record its weight. Influence above the threshold counts in
// proportion to cosine 1 (an output whose gradient is a record's own), so that
// an output that nobody explains pays nobody: weights add up to less than the
// scale, and the rest is the pool's. When several records together explain more
// than all, they share.
func weigh(scores []int64, dim int, outputTokens int, spans map[int]*owned) (weights []uint64) {
	weights = make([]uint64, len(scores))
	cut := threshold(scores, dim)
	var sum int64
	for _, s := range scores {
		sum += max(0, s-cut)
	}
	whole := max(sum, one*one-cut, 1)
	var covered int64
	for i := range scores { // not the map's order
		if o := spans[i]; o != nil {
			covered += o.tokens
		}
	}
	var bySpans uint64
	if total := int64(outputTokens) * 1024; total > 0 && covered > 0 {
		bySpans = mulDiv(spanShare, uint64(min(covered, total)), uint64(total))
	}
	byInfluence := protocol.WeightScale - bySpans
	for i, s := range scores {
		if e := s - cut; e > 0 {
			weights[i] = mulDiv(byInfluence, uint64(e), uint64(whole))
		}
		if o := spans[i]; o != nil && bySpans > 0 {
			weights[i] += mulDiv(bySpans, uint64(o.tokens), uint64(covered))
		}
	}
	return weights
}
