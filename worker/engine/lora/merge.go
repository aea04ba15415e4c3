package lora

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Method says how adapters are merged. The names and their meaning are those of PEFT's add_weighted_adapter: a plain
// name works on the factors A and B, which must then have one rank; a name with "_svd" works on the weight changes
// B·A themselves, as the papers of TIES and DARE do, and factors the result again at a rank of choice.
type Method string

// The methods. MergeCat and MergeSVD are the weighted sum of the changes: the first exactly, with the ranks added up,
// the second as near as the rank allows.
const (
	MergeCat               Method = "cat"
	MergeSVD               Method = "svd"
	MergeLinear            Method = "linear"
	MergeTIES              Method = "ties"
	MergeTIESSVD           Method = "ties_svd"
	MergeDARELinear        Method = "dare_linear"
	MergeDARELinearSVD     Method = "dare_linear_svd"
	MergeDARETIES          Method = "dare_ties"
	MergeDARETIESSVD       Method = "dare_ties_svd"
	MergeMagnitudePrune    Method = "magnitude_prune"
	MergeMagnitudePruneSVD Method = "magnitude_prune_svd"
)

// Methods lists all methods, the exact one first.
func Methods() []Method {
	return []Method{MergeCat, MergeSVD, MergeLinear, MergeTIES, MergeTIESSVD, MergeDARELinear, MergeDARELinearSVD,
		MergeDARETIES, MergeDARETIESSVD, MergeMagnitudePrune, MergeMagnitudePruneSVD}
}

// OnChanges says whether the method works on the weight changes and so can give any rank.
func (m Method) OnChanges() bool { return m == MergeSVD || strings.HasSuffix(string(m), "_svd") }

// Prunes says whether the method drops values, and so needs a density.
func (m Method) Prunes() bool { return m != MergeCat && m != MergeSVD && m != MergeLinear }

// onFactors is the method that does to factors what m does to changes.
func (m Method) onFactors() Method {
	if m == MergeSVD {
		return MergeLinear
	}
	return Method(strings.TrimSuffix(string(m), "_svd"))
}

// Bounds of a merge.
const (
	MaxMergeParents = 16
	maxMergeWeight  = 1000
	maxRank         = 1024
)

// MergeConfig says how to merge.
type MergeConfig struct {
	Method Method
	// Rank of the result for methods on changes; 0 stands for the largest rank among the parents. Other methods have
	// no choice: it is 0 or what they give.
	Rank int
	// Density is the part of the values that is kept, in (0, 1], for methods that prune; 0 for others.
	Density float64
	// Frequency elects a sign by the number of parents that have it instead of by the sum of their values (TIES).
	Frequency bool
	// Seed of what DARE drops.
	Seed uint64
}

// Parent is one adapter of a merge. Key identifies its content: results do not depend on the order of the parents.
type Parent struct {
	Key     string
	Adapter *Adapter
	Weight  float64
}

// Validate names the first setting that cannot work.
func (c MergeConfig) Validate() error {
	if !slices.Contains(Methods(), c.Method) {
		return fmt.Errorf("method %q is not known: use one of %v", c.Method, Methods())
	}
	switch {
	case c.Rank < 0 || c.Rank > maxRank:
		return fmt.Errorf("rank is %d: it must be between 1 and %d, or 0 for what the method gives", c.Rank, maxRank)
	case c.Method.Prunes() && !(c.Density > 0 && c.Density <= 1):
		return fmt.Errorf("density is %v: %s keeps a part of the values, above 0 and up to 1", c.Density, c.Method)
	case !c.Method.Prunes() && c.Density != 0:
		return fmt.Errorf("density is %v: %s drops nothing, so leave it out", c.Density, c.Method)
	case c.Frequency && !strings.Contains(string(c.Method), "ties"):
		return fmt.Errorf("sign election by frequency is for ties and dare_ties, not for %s", c.Method)
	}
	return nil
}

// CheckWeights names the first weight or key that cannot work.
func CheckWeights(keys []string, weights []float64) error {
	if len(keys) == 0 || len(keys) > MaxMergeParents || len(keys) != len(weights) {
		return fmt.Errorf("there are %d adapters and %d weights: a merge takes 1 to %d adapters, each with a weight", len(keys), len(weights), MaxMergeParents)
	}
	for i, w := range weights {
		if math.IsNaN(w) || math.Abs(w) > maxMergeWeight {
			return fmt.Errorf("weight of %s is %v: it must be a number from -%d to %d", keys[i], w, maxMergeWeight, maxMergeWeight)
		}
		if w == 0 {
			return fmt.Errorf("weight of %s is 0: leave the adapter out", keys[i])
		}
		if slices.Contains(keys[:i], keys[i]) {
			return fmt.Errorf("%s is named twice: add up its weights", keys[i])
		}
	}
	return nil
}

// Merge makes one adapter of several for the same base. Weights are used as they are, not brought to a sum of 1. A
// module that no parent changes stays unchanged; one that only some change gets those.
//
// progress, if not nil, is told after each module how many of all are done. Memory: for methods on changes, one
// [out, in] matrix a parent of the module at hand.
func Merge(ctx context.Context, cfg MergeConfig, parents []Parent, progress func(done, total int)) (*Adapter, error) {
	parents = slices.Clone(parents)
	slices.SortFunc(parents, func(a, b Parent) int { return cmp.Compare(a.Key, b.Key) })
	rank, err := plan(cfg, parents)
	if err != nil {
		return nil, err
	}
	geom := parents[0].Adapter.Geom
	groups := group(geom, parents)
	var used [NumModules]bool
	pairs := make([]Pair, 0, len(groups))
	for i, g := range groups {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p, err := cfg.module(ctx, g, rank)
		if err != nil {
			return nil, fmt.Errorf("layer %d %s: %w", g.layer, g.module, err)
		}
		if j := slices.IndexFunc(slices.Concat(p.A, p.B), func(v float32) bool { return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) }); j >= 0 {
			return nil, fmt.Errorf("layer %d %s: the merged values are not finite: use smaller weights", g.layer, g.module)
		}
		pairs = append(pairs, p)
		used[g.module] = true
		if progress != nil {
			progress(i+1, len(groups))
		}
	}
	out := Config{}
	for m, u := range used {
		if u {
			out.Targets = append(out.Targets, Module(m))
		}
	}
	for _, p := range pairs {
		out.Rank = max(out.Rank, p.Rank)
	}
	out.Alpha = float64(out.Rank)
	return FromPairs(geom, out, pairs)
}

// plan checks that the parents can be merged so, and gives the rank for methods on changes.
func plan(cfg MergeConfig, parents []Parent) (int, error) {
	if err := cfg.Validate(); err != nil {
		return 0, err
	}
	keys, weights := make([]string, len(parents)), make([]float64, len(parents))
	for i, p := range parents {
		keys[i], weights[i] = p.Key, p.Weight
	}
	if err := CheckWeights(keys, weights); err != nil {
		return 0, err
	}
	first, rank := parents[0].Adapter, 0
	for _, p := range parents {
		if p.Adapter.Geom != first.Geom {
			return 0, fmt.Errorf("%s and %s are for bases of different shapes: only adapters of one base can be merged", parents[0].Key, p.Key)
		}
		rank = max(rank, p.Adapter.MaxRank())
	}
	if cfg.Method.OnChanges() {
		if cfg.Rank != 0 {
			rank = cfg.Rank
		}
		return rank, nil
	}
	if cfg.Method == MergeCat {
		rank = 0
		for _, g := range group(first.Geom, parents) {
			sum := 0
			for _, p := range g.pairs {
				sum += p.Rank
			}
			rank = max(rank, sum)
		}
		if rank > maxRank {
			return 0, fmt.Errorf("the ranks add up to %d, more than %d: use svd with a rank of your choice", rank, maxRank)
		}
	} else {
		for _, g := range group(first.Geom, parents) {
			for i, p := range g.pairs {
				if p.Rank != g.pairs[0].Rank {
					return 0, fmt.Errorf("%s has rank %d and %s rank %d in layer %d %s: %s adds up factors of one rank; use %s, which takes any",
						g.keys[0], g.pairs[0].Rank, g.keys[i], p.Rank, g.layer, g.module, cfg.Method, cfg.Method.onChanges())
				}
			}
		}
	}
	if cfg.Rank != 0 && cfg.Rank != rank {
		return 0, fmt.Errorf("rank is %d, but %s gives these adapters rank %d: leave it out, or use %s for another rank", cfg.Rank, cfg.Method, rank, cfg.Method.onChanges())
	}
	return rank, nil
}

// onChanges is the method of the same kind with a free rank.
func (m Method) onChanges() Method {
	if m == MergeCat || m == MergeLinear {
		return MergeSVD
	}
	return m + "_svd"
}

// contributions are the parents' changes of one module.
type contributions struct {
	layer   int
	module  Module
	shape   Shape
	keys    []string
	pairs   []*Pair
	weights []float64
}

// group lists the modules that some parent changes, in the order of an adapter's pairs.
func group(geom Geometry, parents []Parent) []contributions {
	var out []contributions
	for l := range geom.Layers {
		for m := range NumModules {
			g := contributions{layer: l, module: m, shape: geom.Shapes[m]}
			for _, p := range parents {
				if pair := p.Adapter.Pair(l, m); pair != nil {
					g.keys, g.pairs, g.weights = append(g.keys, p.Key), append(g.pairs, pair), append(g.weights, p.Weight)
				}
			}
			if len(g.pairs) > 0 {
				out = append(out, g)
			}
		}
	}
	return out
}

// module merges one module.
func (c MergeConfig) module(ctx context.Context, g contributions, rank int) (Pair, error) {
	rank = min(rank, g.shape.Out, g.shape.In)
	switch {
	case c.Method == MergeCat:
		return g.cat(), nil
	case c.Method == MergeSVD:
		return g.lowRank(rank), nil
	case c.Method.OnChanges():
		return c.changes(ctx, g, rank)
	}
	return c.factors(g), nil
}

// pair is a pair of the module with scale 1.
func (g *contributions) pair(rank int, a, b []float32) Pair {
	return Pair{Layer: g.layer, Module: g.module, Rank: rank, Shape: g.shape, Scale: 1, A: a, B: b}
}

// cat puts the factors beside each other: their product is the weighted sum of the products. Where all have one factor
// of scale and weight, it stays outside and the values stay as they are.
func (g *contributions) cat() Pair {
	rank, same := 0, true
	for i, p := range g.pairs {
		rank += p.Rank
		same = same && g.scale(i) == g.scale(0)
	}
	out := g.pair(rank, make([]float32, 0, rank*g.shape.In), make([]float32, rank*g.shape.Out))
	at := 0
	for i, p := range g.pairs {
		s := float32(g.scale(i))
		if same {
			out.Scale, s = s, 1
		}
		for _, v := range p.A {
			out.A = append(out.A, v*s)
		}
		for o := range g.shape.Out {
			copy(out.B[o*rank+at:], p.B[o*p.Rank:(o+1)*p.Rank])
		}
		at += p.Rank
	}
	return out
}

// scale is the factor of a parent's product.
func (g *contributions) scale(i int) float64 { return g.weights[i] * float64(g.pairs[i].Scale) }

// factors merges A and B each for itself. The factor of the product goes to both in equal parts, its sign to A.
func (c MergeConfig) factors(g contributions) Pair {
	wa, wb := make([]float32, len(g.pairs)), make([]float32, len(g.pairs))
	as, bs := make([][]float32, len(g.pairs)), make([][]float32, len(g.pairs))
	for i, p := range g.pairs {
		root := math.Sqrt(math.Abs(g.scale(i)))
		wa[i], wb[i] = float32(math.Copysign(root, g.scale(i))), float32(root)
		as[i], bs[i] = p.A, p.B
	}
	return g.pair(g.pairs[0].Rank, c.combine(as, wa, g.streams(c.Seed, "A")), c.combine(bs, wb, g.streams(c.Seed, "B")))
}

// changes merges the products and factors the result.
func (c MergeConfig) changes(ctx context.Context, g contributions, rank int) (Pair, error) {
	deltas, ws := make([][]float32, len(g.pairs)), make([]float32, len(g.pairs))
	for i, p := range g.pairs {
		deltas[i], ws[i] = p.delta(), float32(g.weights[i])
	}
	merged := c.combine(deltas, ws, g.streams(c.Seed, "delta"))
	u, s, v, err := truncatedSVD(ctx, merged, g.shape.Out, g.shape.In, rank)
	if err != nil {
		return Pair{}, err
	}
	return g.fromSVD(rank, u, s, v), nil
}
