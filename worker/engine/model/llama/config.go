package llama

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/nn"
)

// Config describes a model, in the terms of a Hugging Face config.json.
type Config struct {
	ModelType        string
	VocabSize        int
	HiddenSize       int
	IntermediateSize int
	Layers           int
	Heads            int
	KVHeads          int
	HeadDim          int
	MaxPositions     int
	RMSEps           float64
	RopeTheta        float64
	RopeScaling      nn.RopeScaling
	TieEmbeddings    bool
	// QKVBias: the query, key and value maps have a bias (Qwen 2). OutBias: the output map of attention has one too.
	QKVBias bool
	OutBias bool
	// MLPBias: the maps of the feed-forward part have a bias.
	MLPBias bool
	// QKNorm: queries and keys are normalised by head (Qwen 3).
	QKNorm bool
	// SlidingWindow is how many positions a query sees, its own the last of them; 0: all. WindowLayers says in which layers;
	// nil: in all. Set them with SetWindow.
	SlidingWindow int    `json:",omitempty"`
	WindowLayers  []bool `json:",omitempty"`
}

// Bounds of what a file may ask for.
const (
	maxLayers    = 1024
	maxPositions = 1 << 24
)

type hfConfig struct {
	ModelType      string  `json:"model_type"`
	HiddenAct      string  `json:"hidden_act"`
	VocabSize      int     `json:"vocab_size"`
	Hidden         int     `json:"hidden_size"`
	Intermediate   int     `json:"intermediate_size"`
	Layers         int     `json:"num_hidden_layers"`
	Heads          int     `json:"num_attention_heads"`
	KVHeads        int     `json:"num_key_value_heads"`
	HeadDim        int     `json:"head_dim"`
	MaxPositions   int     `json:"max_position_embeddings"`
	Eps            float64 `json:"rms_norm_eps"`
	Theta          float64 `json:"rope_theta"`
	RopeScaling    *hfRope `json:"rope_scaling"`
	RopeParameters *hfRope `json:"rope_parameters"`
	Tie            *bool   `json:"tie_word_embeddings"`
	AttentionBias  bool    `json:"attention_bias"`
	MLPBias        bool    `json:"mlp_bias"`
	// SlidingWindow is null where there is none, which is not the same as left out.
	SlidingWindow   json.RawMessage `json:"sliding_window"`
	UseSlidingWin   *bool           `json:"use_sliding_window"`
	MaxWindowLayers *int            `json:"max_window_layers"`
	LayerTypes      []string        `json:"layer_types"`
	PartialRotary   float64         `json:"partial_rotary_factor"`
	OldContext      int             `json:"original_max_position_embeddings"`
	QuantizationCfg any             `json:"quantization_config"`
}

// ParseConfig reads a Hugging Face config.json.
func ParseConfig(data []byte) (Config, error) {
	var h hfConfig
	if err := json.Unmarshal(data, &h); err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	switch h.ModelType {
	case "llama", "mistral", "qwen2", "qwen3":
	default:
		return Config{}, fmt.Errorf("config.json: model_type %q is not supported: use a llama, mistral, qwen2 or qwen3 model", h.ModelType)
	}
	if h.HiddenAct != "" && h.HiddenAct != "silu" {
		return Config{}, fmt.Errorf("config.json: hidden_act %q is not supported: use a model with silu", h.HiddenAct)
	}
	if h.PartialRotary != 0 && h.PartialRotary != 1 {
		return Config{}, fmt.Errorf("config.json: partial_rotary_factor %v is not supported", h.PartialRotary)
	}
	if h.QuantizationCfg != nil {
		return Config{}, fmt.Errorf("config.json: quantization_config is not supported: use the unquantised model or a GGUF file")
	}
	c := Config{
		ModelType: h.ModelType, VocabSize: h.VocabSize, HiddenSize: h.Hidden, IntermediateSize: h.Intermediate, Layers: h.Layers,
		Heads: h.Heads, KVHeads: h.KVHeads, HeadDim: h.HeadDim, MaxPositions: h.MaxPositions, RMSEps: h.Eps, RopeTheta: h.Theta,
		QKVBias: h.AttentionBias || h.ModelType == "qwen2", OutBias: h.AttentionBias && h.ModelType != "qwen2", MLPBias: h.MLPBias,
		QKNorm: h.ModelType == "qwen3", TieEmbeddings: h.Tie != nil && *h.Tie,
	}
	h.rope(&c)
	c.EnsureDefaults()
	if err := h.window(&c); err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	return c, nil
}

// EnsureDefaults fills in what older files leave out.
func (c *Config) EnsureDefaults() {
	if c.ModelType == "" {
		c.ModelType = "llama"
	}
	if c.KVHeads == 0 {
		c.KVHeads = c.Heads
	}
	if c.HeadDim == 0 && c.ModelType == "qwen3" {
		c.HeadDim = 128
	}
	if c.HeadDim == 0 && c.Heads > 0 {
		c.HeadDim = c.HiddenSize / c.Heads
	}
	if c.MaxPositions == 0 {
		c.MaxPositions = 2048
	}
	if c.RMSEps == 0 {
		c.RMSEps = 1e-6
	}
	if c.RopeTheta == 0 {
		c.RopeTheta = 10000
	}
}

// Validate bounds every size, so that a foreign file cannot ask for absurd memory.
func (c Config) Validate() error {
	for _, f := range []struct {
		name   string
		v, max int
	}{
		{"vocab_size", c.VocabSize, 1 << 21}, {"hidden_size", c.HiddenSize, 1 << 16}, {"intermediate_size", c.IntermediateSize, 1 << 18},
		{"num_hidden_layers", c.Layers, maxLayers}, {"num_attention_heads", c.Heads, 1024}, {"num_key_value_heads", c.KVHeads, 1024},
		{"head_dim", c.HeadDim, 1024}, {"max_position_embeddings", c.MaxPositions, maxPositions},
	} {
		if f.v < 1 || f.v > f.max {
			return fmt.Errorf("%s is %d: it must be between 1 and %d", f.name, f.v, f.max)
		}
	}
	if c.Heads%c.KVHeads != 0 {
		return fmt.Errorf("num_attention_heads %d is not a multiple of num_key_value_heads %d", c.Heads, c.KVHeads)
	}
	if c.HeadDim%2 != 0 {
		return fmt.Errorf("head_dim is %d: it must be even", c.HeadDim)
	}
	if !(c.RMSEps > 0) || c.RMSEps > 1 {
		return fmt.Errorf("rms_norm_eps is %v: it must be between 0 and 1", c.RMSEps)
	}
	if !(c.RopeTheta > 1) || math.IsInf(c.RopeTheta, 0) {
		return fmt.Errorf("rope_theta is %v: it must be above 1", c.RopeTheta)
	}
	if f := c.RopeScaling.Factors; f != nil && len(f.Short) != c.HeadDim/2 {
		return fmt.Errorf("rope_scaling has %d factors: heads of %d need %d", len(f.Short), c.HeadDim, c.HeadDim/2)
	}
	if err := c.validateWindow(); err != nil {
		return err
	}
	return c.RopeScaling.Validate()
}

// HF is the configuration as a config.json, which ParseConfig reads back.
func (c Config) HF() ([]byte, error) {
	arch := map[string]string{"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}
	m := map[string]any{
		"architectures": []string{arch[c.ModelType]}, "model_type": c.ModelType, "hidden_act": "silu", "vocab_size": c.VocabSize,
		"hidden_size": c.HiddenSize, "intermediate_size": c.IntermediateSize, "num_hidden_layers": c.Layers,
		"num_attention_heads": c.Heads, "num_key_value_heads": c.KVHeads, "head_dim": c.HeadDim,
		"max_position_embeddings": c.MaxPositions, "rms_norm_eps": c.RMSEps, "rope_theta": c.RopeTheta,
		"tie_word_embeddings": c.TieEmbeddings, "attention_bias": c.OutBias, "mlp_bias": c.MLPBias, "torch_dtype": "bfloat16",
	}
	c.windowJSON(m)
	if r := ropeJSON(c.RopeScaling); r != nil {
		m["rope_scaling"] = r
	}
	return json.MarshalIndent(m, "", "  ")
}

// Geometry is what adapters must know of the model.
func (c Config) Geometry() lora.Geometry {
	g := lora.Geometry{Layers: c.Layers}
	q, kv := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	g.Shapes[lora.QProj] = lora.Shape{Out: q, In: c.HiddenSize}
	g.Shapes[lora.KProj] = lora.Shape{Out: kv, In: c.HiddenSize}
	g.Shapes[lora.VProj] = lora.Shape{Out: kv, In: c.HiddenSize}
	g.Shapes[lora.OProj] = lora.Shape{Out: c.HiddenSize, In: q}
	g.Shapes[lora.GateProj] = lora.Shape{Out: c.IntermediateSize, In: c.HiddenSize}
	g.Shapes[lora.UpProj] = lora.Shape{Out: c.IntermediateSize, In: c.HiddenSize}
	g.Shapes[lora.DownProj] = lora.Shape{Out: c.HiddenSize, In: c.IntermediateSize}
	return g
}

// NamedShape is a parameter's Hugging Face name and shape.
type NamedShape struct {
	Name  string
	Shape []int
}

// ParamShapes lists the model's parameters in a stable order.
func (c Config) ParamShapes() []NamedShape {
	var out []NamedShape
	add := func(name string, shape ...int) { out = append(out, NamedShape{name, shape}) }
	add("model.embed_tokens.weight", c.VocabSize, c.HiddenSize)
	geom := c.Geometry()
	for l := range c.Layers {
		p := fmt.Sprintf("model.layers.%d.", l)
		add(p+"input_layernorm.weight", c.HiddenSize)
		for m := range lora.NumModules {
			s := geom.Shapes[m]
			add(p+m.Path()+".weight", s.Out, s.In)
			if c.hasBias(m) {
				add(p+m.Path()+".bias", s.Out)
			}
			if m == lora.VProj && c.QKNorm {
				add(p+"self_attn.q_norm.weight", c.HeadDim)
				add(p+"self_attn.k_norm.weight", c.HeadDim)
			}
			if m == lora.OProj {
				add(p+"post_attention_layernorm.weight", c.HiddenSize)
			}
		}
	}
	add("model.norm.weight", c.HiddenSize)
	if !c.TieEmbeddings {
		add("lm_head.weight", c.VocabSize, c.HiddenSize)
	}
	return out
}

func (c Config) hasBias(m lora.Module) bool {
	switch m {
	case lora.QProj, lora.KProj, lora.VProj:
		return c.QKVBias
	case lora.OProj:
		return c.OutBias
	}
	return c.MLPBias
}

// ParamCount is the number of parameters.
func (c Config) ParamCount() int64 {
	var n int64
	for _, p := range c.ParamShapes() {
		k := int64(1)
		for _, d := range p.Shape {
			k *= int64(d)
		}
		n += k
	}
	return n
}

// KVBytesPerToken is the memory of one position in the key-value cache, all layers together.
func (c Config) KVBytesPerToken() int64 {
	return int64(c.Layers) * int64(c.KVHeads) * int64(c.HeadDim) * 2 * 4
}
