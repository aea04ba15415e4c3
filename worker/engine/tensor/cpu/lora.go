package cpu

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/openledger/openledger/worker/engine/tensor"
)

// The kernels of single rows are generated apart from the others.
//
//go:generate go run -tags generate ./asm/lora -out lora_amd64.s -stubs lorakernels_amd64.go -pkg cpu

const (
	// loraRows is how many rows of a segment one item takes at most.
	loraRows = 48
	// loraFew is up to how many rows a segment is computed row by row.
	loraFew = 8
	// loraQuad is how many rows are computed side by side.
	loraQuad = 4
)

// loraTask adds low-rank products. An item of work is a block of rows of one segment, or up to four rows that may belong
// to different adapters, as long as their values have one type and the ranks add up to the same.
type loraTask struct {
	lv    level
	group int
	x     tensor.Mat
	ys    []tensor.Mat
	segs  []tensor.LoraSegment
	items []loraItem
	rows  []loraRow
}

// loraItem is rows [row, row+n) of segment seg, or, if seg is -1, n of the single rows, from the row-th on.
type loraItem struct{ seg, row, n int }

// loraRow is a row to be computed by itself. Rows of one class can share an item; those of one pack are put together, for
// then they find its values in the nearest cache.
type loraRow struct {
	class    int
	pack     uint64
	row, seg int
}

func (a loraRow) compare(b loraRow) int {
	return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.pack, b.pack), cmp.Compare(a.row, b.row))
}

// Lora adds the segments' low-rank products of one group to ys.
func (b *Backend) Lora(ys []tensor.Mat, x tensor.Mat, group int, segs []tensor.LoraSegment) {
	t := b.loras.Get().(*loraTask)
	items, rows := t.items[:0], t.rows[:0]
	work := 0
	for i := range segs {
		s := &segs[i]
		p := s.Pack.(*loraPack)
		g := &p.groups[group]
		check(s.Row >= 0 && s.Rows >= 0 && s.Row+s.Rows <= x.Rows && g.in == x.Cols && len(g.parts) == len(ys), "Lora", x)
		if g.rank == 0 || s.Rows == 0 {
			continue
		}
		values := g.rank * g.in
		for j := range g.parts {
			check(ys[j].Rows == x.Rows && ys[j].Cols == g.parts[j].out, "Lora", x, ys[j])
			values += g.parts[j].rank * g.parts[j].out
		}
		work += values * (s.Rows + loraReadCost)
		if s.Rows <= loraFew {
			for r := range s.Rows {
				rows = append(rows, loraRow{int(p.kind)<<32 | g.rank, p.serial, s.Row + r, i})
			}
			continue
		}
		for r := 0; r < s.Rows; r += loraRows {
			items = append(items, loraItem{i, s.Row + r, min(loraRows, s.Rows-r)})
		}
	}
	slices.SortFunc(rows, loraRow.compare)
	for i := 0; i < len(rows); {
		n := 1
		for n < loraQuad && i+n < len(rows) && rows[i+n].class == rows[i].class {
			n++
		}
		items = append(items, loraItem{-1, i, n})
		i += n
	}
	*t = loraTask{lv: b.lv, group: group, x: x, ys: ys, segs: segs, items: items, rows: rows}
	b.pool.run(t, len(items), worth(work))
	*t = loraTask{items: items, rows: rows}
	b.loras.Put(t)
}

// loraReadCost is what reading a value from memory costs, in multiply-adds.
const loraReadCost = 6

func (t *loraTask) tile(s *scratch, i int) {
	switch it := &t.items[i]; {
	case t.lv == levelGo:
		t.portable(s, it)
	case it.seg >= 0:
		t.block(s, it)
	default:
		switch t.segs[t.rows[it.row].seg].Pack.(*loraPack).kind {
		case loraF32:
			singles(t, s, it, &kernelsF32, func(p *loraPack) []float32 { return p.f32 })
		case loraBF16:
			singles(t, s, it, &kernelsBF16, func(p *loraPack) []uint16 { return p.u16 })
		case loraF16:
			singles(t, s, it, &kernelsF16, func(p *loraPack) []uint16 { return p.u16 })
		}
	}
}

// portable computes an item in pure Go.
func (t *loraTask) portable(s *scratch, it *loraItem) {
	for i := range it.n {
		seg, row := it.seg, it.row+i
		if seg < 0 {
			seg, row = t.rows[row].seg, t.rows[row].row
		}
		p := t.segs[seg].Pack.(*loraPack)
		g := &p.groups[t.group]
		a, h := s.get(1, g.rank), s.get(0, g.rank)
		clear(h)
		for k, x := range rowOf(t.x, row) {
			p.widen(a, g.a+k*g.rank)
			for j := range h {
				h[j] = fma32(x, a[j], h[j])
			}
		}
		for j := range g.parts {
			q := &g.parts[j]
			hp := q.scaled(h)
			y := rowOf(t.ys[j], row)
			b := s.get(1, panelCols)
			for from := 0; from < q.out; from += panelCols {
				out := y[from:min(from+panelCols, q.out)]
				for r, v := range hp {
					p.widen(b, q.b+from*q.rank+r*panelCols)
					for c := range out {
						out[c] = fma32(v, b[c], out[c])
					}
				}
			}
		}
	}
}

func rowOf(m tensor.Mat, i int) []float32 { return row(m.Host(), m, i) }

// scaled multiplies the part's own values of h by its scale.
func (q *packedPart) scaled(h []float32) []float32 {
	h = h[q.col:][:q.rank]
	for i := range h {
		h[i] = float32(h[i] * q.scale)
	}
	return h
}

// block computes rows of one segment as products of matrices.
func (t *loraTask) block(s *scratch, it *loraItem) {
	p := t.segs[it.seg].Pack.(*loraPack)
	g := &p.groups[t.group]
	values := func(at, n int) []float32 {
		if p.kind == loraF32 {
			return p.f32[at:][:n]
		}
		n = (n + loraAlign - 1) / loraAlign * loraAlign // what lies behind is there, and not used
		w, src := s.get(1, n), p.u16[at:][:n]
		if p.kind == loraBF16 {
			loraWidenBF16(&w[0], &src[0], n)
		} else {
			loraWidenF16(&w[0], &src[0], n)
		}
		return w
	}
	h := s.get(0, it.n*g.rank)
	a := product{m: it.n, n: g.rank, k: g.in, a: t.x.Host()[it.row*t.x.Stride:], rs: t.x.Stride, cs: 1,
		b: values(g.a, g.in*g.rank), bs: g.rank, bp: panelCols, c: h, ldc: g.rank}
	a.run(t.lv)
	for j := range g.parts {
		q := &g.parts[j]
		if q.rank == 0 {
			continue
		}
		for i := range it.n {
			q.scaled(h[i*g.rank:][:g.rank])
		}
		y := &t.ys[j]
		b := product{m: it.n, n: q.out, k: q.rank, a: h[q.col:], rs: g.rank, cs: 1, b: values(q.b, packedLen(q.out, q.rank)),
			bs: panelCols, bp: panelCols * q.rank, c: y.Host()[it.row*y.Stride:], ldc: y.Stride, acc: true}
		b.run(t.lv)
	}
}

// singles computes up to four single rows whose packs have one type and rank.
func singles[T float32 | uint16](t *loraTask, s *scratch, it *loraItem, ker *loraKernels[T], values func(*loraPack) []T) {
	var x [loraQuad]*float32
	var a [loraQuad][]T
	first := t.segs[t.rows[it.row].seg].Pack.(*loraPack)
	rank, in := first.groups[t.group].rank, t.x.Cols
	for i := range x {
		r := &t.rows[it.row+min(i, it.n-1)] // a place left over repeats the last row
		p := t.segs[r.seg].Pack.(*loraPack)
		x[i] = &rowOf(t.x, r.row)[0]
		at := p.groups[t.group].a
		a[i] = values(p)[at : at+rank*in+loraSlack]
	}
	ldh := (rank + panelCols - 1) / panelCols * panelCols
	h := s.get(0, loraQuad*ldh)
	for c := 0; c < rank; {
		run, cols := ker.shrinkOf(t.lv, rank-c)
		run(in, x[0], x[1], x[2], x[3], &a[0][c], &a[1][c], &a[2][c], &a[3][c], rank*ker.size, &h[c], ldh*4)
		c += cols
	}
	for i := range it.n {
		r := &t.rows[it.row+i]
		p := t.segs[r.seg].Pack.(*loraPack)
		g, v := &p.groups[t.group], values(p)
		for j := range g.parts {
			if q := &g.parts[j]; q.rank > 0 {
				expandRow(t.lv, ker, rowOf(t.ys[j], r.row), q.scaled(h[i*ldh:]), v[q.b:][:packedLen(q.out, q.rank)], s)
			}
		}
	}
}

// expandRow adds h times the panels b to y, a few ranks at a time.
func expandRow[T float32 | uint16](lv level, ker *loraKernels[T], y, h []float32, b []T, s *scratch) {
	bp := panelCols * len(h)
	full, rest := len(y)/panelCols, len(y)%panelCols
	for r := 0; r < len(h); {
		run, n := ker.expandOf(lv, len(h)-r)
		if full > 0 {
			run(full, &h[r], &b[r*panelCols], bp*ker.size, &y[0])
		}
		if rest > 0 { // the last panel is computed in full, beside the row
			tmp := s.get(1, panelCols)
			copy(tmp, y[full*panelCols:])
			run(1, &h[r], &b[full*bp+r*panelCols], bp*ker.size, &tmp[0])
			copy(y[full*panelCols:], tmp[:rest])
		}
		r += n
	}
}

// loraKernels are the kernels of one type of values, by instruction set. All check nothing.
type loraKernels[T float32 | uint16] struct {
	size   int                                                                                       // of a value, in bytes
	shrink [3][]func(k int, x0, x1, x2, x3 *float32, a0, a1, a2, a3 *T, as int, h *float32, ldh int) // by vectors - 1
	expand [3][]func(panels int, h *float32, b *T, bp int, y *float32)                               // by log2 of ranks
}

// shrinkOf is the kernel for the next of so many columns, and how many it takes.
func (k *loraKernels[T]) shrinkOf(lv level, cols int) (func(int, *float32, *float32, *float32, *float32, *T, *T, *T, *T, int, *float32, int), int) {
	lanes := 8
	if lv == levelAVX512 && cols > 8 {
		lanes = 16
	} else {
		lv = levelAVX2
	}
	n := min((cols+lanes-1)/lanes, len(k.shrink[lv]))
	return k.shrink[lv][n-1], n * lanes
}

// expandOf is the kernel for the next of so many ranks, and how many it takes.
func (k *loraKernels[T]) expandOf(lv level, ranks int) (func(int, *float32, *T, int, *float32), int) {
	n := min(bits.Len(uint(ranks)), 4) - 1
	return k.expand[lv][n], 1 << n
}
