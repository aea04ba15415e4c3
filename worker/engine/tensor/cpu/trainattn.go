package cpu

import "github.com/openledger/openledger/worker/engine/tensor"

// trainAttnTask is causal attention within spans, or its gradient: a tile per span and key-value head, so that the sums
// over the query heads of a group and over positions have one order.
type trainAttnTask struct {
	lv                        level
	dq, dk, dv, dout          tensor.Mat
	out, lse, q, k, v         tensor.Mat
	hd, heads, kvHeads, group int
	spans                     []tensor.Span
	window                    int
	scale                     float32
	grad                      bool
}

func (b *Backend) trainTask(out, lse, q, k, v tensor.Mat, headDim int, spans []tensor.Span, scale float32, window int) (*trainAttnTask, int) {
	check(out.Rows == q.Rows && out.Cols == q.Cols && k.Rows == q.Rows && v.Rows == q.Rows && k.Cols == v.Cols &&
		q.Cols%k.Cols == 0 && k.Cols%headDim == 0 && lse.Rows == q.Rows && lse.Cols == 2*q.Cols/headDim && window >= 0, "CausalAttention", out, lse, q, k, v)
	work := 0
	for _, s := range spans {
		check(s.Row >= 0 && s.Rows >= 0 && s.Row+s.Rows <= q.Rows, "CausalAttention", q)
		work += s.Rows * s.Rows * q.Cols
	}
	t := b.trains.Get().(*trainAttnTask)
	*t = trainAttnTask{lv: b.lv, out: out, lse: lse, q: q, k: k, v: v, hd: headDim, heads: q.Cols / headDim,
		kvHeads: k.Cols / headDim, group: q.Cols / k.Cols, spans: spans, scale: scale, window: window}
	return t, work
}

// CausalAttention is attention for training; it has the bits of Attention.
func (b *Backend) CausalAttention(out, lse, q, k, v tensor.Mat, headDim int, spans []tensor.Span, scale float32, window int) {
	t, work := b.trainTask(out, lse, q, k, v, headDim, spans, scale, window)
	b.pool.run(t, len(spans)*t.kvHeads, worth(work))
	*t = trainAttnTask{}
	b.trains.Put(t)
}

// CausalAttentionGrad is the gradient of CausalAttention.
func (b *Backend) CausalAttentionGrad(dq, dk, dv, dout, out, lse, q, k, v tensor.Mat, headDim int, spans []tensor.Span, scale float32, window int) {
	check(dq.Rows == q.Rows && dq.Cols == q.Cols && dk.Rows == q.Rows && dk.Cols == k.Cols && dv.Rows == q.Rows && dv.Cols == k.Cols &&
		dout.Rows == q.Rows && dout.Cols == q.Cols, "CausalAttentionGrad", dq, dk, dv, dout)
	t, work := b.trainTask(out, lse, q, k, v, headDim, spans, scale, window)
	t.dq, t.dk, t.dv, t.dout, t.grad = dq, dk, dv, dout, true
	b.pool.run(t, len(spans)*t.kvHeads, worth(3*work))
	*t = trainAttnTask{}
	b.trains.Put(t)
}

func at(m tensor.Mat, r, c int) []float32 { return m.Host()[r*m.Stride+c:] }

func (t *trainAttnTask) tile(s *scratch, i int) {
	span, kvh := t.spans[i/t.kvHeads], i%t.kvHeads
	if span.Rows == 0 {
		return
	}
	if t.grad {
		t.backward(s, span, kvh)
		return
	}
	n, hd := span.Rows, t.hd
	kp := s.get(1, packedLen(n, hd))
	packT(kp, at(t.k, span.Row, kvh*hd), n, hd, t.k.Stride)
	view := kvView{k: kp, v: at(t.v, span.Row, kvh*hd), hd: hd, vs: t.v.Stride, window: t.window}
	for h := kvh * t.group; h < (kvh+1)*t.group; h++ {
		for from := 0; from < n; from += attnRows {
			m := min(attnRows, n-from)
			r := span.Row + from
			view.attend(t.lv, s.get(0, view.scratch(m, from+1, 1)), at(t.q, r, h*hd), t.q.Stride, m, from+1, 1,
				at(t.out, r, h*hd), t.out.Stride, t.scale, at(t.lse, r, 2*h), t.lse.Stride)
		}
	}
}

// backward computes dq, dk and dv of one span and key-value head, a block of query rows at a time. With p the
// probabilities, ds = p*(dout·vᵀ - dot(dout, out))*scale; dq = ds·k; dk = dsᵀ·q; dv = pᵀ·dout.
func (t *trainAttnTask) backward(s *scratch, span tensor.Span, kvh int) {
	const block = 48
	n, hd, lv := span.Rows, t.hd, t.lv
	plen := packedLen(n, hd)
	packs := s.get(1, 2*plen)
	kp, vp := packs[:plen], packs[plen:]
	packT(kp, at(t.k, span.Row, kvh*hd), n, hd, t.k.Stride)
	packT(vp, at(t.v, span.Row, kvh*hd), n, hd, t.v.Stride)
	view := kvView{window: t.window}
	for r := range n {
		clear(at(t.dk, span.Row+r, kvh*hd)[:hd])
		clear(at(t.dv, span.Row+r, kvh*hd)[:hd])
	}
	for h := kvh * t.group; h < (kvh+1)*t.group; h++ {
		for from := 0; from < n; from += block {
			m := min(block, n-from)
			// The rows of this block see positions [base, base+seen).
			base := view.panel(from + 1)
			r, b, seen := span.Row+from, span.Row+base, from+m-base
			ld := roundPanel(seen)
			p, ds := s.get(0, m*ld), s.get(2, m*ld)
			q, dout := at(t.q, r, h*hd), at(t.dout, r, h*hd)
			g := product{m: m, n: ld, k: hd, a: q, rs: t.q.Stride, cs: 1, b: kp[base*hd:], bs: panelCols, bp: panelCols * hd, c: p, ldc: ld}
			g.run(lv)
			g.a, g.rs, g.b, g.c = dout, t.dout.Stride, vp[base*hd:], ds
			g.run(lv)
			for i := range m {
				end := from + i + 1
				t.softmaxGrad(p[i*ld:][:ld], ds[i*ld:][:ld], view.from(end)-base, end-base, r+i, h)
			}
			// dq = ds·k; ds is zero outside each row's own positions.
			g = product{m: m, n: hd, k: seen, a: ds, rs: ld, cs: 1, b: at(t.k, b, kvh*hd), bs: t.k.Stride, bp: panelCols,
				c: at(t.dq, r, h*hd), ldc: t.dq.Stride}
			g.run(lv)
			// dk += dsᵀ·q and dv += pᵀ·dout, over the rows of this block.
			g = product{m: seen, n: hd, k: m, a: ds, rs: 1, cs: ld, b: q, bs: t.q.Stride, bp: panelCols,
				c: at(t.dk, b, kvh*hd), ldc: t.dk.Stride, acc: true}
			g.run(lv)
			g.a, g.b, g.bs, g.c, g.ldc = p, dout, t.dout.Stride, at(t.dv, b, kvh*hd), t.dv.Stride
			g.run(lv)
		}
	}
}

// softmaxGrad turns a row of scores into probabilities and a row of their gradients into that of the scores; both are
// zero outside [from, n).
func (t *trainAttnTask) softmaxGrad(p, ds []float32, from, n, r, h int) {
	lse := at(t.lse, r, 2*h)
	expRow(t.lv, p[from:n], p[from:n], t.scale, lse[0])
	inv := 1 / lse[1]
	d := dot8(t.lv, at(t.dout, r, h*t.hd)[:t.hd], at(t.out, r, h*t.hd)[:t.hd])
	softmaxGradRow(p[from:n], ds[from:n], inv, d, t.scale)
	clear(p[:from])
	clear(ds[:from])
	clear(p[n:])
	clear(ds[n:])
}

func softmaxGradRow(p, ds []float32, inv, d, scale float32) {
	ds = ds[:len(p)]
	for j, e := range p {
		e = float32(e * inv)
		p[j] = e
		ds[j] = float32(float32(e*(ds[j]-d)) * scale)
	}
}
