package cpu

import (
	"math"
	"math/big"
	"testing"

	"github.com/openledger/openledger/worker/engine/nn"
)

func random(n int, seed uint64) []float32 {
	x := make([]float32, n)
	nn.NewRNG(seed).Normal(x, 1)
	return x
}

// wild mixes ordinary values with subnormals, huge and tiny ones, zeros of both signs, infinities and NaNs.
func wild(n int, seed uint64, special bool) []float32 {
	r := nn.NewRNG(seed)
	x := make([]float32, n)
	for i := range x {
		switch v := r.Uint64(); v % 8 {
		case 0:
			x[i] = math.Float32frombits(uint32(v>>32) & 0x807fffff) // subnormal
		case 1:
			x[i] = math.Float32frombits(uint32(v >> 32)) // any bits
			if !special && (x[i] != x[i] || math.IsInf(float64(x[i]), 0)) {
				x[i] = 1
			}
		case 2:
			x[i] = math.Float32frombits(uint32(v>>32) & 0x80000000) // a zero
		case 3:
			x[i] = float32(int32(v>>32)) / (1 << 26) // few bits: ties
		default:
			x[i] = float32(r.Float64()*2 - 1)
		}
	}
	return x
}

func same(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || (a != a && b != b)
}

func sameAll(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if !same(got[i], want[i]) {
			t.Fatalf("%s: element %d is %x (%v), want %x (%v)", what, i, math.Float32bits(got[i]), got[i], math.Float32bits(want[i]), want[i])
		}
	}
}

// TestFMA32_IsCorrectlyRounded compares with arbitrary precision.
func TestFMA32_IsCorrectlyRounded(t *testing.T) {
	const n = 60000
	a, b, c := wild(n, 1, false), wild(n, 2, false), wild(n, 3, false)
	r := nn.NewRNG(4)
	for i := range a {
		if i%3 == 0 { // near a tie: c is about minus or 2^24 times the product
			p := a[i] * b[i]
			c[i] = float32(math.Ldexp(float64(p), int(r.Uint64()%60)-30))
			if i%2 == 0 {
				c[i] = -p
			}
			if c[i] != c[i] || math.IsInf(float64(c[i]), 0) {
				c[i] = 1
			}
		}
		got := fma32(a[i], b[i], c[i])
		x := new(big.Float).SetPrec(600).SetFloat64(float64(a[i]))
		x.Mul(x, new(big.Float).SetPrec(600).SetFloat64(float64(b[i])))
		x.Add(x, new(big.Float).SetPrec(600).SetFloat64(float64(c[i])))
		want, _ := x.Float32()
		if x.Sign() != 0 && !same(got, want) {
			t.Fatalf("fma(%x, %x, %x) = %x, want %x", math.Float32bits(a[i]), math.Float32bits(b[i]), math.Float32bits(c[i]),
				math.Float32bits(got), math.Float32bits(want))
		}
	}
}

func levels(t *testing.T) []level {
	if detect() == levelGo {
		t.Skip("this machine has no assembly to compare with")
	}
	var out []level
	for lv := levelAVX2; lv <= detect(); lv++ {
		out = append(out, lv)
	}
	return out
}

func TestProduct_AssemblyHasTheBitsOfGo(t *testing.T) {
	for _, lv := range levels(t) {
		for m := 1; m <= 14; m++ {
			for _, n := range []int{1, 7, 8, 15, 16, 17, 33, 64, 100, 176} {
				for _, k := range []int{1, 2, 5, 33} {
					a, b, c := wild(m*k, uint64(m), true), wild(k*n, uint64(n), true), wild(m*(n+3), uint64(k), true)
					for _, acc := range []bool{false, true} {
						for _, trans := range []bool{false, true} {
							run := func(lv level, b []float32, bs, bp int) []float32 {
								out := append([]float32(nil), c...)
								g := product{m: m, n: n, k: k, a: a, rs: k, cs: 1, b: b, bs: bs, bp: bp, c: out, ldc: n + 3, acc: acc}
								if trans {
									g.rs, g.cs = 1, m
								}
								g.run(lv)
								return out
							}
							want := run(levelGo, b, n, panelCols)
							sameAll(t, "row-major", run(lv, b, n, panelCols), want)
							p := copyPanels(lv, make([]float32, packedLen(n, k)), b, k, n, n)
							sameAll(t, "panels", run(lv, p, panelCols, panelCols*k), want)
						}
					}
				}
			}
		}
	}
}

func TestHalfProduct_HasTheBitsOfFloat32(t *testing.T) {
	for lv := levelGo; lv <= detect(); lv++ {
		for m := 1; m <= 14; m++ {
			for _, n := range []int{1, 16, 17, 33, 64, 100, 176} {
				for _, k := range []int{2, 6, 34} {
					a, w, c := wild(m*k, uint64(m), true), wild(k*n, uint64(n), true), wild(m*(n+3), uint64(k), true)
					for i, v := range w {
						w[i] = math.Float32frombits(math.Float32bits(v) &^ 0xffff)
					}
					half, panels := make([]uint32, packedLen(n, k)/2), make([]float32, packedLen(n, k))
					packHalf(half, w, n, k, k)
					packT(panels, w, n, k, k)
					back, wide := make([]float32, n*k), make([]float32, panelCols*k)
					pw := weight{out: n, in: k, halves: half}
					for j := range n {
						pw.row(back[j*k:][:k], j)
					}
					sameAll(t, "unpacked", back, w)
					widenPanel(lv, wide, half, k/2)
					sameAll(t, "widened", wide, panels[:panelCols*k])
					for _, acc := range []bool{false, true} {
						got, want := append([]float32(nil), c...), append([]float32(nil), c...)
						h := halfProduct{m: m, n: n, k: k, a: a, rs: k, b: half, bp: panelCols * k / 2, c: got, ldc: n + 3, acc: acc}
						h.run(lv, new(scratch))
						g := product{m: m, n: n, k: k, a: a, rs: k, cs: 1, b: panels, bs: panelCols, bp: panelCols * k, c: want, ldc: n + 3, acc: acc}
						g.run(levelGo)
						sameAll(t, "product", got, want)
					}
				}
			}
		}
	}
}

func TestRows_AssemblyHasTheBitsOfGo(t *testing.T) {
	for _, lv := range levels(t) {
		for _, n := range []int{1, 7, 8, 9, 16, 250, 1024} {
			x, y, z := wild(n, 1, true), wild(n, 2, true), wild(n, 3, true)
			pair := func(what string, f func(lv level, out []float32)) {
				got, want := append([]float32(nil), z...), append([]float32(nil), z...)
				f(lv, got)
				f(levelGo, want)
				sameAll(t, what, got, want)
			}
			pair("sum", func(lv level, out []float32) { out[0] = sum8(lv, x) })
			pair("dot", func(lv level, out []float32) { out[0] = dot8(lv, x, y) })
			pair("max", func(lv level, out []float32) { out[0] = max8(lv, x) })
			pair("exp", func(lv level, out []float32) { expRow(lv, out, x, 3, 0.5) })
			pair("exp, wide", func(lv level, out []float32) { expRow(lv, out, x, 50, -1) })
			pair("swiglu", func(lv level, out []float32) { swigluRow(lv, out, x, y) })
			pair("swiglu, wide", func(lv level, out []float32) {
				g := append([]float32(nil), x...)
				for i := range g {
					g[i] *= 100
				}
				swigluRow(lv, out, g, y)
			})
			pair("swiglu gradient", func(lv level, out []float32) { swigluGradRow(lv, out, make([]float32, n), x, y, z) })
			pair("swiglu gradient by up", func(lv level, out []float32) { swigluGradRow(lv, make([]float32, n), out, x, y, z) })
			pair("add", func(lv level, out []float32) { addRow(lv, out, x) })
			pair("mul", func(lv level, out []float32) { mulScaledRow(lv, out, x, y, 1.7) })
		}
	}
}

func TestExp32_IsAccurate(t *testing.T) {
	worst := 0.0
	for i := range 200000 {
		x := float32(-87 + 174*float64(i)/200000)
		got, want := float64(exp32(x)), math.Exp(float64(x))
		worst = math.Max(worst, math.Abs(got-want)/want)
	}
	if worst > 2.5e-7 {
		t.Errorf("the largest relative error is %g", worst)
	}
	for _, c := range []struct{ x, want float32 }{{0, 1}, {float32(math.Inf(-1)), 0}, {-1000, 0}} {
		if got := exp32(c.x); got != c.want {
			t.Errorf("exp(%v) = %v, want %v", c.x, got, c.want)
		}
	}
	if got := exp32(float32(math.NaN())); got == got {
		t.Errorf("exp(NaN) = %v", got)
	}
}
