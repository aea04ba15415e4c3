package gguf

import (
	"fmt"
	"math"
	"slices"

	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/nn"
)

// architectures that are the Llama family. Mistral's files say llama.
var architectures = []string{"llama", "qwen2", "qwen3"}

// Architecture is the file's general.architecture.
func (f *File) Architecture() (string, error) { return f.meta.String("general.architecture") }

// Config reads the model's configuration.
func (f *File) Config() (llama.Config, error) {
	c, err := f.config()
	if err != nil {
		return llama.Config{}, fmt.Errorf("%s: %w", f.name, err)
	}
	return c, nil
}

func (f *File) config() (llama.Config, error) {
	var c llama.Config
	if t, _ := f.meta.String("general.type"); t != "" && t != "model" {
		return c, fmt.Errorf("holds no model, but: %s", t)
	}
	parts, err := f.meta.Int("split.count", 1)
	if err != nil {
		return c, err
	}
	if parts > 1 {
		return c, fmt.Errorf("is one of %d parts of a model: join them with 'llama-gguf-split --merge' first", parts)
	}
	arch, err := f.Architecture()
	if err != nil {
		return c, err
	}
	if !slices.Contains(architectures, arch) {
		return c, fmt.Errorf("architecture %q is not supported: use a model of the Llama family (%v)", arch, architectures)
	}
	c.ModelType = arch
	r := fields{meta: &f.meta, arch: arch}
	r.int(&c.HiddenSize, "embedding_length", 0)
	r.int(&c.IntermediateSize, "feed_forward_length", 0)
	r.int(&c.Layers, "block_count", 0)
	r.int(&c.Heads, "attention.head_count", 0)
	r.int(&c.KVHeads, "attention.head_count_kv", c.Heads)
	r.int(&c.MaxPositions, "context_length", 0)
	r.float(&c.RMSEps, "attention.layer_norm_rms_epsilon", 0)
	r.float(&c.RopeTheta, "rope.freq_base", 10000)
	if c.Heads > 0 {
		c.HeadDim = c.HiddenSize / c.Heads
	}
	r.int(&c.HeadDim, "attention.key_length", c.HeadDim)
	var value, rotary, window, experts int
	r.int(&value, "attention.value_length", c.HeadDim)
	r.int(&rotary, "rope.dimension_count", c.HeadDim)
	r.int(&window, keyWindow, 0)
	r.int(&experts, "expert_count", 0)
	switch {
	case r.err != nil:
		return c, r.err
	case value != c.HeadDim || rotary != c.HeadDim:
		return c, fmt.Errorf("heads have %d key, %d value and %d rotary dimensions: only equal ones are supported", c.HeadDim, value, rotary)
	case experts != 0:
		return c, fmt.Errorf("the model has %d experts: mixtures of experts are not supported", experts)
	}
	if err := f.shapes(&c); err != nil {
		return c, err
	}
	if arch == "llama" && c.QKVBias && !c.OutBias && !c.MLPBias { // the same model but for its name
		c.ModelType = "qwen2"
	}
	if err := f.ropeScaling(&c, &r); err != nil {
		return c, err
	}
	if err := f.window(&c, arch, window); err != nil {
		return c, err
	}
	if err := c.Validate(); err != nil {
		return c, err
	}
	return c, f.checkTensors(c)
}

// shapes tells from the tensors what metadata leaves out.
func (f *File) shapes(c *llama.Config) error {
	embed, ok := f.Info(nameEmbed)
	if !ok || len(embed.Shape) != 2 {
		return fmt.Errorf("tensor %q of two dimensions is missing", nameEmbed)
	}
	c.VocabSize = embed.Shape[0]
	has := func(name string) bool { _, ok := f.Info(name); return ok }
	c.TieEmbeddings = !has(nameHead)
	c.QKVBias = has("blk.0.attn_q.bias")
	c.OutBias = has("blk.0.attn_output.bias")
	c.MLPBias = has("blk.0.ffn_gate.bias")
	c.QKNorm = c.ModelType == "qwen3"
	return nil
}

func (f *File) ropeScaling(c *llama.Config, r *fields) error {
	s := &c.RopeScaling
	kind, err := f.meta.String(r.arch + ".rope.scaling.type")
	if err != nil {
		return err
	}
	r.float(&s.Factor, "rope.scaling.factor", 0)
	r.int(&s.OriginalContext, "rope.scaling.original_context_length", c.MaxPositions)
	r.float(&s.AttentionFactor, "rope.scaling.attn_factor", 0)
	r.float(&s.BetaFast, "rope.scaling.yarn_beta_fast", 0)
	r.float(&s.BetaSlow, "rope.scaling.yarn_beta_slow", 0)
	if r.err != nil {
		return r.err
	}
	switch kind {
	case "", "none":
		*s = nn.RopeScaling{}
	case "linear":
		*s = nn.RopeScaling{Type: "linear", Factor: s.Factor}
	case "yarn":
		s.Type = "yarn"
		if s.AttentionFactor != 0 { // a factor of the method's own one
			s.AttentionFactor *= 1 + 0.1*math.Log(s.Factor)
		}
	default:
		return fmt.Errorf("metadata %q is %q, which is not supported (none, linear, yarn)", r.arch+".rope.scaling.type", kind)
	}
	if _, ok := f.Info(nameRope); !ok {
		return nil
	}
	if s.Type != "" {
		return fmt.Errorf("tensor %q does not go with %s scaling", nameRope, s.Type)
	}
	factors, shape, err := f.Tensor(nameRope)
	if err != nil {
		return err
	}
	if len(shape) != 1 || shape[0] != c.HeadDim/2 {
		return fmt.Errorf("tensor %q has shape %v, heads of %d dimensions need [%d]", nameRope, shape, c.HeadDim, c.HeadDim/2)
	}
	if found, ok := recogniseLlama3(factors, *c); ok {
		*s = found
		return nil
	}
	*s = nn.RopeScaling{Type: "longrope", Factor: 1, AttentionFactor: 1, OriginalContext: c.MaxPositions,
		Factors: &nn.RopeFactors{Short: factors, Long: factors}}
	return nil
}

// checkTensors demands that the parameters are there in the right shapes, and nothing
// else that would change the results.
func (f *File) checkTensors(c llama.Config) error {
	want := map[string][]int{}
	for _, p := range c.ParamShapes() {
		name, ok := toGGUF(p.Name)
		if !ok {
			return fmt.Errorf("tensor %q has no name in GGUF", p.Name)
		}
		want[name] = p.Shape
		info, ok := f.Info(name)
		if !ok {
			return fmt.Errorf("tensor %q is missing", name)
		}
		if !slices.Equal(info.Shape, p.Shape) {
			return fmt.Errorf("tensor %q at byte %d has shape %v, the configuration asks for %v", name, info.Offset, info.Shape, p.Shape)
		}
	}
	for _, t := range f.tensors {
		if want[t.Name] == nil && t.Name != nameRope {
			return fmt.Errorf("tensor %q at byte %d has no place in a model of architecture %s", t.Name, t.Offset, c.ModelType)
		}
	}
	return nil
}

// fields reads metadata below the architecture's name; the first error stands.
type fields struct {
	meta *Metadata
	arch string
	err  error
}

func (r *fields) int(dst *int, key string, def int) {
	v, err := r.meta.Int(r.arch+"."+key, def)
	r.keep(err)
	*dst = v
}

func (r *fields) float(dst *float64, key string, def float64) {
	v, err := r.meta.Float(r.arch+"."+key, def)
	r.keep(err)
	*dst = v
}

func (r *fields) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}
