package llama

import (
	"fmt"
	"math"
	"testing"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/nn"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

var variants = []struct {
	name   string
	change func(*Config)
}{
	{"llama", nil},
	{"untied", func(c *Config) { c.TieEmbeddings = false }},
	{"qwen2", func(c *Config) { c.QKVBias = true }},
	{"qwen3", func(c *Config) { c.QKNorm = true }},
	{"biases", func(c *Config) { c.QKVBias, c.OutBias, c.MLPBias = true, true, true }},
	{"mistral", func(c *Config) { c.ModelType, c.SlidingWindow = "mistral", 5 }},
	{"qwen2 windowed", func(c *Config) {
		c.ModelType, c.QKVBias, c.SlidingWindow, c.WindowLayers = "qwen2", true, 18, []bool{false, true}
	}},
	{"headdim", func(c *Config) { c.HeadDim, c.KVHeads = 32, 4 }},
}

func gradExamples(vocab int) []Example {
	a := Example{Tokens: tokens(9, 1, vocab)}
	b := Example{Tokens: tokens(23, 2, vocab), Mask: make([]bool, 23)}
	for i := 11; i < 23; i++ {
		b.Mask[i] = true
	}
	return []Example{a, b}
}

// checkDirections compares the gradient with central differences along random directions.
func checkDirections(t *testing.T, name string, data, grad []float32, loss func() float64) {
	t.Helper()
	rng := nn.NewRNG(uint64(len(data)))
	for range 2 {
		dir := make([]float32, len(data))
		rng.Normal(dir, 1)
		norm := 0.0
		want := 0.0
		for i, d := range dir {
			norm += float64(d) * float64(d)
			want += float64(d) * float64(grad[i])
		}
		old := append([]float32(nil), data...)
		eps := 2e-2 / math.Sqrt(norm)
		at := func(s float64) float64 {
			for i := range data {
				data[i] = old[i] + float32(s*eps*float64(dir[i]))
			}
			return loss()
		}
		got := (8*(at(1)-at(-1)) - (at(2) - at(-2))) / (12 * eps)
		copy(data, old)
		loss()
		if math.Abs(got-want) > 2e-3*math.Sqrt(norm)*0.1+0.01*math.Abs(want) {
			t.Errorf("%s: the loss changes by %.6f along a direction, the gradient says %.6f", name, got, want)
		}
	}
}

func TestLossGrad_FullMatchesDifferences(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			c := tiny(v.change)
			m := newModel(t, newBackend(t, cpu.Config{Threads: 2}), c, true)
			tr, err := m.NewTrainer()
			if err != nil {
				t.Fatal(err)
			}
			ex := gradExamples(c.VocabSize)
			if _, err := tr.LossGrad(ex, GradOptions{Full: true}); err != nil {
				t.Fatal(err)
			}
			grads := map[string][]float32{}
			for _, p := range m.Params() {
				grads[p.Name] = append([]float32(nil), p.Grad...)
			}
			for _, p := range m.Params() {
				checkDirections(t, p.Name, p.Data, grads[p.Name], func() float64 {
					m.Repack()
					l, err := tr.Loss(ex, nil)
					if err != nil {
						t.Fatal(err)
					}
					return l.Mean()
				})
			}
		})
	}
}

func TestLossGrad_AdapterMatchesDifferences(t *testing.T) {
	for _, v := range variants {
		for _, rank := range []int{3, 8} {
			t.Run(fmt.Sprintf("%s/rank%d", v.name, rank), func(t *testing.T) {
				c := tiny(v.change)
				m := newModel(t, newBackend(t, cpu.Config{Threads: 2}), c, false)
				tr, err := m.NewTrainer()
				if err != nil {
					t.Fatal(err)
				}
				a := newAdapter(t, c, rank, 5)
				g := lora.NewGrads(a)
				ex := gradExamples(c.VocabSize)
				if _, err := tr.LossGrad(ex, GradOptions{Adapter: a, AdapterGrads: g}); err != nil {
					t.Fatal(err)
				}
				for _, p := range a.Params(g) {
					checkDirections(t, p.Name, p.Data, p.Grad, func() float64 {
						l, err := tr.Loss(ex, a)
						if err != nil {
							t.Fatal(err)
						}
						return l.Mean()
					})
				}
			})
		}
	}
}

func TestLossGrad_AddsUp(t *testing.T) {
	c := tiny(nil)
	m := newModel(t, newBackend(t, cpu.Config{Threads: 2}), c, false)
	tr, err := m.NewTrainer()
	if err != nil {
		t.Fatal(err)
	}
	a := newAdapter(t, c, 4, 5, lora.QProj, lora.VProj)
	ex := gradExamples(c.VocabSize)
	both, parts := lora.NewGrads(a), lora.NewGrads(a)
	if _, err := tr.LossGrad(ex, GradOptions{Adapter: a, AdapterGrads: both, Scale: 1}); err != nil {
		t.Fatal(err)
	}
	for i := range ex {
		if _, err := tr.LossGrad(ex[i:i+1], GradOptions{Adapter: a, AdapterGrads: parts, Scale: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range both.Flat {
		if both.Flat[i] != parts.Flat[i] {
			t.Fatalf("gradient %d is %v in one batch, %v example by example", i, both.Flat[i], parts.Flat[i])
		}
	}
}

// Score's verdict is what greedy decoding by a Runner would have given.
func TestScore_IsGreedyDecoding(t *testing.T) {
	c := tiny(nil)
	m := newModel(t, newBackend(t, cpu.Config{Threads: 2}), c, false)
	tr, err := m.NewTrainer()
	if err != nil {
		t.Fatal(err)
	}
	a := newAdapter(t, c, 4, 5)
	packed := pack(t, m, "a", a)
	kv, err := m.NewKV(4, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := m.NewRunner(kv)
	var examples []Example
	for i := range 6 {
		ids := tokens(5+i, uint64(i), c.VocabSize)
		mask := make([]bool, len(ids), len(ids)+8)
		for range 8 {
			out := forward(t, r, Seq{Tokens: ids, Blocks: table(0, len(ids)), Adapter: packed, Logits: LogitsLast})
			row, best := out.Row(0, 0), 0
			for j, v := range row {
				if v > row[best] {
					best = j
				}
			}
			ids, mask = append(ids, uint32(best)), append(mask, true)
		}
		examples = append(examples, Example{Tokens: ids, Mask: mask})
	}
	wrong := append([]uint32(nil), examples[3].Tokens...)
	wrong[len(wrong)-1] = (wrong[len(wrong)-1] + 1) % uint32(c.VocabSize)
	examples[3].Tokens = wrong
	loss, err := tr.Score(examples, a)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range loss.PerExample {
		want := 8
		if i == 3 {
			want = 7
		}
		if e.Right != want || e.Tokens != 8 {
			t.Errorf("example %d: %d of %d right, want %d", i, e.Right, e.Tokens, want)
		}
	}
	bare, err := tr.Score(examples, nil)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for _, e := range bare.PerExample {
		right += e.Right
	}
	if right == 47 {
		t.Error("the bare base would have given the adapter's answers: the test shows nothing")
	}
}
