package cpu

import (
	"encoding/binary"
	"math"

	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// Weights of Q8_0 and Q4_0 are multiplied by activations that are themselves quantised: each 32 values of a row become
// signed bytes and a float32 scale. The dot product of two blocks is an integer, so its bits depend on no order; the
// chain over the blocks is one of fused multiply-adds, as for every other weight:
//
//	s_b = sum of the 32 products of a and w, exactly
//	y   = fma(float32(s_b), float32(da_b * dw_b), y)   for b ascending
//
// In a panel the block b of 16 outputs is one run of bytes: for each four k the four bytes of output 0, of output 1, ...
// Q4_0 keeps w+8 in four bits; a byte has the value of k in its low and that of k+16 in its high half.

const (
	// blockLen is the number of values that share a scale.
	blockLen = 32
	// actBlock is the size of a block of activations: 32 bytes, the scale, and a correction, which is the block's sum
	// times a factor, for kernels that take the weights' bytes as unsigned.
	actBlock = blockLen + 8
)

// quantiseRow converts a row of whole blocks. The scale is the largest magnitude / 127; values are x * (127 / largest),
// rounded to the nearest, ties to even. A value that has no such integer (not a number, or a largest magnitude below
// 2^-121, whose inverse overflows) becomes 0; the scale of a block with an infinity or a NaN carries that into the result.
func quantiseRow(lv level, dst []byte, x []float32, factor int32) {
	n := len(x) / blockLen
	if lv != levelGo {
		_ = dst[n*actBlock-1]
		quantiseBlocks(&dst[0], &x[0], n, int(factor))
		return
	}
	for b := range n {
		d, v := dst[b*actBlock:][:actBlock], x[b*blockLen:][:blockLen]
		var top uint32
		for _, f := range v {
			top = max(top, math.Float32bits(f)&0x7fffffff)
		}
		largest := math.Float32frombits(top)
		inv, sum := 127/largest, int32(0)
		for i, f := range v {
			r := math.RoundToEven(float64(float32(f * inv)))
			q := int8(0)
			if r >= -127 && r <= 127 {
				q = int8(r)
			}
			d[i] = byte(q)
			sum += int32(q)
		}
		binary.LittleEndian.PutUint32(d[blockLen:], math.Float32bits(largest/127))
		binary.LittleEndian.PutUint32(d[blockLen+4:], uint32(sum*factor))
	}
}

// factor is what makes up for the unsigned form of a weight's bytes.
func (w *weight) factor() int32 {
	if w.q4 != nil {
		return -8
	}
	return -128
}

// packBlocks lays the blocks of rows of panel p out.
func (w *weight) packBlocks(p, rows int, raw []byte) {
	blocks := w.in / blockLen
	size := len(raw) / (rows * blocks)
	for b := range blocks {
		sc := w.scales[(p*blocks+b)*panelCols:][:panelCols]
		for j := range rows {
			src := raw[(j*blocks+b)*size:][:size]
			sc[j] = binary.LittleEndian.Uint16(src)
			src = src[2:]
			if w.q4 == nil {
				d := w.q8[(p*blocks+b)*panelCols*blockLen+4*j:]
				for q := range blockLen / 4 {
					copy(d[q*4*panelCols:][:4], src[4*q:])
				}
				continue
			}
			d := w.q4[(p*blocks+b)*panelCols*blockLen/2+4*j:]
			for q := range blockLen / 8 {
				copy(d[q*4*panelCols:][:4], src[4*q:])
			}
		}
	}
}

// blockRow decodes an output's values.
func (w *weight) blockRow(dst []float32, j int) {
	p, c, blocks := j/panelCols, j%panelCols, w.in/blockLen
	for b := range blocks {
		d := quant.FromF16(w.scales[(p*blocks+b)*panelCols+c])
		for k := range blockLen {
			dst[b*blockLen+k] = float32(d * float32(w.quantum(p*blocks+b, c, k)))
		}
	}
}

// quantum is the integer of column c and depth k in a block of a panel.
func (w *weight) quantum(block, c, k int) int32 {
	if w.q4 == nil {
		return int32(int8(w.q8[block*panelCols*blockLen+k/4*4*panelCols+4*c+k%4]))
	}
	v := w.q4[block*panelCols*blockLen/2+k%16/4*4*panelCols+4*c+k%4]
	return int32(v>>(k/16*4)&15) - 8
}

// quantTask is y = x·wᵀ for a weight in blocks. It first quantises x, row by row, then computes tiles.
type quantTask struct {
	lv               level
	y, x             tensor.Mat
	w                *weight
	acc, ready       bool
	acts             []byte
	mt, nt, cols, rt int
}

// linearQuant multiplies by a weight in blocks.
func (b *Backend) linearQuant(y, x tensor.Mat, w *weight, accumulate bool) {
	t := b.quants.Get().(*quantTask)
	t.lv, t.y, t.x, t.w, t.acc, t.ready = b.lv, y, x, w, accumulate, false
	stride := w.in / blockLen * actBlock
	if n := y.Rows * stride; cap(t.acts) < n {
		t.acts = make([]byte, n+n/4)
	} else {
		t.acts = t.acts[:n]
	}
	t.rt = max(1, min(16, (y.Rows+2*b.pool.threads-1)/(2*b.pool.threads)))
	b.pool.run(t, (y.Rows+t.rt-1)/t.rt, worth(y.Rows*w.in*8))
	t.ready = true
	var rows int
	t.mt, t.nt, rows, t.cols = tiling(y.Rows, w.out, b.pool.threads)
	b.pool.run(t, rows*t.cols, worth(y.Rows*w.out*w.in))
	*t = quantTask{acts: t.acts}
	b.quants.Put(t)
}

func (t *quantTask) tile(s *scratch, i int) {
	stride := t.w.in / blockLen * actBlock
	if !t.ready {
		xs, f := t.x.Host(), t.w.factor()
		for r := i * t.rt; r < min((i+1)*t.rt, t.x.Rows); r++ {
			quantiseRow(t.lv, t.acts[r*stride:][:stride], row(xs, t.x, r), f)
		}
		return
	}
	r, c := i/t.cols*t.mt, i%t.cols*t.nt
	m, n := min(t.mt, t.y.Rows-r), min(t.nt, t.w.out-c)
	a, out := t.acts[r*stride:], t.y.Host()[r*t.y.Stride+c:]
	full, p := n/panelCols, c/panelCols
	_, g := quantTile(t.lv, m, m)
	// Panels that are computed together lie far apart, so that a pass reads several long runs of memory: one run alone
	// does not keep the memory busy.
	step := full / g
	for i := range step {
		t.panels(a, p+i, g, step, m, out[i*panelCols:], t.y.Stride)
	}
	for i := step * g; i < full; i++ {
		t.panels(a, p+i, 1, 1, m, out[i*panelCols:], t.y.Stride)
	}
	rest := n % panelCols
	if rest == 0 {
		return
	}
	// The last panel is computed in full, beside the matrix.
	tmp := s.get(0, m*panelCols)
	for j := range m {
		copy(tmp[j*panelCols:][:panelCols], out[j*t.y.Stride+full*panelCols:][:rest])
	}
	t.panels(a, p+full, 1, 1, m, tmp, panelCols)
	for j := range m {
		copy(out[j*t.y.Stride+full*panelCols:][:rest], tmp[j*panelCols:])
	}
}

// panels computes panels p, p+step, ... for m rows.
func (t *quantTask) panels(a []byte, p, panels, step, m int, c []float32, ldc int) {
	stride := t.w.in / blockLen * actBlock
	for i := 0; i < m; {
		r, _ := quantTile(t.lv, m, m-i)
		quantMicro(t.lv, r, panels, step, t.w, p, a[i*stride:], c[i*ldc:], ldc, t.acc)
		i += r
	}
}

// quantMicroGo is the portable kernel.
func quantMicroGo(rows, panels, step int, w *weight, p int, a []byte, c []float32, ldc int, acc bool) {
	blocks := w.in / blockLen
	for i := range rows {
		for j := range panels * panelCols {
			y, col, panel := float32(0), j%panelCols, j/panelCols*step
			dst := &c[i*ldc+panel*panelCols+col]
			if acc {
				y = *dst
			}
			for b := range blocks {
				at := (p+panel)*blocks + b
				v := a[(i*blocks+b)*actBlock:][:actBlock]
				s := int32(0)
				for k := range blockLen {
					s += int32(int8(v[k])) * w.quantum(at, col, k)
				}
				da := math.Float32frombits(binary.LittleEndian.Uint32(v[blockLen:]))
				y = fma32(float32(s), float32(da*quant.FromF16(w.scales[at*panelCols+col])), y)
			}
			*dst = y
		}
	}
}
