package attrib

import (
	"cmp"
	"slices"

	"github.com/openledger/openledger/protocol"
)

// attribute turns scores into shares.
func (ix *Index) attribute(scores []int64, output []uint32) protocol.Attribution {
	spans := ix.spans(output)
	weights := weigh(scores, ix.dim, len(output), spans)
	a := protocol.Attribution{Algorithm: Algorithm, Index: ix.digest, Root: ix.root, Pool: protocol.WeightScale}
	shares := ix.shares(weights, scores, spans)
	// Records are in order of their hash: a stable sort breaks ties by it.
	slices.SortStableFunc(shares, func(x, y protocol.RecordShare) int { return cmp.Compare(y.Weight, x.Weight) })
	for _, s := range shares[:min(len(shares), maxShares)] {
		a.Shares = append(a.Shares, s)
		a.Pool -= s.Weight
	}
	return a
}

// shares are those of the records with a weight, in order of their hash. A record's
// entries count together: weights add up, its influence is the largest, and offsets of
// spans go on from one entry's tokens to the next's.
func (ix *Index) shares(weights []uint64, scores []int64, spans map[int]*owned) []protocol.RecordShare {
	var out []protocol.RecordShare
	for i := 0; i < len(ix.records); {
		r := &ix.records[i]
		s := protocol.RecordShare{Record: r.id, Contributor: r.contributor, Influence: scores[i]}
		offset := 0
		for ; i < len(ix.records) && ix.records[i].id == r.id; i++ {
			s.Weight += weights[i]
			s.Influence = max(s.Influence, scores[i])
			if o := spans[i]; o != nil {
				for _, span := range o.spans {
					span.Offset += offset
					s.Spans = append(s.Spans, span)
				}
			}
			offset += len(ix.records[i].tokens)
		}
		if s.Weight > 0 {
			out = append(out, s)
		}
	}
	return out
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
