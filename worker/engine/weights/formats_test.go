package weights_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
	"github.com/openledger/openledger/worker/engine/weights"
	"github.com/openledger/openledger/worker/engine/weights/gguf"
)

// Everything in formats was made by transformers, peft, sentencepiece and llama.cpp's
// converter and quantiser; see ../testdata/formats.py.
const formats = "../testdata/formats"

func newBackend(t *testing.T) *cpu.Backend {
	t.Helper()
	b, err := cpu.New(cpu.Config{Threads: 2})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// logitsOf runs the golden tokens and returns the logits of the last positions.
func logitsOf(t *testing.T, ref reference, name string, m *llama.Model, adapter *lora.Packed) []float32 {
	t.Helper()
	ids, shape := ref.tensor(name + ".tokens")
	_, wantShape := ref.tensor(name + ".logits")
	tokens := make([]uint32, shape[0])
	for i := range tokens {
		tokens[i] = uint32(ids[i])
	}
	kv, err := m.NewKV(8, 0)
	require.NoError(t, err)
	defer kv.Free()
	var blocks []int32
	for i := range (len(tokens) + tensor.DefaultPageTokens - 1) / tensor.DefaultPageTokens {
		blocks = append(blocks, int32(i))
	}
	out, err := m.NewRunner(kv).Forward([]llama.Seq{{Tokens: tokens, Blocks: blocks, Adapter: adapter, Logits: llama.LogitsAll}})
	require.NoError(t, err)
	return append([]float32{}, out.Logits[(len(tokens)-wantShape[0])*out.Vocab:]...)
}

func sameLogits(t *testing.T, ref reference, name string, m *llama.Model, adapter *lora.Packed) {
	t.Helper()
	want, _ := ref.tensor(name + ".logits")
	ref.t = t
	ref.close(name, logitsOf(t, ref, name, m, adapter), want)
}

// distance is the norm of the difference relative to that of want.
func distance(got, want []float32) float64 {
	var d, w float64
	for i := range want {
		d += (float64(got[i]) - float64(want[i])) * (float64(got[i]) - float64(want[i]))
		w += float64(want[i]) * float64(want[i])
	}
	return math.Sqrt(d / w)
}

func TestEveryRopeScalingMatchesTransformers(t *testing.T) {
	ref := openReference(t, filepath.Join(formats, "golden.safetensors"))
	dir := filepath.Join(formats, "rope")
	for _, name := range []string{"linear", "dynamic", "yarn", "yarn2", "yarn3", "longrope", "llama3", "mistral"} {
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(dir, "config."+name+".json"))
			require.NoError(t, err)
			cfg, err := llama.ParseConfig(raw)
			require.NoError(t, err)
			src, err := weights.OpenWeights(os.DirFS(dir))
			require.NoError(t, err)
			defer func() { require.NoError(t, src.Close()) }()
			m, err := llama.New(newBackend(t), cfg, src, llama.Options{})
			require.NoError(t, err)
			sameLogits(t, ref, "rope."+name, m, nil)
		})
	}
}

func TestPEFTAdaptersMatchPEFT(t *testing.T) {
	ref := openReference(t, filepath.Join(formats, "golden.safetensors"))
	backend := newBackend(t)
	m, cfg := loadModel(t, backend, filepath.Join(models, "llama"))
	for _, name := range []string{"patterns", "rslora", "onelayer", "plain"} {
		t.Run(name, func(t *testing.T) {
			a, err := weights.ReadPEFT(os.DirFS(filepath.Join(formats, "peft", name)), cfg.Geometry())
			require.NoError(t, err)
			check := func(a *lora.Adapter) {
				t.Helper()
				packed, err := lora.Pack(backend, name, a)
				require.NoError(t, err)
				sameLogits(t, ref, "peft."+name, m, packed)
			}
			check(a)
			// Out and in again, in both formats.
			config, tensors, err := weights.EncodePEFT(a, "base")
			require.NoError(t, err)
			back, err := weights.ParsePEFT(config, tensors, cfg.Geometry())
			require.NoError(t, err)
			check(back)
			var b bytes.Buffer
			require.NoError(t, gguf.WriteAdapter(&b, a, cfg, name))
			f, err := gguf.Parse(bytes.NewReader(b.Bytes()), int64(b.Len()), name)
			require.NoError(t, err)
			back, err = f.Adapter(cfg)
			require.NoError(t, err)
			check(back)
		})
	}
	t.Run("made by llama.cpp", func(t *testing.T) {
		f, file, err := weights.OpenGGUF(filepath.Join(formats, "peft", "lora.gguf"))
		require.NoError(t, err)
		defer func() { require.NoError(t, file.Close()) }()
		a, err := f.Adapter(cfg)
		require.NoError(t, err)
		packed, err := lora.Pack(backend, "gguf", a)
		require.NoError(t, err)
		sameLogits(t, ref, "peft.plain", m, packed)
	})
}

func TestGGUFModelsMatchTransformers(t *testing.T) {
	ref := openReference(t, filepath.Join(formats, "golden.safetensors"))
	backend := newBackend(t)
	for _, name := range []string{"llama-f32", "llama-f16", "qwen2-q8_0", "qwen3-bf16", "mistral-q4_0", "llama-q4_k_m"} {
		t.Run(name, func(t *testing.T) {
			b, err := weights.OpenPath(filepath.Join(formats, "gguf", name+".gguf"))
			require.NoError(t, err)
			defer func() { require.NoError(t, b.Close()) }()
			// As values: what the file means.
			m, err := llama.New(backend, b.Config, values{b}, llama.Options{})
			require.NoError(t, err)
			sameLogits(t, ref, "gguf."+name, m, nil)
			// As stored: what is served. Where weights are in blocks, activations are rounded to bytes, here as in
			// llama.cpp, and we may be as far from the exact values as it is.
			m, err = llama.New(backend, b.Config, b, llama.Options{})
			require.NoError(t, err)
			want, _ := ref.tensor("gguf." + name + ".logits")
			theirs, _ := ref.tensor("gguf." + name + ".llama_cpp")
			got := logitsOf(t, ref, "gguf."+name, m, nil)
			t.Logf("error: ours %.2e, llama.cpp's %.2e", distance(got, want), distance(theirs, want))
			require.Less(t, distance(got, want), 1.5*distance(theirs, want)+tolerance)
		})
	}
}

// values hides that a source can give what is stored.
type values struct{ llama.WeightSource }

func TestGGUFWrittenIsReadAgain(t *testing.T) {
	for _, name := range []string{"llama-f32", "llama-f16", "qwen2-q8_0", "qwen3-bf16", "mistral-q4_0", "llama-q4_k_m"} {
		t.Run(name, func(t *testing.T) {
			b, err := weights.OpenPath(filepath.Join(formats, "gguf", name+".gguf"))
			require.NoError(t, err)
			defer func() { require.NoError(t, b.Close()) }()
			for _, stored := range []bool{true, false} {
				var out bytes.Buffer
				require.NoError(t, gguf.WriteModel(&out, gguf.Model{Config: b.Config, Weights: b, Stored: stored, Type: quant.F32}))
				f, err := gguf.Parse(bytes.NewReader(out.Bytes()), int64(out.Len()), "again")
				require.NoError(t, err)
				again, err := f.Source()
				require.NoError(t, err)
				require.Equal(t, b.Config, again.Config())
				for _, p := range b.Config.ParamShapes() {
					want, _, err := b.Tensor(p.Name)
					require.NoError(t, err)
					got, _, err := again.Tensor(p.Name)
					require.NoError(t, err)
					require.Equal(t, want, got, p.Name)
				}
			}
		})
	}
}

func TestGGUFTokenizersMatchTheirOriginals(t *testing.T) {
	type example struct {
		Text    *string  `json:"text"`
		IDs     []uint32 `json:"ids"`
		Decoded string   `json:"decoded"`
	}
	for file, golden := range map[string]string{
		"llama-f32": filepath.Join(formats, "spm.golden.json"), "llama-f16": "../testdata/tokenizers/llama3.golden.json",
		"qwen3-bf16": "../testdata/tokenizers/qwen2.golden.json",
	} {
		t.Run(file, func(t *testing.T) {
			b, err := weights.OpenPath(filepath.Join(formats, "gguf", file+".gguf"))
			require.NoError(t, err)
			defer func() { require.NoError(t, b.Close()) }()
			raw, err := os.ReadFile(golden)
			require.NoError(t, err)
			var list []example
			require.NoError(t, json.Unmarshal(raw, &list))
			for _, e := range list {
				if e.Text == nil || strings.Contains(*e.Text, "<|strip|>") { // GGUF does not say which tokens strip spaces
					continue
				}
				encode := b.Tokenizer.EncodeSpecial
				if file == "llama-f32" { // sentencepiece takes all text literally
					encode = b.Tokenizer.Encode
				}
				require.Equal(t, e.IDs, append([]uint32{}, encode(*e.Text)...), "%q", *e.Text)
				require.Equal(t, e.Decoded, b.Tokenizer.Decode(e.IDs), "%q", *e.Text)
			}
		})
	}
}
