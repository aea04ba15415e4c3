package cpu

import "math"

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

// unpackHalf is the inverse of packHalf.
func unpackHalf(dst []float32, src []uint32, n, k, ld int) {
	for j := range n {
		row := dst[j*ld:][:k]
		s := src[j/panelCols*panelCols*k/2+j%panelCols:]
		for q := 0; q < k; q += 2 {
			w := s[q/2*panelCols]
			row[q], row[q+1] = math.Float32frombits(w<<16), math.Float32frombits(w&0xffff0000)
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

// halfProduct is a product with packed bfloat16 panels: panel p of b begins at p*bp, rows of a are dense.
type halfProduct struct {
	m, n, k int // k is even
	a       []float32
	rs      int
	b       []uint32
	bp      int
	c       []float32
	ldc     int
	acc     bool
}

// run is for few rows; with many it pays to widen the panels first.
func (g *halfProduct) run(lv level) {
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
	last := halfProduct{n: panelCols, k: g.k, rs: g.rs, b: g.b[full*g.bp:], bp: g.bp, ldc: panelCols, acc: g.acc}
	for i := 0; i < g.m; i += 6 {
		var tmp [6 * panelCols]float32
		last.m, last.a, last.c = min(6, g.m-i), g.a[i*g.rs:], tmp[:]
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
	b := g.b[p*g.bp:]
	for i := 0; i < g.m; {
		r := rowGroup(g.m - i)
		microHalf(lv, r, n, g.k/2, g.a[i*g.rs:], g.rs, b, g.bp, g.c[i*g.ldc+p*panelCols:], g.ldc, g.acc)
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
