package llama

import (
	"math"
	"sync"
	"testing"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/nn"
	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

func pack(t testing.TB, m *Model, key string, a *lora.Adapter) *lora.Packed {
	t.Helper()
	p, err := lora.Pack(m.Backend(), key, a)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func forward(t testing.TB, r *Runner, seqs ...Seq) *Output {
	t.Helper()
	out, err := r.Forward(seqs)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func newRunner(t testing.TB, m *Model, pages int) *Runner {
	t.Helper()
	return pagedRunner(t, m, pages, tensor.DefaultPageTokens)
}

func pagedRunner(t testing.TB, m *Model, pages, size int) *Runner {
	t.Helper()
	kv, err := m.NewKV(pages, size)
	if err != nil {
		t.Fatal(err)
	}
	// Pages are reused without clearing: whatever they hold must not matter.
	for _, l := range kv.layers {
		for _, b := range []tensor.Buffer{l.K, l.V} {
			for i := range b.Host() {
				b.Host()[i] = float32(math.NaN())
			}
		}
	}
	return m.NewRunner(kv)
}

func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) || len(got) == 0 {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// alone is the reference: one sequence, one token at a time, one thread, pure Go.
func alone(t *testing.T, c Config, toks []uint32, a *lora.Adapter) []float32 {
	t.Helper()
	m := newModel(t, newBackend(t, cpu.Config{Threads: 1, PureGo: true}), c, false)
	r := newRunner(t, m, len(toks)/tensor.DefaultPageTokens+1)
	var p *lora.Packed
	if a != nil {
		p = pack(t, m, "alone", a)
	}
	var logits []float32
	for i := range toks {
		out := forward(t, r, Seq{Tokens: toks[i : i+1], Pos: i, Blocks: table(0, len(toks)), Adapter: p, Logits: LogitsLast})
		logits = append(logits, out.Row(0, 0)...)
	}
	return logits
}

func TestForward_IsInvariant(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			c := tiny(v.change)
			adapters := []*lora.Adapter{nil, newAdapter(t, c, 3, 1), newAdapter(t, c, 16, 2, lora.QProj, lora.DownProj), newAdapter(t, c, 8, 3)}
			type job struct {
				toks []uint32
				want []float32
				got  []float32
				done int
				tab  []int32
			}
			for i, cfg := range []cpu.Config{{Threads: 1}, {Threads: 2, SpreadAll: true}, {Threads: 3, SpreadAll: true}, {Threads: 4, SpreadAll: true, PureGo: true}} {
				m := newModel(t, newBackend(t, cfg), c, false)
				size := []int{16, 64, 32, 48}[i]
				r := pagedRunner(t, m, 40, size)
				rng := nn.NewRNG(uint64(cfg.Threads))
				jobs := make([]*job, 6)
				var packed []*lora.Packed
				for _, a := range adapters {
					if a == nil {
						packed = append(packed, nil)
						continue
					}
					packed = append(packed, pack(t, m, "x", a))
				}
				perm := scatteredPages(rng, 40)
				for i := range jobs {
					n := 5 + 9*i
					j := &job{toks: tokens(n, uint64(i), c.VocabSize)}
					need := n/size + 1
					j.tab, perm = perm[:need], perm[need:]
					j.want = alone(t, c, j.toks, adapters[i%len(adapters)])
					jobs[i] = j
				}
				for step := 0; ; step++ { // ragged chunks: decode and prefill mixed, all rows' logits
					var seqs []Seq
					var who []int
					for i, j := range jobs {
						left := len(j.toks) - j.done
						if left == 0 || rng.Uint64()%4 == 0 {
							continue
						}
						n := 1 + int(rng.Uint64()%uint64(min(left, 29)))
						seqs = append(seqs, Seq{Tokens: j.toks[j.done : j.done+n], Pos: j.done, Blocks: j.tab,
							Adapter: packed[i%len(packed)], Logits: LogitsAll})
						who = append(who, i)
					}
					if len(seqs) == 0 {
						if step > 100 {
							break
						}
						continue
					}
					out := forward(t, r, seqs...)
					for s, i := range who {
						for k := range seqs[s].Tokens {
							jobs[i].got = append(jobs[i].got, out.Row(s, k)...)
						}
						jobs[i].done += len(seqs[s].Tokens)
					}
				}
				for _, j := range jobs {
					sameBits(t, "logits", j.got, j.want)
				}
			}
		})
	}
}

func scatteredPages(r *nn.RNG, n int) []int32 {
	p := make([]int32, n)
	for i := range p {
		p[i] = int32(i)
	}
	for i := n - 1; i > 0; i-- {
		j := int(r.Uint64() % uint64(i+1))
		p[i], p[j] = p[j], p[i]
	}
	return p
}

func TestForward_SelectsRows(t *testing.T) {
	c := tiny(nil)
	m := newModel(t, newBackend(t, cpu.Config{Threads: 2}), c, false)
	r := newRunner(t, m, 8)
	a, b := tokens(20, 1, c.VocabSize), tokens(10, 2, c.VocabSize)
	all := forward(t, r, Seq{Tokens: a, Blocks: table(0, 20), Logits: LogitsAll})
	last := append([]float32(nil), all.Row(0, 19)...)
	hidden := append([]float32(nil), all.Hidden...)
	out := forward(t, r, Seq{Tokens: b, Blocks: table(2, 10)}, Seq{Tokens: a, Blocks: table(4, 20), Logits: LogitsLast})
	if out.First[0] != 0 || out.First[1] != 0 || out.First[2] != 1 || out.HiddenFirst[1] != 10 {
		t.Fatalf("rows begin at %v and %v", out.First, out.HiddenFirst)
	}
	sameBits(t, "last row", out.Row(1, 0), last)
	sameBits(t, "hidden", out.Hidden[10*c.HiddenSize:], hidden)
}

func TestForward_RejectsBadBatches(t *testing.T) {
	c := tiny(nil)
	m := newModel(t, newBackend(t, cpu.Config{Threads: 1}), c, false)
	r := newRunner(t, m, 2)
	other := tiny(func(c *Config) { c.HiddenSize = 24 })
	wrong := pack(t, m, "wrong", newAdapter(t, other, 2, 1))
	for name, s := range map[string]Seq{
		"no tokens":     {Blocks: table(0, 1)},
		"vocabulary":    {Tokens: []uint32{37}, Blocks: table(0, 1)},
		"huge token":    {Tokens: []uint32{1 << 31}, Blocks: table(0, 1)},
		"no pages":      {Tokens: []uint32{1}},
		"page range":    {Tokens: []uint32{1}, Blocks: []int32{2}},
		"negative page": {Tokens: []uint32{1}, Blocks: []int32{-1}},
		"negative pos":  {Tokens: []uint32{1}, Pos: -1, Blocks: table(0, 1)},
		"too long":      {Tokens: []uint32{1}, Pos: 128, Blocks: make([]int32, 9)},
		"wrong adapter": {Tokens: []uint32{1}, Blocks: table(0, 1), Adapter: wrong},
	} {
		if _, err := r.Forward([]Seq{s}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestTrainer_HasTheBitsOfTheRunner holds what serving computes against what training computed: the same losses.
func TestTrainer_HasTheBitsOfTheRunner(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			c := tiny(v.change)
			b := newBackend(t, cpu.Config{Threads: 2})
			m := newModel(t, b, c, false)
			tr, err := m.NewTrainer()
			if err != nil {
				t.Fatal(err)
			}
			a := newAdapter(t, c, 8, 4)
			toks := tokens(61, 9, c.VocabSize)
			loss, err := tr.LossGrad([]Example{{Tokens: tokens(5, 3, c.VocabSize)}, {Tokens: toks}}, GradOptions{Adapter: a, AdapterGrads: lora.NewGrads(a)})
			if err != nil {
				t.Fatal(err)
			}
			r := newRunner(t, m, 8)
			out := forward(t, r, Seq{Tokens: toks, Blocks: table(0, 61), Adapter: pack(t, m, "a", a), Logits: LogitsAll})
			lg := tensor.Of(cpu.View(out.Logits), 61, c.VocabSize).RowRange(0, 60)
			losses, targets := make([]float64, 60), make([]int32, 60)
			for i := range targets {
				targets[i] = int32(toks[i+1])
			}
			b.CrossEntropy(losses, lg, targets, false, 1)
			sum := 0.0
			for _, l := range losses {
				sum += l
			}
			if sum != loss.PerExample[1].Sum {
				t.Errorf("the runner's loss is %v, the trainer's %v", sum, loss.PerExample[1].Sum)
			}
		})
	}
}

func TestLossGrad_IsInvariantToThreads(t *testing.T) {
	c := tiny(func(c *Config) { c.HiddenSize, c.IntermediateSize, c.VocabSize = 64, 96, 600 })
	var want []float32
	for _, cfg := range []cpu.Config{{Threads: 1}, {Threads: 2, SpreadAll: true}, {Threads: 3, SpreadAll: true}, {Threads: 4, SpreadAll: true}, {Threads: 2, SpreadAll: true, PureGo: true}} {
		m := newModel(t, newBackend(t, cfg), c, true)
		tr, err := m.NewTrainer()
		if err != nil {
			t.Fatal(err)
		}
		a := newAdapter(t, c, 8, 4)
		g := lora.NewGrads(a)
		var ex []Example
		for i := range 4 {
			ex = append(ex, Example{Tokens: tokens(40+i, uint64(i), c.VocabSize)})
		}
		if _, err := tr.LossGrad(ex, GradOptions{Adapter: a, AdapterGrads: g, Full: true}); err != nil {
			t.Fatal(err)
		}
		got := append([]float32(nil), g.Flat...)
		for _, p := range m.Params() {
			got = append(got, p.Grad...)
		}
		if want == nil {
			want = got
		}
		sameBits(t, "gradients", got, want)
	}
}

func TestForward_AllocatesNothingInSteadyState(t *testing.T) {
	probe := sync.Pool{New: func() any { return new([64]byte) }}
	if testing.AllocsPerRun(20, func() {
		for range 50 {
			probe.Put(probe.Get())
		}
	}) > 0 {
		t.Skip("pools are emptied at random here, as by the race detector")
	}
	c := blocky()
	for _, typ := range []quant.Type{quant.F32, quant.F16, quant.Q8_0} {
		m, err := New(newBackend(t, cpu.Config{Threads: 2, SpreadAll: true}), c, newEncoded(c, typ), Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := newRunner(t, m, 8)
		a := pack(t, m, "a", newAdapter(t, c, 8, 4))
		seqs := []Seq{
			{Tokens: tokens(1, 1, c.VocabSize), Pos: 20, Blocks: table(0, 32), Adapter: a, Logits: LogitsLast},
			{Tokens: tokens(1, 1, c.VocabSize), Pos: 20, Blocks: table(2, 32), Logits: LogitsLast},
		}
		for range 4 {
			forward(t, r, seqs...)
		}
		if n := testing.AllocsPerRun(50, func() {
			if _, err := r.Forward(seqs); err != nil {
				t.Error(err)
			}
		}); n > 0 {
			t.Errorf("%v: a decode step allocates %v times", typ, n)
		}
	}
}
