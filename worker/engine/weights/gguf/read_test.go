package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tokenizer"
)

func parse(b []byte) (*File, error) { return Parse(bytes.NewReader(b), int64(len(b)), "f.gguf") }

// random is the bytes of a small model with random weights.
func random(t testing.TB, typ quant.Type) []byte {
	t.Helper()
	cfg := llama.Config{ModelType: "llama", VocabSize: 270, HiddenSize: 32, IntermediateSize: 32, Layers: 1, Heads: 2, KVHeads: 1, HeadDim: 16,
		MaxPositions: 32, RMSEps: 1e-5, RopeTheta: 10000}
	var b bytes.Buffer
	require.NoError(t, WriteModel(&b, Model{Name: "r", Config: cfg, Weights: llama.Random{Config: cfg, Seed: 1}, Type: typ,
		Tokenizer: TokenizerKV(tokenizer.BytesOnly(cfg.VocabSize))}))
	return b.Bytes()
}

func file(t *testing.T, meta []KV, tensors ...Tensor) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Write(&b, meta, tensors))
	return b.Bytes()
}

func f32(name string, shape ...int) Tensor {
	n := 4
	for _, d := range shape {
		n *= d
	}
	return Tensor{Name: name, Type: quant.F32, Shape: shape, Data: func() ([]byte, error) { return make([]byte, n), nil }}
}

func TestEveryKindOfMetadataIsReadAsWritten(t *testing.T) {
	meta := []KV{{"a", uint8(1)}, {"b", int8(-1)}, {"c", uint16(2)}, {"d", int16(-2)}, {"e", uint32(3)}, {"f", int32(-3)}, {"g", uint64(4)},
		{"h", int64(-4)}, {"i", float32(1e-5)}, {"j", 0.1}, {"k", true}, {"l", "text"}, {"m", []string{"", "x"}}, {"n", []float32{1, 2}},
		{"o", []bool{true, false}}, {"p", []uint8{}}, {"q", []int32{7, 7}}}
	f, err := parse(file(t, meta, f32("x", 3, 5)))
	require.NoError(t, err)
	require.Equal(t, meta, f.Meta().All())
	eps, err := f.Meta().Float("i", 0)
	require.NoError(t, err)
	require.Equal(t, 1e-5, eps, "the shortest decimal, not the float32's digits")
	n, err := f.Meta().Int("q", 0)
	require.NoError(t, err)
	require.Equal(t, 7, n, "one value for each layer")
	info, _ := f.Info("x")
	require.Equal(t, []int{3, 5}, info.Shape)
	_, err = f.Meta().Int("l", 0)
	require.ErrorContains(t, err, `metadata "l" is a string`)
}

// A file cut anywhere is refused, never read as something else.
func TestTruncatedFilesAreRefused(t *testing.T) {
	whole := random(t, quant.Q8_0)
	end := len(whole)
	for n := 0; n < end-defaultSize; n += 1 + n/200 {
		_, err := parse(whole[:n])
		require.Error(t, err, "%d of %d bytes", n, end)
	}
	_, err := parse(whole[:end-100])
	require.ErrorContains(t, err, "truncated")
	require.ErrorContains(t, err, "f.gguf: tensor ")
	require.ErrorContains(t, err, "at byte ")
}

func TestHostileHeadersAreRefused(t *testing.T) {
	le := binary.LittleEndian
	head := func(version uint32, tensors, kvs uint64) []byte {
		return le.AppendUint64(le.AppendUint64(le.AppendUint32([]byte(magic), version), tensors), kvs)
	}
	kv := func(key string, k kind, rest ...byte) []byte {
		return append(le.AppendUint32(appendString(head(3, 0, 1), key), uint32(k)), rest...)
	}
	array := func(k kind, n uint64) []byte { return le.AppendUint64(le.AppendUint32(nil, uint32(k)), n) }
	nested := []byte{}
	for range maxDepth + 2 {
		nested = append(nested, array(kindArray, 1)...)
	}
	info := func(dims []uint64, typ uint32, offset uint64) []byte {
		b := le.AppendUint32(appendString(head(3, 1, 0), "w"), uint32(len(dims)))
		for _, d := range dims {
			b = le.AppendUint64(b, d)
		}
		b = le.AppendUint64(le.AppendUint32(b, typ), offset)
		return append(b, make([]byte, 200)...)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"not GGUF":            {[]byte("PK\x03\x04 and more"), "is not a GGUF file"},
		"version 1":           {head(1, 0, 0), "GGUF version 1"},
		"big-endian":          {head(3<<24, 0, 0), "big-endian"},
		"too many tensors":    {head(3, 1<<60, 0), "1152921504606846976 tensors"},
		"too many entries":    {head(3, 0, 1<<40), "metadata entries"},
		"long key":            {append(head(3, 0, 1), le.AppendUint64(nil, 1<<50)...), "longer than"},
		"long string":         {kv("k", kindString, le.AppendUint64(nil, 1<<40)...), "longer than"},
		"string past the end": {kv("k", kindString, le.AppendUint64(nil, 1000)...), `metadata entry 0: "k": at byte`},
		"huge array":          {kv("k", kindArray, array(kindUint8, 1<<62)...), "an array of"},
		"huge string array":   {kv("k", kindArray, array(kindString, 1<<30)...), "an array of"},
		"unknown kind":        {kv("k", 99), "value type 99"},
		"unknown array":       {kv("k", kindArray, array(55, 1)...), "array type 55"},
		"nested arrays":       {kv("k", kindArray, nested...), "nested"},
		"odd alignment":       {kv(alignmentKV, kindUint32, 3, 0, 0, 0), "power of two"},
		"no dimensions":       {info(nil, 0, 0), "0 dimensions"},
		"five dimensions":     {info([]uint64{1, 1, 1, 1, 1}, 0, 0), "5 dimensions"},
		"zero dimension":      {info([]uint64{0}, 0, 0), "dimension 0 is 0"},
		"overflow":            {info([]uint64{1 << 31, 1 << 31, 1 << 31}, 0, 0), "too large"},
		"negative overflow":   {info([]uint64{math.MaxInt32, math.MaxInt32, 2}, 0, 0), `dimension 1 is 2147483647`},
		"half a block":        {info([]uint64{33}, uint32(quant.Q8_0), 0), "whole blocks of 32"},
		"unknown type":        {info([]uint64{32}, 77, 0), "tensor type 77 is unknown"},
		"beyond the end":      {info([]uint64{32}, 0, 1<<40), "lies beyond the file"},
		"not aligned":         {info([]uint64{4}, 0, 8), "multiple of the alignment"},
		"a gap":               {info([]uint64{4}, 0, 64), "belong to no tensor"},
		"more than there is":  {info([]uint64{4096}, 0, 0), "truncated"},
		"bytes after the end": {info([]uint64{4}, 0, 0), "bytes after the last tensor"},
	} {
		_, err := parse(c.data)
		require.ErrorContains(t, err, c.want, name)
	}
}

func TestTensorsMayNotOverlapOrRepeat(t *testing.T) {
	good := file(t, nil, f32("aa", 8), f32("bb", 8))
	_, err := parse(good)
	require.NoError(t, err)
	at := bytes.Index(good, []byte("bb")) + 2 + 4 + 8 + 4 // name, dimensions, one of them, type
	overlap := bytes.Clone(good)
	overlap[at] = 0
	_, err = parse(overlap)
	require.ErrorContains(t, err, `tensor "bb"`)
	require.ErrorContains(t, err, "overlaps")
	_, err = parse(bytes.Replace(good, []byte("bb"), []byte("aa"), 1))
	require.ErrorContains(t, err, "not unique")
	_, err = parse(file(t, []KV{{"k", "1"}, {"k", "2"}}))
	require.ErrorContains(t, err, `metadata "k" is there twice`)
}

func TestUnfitModelsAreRefusedByName(t *testing.T) {
	f, err := parse(random(t, quant.F32))
	require.NoError(t, err)
	meta := f.Meta().All()
	tensors := func() (out []Tensor) {
		for _, i := range f.Tensors() {
			out = append(out, Tensor{Name: i.Name, Type: quant.F32, Shape: i.Shape, Data: func() ([]byte, error) {
				_, raw, _, err := f.Raw(i.Name)
				return raw, err
			}})
		}
		return out
	}
	set := func(key string, v any) []KV {
		out := append([]KV{}, meta...)
		for i := range out {
			if out[i].Key == key {
				out[i].Value = v
				return out
			}
		}
		return append(out, KV{key, v})
	}
	for name, c := range map[string]struct {
		meta    []KV
		tensors []Tensor
		want    string
	}{
		"another architecture": {set("general.architecture", "mamba"), tensors(), `architecture "mamba" is not supported`},
		"an adapter":           {set("general.type", "adapter"), tensors(), "holds no model, but: adapter"},
		"heads that differ":    {set("llama.attention.head_count_kv", []int32{1, 2}), tensors(), "differs between layers"},
		"partial rotation":     {set("llama.rope.dimension_count", uint32(8)), tensors(), "rotary"},
		"a part":               {set("split.count", uint16(3)), tensors(), "one of 3 parts"},
		"experts":              {set("llama.expert_count", uint32(8)), tensors(), "experts"},
		"a scaling":            {set("llama.rope.scaling.type", "su"), tensors(), "llama.rope.scaling.type"},
		"wrong kind":           {set("llama.block_count", "one"), tensors(), `metadata "llama.block_count" is a string`},
		"absurd size":          {set("llama.context_length", uint32(1<<31)), tensors(), "max_position_embeddings"},
		"missing tensor":       {meta, tensors()[1:], "is missing"},
		"strange tensor":       {meta, append(tensors(), f32("blk.0.ffn_gate_inp.weight", 4)), `tensor "blk.0.ffn_gate_inp.weight" at byte`},
		"wrong shape":          {set("llama.feed_forward_length", uint32(48)), tensors(), "has shape [32 32], the configuration asks for [48 32]"},
		"many layers":          {set("llama.block_count", uint32(900)), tensors(), `tensor "blk.1.attn_norm.weight" is missing`},
	} {
		g, err := parse(file(t, c.meta, c.tensors...))
		require.NoError(t, err, name)
		_, err = g.Source()
		require.ErrorContains(t, err, c.want, name)
	}
}

func TestTypesThatAreNotKnownAreNamed(t *testing.T) {
	b := file(t, nil, f32("w", 256))
	at := bytes.Index(b, []byte("w\x01\x00\x00\x00")) + 1 + 4 + 8
	b[at] = 13 // Q5_K: 176 bytes where 1024 are
	b = b[:len(b)-1024+192]
	f, err := parse(b)
	require.NoError(t, err)
	require.Equal(t, "Q5_K", f.Tensors()[0].Type)
	_, _, err = f.Tensor("w")
	require.ErrorContains(t, err, `tensor "w": Q5_K is not supported (F32`)
	_, _, err = f.Tensor("x")
	require.ErrorIs(t, err, ErrNoTensor)
}

func TestFailuresWhileReadingAndWritingAreReported(t *testing.T) {
	whole := random(t, quant.F32)
	f, err := Parse(io.NewSectionReader(bytes.NewReader(whole[:len(whole)-64]), 0, int64(len(whole))), int64(len(whole)), "short")
	require.NoError(t, err, "the file became shorter after its size was taken")
	last := f.Tensors()[len(f.Tensors())-1]
	_, _, err = f.Tensor(last.Name)
	require.ErrorContains(t, err, "at byte")
	boom := errors.New("boom")
	err = Write(io.Discard, nil, []Tensor{{Name: "w", Type: quant.F32, Shape: []int{1}, Data: func() ([]byte, error) { return nil, boom }}})
	require.ErrorIs(t, err, boom)
	require.ErrorContains(t, err, `tensor "w"`)
	require.ErrorContains(t, Write(io.Discard, []KV{{"k", struct{}{}}}, nil), `metadata "k"`)
	require.ErrorContains(t, Write(io.Discard, nil, []Tensor{{Name: "w", Type: quant.Q8_0, Shape: []int{33}}}), "whole blocks")
	require.ErrorContains(t, WriteModel(io.Discard, Model{Type: quant.Q4_K}), "writing Q4_K is not supported")
}

func FuzzParse(f *testing.F) {
	f.Add(random(f, quant.Q4_0))
	lora, err := os.ReadFile(filepath.Join("../../testdata/formats", "peft/lora.gguf"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(lora)
	var spelled bytes.Buffer
	if err := Write(&spelled, []KV{{"tokenizer.ggml.model", "gpt2"}, {"tokenizer.ggml.pre", "qwen2"}, {"tokenizer.ggml.tokens", []string{"a", "b", "ab", "<x>"}},
		{"tokenizer.ggml.token_type", []int32{1, 1, 1, 3}}, {"tokenizer.ggml.merges", []string{"a b"}}, {"tokenizer.ggml.bos_token_id", uint32(3)}}, nil); err != nil {
		f.Fatal(err)
	}
	f.Add(spelled.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := parse(b)
		if err != nil {
			return
		}
		for _, i := range g.Tensors() {
			if raw := i.Bytes; raw > int64(len(b)) {
				t.Fatalf("%s takes %d bytes of a file of %d", i.Name, raw, len(b))
			}
		}
		if s, err := g.Source(); err == nil {
			for _, p := range s.Config().ParamShapes() {
				_, _, _ = s.Tensor(p.Name) // may fail, may not panic
			}
			_, _ = g.Adapter(s.Config())
		}
		if tok, err := g.Tokenizer(); err == nil {
			if raw, err := tok.JSON(); err == nil {
				if loaded, err := tokenizer.Load(raw); err == nil {
					loaded.Decode(loaded.Encode("some text"))
				}
			}
		}
	})
}
