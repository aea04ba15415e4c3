package cpu

// level is the instruction set in use. All levels give the same bits.
type level int

const (
	levelGo level = iota
	levelAVX2
	levelAVX512
)

func (lv level) String() string { return [...]string{"go", "avx2", "avx512"}[lv] }

// panelCols is the width of a packed panel.
const panelCols = 16

// product is c = a·b or c += a·b. Element (i, k) of a is at i*rs + k*cs; element (k, j) of b is at
// (j/16)*bp + k*bs + j%16; element (i, j) of c is at i*ldc + j.
type product struct {
	m, n, k int
	a       []float32
	rs, cs  int
	b       []float32
	bs, bp  int
	c       []float32
	ldc     int
	acc     bool
}

// run computes the whole product on one thread, without copying operands.
func (g *product) run(lv level) {
	if g.m == 0 || g.n == 0 {
		return
	}
	full := g.n / panelCols
	group := panelGroup(lv, g.m)
	for p := 0; p < full; {
		n := group
		for n > full-p {
			n = smallerGroup(lv, n)
		}
		g.panels(lv, p, n, panelCols)
		p += n
	}
	if rest := g.n % panelCols; rest > 0 {
		g.panels(lv, full, 1, rest)
	}
}

// panelGroup is how many panels one kernel call takes, so that there are enough independent chains.
func panelGroup(lv level, rows int) int {
	switch {
	case lv == levelAVX512 && rows == 1:
		return 8
	case lv == levelAVX512 && rows == 2:
		return 4
	case lv == levelAVX512:
		return 2
	case rows == 1:
		return 4
	case rows == 2:
		return 2
	}
	return 1
}

func smallerGroup(lv level, n int) int {
	if lv == levelAVX512 && n > 2 {
		return 2
	}
	return 1
}

// panels computes n panels from p on, all rows.
func (g *product) panels(lv level, p, n, cols int) {
	b := g.b[p*g.bp:]
	for i := 0; i < g.m; {
		r := rowGroup(g.m - i)
		if cols <= 8 && g.m-i >= 12 {
			r = 12
		}
		micro(lv, r, n, cols, g.k, g.a[i*g.rs:], g.rs, g.cs, b, g.bs, g.bp, g.c[i*g.ldc+p*panelCols:], g.ldc, g.acc)
		i += r
	}
}

// rowGroup is how many of the rows left one kernel call takes.
func rowGroup(left int) int {
	switch {
	case left == 7 || left == 8: // 4+3 and 4+4 beat 6+1 and 6+2
		return 4
	case left > 6:
		return 6
	}
	return left
}

// microGo is the portable kernel.
func microGo(rows, panels, cols, k int, a []float32, rs, cs int, b []float32, bs, bp int, c []float32, ldc int, acc bool) {
	for p := range panels {
		w := panelCols
		if p == panels-1 {
			w = cols
		}
		for i := range rows {
			out := c[i*ldc+p*panelCols:][:w]
			if !acc {
				clear(out)
			}
			for kk := range k {
				av := a[i*rs+kk*cs]
				row := b[p*bp+kk*bs:][:w]
				for j := range out {
					out[j] = fma32(av, row[j], out[j])
				}
			}
		}
	}
}

// packT writes the rows of a row-major [n, k] matrix (stride ld) as panels of 16 columns, k-major: element (k, j) at
// (j/16)*16*k + k*16 + j%16. The last panel is filled up with zeros.
func packT(dst, src []float32, n, k, ld int) {
	for p := 0; p*panelCols < n; p++ {
		d := dst[p*panelCols*k:][:panelCols*k]
		w := min(panelCols, n-p*panelCols)
		if w == panelCols {
			packPanel(d, src[p*panelCols*ld:], k, ld)
			continue
		}
		clear(d)
		for j := range w {
			row := src[(p*panelCols+j)*ld:][:k]
			for kk, v := range row {
				d[kk*panelCols+j] = v
			}
		}
	}
}

// packPanel transposes 16 rows of k values.
func packPanel(d, src []float32, k, ld int) {
	for j := 0; j < panelCols; j += 4 {
		r0, r1, r2, r3 := src[j*ld:][:k], src[(j+1)*ld:][:k], src[(j+2)*ld:][:k], src[(j+3)*ld:][:k]
		for kk := range k {
			q := d[kk*panelCols+j:][:4]
			q[0], q[1], q[2], q[3] = r0[kk], r1[kk], r2[kk], r3[kk]
		}
	}
}

func packedLen(n, k int) int { return (n + panelCols - 1) / panelCols * panelCols * k }
