package llama

import (
	"fmt"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// Trainer computes losses and gradients. It is not safe for concurrent use; several trainers may share a model as long
// as nobody changes it, and at most one of them uses GradOptions.Full.
type Trainer struct {
	m     *Model
	buf   arena
	lora  *loraState // the adapter of this step, or nil
	kept  *loraState // its buffers, kept between steps
	dh    tensor.Mat
	saved []savedLayer

	ids, pos, rows, targets []int32
	spans                   []tensor.Span
	owner                   []int
	losses                  []float64
	examples                []ExampleLoss
	score                   bool // count the tokens that the model would have chosen
	row                     []float32
}

// savedLayer is what the backward pass needs of a layer's forward pass.
type savedLayer struct {
	x, xn, inv        tensor.Mat // input of the layer, normalised
	q, k, v, o, lse   tensor.Mat
	qRaw, kRaw        tensor.Mat // before the norm by heads, if the model has one
	qInv, kInv        tensor.Mat
	mid, midn, midInv tensor.Mat // input of the feed-forward part, normalised
	gate, up, act     tensor.Mat
	loraH             [lora.NumModules]tensor.Mat // scale * A·x of each adapted map
	oUsed             tensor.Mat                  // of the last layer: the rows of o that a loss depends on
}

// lossRows is how many rows of logits are in memory at a time.
const lossRows = 512

// NewTrainer makes a trainer. It needs no more of the model than a Runner does, in whatever form the weights are kept.
func (m *Model) NewTrainer() (*Trainer, error) {
	return &Trainer{m: m, buf: arena{b: m.backend}, saved: make([]savedLayer, len(m.layers))}, nil
}

// Loss computes the loss of examples without gradients.
func (t *Trainer) Loss(examples []Example, a *lora.Adapter) (Loss, error) {
	return t.run(examples, GradOptions{Adapter: a}, false)
}

// Score is Loss that also counts, per example, the tokens that greedy decoding would have chosen.
func (t *Trainer) Score(examples []Example, a *lora.Adapter) (Loss, error) {
	t.score = true
	defer func() { t.score = false }()
	return t.run(examples, GradOptions{Adapter: a}, false)
}

// LossGrad computes the loss of examples and adds its gradient, times the scale, to what the options name.
func (t *Trainer) LossGrad(examples []Example, opt GradOptions) (Loss, error) {
	return t.run(examples, opt, true)
}

func (t *Trainer) run(examples []Example, opt GradOptions, grad bool) (Loss, error) {
	if err := t.prepare(examples, opt, grad); err != nil {
		return Loss{}, err
	}
	if err := t.buf.begin(t.need(opt, grad)); err != nil {
		return Loss{}, fmt.Errorf("llama: activations of %d tokens: %w", len(t.ids), err)
	}
	if err := t.setLora(opt); err != nil {
		return Loss{}, err
	}
	loss := Loss{PerExample: t.examples, Tokens: len(t.rows)}
	if len(t.ids) == 0 || len(t.rows) == 0 {
		return loss, nil
	}
	scale := opt.Scale
	if scale == 0 {
		scale = 1 / float32(len(t.rows))
	}
	x := t.forward(grad)
	t.head(x, opt, grad, scale)
	if err := t.m.backend.Sync(); err != nil {
		return Loss{}, fmt.Errorf("llama: %w", err)
	}
	for i, l := range t.losses {
		loss.Sum += l
		e := &loss.PerExample[t.owner[i]]
		e.Sum += l
		e.Tokens++
	}
	return loss, nil
}

// prepare checks the examples and lays their tokens out in rows, a span per example. A token's loss belongs to the row
// before it.
func (t *Trainer) prepare(examples []Example, opt GradOptions, grad bool) error {
	c := &t.m.cfg
	if grad && opt.Full && !t.m.opt.Trainable {
		return fmt.Errorf("llama: the model is not trainable: load it with Options.Trainable to train all parameters")
	}
	if opt.AdapterGrads != nil && opt.Adapter == nil {
		return fmt.Errorf("llama: gradients of an adapter were asked for without an adapter")
	}
	if opt.Adapter != nil && opt.Adapter.Geom != c.Geometry() {
		return fmt.Errorf("llama: the adapter was made for another base model")
	}
	if g := opt.AdapterGrads; g != nil && (len(g.Flat) != len(opt.Adapter.Flat) || len(g.Pairs) != len(opt.Adapter.Pairs)) {
		return fmt.Errorf("llama: the gradients are laid out for another adapter")
	}
	t.ids, t.pos, t.rows, t.targets = t.ids[:0], t.pos[:0], t.rows[:0], t.targets[:0]
	t.spans, t.owner = t.spans[:0], t.owner[:0]
	for i, e := range examples {
		if len(e.Tokens) > c.MaxPositions {
			return fmt.Errorf("llama: example %d has %d tokens: the model has %d positions", i, len(e.Tokens), c.MaxPositions)
		}
		if e.Mask != nil && len(e.Mask) != len(e.Tokens) {
			return fmt.Errorf("llama: example %d has %d tokens and a mask of %d", i, len(e.Tokens), len(e.Mask))
		}
		row := len(t.ids)
		for j, id := range e.Tokens {
			if int64(id) >= int64(c.VocabSize) {
				return fmt.Errorf("llama: example %d has token %d: the vocabulary has %d", i, id, c.VocabSize)
			}
			t.ids = append(t.ids, int32(id))
			t.pos = append(t.pos, int32(j))
			if j > 0 && (e.Mask == nil || e.Mask[j]) {
				t.rows = append(t.rows, int32(row+j-1))
				t.targets = append(t.targets, int32(id))
				t.owner = append(t.owner, i)
			}
		}
		t.spans = append(t.spans, tensor.Span{Row: row, Rows: len(e.Tokens)})
	}
	if cap(t.losses) < len(t.rows) {
		t.losses = make([]float64, len(t.rows))
	}
	t.losses = t.losses[:len(t.rows)]
	if cap(t.examples) < len(examples) {
		t.examples = make([]ExampleLoss, len(examples))
	}
	t.examples = t.examples[:len(examples)]
	clear(t.examples)
	return nil
}

// countRight compares the likeliest token of each row of logits with its target; the rows belong to predicted tokens from on.
func (t *Trainer) countRight(logits tensor.Mat, from int) {
	host := logits.Host()
	for i := range logits.Rows {
		x := t.row
		if host != nil {
			x = host[i*logits.Stride:][:logits.Cols]
		} else {
			if cap(x) < logits.Cols {
				t.row = make([]float32, logits.Cols)
			}
			x = t.row[:logits.Cols]
			t.m.backend.Download(x, logits.Buf, logits.Off+i*logits.Stride)
		}
		target := int(t.targets[from+i])
		best, right := x[target], true
		for j, v := range x {
			if v > best || (v == best && j < target) {
				right = false
				break
			}
		}
		if right {
			t.examples[t.owner[from+i]].Right++
		}
	}
}

// ActivationBytes is about how much memory one token of a training step takes, with an adapter of that rank.
func (m *Model) ActivationBytes(rank int) int {
	c := &m.cfg
	d, f, qd, kd := c.HiddenSize, c.IntermediateSize, c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	layer := 4*d + 3*qd + 3*kd + 3*c.Heads + 3*f + int(lora.NumModules)*rank
	return 4 * (layer*c.Layers + 7*d + 3*qd + 3*kd + 3*f)
}

// need counts the values of all activations.
func (t *Trainer) need(opt GradOptions, grad bool) int {
	c := &t.m.cfg
	n, d, f := len(t.ids), c.HiddenSize, c.IntermediateSize
	qd, kd := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	layer := 4*d + 2 + 3*qd + 3*kd + 3*c.Heads + c.KVHeads + 3*f
	layers := 1
	if grad {
		layers = c.Layers
	}
	r := 0
	if opt.Adapter != nil {
		r = opt.Adapter.MaxRank()
		layer += int(lora.NumModules) * r
	}
	k := len(t.rows)
	total := n*layer*layers + n*d + k*(2*d+1+qd) + min(k, lossRows)*c.VocabSize
	if grad {
		total += n*(2*d+3*qd+3*kd+3*f+r) + k*(2*d+qd)
	}
	return total
}

// save cuts a layer's activations out of the arena.
func (t *Trainer) save() savedLayer {
	c, n := &t.m.cfg, len(t.ids)
	d, f, qd, kd := c.HiddenSize, c.IntermediateSize, c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	m := t.buf.mat
	s := savedLayer{x: m(n, d), xn: m(n, d), inv: m(n, 1), q: m(n, qd), k: m(n, kd), v: m(n, kd), o: m(n, qd),
		lse: m(n, 2*c.Heads), mid: m(n, d), midn: m(n, d), midInv: m(n, 1), gate: m(n, f), up: m(n, f), act: m(n, f)}
	if c.QKNorm {
		s.qRaw, s.kRaw, s.qInv, s.kInv = m(n, qd), m(n, kd), m(n*c.Heads, 1), m(n*c.KVHeads, 1)
	}
	for i := range s.loraH {
		if t.lora != nil {
			s.loraH[i] = m(n, t.lora.maxRank)
		}
	}
	return s
}

// forward runs the layers and returns the last one's output, of the rows that a loss depends on: past its attention
// the others are of no use. With grad every layer keeps its activations.
func (t *Trainer) forward(grad bool) tensor.Mat {
	c, b, n := &t.m.cfg, t.m.backend, len(t.ids)
	used := len(t.rows)
	y, last := t.buf.mat(n, c.HiddenSize), t.buf.mat(used, c.HiddenSize)
	for l := range t.m.layers {
		if l == 0 || grad {
			t.saved[l] = t.save()
		} else {
			t.saved[l] = t.saved[0]
		}
	}
	t.m.embeddings(t.saved[0].x, t.ids)
	scale := float32(1 / sqrt(float64(c.HeadDim)))
	for l := range t.m.layers {
		ly, s := &t.m.layers[l], &t.saved[l]
		ly.attnNorm.Forward(b, s.xn, s.x, s.inv)
		q, k := s.q, s.k
		if c.QKNorm {
			q, k = s.qRaw, s.kRaw
		}
		t.linear(q, s.xn, l, lora.QProj)
		t.linear(k, s.xn, l, lora.KProj)
		t.linear(s.v, s.xn, l, lora.VProj)
		if c.QKNorm {
			ly.qNorm.Forward(b, heads(s.q, c.HeadDim), heads(q, c.HeadDim), s.qInv)
			ly.kNorm.Forward(b, heads(s.k, c.HeadDim), heads(k, c.HeadDim), s.kInv)
		}
		b.Rope(s.q, t.m.rope, t.pos, false)
		b.Rope(s.k, t.m.rope, t.pos, false)
		b.CausalAttention(s.o, s.lse, s.q, s.k, s.v, c.HeadDim, t.spans, scale, c.Window(l))
		o := s.o
		if l+1 < len(t.m.layers) {
			copyMat(b, s.mid, s.x)
		} else {
			s.oUsed = t.buf.mat(used, s.o.Cols)
			b.Gather(s.oUsed, s.o, t.rows)
			o, y = s.oUsed, y.RowRange(0, used)
			for _, m := range []*tensor.Mat{&s.mid, &s.midn, &s.midInv, &s.gate, &s.up, &s.act} {
				*m = m.RowRange(0, used)
			}
			b.Gather(s.mid, s.x, t.rows)
		}
		t.linear(y, o, l, lora.OProj)
		b.Add(s.mid, y)
		ly.mlpNorm.Forward(b, s.midn, s.mid, s.midInv)
		t.linear(s.gate, s.midn, l, lora.GateProj)
		t.linear(s.up, s.midn, l, lora.UpProj)
		b.SwiGLU(s.act, s.gate, s.up)
		t.linear(y, s.act, l, lora.DownProj)
		next := last
		if l+1 < len(t.m.layers) {
			next = t.saved[l+1].x
		}
		copyMat(b, next, s.mid)
		b.Add(next, y)
	}
	return last
}

// copyMat is y = x.
func copyMat(b tensor.Backend, y, x tensor.Mat) {
	b.Zero(y)
	b.Add(y, x)
}

// linear is a layer's map with the adapter.
func (t *Trainer) linear(y, x tensor.Mat, l int, mod lora.Module) {
	b := t.m.backend
	t.m.layers[l].lin[mod].Forward(b, y, x)
	if t.lora == nil {
		return
	}
	if p := t.lora.pair(l, mod); p != nil {
		h := t.h(l, mod, p, x.Rows)
		b.Linear(h, x, p.a, false)
		b.Scale(h, p.scale)
		b.Linear(y, h, p.b, true)
	}
}

func (t *Trainer) h(l int, mod lora.Module, p *loraPair, rows int) tensor.Mat {
	m := t.saved[l].loraH[mod].RowRange(0, rows)
	m.Cols, m.Stride = p.rank, p.rank
	return m
}

// head computes the losses from the last layer's output x, a row for each, and, with grad, the gradients of everything.
func (t *Trainer) head(x tensor.Mat, opt GradOptions, grad bool, scale float32) {
	m, c, b := t.m, &t.m.cfg, t.m.backend
	k := len(t.rows)
	rows, inv := t.buf.mat(k, c.HiddenSize), t.buf.mat(k, 1)
	m.norm.Forward(b, rows, x, inv)
	logits := t.buf.mat(min(k, lossRows), c.VocabSize)
	drows := tensor.Mat{}
	if grad {
		drows = t.buf.mat(k, c.HiddenSize)
	}
	for from := 0; from < k; from += lossRows {
		r := min(lossRows, k-from)
		lg := logits.RowRange(0, r)
		m.head.Forward(b, lg, rows.RowRange(from, r))
		b.CrossEntropy(t.losses[from:from+r], lg, t.targets[from:from+r], grad, scale)
		if t.score {
			t.countRight(lg, from)
		}
		if grad {
			m.head.Backward(b, drows.RowRange(from, r), lg, rows.RowRange(from, r), opt.Full, false)
		}
	}
	if !grad {
		return
	}
	dx := t.buf.mat(k, c.HiddenSize)
	b.Zero(dx)
	m.norm.Backward(b, dx, drows, x, inv, opt.Full)
	t.backward(dx, opt)
}
