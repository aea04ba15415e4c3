package gguf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/quant"
)

// Source gives a model's parameters by their Hugging Face names and in Hugging Face's
// order of rows: a llama.WeightSource.
type Source struct {
	f      *File
	arch   string
	config llama.Config
}

var _ llama.WeightSource = (*Source)(nil)

// Source checks the model's configuration and tensors.
func (f *File) Source() (*Source, error) {
	c, err := f.Config()
	if err != nil {
		return nil, err
	}
	arch, err := f.Architecture()
	return &Source{f: f, arch: arch, config: c}, err
}

// Config of the model.
func (s *Source) Config() llama.Config { return s.config }

// Encoded reads a parameter as it is stored.
func (s *Source) Encoded(name string) (quant.Type, []byte, []int, error) {
	stored, ok := toGGUF(name)
	if !ok {
		return 0, nil, nil, fmt.Errorf("%s: tensor %q: %w", s.f.name, name, ErrNoTensor)
	}
	t, raw, shape, err := s.f.Raw(stored)
	if err != nil {
		return 0, nil, nil, err
	}
	if m, ok := turned(name); ok && s.arch == "llama" {
		if raw, err = turnRows(raw, headsOf(s.config, m), s.config.HeadDim, len(raw)/shape[0], false); err != nil {
			return 0, nil, nil, fmt.Errorf("%s: tensor %q: %w", s.f.name, stored, err)
		}
	}
	return t, raw, shape, nil
}

// Tensor reads a parameter as float32.
func (s *Source) Tensor(name string) ([]float32, []int, error) {
	t, raw, shape, err := s.Encoded(name)
	if err != nil {
		return nil, nil, err
	}
	out := make([]float32, len(raw)/t.BlockBytes()*t.BlockSize())
	if err := quant.Decode(t, out, raw); err != nil {
		return nil, nil, fmt.Errorf("%s: tensor %q: %w", s.f.name, name, err)
	}
	return out, shape, nil
}

func headsOf(c llama.Config, m lora.Module) int {
	if m == lora.KProj {
		return c.KVHeads
	}
	return c.Heads
}

// Parameters lists the parameters under their Hugging Face names, as they are stored.
func (s *Source) Parameters() []Info {
	var out []Info
	for _, t := range s.f.tensors {
		if name, ok := toHF(t.Name); ok {
			t.Name = name
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return out
}
