package llama

import (
	"fmt"
	"strings"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/nn"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// Options of a model.
type Options struct {
	// Trainable keeps every parameter and a gradient for it in memory, for training by all parameters. Adapters can be
	// trained over any model.
	Trainable bool
	// MaxPositions bounds the context, whose rotary table is computed in advance; 0 means 32768. A model whose own
	// context is shorter keeps that.
	MaxPositions int
}

const defaultPositions = 32768

// Model holds the weights on a backend.
type Model struct {
	cfg     Config
	backend tensor.Backend
	opt     Options

	embed     tensor.Mat // [vocab, hidden]
	embedGrad tensor.Mat
	layers    []layer
	norm      nn.Norm
	head      nn.Linear
	rope      tensor.RopeTable
	bytes     int64
	params    []Param
	repacks   []repack
}

type layer struct {
	attnNorm, mlpNorm nn.Norm
	qNorm, kNorm      nn.Norm
	lin               [lora.NumModules]nn.Linear
}

type repack struct {
	w tensor.Weight
	m tensor.Mat
}

// New loads a model's weights from src to the backend. They stay there until the backend is closed.
func New(b tensor.Backend, cfg Config, src WeightSource, opt Options) (*Model, error) {
	cfg.EnsureDefaults()
	if opt.MaxPositions < 0 {
		return nil, fmt.Errorf("model: max positions is %d: it must not be negative", opt.MaxPositions)
	}
	if opt.MaxPositions == 0 {
		opt.MaxPositions = defaultPositions
	}
	cfg.MaxPositions = min(cfg.MaxPositions, opt.MaxPositions)
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if opt.Trainable {
		if probe, err := b.Alloc(1); err != nil {
			return nil, fmt.Errorf("model: %w", err)
		} else if probe.Host() == nil {
			return nil, fmt.Errorf("model: backend %s keeps weights outside host memory: train all parameters on the CPU backend", b.Name())
		}
	}
	m := &Model{cfg: cfg, backend: b, opt: opt, layers: make([]layer, cfg.Layers)}
	var err error
	if m.rope, err = nn.RopeTable(b, cfg.HeadDim, cfg.RopeTheta, cfg.MaxPositions, cfg.RopeScaling); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	for _, p := range cfg.ParamShapes() {
		if err := m.load(src, p); err != nil {
			return nil, fmt.Errorf("model: %w", err)
		}
	}
	if cfg.TieEmbeddings {
		if err := m.tieHead(); err != nil {
			return nil, fmt.Errorf("model: %w", err)
		}
	}
	if err := b.Sync(); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return m, nil
}

// load puts one parameter in its place.
func (m *Model) load(src WeightSource, p NamedShape) error {
	data, shape, err := src.Tensor(p.Name)
	if err != nil {
		return fmt.Errorf("tensor %s: %w", p.Name, err)
	}
	if len(shape) != len(p.Shape) || shape[0] != p.Shape[0] || shape[len(shape)-1] != p.Shape[len(shape)-1] {
		return fmt.Errorf("tensor %s has shape %v, the configuration asks for %v", p.Name, shape, p.Shape)
	}
	rows, cols := 1, p.Shape[0]
	if len(p.Shape) == 2 {
		rows, cols = p.Shape[0], p.Shape[1]
	}
	if len(data) != rows*cols {
		return fmt.Errorf("tensor %s has %d values, its shape %v needs %d", p.Name, len(data), p.Shape, rows*cols)
	}
	lin, val, grad := m.place(p.Name)
	linear := lin != nil && val == nil
	if linear {
		if lin.W, err = m.backend.Pack(rows, cols, data); err != nil {
			return fmt.Errorf("tensor %s: %w", p.Name, err)
		}
		m.bytes += lin.W.Bytes()
		val, grad = &lin.Rows, &lin.Grad
		if !m.opt.Trainable {
			return nil
		}
	}
	if *val, err = nn.Upload(m.backend, rows, cols, data); err != nil {
		return fmt.Errorf("tensor %s: %w", p.Name, err)
	}
	m.bytes += int64(len(data)) * 4
	if m.opt.Trainable {
		if *grad, err = nn.Zeros(m.backend, rows, cols); err != nil {
			return fmt.Errorf("tensor %s: %w", p.Name, err)
		}
		m.bytes += int64(len(data)) * 4
		m.params = append(m.params, Param{Name: p.Name, Shape: p.Shape, Data: val.Host(), Grad: grad.Host()})
		if linear {
			m.repacks = append(m.repacks, repack{lin.W, lin.Rows})
		}
	}
	return nil
}

// place finds where a parameter lives: the linear map (for its weight), or the matrix and its gradient.
func (m *Model) place(name string) (lin *nn.Linear, val, grad *tensor.Mat) {
	norm := func(n *nn.Norm) (*nn.Linear, *tensor.Mat, *tensor.Mat) {
		n.Eps = float32(m.cfg.RMSEps)
		return nil, &n.W, &n.Grad
	}
	switch name {
	case "model.embed_tokens.weight":
		return nil, &m.embed, &m.embedGrad
	case "model.norm.weight":
		return norm(&m.norm)
	case "lm_head.weight":
		return &m.head, nil, nil
	}
	var l int
	var rest string
	if _, err := fmt.Sscanf(name, "model.layers.%d.%s", &l, &rest); err != nil {
		panic("llama: no place for " + name)
	}
	ly := &m.layers[l]
	switch rest {
	case "input_layernorm.weight":
		return norm(&ly.attnNorm)
	case "post_attention_layernorm.weight":
		return norm(&ly.mlpNorm)
	case "self_attn.q_norm.weight":
		return norm(&ly.qNorm)
	case "self_attn.k_norm.weight":
		return norm(&ly.kNorm)
	}
	dot := strings.LastIndexByte(rest, '.')
	mod, err := lora.ParseModule(rest[:dot])
	if err != nil {
		panic("llama: no place for " + name)
	}
	lin = &ly.lin[mod]
	if rest[dot:] == ".bias" {
		return lin, &lin.Bias, &lin.BiasGrad
	}
	return lin, nil, nil
}

// tieHead makes the output map of the embeddings.
func (m *Model) tieHead() error {
	data := make([]float32, m.cfg.VocabSize*m.cfg.HiddenSize)
	m.backend.Download(data, m.embed.Buf, 0)
	w, err := m.backend.Pack(m.cfg.VocabSize, m.cfg.HiddenSize, data)
	if err != nil {
		return fmt.Errorf("tied lm_head: %w", err)
	}
	m.head = nn.Linear{W: w, Rows: m.embed, Grad: m.embedGrad}
	m.bytes += w.Bytes()
	if m.opt.Trainable {
		m.repacks = append(m.repacks, repack{w, m.embed})
	}
	return nil
}

// Config is the model's configuration.
func (m *Model) Config() Config { return m.cfg }

// Backend is where the model lives.
func (m *Model) Backend() tensor.Backend { return m.backend }

// Bytes is the memory that the weights (and gradients) take.
func (m *Model) Bytes() int64 { return m.bytes }

// Params lists a trainable model's parameters in a stable order. Data and Grad are the live values; after changing Data
// call Repack.
func (m *Model) Params() []Param { return m.params }

// ZeroGrads clears a trainable model's gradients.
func (m *Model) ZeroGrads() {
	for _, p := range m.params {
		clear(p.Grad)
	}
}

// Repack makes the multiplication use the changed values of Params.
func (m *Model) Repack() {
	for _, r := range m.repacks {
		m.backend.Repack(r.w, r.m)
	}
}

// Random is a WeightSource of initial values for pretraining: normal with the given standard deviation, output maps of
// each block scaled down by the depth, norms at one, biases at zero.
type Random struct {
	Config Config
	Seed   uint64
	// Std is 0.02 if 0.
	Std float64
}

// Tensor draws a tensor; its values depend on the seed and the name only.
func (r Random) Tensor(name string) ([]float32, []int, error) {
	cfg := r.Config
	cfg.EnsureDefaults()
	for i, p := range cfg.ParamShapes() {
		if p.Name != name {
			continue
		}
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		data := make([]float32, n)
		switch {
		case strings.HasSuffix(name, "norm.weight"):
			for j := range data {
				data[j] = 1
			}
		case strings.HasSuffix(name, ".weight"):
			std := r.Std
			if std == 0 {
				std = 0.02
			}
			if strings.HasSuffix(name, "o_proj.weight") || strings.HasSuffix(name, "down_proj.weight") {
				std /= sqrt(2 * float64(cfg.Layers))
			}
			nn.NewRNG(r.Seed*0x2545f4914f6cdd1d+uint64(i)).Normal(data, std)
		}
		return data, p.Shape, nil
	}
	return nil, nil, fmt.Errorf("no tensor %q in this configuration", name)
}
