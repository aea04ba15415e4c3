// Package sample turns logits into the next token.
//
// What happens to one position's logits, in this order:
//
//  1. repetition penalty: the logit of a token seen in the prompt or the output is
//     divided by it if positive, multiplied if not (Keskar et al., 2019);
//  2. presence penalty, once for a token in the output, and frequency penalty, once for
//     each time it occurs there, are subtracted;
//  3. logit bias is added;
//  4. tokens outside the mask, if there is one, are excluded;
//  5. temperature 0 takes the largest logit; any other divides the logits;
//  6. top-k keeps the k most likely;
//  7. top-p keeps the fewest most likely that make up the share p of what top-k left;
//  8. min-p drops what is less likely than that share of the most likely;
//  9. one is drawn in proportion to what is left.
//
// Invariants: the draw for output position i depends only on the parameters, on i, on the
// logits and the mask, and, where penalties are on, on the tokens so far: another worker
// that continues a request gives the same tokens. Ties go to the lowest id. Everything is
// computed in one defined way, without package math's platform-dependent functions, so
// that every machine draws the same. No step allocates once scratch memory has grown.
//
// It does not look for stop strings (the engine does, on decoded text) and does not
// know grammars: a mask comes from package grammar.
package sample

import (
	"fmt"
	"math"
	"slices"
)

// Params of one request. The zero value is greedy decoding.
type Params struct {
	Temperature       float32 // 0 is greedy
	TopK              int     // keep the k most likely; 0 is off
	TopP              float32 // keep the smallest set with this mass; 0 or 1 is off
	MinP              float32 // drop what is below MinP times the most likely; 0 is off
	RepetitionPenalty float32 // divides positive logits of seen tokens; 0 or 1 is off
	FrequencyPenalty  float32 // subtracted once per earlier occurrence in the output
	PresencePenalty   float32 // subtracted once when seen in the output
	LogitBias         []Bias  // added to the logits; ascending ids
	Seed              uint64
}

// Bias is added to one token's logit.
type Bias struct {
	ID   uint32
	Bias float32
}

// MaxBias bounds the tokens of LogitBias.
const MaxBias = 1024

// Validate reports the first bad field by its name in the API.
func (p *Params) Validate() error {
	bad := func(v, lo, hi float32) bool { return !(v >= lo && v <= hi) } // true for NaN
	switch {
	case bad(p.Temperature, 0, 100):
		return fmt.Errorf("temperature must lie between 0 and 100, got %v", p.Temperature)
	case p.TopK < 0:
		return fmt.Errorf("top_k must not be negative, got %d", p.TopK)
	case bad(p.TopP, 0, 1):
		return fmt.Errorf("top_p must lie between 0 and 1, got %v", p.TopP)
	case bad(p.MinP, 0, 1):
		return fmt.Errorf("min_p must lie between 0 and 1, got %v", p.MinP)
	case p.RepetitionPenalty != 0 && bad(p.RepetitionPenalty, 0.01, 100):
		return fmt.Errorf("repetition_penalty must lie between 0.01 and 100, got %v", p.RepetitionPenalty)
	case bad(p.FrequencyPenalty, -100, 100):
		return fmt.Errorf("frequency_penalty must lie between -100 and 100, got %v", p.FrequencyPenalty)
	case bad(p.PresencePenalty, -100, 100):
		return fmt.Errorf("presence_penalty must lie between -100 and 100, got %v", p.PresencePenalty)
	case len(p.LogitBias) > MaxBias:
		return fmt.Errorf("logit_bias names %d tokens, at most %d are allowed", len(p.LogitBias), MaxBias)
	}
	for i, b := range p.LogitBias {
		if i > 0 && b.ID <= p.LogitBias[i-1].ID {
			return fmt.Errorf("logit_bias must name each token once, in ascending order; %d follows %d", b.ID, p.LogitBias[i-1].ID)
		}
		if bad(b.Bias, -1000, 1000) {
			return fmt.Errorf("logit_bias of token %d must lie between -1000 and 1000, got %v", b.ID, b.Bias)
		}
	}
	return nil
}

func (p *Params) repeats() bool { return p.RepetitionPenalty != 0 && p.RepetitionPenalty != 1 }

// penalises says whether earlier tokens matter.
func (p *Params) penalises() bool {
	return p.repeats() || p.FrequencyPenalty != 0 || p.PresencePenalty != 0
}

// Scratch is memory that the samplers of one goroutine share; it grows to a few times
// the vocabulary. The zero value is ready.
type Scratch struct {
	logits  []float32
	weights []float64
	cand    []candidate
}

// Sampler draws tokens for one request. It is not safe for concurrent use.
type Sampler struct {
	p       Params
	seen    []seenToken // in order of first sight
	at      map[uint32]int32
	scratch *Scratch
}

type seenToken struct {
	id    uint32
	count int32 // in the output
}

// New makes a sampler. The prompt is used by the repetition penalty only. Scratch is
// shared by samplers that never run at the same time; nil: of its own.
func New(p Params, prompt []uint32, scratch *Scratch) (*Sampler, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if scratch == nil {
		scratch = &Scratch{}
	}
	s := &Sampler{p: p, scratch: scratch}
	if p.penalises() {
		s.at = map[uint32]int32{}
	}
	if p.repeats() {
		for _, id := range prompt {
			s.see(id)
		}
	}
	return s, nil
}

func (s *Sampler) see(id uint32) int32 {
	i, ok := s.at[id]
	if !ok {
		i = int32(len(s.seen))
		s.at[id] = i
		s.seen = append(s.seen, seenToken{id: id})
	}
	return i
}

// Accept tells the sampler of a token that is in the output already: one it drew
// itself, or one drawn by another worker before a failover.
func (s *Sampler) Accept(id uint32) {
	if s.at != nil {
		s.seen[s.see(id)].count++
	}
}

// Next draws the token of output position pos (0 for the first). It neither changes
// logits nor calls Accept. With a mask it gives only a token in it, whatever the logits.
func (s *Sampler) Next(logits []float32, pos int, mask Mask) uint32 {
	x := s.adjust(logits, mask)
	best := Argmax(x)
	switch top := x[best]; {
	case math.IsInf(float64(top), -1) || top != top: // nothing to choose from
		return mask.lowest()
	case s.p.Temperature == 0 || math.IsInf(float64(top), 1):
		return best
	}
	u := Uniform(s.p.Seed, uint64(pos))
	cand, weights := s.weigh(x, x[best])
	if cand == nil {
		return draw(weights, u)
	}
	var sum float64
	for i := range cand {
		sum += cand[i].w
	}
	target := u * sum
	for i := range cand {
		if target -= cand[i].w; target < 0 {
			return cand[i].id
		}
	}
	return cand[len(cand)-1].id
}

// draw picks an index in proportion to its weight; at least one is positive.
func draw(weights []float64, u float64) uint32 {
	var sum float64
	for _, w := range weights {
		sum += w
	}
	target, last := u*sum, 0
	for i, w := range weights {
		if w == 0 {
			continue
		}
		if target -= w; target < 0 {
			return uint32(i)
		}
		last = i
	}
	return uint32(last)
}

// adjust applies penalties, bias and mask, on a copy if there are any.
func (s *Sampler) adjust(logits []float32, mask Mask) []float32 {
	if len(s.p.LogitBias) == 0 && len(s.seen) == 0 && mask == nil {
		return logits
	}
	s.scratch.logits = append(s.scratch.logits[:0], logits...)
	x := s.scratch.logits
	for _, t := range s.seen {
		if int(t.id) >= len(x) {
			continue
		}
		if v := x[t.id]; s.p.repeats() {
			if v > 0 {
				x[t.id] = v / s.p.RepetitionPenalty
			} else {
				x[t.id] = v * s.p.RepetitionPenalty
			}
		}
		if t.count > 0 {
			// Rounded apart: no compiler may fuse the product into the sum.
			x[t.id] -= s.p.PresencePenalty + float32(s.p.FrequencyPenalty*float32(t.count))
		}
	}
	for _, b := range s.p.LogitBias {
		if int(b.ID) < len(x) {
			x[b.ID] += b.Bias
		}
	}
	if mask != nil {
		mask.exclude(x)
	}
	return x
}

// Argmax is the id of the largest logit; ties go to the lowest id, NaN never wins.
func Argmax(logits []float32) uint32 {
	best, bestV := 0, float32(math.Inf(-1))
	for i, v := range logits {
		if v > bestV {
			best, bestV = i, v
		}
	}
	return uint32(best)
}

// Uniform is the project's counter-based generator: a number in [0,1) that is a
// function of (seed, counter) alone (two rounds of the SplitMix64 finaliser).
func Uniform(seed, counter uint64) float64 {
	return float64(mix(mix(seed+0x9e3779b97f4a7c15)^(counter*0xd1342543de82ef95+0x632be59bd9b4e019))>>11) / (1 << 53)
}

func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// SortBias orders biases as Params wants them.
func SortBias(b []Bias) {
	slices.SortFunc(b, func(x, y Bias) int { return int(int64(x.ID) - int64(y.ID)) })
}
