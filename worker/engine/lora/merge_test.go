package lora_test

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/weights"
)

// small is the geometry of testdata/merge.
func small() lora.Geometry {
	g := lora.Geometry{Layers: 2}
	for m, s := range map[lora.Module]lora.Shape{lora.QProj: {Out: 24, In: 24}, lora.KProj: {Out: 12, In: 24}, lora.VProj: {Out: 12, In: 24},
		lora.OProj: {Out: 24, In: 24}, lora.GateProj: {Out: 40, In: 24}, lora.UpProj: {Out: 40, In: 24}, lora.DownProj: {Out: 24, In: 40}} {
		g.Shapes[m] = s
	}
	return g
}

func golden(t *testing.T, name string) *lora.Adapter {
	t.Helper()
	a, err := weights.ReadPEFT(os.DirFS(filepath.Join("testdata", "merge", name)), small())
	require.NoError(t, err)
	return a
}

// change is Scale·B·A of one module, nil where the adapter leaves it alone.
func change(a *lora.Adapter, layer int, m lora.Module) []float64 {
	p := a.Pair(layer, m)
	if p == nil {
		return nil
	}
	out := make([]float64, p.Shape.Out*p.Shape.In)
	for o := range p.Shape.Out {
		for r := range p.Rank {
			for i := range p.Shape.In {
				out[o*p.Shape.In+i] += float64(p.Scale) * float64(p.B[o*p.Rank+r]) * float64(p.A[r*p.Shape.In+i])
			}
		}
	}
	return out
}

// distance is the norm of the difference over the norm of want.
func distance(got, want []float64) float64 {
	var diff, norm float64
	for i := range want {
		diff += (got[i] - want[i]) * (got[i] - want[i])
		norm += want[i] * want[i]
	}
	return math.Sqrt(diff / norm)
}

func merge(t *testing.T, cfg lora.MergeConfig, parents ...lora.Parent) *lora.Adapter {
	t.Helper()
	a, err := lora.Merge(t.Context(), cfg, parents, nil)
	require.NoError(t, err)
	return a
}

// The adapters that PEFT's add_weighted_adapter makes of the same parents.
func TestMerge_AsPEFT(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "merge", "*.json"))
	require.NoError(t, err)
	seen := map[lora.Method]bool{}
	for _, file := range files {
		name := filepath.Base(file[:len(file)-len(".json")])
		if name == "versions" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			var how struct {
				Parents   map[string]float64
				Method    lora.Method
				Rank      int
				Density   float64
				Frequency bool
				Seed      uint64
			}
			require.NoError(t, json.Unmarshal(raw, &how))
			var parents []lora.Parent
			for _, key := range []string{"c", "b", "a"} { // any order
				if w, ok := how.Parents[key]; ok {
					parents = append(parents, lora.Parent{Key: key, Adapter: golden(t, key), Weight: w})
				}
			}
			got := merge(t, lora.MergeConfig{Method: how.Method, Rank: how.Rank, Density: how.Density, Frequency: how.Frequency, Seed: how.Seed}, parents...)
			want := golden(t, name)
			require.Len(t, got.Pairs, len(want.Pairs))
			for i, p := range want.Pairs {
				require.Less(t, distance(change(got, p.Layer, p.Module), change(want, p.Layer, p.Module)), 2e-6, "layer %d %s", p.Layer, p.Module)
				if !how.Method.OnChanges() && how.Method != lora.MergeCat {
					require.InDeltaSlice(t, p.A, got.Pairs[i].A, 1e-6, "A of layer %d %s", p.Layer, p.Module)
					require.InDeltaSlice(t, p.B, got.Pairs[i].B, 1e-6, "B of layer %d %s", p.Layer, p.Module)
				}
			}
			seen[how.Method] = true
		})
	}
	require.Len(t, seen, len(lora.Methods()), "every method is compared")
}

// random is an adapter with values everywhere.
func random(t *testing.T, seed uint64, rank int, targets ...lora.Module) *lora.Adapter {
	t.Helper()
	a, err := lora.New(small(), lora.Config{Rank: rank, Alpha: 3, Targets: targets}, seed)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range a.Flat {
		a.Flat[i] = float32(rng.NormFloat64()) / 4
	}
	return a
}

// every is a configuration that the method takes.
func every(m lora.Method) lora.MergeConfig {
	cfg := lora.MergeConfig{Method: m, Seed: 5}
	if m.Prunes() {
		cfg.Density = 0.5
	}
	return cfg
}

func TestMerge_OfOneWithWeightOneIsItself(t *testing.T) {
	a := random(t, 1, 3, lora.QProj, lora.DownProj)
	for _, m := range lora.Methods() {
		cfg := every(m)
		if m.Prunes() {
			cfg.Density = 1 // nothing is dropped
		}
		got := merge(t, cfg, lora.Parent{Key: "a", Adapter: a, Weight: 1})
		if m == lora.MergeCat {
			require.Equal(t, a.Flat, got.Flat, "bit for bit")
		}
		for _, p := range a.Pairs {
			require.Less(t, distance(change(got, p.Layer, p.Module), change(a, p.Layer, p.Module)), 1e-6, "%s: layer %d %s", m, p.Layer, p.Module)
		}
	}
}

func TestMerge_CatAndSVDAreTheWeightedSum(t *testing.T) {
	a, b := random(t, 1, 3, lora.QProj, lora.VProj), random(t, 2, 5, lora.VProj, lora.UpProj) // other ranks, other targets
	parents := []lora.Parent{{Key: "a", Adapter: a, Weight: 0.7}, {Key: "b", Adapter: b, Weight: -1.9}}
	for _, cfg := range []lora.MergeConfig{{Method: lora.MergeCat}, {Method: lora.MergeSVD, Rank: 8}} {
		got := merge(t, cfg, parents...)
		require.Equal(t, []lora.Module{lora.QProj, lora.VProj, lora.UpProj}, got.Config.Targets)
		for _, p := range got.Pairs {
			want := make([]float64, p.Shape.Out*p.Shape.In)
			for _, x := range parents {
				for i, v := range change(x.Adapter, p.Layer, p.Module) {
					want[i] += x.Weight * v
				}
			}
			require.Less(t, distance(change(got, p.Layer, p.Module), want), 1e-6, "%s: layer %d %s", cfg.Method, p.Layer, p.Module)
		}
	}
	require.Equal(t, 8, merge(t, lora.MergeConfig{Method: lora.MergeCat}, parents...).MaxRank())
	require.Equal(t, 5, merge(t, lora.MergeConfig{Method: lora.MergeSVD}, parents...).MaxRank(), "the largest of the parents'")
}

func TestMerge_DependsNeitherOnOrderNorOnRepetition(t *testing.T) {
	var parents []lora.Parent
	for i, key := range []string{"a", "b", "c"} {
		parents = append(parents, lora.Parent{Key: key, Adapter: random(t, uint64(i), 4, lora.QProj, lora.UpProj), Weight: 0.1 + float64(i)})
	}
	for _, m := range lora.Methods() {
		want := merge(t, every(m), parents...)
		turned := slices.Clone(parents)
		for range 3 {
			turned = append(turned[1:], turned[0])
			require.Equal(t, want.Flat, merge(t, every(m), turned...).Flat, "%s", m)
		}
		other := every(m)
		other.Seed++
		same := slices.Equal(want.Flat, merge(t, other, parents...).Flat)
		random := slices.Contains([]lora.Method{lora.MergeDARELinear, lora.MergeDARELinearSVD, lora.MergeDARETIES, lora.MergeDARETIESSVD}, m)
		require.Equal(t, !random, same, "%s: the seed decides what DARE drops, and nothing else", m)
	}
}

// DARE drops the part it should and keeps the expectation.
func TestMerge_DAREKeepsTheMean(t *testing.T) {
	a := random(t, 1, 4, lora.DownProj)
	for i := range a.Flat {
		a.Flat[i] = 1
	}
	got := merge(t, lora.MergeConfig{Method: lora.MergeDARELinear, Density: 0.25, Seed: 3}, lora.Parent{Key: "a", Adapter: a, Weight: 4.0 / 3})
	zeros, sum := 0, 0.0
	for _, v := range got.Flat {
		if v == 0 {
			zeros++
		}
		sum += float64(v)
	}
	n := float64(len(got.Flat))
	require.InDelta(t, 0.75, float64(zeros)/n, 0.08)
	require.InDelta(t, 1, sum/n, 0.3)
}

// Of a large matrix, the truncated factors are as near as the best ones of that rank.
func TestMerge_LargeChangesAreFactoredNearTheOptimum(t *testing.T) {
	g := lora.Geometry{Layers: 1}
	for m := range lora.NumModules {
		g.Shapes[m] = lora.Shape{Out: 160, In: 200}
	}
	const full = 40
	make := func(seed uint64) *lora.Adapter {
		a, err := lora.New(g, lora.Config{Rank: full, Alpha: full, Targets: []lora.Module{lora.UpProj}}, seed)
		require.NoError(t, err)
		rng := rand.New(rand.NewPCG(seed, 2))
		for i := range a.Flat {
			a.Flat[i] = float32(rng.NormFloat64()) / 8
		}
		return a
	}
	parents := []lora.Parent{{Key: "a", Adapter: make(1), Weight: 0.5}, {Key: "b", Adapter: make(2), Weight: 0.5}}
	cfg := lora.MergeConfig{Method: lora.MergeTIESSVD, Density: 0.2, Rank: 160}
	whole := change(merge(t, cfg, parents...), 0, lora.UpProj) // all 160 values: exact
	cfg.Rank = 16
	near := merge(t, cfg, parents...)
	require.Equal(t, 16, near.MaxRank())

	// The best error is what the direct decomposition of the same matrix leaves: its 16 first values of 160.
	best := merge(t, lora.MergeConfig{Method: lora.MergeTIESSVD, Density: 0.2, Rank: 160}, parents...)
	p := best.Pair(0, lora.UpProj)
	first := lora.Pair{Rank: 16, Module: lora.UpProj, Shape: p.Shape, Scale: 1, A: p.A[:16*200]}
	for o := range 160 {
		first.B = append(first.B, p.B[o*160:o*160+16]...)
	}
	cut, err := lora.FromPairs(g, lora.Config{}, []lora.Pair{first})
	require.NoError(t, err)
	optimum := distance(change(cut, 0, lora.UpProj), whole)
	got := distance(change(near, 0, lora.UpProj), whole)
	t.Logf("relative error %.6f, the best possible %.6f", got, optimum)
	require.Greater(t, optimum, 0.1, "the rank is too small to be exact")
	require.Less(t, got, optimum*1.001)
}

func TestMerge_RefusesWhatCannotWork(t *testing.T) {
	a, b := random(t, 1, 3, lora.QProj), random(t, 2, 3, lora.QProj)
	wider := random(t, 3, 5, lora.QProj)
	other := small()
	other.Shapes[lora.OProj].Out++
	elsewhere, err := lora.New(other, lora.Config{Rank: 3, Alpha: 3, Targets: []lora.Module{lora.QProj}}, 1)
	require.NoError(t, err)
	two := []lora.Parent{{Key: "a", Adapter: a, Weight: 1}, {Key: "b", Adapter: b, Weight: 1}}
	with := func(f func(p []lora.Parent)) []lora.Parent {
		p := slices.Clone(two)
		f(p)
		return p
	}
	huge := with(func(p []lora.Parent) {
		p[0].Adapter, p[1].Adapter = random(t, 1, 600, lora.QProj), random(t, 2, 600, lora.QProj)
	})
	vast := random(t, 2, 3, lora.QProj)
	for i := range vast.Flat {
		vast.Flat[i] = 1e38
	}
	for name, tt := range map[string]struct {
		cfg     lora.MergeConfig
		parents []lora.Parent
		words   string
	}{
		"unknown method":      {lora.MergeConfig{Method: "average"}, two, `method "average" is not known`},
		"no density":          {lora.MergeConfig{Method: lora.MergeTIES}, two, "density is 0: ties keeps a part"},
		"density over 1":      {lora.MergeConfig{Method: lora.MergeTIES, Density: 1.5}, two, "density is 1.5"},
		"density NaN":         {lora.MergeConfig{Method: lora.MergeTIES, Density: math.NaN()}, two, "density is NaN"},
		"useless density":     {lora.MergeConfig{Method: lora.MergeCat, Density: 0.5}, two, "drops nothing"},
		"useless election":    {lora.MergeConfig{Method: lora.MergeCat, Frequency: true}, two, "by frequency"},
		"rank over the cap":   {lora.MergeConfig{Method: lora.MergeSVD, Rank: 1025}, two, "rank is 1025"},
		"no adapters":         {lora.MergeConfig{Method: lora.MergeCat}, nil, "there are 0 adapters"},
		"too many adapters":   {lora.MergeConfig{Method: lora.MergeCat}, make([]lora.Parent, 17), "there are 17 adapters"},
		"weight 0":            {lora.MergeConfig{Method: lora.MergeCat}, with(func(p []lora.Parent) { p[1].Weight = 0 }), "weight of b is 0"},
		"weight NaN":          {lora.MergeConfig{Method: lora.MergeCat}, with(func(p []lora.Parent) { p[0].Weight = math.NaN() }), "weight of a is NaN"},
		"weight infinite":     {lora.MergeConfig{Method: lora.MergeCat}, with(func(p []lora.Parent) { p[0].Weight = math.Inf(-1) }), "weight of a is -Inf"},
		"twice":               {lora.MergeConfig{Method: lora.MergeCat}, with(func(p []lora.Parent) { p[1].Key = "a" }), "a is named twice"},
		"other base":          {lora.MergeConfig{Method: lora.MergeCat}, with(func(p []lora.Parent) { p[1].Adapter = elsewhere }), "bases of different shapes"},
		"mixed ranks":         {lora.MergeConfig{Method: lora.MergeLinear}, with(func(p []lora.Parent) { p[1].Adapter = wider }), "use svd"},
		"mixed ranks of ties": {lora.MergeConfig{Method: lora.MergeTIES, Density: 1}, with(func(p []lora.Parent) { p[1].Adapter = wider }), "use ties_svd"},
		"another rank":        {lora.MergeConfig{Method: lora.MergeTIES, Density: 1, Rank: 2}, two, "gives these adapters rank 3"},
		"ranks that sum up":   {lora.MergeConfig{Method: lora.MergeCat}, huge, "add up to 1200"},
		"overflow":            {lora.MergeConfig{Method: lora.MergeCat}, with(func(p []lora.Parent) { p[0].Adapter, p[0].Weight = vast, 1000 }), "not finite"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := lora.Merge(t.Context(), tt.cfg, tt.parents, nil)
			require.ErrorContains(t, err, tt.words)
		})
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	_, err = lora.Merge(stopped, lora.MergeConfig{Method: lora.MergeCat}, two, nil)
	require.ErrorIs(t, err, context.Canceled)
}

// A merge that is stopped after any number of modules gives nothing; done again it gives the bits that it would have
// given at once.
func TestMerge_StoppedAnywhereIsDoneAgain(t *testing.T) {
	parents := []lora.Parent{{Key: "a", Adapter: random(t, 1, 3, lora.QProj, lora.DownProj), Weight: 0.7}, {Key: "b", Adapter: random(t, 2, 3, lora.QProj, lora.VProj), Weight: -0.4}}
	for _, m := range lora.Methods() {
		want := merge(t, every(m), parents...)
		modules := len(want.Pairs)
		require.Equal(t, 6, modules)
		for stop := range modules { // after the last one it is done
			ctx, cancel := context.WithCancelCause(t.Context())
			if stop == 0 {
				cancel(nil)
			}
			told := 0
			got, err := lora.Merge(ctx, every(m), parents, func(done, total int) {
				told = done
				require.Equal(t, modules, total)
				if done == stop {
					cancel(nil)
				}
			})
			require.ErrorIs(t, err, context.Canceled, "%s, stopped after %d", m, stop)
			require.Nil(t, got)
			require.Equal(t, stop, told, "nothing is merged after the stop")
			cancel(nil)
		}
		require.Equal(t, want.Flat, merge(t, every(m), parents...).Flat, m)
	}
}
