package cpu

import "github.com/openledger/openledger/worker/engine/tensor"

const (
	// loraRows is how many rows of a segment one tile takes.
	loraRows = 96
	// loraGroup is how many one-row segments one tile takes, four at a time side by side.
	loraGroup = 8
)

// loraTask adds the segments' low-rank products. If every segment has one row (a decode step), a tile is a group of
// segments; otherwise it is a block of a segment's rows.
type loraTask struct {
	lv     level
	y, x   tensor.Mat
	segs   []tensor.LoraSegment
	single bool
	first  []int // first tile of each segment, unless single
}

// Lora is the grouped low-rank product.
func (b *Backend) Lora(y, x tensor.Mat, segs []tensor.LoraSegment) {
	t := b.loras.Get().(*loraTask)
	t.lv, t.y, t.x, t.segs, t.single, t.first = b.lv, y, x, segs, true, t.first[:0]
	work, tiles := 0, 0
	for i := range segs {
		g := &segs[i]
		check(g.Row >= 0 && g.Row+g.Rows <= x.Rows && x.Rows == y.Rows && g.A.Rows == x.Cols && g.B.Cols == y.Cols &&
			g.A.Cols == g.B.Rows, "Lora", y, x, g.A, g.B)
		work += g.Rows * g.A.Cols * (x.Cols + y.Cols)
		t.single = t.single && g.Rows == 1
		t.first = append(t.first, tiles)
		tiles += (g.Rows + loraRows - 1) / loraRows
	}
	if t.single {
		tiles = (len(segs) + loraGroup - 1) / loraGroup
	}
	b.pool.run(t, tiles, worth(work))
	*t = loraTask{first: t.first}
	b.loras.Put(t)
}

func (t *loraTask) tile(s *scratch, i int) {
	if t.single {
		t.group(s, t.segs[i*loraGroup:min((i+1)*loraGroup, len(t.segs))])
		return
	}
	j := len(t.first) - 1
	for t.first[j] > i || t.segs[j].Rows == 0 {
		j--
	}
	g := &t.segs[j]
	from := (i - t.first[j]) * loraRows
	t.block(s, g, g.Row+from, min(loraRows, g.Rows-from))
}

// block computes rows [row, row+n) of a segment.
func (t *loraTask) block(s *scratch, g *tensor.LoraSegment, row, n int) {
	r := g.A.Cols
	if r == 0 {
		return
	}
	h := s.get(0, n*r)
	p := product{
		m: n, n: r, k: t.x.Cols, a: t.x.Host()[row*t.x.Stride:], rs: t.x.Stride, cs: 1,
		b: g.A.Host(), bs: g.A.Stride, bp: panelCols, c: h, ldc: r,
	}
	p.run(t.lv)
	t.expand(g, h, row, n)
}

// expand adds h (n x rank, not yet scaled) times the segment's B to its rows.
func (t *loraTask) expand(g *tensor.LoraSegment, h []float32, row, n int) {
	r := g.A.Cols
	for j := range h {
		h[j] = float32(h[j] * g.Scale)
	}
	p := product{
		m: n, n: t.y.Cols, k: r, a: h, rs: r, cs: 1,
		b: g.B.Host(), bs: g.B.Stride, bp: panelCols, c: t.y.Host()[row*t.y.Stride:], ldc: t.y.Stride, acc: true,
	}
	p.run(t.lv)
}

// group computes segments of one row each; four of one rank at a time.
func (t *loraTask) group(s *scratch, segs []tensor.LoraSegment) {
	for len(segs) > 0 {
		r := segs[0].A.Cols
		if t.lv == levelGo || len(segs) < 4 || r == 0 || r > panelCols || t.x.Cols == 0 || !alike(segs[:4]) {
			t.block(s, &segs[0], segs[0].Row, 1)
			segs = segs[1:]
			continue
		}
		h := s.get(0, 4*r)
		var a, b [4]*float32
		xs := t.x.Host()
		for i := range a {
			a[i] = &xs[segs[i].Row*t.x.Stride:][:t.x.Cols][0]
			b[i] = &segs[i].A.Host()[0]
		}
		quadRows(r, t.x.Cols, &a, &b, segs[0].A.Stride, h, r)
		for i := range a {
			t.expand(&segs[i], h[i*r:(i+1)*r], segs[i].Row, 1)
		}
		segs = segs[4:]
	}
}

// alike says whether the segments' matrices have one shape.
func alike(segs []tensor.LoraSegment) bool {
	for i := range segs {
		if segs[i].A.Cols != segs[0].A.Cols || segs[i].A.Stride != segs[0].A.Stride {
			return false
		}
	}
	return true
}
