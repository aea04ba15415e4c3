package speed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/nn"
	"github.com/openledger/openledger/worker/engine/tensor"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
	"github.com/openledger/openledger/worker/engine/weights"
)

// Config of a measurement.
type Config struct {
	Model   *llama.Model
	Base    string // hash of the model's files, for the report
	Machine string // description, for the report
	Threads int    // those of the model's backend

	Slots        int           // the engine's largest batch
	Chunk        int           // prompt tokens in one step
	KVTokens     int           // the engine's
	PageTokens   int           // positions in a page of its KV cache; default tensor.DefaultPageTokens
	AdapterBytes int64         // the engine's memory for adapters
	Rank         int           // of the adapters; default 8
	Context      int           // tokens before a decoded one; default 256, or half of the model's
	Slice        time.Duration // each figure is the median of slices that take at least this long; default 100 ms
	Slices       int           // how many; default 5
	NetworkMbps  float64       // assumed; default 100
	Say          func(string)
}

// EnsureDefaults fills what is zero.
func (c *Config) EnsureDefaults() {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def(&c.Slots, 16)
	def(&c.Chunk, 256)
	def(&c.KVTokens, 16<<10)
	def(&c.PageTokens, tensor.DefaultPageTokens)
	def(&c.Rank, 8)
	def(&c.Slices, 5)
	if c.AdapterBytes == 0 {
		c.AdapterBytes = 1 << 30
	}
	if c.Model != nil {
		def(&c.Context, min(256, c.Model.Config().MaxPositions/2))
		c.Chunk = min(c.Chunk, c.Model.Config().MaxPositions)
	}
	if c.Slice == 0 {
		c.Slice = 100 * time.Millisecond
	}
	if c.NetworkMbps == 0 {
		c.NetworkMbps = 100
	}
	if c.Say == nil {
		c.Say = func(string) {}
	}
}

// Validate names the first field that cannot be used.
func (c *Config) Validate() error {
	switch {
	case c.Model == nil:
		return errors.New("speed: model is missing")
	case c.Threads < 1:
		return fmt.Errorf("speed: threads is %d: say how many the model's backend has", c.Threads)
	case c.Slots < 1 || c.Slots > 4096:
		return fmt.Errorf("speed: slots is %d: set it from 1 to 4096", c.Slots)
	case c.Context < 1 || c.Context >= c.Model.Config().MaxPositions:
		return fmt.Errorf("speed: context is %d: set it from 1 to %d", c.Context, c.Model.Config().MaxPositions-1)
	case c.Rank < 1 || c.Rank > 1024:
		return fmt.Errorf("speed: rank is %d: set it from 1 to 1024", c.Rank)
	case c.Chunk < 1 || c.KVTokens < 1 || c.AdapterBytes < 1 || c.Slices < 1 || c.Slice < 0:
		return errors.New("speed: chunk, kv tokens, adapter bytes, slices and slice must be positive")
	case tensor.CheckPageTokens(c.PageTokens) != nil:
		return fmt.Errorf("speed: %w", tensor.CheckPageTokens(c.PageTokens))
	case !(c.NetworkMbps > 0):
		return fmt.Errorf("speed: network is %v Mbit/s: it must be positive", c.NetworkMbps)
	}
	return nil
}

// batches are those that are measured, besides the engine's own.
var batches = []int{1, 8, 32}

// Measure measures. It takes some seconds with a small model, and as much memory as the engine with 32 slots.
func Measure(ctx context.Context, c Config) (*Report, error) {
	c.EnsureDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	r := &Report{Machine: c.Machine, Backend: c.Model.Backend().Name(), Threads: c.Threads, Base: c.Base,
		Parameters: int(c.Model.Config().ParamCount()), WeightBytes: c.Model.Bytes(),
		MemoryBytes: c.Model.Bytes() + c.AdapterBytes + int64(c.KVTokens/c.PageTokens*c.PageTokens)*c.Model.Config().KVBytesPerToken()}
	if b, ok := c.Model.Backend().(tensor.Binder); ok { // as the engine's loop does
		release, err := b.Bind()
		if err != nil {
			return nil, fmt.Errorf("speed: %w", err)
		}
		defer release()
	}
	m := meter{Config: &c, ctx: ctx, report: r}
	for _, step := range []struct {
		say string
		do  func() error
	}{
		{"memory and arithmetic", m.ceilings}, {"adapters", m.adapters}, {"prefill", m.prefill}, {"decode", m.decode}, {"training", m.train},
	} {
		c.Say(step.say)
		if err := errors.Join(ctx.Err(), step.do()); err != nil {
			return nil, fmt.Errorf("speed: %s: %w", step.say, err)
		}
	}
	r.fit(&c)
	return r, nil
}

// meter is one measurement under way.
type meter struct {
	*Config
	ctx    context.Context
	report *Report
	packed []*lora.Packed
}

// seconds is the median time of one call of f, after one that warms up.
func (m *meter) seconds(f func() error) (float64, error) {
	if err := f(); err != nil {
		return 0, err
	}
	var times []float64
	for range m.Slices {
		if err := m.ctx.Err(); err != nil {
			return 0, err
		}
		start, n := time.Now(), 0
		for n == 0 || time.Since(start) < m.Slice {
			if err := f(); err != nil {
				return 0, err
			}
			n++
		}
		times = append(times, time.Since(start).Seconds()/float64(n))
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

func (m *meter) ceilings() error {
	m.report.ReadGBs, m.report.GFLOPs = cpu.MeasureRead(m.Threads), cpu.MeasureFMA(m.Threads)
	return nil
}

// adapter makes one with random values on every map.
func (m *meter) adapter(seed uint64) (*lora.Adapter, error) {
	cfg := lora.Config{Rank: m.Rank, Alpha: float64(m.Rank)}
	for mod := range lora.NumModules {
		cfg.Targets = append(cfg.Targets, mod)
	}
	a, err := lora.New(m.Model.Config().Geometry(), cfg, seed)
	if err == nil {
		nn.NewRNG(seed).Normal(a.Flat, 0.01)
	}
	return a, err
}

// adapters measures loads, and packs as many adapters as the largest batch needs.
func (m *meter) adapters() error {
	for i := range max(m.Slots, slices.Max(batches)) {
		a, err := m.adapter(uint64(i))
		if err != nil {
			return err
		}
		p, err := lora.Pack(m.Model.Backend(), fmt.Sprint("bench ", i), a)
		if err != nil {
			return err
		}
		m.packed = append(m.packed, p)
	}
	a, err := m.adapter(0)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "openledger-bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	config, tensors, err := weights.EncodePEFT(a, m.Base)
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{weights.AdapterConfigFile: config, weights.AdapterWeightsFile: tensors} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	pack := func(a *lora.Adapter) error {
		p, err := lora.Pack(m.Model.Backend(), "load", a)
		if err == nil {
			p.Free()
		}
		return err
	}
	host, err := m.seconds(func() error { return pack(a) })
	if err != nil {
		return err
	}
	disk, err := m.seconds(func() error {
		a, err := weights.ReadPEFT(os.DirFS(dir), m.Model.Config().Geometry())
		if err != nil {
			return err
		}
		return pack(a)
	})
	if err != nil {
		return err
	}
	m.report.Adapter = Adapter{Rank: m.Rank, Bytes: m.packed[0].Bytes(), FileBytes: int64(len(tensors)), HostMS: 1e3 * host, DiskMS: 1e3 * disk,
		NetworkMS: 1e3*disk + float64(len(tensors))*8/m.NetworkMbps/1e3, AssumedMbps: m.NetworkMbps}
	return nil
}

// tokens that mean nothing.
func (m *meter) tokens(n int) []uint32 {
	out := make([]uint32, n)
	for i := range out {
		out[i] = uint32((i*31 + 7) % m.Model.Config().VocabSize)
	}
	return out
}

// forward times steps of a batch over fresh pages.
func (m *meter) forward(n, tokens, pos int, adapters bool) (float64, error) {
	pages := (pos + tokens + m.PageTokens - 1) / m.PageTokens
	kv, err := m.Model.NewKV(n*pages, m.PageTokens)
	if err != nil {
		return 0, err
	}
	defer kv.Free()
	seqs := make([]llama.Seq, n)
	for i := range seqs {
		s := llama.Seq{Tokens: m.tokens(tokens), Pos: pos, Logits: llama.LogitsLast}
		for p := range pages {
			s.Blocks = append(s.Blocks, int32(i*pages+p))
		}
		if adapters {
			s.Adapter = m.packed[i]
		}
		seqs[i] = s
	}
	r := m.Model.NewRunner(kv)
	return m.seconds(func() error {
		_, err := r.Forward(seqs)
		return err
	})
}

func (m *meter) prefill() error {
	for _, with := range []bool{false, true} {
		s, err := m.forward(1, m.Chunk, 0, with)
		if err != nil {
			return err
		}
		m.report.Prefill = append(m.report.Prefill, Prefill{Tokens: m.Chunk, Adapter: with, TPS: float64(m.Chunk) / s})
	}
	return nil
}

func (m *meter) decode() error {
	for _, n := range slices.Compact(slices.Sorted(slices.Values(append([]int{m.Slots}, batches...)))) {
		for _, with := range []bool{false, true} {
			s, err := m.forward(n, 1, m.Context, with)
			if err != nil {
				return err
			}
			m.report.Decode = append(m.report.Decode, Decode{Batch: n, Adapters: with, Context: m.Context, StepMS: 1e3 * s, TPS: float64(n) / s})
		}
	}
	return nil
}

// train measures steps of 4 sequences of 128 tokens, or as long as the model takes.
func (m *meter) train() error {
	t, err := m.Model.NewTrainer()
	if err != nil {
		return err
	}
	a, err := m.adapter(1)
	if err != nil {
		return err
	}
	const sequences = 4
	length := min(128, m.Model.Config().MaxPositions)
	examples := make([]llama.Example, sequences)
	for i := range examples {
		examples[i].Tokens = m.tokens(length)
	}
	g := lora.NewGrads(a)
	s, err := m.seconds(func() error {
		g.Zero()
		_, err := t.LossGrad(examples, llama.GradOptions{Adapter: a, AdapterGrads: g})
		return err
	})
	m.report.TrainTPS = float64(sequences*length) / s
	return err
}
