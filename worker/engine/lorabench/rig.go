package lorabench

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/openledger/openledger/worker/engine"
	"github.com/openledger/openledger/worker/engine/base"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/nn"
	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
	"github.com/openledger/openledger/worker/engine/weights"
)

// Shape is a base model of random weights and the adapters over it.
type Shape struct {
	Name   string       `json:"name"`
	Config llama.Config `json:"-"`
	Params int64        `json:"parameters"`
	// Ranks are given to the adapters in turn. S-LoRA's setting S1 is rank 8, S2 is 64, 32, 16, 8.
	Ranks   []int         `json:"ranks"`
	Targets []lora.Module `json:"-"`
	Target  []string      `json:"targets"`
	Base    string        `json:"base"`   // type of the base's weights: bf16, f32 or q8_0
	Values  string        `json:"values"` // type of the adapters' values: bf16 or f32
}

// NewShape makes one of the named shapes.
func NewShape(name, base, values string, ranks []int, targets []lora.Module) (Shape, error) {
	s := Shape{Name: name, Base: base, Values: values, Ranks: ranks, Targets: targets}
	c := llama.Config{VocabSize: 4096, MaxPositions: 2048, TieEmbeddings: true}
	switch name {
	case "small": // the size of the embedded base
		c.HiddenSize, c.IntermediateSize, c.Layers, c.Heads, c.KVHeads, c.HeadDim = 256, 704, 4, 8, 4, 32
	case "mid":
		c.HiddenSize, c.IntermediateSize, c.Layers, c.Heads, c.KVHeads, c.HeadDim = 1024, 2816, 8, 16, 4, 64
	default:
		return s, fmt.Errorf("shape %q: use small (hidden 256, 4 layers) or mid (hidden 1024, 8 layers)", name)
	}
	if base != "f32" && base != "bf16" && base != "q8_0" {
		return s, fmt.Errorf("base %q: use bf16, f32 or q8_0", base)
	}
	if values != "f32" && values != "bf16" {
		return s, fmt.Errorf("values %q: use f32 or bf16", values)
	}
	if len(ranks) == 0 || len(targets) == 0 {
		return s, errors.New("name at least one rank and one target module")
	}
	c.EnsureDefaults()
	s.Config, s.Params = c, c.ParamCount()
	for _, t := range targets {
		s.Target = append(s.Target, t.String())
	}
	return s, nil
}

// Adapter makes the i-th adapter. Its values are small, and not those of another.
func (s Shape) Adapter(i int) (*lora.Adapter, error) {
	r := s.Ranks[i%len(s.Ranks)]
	a, err := lora.New(s.Config.Geometry(), lora.Config{Rank: r, Alpha: float64(2 * r), Targets: s.Targets}, uint64(i))
	if err != nil {
		return nil, err
	}
	// New has drawn A; B, which it leaves at zero, gets values of A moved by a number of places of its own.
	for p := range a.Pairs {
		b, from := a.Pairs[p].B, a.Pairs[p].A
		for k := range b {
			b[k] = from[(k+7*i)%len(from)] / 4
		}
	}
	if s.Values == "bf16" {
		for k, v := range a.Flat {
			a.Flat[k] = quant.FromBF16(quant.ToBF16(v))
		}
	}
	return a, nil
}

// bf16Weights are random weights rounded as models come.
type bf16Weights struct{ llama.WeightSource }

func (w bf16Weights) Tensor(name string) ([]float32, []int, error) {
	data, shape, err := w.WeightSource.Tensor(name)
	for i, v := range data {
		data[i] = quant.FromBF16(quant.ToBF16(v))
	}
	return data, shape, err
}

// Rig is a running engine.
type Rig struct {
	Shape   Shape
	Model   *llama.Model
	Engine  *engine.Engine
	backend *cpu.Backend
	bundle  *weights.Bundle
	stop    context.CancelFunc
	ended   chan error
	drawn   uint64 // prompts so far: none is used twice, so that none is found in the prefix cache
	loaded  int
}

// RigConfig of a rig.
type RigConfig struct {
	Shape        Shape
	Threads      int
	MaxBatch     int
	KVTokens     int
	PageTokens   int // 0: the engine's default
	AdapterBytes int64
}

// NewRig starts an engine over a model of random weights. The tokenizer is the embedded base's.
func NewRig(cfg RigConfig) (_ *Rig, err error) {
	r := &Rig{Shape: cfg.Shape, ended: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if r.bundle, err = base.Open(); err != nil {
		return nil, err
	}
	if r.backend, err = cpu.New(cpu.Config{Threads: cfg.Threads}); err != nil {
		return nil, err
	}
	var src llama.WeightSource = llama.Random{Config: cfg.Shape.Config, Seed: 1}
	if cfg.Shape.Base == "bf16" {
		src = bf16Weights{src}
	}
	var opt llama.Options
	if cfg.Shape.Base == "q8_0" {
		t := quant.Q8_0
		opt.Weights = &t
	}
	if r.Model, err = llama.New(r.backend, cfg.Shape.Config, src, opt); err != nil {
		return nil, err
	}
	if r.Engine, err = engine.New(engine.Config{
		Model: r.Model, Tokenizer: r.bundle.Tokenizer, MaxBatch: cfg.MaxBatch, KVTokens: cfg.KVTokens, PageTokens: cfg.PageTokens, AdapterBytes: cfg.AdapterBytes,
		MaxWaiting: 1 << 20, MaxPerTenant: 1 << 20,
	}); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() { r.ended <- r.Engine.Run(ctx) }()
	return r, nil
}

// Close stops the engine.
func (r *Rig) Close() error {
	var errs []error
	if r.stop != nil {
		r.stop()
		errs = append(errs, <-r.ended)
	}
	if r.backend != nil {
		errs = append(errs, r.backend.Close())
	}
	if r.bundle != nil {
		errs = append(errs, r.bundle.Close())
	}
	return errors.Join(errs...)
}

func key(i int) string { return fmt.Sprintf("adapter-%d", i) }

// Load makes the first n adapters resident.
func (r *Rig) Load(n int) error {
	for ; r.loaded < n; r.loaded++ {
		a, err := r.Shape.Adapter(r.loaded)
		if err != nil {
			return err
		}
		if err := r.Engine.LoadAdapter(key(r.loaded), a); err != nil {
			return err
		}
	}
	return nil
}

// prompt draws tokens that were not drawn before.
func (r *Rig) prompt(n int) []uint32 {
	r.drawn++
	rng := nn.NewRNG(r.drawn)
	out := make([]uint32, n)
	for i := range out {
		out[i] = uint32(rng.Uint64() % uint64(r.Shape.Config.VocabSize))
	}
	return out
}

// AdapterBytes is what n adapters take at most.
func (s Shape) AdapterBytes(n int) (int64, error) {
	sum := int64(0)
	for i := range min(n, len(s.Ranks)) {
		a, err := s.Adapter(i)
		if err != nil {
			return 0, err
		}
		sum += lora.PackedBytes(a) * int64(math.Ceil(float64(n)/float64(len(s.Ranks))))
	}
	return max(1<<20, sum), nil
}
