package cpu

import "github.com/openledger/openledger/worker/engine/tensor"

// Keys lie in panels as wide as those of a packed weight.
const _ = uint(panelCols-tensor.PanelTokens) + uint(tensor.PanelTokens-panelCols)

// kvView is the keys and values of one head. Keys are panels of 16 positions, k-major; values are rows. With blocks,
// the size positions of page j lie at blocks[j]*page (both), else the keys' panels and the values' rows follow one
// another. With a window, a row that ends at position n sees [n-window, n) only.
type kvView struct {
	k, v       []float32
	blocks     []int32
	size, page int
	hd, vs     int
	window     int
}

// from is the first position that a row of n sees.
func (kv *kvView) from(n int) int {
	if kv.window == 0 {
		return 0
	}
	return max(0, n-kv.window)
}

// panel is the start of the panel that holds from(n).
func (kv *kvView) panel(n int) int { return kv.from(n) / panelCols * panelCols }

// scratch is how many values attend needs for m rows, of which row i ends at n0 + i*step.
func (kv *kvView) scratch(m, n0, step int) int {
	return m * roundPanel(n0+(m-1)*step-kv.panel(n0))
}

// scores computes s = q·kᵀ for m rows (a at stride rs) and positions [from, n); row i of s begins at i*ld. from is the
// start of a panel, and ld must leave room for whole panels.
func (kv *kvView) scores(lv level, s []float32, ld int, q []float32, rs, m, from, n int) {
	g := product{m: m, n: roundPanel(n - from), k: kv.hd, a: q, rs: rs, cs: 1, bs: panelCols, bp: panelCols * kv.hd, ldc: ld}
	if kv.blocks == nil {
		g.b, g.c = kv.k[from*kv.hd:], s
		g.run(lv)
		return
	}
	j, off := 0, 0 // page and offset in it
	if from > 0 {
		j, off = from/kv.size, from%kv.size
	}
	for at := from; at < n; at += g.n {
		g.n = min(kv.size-off, roundPanel(n-at))
		g.b, g.c = kv.k[int(kv.blocks[j])*kv.page+off*kv.hd:], s[at-from:]
		g.run(lv)
		j, off = j+1, 0
	}
}

// values computes out = p·v, or out += p·v, over positions [from, to) for m rows, of which p[0] is that of from.
func (kv *kvView) values(lv level, out []float32, ors int, p []float32, ld, m, from, to int, acc bool) {
	g := product{m: m, n: kv.hd, rs: ld, cs: 1, bs: kv.vs, bp: panelCols, c: out, ldc: ors, acc: acc}
	j, off := 0, from
	if kv.blocks != nil && from > 0 {
		j, off = from/kv.size, from%kv.size
	}
	for at := from; at < to; at += g.k {
		g.k, g.a = to-at, p[at-from:]
		if kv.blocks == nil {
			g.b = kv.v[off*kv.vs:]
		} else {
			g.k = min(g.k, kv.size-off)
			g.b = kv.v[int(kv.blocks[j])*kv.page+off*kv.vs:]
		}
		g.run(lv)
		g.acc = true
		j, off = j+1, 0
	}
}

// attend is attention of m rows: row i ends at position n0 + i*step (step is 0 or 1). The scores go to s, whose rows
// become exp(score*scale - max). lse, if not nil, receives (max, sum) of row i at i*ls.
func (kv *kvView) attend(lv level, s []float32, q []float32, rs, m, n0, step int, out []float32, ors int, scale float32, lse []float32, ls int) {
	const rowsAtOnce = 6
	base := kv.panel(n0) // s begins there
	ld := roundPanel(n0 + (m-1)*step - base)
	for i := 0; i < m; {
		r := min(rowsAtOnce, m-i)
		from := kv.panel(n0 + i*step)
		kv.scores(lv, s[i*ld+from-base:], ld, q[i*rs:], rs, r, from, n0+(i+r-1)*step)
		i += r
	}
	for i := range m {
		n := n0 + i*step
		from := kv.from(n)
		x := s[i*ld+from-base:][:n-from]
		hi := float32(max8(lv, x) * scale)
		expRow(lv, x, x, scale, hi)
		sum := sum8(lv, x)
		if lse != nil {
			lse[i*ls], lse[i*ls+1] = hi, sum
		}
	}
	for i := 0; i < m; {
		r := min(rowsAtOnce, m-i)
		if n := n0 + i*step; kv.from(n+(r-1)*step) == 0 {
			kv.values(lv, out[i*ors:], ors, s[i*ld:], ld, r, 0, n, false)
			for j := 1; j < r && step > 0; j++ { // a row never reads past its own length
				kv.values(lv, out[(i+j)*ors:], ors, s[(i+j)*ld+n:], ld, 1, n, n+j*step, true)
			}
		} else {
			kv.slide(lv, out[i*ors:], ors, s[i*ld:], ld, base, r, n, step)
		}
		i += r
	}
	for i := range m {
		n := n0 + i*step
		from := kv.from(n)
		f := 1 / sum8(lv, s[i*ld+from-base:][:n-from])
		o := out[i*ors:][:kv.hd]
		for j := range o {
			o[j] = float32(o[j] * f)
		}
	}
}

// slide computes out = p·v for r rows whose windows begin at different positions: each row's own beginning, the part
// that all rows see, and each row's own end, so that every row is one chain over its window in ascending order. p[0] is
// that of position base.
func (kv *kvView) slide(lv level, out []float32, ors int, p []float32, ld, base, r, n, step int) {
	part := func(j, rows, from, to int) {
		if from < to {
			kv.values(lv, out[j*ors:], ors, p[j*ld+from-base:], ld, rows, from, to, true)
		}
	}
	shared := kv.from(n + (r-1)*step) // up to n
	for j := range r {
		clear(out[j*ors:][:kv.hd])
		part(j, 1, kv.from(n+j*step), min(shared, n+j*step))
	}
	part(0, r, shared, n)
	for j := range r {
		part(j, 1, max(shared, n), n+j*step)
	}
}

func roundPanel(n int) int { return (n + panelCols - 1) / panelCols * panelCols }

// attnRows is how many positions of a prefill chunk one tile takes.
const attnRows = 24

type attnTask struct {
	lv          level
	out, q      tensor.Mat
	kv          tensor.KVLayer
	seqs        []tensor.AttnSeq
	scale       float32
	first       []int // first tile of each sequence
	tiles, work int
}

// KVAppend stores keys and values in their pages.
func (b *Backend) KVAppend(kv tensor.KVLayer, k, v tensor.Mat, slots []int32) {
	width := kv.Heads * kv.HeadDim
	check(k.Rows == len(slots) && v.Rows == len(slots) && k.Cols == width && v.Cols == width, "KVAppend", k, v)
	checkPages(kv)
	ks, vs, kh, vh := kv.K.Host(), kv.V.Host(), k.Host(), v.Host()
	hd := kv.HeadDim
	for i, slot := range slots {
		if slot < 0 || int(slot) >= kv.Pages*kv.PageTokens {
			panic("cpu: cache slot out of range")
		}
		page, off := int(slot)/kv.PageTokens*width*kv.PageTokens, int(slot)%kv.PageTokens
		kr, vr := row(kh, k, i), row(vh, v, i)
		for h := range kv.Heads {
			base := page + h*hd*kv.PageTokens
			copy(vs[base+off*hd:][:hd], vr[h*hd:])
			dst := ks[base+off/panelCols*panelCols*hd+off%panelCols:][:(hd-1)*panelCols+1]
			for j, x := range kr[h*hd:][:hd] {
				dst[j*panelCols] = x
			}
		}
	}
}

func checkPages(kv tensor.KVLayer) {
	if err := tensor.CheckPageTokens(kv.PageTokens); err != nil {
		panic("cpu: " + err.Error())
	}
	if kv.Window < 0 {
		panic("cpu: negative window of attention")
	}
}

// Attention is paged attention.
func (b *Backend) Attention(out, q tensor.Mat, kv tensor.KVLayer, seqs []tensor.AttnSeq, scale float32) {
	check(out.Rows == q.Rows && out.Cols == q.Cols && q.Cols%(kv.Heads*kv.HeadDim) == 0, "Attention", out, q)
	checkPages(kv)
	t := b.attns.Get().(*attnTask)
	t.lv, t.out, t.q, t.kv, t.seqs, t.scale = b.lv, out, q, kv, seqs, scale
	t.first, t.tiles, t.work = t.first[:0], 0, 0
	for i := range seqs {
		s := &seqs[i]
		check(s.Row >= 0 && s.Row+s.Rows <= q.Rows && s.Pos+s.Rows <= len(s.Blocks)*kv.PageTokens, "Attention", out, q)
		checkRows(s.Blocks, kv.Pages)
		t.first = append(t.first, t.tiles)
		t.tiles += (s.Rows + attnRows - 1) / attnRows * kv.Heads
		seen := s.Pos + s.Rows
		if kv.Window > 0 {
			seen = min(seen, kv.Window+s.Rows)
		}
		t.work += s.Rows * seen * q.Cols * 2
	}
	b.pool.run(t, t.tiles, worth(t.work))
	first := t.first
	*t = attnTask{first: first}
	b.attns.Put(t)
}

func (t *attnTask) tile(s *scratch, i int) {
	lo, hi := 0, len(t.first) // the last sequence whose first tile is not after i
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; t.first[mid] <= i {
			lo = mid
		} else {
			hi = mid
		}
	}
	for lo > 0 && t.seqs[lo].Rows == 0 {
		lo--
	}
	seq := &t.seqs[lo]
	i -= t.first[lo]
	head, from := i%t.kv.Heads, i/t.kv.Heads*attnRows
	n := min(attnRows, seq.Rows-from)
	hd := t.kv.HeadDim
	group := t.q.Cols / (t.kv.Heads * hd)
	view := kvView{
		k: t.kv.K.Host()[head*hd*t.kv.PageTokens:], v: t.kv.V.Host()[head*hd*t.kv.PageTokens:],
		blocks: seq.Blocks, size: t.kv.PageTokens, page: t.kv.Heads * hd * t.kv.PageTokens, hd: hd, vs: hd, window: t.kv.Window,
	}
	seen := seq.Pos + from + 1
	q := t.q.Host()[(seq.Row+from)*t.q.Stride+head*group*hd:]
	out := t.out.Host()[(seq.Row+from)*t.out.Stride+head*group*hd:]
	if n == 1 { // one position: the rows are the query heads of the group
		buf := s.get(0, view.scratch(group, seen, 0))
		view.attend(t.lv, buf, q, hd, group, seen, 0, out, hd, t.scale, nil, 0)
		return
	}
	buf := s.get(0, view.scratch(n, seen, 1))
	for g := range group {
		view.attend(t.lv, buf, q[g*hd:], t.q.Stride, n, seen, 1, out[g*hd:], t.out.Stride, t.scale, nil, 0)
	}
}
