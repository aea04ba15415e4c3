package llama

import (
	"strings"
	"testing"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

// blocky has rows of whole blocks.
func blocky() Config {
	return tiny(func(c *Config) { c.HiddenSize, c.IntermediateSize, c.HeadDim, c.VocabSize = 64, 96, 16, 75 })
}

// encoded is a source that stores its matrices in one format.
type encoded struct {
	noisy
	t     quant.Type
	cut   int // bytes to leave out
	plain map[string]bool
}

func (e *encoded) Encoded(name string) (quant.Type, []byte, []int, error) {
	data, shape, err := e.noisy.Tensor(name)
	if err != nil {
		return 0, nil, nil, err
	}
	raw, err := encodeRows(e.t, shape[0], shape[1], func(dst []float32, row int) error {
		copy(dst, data[row*shape[1]:])
		return nil
	})
	return e.t, raw[e.cut:], shape, err
}

func (e *encoded) Tensor(name string) ([]float32, []int, error) {
	e.plain[name] = true
	return e.noisy.Tensor(name)
}

func newEncoded(c Config, t quant.Type) *encoded {
	return &encoded{noisy: noisy{Random{Config: c, Seed: 7, Std: 0.3}}, t: t, plain: map[string]bool{}}
}

// TestEncodedModel_IsInvariant: the logits of a model in every format are the same bits for one token at a time in pure Go
// on one thread, and for chunks in company, with adapters, on several threads, whether the file had the format or the
// weights were converted.
func TestEncodedModel_IsInvariant(t *testing.T) {
	c := blocky()
	toks, other := tokens(45, 1, c.VocabSize), tokens(30, 2, c.VocabSize)
	a := newAdapter(t, c, 8, 3)
	var last []float32
	for _, typ := range []quant.Type{quant.F16, quant.BF16, quant.Q8_0, quant.Q4_0} {
		model := func(cfg cpu.Config, src WeightSource, opt Options) *Model {
			m, err := New(newBackend(t, cfg), c, src, opt)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		m := model(cpu.Config{Threads: 1, PureGo: true}, newEncoded(c, typ), Options{})
		r, p := newRunner(t, m, 4), pack(t, m, "a", a)
		var want []float32
		for i := range toks {
			want = append(want, forward(t, r, Seq{Tokens: toks[i : i+1], Pos: i, Blocks: table(0, 45), Adapter: p, Logits: LogitsLast}).Row(0, 0)...)
		}
		if last != nil && want[0] == last[0] {
			t.Errorf("%v: the first logit is that of another format", typ)
		}
		last = want
		for _, cfg := range []cpu.Config{{Threads: 1}, {Threads: 3, SpreadAll: true}} {
			for _, convert := range []bool{false, true} {
				src, opt := WeightSource(newEncoded(c, typ)), Options{}
				if convert {
					src, opt = src.(*encoded).noisy, Options{Weights: &typ}
				}
				m := model(cfg, src, opt)
				r, p := newRunner(t, m, 8), pack(t, m, "a", a)
				var got []float32
				for pos := 0; pos < len(toks); {
					n := min(1+(pos*5)%19, len(toks)-pos)
					out := forward(t, r, Seq{Tokens: other, Blocks: table(4, 30)},
						Seq{Tokens: toks[pos : pos+n], Pos: pos, Blocks: table(0, 45), Adapter: p, Logits: LogitsAll})
					for k := range n {
						got = append(got, out.Row(1, k)...)
					}
					pos += n
				}
				sameBits(t, typ.String(), got, want)
			}
		}
		tr, err := m.NewTrainer()
		if err != nil {
			t.Fatal(err)
		}
		loss, err := tr.LossGrad([]Example{{Tokens: toks}}, GradOptions{Adapter: a, AdapterGrads: lora.NewGrads(a)})
		if err != nil {
			t.Fatal(err)
		}
		losses, targets := make([]float64, len(toks)-1), make([]int32, len(toks)-1)
		for i := range targets {
			targets[i] = int32(toks[i+1])
		}
		m.Backend().CrossEntropy(losses, tensor.Of(cpu.View(want), len(toks), c.VocabSize).RowRange(0, len(toks)-1), targets, false, 1)
		sum := 0.0
		for _, l := range losses {
			sum += l
		}
		if sum != loss.Sum {
			t.Errorf("%v: the runner's loss is %v, the trainer's %v", typ, sum, loss.Sum)
		}
	}
}

// TestEncodedModel_TakesTheMemoryOfItsFile: matrices come encoded only, are kept as they are, and tied embeddings once.
func TestEncodedModel_TakesTheMemoryOfItsFile(t *testing.T) {
	c := blocky()
	c.VocabSize = 80
	for _, typ := range []quant.Type{quant.F16, quant.BF16, quant.Q8_0, quant.Q4_0} {
		src := newEncoded(c, typ)
		m, err := New(newBackend(t, cpu.Config{Threads: 1}), c, src, Options{})
		if err != nil {
			t.Fatal(err)
		}
		file := int64(0)
		for _, p := range c.ParamShapes() {
			rows, cols := p.dims()
			if len(p.Shape) == 1 {
				file += int64(cols) * 4
				continue
			}
			size, err := quant.RowBytes(typ, cols)
			if err != nil {
				t.Fatal(err)
			}
			file += int64(rows * size)
			if src.plain[p.Name] {
				t.Errorf("%v: %s was asked for as float32", typ, p.Name)
			}
		}
		if m.Bytes() != file {
			t.Errorf("%v: the model takes %d bytes, its file %d", typ, m.Bytes(), file)
		}
		if kept := m.WeightBytes(); len(kept) != 1 || kept[typ] == 0 {
			t.Errorf("%v is kept as %v", typ, kept)
		}
		if want := m.Backend().Profile(); m.Profile() != want {
			t.Errorf("profile %q of weights as they are stored, want %q", m.Profile(), want)
		}
	}
}

func TestEncodedModel_RefusesWhatDoesNotFit(t *testing.T) {
	c := blocky()
	odd := tiny(nil)
	q8 := quant.Q8_0
	short := newEncoded(c, quant.Q8_0)
	short.cut = 1
	wide := blocky()
	wide.IntermediateSize = 128
	for name, x := range map[string]struct {
		c    Config
		src  WeightSource
		opt  Options
		want string
	}{
		"rows that are not whole blocks": {odd, Random{Config: odd, Seed: 1}, Options{Weights: &q8}, "model.embed_tokens.weight"},
		"bytes missing":                  {c, short, Options{}, "model.embed_tokens.weight"},
		"another shape":                  {wide, newEncoded(c, quant.F16), Options{}, "mlp.gate_proj.weight"},
		"training all parameters":        {c, newEncoded(c, quant.F16), Options{Trainable: true, Weights: &q8}, "float32"},
	} {
		if _, err := New(newBackend(t, cpu.Config{Threads: 1}), x.c, x.src, x.opt); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: error %v, want one that names %s", name, err, x.want)
		}
	}
}
