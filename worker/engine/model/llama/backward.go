package llama

import (
	"fmt"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/nn"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// loraState is the adapter in training: each pair packed for the forward pass and row-major for the backward pass, and
// its gradient.
type loraState struct {
	pairs   []loraPair
	adapter *lora.Adapter
	grads   *lora.Grads
	maxRank int
}

type loraPair struct {
	a, b         tensor.Weight
	aRows, bRows tensor.Mat
	da, db       tensor.Mat
	rank         int
	scale        float32
}

func (s *loraState) pair(l int, mod lora.Module) *loraPair {
	if i := s.adapter.PairIndex(l, mod); i >= 0 {
		return &s.pairs[i]
	}
	return nil
}

// setLora brings the adapter's present values to the backend. The buffers are kept for the next step.
func (t *Trainer) setLora(opt GradOptions) error {
	a, b := opt.Adapter, t.m.backend
	if a == nil {
		t.lora = nil
		return nil
	}
	if t.kept == nil || !sameLayout(t.kept.adapter, a) {
		s := &loraState{pairs: make([]loraPair, len(a.Pairs)), maxRank: a.MaxRank()}
		for i := range a.Pairs {
			p, err := newLoraPair(b, &a.Pairs[i])
			if err != nil {
				return fmt.Errorf("llama: adapter: %w", err)
			}
			s.pairs[i] = p
		}
		t.kept = s
	}
	t.lora = t.kept
	t.lora.adapter, t.lora.grads = a, opt.AdapterGrads
	for i := range a.Pairs {
		p, x := &t.lora.pairs[i], &a.Pairs[i]
		b.Upload(p.aRows.Buf, 0, x.A)
		b.Upload(p.bRows.Buf, 0, x.B)
		b.Repack(p.a, p.aRows)
		b.Repack(p.b, p.bRows)
		p.scale = x.Scale
		if opt.AdapterGrads != nil {
			b.Upload(p.da.Buf, 0, opt.AdapterGrads.Pairs[i].A)
			b.Upload(p.db.Buf, 0, opt.AdapterGrads.Pairs[i].B)
		}
	}
	return nil
}

func sameLayout(a, b *lora.Adapter) bool {
	if len(a.Pairs) != len(b.Pairs) {
		return false
	}
	for i := range a.Pairs {
		p, q := &a.Pairs[i], &b.Pairs[i]
		if p.Layer != q.Layer || p.Module != q.Module || p.Rank != q.Rank {
			return false
		}
	}
	return true
}

func newLoraPair(b tensor.Backend, x *lora.Pair) (p loraPair, err error) {
	p.rank = x.Rank
	if p.a, err = b.Pack(x.Rank, x.Shape.In, x.A); err != nil {
		return p, err
	}
	if p.b, err = b.Pack(x.Shape.Out, x.Rank, x.B); err != nil {
		return p, err
	}
	for _, z := range []struct {
		m          *tensor.Mat
		rows, cols int
	}{{&p.aRows, x.Rank, x.Shape.In}, {&p.da, x.Rank, x.Shape.In}, {&p.bRows, x.Shape.Out, x.Rank}, {&p.db, x.Shape.Out, x.Rank}} {
		if *z.m, err = nn.Zeros(b, z.rows, z.cols); err != nil {
			return p, err
		}
	}
	return p, nil
}

// linearGrad goes back through a layer's map with the adapter: it sets dx (or adds to it) from dy.
func (t *Trainer) linearGrad(dx, dy, x tensor.Mat, l int, mod lora.Module, opt GradOptions, accumulate bool) {
	b := t.m.backend
	t.m.layers[l].lin[mod].Backward(b, dx, dy, x, opt.Full, accumulate)
	if t.lora == nil {
		return
	}
	p := t.lora.pair(l, mod)
	if p == nil {
		return
	}
	h := t.h(l, mod, p, dy.Rows)
	dh := t.dh.RowRange(0, dy.Rows)
	dh.Cols, dh.Stride = p.rank, p.rank
	b.MatMul(dh, dy, p.bRows, false, false)
	b.Scale(dh, p.scale)
	if opt.AdapterGrads != nil {
		b.MatMul(p.db, dy, h, true, true)
		b.MatMul(p.da, dh, x, true, true)
	}
	if dx.Buf != nil {
		b.MatMul(dx, dh, p.aRows, false, true)
	}
}

// backward goes back through the layers. dxUsed is the gradient by the last layer's output: only the rows that a loss
// depends on, until the attention spreads it.
func (t *Trainer) backward(dxUsed tensor.Mat, opt GradOptions) {
	c, b, n := &t.m.cfg, t.m.backend, len(t.ids)
	qd, kd, f := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim, c.IntermediateSize
	m := t.buf.mat
	dxAll, dyAll := m(n, c.HiddenSize), m(n, c.HiddenSize)
	dact, dgate, dup := m(n, f), m(n, f), m(n, f)
	do, dq, dk, dv := m(n, qd), m(n, qd), m(n, kd), m(n, kd)
	var dqRaw, dkRaw tensor.Mat
	if c.QKNorm {
		dqRaw, dkRaw = m(n, qd), m(n, kd)
	}
	if t.lora != nil {
		t.dh = m(n, t.lora.maxRank)
	}
	scale := float32(1 / sqrt(float64(c.HeadDim)))
	doUsed := m(len(t.rows), qd)
	for l := len(t.m.layers) - 1; l >= 0; l-- {
		ly, s := &t.m.layers[l], &t.saved[l]
		last := l == len(t.m.layers)-1
		dx, dy, dact, dgate, dup := dxAll, dyAll, dact, dgate, dup
		if last {
			k := len(t.rows)
			dx, dy, dact, dgate, dup = dxUsed, dy.RowRange(0, k), dact.RowRange(0, k), dgate.RowRange(0, k), dup.RowRange(0, k)
		}
		// The feed-forward part: x' = mid + down(silu(gate(midn)) * up(midn)).
		t.linearGrad(dact, dx, s.act, l, lora.DownProj, opt, false)
		b.SwiGLUGrad(dgate, dup, dact, s.gate, s.up)
		t.linearGrad(dy, dgate, s.midn, l, lora.GateProj, opt, false)
		t.linearGrad(dy, dup, s.midn, l, lora.UpProj, opt, true)
		ly.mlpNorm.Backward(b, dx, dy, s.mid, s.midInv, opt.Full)
		// Attention: mid = x + o(attention(q(xn), k(xn), v(xn))).
		if last {
			t.linearGrad(doUsed, dx, s.oUsed, l, lora.OProj, opt, false)
			b.Zero(do)
			b.ScatterAdd(do, doUsed, t.rows)
			b.Zero(dxAll)
			b.ScatterAdd(dxAll, dx, t.rows)
			dx, dy = dxAll, dyAll
		} else {
			t.linearGrad(do, dx, s.o, l, lora.OProj, opt, false)
		}
		b.CausalAttentionGrad(dq, dk, dv, do, s.o, s.lse, s.q, s.k, s.v, c.HeadDim, t.spans, scale, c.Window(l))
		b.Rope(dq, t.m.rope, t.pos, true)
		b.Rope(dk, t.m.rope, t.pos, true)
		gq, gk := dq, dk
		if c.QKNorm {
			b.Zero(dqRaw)
			b.Zero(dkRaw)
			ly.qNorm.Backward(b, heads(dqRaw, c.HeadDim), heads(dq, c.HeadDim), heads(s.qRaw, c.HeadDim), s.qInv, opt.Full)
			ly.kNorm.Backward(b, heads(dkRaw, c.HeadDim), heads(dk, c.HeadDim), heads(s.kRaw, c.HeadDim), s.kInv, opt.Full)
			gq, gk = dqRaw, dkRaw
		}
		// Below the first layer only the embeddings are left.
		dxn := dy
		if l == 0 && !opt.Full {
			dxn = tensor.Mat{}
		}
		t.linearGrad(dxn, gq, s.xn, l, lora.QProj, opt, false)
		t.linearGrad(dxn, gk, s.xn, l, lora.KProj, opt, true)
		t.linearGrad(dxn, dv, s.xn, l, lora.VProj, opt, true)
		if dxn.Buf != nil {
			ly.attnNorm.Backward(b, dx, dy, s.x, s.inv, opt.Full)
		}
	}
	if opt.Full {
		b.ScatterAdd(t.m.embedGrad, dxAll, t.ids)
	}
	if g := opt.AdapterGrads; g != nil {
		for i := range g.Pairs {
			b.Download(g.Pairs[i].A, t.lora.pairs[i].da.Buf, 0)
			b.Download(g.Pairs[i].B, t.lora.pairs[i].db.Buf, 0)
		}
	}
}
