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

// weigh applies temperature and filters. With top-k it gives the candidates left, the
// most likely first; else the weight of every token, 0 for those that are not left.
func (s *Sampler) weigh(x []float32, top float32) ([]candidate, []float64) {
	p, w := &s.p, s.scratch
	if k := p.TopK; k > 0 && k < len(x) {
		w.cand = mostLikely(w.cand[:0], x, k)
		cand := w.cand
		var sum float64
		for i := range cand {
			cand[i].w = s.weight(cand[i].l, top)
			sum += cand[i].w
		}
		if p.nucleus() {
			cand = cand[:nucleus(cand, 0, float64(p.TopP)*sum)]
		}
		for p.MinP > 0 && cand[len(cand)-1].w < float64(p.MinP) { // the first weighs 1
			cand = cand[:len(cand)-1]
		}
		return cand, nil
	}
	var weights []float64
	if p.nucleus() {
		weights = s.nucleus(x, top)
	} else {
		weights = s.weights(x, top)
	}
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

// nucleus leaves weight to the fewest most likely tokens with the share TopP of all. It
// sorts nothing: half of what may hold the last of them is discarded at a time.
func (s *Sampler) nucleus(x []float32, top float32) []float64 {
	weights := s.weights(x, top)
	var sum float64
	for _, w := range weights {
		sum += w
	}
	want := float64(float64(s.p.TopP) * sum)
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
	last := reaching(cand, want)
	for i := range weights {
		if x[i] < last.l || x[i] == last.l && uint32(i) > last.id {
			weights[i] = 0
		}
	}
	return weights
}

// reaching is the candidate, in order, with which a mass is reached; the last one if it
// never is. It reorders c, which is not empty.
func reaching(c []candidate, want float64) candidate {
	var mass float64
	for len(c) > 16 {
		i := split(c)
		var left float64
		for _, k := range c[:i] {
			left += k.w
		}
		if mass+left >= want {
			c = c[:i]
		} else {
			mass, c = mass+left, c[i:]
		}
	}
	slices.SortFunc(c, compare)
	return c[nucleus(c, mass, want)-1]
}

// nucleus is how many candidates it takes to reach a mass, given that of those before
// them; all of them if it is never reached.
func nucleus(cand []candidate, mass, want float64) int {
	for i := range cand {
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

// selectFirst moves the n first in order to the front.
func selectFirst(c []candidate, n int) {
	for len(c) > 16 {
		i := split(c)
		if n <= i {
			c = c[:i]
		} else {
			c, n = c[i:], n-i
		}
	}
	slices.SortFunc(c, compare)
}

// split reorders c, of at least 3, so that all of c[:i] come before all of c[i:], both
// not empty (Hoare's partition around the median of three).
func split(c []candidate) (i int) {
	lo, mid, hi := 0, len(c)/2, len(c)-1
	if before(c[mid], c[lo]) {
		c[mid], c[lo] = c[lo], c[mid]
	}
	if before(c[hi], c[lo]) {
		c[hi], c[lo] = c[lo], c[hi]
	}
	if before(c[hi], c[mid]) {
		c[hi], c[mid] = c[mid], c[hi]
	}
	pivot := c[mid]
	j := hi
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
	return i
}
