package llama

import (
	"testing"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/nn"
	"github.com/openledger/openledger/worker/engine/tensor"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

// tiny is small enough for finite differences; its sizes are not multiples of a panel on purpose.
func tiny(change func(*Config)) Config {
	c := Config{VocabSize: 37, HiddenSize: 20, IntermediateSize: 28, Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 6, MaxPositions: 128,
		TieEmbeddings: true}
	if change != nil {
		change(&c)
	}
	c.EnsureDefaults()
	return c
}

func newBackend(t testing.TB, cfg cpu.Config) *cpu.Backend {
	t.Helper()
	b, err := cpu.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func newModel(t testing.TB, b tensor.Backend, c Config, trainable bool) *Model {
	t.Helper()
	m, err := New(b, c, noisy{Random{Config: c, Seed: 7, Std: 0.3}}, Options{Trainable: trainable})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// noisy gives norms and biases values that a test can see.
type noisy struct{ Random }

func (n noisy) Tensor(name string) ([]float32, []int, error) {
	data, shape, err := n.Random.Tensor(name)
	if err == nil && len(shape) == 1 {
		d := make([]float32, len(data))
		nn.NewRNG(uint64(len(name))).Normal(d, 0.2)
		for i := range d {
			data[i] += d[i]
		}
	}
	return data, shape, err
}

func newAdapter(t testing.TB, c Config, rank int, seed uint64, targets ...lora.Module) *lora.Adapter {
	t.Helper()
	if len(targets) == 0 {
		for m := range lora.NumModules {
			targets = append(targets, m)
		}
	}
	a, err := lora.New(c.Geometry(), lora.Config{Rank: rank, Alpha: float64(2 * rank), Targets: targets}, seed)
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.Pairs { // a fresh B is zero, which would hide A's gradient
		nn.NewRNG(seed+uint64(i)).Normal(a.Pairs[i].B, 0.1)
	}
	return a
}

func tokens(n int, seed uint64, vocab int) []uint32 {
	r := nn.NewRNG(seed)
	out := make([]uint32, n)
	for i := range out {
		out[i] = uint32(r.Uint64() % uint64(vocab))
	}
	return out
}

// table gives pages first, first+1, ... for n positions.
func table(first int32, n int) []int32 {
	var out []int32
	for i := 0; i*tensor.DefaultPageTokens < n; i++ {
		out = append(out, first+int32(i))
	}
	return out
}
