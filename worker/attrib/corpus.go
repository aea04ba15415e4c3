package attrib

import (
	"fmt"
	"slices"
	"sort"
)

// maxCorpusTokens keeps positions in an int32.
const maxCorpusTokens = 1 << 30

// corpus answers "which records repeat this stretch of tokens?" over a suffix
// array of all records' tokens. Records are separated by a value that no query
// contains, so that no match crosses from one record into the next.
type corpus struct {
	text   []int32  // dense token ranks (from 1), 0 between records
	starts []int32  // where each record begins in text
	suffix []int32  // suffix array of text, without the separators
	tokens []uint32 // the rank's token, sorted; tokens[i] has rank i+1
	count  []int32  // occurrences of each rank, for unigram probabilities
}

// match is one maximal stretch of an output that some record repeats, with the
// range of the suffix array that holds all of its occurrences.
type match struct {
	start, length int
	lo, hi        int
}

// place is one occurrence of a match.
type place struct {
	record int
	offset int
}

func newCorpus(records [][]uint32) (*corpus, error) {
	total := 0
	for _, r := range records {
		total += len(r) + 1
	}
	if total > maxCorpusTokens {
		return nil, fmt.Errorf("records hold %d tokens, more than the index can search (%d): split the datanet", total, maxCorpusTokens)
	}
	all := make([]uint32, 0, total)
	for _, r := range records {
		all = append(all, r...)
	}
	slices.Sort(all)
	c := &corpus{starts: make([]int32, len(records)), text: make([]int32, 0, total)}
	for i, t := range all {
		if i == 0 || t != all[i-1] {
			c.tokens = append(c.tokens, t)
			c.count = append(c.count, 0)
		}
		c.count[len(c.count)-1]++
	}
	for i, r := range records {
		c.starts[i] = int32(len(c.text))
		for _, t := range r {
			c.text = append(c.text, c.rank(t))
		}
		c.text = append(c.text, 0)
	}
	// Separators are the smallest value: their suffixes come first and go.
	c.suffix = suffixArray(c.text, int32(len(c.tokens)))[len(records):]
	return c, nil
}

// rank is the dense rank of a token, 0 when no record holds it.
func (c *corpus) rank(token uint32) int32 {
	i, ok := slices.BinarySearch(c.tokens, token)
	if !ok {
		return 0
	}
	return int32(i + 1)
}

// common is how many values q and the text at p share, of which skip are known.
func (c *corpus) common(q []int32, p int32, skip int) int {
	t := c.text[p:]
	n := skip
	for n < len(q) && q[n] == t[n] { // a separator ends the text and no q holds one
		n++
	}
	return n
}

// longest is the length of the longest prefix of q (ranks) that some record
// holds: that of a neighbour of q's place in the suffix array. The search
// compares from what both of its bounds share with q on (Manber and Myers).
func (c *corpus) longest(q []int32) int {
	lo, hi := -1, len(c.suffix) // suffix[lo] < q <= suffix[hi]
	var low, high int           // what they share with q
	for hi-lo > 1 {
		mid := int(uint(lo+hi) / 2)
		n := c.common(q, c.suffix[mid], min(low, high))
		if n < len(q) && c.text[int(c.suffix[mid])+n] < q[n] {
			lo, low = mid, n
		} else {
			hi, high = mid, n
		}
	}
	return max(low, high)
}

// occurrences is the range of suffixes that begin with q.
func (c *corpus) occurrences(q []int32) (lo, hi int) {
	prefix := func(i int) []int32 {
		p := int(c.suffix[i])
		return c.text[p:min(p+len(q), len(c.text))]
	}
	lo = sort.Search(len(c.suffix), func(i int) bool { return slices.Compare(prefix(i), q) >= 0 })
	hi = lo + sort.Search(len(c.suffix)-lo, func(i int) bool { return slices.Compare(prefix(lo+i), q) > 0 })
	return lo, hi
}

// maximal lists the stretches of output, at least minimum tokens long, that
// some record repeats and that no longer such stretch contains.
func (c *corpus) maximal(output []uint32, minimum int) []match {
	q := make([]int32, len(output))
	for i, t := range output {
		q[i] = c.rank(t)
	}
	var found []match
	end, stop := 0, 0 // stop: the next token that no record holds
	for i := range q {
		if stop <= i {
			for stop = i; stop < len(q) && q[stop] != 0; {
				stop++
			}
		}
		n := c.longest(q[i:stop])
		if n >= minimum && i+n > end {
			m := match{start: i, length: n}
			m.lo, m.hi = c.occurrences(q[i : i+n])
			found = append(found, m)
		}
		end = max(end, i+n)
	}
	return found
}

// places lists every occurrence of a match, by record and then offset.
func (c *corpus) places(m match) []place {
	at := slices.Clone(c.suffix[m.lo:m.hi])
	slices.Sort(at)
	out := make([]place, len(at))
	for i, p := range at {
		r := sort.Search(len(c.starts), func(j int) bool { return c.starts[j] > p }) - 1
		out[i] = place{record: r, offset: int(p - c.starts[r])}
	}
	return out
}

// rarity orders spans by how improbable they are under the unigram model of the
// records: the sum over tokens of log2(total/count) in 1/65536 bits, in integers
// so that every machine agrees.
func (c *corpus) rarity(tokens []uint32) int64 {
	total := int64(len(c.text) - len(c.starts))
	var sum int64
	for _, t := range tokens {
		n := int64(1)
		if r := c.rank(t); r > 0 {
			n = int64(c.count[r-1])
		}
		sum += log2Fixed(uint64(total)) - log2Fixed(uint64(n))
	}
	return sum
}

// rarest keeps ceil(5 % of length) matches of the lowest unigram probability,
// in order of their start.
func (c *corpus) rarest(found []match, output []uint32) []match {
	keep := (len(output) + 19) / 20
	if len(found) <= keep {
		return found
	}
	key := func(m match) int64 { return c.rarity(output[m.start : m.start+m.length]) }
	ranked := slices.Clone(found)
	slices.SortStableFunc(ranked, func(a, b match) int {
		switch ka, kb := key(a), key(b); {
		case ka > kb:
			return -1
		case ka < kb:
			return 1
		}
		return a.start - b.start
	})
	ranked = ranked[:keep]
	slices.SortFunc(ranked, func(a, b match) int { return a.start - b.start })
	return ranked
}
