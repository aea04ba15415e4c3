package cpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// weight has its values in one of these forms, in panels of 16 outputs:
//   - panels: float32, k-major;
//   - halves: bfloat16, two k in a word (half.go);
//   - f16: float16, k-major;
//   - q8 or q4 with scales: blocks of 32 k (quant.go).
type weight struct {
	out, in int
	panels  []float32
	halves  []uint32
	f16     []uint16
	q8, q4  []byte
	scales  []uint16
}

func (w *weight) Out() int { return w.out }
func (w *weight) In() int  { return w.in }

// Bytes is the memory of the packed values.
func (w *weight) Bytes() int64 {
	return int64(len(w.panels)+len(w.halves))*4 + int64(len(w.f16)+len(w.scales))*2 + int64(len(w.q8)+len(w.q4))
}

// Type is the format that the values are kept in.
func (w *weight) Type() quant.Type {
	switch {
	case w.halves != nil:
		return quant.BF16
	case w.f16 != nil:
		return quant.F16
	case w.q8 != nil:
		return quant.Q8_0
	case w.q4 != nil:
		return quant.Q4_0
	}
	return quant.F32
}

// Pack lays a weight out as panels of 16 outputs, k-major. Values that are all bfloat16 take two bytes each.
func (b *Backend) Pack(out, in int, data []float32) (tensor.Weight, error) {
	if out < 1 || in < 1 || len(data) != out*in {
		return nil, fmt.Errorf("cpu: a weight of %d x %d cannot have %d values", out, in, len(data))
	}
	w := &weight{out: out, in: in}
	if isHalf(out, in, in, data) {
		w.halves = huge[uint32](packedLen(out, in) / 2)
	}
	b.Repack(w, tensor.Of(buffer(data), out, in))
	return w, nil
}

// PackEncoded keeps F16, BF16, Q8_0 and Q4_0 as they are, in no more memory than raw, and F32 as Pack does. The other
// formats have no kernel and become Q8_0, a panel at a time.
func (b *Backend) PackEncoded(out, in int, t quant.Type, raw []byte) (tensor.Weight, error) {
	if out < 1 || in < 1 {
		return nil, fmt.Errorf("cpu: a weight cannot be %d x %d", out, in)
	}
	rowBytes, err := quant.RowBytes(t, in)
	if err != nil {
		return nil, fmt.Errorf("cpu: a weight of %d x %d: %w", out, in, err)
	}
	if out > math.MaxInt/rowBytes || len(raw) != out*rowBytes {
		return nil, fmt.Errorf("cpu: a weight of %d x %d in %v needs %d bytes a row, not %d in all", out, in, t, rowBytes, len(raw))
	}
	w := &weight{out: out, in: in}
	n := packedLen(out, in)
	switch {
	case t == quant.F16:
		w.f16 = huge[uint16](n)
	case t == quant.BF16 && in%2 == 0, t == quant.F32 && rawIsHalf(in, raw):
		w.halves = huge[uint32](n / 2)
	case t == quant.F32 || t == quant.BF16:
		w.panels = huge[float32](n)
	case t == quant.Q4_0:
		w.q4, w.scales = huge[byte](n/2), huge[uint16](n/blockLen)
	default:
		w.q8, w.scales = huge[byte](n), huge[uint16](n/blockLen)
	}
	pt := &encodedTask{w: w, from: t, raw: raw, rowBytes: rowBytes}
	b.pool.run(pt, (out+panelCols-1)/panelCols, worth(out*in))
	if err := pt.failed.Load(); err != nil {
		return nil, *err
	}
	return w, nil
}

// rawIsHalf is isHalf for encoded float32.
func rawIsHalf(k int, raw []byte) bool {
	if k%2 != 0 {
		return false
	}
	for i := 0; i < len(raw); i += 4 {
		if raw[i]|raw[i+1] != 0 {
			return false
		}
	}
	return true
}

// encodedTask packs a panel a tile.
type encodedTask struct {
	w        *weight
	from     quant.Type
	raw      []byte
	rowBytes int
	failed   atomic.Pointer[error]
}

func (t *encodedTask) tile(s *scratch, p int) {
	w := t.w
	rows := min(panelCols, w.out-p*panelCols)
	raw := t.raw[p*panelCols*t.rowBytes:][:rows*t.rowBytes]
	at, size := p*panelCols*w.in, panelCols*w.in
	switch {
	case w.f16 != nil:
		d := w.f16[at:][:size]
		for j := range rows {
			row := raw[j*t.rowBytes:]
			for k := range w.in {
				d[k*panelCols+j] = binary.LittleEndian.Uint16(row[2*k:])
			}
		}
		return
	case w.halves != nil && t.from == quant.BF16:
		d := w.halves[at/2:][:size/2]
		for j := range rows {
			row := raw[j*t.rowBytes:]
			for q := range w.in / 2 {
				d[q*panelCols+j] = binary.LittleEndian.Uint32(row[4*q:])
			}
		}
		return
	case w.q4 != nil || w.q8 != nil && t.from == quant.Q8_0:
		w.packBlocks(p, rows, raw)
		return
	}
	values := s.get(0, rows*w.in)
	if err := quant.Decode(t.from, values, raw); err != nil {
		t.failed.Store(&err)
		return
	}
	switch {
	case w.panels != nil:
		packT(w.panels[at:][:size], values, rows, w.in, w.in)
	case w.halves != nil:
		packHalf(w.halves[at/2:], values, rows, w.in, w.in)
	default:
		blocks := make([]byte, rows*w.in/blockLen*quant.Q8_0.BlockBytes())
		if err := quant.Encode(quant.Q8_0, blocks, values); err != nil {
			t.failed.Store(&err)
			return
		}
		w.packBlocks(p, rows, blocks)
	}
}

type packTask struct {
	dst, src []float32
	halves   []uint32
	n, k, ld int
}

// packTilePanels is how many panels a tile of a repack covers.
const packTilePanels = 4

func (t *packTask) tile(_ *scratch, i int) {
	from := i * packTilePanels * panelCols
	n := min(packTilePanels*panelCols, t.n-from)
	if t.halves != nil {
		packHalf(t.halves[from*t.k/2:], t.src[from*t.ld:], n, t.k, t.ld)
		return
	}
	packT(t.dst[from*t.k:], t.src[from*t.ld:], n, t.k, t.ld)
}

// Repack replaces the values. A weight in another form than float32 whose new values need float32 becomes one for good.
func (b *Backend) Repack(tw tensor.Weight, m tensor.Mat) {
	w := tw.(*weight)
	check(w.out == m.Rows && w.in == m.Cols, "Repack", m)
	if w.halves != nil && !isHalf(w.out, w.in, m.Stride, m.Host()) {
		w.halves = nil
	}
	if w.halves == nil {
		w.f16, w.q8, w.q4, w.scales = nil, nil, nil, nil
		if w.panels == nil {
			w.panels = huge[float32](packedLen(w.out, w.in))
		}
	}
	t := b.packs.Get().(*packTask)
	*t = packTask{dst: w.panels, halves: w.halves, src: m.Host(), n: w.out, k: w.in, ld: m.Stride}
	b.pool.run(t, (w.out+packTilePanels*panelCols-1)/(packTilePanels*panelCols), worth(w.out*w.in))
	*t = packTask{}
	b.packs.Put(t)
}

// Unpack writes the values row-major.
func (b *Backend) Unpack(m tensor.Mat, tw tensor.Weight) {
	w := tw.(*weight)
	check(w.out == m.Rows && w.in == m.Cols, "Unpack", m)
	h := m.Host()
	for j := range w.out {
		w.row(row(h, m, j), j)
	}
}

// GatherWeight is y[i] = row rows[i] of the weight.
func (b *Backend) GatherWeight(y tensor.Mat, tw tensor.Weight, rows []int32) {
	w := tw.(*weight)
	check(y.Rows == len(rows) && y.Cols == w.in, "GatherWeight", y)
	checkRows(rows, w.out)
	t := b.rowTask(opGatherWeight, y)
	t.idx, t.w = rows, w
	b.run(t, y.Rows, 4*y.Cols)
}

// row decodes one output's values.
func (w *weight) row(dst []float32, j int) {
	at, c := j/panelCols*panelCols*w.in, j%panelCols
	switch {
	case w.halves != nil:
		s := w.halves[at/2+c:]
		for q := 0; q < w.in; q += 2 {
			v := s[q/2*panelCols]
			dst[q], dst[q+1] = math.Float32frombits(v<<16), math.Float32frombits(v&0xffff0000)
		}
	case w.f16 != nil:
		s := w.f16[at+c:]
		for k := range dst {
			dst[k] = quant.FromF16(s[k*panelCols])
		}
	case w.scales != nil:
		w.blockRow(dst, j)
	default:
		s := w.panels[at+c:]
		for k := range dst {
			dst[k] = s[k*panelCols]
		}
	}
}
