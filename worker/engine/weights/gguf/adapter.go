package gguf

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/quant"
)

const keyAlpha = "adapter.lora.alpha"

var adapterTensor = regexp.MustCompile(`^(blk\.\d{1,4}\.[a-z_]+\.weight)\.lora_([ab])$`)

// IsAdapter says whether the file holds a LoRA adapter.
func (f *File) IsAdapter() bool {
	t, _ := f.meta.String("general.type")
	return t == "adapter"
}

// Adapter reads a LoRA adapter for a base of the given configuration.
func (f *File) Adapter(base llama.Config) (*lora.Adapter, error) {
	a, err := f.adapter(base)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	return a, nil
}

func (f *File) adapter(base llama.Config) (*lora.Adapter, error) {
	kind, err := f.meta.String("adapter.type")
	if err != nil {
		return nil, err
	}
	if !f.IsAdapter() || kind != "lora" {
		return nil, fmt.Errorf("holds no LoRA adapter (metadata general.type and adapter.type say otherwise)")
	}
	arch, err := f.Architecture()
	if err != nil {
		return nil, err
	}
	if want := archOf(base); arch != want {
		return nil, fmt.Errorf("is for a base of architecture %q, this one is %q", arch, want)
	}
	alpha, err := f.meta.Float(keyAlpha, 0)
	if err != nil {
		return nil, err
	}
	if !(alpha > 0) || math.IsInf(alpha, 0) {
		return nil, fmt.Errorf("metadata %q is %v: it must be positive", keyAlpha, alpha)
	}
	pairs, err := f.pairs(base, arch)
	if err != nil {
		return nil, err
	}
	cfg := lora.Config{Alpha: alpha}
	for i := range pairs {
		p := &pairs[i]
		p.Scale = cfg.Scaling(p.Rank)
		cfg.Rank = max(cfg.Rank, p.Rank)
		if !slices.Contains(cfg.Targets, p.Module) {
			cfg.Targets = append(cfg.Targets, p.Module)
		}
	}
	slices.Sort(cfg.Targets)
	return lora.FromPairs(base.Geometry(), cfg, pairs)
}

func archOf(c llama.Config) string {
	if c.ModelType == "mistral" {
		return "llama"
	}
	return c.ModelType
}

func (f *File) pairs(base llama.Config, arch string) ([]lora.Pair, error) {
	geom := base.Geometry()
	var order []string
	found := map[string]*lora.Pair{}
	for _, info := range f.tensors {
		fail := func(format string, args ...any) error {
			return fmt.Errorf("tensor %q at byte %d: %w", info.Name, info.Offset, fmt.Errorf(format, args...))
		}
		m := adapterTensor.FindStringSubmatch(info.Name)
		if m == nil {
			return nil, fail("is not a low-rank change of a supported module")
		}
		layer, module, err := place(m[1])
		if err != nil {
			return nil, fail("%w", err)
		}
		if layer >= geom.Layers {
			return nil, fail("the base has only %d layers", geom.Layers)
		}
		shape := geom.Shapes[module]
		rank, width, want := 0, 0, shape.In
		if len(info.Shape) == 2 {
			rank, width = info.Shape[0], info.Shape[1]
		}
		if m[2] == "b" {
			rank, width, want = width, rank, shape.Out
		}
		if width != want || rank < 1 || rank > 1024 {
			return nil, fail("has shape %v, but the base's %s has %d there and ranks go up to 1024: it was made for another base", info.Shape, module, want)
		}
		p := found[m[1]]
		if p == nil {
			p = &lora.Pair{Layer: layer, Module: module, Rank: rank, Shape: shape}
			found[m[1]] = p
			order = append(order, m[1])
		}
		if p.Rank != rank {
			return nil, fail("has rank %d, its partner %d", rank, p.Rank)
		}
		data, err := f.adapterValues(info, m[2] == "b" && arch == "llama", module, base)
		if err != nil {
			return nil, err
		}
		if m[2] == "a" {
			p.A = data
		} else {
			p.B = data
		}
	}
	if len(order) == 0 {
		return nil, fmt.Errorf("has no tensors")
	}
	var out []lora.Pair
	for _, name := range order {
		if found[name].A == nil || found[name].B == nil {
			return nil, fmt.Errorf("%s: lora_a or lora_b is missing", name)
		}
		out = append(out, *found[name])
	}
	return out, nil
}

// place finds layer and module of a GGUF name.
func place(name string) (int, lora.Module, error) {
	hf, ok := toHF(name)
	if !ok {
		return 0, 0, fmt.Errorf("is not a low-rank change of a supported module")
	}
	number, rest, _ := strings.Cut(strings.TrimPrefix(hf, "model.layers."), ".")
	layer, err := strconv.Atoi(number)
	if err != nil {
		return 0, 0, fmt.Errorf("has no layer")
	}
	m, err := lora.ParseModule(strings.TrimSuffix(rest, ".weight"))
	return layer, m, err
}

// adapterValues reads one factor. The rows of B for queries and keys are in the
// file's order, as those of the base are.
func (f *File) adapterValues(info Info, turn bool, module lora.Module, base llama.Config) ([]float32, error) {
	t, raw, shape, err := f.Raw(info.Name)
	if err != nil {
		return nil, err
	}
	if turn && (module == lora.QProj || module == lora.KProj) {
		if raw, err = turnRows(raw, headsOf(base, module), base.HeadDim, len(raw)/shape[0], false); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", info.Name, err)
		}
	}
	out := make([]float32, info.Elements())
	if err := quant.Decode(t, out, raw); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", info.Name, err)
	}
	if i := slices.IndexFunc(out, func(v float32) bool { return v-v != 0 }); i >= 0 {
		return nil, fmt.Errorf("tensor %q: value %d is not finite", info.Name, i)
	}
	return out, nil
}

// WriteAdapter writes an adapter as llama.cpp reads it, in F32. GGUF has one alpha
// for all changes: where an adapter has several, B takes up the difference.
func WriteAdapter(w io.Writer, a *lora.Adapter, base llama.Config, name string) error {
	arch := archOf(base)
	meta := []KV{{"general.architecture", arch}, {"general.type", "adapter"}, {"general.name", name}, {"adapter.type", "lora"},
		{keyAlpha, float32(a.Config.Alpha)}}
	var tensors []Tensor
	for i := range a.Pairs {
		p := &a.Pairs[i]
		stem, ok := toGGUF(fmt.Sprintf("model.layers.%d.%s.weight", p.Layer, p.Module.Path()))
		if !ok {
			return fmt.Errorf("gguf: %v has no name", p.Module)
		}
		values := func(rows, cols int, v []float32, isB bool) func() ([]byte, error) {
			return func() ([]byte, error) {
				if isB {
					v = rescaled(v, p.Scale, lora.Config{Alpha: a.Config.Alpha}.Scaling(p.Rank))
				}
				raw, err := encode(quant.F32, v)
				if err == nil && isB && arch == "llama" && (p.Module == lora.QProj || p.Module == lora.KProj) {
					return turnRows(raw, rows/base.HeadDim, base.HeadDim, 4*cols, true)
				}
				return raw, err
			}
		}
		tensors = append(tensors,
			Tensor{Name: stem + ".lora_a", Type: quant.F32, Shape: []int{p.Rank, p.Shape.In}, Data: values(p.Rank, p.Shape.In, p.A, false)},
			Tensor{Name: stem + ".lora_b", Type: quant.F32, Shape: []int{p.Shape.Out, p.Rank}, Data: values(p.Shape.Out, p.Rank, p.B, true)})
	}
	return Write(w, meta, tensors)
}

func rescaled(v []float32, from, to float32) []float32 {
	if from == to {
		return v
	}
	out := make([]float32, len(v))
	for i := range v {
		out[i] = float32(float64(v[i]) * float64(from) / float64(to))
	}
	return out
}
