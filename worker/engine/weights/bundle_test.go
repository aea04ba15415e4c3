package weights_test

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/weights"
)

// folder is a test model folder in memory, completed with a tokenizer.
func folder(t *testing.T, name string) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	entries, err := os.ReadDir(filepath.Join(models, name))
	if err != nil {
		t.Fatal(err)
	}
	add := func(name, path string) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = &fstest.MapFile{Data: data}
	}
	for _, e := range entries {
		if !e.IsDir() {
			add(e.Name(), filepath.Join(models, name, e.Name()))
		}
	}
	add(weights.TokenizerFile, "../testdata/tokenizers/qwen2.json")
	return out
}

func hashOf(t *testing.T, fsys fs.FS) [32]byte {
	t.Helper()
	b, err := weights.Open(fsys)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Hash
}

func TestBundleHashCoversWhatIsUsed(t *testing.T) {
	f := folder(t, "llama")
	want := hashOf(t, f)
	if hashOf(t, folder(t, "llama")) != want {
		t.Error("the hash is not stable")
	}
	f["README.md"] = &fstest.MapFile{Data: []byte("not part of the model")}
	if hashOf(t, f) != want {
		t.Error("a file that is not used changes the hash")
	}
	f[weights.TokenizerConfigFile] = &fstest.MapFile{Data: []byte("{}")}
	if hashOf(t, f) == want {
		t.Error("tokenizer_config.json does not change the hash")
	}
	f = folder(t, "llama")
	data := slices.Clone(f[weights.WeightsFile].Data)
	data[len(data)-1] ^= 1
	f[weights.WeightsFile] = &fstest.MapFile{Data: data}
	if hashOf(t, f) == want {
		t.Error("a changed weight does not change the hash")
	}
}

// plainFS hides ReadAt.
type plainFS struct{ fs.FS }

type plainFile struct{ fs.File }

func (p plainFS) Open(name string) (fs.File, error) {
	f, err := p.FS.Open(name)
	return plainFile{f}, err
}

func TestShardsAndPlainFileSystems(t *testing.T) {
	f := folder(t, "qwen2")
	if hashOf(t, f) != hashOf(t, plainFS{f}) {
		t.Error("the kind of file system changes the hash")
	}
	b, err := weights.Open(plainFS{f})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range b.Config.ParamShapes() {
		if _, shape, err := b.Tensor(p.Name); err != nil || !slices.Equal(shape, p.Shape) {
			t.Errorf("%s: shape %v, want %v, error %v", p.Name, shape, p.Shape, err)
		}
	}
	if len(b.Tensors()) != len(b.Config.ParamShapes()) {
		t.Errorf("%d tensors, want %d", len(b.Tensors()), len(b.Config.ParamShapes()))
	}
	if _, _, err := b.Tensor("nope"); !errors.Is(err, weights.ErrNoTensor) {
		t.Errorf("missing tensor: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func TestBadFoldersAreRefusedByName(t *testing.T) {
	for name, c := range map[string]struct {
		change func(f fstest.MapFS)
		want   string
	}{
		"no config":    {func(f fstest.MapFS) { delete(f, "config.json") }, "config.json"},
		"no tokenizer": {func(f fstest.MapFS) { delete(f, "tokenizer.json") }, "tokenizer.json"},
		"no shard":     {func(f fstest.MapFS) { delete(f, "model-00002-of-00002.safetensors") }, "model-00002-of-00002.safetensors"},
		"escaping shard": {func(f fstest.MapFS) {
			f[weights.IndexFile] = &fstest.MapFile{Data: []byte(`{"weight_map":{"a":"../secret.safetensors"}}`)}
		}, "../secret.safetensors"},
		"empty index": {func(f fstest.MapFS) { f[weights.IndexFile] = &fstest.MapFile{Data: []byte(`{}`)} }, "weight_map"},
		"tensor in two shards": {func(f fstest.MapFS) {
			f["model-00002-of-00002.safetensors"] = f["model-00001-of-00002.safetensors"]
		}, `tensor "model.embed_tokens.weight": is in`},
		"truncated shard": {func(f fstest.MapFS) {
			d := f["model-00002-of-00002.safetensors"].Data
			f["model-00002-of-00002.safetensors"] = &fstest.MapFile{Data: d[:len(d)-2]}
		}, "model-00002-of-00002.safetensors: tensor"},
	} {
		f := folder(t, "qwen2")
		c.change(f)
		if _, err := weights.Open(f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func geometry(t *testing.T, name string) lora.Geometry {
	t.Helper()
	cfg, err := llama.ParseConfig(folder(t, name)["config.json"].Data)
	if err != nil {
		t.Fatal(err)
	}
	return cfg.Geometry()
}

func TestPEFTRoundTrip(t *testing.T) {
	for _, name := range []string{"llama", "qwen2", "qwen3", "llama3"} {
		geom := geometry(t, name)
		a, err := weights.ReadPEFT(os.DirFS(filepath.Join(models, name, "adapter")), geom)
		if err != nil {
			t.Fatal(err)
		}
		a.Pairs[1].Scale *= 3 // as alpha_pattern does
		config, tensors, err := weights.EncodePEFT(a, "base")
		if err != nil {
			t.Fatal(err)
		}
		b, err := weights.ParsePEFT(config, tensors, geom)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a.Flat, b.Flat) || a.Config.Rank != b.Config.Rank || a.Config.Alpha != b.Config.Alpha ||
			a.Config.RSLoRA != b.Config.RSLoRA || !slices.Equal(a.Config.Targets, b.Config.Targets) {
			t.Errorf("%s: %+v came back as %+v", name, a.Config, b.Config)
		}
		for i := range a.Pairs {
			if d := a.Pairs[i].Scale - b.Pairs[i].Scale; d > 1e-6 || d < -1e-6 {
				t.Errorf("%s: pair %d has scale %v, had %v", name, i, b.Pairs[i].Scale, a.Pairs[i].Scale)
			}
		}
		config2, tensors2, err := weights.EncodePEFT(b, "base")
		if err != nil || !bytes.Equal(tensors, tensors2) || weights.AdapterHash(config, tensors) != weights.AdapterHash(config2, tensors2) {
			t.Errorf("%s: encoding again gives another file (%v)", name, err)
		}
	}
}

func TestBadAdaptersAreRefusedByName(t *testing.T) {
	read := func(name, file string) []byte {
		b, err := os.ReadFile(filepath.Join(models, name, "adapter", file))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	geom := geometry(t, "llama")
	config, tensors := string(read("llama", weights.AdapterConfigFile)), read("llama", weights.AdapterWeightsFile)
	if _, err := weights.ParsePEFT([]byte(config), tensors, geom); err != nil {
		t.Fatal(err)
	}
	for old, c := range map[string][2]string{
		`"peft_type": "LORA"`:     {`"peft_type": "IA3"`, "peft_type"},
		`"use_dora": false`:       {`"use_dora": true`, "use_dora"},
		`"bias": "none"`:          {`"bias": "all"`, "bias"},
		`"r": 4`:                  {`"r": 0`, "r: must"},
		`"lora_alpha": 8`:         {`"lora_alpha": -1`, "lora_alpha"},
		`"modules_to_save": null`: {`"modules_to_save": ["lm_head"]`, "modules_to_save"},
		`"alpha_pattern": {}`:     {`"alpha_pattern": {"((": 2}`, "alpha_pattern"},
	} {
		if !strings.Contains(config, old) {
			t.Fatalf("test is stale: %s", old)
		}
		if _, err := weights.ParsePEFT([]byte(strings.Replace(config, old, c[0], 1)), tensors, geom); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: error %v, want %q", c[0], err, c[1])
		}
	}
	if _, err := weights.ParsePEFT([]byte(config), tensors, geometry(t, "llama3")); err == nil || !strings.Contains(err.Error(), "tensor") {
		t.Errorf("adapter of another base: %v", err)
	}
	encode := func(change func(map[string]weights.Named)) []byte {
		f, err := weights.ParseSafetensors(bytes.NewReader(tensors), int64(len(tensors)), "a")
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]weights.Named{}
		for _, i := range f.Tensors() {
			data, shape, err := f.Tensor(i.Name)
			if err != nil {
				t.Fatal(err)
			}
			all[i.Name] = weights.Named{Name: i.Name, Shape: shape, Data: data}
		}
		change(all)
		var b bytes.Buffer
		if err := weights.WriteSafetensors(&b, slices.Collect(maps.Values(all)), weights.F32, nil); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	const a = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
	for want, change := range map[string]func(map[string]weights.Named){
		"lora_A or lora_B is missing": func(m map[string]weights.Named) { delete(m, a) },
		`tensor "lm_head.lora_A.weight"`: func(m map[string]weights.Named) {
			m["x"] = weights.Named{Name: "lm_head.lora_A.weight", Shape: []int{1}, Data: []float32{1}}
		},
		"has rank": func(m map[string]weights.Named) {
			n := m[a]
			n.Shape, n.Data = []int{2, 32}, n.Data[:64]
			m[a] = n
		},
		"not finite": func(m map[string]weights.Named) {
			zero := float32(0)
			m[a].Data[3] = 1 / zero
		},
		"only 2 layers": func(m map[string]weights.Named) {
			n := m[a]
			n.Name = strings.Replace(a, "layers.0", "layers.7", 1)
			m["x"] = n
		},
	} {
		if _, err := weights.ParsePEFT([]byte(config), encode(change), geom); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got error %v", want, err)
		}
	}
}
