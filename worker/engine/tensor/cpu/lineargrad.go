package cpu

import (
	"sync"

	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor"
)

var linearGrads = sync.Pool{New: func() any { return new(linearGradTask) }}

// linearGradTask is dx = dy·w, the gradient of Linear by its input. A tile decodes its part of the packed weight into
// panels of 16 inputs, which costs one part in its rows of the product; so no row-major copy of the weight is needed,
// whatever form it is packed in.
type linearGradTask struct {
	lv           level
	dx, dy       tensor.Mat
	w            *weight
	acc          bool
	mt, nt, cols int
}

// LinearGrad multiplies by a packed weight from the other side.
func (b *Backend) LinearGrad(dx, dy tensor.Mat, tw tensor.Weight, accumulate bool) {
	w := tw.(*weight)
	check(dx.Rows == dy.Rows && dx.Cols == w.in && dy.Cols == w.out, "LinearGrad", dx, dy)
	if dx.Rows == 0 {
		return
	}
	t := linearGrads.Get().(*linearGradTask)
	*t = linearGradTask{lv: b.lv, dx: dx, dy: dy, w: w, acc: accumulate}
	var rows int
	t.mt, t.nt, rows, t.cols = gradTiling(dx.Rows, w.in, b.pool.threads)
	b.pool.run(t, rows*t.cols, worth(dx.Rows*w.out*w.in))
	*t = linearGradTask{}
	linearGrads.Put(t)
}

// gradTiling cuts m x n into tiles of many rows, over which the decoding is spread, and 128 columns or fewer.
func gradTiling(m, n, threads int) (mt, nt, rows, cols int) {
	rows, nt = (m+575)/576, 128
	for nt > 32 && rows*((n+nt-1)/nt) < 2*threads {
		nt /= 2
	}
	mt = ((m+rows-1)/rows + 5) / 6 * 6
	return mt, nt, (m + mt - 1) / mt, (n + nt - 1) / nt
}

func (t *linearGradTask) tile(s *scratch, i int) {
	r, c := i/t.cols*t.mt, i%t.cols*t.nt
	g := product{m: min(t.mt, t.dx.Rows-r), n: min(t.nt, t.w.in-c), rs: t.dy.Stride, cs: 1, bs: panelCols,
		c: t.dx.Host()[r*t.dx.Stride+c:], ldc: t.dx.Stride}
	a := t.dy.Host()[r*t.dy.Stride:]
	for k := 0; k < t.w.out; k += kBlock {
		g.k = min(kBlock, t.w.out-k)
		g.a, g.acc = a[k:], t.acc || k > 0
		g.bp = packedLen(g.k, panelCols)
		g.b = s.get(0, packedLen(g.n, 1)*g.bp/panelCols)
		t.w.transposed(t.lv, s, g.b, g.bp, k, g.k, c, g.n)
		g.run(t.lv)
	}
}

// transposed decodes outputs [j, j+nj) by inputs [c, c+nc), where j is a multiple of 16 and c one of 32: element
// (j+y, c+x) goes to (x/16)*bp + y*16 + x%16 of dst. What lies past the matrix in dst is of no meaning.
func (w *weight) transposed(lv level, s *scratch, dst []float32, bp, j, nj, c, nc int) {
	for y := 0; y < nj; y += panelCols {
		transposePanel(lv, dst[y*panelCols:], bp, w.wide(lv, s, (j+y)/panelCols, c, nc), nc)
	}
}

// wide gives inputs [c, c+n) of panel p as float32: 16 outputs for each.
func (w *weight) wide(lv level, s *scratch, p, c, n int) []float32 {
	at := p*panelCols*w.in + c*panelCols
	if w.panels != nil {
		return w.panels[at:][:n*panelCols]
	}
	buf := s.get(1, n*panelCols)
	switch {
	case w.halves != nil:
		widenPanel(lv, buf, w.halves[at/2:][:n*panelCols/2], n/2)
	case w.f16 != nil:
		widenF16Panel(lv, buf, w.f16[at:][:n*panelCols])
	default:
		for b := range n / blockLen {
			w.wideBlock(buf[b*blockLen*panelCols:][:blockLen*panelCols], p*(w.in/blockLen)+c/blockLen+b)
		}
	}
	return buf
}

// wideBlock decodes a block of a panel: 16 outputs for each of its 32 inputs.
func (w *weight) wideBlock(dst []float32, block int) {
	var d [panelCols]float32
	for j, h := range w.scales[block*panelCols:][:panelCols] {
		d[j] = quant.FromF16(h)
	}
	if w.q4 == nil {
		const size = panelCols * blockLen
		for k := 0; k < blockLen; k += 4 {
			src, o := (*[4 * panelCols]byte)(w.q8[block*size+k*panelCols:]), (*[4 * panelCols]float32)(dst[k*panelCols:])
			for j := range panelCols {
				f := d[j]
				o[j] = float32(f * float32(int8(src[4*j])))
				o[panelCols+j] = float32(f * float32(int8(src[4*j+1])))
				o[2*panelCols+j] = float32(f * float32(int8(src[4*j+2])))
				o[3*panelCols+j] = float32(f * float32(int8(src[4*j+3])))
			}
		}
		return
	}
	const size = panelCols * blockLen / 2
	for k := 0; k < blockLen/2; k++ {
		src := w.q4[block*size+k/4*4*panelCols+k%4:]
		lo, hi := (*[panelCols]float32)(dst[k*panelCols:]), (*[panelCols]float32)(dst[(k+blockLen/2)*panelCols:])
		for j := range panelCols {
			v := src[4*j]
			lo[j] = float32(d[j] * float32(int32(v&15)-8))
			hi[j] = float32(d[j] * float32(int32(v>>4)-8))
		}
	}
}

// transposePanel writes n rows of 16 values as columns: value y of row x goes to (x/16)*bp + y*16 + x%16.
func transposePanel(lv level, dst []float32, bp int, src []float32, n int) {
	x := 0
	if tiles := n / panelCols; lv != levelGo && tiles > 0 {
		x = tiles * panelCols
		_, _ = dst[(tiles-1)*bp+panelCols*panelCols-1], src[x*panelCols-1]
		transposeTiles(&dst[0], bp*4, &src[0], tiles)
	}
	for ; x < n; x++ {
		d := dst[x/panelCols*bp+x%panelCols:]
		for y, v := range src[x*panelCols:][:panelCols] {
			d[y*panelCols] = v
		}
	}
}
