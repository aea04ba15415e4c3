package llama

import (
	"fmt"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// Runner runs batches over one key-value cache. It is not safe for concurrent use; several runners may share a model.
type Runner struct {
	m   *Model
	kv  *KV
	buf arena

	ids, pos, slots, want []int32
	seqs                  []tensor.AttnSeq
	uses                  []lora.Use
	segs                  []tensor.LoraSegment
	ys                    []tensor.Mat
	out                   Output
	logits, hidden        []float32
}

// NewRunner makes a runner over a cache of the same model.
func (m *Model) NewRunner(kv *KV) *Runner { return &Runner{m: m, kv: kv, buf: arena{b: m.backend}} }

// Forward runs one step: every sequence's tokens are added to its cache, and the rows asked for get logits.
func (r *Runner) Forward(seqs []Seq) (*Output, error) {
	if err := r.prepare(seqs); err != nil {
		return nil, err
	}
	m, c, b := r.m, &r.m.cfg, r.m.backend
	n := len(r.ids)
	if err := r.buf.begin(n*(5*c.HiddenSize+2*c.Heads*c.HeadDim+2*c.KVHeads*c.HeadDim+3*c.IntermediateSize+c.Heads+c.KVHeads+1) +
		len(r.want)*(c.HiddenSize+c.VocabSize)); err != nil {
		return nil, fmt.Errorf("llama: activations of %d tokens: %w", n, err)
	}
	x, y, inv := r.buf.mat(n, c.HiddenSize), r.buf.mat(n, c.HiddenSize), r.buf.mat(n, 1)
	q, o := r.buf.mat(n, c.Heads*c.HeadDim), r.buf.mat(n, c.Heads*c.HeadDim)
	k, v := r.buf.mat(n, c.KVHeads*c.HeadDim), r.buf.mat(n, c.KVHeads*c.HeadDim)
	gate, up := r.buf.mat(n, c.IntermediateSize), r.buf.mat(n, c.IntermediateSize)
	act := r.buf.mat(n, c.IntermediateSize)
	headInv := r.buf.mat(n*max(c.Heads, c.KVHeads), 1)
	scale := float32(1 / sqrt(float64(c.HeadDim)))

	m.embeddings(x, r.ids)
	for l := range m.layers {
		ly := &m.layers[l]
		ly.attnNorm.Forward(b, y, x, inv)
		r.linears(y, l, lora.AttnIn, q, k, v)
		if c.QKNorm {
			hq, hk := heads(q, c.HeadDim), heads(k, c.HeadDim)
			ly.qNorm.Forward(b, hq, hq, headInv.RowRange(0, hq.Rows))
			ly.kNorm.Forward(b, hk, hk, headInv.RowRange(0, hk.Rows))
		}
		b.Rope(q, m.rope, r.pos, false)
		b.Rope(k, m.rope, r.pos, false)
		b.KVAppend(r.kv.layers[l], k, v, r.slots)
		b.Attention(o, q, r.kv.layers[l], r.seqs, scale)
		r.linears(o, l, lora.AttnOut, y)
		b.Add(x, y)
		ly.mlpNorm.Forward(b, y, x, inv)
		r.linears(y, l, lora.MLPIn, gate, up)
		b.SwiGLU(act, gate, up)
		r.linears(act, l, lora.MLPOut, y)
		b.Add(x, y)
	}
	m.norm.Forward(b, y, x, inv)
	rows, logits := r.buf.mat(len(r.want), c.HiddenSize), r.buf.mat(len(r.want), c.VocabSize)
	if len(r.want) > 0 {
		b.Gather(rows, y, r.want)
		m.head.Forward(b, logits, rows)
	}
	if err := b.Sync(); err != nil {
		return nil, fmt.Errorf("llama: %w", err)
	}
	r.out.Logits = r.host(&r.logits, logits)
	r.out.Hidden = r.host(&r.hidden, y)
	r.out.Vocab, r.out.Width = c.VocabSize, c.HiddenSize
	return &r.out, nil
}

func heads(m tensor.Mat, headDim int) tensor.Mat {
	return m.Reshape(m.Rows*(m.Cols/headDim), headDim)
}

// linears are a layer's maps of one input, with the batch's adapters.
func (r *Runner) linears(x tensor.Mat, l int, in lora.Input, ys ...tensor.Mat) {
	for i, mod := range in.Modules() {
		r.m.layers[l].lin[mod].Forward(r.m.backend, ys[i], x)
	}
	if len(r.segs) > 0 {
		r.ys = append(r.ys[:0], ys...)
		r.m.backend.Lora(r.ys, x, in.Group(l), r.segs)
	}
}

// host gives a matrix's values, in place if it can.
func (r *Runner) host(tmp *[]float32, m tensor.Mat) []float32 {
	if m.Empty() {
		return nil
	}
	if h := m.Host(); h != nil {
		return h
	}
	if n := m.Rows * m.Cols; cap(*tmp) < n {
		*tmp = make([]float32, n)
	}
	*tmp = (*tmp)[:m.Rows*m.Cols]
	r.m.backend.Download(*tmp, m.Buf, m.Off)
	return *tmp
}

// prepare checks the batch and lays its rows out.
func (r *Runner) prepare(seqs []Seq) error {
	c := &r.m.cfg
	r.ids, r.pos, r.slots, r.want = r.ids[:0], r.pos[:0], r.slots[:0], r.want[:0]
	r.seqs, r.uses = r.seqs[:0], r.uses[:0]
	r.out.First, r.out.HiddenFirst = r.out.First[:0], r.out.HiddenFirst[:0]
	for i := range seqs {
		s := &seqs[i]
		row, end := len(r.ids), s.Pos+len(s.Tokens)
		switch {
		case len(s.Tokens) == 0:
			return fmt.Errorf("llama: sequence %d has no tokens to run", i)
		case s.Pos < 0 || end > c.MaxPositions:
			return fmt.Errorf("llama: sequence %d needs %d positions: the model has %d", i, end, c.MaxPositions)
		case len(s.Blocks)*r.kv.size < end:
			return fmt.Errorf("llama: sequence %d needs %d positions, its %d pages have %d", i, end, len(s.Blocks), len(s.Blocks)*r.kv.size)
		case s.Adapter != nil && s.Adapter.Geometry() != c.Geometry():
			return fmt.Errorf("llama: sequence %d: adapter %s was made for another base model", i, s.Adapter.Key())
		}
		for _, p := range s.Blocks {
			if p < 0 || int(p) >= r.kv.pages {
				return fmt.Errorf("llama: sequence %d has page %d: the cache has %d", i, p, r.kv.pages)
			}
		}
		for j, t := range s.Tokens {
			if int64(t) >= int64(c.VocabSize) {
				return fmt.Errorf("llama: sequence %d has token %d: the vocabulary has %d", i, t, c.VocabSize)
			}
			p := s.Pos + j
			r.ids = append(r.ids, int32(t))
			r.pos = append(r.pos, int32(p))
			r.slots = append(r.slots, s.Blocks[p/r.kv.size]*int32(r.kv.size)+int32(p%r.kv.size))
		}
		r.out.First = append(r.out.First, len(r.want))
		r.out.HiddenFirst = append(r.out.HiddenFirst, row)
		switch s.Logits {
		case LogitsLast:
			r.want = append(r.want, int32(len(r.ids)-1))
		case LogitsAll:
			for j := row; j < len(r.ids); j++ {
				r.want = append(r.want, int32(j))
			}
		}
		r.seqs = append(r.seqs, tensor.AttnSeq{Row: row, Rows: len(s.Tokens), Pos: s.Pos, Blocks: s.Blocks})
		r.uses = lora.AddUse(r.uses, row, len(s.Tokens), s.Adapter)
	}
	r.segs = lora.Segments(r.segs[:0], r.uses)
	r.out.First = append(r.out.First, len(r.want))
	r.out.HiddenFirst = append(r.out.HiddenFirst, len(r.ids))
	return nil
}

// arena hands out matrices of one buffer, which grows to the largest need and stays.
type arena struct {
	b    tensor.Backend
	buf  tensor.Buffer
	used int
}

func (a *arena) begin(n int) error {
	a.used = 0
	if a.buf != nil && a.buf.Len() >= n {
		return nil
	}
	if a.buf != nil {
		a.b.Free(a.buf)
		a.buf = nil
	}
	buf, err := a.b.Alloc(n + n/8)
	if err != nil {
		return err
	}
	a.buf = buf
	return nil
}

func (a *arena) mat(rows, cols int) tensor.Mat {
	m := tensor.Mat{Buf: a.buf, Off: a.used, Rows: rows, Cols: cols, Stride: cols}
	a.used += rows * cols
	if a.used > a.buf.Len() {
		panic("llama: activations were counted too small")
	}
	return m
}
