package sample

import (
	"math"
	"slices"
)

// candidate is a token that a filter may keep.
type candidate struct {
	id uint32
	l  float32 // logit
	w  float64 // probability over that of the most likely token
}

// before is the order of likelihood; no two are equal, so that a selection does not
// depend on how it is made.
func before(a, b candidate) bool { return a.l > b.l || a.l == b.l && a.id < b.id }

func compare(a, b candidate) int {
	if before(a, b) {
		return -1
	}
	return 1
}

// weigh applies temperature and filters. Where a filter needs an order it gives the
// candidates left, the most likely first; else it gives the weight of every token.
func (s *Sampler) weigh(x []float32, top float32) ([]candidate, []float64) {
	p, w := &s.p, s.scratch
	switch k := p.TopK; {
	case k > 0 && k < len(x):
		w.cand = mostLikely(w.cand[:0], x, k)
		cand := w.cand
		var sum float64
		for i := range cand {
			cand[i].w = s.weight(cand[i].l, top)
			sum += cand[i].w
		}
		if p.nucleus() {
			cand = cand[:nucleus(cand, 0, 0, float64(p.TopP)*sum)]
		}
		return s.likely(cand), nil
	case p.nucleus():
		return s.likely(s.nucleus(x, top)), nil
	}
	weights := s.weights(x, top)
	if p.MinP > 0 {
		for i, v := range weights {
			if v < float64(p.MinP) {
				weights[i] = 0
			}
		}
	}
	return nil, weights
}

func (p *Params) nucleus() bool { return p.TopP > 0 && p.TopP < 1 }

// weight is exp((l-top)/temperature), 0 for NaN.
func (s *Sampler) weight(l, top float32) float64 {
	return expNeg((float64(l) - float64(top)) / float64(s.p.Temperature))
}

func (s *Sampler) weights(x []float32, top float32) []float64 {
	out := slices.Grow(s.scratch.weights[:0], len(x))[:len(x)]
	s.scratch.weights = out
	t, m := float64(s.p.Temperature), float64(top)
	for i, l := range x {
		out[i] = expNeg((float64(l) - m) / t)
	}
	return out
}

// likely cuts candidates off that min-p drops: they come last.
func (s *Sampler) likely(cand []candidate) []candidate {
	if s.p.MinP > 0 {
		for len(cand) > 1 && cand[len(cand)-1].w < float64(s.p.MinP) {
			cand = cand[:len(cand)-1]
		}
	}
	return cand
}

// nucleus gives the fewest most likely tokens with the share TopP of all. It sorts only
// as many as it needs.
func (s *Sampler) nucleus(x []float32, top float32) []candidate {
	weights := s.weights(x, top)
	var sum float64
	for _, w := range weights {
		sum += w
	}
	want := float64(s.p.TopP) * sum
	// All tokens less likely than this make up less than 1-TopP together, so that none
	// of them is needed. A little lower, so that rounding does not matter.
	least := (sum - want) / float64(len(x)) * (1 - 1e-6)
	cand := s.scratch.cand[:0]
	for i, w := range weights {
		if w > 0 && w >= least {
			cand = append(cand, candidate{id: uint32(i), l: x[i], w: w})
		}
	}
	s.scratch.cand = cand
	var mass float64
	for from, n := 0, 128; from < len(cand); n *= 4 {
		to := min(from+n, len(cand))
		selectFirst(cand[from:], to-from)
		slices.SortFunc(cand[from:to], compare)
		if end := nucleus(cand[:to], from, mass, want); end < to {
			return cand[:end]
		}
		for ; from < to; from++ {
			mass += cand[from].w
		}
		if mass >= want {
			return cand[:to]
		}
	}
	return cand
}

// nucleus is how many candidates it takes to reach a mass, mass being that of the first
// from ones; all of them if it is never reached.
func nucleus(cand []candidate, from int, mass, want float64) int {
	for i := from; i < len(cand); i++ {
		if mass += cand[i].w; mass >= want {
			return i + 1
		}
	}
	return len(cand)
}

// mostLikely appends the k largest of x, the largest first; fewer when NaN and -Inf
// leave fewer. k is at least 1.
func mostLikely(out []candidate, x []float32, k int) []candidate {
	base := len(out)
	if k > len(x)/16+64 {
		for i, l := range x {
			if usable(l) {
				out = append(out, candidate{id: uint32(i), l: l})
			}
		}
		c := out[base:]
		k = min(k, len(c))
		selectFirst(c, k)
		slices.SortFunc(c[:k], compare)
		return out[:base+k]
	}
	// A heap of the k best so far, the least of them on top: most tokens cost one
	// comparison.
	for i, l := range x {
		switch h := out[base:]; {
		case len(h) < k:
			if usable(l) {
				out = append(out, candidate{id: uint32(i), l: l})
				up(out[base:])
			}
		case l > h[0].l: // a tie with the least goes to the lower id, which it has
			h[0] = candidate{id: uint32(i), l: l}
			down(h)
		}
	}
	slices.SortFunc(out[base:], compare)
	return out
}

// usable says that a logit is neither NaN nor -Inf.
func usable(l float32) bool { return l > float32(math.Inf(-1)) }

func up(h []candidate) {
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !before(h[parent], h[i]) {
			return
		}
		h[parent], h[i] = h[i], h[parent]
		i = parent
	}
}

func down(h []candidate) {
	for i := 0; ; {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && before(h[c], h[c+1]) {
			c++
		}
		if !before(h[i], h[c]) {
			return
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}

// selectFirst moves the n first in order to the front (Hoare's quickselect, pivot by
// median of three).
func selectFirst(c []candidate, n int) {
	lo, hi := 0, len(c)
	for hi-lo > 16 && n > lo && n < hi {
		mid := (lo + hi) / 2
		if before(c[mid], c[lo]) {
			c[mid], c[lo] = c[lo], c[mid]
		}
		if before(c[hi-1], c[lo]) {
			c[hi-1], c[lo] = c[lo], c[hi-1]
		}
		if before(c[hi-1], c[mid]) {
			c[hi-1], c[mid] = c[mid], c[hi-1]
		}
		pivot := c[mid]
		i, j := lo, hi-1
		for i <= j {
			for before(c[i], pivot) {
				i++
			}
			for before(pivot, c[j]) {
				j--
			}
			if i <= j {
				c[i], c[j] = c[j], c[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case n <= j:
			hi = j + 1
		case n > i:
			lo = i
		default:
			return
		}
	}
	if hi-lo <= 16 && n > lo && n < hi {
		slices.SortFunc(c[lo:hi], compare)
	}
}
