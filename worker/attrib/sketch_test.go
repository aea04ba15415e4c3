package attrib

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func gaussian(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

// The projection keeps cosines up to 1/sqrt(dim), and the rounding costs little.
func TestSketchKeepsCosines(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	const n, dim = 20_000, 1024
	var worst float64
	for range 50 {
		a, b := gaussian(r, n), gaussian(r, n)
		mixing := float32(r.Float64())
		for i := range b {
			b[i] = mixing*a[i] + (1-mixing)*b[i]
		}
		var ab, aa, bb float64
		for i := range a {
			ab += float64(a[i]) * float64(b[i])
			aa += float64(a[i]) * float64(a[i])
			bb += float64(b[i]) * float64(b[i])
		}
		project := func(v []float32) []int16 {
			p, q := make([]float64, dim), make([]int16, dim)
			sketch(p, 42, v)
			quantise(q, p)
			return q
		}
		got := float64(dot(project(a), project(b))) / (one * one)
		worst = max(worst, math.Abs(got-ab/math.Sqrt(aa*bb)))
	}
	require.Less(t, worst, 4/math.Sqrt(dim))
}

func TestQuantiseOfNothingIsNothing(t *testing.T) {
	q := []int16{1, 2, 3}
	quantise(q, []float64{0, 0, 0})
	require.Equal(t, []int16{0, 0, 0}, q)
	quantise(q, []float64{math.NaN(), 1, 1})
	require.Equal(t, []int16{0, 0, 0}, q)
}

func TestDotIsExactOnEveryPath(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 300 {
		n := 1 + r.IntN(200)
		a, b := make([]int16, n), make([]int16, n)
		fa, fb := make([]float64, n), make([]float64, n)
		for i := range a {
			fa[i], fb[i] = r.NormFloat64(), r.NormFloat64()
		}
		if r.IntN(4) == 0 {
			copy(fb, fa)
		}
		quantise(a, fa)
		quantise(b, fb)
		var want int64
		for i := range a {
			want += int64(a[i]) * int64(b[i])
		}
		require.Equal(t, want, dotGo(a, b))
		require.Equal(t, want, dot(a, b))
	}
}

func BenchmarkScan100k(b *testing.B) {
	const n, dim = 100_000, 1024
	v := make([]int16, n*dim)
	for i := range v {
		v[i] = int16(i*7919) >> 5
	}
	q, out := v[:dim], make([]int64, n)
	for b.Loop() {
		scan(out, q, v, 1)
	}
}

func BenchmarkSketch(b *testing.B) {
	g := gaussian(rand.New(rand.NewPCG(1, 1)), 300_000)
	out := make([]float64, 1024)
	for b.Loop() {
		sketch(out, 1, g)
	}
}
