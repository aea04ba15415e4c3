package weights

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/openledger/openledger/worker/engine/lora"
)

// Files of a PEFT adapter.
const (
	AdapterConfigFile  = "adapter_config.json"
	AdapterWeightsFile = "adapter_model.safetensors"
)

const maxAdapter = 4 << 30

// adapterJSON is what matters of adapter_config.json.
type adapterJSON struct {
	PeftType     string             `json:"peft_type"`
	Base         string             `json:"base_model_name_or_path"`
	R            int                `json:"r"`
	Alpha        float64            `json:"lora_alpha"`
	RSLoRA       bool               `json:"use_rslora"`
	DoRA         bool               `json:"use_dora"`
	Bias         string             `json:"bias"`
	LoraBias     bool               `json:"lora_bias"`
	FanInFanOut  bool               `json:"fan_in_fan_out"`
	Save         []string           `json:"modules_to_save"`
	AlphaPattern map[string]float64 `json:"alpha_pattern"`
}

func adapterErr(field, format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", AdapterConfigFile, field, fmt.Errorf(format, args...))
}

// ReadPEFT reads a PEFT LoRA adapter from a folder, for a base of the given
// geometry.
func ReadPEFT(fsys fs.FS, geom lora.Geometry) (*lora.Adapter, error) {
	sums := map[string][32]byte{}
	config, err := readFile(fsys, AdapterConfigFile, maxConfig, sums)
	if err != nil {
		return nil, err
	}
	tensors, err := readFile(fsys, AdapterWeightsFile, maxAdapter, sums)
	if err != nil {
		return nil, err
	}
	return ParsePEFT(config, tensors, geom)
}

// AdapterHash identifies an adapter by the content of its two files.
func AdapterHash(config, tensors []byte) [32]byte {
	return combine(map[string][32]byte{AdapterConfigFile: sha256.Sum256(config), AdapterWeightsFile: sha256.Sum256(tensors)})
}

// ParsePEFT reads an adapter from the content of its two files.
func ParsePEFT(config, tensors []byte, geom lora.Geometry) (*lora.Adapter, error) {
	c, err := parseAdapterConfig(config)
	if err != nil {
		return nil, err
	}
	f, err := ParseSafetensors(bytes.NewReader(tensors), int64(len(tensors)), AdapterWeightsFile)
	if err != nil {
		return nil, err
	}
	pairs, targets, err := readPairs(f, c, geom)
	if err != nil {
		return nil, err
	}
	a, err := lora.FromPairs(geom, lora.Config{Rank: c.R, Alpha: c.Alpha, RSLoRA: c.RSLoRA, Targets: targets}, pairs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", AdapterWeightsFile, err)
	}
	return a, nil
}

func parseAdapterConfig(data []byte) (*adapterJSON, error) {
	var c adapterJSON
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", AdapterConfigFile, err)
	}
	switch {
	case c.PeftType != "LORA":
		return nil, adapterErr("peft_type", "%q is not supported; use LORA", c.PeftType)
	case c.DoRA:
		return nil, adapterErr("use_dora", "is not supported; train without it")
	case c.LoraBias || (c.Bias != "" && c.Bias != "none"):
		return nil, adapterErr("bias", "is not supported; train with \"none\"")
	case c.FanInFanOut:
		return nil, adapterErr("fan_in_fan_out", "is not supported")
	case len(c.Save) > 0:
		return nil, adapterErr("modules_to_save", "%v: whole modules are not supported; train low-rank changes only", c.Save)
	case c.R < 1 || c.R > 1024:
		return nil, adapterErr("r", "must lie between 1 and 1024, is %d", c.R)
	case !(c.Alpha > 0) || math.IsInf(c.Alpha, 0):
		return nil, adapterErr("lora_alpha", "must be positive, is %v", c.Alpha)
	}
	for _, k := range sortedKeys(c.AlphaPattern) {
		if a := c.AlphaPattern[k]; !(a > 0) || math.IsInf(a, 0) {
			return nil, adapterErr("alpha_pattern", "%q must be positive, is %v", k, a)
		}
	}
	return &c, nil
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// alphaOf applies alpha_pattern as PEFT does: a key is a pattern for the end of the
// module's path.
func (c *adapterJSON) alphaOf(module string) (float64, error) {
	for _, k := range sortedKeys(c.AlphaPattern) {
		if k == module || strings.HasSuffix(module, "."+k) {
			return c.AlphaPattern[k], nil
		}
		re, err := regexp.Compile(`^(?:.*\.)?(?:` + k + `)$`)
		if err != nil {
			return 0, adapterErr("alpha_pattern", "%q: %w", k, err)
		}
		if re.MatchString(module) {
			return c.AlphaPattern[k], nil
		}
	}
	return c.Alpha, nil
}

var adapterName = regexp.MustCompile(`^(?:base_model\.model\.)?model\.layers\.(\d{1,4})\.([a-z_]+\.[a-z_]+)\.lora_([AB])(?:\.default)?\.weight$`)

type pairKey struct {
	layer  int
	module lora.Module
}

func readPairs(f *File, c *adapterJSON, geom lora.Geometry) ([]lora.Pair, []lora.Module, error) {
	found := map[pairKey]*lora.Pair{}
	var order []pairKey
	var used [lora.NumModules]bool
	for _, info := range f.tensors {
		fail := func(format string, args ...any) error {
			return fmt.Errorf("%s: tensor %q: %w", f.name, info.Name, fmt.Errorf(format, args...))
		}
		m := adapterName.FindStringSubmatch(info.Name)
		if m == nil {
			return nil, nil, fail("is not a low-rank change of a supported module")
		}
		layer := 0
		for _, d := range m[1] {
			layer = 10*layer + int(d-'0')
		}
		module, err := lora.ParseModule(m[2])
		if err != nil {
			return nil, nil, fail("%w", err)
		}
		if layer >= geom.Layers {
			return nil, nil, fail("the base has only %d layers", geom.Layers)
		}
		if len(info.Shape) != 2 {
			return nil, nil, fail("has shape %v, want two dimensions", info.Shape)
		}
		rank, width, want := info.Shape[0], info.Shape[1], geom.Shapes[module].In
		if m[3] == "B" {
			rank, width, want = width, rank, geom.Shapes[module].Out
		}
		if width != want {
			return nil, nil, fail("has shape %v, but the base's %s has %d there: it was made for another base", info.Shape, module, want)
		}
		k := pairKey{layer, module}
		p := found[k]
		if p == nil {
			p = &lora.Pair{Layer: layer, Module: module, Rank: rank, Shape: geom.Shapes[module]}
			found[k] = p
			order = append(order, k)
			used[module] = true
		}
		if p.Rank != rank {
			return nil, nil, fail("has rank %d, its partner %d", rank, p.Rank)
		}
		data, err := f.read(info)
		if err != nil {
			return nil, nil, fail("%w", err)
		}
		if i := slices.IndexFunc(data, func(v float32) bool { return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) }); i >= 0 {
			return nil, nil, fail("value %d is not finite", i)
		}
		dst := &p.A
		if m[3] == "B" {
			dst = &p.B
		}
		if *dst != nil {
			return nil, nil, fail("is there twice")
		}
		*dst = data
	}
	return finishPairs(f, c, found, order, used)
}

func finishPairs(f *File, c *adapterJSON, found map[pairKey]*lora.Pair, order []pairKey, used [lora.NumModules]bool) ([]lora.Pair, []lora.Module, error) {
	if len(order) == 0 {
		return nil, nil, fmt.Errorf("%s: has no tensors", f.name)
	}
	var pairs []lora.Pair
	for _, k := range order {
		p := found[k]
		path := fmt.Sprintf("model.layers.%d.%s", k.layer, k.module.Path())
		if p.A == nil || p.B == nil {
			return nil, nil, fmt.Errorf("%s: %s: lora_A or lora_B is missing", f.name, path)
		}
		alpha, err := c.alphaOf(path)
		if err != nil {
			return nil, nil, err
		}
		p.Scale = lora.Config{Alpha: alpha, RSLoRA: c.RSLoRA}.Scaling(p.Rank)
		pairs = append(pairs, *p)
	}
	var targets []lora.Module
	for m, u := range used {
		if u {
			targets = append(targets, lora.Module(m))
		}
	}
	return pairs, targets, nil
}

// EncodePEFT writes an adapter as the two files of a PEFT adapter, in float32.
// base names the base model, for people. Equal adapters give equal bytes.
func EncodePEFT(a *lora.Adapter, base string) (config, tensors []byte, err error) {
	names := make([]string, 0, len(a.Config.Targets))
	for _, t := range a.Config.Targets {
		names = append(names, t.String())
	}
	sort.Strings(names)
	ranks, alphas := map[string]int{}, map[string]float64{}
	for _, p := range a.Pairs {
		path := fmt.Sprintf("model.layers.%d.%s", p.Layer, p.Module.Path())
		if p.Rank != a.Config.Rank {
			ranks[path] = p.Rank
		}
		if p.Scale != a.Config.Scaling(p.Rank) {
			alphas[path] = float64(p.Scale) * float64(p.Rank)
			if a.Config.RSLoRA {
				alphas[path] = float64(p.Scale) * math.Sqrt(float64(p.Rank))
			}
		}
	}
	config, err = json.MarshalIndent(map[string]any{
		"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base, "r": a.Config.Rank, "lora_alpha": a.Config.Alpha,
		"use_rslora": a.Config.RSLoRA, "use_dora": false, "target_modules": names, "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": false,
		"inference_mode": true, "init_lora_weights": true, "modules_to_save": nil, "rank_pattern": ranks, "alpha_pattern": alphas,
	}, "", "  ")
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", AdapterConfigFile, err)
	}
	var named []Named
	for _, p := range a.Params(nil) {
		named = append(named, Named{Name: p.Name, Shape: p.Shape, Data: p.Data})
	}
	var b bytes.Buffer
	if err := WriteSafetensors(&b, named, F32, map[string]string{"format": "pt"}); err != nil {
		return nil, nil, err
	}
	return append(config, '\n'), b.Bytes(), nil
}
