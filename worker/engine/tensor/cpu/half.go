package cpu

import (
	"math"

	"github.com/openledger/openledger/worker/engine/quant"
)

// A weight whose values are all bfloat16 is kept in two bytes a value: half the memory, and half the traffic of a decode
// step. Widening a bfloat16 to float32 is exact, so the bits of a product are the same.
//
// A panel of 16 columns has a 32-bit word for each column and pair of k: k in the low half, k+1 in the high half.

// isHalf says whether the values can be kept so.
func isHalf(rows, k, ld int, data []float32) bool {
	if k%2 != 0 {
		return false
	}
	for i := range rows {
		for _, v := range data[i*ld:][:k] {
			if math.Float32bits(v)&0xffff != 0 {
				return false
			}
		}
	}
	return true
}

// packHalf is packT for bfloat16.
func packHalf(dst []uint32, src []float32, n, k, ld int) {
	for p := 0; p*panelCols < n; p++ {
		d := dst[p*panelCols*k/2:][:panelCols*k/2]
		w := min(panelCols, n-p*panelCols)
		if w < panelCols {
			clear(d)
		}
		for j := range w {
			row := src[(p*panelCols+j)*ld:][:k]
			for q := 0; q < k; q += 2 {
				d[q/2*panelCols+j] = math.Float32bits(row[q])>>16 | math.Float32bits(row[q+1])
			}
		}
	}
}

// widenPanel expands pairs of a panel to float32, k-major.
func widenPanel(lv level, dst []float32, src []uint32, pairs int) {
	if lv != levelGo {
		_, _ = dst[pairs*2*panelCols-1], src[pairs*panelCols-1]
		widenPairs(&dst[0], &src[0], pairs)
		return
	}
	for q := range pairs {
		for j, w := range src[q*panelCols:][:panelCols] {
			dst[2*q*panelCols+j] = math.Float32frombits(w << 16)
			dst[(2*q+1)*panelCols+j] = math.Float32frombits(w & 0xffff0000)
		}
	}
}

// widenF16Panel expands values of a panel of float16 to float32.
func widenF16Panel(lv level, dst []float32, src []uint16) {
	if lv != levelGo && len(src) > 0 {
		_ = dst[len(src)-1]
		widenF16(&dst[0], &src[0], len(src))
		return
	}
	for i, h := range src {
		dst[i] = quant.FromF16(h)
	}
}

// halfProduct is a product with packed panels of bfloat16 (b, k even) or float16 (h), whichever is there: panel p begins
// at p*bp, rows of a are dense.
type halfProduct struct {
	m, n, k int
	a       []float32
	rs      int
	b       []uint32
	h       []uint16
	bp      int
	c       []float32
	ldc     int
	acc     bool
}

// run is for few rows; with many it pays to widen the panels first.
func (g *halfProduct) run(lv level, s *scratch) {
	full := g.n / panelCols
	group := panelGroup(lv, g.m)
	for p := 0; p < full; {
		n := group
		for n > full-p {
			n = smallerGroup(lv, n)
		}
		g.panels(lv, p, n)
		p += n
	}
	rest := g.n % panelCols
	if rest == 0 {
		return
	}
	// The last panel is computed in full, beside the matrix.
	last := *g
	last.n, last.ldc = panelCols, panelCols
	if g.h != nil {
		last.h = g.h[full*g.bp:]
	} else {
		last.b = g.b[full*g.bp:]
	}
	tmp := s.get(0, 6*panelCols)
	for i := 0; i < g.m; i += 6 {
		last.m, last.a, last.c = min(6, g.m-i), g.a[i*g.rs:], tmp
		for j := range last.m {
			copy(tmp[j*panelCols:][:rest], g.c[(i+j)*g.ldc+full*panelCols:])
		}
		last.panels(lv, 0, 1)
		for j := range last.m {
			copy(g.c[(i+j)*g.ldc+full*panelCols:], tmp[j*panelCols:][:rest])
		}
	}
}

func (g *halfProduct) panels(lv level, p, n int) {
	for i := 0; i < g.m; {
		r := rowGroup(g.m - i)
		a, c := g.a[i*g.rs:], g.c[i*g.ldc+p*panelCols:]
		if g.h != nil {
			microF16(lv, r, n, g.k, a, g.rs, g.h[p*g.bp:], g.bp, c, g.ldc, g.acc)
		} else {
			microHalf(lv, r, n, g.k/2, a, g.rs, g.b[p*g.bp:], g.bp, c, g.ldc, g.acc)
		}
		i += r
	}
}

// microHalfGo is the portable kernel.
func microHalfGo(rows, panels, pairs int, a []float32, rs int, b []uint32, bp int, c []float32, ldc int, acc bool) {
	for p := range panels {
		for i := range rows {
			out := c[i*ldc+p*panelCols:][:panelCols]
			if !acc {
				clear(out)
			}
			for q := range pairs {
				lo, hi := a[i*rs+2*q], a[i*rs+2*q+1]
				row := b[p*bp+q*panelCols:][:panelCols]
				for j := range out {
					s := fma32(lo, math.Float32frombits(row[j]<<16), out[j])
					out[j] = fma32(hi, math.Float32frombits(row[j]&0xffff0000), s)
				}
			}
		}
	}
}

// microF16Go is the portable kernel.
func microF16Go(rows, panels, k int, a []float32, rs int, b []uint16, bp int, c []float32, ldc int, acc bool) {
	for p := range panels {
		for i := range rows {
			out := c[i*ldc+p*panelCols:][:panelCols]
			if !acc {
				clear(out)
			}
			for kk := range k {
				av := a[i*rs+kk]
				row := b[p*bp+kk*panelCols:][:panelCols]
				for j := range out {
					out[j] = fma32(av, quant.FromF16(row[j]), out[j])
				}
			}
		}
	}
}
