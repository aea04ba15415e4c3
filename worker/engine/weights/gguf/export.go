package gguf

import (
	"fmt"
	"io"

	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/quant"
)

// Encoded gives parameters as they are stored, by Hugging Face names.
type Encoded interface {
	Encoded(name string) (quant.Type, []byte, []int, error)
}

// Model is what WriteModel writes.
type Model struct {
	// Name for people.
	Name   string
	Config llama.Config
	// Weights by Hugging Face names. If they are Encoded too, parameters that have the
	// wanted type already are copied block by block.
	Weights llama.WeightSource
	// Type of the matrices. Vectors are F32. A matrix whose rows are not whole blocks
	// is F16.
	Type quant.Type
	// Stored keeps each matrix's own type and needs Weights to be Encoded; Type is
	// not used then.
	Stored bool
	// Tokenizer metadata, as tokenizer.GGUF gives it.
	Tokenizer []KV
	// Progress is called before each tensor, if it is not nil.
	Progress func(done, total int)
}

// fileTypes are the numbers of general.file_type.
var fileTypes = map[quant.Type]uint32{quant.F32: 0, quant.F16: 1, quant.Q4_0: 2, quant.Q8_0: 7, quant.BF16: 32, quant.Q4_K: 15, quant.Q6_K: 18}

// WriteModel writes a model as llama.cpp reads it.
func WriteModel(w io.Writer, m Model) error {
	if !m.Stored && !m.Type.CanEncode() {
		return fmt.Errorf("gguf: writing %v is not supported: use F32, F16, BF16, Q8_0 or Q4_0", m.Type)
	}
	meta, arch, err := m.metadata()
	if err != nil {
		return fmt.Errorf("gguf: %w", err)
	}
	shapes := m.Config.ParamShapes()
	var tensors []Tensor
	done, total := 0, len(shapes)
	add := func(t Tensor) {
		data := t.Data
		t.Data = func() ([]byte, error) {
			if m.Progress != nil {
				m.Progress(done, total)
			}
			done++
			return data()
		}
		tensors = append(tensors, t)
	}
	if f := m.ropeFactors(); f != nil {
		total++
		add(Tensor{Name: nameRope, Type: quant.F32, Shape: []int{len(f)}, Data: func() ([]byte, error) { return encode(quant.F32, f) }})
	}
	for _, p := range shapes {
		t, err := m.tensor(p, arch)
		if err != nil {
			return fmt.Errorf("gguf: tensor %q: %w", p.Name, err)
		}
		add(t)
	}
	if err := Write(w, meta, tensors); err != nil {
		return err
	}
	if m.Progress != nil {
		m.Progress(total, total)
	}
	return nil
}

// typeOf is the type that a parameter gets.
func (m Model) typeOf(p llama.NamedShape) (quant.Type, error) {
	if len(p.Shape) < 2 {
		return quant.F32, nil
	}
	if m.Stored {
		enc, ok := m.Weights.(Encoded)
		if !ok {
			return 0, fmt.Errorf("the source does not give stored types")
		}
		t, _, _, err := enc.Encoded(p.Name)
		return t, err
	}
	if p.Shape[1]%m.Type.BlockSize() != 0 {
		return quant.F16, nil
	}
	return m.Type, nil
}

func (m Model) tensor(p llama.NamedShape, arch string) (Tensor, error) {
	name, ok := toGGUF(p.Name)
	if !ok {
		return Tensor{}, fmt.Errorf("has no name in GGUF")
	}
	t, err := m.typeOf(p)
	if err != nil {
		return Tensor{}, err
	}
	return Tensor{Name: name, Type: t, Shape: p.Shape, Data: func() ([]byte, error) {
		raw, err := m.encoded(p.Name, t)
		if err != nil {
			return nil, err
		}
		if mod, ok := turned(p.Name); ok && arch == "llama" {
			return turnRows(raw, headsOf(m.Config, mod), m.Config.HeadDim, len(raw)/p.Shape[0], true)
		}
		return raw, nil
	}}, nil
}

func (m Model) encoded(name string, want quant.Type) ([]byte, error) {
	if enc, ok := m.Weights.(Encoded); ok {
		if t, raw, _, err := enc.Encoded(name); err != nil || t == want {
			return raw, err
		}
	}
	data, _, err := m.Weights.Tensor(name)
	if err != nil {
		return nil, err
	}
	return encode(want, data)
}

func encode(t quant.Type, data []float32) ([]byte, error) {
	n, err := quant.RowBytes(t, len(data))
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	return b, quant.Encode(t, b, data)
}

// ropeFactors are the divisors of the rotary frequencies, nil for none.
func (m Model) ropeFactors() []float32 {
	switch s := m.Config.RopeScaling; s.Type {
	case "llama3":
		return llama3Factors(s, m.Config.HeadDim, m.Config.RopeTheta)
	case "longrope":
		return s.Factors.Short
	}
	return nil
}

// metadata writes the configuration, and says which architecture it is written as.
func (m Model) metadata() (meta []KV, arch string, err error) {
	c := m.Config
	arch = c.ModelType
	if arch == "mistral" {
		arch = "llama"
	}
	kv := func(key string, v any) { meta = append(meta, KV{key, v}) }
	u := func(key string, v int) { kv(arch+"."+key, uint32(v)) }
	kv("general.architecture", arch)
	kv("general.type", "model")
	kv("general.name", m.Name)
	if !m.Stored {
		kv("general.file_type", fileTypes[m.Type])
	}
	kv("general.quantization_version", uint32(2))
	u("block_count", c.Layers)
	u("context_length", c.MaxPositions)
	u("embedding_length", c.HiddenSize)
	u("feed_forward_length", c.IntermediateSize)
	u("attention.head_count", c.Heads)
	u("attention.head_count_kv", c.KVHeads)
	u("attention.key_length", c.HeadDim)
	u("attention.value_length", c.HeadDim)
	kv(arch+".attention.layer_norm_rms_epsilon", float32(c.RMSEps))
	kv(arch+".rope.freq_base", float32(c.RopeTheta))
	u("rope.dimension_count", c.HeadDim)
	u("vocab_size", c.VocabSize)
	meta = append(meta, windowMeta(c, arch)...)
	switch s := c.RopeScaling; s.Type {
	case "", "default", "dynamic", "llama3":
	case "linear":
		kv(arch+".rope.scaling.type", "linear")
		kv(arch+".rope.scaling.factor", float32(s.Factor))
	case "yarn":
		if s.AttentionFactor != 0 || s.MScale != 0 || s.NoTruncate {
			return nil, "", fmt.Errorf("rope_scaling: GGUF has no place for yarn's attention_factor, mscale and truncate")
		}
		kv(arch+".rope.scaling.type", "yarn")
		kv(arch+".rope.scaling.factor", float32(s.Factor))
		u("rope.scaling.original_context_length", s.OriginalContext)
		if s.BetaFast != 0 || s.BetaSlow != 0 {
			kv(arch+".rope.scaling.yarn_beta_fast", float32(s.BetaFast))
			kv(arch+".rope.scaling.yarn_beta_slow", float32(s.BetaSlow))
		}
	case "longrope":
		if s.AttentionFactor != 1 || !s.Factors.Uniform() {
			return nil, "", fmt.Errorf("rope_scaling: longrope with two sets of factors cannot be written as GGUF: keep the Hugging Face folder")
		}
	default:
		return nil, "", fmt.Errorf("rope_scaling %q cannot be written as GGUF", s.Type)
	}
	return append(meta, m.Tokenizer...), arch, nil
}
