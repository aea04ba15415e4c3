package lora

import (
	"fmt"
	"math"
	"sort"

	"github.com/openledger/openledger/worker/engine/nn"
)

// New makes an adapter that changes nothing yet: A is uniform in ±1/sqrt(in) from the seed, B is zero.
func New(geom Geometry, cfg Config, seed uint64) (*Adapter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	var pairs []Pair
	for l := range geom.Layers {
		for _, m := range cfg.Targets {
			pairs = append(pairs, Pair{Layer: l, Module: m, Rank: cfg.Rank, Shape: geom.Shapes[m], Scale: cfg.Scaling(cfg.Rank)})
		}
	}
	a, err := FromPairs(geom, cfg, pairs)
	if err != nil {
		return nil, err
	}
	rng := nn.NewRNG(seed)
	for i := range a.Pairs {
		rng.Uniform(a.Pairs[i].A, 1/math.Sqrt(float64(a.Pairs[i].Shape.In)))
	}
	return a, nil
}

// FromPairs makes an adapter of pairs in any order and of any ranks. Their values, where given, are copied.
func FromPairs(geom Geometry, cfg Config, pairs []Pair) (*Adapter, error) {
	sorted := append([]Pair(nil), pairs...)
	sort.SliceStable(sorted, func(i, j int) bool {
		if sorted[i].Layer != sorted[j].Layer {
			return sorted[i].Layer < sorted[j].Layer
		}
		return sorted[i].Module < sorted[j].Module
	})
	a := &Adapter{Config: cfg, Geom: geom, index: make([][NumModules]int32, geom.Layers)}
	for i, p := range sorted {
		if p.Layer < 0 || p.Layer >= geom.Layers || p.Module < 0 || p.Module >= NumModules {
			return nil, fmt.Errorf("adapter changes %v of layer %d: the base model has layers 0 to %d", p.Module, p.Layer, geom.Layers-1)
		}
		if p.Shape != geom.Shapes[p.Module] {
			return nil, fmt.Errorf("adapter's %v is for a map of %d x %d, the base model's is %d x %d: it was made for another base",
				p.Module, p.Shape.Out, p.Shape.In, geom.Shapes[p.Module].Out, geom.Shapes[p.Module].In)
		}
		if p.Rank < 1 || p.Rank > 1024 {
			return nil, fmt.Errorf("adapter's %v of layer %d has rank %d: it must be between 1 and 1024", p.Module, p.Layer, p.Rank)
		}
		if s := float64(p.Scale); math.IsNaN(s) || math.IsInf(s, 0) {
			return nil, fmt.Errorf("adapter's %v of layer %d has scale %v", p.Module, p.Layer, p.Scale)
		}
		if na, nb := p.Rank*p.Shape.In, p.Rank*p.Shape.Out; (p.A != nil && len(p.A) != na) || (p.B != nil && len(p.B) != nb) {
			return nil, fmt.Errorf("adapter's %v of layer %d has %d and %d values, rank %d needs %d and %d", p.Module, p.Layer,
				len(p.A), len(p.B), p.Rank, na, nb)
		}
		if a.index[p.Layer][p.Module] != 0 {
			return nil, fmt.Errorf("adapter changes %v of layer %d twice", p.Module, p.Layer)
		}
		a.index[p.Layer][p.Module] = int32(i + 1)
	}
	a.Flat, a.Pairs = layout(sorted, true)
	return a, nil
}

// layout allocates one vector for all pairs; with values, they are copied in.
func layout(pairs []Pair, values bool) ([]float32, []Pair) {
	n := 0
	for _, p := range pairs {
		n += p.Rank * (p.Shape.In + p.Shape.Out)
	}
	flat := make([]float32, n)
	out := append([]Pair(nil), pairs...)
	at := 0
	take := func(k int, from []float32) []float32 {
		s := flat[at : at+k : at+k]
		if values {
			copy(s, from)
		}
		at += k
		return s
	}
	for i := range out {
		p := &out[i]
		p.A = take(p.Rank*p.Shape.In, p.A)
		p.B = take(p.Rank*p.Shape.Out, p.B)
	}
	return flat, out
}

// NewGrads makes zero gradients for an adapter.
func NewGrads(a *Adapter) *Grads {
	flat, pairs := layout(a.Pairs, false)
	return &Grads{Flat: flat, Pairs: pairs}
}

// Zero clears the gradients.
func (g *Grads) Zero() { clear(g.Flat) }

// PairIndex is the index in Pairs of a layer's module, or -1.
func (a *Adapter) PairIndex(layer int, m Module) int {
	if layer < 0 || layer >= len(a.index) || m < 0 || m >= NumModules {
		return -1
	}
	return int(a.index[layer][m]) - 1
}

// Pair is the change of a layer's module, or nil.
func (a *Adapter) Pair(layer int, m Module) *Pair {
	if i := a.PairIndex(layer, m); i >= 0 {
		return &a.Pairs[i]
	}
	return nil
}

// MaxRank is the largest rank.
func (a *Adapter) MaxRank() int {
	r := 0
	for i := range a.Pairs {
		r = max(r, a.Pairs[i].Rank)
	}
	return r
}

// Clone copies the adapter.
func (a *Adapter) Clone() *Adapter {
	c := *a
	c.Flat, c.Pairs = layout(a.Pairs, true)
	return &c
}

// Params lists the adapter's tensors in the order of the flat vector, with their gradients if g is not nil.
func (a *Adapter) Params(g *Grads) []Param {
	ps := make([]Param, 0, 2*len(a.Pairs))
	for i := range a.Pairs {
		p := &a.Pairs[i]
		base := fmt.Sprintf("base_model.model.model.layers.%d.%s.lora_", p.Layer, p.Module.Path())
		pa := Param{Name: base + "A.weight", Shape: []int{p.Rank, p.Shape.In}, Data: p.A}
		pb := Param{Name: base + "B.weight", Shape: []int{p.Shape.Out, p.Rank}, Data: p.B}
		if g != nil {
			pa.Grad, pb.Grad = g.Pairs[i].A, g.Pairs[i].B
		}
		ps = append(ps, pa, pb)
	}
	return ps
}
