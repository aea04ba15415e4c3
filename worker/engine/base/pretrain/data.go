package pretrain

import (
	"fmt"
	"math/rand/v2"

	"github.com/openledger/openledger/worker/engine/base/corpus"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/tokenizer"
)

// share of the tokens that each source gets. Order is part of the recipe.
var mixture = []struct {
	source string
	share  float64
}{{"generated", 0.45}, {"gsm8k", 0.25}, {"kjv", 0.18}, {"wordnet", 0.12}}

// heldOutSeed makes generated documents that are never trained on.
const heldOutSeed = 1 << 40

// cursor is the state of the stream of one source: part of the checkpoint.
type cursor struct {
	Next   uint64 `json:"next"`   // documents taken
	Tokens int64  `json:"tokens"` // tokens taken
}

// stream deals documents in a fixed order: always from the source that is furthest
// behind its share, each source shuffled anew in every epoch.
type stream struct {
	seed    uint64
	tok     *tokenizer.Tokenizer
	longest int
	docs    map[string][][]uint32 // embedded sources, tokenized
	cursors map[string]cursor
	orders  map[string]order
}

type order struct {
	epoch uint64
	perm  []int
}

func newStream(c *corpus.Corpus, t *tokenizer.Tokenizer, seed uint64, longest int) (*stream, error) {
	s := &stream{seed: seed, tok: t, longest: longest, docs: map[string][][]uint32{}, cursors: map[string]cursor{}, orders: map[string]order{}}
	for _, d := range c.Train {
		ids, err := tokens(t, d)
		if err != nil {
			return nil, err
		}
		s.docs[d.Source] = append(s.docs[d.Source], ids[:min(len(ids), longest)])
	}
	for _, m := range mixture {
		if m.source != "generated" && len(s.docs[m.source]) == 0 {
			return nil, fmt.Errorf("pretrain: the corpus has no documents of %s", m.source)
		}
	}
	return s, nil
}

// next document.
func (s *stream) next() ([]uint32, error) {
	best, behind := "", 0.0
	for _, m := range mixture {
		if d := float64(s.cursors[m.source].Tokens) / m.share; best == "" || d < behind {
			best, behind = m.source, d
		}
	}
	c := s.cursors[best]
	var ids []uint32
	if best == "generated" {
		var err error
		if ids, err = tokens(s.tok, corpus.Generate(s.seed, c.Next)); err != nil {
			return nil, err
		}
		ids = ids[:min(len(ids), s.longest)]
	} else {
		docs := s.docs[best]
		epoch := c.Next / uint64(len(docs))
		o, ok := s.orders[best]
		if !ok || o.epoch != epoch {
			o = order{epoch, rand.New(rand.NewPCG(s.seed, epoch*1000+uint64(len(best)))).Perm(len(docs))}
			s.orders[best] = o
		}
		ids = docs[o.perm[c.Next%uint64(len(docs))]]
	}
	c.Next++
	c.Tokens += int64(len(ids))
	s.cursors[best] = c
	return ids, nil
}

// batch of about n tokens, at least one document.
func (s *stream) batch(n int) ([]llama.Example, int, error) {
	var out []llama.Example
	total := 0
	for total < n {
		ids, err := s.next()
		if err != nil {
			return nil, 0, err
		}
		out = append(out, llama.Example{Tokens: ids})
		total += len(ids)
	}
	return out, total, nil
}

// heldOut documents by source, in the order of the mixture.
func heldOut(c *corpus.Corpus, t *tokenizer.Tokenizer, longest int) (map[string][]llama.Example, map[string]int, error) {
	docs, chars := map[string][]llama.Example{}, map[string]int{}
	all := c.HeldOut
	for i := range uint64(200) {
		all = append(all, corpus.Generate(heldOutSeed, i))
	}
	for _, d := range all {
		ids, err := tokens(t, d)
		if err != nil {
			return nil, nil, err
		}
		if len(ids) > longest {
			continue // else its bytes could not be counted
		}
		docs[d.Source] = append(docs[d.Source], llama.Example{Tokens: ids})
		chars[d.Source] += d.Chars()
	}
	return docs, chars, nil
}
