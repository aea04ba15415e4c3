package tensortest

import (
	"fmt"
	"math"

	"github.com/openledger/openledger/worker/engine/tensor"
)

func layerCases() []testCase {
	const rows, cols = 11, 50
	x, y, z := Random(rows*cols, 1), Random(rows*cols, 2), Random(rows*cols, 3)
	r := Random(cols, 4)
	idx := []int32{3, 0, 3, 10, 7, 3, 1, 1, 10, 2, 5}
	each := func(f func(i, j int) float64) func() []float64 {
		return func() []float64 {
			out := make([]float64, rows*cols)
			for i := range out {
				out[i] = f(i/cols, i%cols)
			}
			return out
		}
	}
	at := func(m []float32, i, j int) float64 { return float64(m[i*cols+j]) }
	// on runs an operation on the matrices x, y and z and returns the first.
	on := func(f func(b tensor.Backend, x, y, z tensor.Mat)) func(h *Host) []float32 {
		return func(h *Host) []float32 {
			m := h.Mat(rows, cols, x)
			f(h.b, m, h.Mat(rows, cols, y), h.Mat(rows, cols, z))
			return h.Values(m)
		}
	}
	silu := func(g float64) float64 { return g / (1 + math.Exp(-g)) }
	cs := []testCase{
		{"Add", on(func(b tensor.Backend, x, y, _ tensor.Mat) { b.Add(x, y) }), each(func(i, j int) float64 { return at(x, i, j) + at(y, i, j) })},
		{"Zero", on(func(b tensor.Backend, x, _, _ tensor.Mat) { b.Zero(x) }), each(func(int, int) float64 { return 0 })},
		{"Scale", on(func(b tensor.Backend, x, _, _ tensor.Mat) { b.Scale(x, -1.5) }), each(func(i, j int) float64 { return -1.5 * at(x, i, j) })},
		{"Gather", on(func(b tensor.Backend, x, y, _ tensor.Mat) { b.Gather(x, y, idx) }), each(func(i, j int) float64 { return at(y, int(idx[i]), j) })},
		{"ScatterAdd", on(func(b tensor.Backend, x, y, _ tensor.Mat) { b.ScatterAdd(x, y, idx) }), each(func(i, j int) float64 {
			s := at(x, i, j)
			for k, to := range idx {
				if int(to) == i {
					s += at(y, k, j)
				}
			}
			return s
		})},
		{"SwiGLU", on(func(b tensor.Backend, x, y, z tensor.Mat) { b.SwiGLU(x, y, z) }), each(func(i, j int) float64 { return silu(at(y, i, j)) * at(z, i, j) })},
		{"AddRow", func(h *Host) []float32 {
			m := h.Mat(rows, cols, x)
			h.b.AddRow(m, h.Mat(1, cols, r))
			return h.Values(m)
		}, each(func(i, j int) float64 { return at(x, i, j) + float64(r[j]) })},
		{"SumRows", func(h *Host) []float32 {
			m := h.Mat(1, cols, r)
			h.b.SumRows(m, h.Mat(rows, cols, x))
			return h.Values(m)
		}, func() []float64 {
			out := make([]float64, cols)
			for j := range out {
				out[j] = float64(r[j])
				for i := range rows {
					out[j] += at(x, i, j)
				}
			}
			return out
		}},
		{"SwiGLUGrad", func(h *Host) []float32 {
			dg, du := h.Mat(rows, cols, make([]float32, rows*cols)), h.Mat(rows, cols, make([]float32, rows*cols))
			h.b.SwiGLUGrad(dg, du, h.Mat(rows, cols, x), h.Mat(rows, cols, y), h.Mat(rows, cols, z))
			return append(h.Values(dg), h.Values(du)...)
		}, func() []float64 {
			var dg, du []float64
			for i := range x {
				d, g, u := float64(x[i]), float64(y[i]), float64(z[i])
				s := 1 / (1 + math.Exp(-g))
				dg = append(dg, d*u*s*(1+g*(1-s)))
				du = append(du, d*g*s)
			}
			return append(dg, du...)
		}},
		normCase(), normGradCase(), ropeCase(false), ropeCase(true), lossCase(false), lossCase(true),
	}
	return append(cs, attentionCases()...)
}

const normRows, normCols, normEps = 7, 45, 1e-3

func normRef(x, w []float64) (y []float64) {
	for i := range normRows {
		sq := 0.0
		for j := range normCols {
			sq += x[i*normCols+j] * x[i*normCols+j]
		}
		inv := 1 / math.Sqrt(sq/normCols+normEps)
		for j := range normCols {
			y = append(y, x[i*normCols+j]*inv*w[j])
		}
	}
	return y
}

func wide(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

func normCase() testCase {
	x, w := Random(normRows*normCols, 1), Random(normCols, 2)
	return testCase{"RMSNorm", func(h *Host) []float32 {
		y := h.Mat(normRows, normCols, make([]float32, len(x)))
		h.b.RMSNorm(y, h.Mat(normRows, normCols, x), h.Mat(1, normCols, w), h.Mat(normRows, 1, make([]float32, normRows)), normEps)
		return h.Values(y)
	}, func() []float64 { return normRef(wide(x), wide(w)) }}
}

// normGradCase compares with differences of the float64 reference.
func normGradCase() testCase {
	x, w, dy := Random(normRows*normCols, 1), Random(normCols, 2), Random(normRows*normCols, 3)
	return testCase{"RMSNormGrad", func(h *Host) []float32 {
		xm, wm, inv := h.Mat(normRows, normCols, x), h.Mat(1, normCols, w), h.Mat(normRows, 1, make([]float32, normRows))
		dx, dw := h.Mat(normRows, normCols, make([]float32, len(x))), h.Mat(1, normCols, make([]float32, normCols))
		h.b.RMSNorm(h.Mat(normRows, normCols, make([]float32, len(x))), xm, wm, inv, normEps)
		h.b.RMSNormGrad(dx, dw, h.Mat(normRows, normCols, dy), xm, wm, inv)
		return append(h.Values(dx), h.Values(dw)...)
	}, func() []float64 {
		x, w := wide(x), wide(w)
		return append(differences(x, dy, func() []float64 { return normRef(x, w) }), differences(w, dy, func() []float64 { return normRef(x, w) })...)
	}}
}

// differences is the gradient by x of the product of dy and f.
func differences(x []float64, dy []float32, f func() []float64) []float64 {
	out := make([]float64, len(x))
	value := func() float64 {
		s := 0.0
		for i, v := range f() {
			s += v * float64(dy[i])
		}
		return s
	}
	const eps = 1e-5
	for i := range x {
		old := x[i]
		x[i] = old + eps
		hi := value()
		x[i] = old - eps
		lo := value()
		x[i] = old
		out[i] = (hi - lo) / (2 * eps)
	}
	return out
}

func ropeCase(inverse bool) testCase {
	const rows, heads, dim, positions = 5, 3, 6, 9
	x := Random(rows*heads*dim, 1)
	cos, sin := make([]float32, positions*dim/2), make([]float32, positions*dim/2)
	for i := range cos {
		s, c := math.Sincos(float64(i) * 0.7)
		cos[i], sin[i] = float32(c), float32(s)
	}
	pos := []int32{8, 0, 3, 3, 5}
	return testCase{fmt.Sprintf("Rope/%v", inverse), func(h *Host) []float32 {
		m := h.Mat(rows, heads*dim, x)
		h.b.Rope(m, tensor.RopeTable{Cos: h.Mat(positions, dim/2, cos), Sin: h.Mat(positions, dim/2, sin), HeadDim: dim}, pos, inverse)
		return h.Values(m)
	}, func() []float64 {
		out := wide(x)
		for i := range rows {
			for j := range heads * dim / 2 {
				hd, k := j/(dim/2), j%(dim/2)
				lo := (i*heads+hd)*dim + k
				c, s := float64(cos[int(pos[i])*dim/2+k]), float64(sin[int(pos[i])*dim/2+k])
				if inverse {
					s = -s
				}
				a, b := out[lo], out[lo+dim/2]
				out[lo], out[lo+dim/2] = a*c-b*s, b*c+a*s
			}
		}
		return out
	}}
}

func lossCase(grad bool) testCase {
	const rows, cols = 4, 60
	x := Random(rows*cols, 1)
	x[7] += 60
	targets := []int32{7, 0, 59, 30}
	return testCase{fmt.Sprintf("CrossEntropy/%v", grad), func(h *Host) []float32 {
		m, losses := h.Mat(rows, cols, x), make([]float64, rows)
		h.b.CrossEntropy(losses, m, targets, grad, 0.5)
		out := h.Values(m)
		for _, l := range losses {
			out = append(out, float32(l))
		}
		return out
	}, func() []float64 {
		out, losses := wide(x), []float64(nil)
		for i := range rows {
			row := out[i*cols : (i+1)*cols]
			sum := 0.0
			for _, v := range row {
				sum += math.Exp(v)
			}
			t := int(targets[i])
			losses = append(losses, math.Log(sum)-row[t])
			if grad {
				for j, v := range row {
					row[j] = 0.5 * math.Exp(v) / sum
				}
				row[t] -= 0.5
			}
		}
		return append(out, losses...)
	}}
}
