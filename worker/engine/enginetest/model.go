package enginetest

import (
	"errors"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/nn"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

// ModelConfig is that of Model: grouped queries, an odd feed-forward width and
// tied embeddings, all small.
func ModelConfig() llama.Config {
	return llama.Config{
		VocabSize: Vocab, HiddenSize: 32, IntermediateSize: 56, Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 8,
		MaxPositions: 512, TieEmbeddings: true,
	}
}

// WindowedConfig is ModelConfig with a sliding window in the first layer, shorter than most sequences.
func WindowedConfig() llama.Config {
	c := ModelConfig()
	c.ModelType, c.QKVBias = "qwen2", true
	c.SetWindow(21, []bool{true, false})
	return c
}

// Model has random weights and a backend of its own, which done closes.
func Model(threads int) (m *llama.Model, done func() error, err error) {
	return ModelOf(ModelConfig(), cpu.Config{Threads: threads})
}

// ModelOf is Model of other configurations.
func ModelOf(cfg llama.Config, machine cpu.Config) (m *llama.Model, done func() error, err error) {
	b, err := cpu.New(machine)
	if err != nil {
		return nil, nil, err
	}
	m, err = llama.New(b, cfg, llama.Random{Config: cfg, Seed: 7, Std: 0.1}, llama.Options{})
	if err != nil {
		return nil, nil, errors.Join(err, b.Close())
	}
	return m, b.Close, nil
}

// Adapter has random values in both of its matrices, so that it changes what the
// model says.
func Adapter(cfg llama.Config, rank int, seed uint64, targets ...lora.Module) (*lora.Adapter, error) {
	if len(targets) == 0 {
		for m := range lora.NumModules {
			targets = append(targets, m)
		}
	}
	a, err := lora.New(cfg.Geometry(), lora.Config{Rank: rank, Alpha: float64(2 * rank), Targets: targets}, seed)
	if err != nil {
		return nil, err
	}
	nn.NewRNG(seed+1).Normal(a.Flat, 0.15)
	return a, nil
}
