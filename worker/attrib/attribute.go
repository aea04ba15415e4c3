package attrib

import (
	"slices"

	"github.com/openledger/openledger/protocol"
)

// attribute turns scores into shares.
func (ix *Index) attribute(scores []int64, output []uint32) protocol.Attribution {
	spans := ix.spans(output)
	weights := weigh(scores, ix.dim, len(output), spans)
	a := protocol.Attribution{Algorithm: Algorithm, Index: ix.digest, Root: ix.root, Pool: protocol.WeightScale}
	order := make([]int, 0, len(weights))
	for i, w := range weights {
		if w > 0 {
			order = append(order, i)
		}
	}
	// Records are in order of their hash: a stable sort breaks ties by it.
	slices.SortStableFunc(order, func(x, y int) int {
		switch {
		case weights[x] > weights[y]:
			return -1
		case weights[x] < weights[y]:
			return 1
		}
		return 0
	})
	for _, i := range order[:min(len(order), maxShares)] {
		r := &ix.records[i]
		s := protocol.RecordShare{Record: r.id, Contributor: r.contributor, Weight: weights[i], Influence: scores[i]}
		if o := spans[i]; o != nil {
			s.Spans = o.spans
		}
		a.Shares = append(a.Shares, s)
		a.Pool -= weights[i]
	}
	return a
}

// spans finds the rare verbatim stretches of the output and all their owners.
// The weight of a token in a span is divided evenly among the span's owners, and
// among overlapping spans by who covers it first.
func (ix *Index) spans(output []uint32) map[int]*owned {
	found := ix.corpus.maximal(output, minSpan)
	total := int64(len(ix.corpus.text) - len(ix.corpus.starts))
	rare := found[:0]
	for _, m := range found {
		if ix.corpus.rarity(output[m.start:m.start+m.length]) >= log2Fixed(uint64(total))+spanBits<<16 {
			rare = append(rare, m)
		}
	}
	owners := map[int]*owned{}
	end := 0
	for _, m := range ix.corpus.rarest(rare, output) {
		fresh := int64(m.start + m.length - max(end, m.start))
		end = max(end, m.start+m.length)
		places := ix.corpus.places(m)
		n := int64(0)
		for i, p := range places {
			if i == 0 || p.record != places[i-1].record {
				n++
			}
		}
		for i, p := range places {
			o := owners[p.record]
			if o == nil {
				o = &owned{}
				owners[p.record] = o
			}
			if i > 0 && p.record == places[i-1].record {
				continue // the first place is evidence enough
			}
			o.tokens += fresh * 1024 / n
			o.spans = append(o.spans, protocol.Span{Start: m.start, Length: m.length, Offset: p.offset})
		}
	}
	return owners
}
