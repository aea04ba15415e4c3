// Package sample turns logits into the next token.
//
// Invariants: the draw for output position i depends only on the parameters'
// seed, on i, and on the logits (and, where penalties are on, on the tokens so
// far): another worker that continues a request after a failure gives the same
// tokens. Temperature 0 is greedy, and ties go to the lowest id. A Sampler owns
// scratch memory and is not safe for concurrent use.
//
// It does not look for stop strings: the engine does, on decoded text.
package sample

import (
	"fmt"
	"math"
	"slices"
)

// Params of one request. The zero value is greedy decoding.
type Params struct {
	Temperature       float32            // 0 is greedy
	TopK              int                // keep the k most likely; 0 is off
	TopP              float32            // keep the smallest set with this mass; 0 or 1 is off
	MinP              float32            // drop what is below MinP times the most likely; 0 is off
	RepetitionPenalty float32            // divides positive logits of seen tokens; 0 or 1 is off
	FrequencyPenalty  float32            // subtracted once per earlier occurrence in the output
	PresencePenalty   float32            // subtracted once when seen in the output
	LogitBias         map[uint32]float32 // added to the logits
	Seed              uint64
}

// Validate reports the first bad field.
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
	case bad(p.RepetitionPenalty, 0, 100):
		return fmt.Errorf("repetition_penalty must lie between 0 and 100, got %v", p.RepetitionPenalty)
	case bad(p.FrequencyPenalty, -100, 100):
		return fmt.Errorf("frequency_penalty must lie between -100 and 100, got %v", p.FrequencyPenalty)
	case bad(p.PresencePenalty, -100, 100):
		return fmt.Errorf("presence_penalty must lie between -100 and 100, got %v", p.PresencePenalty)
	}
	for id, b := range p.LogitBias {
		if bad(b, -1000, 1000) {
			return fmt.Errorf("logit_bias of token %d must lie between -1000 and 1000, got %v", id, b)
		}
	}
	return nil
}

// penalises says whether earlier tokens matter.
func (p *Params) penalises() bool {
	return (p.RepetitionPenalty != 0 && p.RepetitionPenalty != 1) || p.FrequencyPenalty != 0 || p.PresencePenalty != 0
}

// Sampler draws tokens for one request.
type Sampler struct {
	p      Params
	bias   []uint32 // keys of LogitBias, sorted
	counts map[uint32]int
	order  []uint32 // keys of counts, in order of first sight
	seen   map[uint32]bool
	prompt []uint32 // distinct prompt tokens, for the repetition penalty
	buf    []float32
	cand   []candidate
}

type candidate struct {
	id uint32
	l  float32 // logit
	p  float64 // unnormalised probability
}

// New makes a sampler. The prompt is used by the repetition penalty only.
func New(p Params, prompt []uint32) (*Sampler, error) {
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	s := &Sampler{p: p, counts: map[uint32]int{}, seen: map[uint32]bool{}}
	for id := range p.LogitBias {
		s.bias = append(s.bias, id)
	}
	slices.Sort(s.bias)
	if p.penalises() {
		for _, id := range prompt {
			if !s.seen[id] {
				s.seen[id] = true
				s.prompt = append(s.prompt, id)
			}
		}
	}
	return s, nil
}

// Accept tells the sampler of a token that is in the output already: one it drew
// itself, or one drawn by another worker before a failover.
func (s *Sampler) Accept(id uint32) {
	if !s.p.penalises() {
		return
	}
	if s.counts[id] == 0 {
		s.order = append(s.order, id)
	}
	s.counts[id]++
}

// Next draws the token of output position pos (0 for the first). It neither
// changes logits nor calls Accept.
func (s *Sampler) Next(logits []float32, pos int) uint32 {
	logits = s.adjust(logits)
	if s.p.Temperature == 0 {
		return Argmax(logits)
	}
	cand := s.candidates(logits)
	var sum float64
	for i := range cand {
		sum += cand[i].p
	}
	target := Uniform(s.p.Seed, uint64(pos)) * sum
	for i := range cand {
		target -= cand[i].p
		if target < 0 {
			return cand[i].id
		}
	}
	return cand[len(cand)-1].id
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

// adjust applies bias and penalties on a copy, if there are any.
func (s *Sampler) adjust(logits []float32) []float32 {
	if len(s.bias) == 0 && !s.p.penalises() {
		return logits
	}
	s.buf = append(s.buf[:0], logits...)
	x := s.buf
	if r := s.p.RepetitionPenalty; r != 0 && r != 1 {
		for _, id := range s.prompt {
			repeat(x, id, r)
		}
		for _, id := range s.order {
			if !s.seen[id] {
				repeat(x, id, r)
			}
		}
	}
	for _, id := range s.order {
		if int(id) < len(x) {
			x[id] -= s.p.PresencePenalty + s.p.FrequencyPenalty*float32(s.counts[id])
		}
	}
	for _, id := range s.bias {
		if int(id) < len(x) {
			x[id] += s.p.LogitBias[id]
		}
	}
	return x
}

func repeat(x []float32, id uint32, r float32) {
	switch {
	case int(id) >= len(x):
	case x[id] > 0:
		x[id] /= r
	default:
		x[id] *= r
	}
}

// candidates are the tokens left by the filters, in a fixed order (most likely
// first when a filter needs sorting, else by id).
func (s *Sampler) candidates(logits []float32) []candidate {
	top := logits[Argmax(logits)]
	cand := s.cand[:0]
	cut := math.Inf(-1)
	if s.p.MinP > 0 {
		cut = float64(top) + float64(s.p.Temperature)*math.Log(float64(s.p.MinP))
	}
	for i, l := range logits {
		if float64(l) >= cut && !math.IsInf(float64(l), -1) {
			cand = append(cand, candidate{id: uint32(i), l: l})
		}
	}
	s.cand = cand
	if len(cand) == 0 { // every logit is NaN or -Inf
		return append(cand, candidate{id: 0, p: 1})
	}
	topP := s.p.TopP > 0 && s.p.TopP < 1
	if k := s.p.TopK; topP || (k > 0 && k < len(cand)) {
		slices.SortFunc(cand, func(a, b candidate) int {
			switch {
			case a.l > b.l:
				return -1
			case a.l < b.l:
				return 1
			default:
				return int(int64(a.id) - int64(b.id))
			}
		})
		if k > 0 && k < len(cand) {
			cand = cand[:k]
		}
	}
	var sum float64
	for i := range cand {
		cand[i].p = math.Exp(float64(cand[i].l-top) / float64(s.p.Temperature))
		sum += cand[i].p
	}
	if topP {
		mass, want := 0.0, float64(s.p.TopP)*sum
		for i := range cand {
			mass += cand[i].p
			if mass >= want {
				return cand[:i+1]
			}
		}
	}
	return cand
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

// LogProb is the natural log-probability of id under softmax(logits).
func LogProb(logits []float32, id uint32) float64 {
	top := logits[Argmax(logits)]
	var sum float64
	for _, l := range logits {
		sum += math.Exp(float64(l - top))
	}
	return float64(logits[id]-top) - math.Log(sum)
}
