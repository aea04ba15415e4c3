package lora

import (
	"context"
	"math"
	"runtime"
	"sync"

	"github.com/openledger/openledger/worker/engine/nn"
)

// Singular values in float64, written out here because a merge must give the same bits on every machine: libraries sum
// in an order that depends on the processor. Every product is rounded before it is added (the conversions keep the
// compiler from fusing), and what runs in parallel is split by results, never by summands.

// matrix is dense and row-major.
type matrix struct {
	rows, cols int
	v          []float64
}

func newMatrix(rows, cols int) matrix { return matrix{rows, cols, make([]float64, rows*cols)} }

func (m matrix) row(i int) []float64 { return m.v[i*m.cols : (i+1)*m.cols] }

func (m matrix) transposed() matrix {
	t := newMatrix(m.cols, m.rows)
	for i := range m.rows {
		for j, x := range m.row(i) {
			t.v[j*m.rows+i] = x
		}
	}
	return t
}

// split runs f over [0, n) in ranges, one a processor.
func split(n int, f func(lo, hi int)) {
	threads := max(1, min(runtime.GOMAXPROCS(0), n))
	var wg sync.WaitGroup
	for t := range threads {
		wg.Go(func() { f(t*n/threads, (t+1)*n/threads) })
	}
	wg.Wait()
}

// times is m·b, [m.rows, b.cols].
func (m matrix) times(b matrix) matrix {
	out := newMatrix(m.rows, b.cols)
	split(m.rows, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			dst := out.row(i)
			for k, x := range m.row(i) {
				if x != 0 {
					axpy(dst, x, b.row(k))
				}
			}
		}
	})
	return out
}

// transTimes is mᵀ·b, [m.cols, b.cols].
func (m matrix) transTimes(b matrix) matrix {
	out := newMatrix(m.cols, b.cols)
	split(m.cols, func(lo, hi int) {
		for k := range m.rows {
			src := b.row(k)
			for i := lo; i < hi; i++ {
				if x := m.v[k*m.cols+i]; x != 0 {
					axpy(out.row(i), x, src)
				}
			}
		}
	})
	return out
}

func axpy(dst []float64, a float64, x []float64) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] += float64(a * x[i])
	}
}

func dot(x, y []float64) float64 {
	y = y[:len(x)]
	var s float64
	for i := range x {
		s += float64(x[i] * y[i])
	}
	return s
}

// delta is the change itself, Scale·B·A, [out, in].
func (p *Pair) delta() []float32 {
	out := make([]float32, p.Shape.Out*p.Shape.In)
	split(p.Shape.Out, func(lo, hi int) {
		sum := make([]float64, p.Shape.In)
		for o := lo; o < hi; o++ {
			clear(sum)
			for r := range p.Rank {
				b := float64(p.B[o*p.Rank+r])
				for i, a := range p.A[r*p.Shape.In : (r+1)*p.Shape.In] {
					sum[i] += float64(b * float64(a))
				}
			}
			for i, v := range sum {
				out[o*p.Shape.In+i] = float32(v * float64(p.Scale))
			}
		}
	})
	return out
}

// lowRank factors the weighted sum of the changes without ever forming it: the factors beside each other are B·A,
// B = Qb·Rb, Aᵀ = Qa·Ra, and the singular values are those of the small Rb·Raᵀ.
func (g *contributions) lowRank(rank int) Pair {
	cat := g.cat()
	bt, a := newMatrix(cat.Rank, g.shape.Out), newMatrix(cat.Rank, g.shape.In)
	for o := range g.shape.Out {
		for r := range cat.Rank {
			bt.v[r*g.shape.Out+o] = float64(float64(cat.B[o*cat.Rank+r]) * float64(cat.Scale))
		}
	}
	for i, v := range cat.A {
		a.v[i] = float64(v)
	}
	rb, ra := orthonormalise(bt), orthonormalise(a) // rows of bt are now the columns of Qb
	u, s, v := jacobi(rb.transposed().times(ra))    // Rb is rbᵀ: bt = rb·Qbᵀ
	return g.fromSVD(rank, u.times(bt), s, v.times(a))
}

// fromSVD makes a pair of the largest singular values: A = Vᵀ, B = U·S, as PEFT does. Rows of u and v are singular
// vectors.
func (g *contributions) fromSVD(rank int, u matrix, s []float64, v matrix) Pair {
	out := g.pair(rank, make([]float32, rank*g.shape.In), make([]float32, rank*g.shape.Out))
	for r := range min(rank, len(s)) {
		for i, x := range v.row(r) {
			out.A[r*g.shape.In+i] = float32(x)
		}
		for o, x := range u.row(r) {
			out.B[o*rank+r] = float32(x * s[r])
		}
	}
	return out
}

// orthonormalise makes the rows of m orthonormal, in place, and gives the lower triangle l with m before = l·m after.
// Rows that depend on those above become zero. (Gram and Schmidt, twice: the second pass removes what rounding left.)
func orthonormalise(m matrix) (l matrix) {
	l = newMatrix(m.rows, m.rows)
	for i := range m.rows {
		x := m.row(i)
		before := math.Sqrt(dot(x, x))
		for range 2 {
			for j := range i {
				c := dot(x, m.row(j))
				l.v[i*m.rows+j] += c
				axpy(x, -c, m.row(j))
			}
		}
		norm := math.Sqrt(dot(x, x))
		if norm <= 1e-12*before || norm == 0 {
			clear(x)
			continue
		}
		l.v[i*m.rows+i] = norm
		for k := range x {
			x[k] /= norm
		}
	}
	return l
}

// jacobi is the singular value decomposition of a small matrix: m = Σ s[k]·u[k]ᵀ·v[k] with rows of u and v, values
// descending, the largest entry of each v[k] positive. (One-sided, Hestenes 1958.) There are m.rows values.
func jacobi(m matrix) (u matrix, s []float64, v matrix) {
	n := m.rows
	w := matrix{n, m.cols, append([]float64(nil), m.v...)} // rows become s[k]·v[k]
	u = newMatrix(n, n)                                    // m = uᵀ·w
	for i := range n {
		u.v[i*n+i] = 1
	}
	for range 60 {
		rotated := false
		for p := range n {
			for q := p + 1; q < n; q++ {
				rotated = rotate(w, u, p, q) || rotated
			}
		}
		if !rotated {
			break
		}
	}
	s = make([]float64, n)
	order := make([]int, n)
	for i := range n {
		order[i], s[i] = i, math.Sqrt(dot(w.row(i), w.row(i)))
	}
	return sorted(u, s, w, order)
}

// rotate makes rows p and q of w orthogonal; it says whether they were not.
func rotate(w, u matrix, p, q int) bool {
	x, y := w.row(p), w.row(q)
	a, b, c := dot(x, x), dot(y, y), dot(x, y)
	if c == 0 || math.Abs(c) <= 1e-15*math.Sqrt(float64(a*b)) {
		return false
	}
	zeta := (b - a) / (2 * c)
	t := math.Copysign(1, zeta) / (math.Abs(zeta) + math.Sqrt(1+float64(zeta*zeta)))
	cos := 1 / math.Sqrt(1+float64(t*t))
	sin := cos * t
	for _, m := range []matrix{w, u} {
		x, y := m.row(p), m.row(q)
		for i := range x {
			x[i], y[i] = float64(cos*x[i])-float64(sin*y[i]), float64(sin*x[i])+float64(cos*y[i])
		}
	}
	return true
}

// sorted puts singular triplets in order and gives v unit length.
func sorted(u matrix, s []float64, w matrix, order []int) (matrix, []float64, matrix) {
	for i := 1; i < len(order); i++ { // few, and stable
		for j := i; j > 0 && s[order[j]] > s[order[j-1]]; j-- {
			order[j], order[j-1] = order[j-1], order[j]
		}
	}
	su, ss, sv := newMatrix(u.rows, u.cols), make([]float64, len(s)), newMatrix(w.rows, w.cols)
	for k, i := range order {
		ss[k] = s[i]
		f, largest := 0.0, 0.0
		for _, x := range w.row(i) {
			if math.Abs(x) > math.Abs(largest) {
				largest = x
			}
		}
		if s[i] > 0 {
			f = math.Copysign(1/s[i], largest)
		}
		axpy(sv.row(k), f, w.row(i))
		axpy(su.row(k), math.Copysign(1, f), u.row(i))
	}
	return su, ss, sv
}

// How the largest singular values of a large matrix are found.
const (
	directSize  = 96   // up to this many rows or columns, all of them are
	oversample  = 12   // directions beyond the rank
	maxSweeps   = 24   // of the subspace iteration
	settled     = 1e-7 // relative change of the captured energy that ends it
	sketchStart = 0x6c6f7261
)

// truncatedSVD gives the rank largest singular triplets of m [rows, cols] as rows of u and v. Large matrices go through
// subspace iteration from fixed random directions (Halko, Martinsson and Tropp 2011) until the energy that the triplets
// capture has settled.
func truncatedSVD(ctx context.Context, m []float32, rows, cols, rank int) (u matrix, s []float64, v matrix, err error) {
	x := newMatrix(rows, cols)
	for i, f := range m {
		x.v[i] = float64(f)
	}
	if rows > cols { // then work on the transposed, which has fewer rows
		v, s, u, err = wideSVD(ctx, x.transposed(), rank)
		return u, s, v, err
	}
	return wideSVD(ctx, x, rank)
}

// wideSVD is truncatedSVD of a matrix with no more rows than columns.
func wideSVD(ctx context.Context, x matrix, rank int) (u matrix, s []float64, v matrix, err error) {
	l := min(x.rows, rank+max(oversample, rank/4))
	if x.rows <= directSize || l == x.rows {
		u, s, v = jacobi(x)
		return u, s, v, ctx.Err()
	}
	start := make([]float32, l*x.rows)
	nn.NewRNG(sketchStart).Normal(start, 1)
	y := newMatrix(l, x.rows) // rows span the wanted left vectors
	for i, f := range start {
		y.v[i] = float64(f)
	}
	orthonormalise(y)
	var energy float64
	for range maxSweeps {
		if err := ctx.Err(); err != nil {
			return u, s, v, err
		}
		z := x.transTimes(y.transposed()).transposed() // y·x: [l, cols]
		r := orthonormalise(z)                         // y·x = r·z
		var small matrix
		u, s, small = jacobi(r)
		u, v = u.times(y), small.times(z)
		var now float64
		for _, k := range s[:min(rank, len(s))] {
			now += float64(k * k)
		}
		if now-energy <= settled*now {
			break
		}
		energy = now
		y = x.times(z.transposed()).transposed() // z·xᵀ: [l, rows]
		orthonormalise(y)
	}
	return u, s, v, nil
}
