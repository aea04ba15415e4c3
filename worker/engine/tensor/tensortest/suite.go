// Package tensortest is the suite that every tensor.Backend must pass.
//
// It holds each operation against a plain float64 computation within a tolerance, checks what a numeric profile promises
// (a row's bits do not depend on the other rows), and, for two backends of one profile, that all results have the same
// bits. What it does not do: speed, and values beyond the ordinary (infinities, subnormals), which a backend tests itself.
package tensortest

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/openledger/openledger/worker/engine/nn"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// Options of a run.
type Options struct {
	// Backend under test.
	Backend tensor.Backend
	// Same is a backend whose bits must be equal, or nil. It must have the same profile.
	Same tensor.Backend
	// Tolerance is relative to the size of the terms; 0 means 1e-4.
	Tolerance float64
}

// Run is the suite.
func Run(t *testing.T, o Options) {
	if o.Tolerance == 0 {
		o.Tolerance = 1e-4
	}
	if o.Same != nil && o.Same.Profile() != o.Backend.Profile() {
		t.Fatalf("profiles %q and %q promise no equal bits", o.Same.Profile(), o.Backend.Profile())
	}
	for _, c := range slices.Concat(productCases(), encodedCases(t), layerCases()) {
		t.Run(c.name, func(t *testing.T) {
			h := &Host{t: t, b: o.Backend}
			got := c.run(h)
			if err := o.Backend.Sync(); err != nil {
				t.Fatal(err)
			}
			if c.want != nil {
				near(t, got, c.want(), o.Tolerance)
			}
			if again := c.run(h); !equal(got, again) {
				t.Error("a second run gave other bits")
			}
			if o.Same != nil && !equal(got, c.run(&Host{t: t, b: o.Same})) {
				t.Errorf("%s and %s, both of profile %s, gave different bits", o.Backend.Name(), o.Same.Name(), o.Same.Profile())
			}
		})
	}
	t.Run("rows are independent", func(t *testing.T) { rowsIndependent(t, o.Backend) })
	t.Run("encoded weights", func(t *testing.T) { encodedRows(t, o.Backend) })
	t.Run("pack and unpack", func(t *testing.T) { packUnpack(t, o.Backend) })
}

type testCase struct {
	name string
	run  func(h *Host) []float32
	want func() []float64
}

// Host moves values to and from a backend.
type Host struct {
	t testing.TB
	b tensor.Backend
}

// Mat uploads a dense matrix.
func (h *Host) Mat(rows, cols int, data []float32) tensor.Mat {
	h.t.Helper()
	m, err := nn.Upload(h.b, rows, cols, data)
	if err != nil {
		h.t.Fatal(err)
	}
	return m
}

// Values downloads a matrix's whole buffer.
func (h *Host) Values(m tensor.Mat) []float32 {
	out := make([]float32, m.Buf.Len())
	h.b.Download(out, m.Buf, 0)
	return out
}

// Random values around zero.
func Random(n int, seed uint64) []float32 {
	x := make([]float32, n)
	nn.NewRNG(seed).Normal(x, 1)
	return x
}

func equal(a, b []float32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return true
}

func near(t *testing.T, got []float32, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	bad := 0
	for i := range got {
		if d := math.Abs(float64(got[i]) - want[i]); !(d <= tol*(1+math.Abs(want[i]))) && bad < 5 {
			t.Errorf("value %d is %v, want %v", i, got[i], want[i])
			bad++
		}
	}
}

func rowsIndependent(t *testing.T, b tensor.Backend) {
	h := &Host{t: t, b: b}
	const n, k, rows = 70, 90, 37
	w, err := b.Pack(n, k, Random(n*k, 1))
	if err != nil {
		t.Fatal(err)
	}
	x := Random(rows*k, 2)
	y := h.Mat(rows, n, make([]float32, rows*n))
	b.Linear(y, h.Mat(rows, k, x), w, false)
	all := h.Values(y)
	for r := range rows {
		one := h.Mat(1, n, make([]float32, n))
		b.Linear(one, h.Mat(1, k, x[r*k:(r+1)*k]), w, false)
		if !equal(h.Values(one), all[r*n:(r+1)*n]) {
			t.Fatalf("row %d alone has other bits", r)
		}
	}
}

func packUnpack(t *testing.T, b tensor.Backend) {
	h := &Host{t: t, b: b}
	for i, s := range [][2]int{{1, 1}, {16, 3}, {17, 5}, {100, 33}, {16, 4}, {33, 6}, {5, 2}} {
		data, other := Random(s[0]*s[1], 1), Random(s[0]*s[1], 2)
		if i > 2 {
			Half(data)
		}
		w, err := b.Pack(s[0], s[1], data)
		if err != nil {
			t.Fatal(err)
		}
		m := h.Mat(s[0], s[1], make([]float32, s[0]*s[1]))
		b.Unpack(m, w)
		if !equal(h.Values(m), data) {
			t.Fatalf("%v: unpacked values differ", s)
		}
		b.Repack(w, h.Mat(s[0], s[1], other))
		b.Unpack(m, w)
		if !equal(h.Values(m), other) {
			t.Fatalf("%v: repacked values differ", s)
		}
	}
	if _, err := b.Pack(2, 3, make([]float32, 5)); err == nil {
		t.Fatal("five values were packed as a 2 x 3 weight")
	}
	if _, err := b.Alloc(-1); err == nil {
		t.Fatal("a negative buffer was allocated")
	}
}

// Half rounds values towards zero to bfloat16, which a backend may keep in two bytes.
func Half(x []float32) []float32 {
	for i, v := range x {
		x[i] = math.Float32frombits(math.Float32bits(v) &^ 0xffff)
	}
	return x
}

// matmul is the reference product op(a)·b + c.
func matmul(c, a, b []float32, m, n, k int, transA, transB bool) []float64 {
	out := make([]float64, m*n)
	for i := range m {
		for j := range n {
			s := 0.0
			if c != nil {
				s = float64(c[i*n+j])
			}
			for kk := range k {
				av, bv := i*k+kk, kk*n+j
				if transA {
					av = kk*m + i
				}
				if transB {
					bv = j*k + kk
				}
				s += float64(a[av]) * float64(b[bv])
			}
			out[i*n+j] = s
		}
	}
	return out
}

func productCases() (cs []testCase) {
	for _, s := range [][3]int{{1, 1, 1}, {1, 64, 40}, {5, 33, 17}, {13, 48, 700}, {40, 20, 1100}, {200, 150, 30}} {
		m, n, k := s[0], s[1], s[2]
		x, w, c := Random(m*k, 1), Random(n*k, 2), Random(m*n, 3)
		for _, acc := range []bool{false, true} {
			from := c
			if !acc {
				from = nil
			}
			cs = append(cs, testCase{
				name: fmt.Sprintf("Linear/%dx%dx%d/%v", m, n, k, acc),
				run: func(h *Host) []float32 {
					pw, err := h.b.Pack(n, k, w)
					if err != nil {
						h.t.Fatal(err)
					}
					y := h.Mat(m, n, c)
					h.b.Linear(y, h.Mat(m, k, x), pw, acc)
					return h.Values(y)
				},
				want: func() []float64 { return matmul(from, x, w, m, n, k, false, true) },
			})
			for _, trans := range []bool{false, true} {
				cs = append(cs, testCase{
					name: fmt.Sprintf("MatMul/%dx%dx%d/%v/%v", m, n, k, acc, trans),
					run: func(h *Host) []float32 {
						a := h.Mat(m, k, x)
						if trans {
							a = a.Reshape(k, m)
						}
						y := h.Mat(m, n, c)
						h.b.MatMul(y, a, h.Mat(k, n, w), trans, acc)
						return h.Values(y)
					},
					want: func() []float64 { return matmul(from, x, w, m, n, k, trans, false) },
				})
			}
		}
	}
	for _, m := range []int{1, 3, 13, 40, 130} {
		for _, s := range [][2]int{{16, 34}, {169, 90}, {1, 2}, {40, 33}, {400, 16}, {17, 300}} {
			n, k := s[0], s[1]
			for _, half := range []bool{false, true} {
				y, w, c := Random(m*n, 1), Random(n*k, 2), Random(m*k, 3)
				if half {
					w = Half(w)
				}
				cs = append(cs, testCase{
					name: fmt.Sprintf("LinearGrad/%dx%dx%d/%v", m, n, k, half),
					run: func(h *Host) []float32 {
						pw, err := h.b.Pack(n, k, w)
						if err != nil {
							h.t.Fatal(err)
						}
						x := h.Mat(m, k, c)
						h.b.LinearGrad(x, h.Mat(m, n, y), pw, true)
						out := h.Values(x)
						h.b.LinearGrad(x, h.Mat(m, n, y), pw, false)
						return append(out, h.Values(x)...)
					},
					want: func() []float64 {
						return append(matmul(c, y, w, m, k, n, false, false), matmul(nil, y, w, m, k, n, false, false)...)
					},
				})
			}
		}
	}
	for _, m := range []int{1, 2, 3, 5, 7, 13, 24, 40} {
		for _, s := range [][2]int{{16, 34}, {169, 90}, {1, 2}, {40, 33}} {
			n, k := s[0], s[1]
			x, w, c := Random(m*k, 1), Half(Random(n*k, 2)), Random(m*n, 3)
			cs = append(cs, testCase{
				name: fmt.Sprintf("Linear/bfloat16/%dx%dx%d", m, n, k),
				run: func(h *Host) []float32 {
					pw, err := h.b.Pack(n, k, w)
					if err != nil {
						h.t.Fatal(err)
					}
					y := h.Mat(m, n, c)
					h.b.Linear(y, h.Mat(m, k, x), pw, true)
					out := h.Values(y)
					h.b.Linear(y, h.Mat(m, k, x), pw, false)
					return append(out, h.Values(y)...)
				},
				want: func() []float64 {
					return append(matmul(c, x, w, m, n, k, false, true), matmul(nil, x, w, m, n, k, false, true)...)
				},
			})
		}
	}
	return append(cs, loraCases()...)
}
