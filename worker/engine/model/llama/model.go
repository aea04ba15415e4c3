package llama

import (
	"fmt"
	"maps"
	"strings"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/nn"
	"github.com/openledger/openledger/worker/engine/quant"
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
	// Weights is the format to keep the linear maps and the embeddings in; nil keeps them as they are stored. A model that
	// is converted has another numeric profile, unless the new format holds the stored values exactly.
	Weights *quant.Type
}

const defaultPositions = 32768

// Model holds the weights on a backend.
type Model struct {
	cfg     Config
	backend tensor.Backend
	opt     Options

	table     tensor.Weight // embeddings [vocab, hidden], unless trainable
	embed     tensor.Mat    // embeddings of a trainable model
	embedGrad tensor.Mat
	layers    []layer
	norm      nn.Norm
	head      nn.Linear
	rope      tensor.RopeTable
	bytes     int64
	params    []Param
	repacks   []repack
	kept      map[quant.Type]int64
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
	if opt.Trainable && opt.Weights != nil {
		return nil, fmt.Errorf("model: a model whose parameters are trained keeps them in float32: leave the weights' format open")
	}
	if opt.Trainable {
		if probe, err := b.Alloc(1); err != nil {
			return nil, fmt.Errorf("model: %w", err)
		} else if probe.Host() == nil {
			return nil, fmt.Errorf("model: backend %s keeps weights outside host memory: train all parameters on the CPU backend", b.Name())
		}
	}
	m := &Model{cfg: cfg, backend: b, opt: opt, layers: make([]layer, cfg.Layers), kept: map[quant.Type]int64{}}
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

// Config is the model's configuration.
func (m *Model) Config() Config { return m.cfg }

// Backend is where the model lives.
func (m *Model) Backend() tensor.Backend { return m.backend }

// Bytes is the memory that the weights (and gradients) take.
func (m *Model) Bytes() int64 { return m.bytes }

// Profile is the numeric profile of the model's results: the backend's, and the format if the weights were converted on
// loading. Two models of one file and one profile give the same bits.
func (m *Model) Profile() string {
	if m.opt.Weights == nil {
		return m.backend.Profile()
	}
	return m.backend.Profile() + "/" + strings.ToLower(m.opt.Weights.String())
}

// WeightBytes is the memory of the linear maps and embeddings by the format they are kept in.
func (m *Model) WeightBytes() map[quant.Type]int64 { return maps.Clone(m.kept) }

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
