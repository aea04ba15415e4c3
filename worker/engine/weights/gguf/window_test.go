package gguf

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tokenizer"
)

// windowed is the bytes of a small model of four layers, with more metadata.
func windowed(t *testing.T, change func(*llama.Config), more ...KV) []byte {
	t.Helper()
	cfg := llama.Config{ModelType: "qwen2", VocabSize: 270, HiddenSize: 16, IntermediateSize: 16, Layers: 4, Heads: 2, KVHeads: 1, HeadDim: 8,
		MaxPositions: 64, RMSEps: 1e-5, RopeTheta: 10000, QKVBias: true}
	if change != nil {
		change(&cfg)
	}
	var b bytes.Buffer
	require.NoError(t, WriteModel(&b, Model{Name: "r", Config: cfg, Weights: llama.Random{Config: cfg, Seed: 1}, Type: quant.F32,
		Tokenizer: append(TokenizerKV(tokenizer.BytesOnly(cfg.VocabSize)), more...)}))
	return b.Bytes()
}

func config(t *testing.T, b []byte) (llama.Config, error) {
	t.Helper()
	f, err := parse(b)
	require.NoError(t, err)
	return f.Config()
}

func TestWindowsAreReadAsWritten(t *testing.T) {
	mistral := func(c *llama.Config) { c.ModelType, c.QKVBias = "mistral", false }
	for name, change := range map[string]func(*llama.Config){
		"none":    nil,
		"mistral": func(c *llama.Config) { mistral(c); c.SetWindow(9, nil) },
		"all":     func(c *llama.Config) { c.SetWindow(9, nil) },
		"some":    func(c *llama.Config) { c.SetWindow(9, []bool{false, true, true, false}) },
	} {
		var want llama.Config
		raw := windowed(t, func(c *llama.Config) {
			if change != nil {
				change(c)
			}
			want = *c
		})
		got, err := config(t, raw)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
		require.Equal(t, 64, got.MaxPositions, "the context does not end at the window")
	}
}

func TestWindowsOfForeignFiles(t *testing.T) {
	windows := func(c llama.Config) (out []int) {
		for l := range c.Layers {
			out = append(out, c.Window(l))
		}
		return out
	}
	llamaFile := func(c *llama.Config) { c.ModelType, c.QKVBias = "llama", false }
	const w, p = "qwen2." + keyWindow, "qwen2." + keyWindowPattern
	for name, x := range map[string]struct {
		change func(*llama.Config)
		more   []KV
		want   []int
	}{
		"a llama file with a window":      {llamaFile, []KV{{"llama." + keyWindow, uint32(9)}}, []int{9, 9, 9, 9}},
		"one that none uses":              {llamaFile, []KV{{"llama." + keyWindow, uint32(9)}, {"llama." + keyWindowPattern, make([]bool, 4)}}, []int{0, 0, 0, 0}},
		"qwen names what it does not use": {nil, []KV{{w, uint32(9)}}, []int{0, 0, 0, 0}},
		"a period":                        {nil, []KV{{w, uint32(9)}, {p, uint32(2)}}, []int{9, 0, 9, 0}},
		"period 0":                        {nil, []KV{{w, uint32(9)}, {p, uint32(0)}}, []int{9, 9, 9, 9}},
		"period 1":                        {nil, []KV{{w, uint32(9)}, {p, uint32(1)}}, []int{0, 0, 0, 0}},
	} {
		c, err := config(t, windowed(t, x.change, x.more...))
		require.NoError(t, err, name)
		require.Equal(t, x.want, windows(c), name)
	}
	for want, more := range map[string][]KV{
		"has 3 layers, the model has 4":     {{w, uint32(9)}, {p, make([]bool, 3)}},
		"want a bool for each layer":        {{w, uint32(9)}, {p, "every"}},
		"must not be negative":              {{w, int32(-9)}},
		"sliding_window is 4294967295":      {{w, uint32(1<<32 - 1)}, {p, uint32(0)}},
		`metadata "` + w + `" is a string,`: {{w, "9"}},
	} {
		_, err := config(t, windowed(t, nil, more...))
		require.ErrorContains(t, err, want)
	}
	_, err := config(t, windowed(t, func(c *llama.Config) { llamaFile(c); c.MLPBias = true }, KV{"llama." + keyWindow, uint32(9)}))
	require.ErrorContains(t, err, "biases")
}
