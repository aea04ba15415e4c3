package cpu

import "github.com/openledger/openledger/worker/engine/tensor"

// kBlock is the depth of one pass over a tile; the next pass continues from the stored result.
const kBlock = 384

// linearTask is y = x·wᵀ, cut into tiles of rows and panels.
type linearTask struct {
	lv           level
	y, x         tensor.Mat
	w            *weight
	acc          bool
	mt, nt, cols int // rows and outputs per tile, tiles per row of tiles
}

// Linear multiplies by a packed weight.
func (b *Backend) Linear(y, x tensor.Mat, tw tensor.Weight, accumulate bool) {
	w := tw.(*weight)
	check(y.Rows == x.Rows && x.Cols == w.in && y.Cols == w.out, "Linear", y, x)
	if y.Rows == 0 {
		return
	}
	if w.scales != nil {
		b.linearQuant(y, x, w, accumulate)
		return
	}
	t := b.linears.Get().(*linearTask)
	*t = linearTask{lv: b.lv, y: y, x: x, w: w, acc: accumulate}
	var rows int
	t.mt, t.nt, rows, t.cols = tiling(y.Rows, w.out, b.pool.threads)
	b.pool.run(t, rows*t.cols, worth(y.Rows*w.out*w.in))
	*t = linearTask{}
	b.linears.Put(t)
}

// tiling cuts m x n into tiles of mt x nt.
func tiling(m, n, threads int) (mt, nt, rows, cols int) {
	mt, nt = 96, 128
	if m < mt {
		mt = m
	}
	if m <= 8 { // a few rows: wide tiles, so that the kernels see many panels
		nt = max(256, (n/(4*threads)+255)/256*256)
	}
	return mt, nt, (m + mt - 1) / mt, (n + nt - 1) / nt
}

// widenRows is from how many rows on a tile of a weight in two bytes is widened before it is used.
const widenRows = 24

func (t *linearTask) tile(s *scratch, i int) {
	r, c := i/t.cols*t.mt, i%t.cols*t.nt
	xs, ys := t.x.Host(), t.y.Host()
	m, n, in := min(t.mt, t.y.Rows-r), min(t.nt, t.w.out-c), t.w.in
	a, out := xs[r*t.x.Stride:], ys[r*t.y.Stride+c:]
	half := t.w.halves != nil || t.w.f16 != nil
	if half && m < widenRows {
		g := halfProduct{m: m, n: n, k: in, a: a, rs: t.x.Stride, c: out, ldc: t.y.Stride, acc: t.acc}
		if t.w.f16 != nil {
			g.h, g.bp = t.w.f16[c*in:], panelCols*in
		} else {
			g.b, g.bp = t.w.halves[c*in/2:], panelCols*in/2
		}
		g.run(t.lv, s)
		return
	}
	g := product{m: m, n: n, rs: t.x.Stride, cs: 1, bs: panelCols, ldc: t.y.Stride, c: out}
	step := kBlock
	if m <= 8 {
		step = in
	}
	for k := 0; k < in; k += step {
		g.k, g.a, g.acc = min(step, in-k), a[k:], t.acc || k > 0
		if half {
			g.b, g.bp = s.get(0, packedLen(n, g.k)), panelCols*g.k
			for p := 0; p*panelCols < n; p++ {
				if t.w.f16 != nil {
					widenF16Panel(t.lv, g.b[p*g.bp:], t.w.f16[(c+p*panelCols)*in+k*panelCols:][:g.k*panelCols])
					continue
				}
				widenPanel(t.lv, g.b[p*g.bp:], t.w.halves[((c+p*panelCols)*in+k*panelCols)/2:], g.k/2)
			}
		} else {
			g.b, g.bp = t.w.panels[c*in+k*panelCols:], panelCols*in
		}
		g.run(t.lv)
	}
}

// matmulTask is c = op(a)·b with b row-major.
type matmulTask struct {
	lv           level
	c, a, b      tensor.Mat
	m, n, k      int
	trans, acc   bool
	mt, nt, cols int
}

// MatMul multiplies two row-major matrices.
func (b *Backend) MatMul(c, a, bm tensor.Mat, transA, accumulate bool) {
	m, k := a.Rows, a.Cols
	if transA {
		m, k = k, m
	}
	check(c.Rows == m && c.Cols == bm.Cols && bm.Rows == k, "MatMul", c, a, bm)
	if c.Empty() {
		return
	}
	if k == 0 {
		if !accumulate {
			b.Zero(c)
		}
		return
	}
	t := b.matmuls.Get().(*matmulTask)
	*t = matmulTask{lv: b.lv, c: c, a: a, b: bm, m: m, n: bm.Cols, k: k, trans: transA, acc: accumulate}
	var rows int
	if m < widenRows {
		t.mt, t.nt, rows, t.cols = tiling(m, t.n, b.pool.threads)
	} else {
		t.mt, t.nt, rows, t.cols = copyTiling(m, t.n, b.pool.threads)
	}
	b.pool.run(t, rows*t.cols, worth(m*t.n*k))
	*t = matmulTask{}
	b.matmuls.Put(t)
}

// copyTiling cuts m x n into tiles that are large, because each copies its part of the operands, and about equal.
func copyTiling(m, n, threads int) (mt, nt, rows, cols int) {
	rows, cols = (m+191)/192, (n+255)/256
	for rows*cols < 2*threads && (m/rows > 48 || n/cols > 64) {
		if m/rows >= n/cols {
			rows++
		} else {
			cols++
		}
	}
	mt, nt = ((m+rows-1)/rows+5)/6*6, ((n+cols-1)/cols+31)/32*32
	return mt, nt, (m + mt - 1) / mt, (n + nt - 1) / nt
}

func (t *matmulTask) tile(s *scratch, i int) {
	r, c := i/t.cols*t.mt, i%t.cols*t.nt
	as, bs, cs := t.a.Host(), t.b.Host(), t.c.Host()
	g := product{m: min(t.mt, t.m-r), n: min(t.nt, t.n-c), ldc: t.c.Stride, c: cs[r*t.c.Stride+c:]}
	for k := 0; k < t.k; k += kBlock {
		g.k = min(kBlock, t.k-k)
		g.acc = t.acc || k > 0
		if t.trans {
			g.a, g.rs, g.cs = as[k*t.a.Stride+r:], 1, t.a.Stride
		} else {
			g.a, g.rs, g.cs = as[r*t.a.Stride+k:], t.a.Stride, 1
		}
		g.b, g.bs, g.bp = bs[k*t.b.Stride+c:], t.b.Stride, panelCols
		if g.m >= 24 { // copying b into panels costs 1/m of the work and spares the cache
			g.b = copyPanels(t.lv, s.get(0, packedLen(g.n, g.k)), g.b, g.k, g.n, t.b.Stride)
			g.bs, g.bp = panelCols, panelCols*g.k
		}
		if t.trans && g.n >= 32 {
			buf := s.get(1, g.m*g.k)
			for kk := range g.k {
				copy(buf[kk*g.m:][:g.m], g.a[kk*t.a.Stride:])
			}
			g.a, g.cs = buf, g.m
		}
		g.run(t.lv)
	}
}

// copyPanels copies a row-major [k, n] block into panels of 16 columns.
func copyPanels(lv level, dst, src []float32, k, n, ld int) []float32 {
	for p := 0; p*panelCols < n; p++ {
		w := min(panelCols, n-p*panelCols)
		d := dst[p*panelCols*k:]
		if w == panelCols && lv != levelGo {
			_, _ = d[k*panelCols-1], src[(k-1)*ld+p*panelCols+w-1]
			copyPanelRows(&d[0], &src[p*panelCols], k, ld*4)
			continue
		}
		if w == panelCols {
			for kk := range k {
				*(*[panelCols]float32)(d[kk*panelCols:]) = *(*[panelCols]float32)(src[kk*ld+p*panelCols:])
			}
			continue
		}
		for kk := range k {
			q := d[kk*panelCols:][:panelCols]
			clear(q[copy(q[:w], src[kk*ld+p*panelCols:]):])
		}
	}
	return dst
}
