package attrib

import (
	"context"
	"errors"
	"math"
	"sync"
)

// whitener solves with the Cholesky factor L of the damped second moment
// M = mean(p pᵀ) + damping*I of the records' projections p: the length of L⁻¹p
// is the length of p under M⁻¹, so a cosine after it is preconditioned.
type whitener struct {
	dim int
	l   []float32 // rows of the lower triangle, one after the other
}

// newWhitener factors M. damping is relative to the mean eigenvalue of the
// directions that the records span.
func newWhitener(ctx context.Context, dim int, projections [][]float64, damping float64, threads int) (*whitener, error) {
	m := make([]float64, dim*(dim+1)/2)
	row := func(i int) []float64 { return m[i*(i+1)/2 : i*(i+1)/2+i+1] }
	n := float64(len(projections))
	parallel(threads, dim, func(i int) {
		r := row(i)
		for _, p := range projections {
			x := p[i] / n
			if x == 0 {
				continue
			}
			for j := range r {
				r[j] += float64(x * p[j])
			}
		}
	})
	var trace float64
	for i := range dim {
		trace += row(i)[i]
	}
	lambda := float64(damping * trace / float64(max(1, min(dim, len(projections)))))
	if !(lambda > 0) || math.IsInf(lambda, 0) {
		return nil, errors.New("the records' gradients are zero or not finite: the adapter cannot be attributed")
	}
	for i := range dim {
		row(i)[i] += lambda
	}
	// Right-looking Cholesky: after column k every later row is updated, each
	// by itself, so the order of operations does not depend on threads.
	const block = 32
	for k0 := 0; k0 < dim; k0 += block {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		k1 := min(k0+block, dim)
		for k := k0; k < k1; k++ {
			rk := row(k)
			for j := k0; j < k; j++ {
				rj := row(j)
				rk[j] = (rk[j] - dotf(rk[k0:j], rj[k0:j])) / rj[j]
			}
			d := rk[k] - dotf(rk[k0:k], rk[k0:k])
			if !(d > 0) {
				return nil, errors.New("the second moment of the gradients is not positive: raise the damping")
			}
			rk[k] = math.Sqrt(d)
		}
		parallel(threads, dim-k1, func(i int) {
			r := row(k1 + i)
			for j := k0; j < k1; j++ {
				rj := row(j)
				r[j] = (r[j] - dotf(r[k0:j], rj[k0:j])) / rj[j]
			}
		})
		parallel(threads, dim-k1, func(i int) {
			r := row(k1 + i)
			for j := k1; j < len(r); j++ {
				r[j] -= dotf(r[k0:k1], row(j)[k0:k1])
			}
		})
	}
	w := &whitener{dim: dim, l: make([]float32, len(m))}
	for i, v := range m {
		w.l[i] = float32(v)
	}
	return w, nil
}

// apply replaces p by L⁻¹p.
func (w *whitener) apply(p []float64) {
	at := 0
	for i := range p {
		r := w.l[at : at+i+1]
		var s0, s1, s2, s3 float64
		j := 0
		for ; j+4 <= i; j += 4 {
			s0 += float64(float64(r[j]) * p[j])
			s1 += float64(float64(r[j+1]) * p[j+1])
			s2 += float64(float64(r[j+2]) * p[j+2])
			s3 += float64(float64(r[j+3]) * p[j+3])
		}
		for ; j < i; j++ {
			s0 += float64(float64(r[j]) * p[j])
		}
		p[i] = (p[i] - ((s0 + s1) + (s2 + s3))) / float64(r[i])
		at += i + 1
	}
}

func dotf(a, b []float64) float64 {
	b = b[:len(a)]
	var s0, s1 float64
	i := 0
	for ; i+2 <= len(a); i += 2 {
		s0 += float64(a[i] * b[i])
		s1 += float64(a[i+1] * b[i+1])
	}
	for ; i < len(a); i++ {
		s0 += float64(a[i] * b[i])
	}
	return s0 + s1
}

// parallel runs f(0..n-1), strided over threads.
func parallel(threads, n int, f func(int)) {
	threads = max(1, min(threads, n))
	var wg sync.WaitGroup
	for t := range threads {
		wg.Go(func() {
			for i := t; i < n; i += threads {
				f(i)
			}
		})
	}
	wg.Wait()
}
