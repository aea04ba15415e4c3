package weights

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tokenizer"
	"github.com/openledger/openledger/worker/engine/weights/gguf"
)

// Conversion says how a model is written.
type Conversion struct {
	// Name of the model, for people.
	Name string
	// Type of the matrices; nil keeps each as it is stored.
	Type *quant.Type
	// Progress is called before each tensor, if it is not nil.
	Progress func(done, total int)
}

// WriteGGUF writes a model as a GGUF file.
func (b *Bundle) WriteGGUF(w io.Writer, c Conversion) error {
	g, err := tokenizer.ToGGUF(b.TokenizerJSON, b.Config.VocabSize, b.BOS, b.EOS)
	if err != nil {
		return err
	}
	g.ChatTemplate = b.ChatTemplate
	m := gguf.Model{Name: c.Name, Config: b.Config, Weights: b, Stored: c.Type == nil, Tokenizer: gguf.TokenizerKV(g), Progress: c.Progress}
	if c.Type != nil {
		m.Type = *c.Type
	}
	return gguf.WriteModel(w, m)
}

// WriteHF writes a model as the files of a Hugging Face folder. create opens a file of
// the folder for writing and closes what it wrote. The matrices are F32, F16 or BF16;
// without a type, those stored in blocks become BF16.
func (b *Bundle) WriteHF(create func(name string, write func(io.Writer) error) error, c Conversion) error {
	if c.Type != nil && dtypeOf(*c.Type) == "" {
		return fmt.Errorf("safetensors: writing %v is not supported: use F32, F16 or BF16, or write GGUF", *c.Type)
	}
	config, err := b.Config.HF()
	if err != nil {
		return err
	}
	special := map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": b.Config.MaxPositions, "clean_up_tokenization_spaces": false}
	for key, v := range map[string]string{"bos_token": b.BOS, "eos_token": b.EOS, "chat_template": b.ChatTemplate} {
		if v != "" {
			special[key] = v
		}
	}
	tokConfig, err := json.MarshalIndent(special, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", TokenizerConfigFile, err)
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{ConfigFile, config}, {TokenizerFile, b.TokenizerJSON}, {TokenizerConfigFile, tokConfig}} {
		if err := create(f.name, func(w io.Writer) error { _, err := w.Write(f.data); return err }); err != nil {
			return err
		}
	}
	tensors, err := b.stored(c)
	if err != nil {
		return err
	}
	return create(WeightsFile, func(w io.Writer) error {
		return WriteStored(w, tensors, map[string]string{"format": "pt"})
	})
}

func (b *Bundle) stored(c Conversion) ([]Stored, error) {
	shapes := b.Config.ParamShapes()
	types := map[string]DType{}
	for _, t := range b.Tensors() {
		types[t.Name] = t.DType
	}
	done := 0
	var out []Stored
	for _, p := range shapes {
		to := types[p.Name]
		switch {
		case to == "":
			return nil, fmt.Errorf("tensor %q: %w", p.Name, ErrNoTensor)
		case c.Type != nil:
			to = dtypeOf(*c.Type)
		case to != F32 && to != F16 && to != BF16:
			to = BF16
		}
		out = append(out, Stored{Name: p.Name, DType: to, Shape: p.Shape, Data: func() ([]byte, error) {
			if c.Progress != nil {
				c.Progress(done, len(shapes))
			}
			done++
			return b.as(p.Name, to)
		}})
	}
	return out, nil
}

// as reads a parameter in the wanted type.
func (b *Bundle) as(name string, to DType) ([]byte, error) {
	want, err := to.quant()
	if err != nil {
		return nil, err
	}
	t, raw, _, err := b.Encoded(name)
	if err != nil || t == want {
		return raw, err
	}
	values := make([]float32, len(raw)/t.BlockBytes()*t.BlockSize())
	if err := quant.Decode(t, values, raw); err != nil {
		return nil, err
	}
	out := make([]byte, len(values)*want.BlockBytes())
	return out, quant.Encode(want, out, values)
}

func dtypeOf(t quant.Type) DType {
	switch t {
	case quant.F32:
		return F32
	case quant.F16:
		return F16
	case quant.BF16:
		return BF16
	}
	return ""
}
