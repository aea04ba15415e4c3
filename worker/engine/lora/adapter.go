// Package lora holds low-rank adapters: their values for training, their packed form for serving, and the set of those
// that are resident in memory.
//
// Invariants: an Adapter keeps all its values in one flat slice in a fixed order (layer, module, A before B), so that an
// optimiser, a checkpoint or an attribution index can treat it as a vector; an adapter is identified by its content key;
// a Packed adapter is immutable and stays valid for whoever pinned it.
//
// What it does not do: no file formats (worker/engine/weights), no network, no scheduling.
package lora

import (
	"fmt"
	"math"
)

// Module is one of the linear maps of a transformer layer that an adapter may change.
type Module int

// The modules, in the order in which they appear in the flat vector.
const (
	QProj Module = iota
	KProj
	VProj
	OProj
	GateProj
	UpProj
	DownProj
	NumModules
)

var moduleNames = [NumModules]string{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}

var modulePaths = [NumModules]string{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
	"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}

// String is the short name, as in PEFT's target_modules.
func (m Module) String() string {
	if m < 0 || m >= NumModules {
		return fmt.Sprintf("module(%d)", int(m))
	}
	return moduleNames[m]
}

// Path is the name within a layer, as in "self_attn.q_proj".
func (m Module) Path() string { return modulePaths[m] }

// ParseModule reads a short or a dotted name.
func ParseModule(s string) (Module, error) {
	for m := range NumModules {
		if s == moduleNames[m] || s == modulePaths[m] {
			return m, nil
		}
	}
	return 0, fmt.Errorf("target module %q is not supported: use some of %v", s, moduleNames)
}

// Shape of a linear map: Out x In.
type Shape struct{ Out, In int }

// Geometry is what an adapter must know of its base model.
type Geometry struct {
	Layers int
	Shapes [NumModules]Shape
}

// Config of an adapter.
type Config struct {
	Rank    int
	Alpha   float64
	RSLoRA  bool
	Targets []Module
}

// Validate checks the configuration.
func (c Config) Validate() error {
	if c.Rank < 1 || c.Rank > 1024 {
		return fmt.Errorf("adapter rank is %d: it must be between 1 and 1024", c.Rank)
	}
	if !(c.Alpha > 0) || math.IsInf(c.Alpha, 0) {
		return fmt.Errorf("adapter alpha is %v: it must be a positive number", c.Alpha)
	}
	if len(c.Targets) == 0 {
		return fmt.Errorf("adapter has no target modules: name at least one of %v", moduleNames)
	}
	for _, t := range c.Targets {
		if t < 0 || t >= NumModules {
			return fmt.Errorf("adapter target %d is not a module", int(t))
		}
	}
	return nil
}

// Scaling is the factor of the low-rank product at rank r.
func (c Config) Scaling(r int) float32 {
	if c.RSLoRA {
		return float32(c.Alpha / math.Sqrt(float64(r)))
	}
	return float32(c.Alpha / float64(r))
}

// Pair is one low-rank change: y += Scale * B·(A·x). The slices alias the adapter's flat vector.
type Pair struct {
	Layer  int
	Module Module
	Rank   int
	Shape  Shape
	Scale  float32
	A      []float32 // [Rank, In]
	B      []float32 // [Out, Rank]
}

// Param is one tensor of an adapter with its place in the flat vector.
type Param struct {
	Name  string // as PEFT writes it: base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight
	Shape []int
	Data  []float32
	Grad  []float32 // nil unless the parameters were listed with gradients
}

// Adapter is a trainable adapter.
type Adapter struct {
	Config Config
	Geom   Geometry
	Flat   []float32
	// Pairs in the order of the flat vector.
	Pairs []Pair

	index [][NumModules]int32 // 1 + index into Pairs
}

// Grads is the gradient of an adapter, laid out as the adapter is.
type Grads struct {
	Flat  []float32
	Pairs []Pair
}
