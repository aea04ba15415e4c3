package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/engine/base"
	"github.com/openledger/openledger/worker/engine/weights"
)

const formats = "../../worker/engine/testdata/formats"

// ran runs a verb and returns its standard output.
func ran(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := &cli{out: &out, err: &bytes.Buffer{}, in: &bytes.Buffer{}}
	root := newRoot(c)
	root.SetArgs(append(args, "--home", t.TempDir()))
	err := root.Execute()
	return out.String(), err
}

func info(t *testing.T, path string) fileInfo {
	t.Helper()
	out, err := ran(t, "model", "inspect", path, "--json", "--tensors")
	require.NoError(t, err)
	var i fileInfo
	require.NoError(t, json.Unmarshal([]byte(out), &i))
	return i
}

func TestModelConvert_ThereAndBackIsTheSameModel(t *testing.T) {
	dir := t.TempDir()
	folder, file, again := filepath.Join(dir, "base"), filepath.Join(dir, "base.gguf"), filepath.Join(dir, "again")
	require.NoError(t, os.CopyFS(folder, base.Files()))
	_, err := ran(t, "model", "convert", folder, file)
	require.NoError(t, err)
	_, err = ran(t, "model", "convert", file, again)
	require.NoError(t, err)
	for _, p := range []string{file, again} {
		out, err := ran(t, "model", "verify", p)
		require.NoError(t, err)
		require.Contains(t, out, "is sound")
	}
	want, got := open(t, folder), open(t, again)
	require.Equal(t, want.Config, got.Config)
	require.Equal(t, want.ChatTemplate, got.ChatTemplate)
	require.Equal(t, want.BOS+want.EOS, got.BOS+got.EOS)
	const text = "The fox said: it's 12 o'clock.\n\n  Yes — ja."
	require.Equal(t, want.Tokenizer.WithTemplate(want.Tokenizer.Encode(text)), got.Tokenizer.WithTemplate(got.Tokenizer.Encode(text)))
	for _, p := range want.Config.ParamShapes() {
		a, _, err := want.Tensor(p.Name)
		require.NoError(t, err)
		b, _, err := got.Tensor(p.Name)
		require.NoError(t, err)
		require.Equal(t, a, b, p.Name)
	}
}

func open(t *testing.T, path string) *weights.Bundle {
	t.Helper()
	b, err := weights.OpenPath(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func TestModelConvert_Quantises(t *testing.T) {
	out := filepath.Join(t.TempDir(), "q.gguf")
	_, err := ran(t, "model", "convert", filepath.Join(formats, "gguf/llama-q4_k_m.gguf"), out, "--type", "q8_0")
	require.NoError(t, err)
	i := info(t, out)
	require.Equal(t, map[string]int{"F32": 5, "Q8_0": 16}, i.Types)
	require.Equal(t, "llama", i.Architecture)
	require.Empty(t, i.Problem)
}

func TestModelConvert_Adapters(t *testing.T) {
	const onto = "../../worker/engine/testdata/models/llama"
	dir := t.TempDir()
	file, folder := filepath.Join(dir, "a.gguf"), filepath.Join(dir, "a")
	_, err := ran(t, "model", "convert", filepath.Join(formats, "peft/rslora"), file, "--base", onto)
	require.NoError(t, err)
	_, err = ran(t, "model", "convert", file, folder, "--base", onto)
	require.NoError(t, err)
	i := info(t, folder)
	require.Equal(t, "peft adapter", i.Format+" "+i.Kind)
	require.Len(t, i.Tensors, 8)
	out, err := ran(t, "model", "verify", folder, "--base", onto)
	require.NoError(t, err)
	require.Contains(t, out, "4 changes, ranks up to 6")
	_, err = ran(t, "model", "verify", folder)
	require.ErrorContains(t, err, "--base")
	_, err = ran(t, "model", "verify", folder, "--base", filepath.Join(formats, "gguf/qwen3-bf16.gguf"))
	require.ErrorContains(t, err, "made for another base")
}

func TestModelRandom_IsAModelAndTheSameEachTime(t *testing.T) {
	dir := t.TempDir()
	hash := func(name string, args ...string) string {
		p := filepath.Join(dir, name)
		_, err := ran(t, append([]string{"model", "random", "--shape", "tiny", p}, args...)...)
		require.NoError(t, err)
		_, err = ran(t, "model", "verify", p)
		require.NoError(t, err)
		return info(t, p).Hash
	}
	require.Equal(t, hash("a.gguf"), hash("b.gguf"))
	require.NotEqual(t, hash("a.gguf"), hash("c.gguf", "--seed", "2"))
}

func TestModel_BadInputIsNamed(t *testing.T) {
	dir := t.TempDir()
	whole, err := os.ReadFile(filepath.Join(formats, "gguf/qwen2-q8_0.gguf"))
	require.NoError(t, err)
	put := func(name string, data []byte) string {
		p := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(p, data, 0o600))
		return p
	}
	cut := put("cut.gguf", whole[:len(whole)-5000])
	other := put("other.gguf", bytes.ReplaceAll(whole, []byte("qwen2"), []byte("gemma")))
	text := put("text.gguf", []byte("hello, I am no model"))
	nan := bytes.Clone(whole)
	copy(nan[len(nan)-64:], bytes.Repeat([]byte{0xff}, 64))
	for want, args := range map[string][]string{
		"it is truncated":                        {"verify", cut},
		`architecture "gemma" is not supported`:  {"verify", other},
		"is not a GGUF file":                     {"inspect", text},
		"no such file":                           {"inspect", filepath.Join(dir, "none")},
		`quantisation "q5_x" is not supported`:   {"convert", cut, filepath.Join(dir, "o.gguf"), "--type", "q5_x"},
		"exists: name another place":             {"convert", text, cut},
		`"onnx" is unknown: use gguf or hf`:      {"convert", text, filepath.Join(dir, "o"), "--to", "onnx"},
		"writing Q8_0 is not supported":          {"convert", filepath.Join(formats, "gguf/qwen2-q8_0.gguf"), filepath.Join(dir, "o"), "--type", "q8_0"},
		`shape: "huge" is unknown`:               {"random", filepath.Join(dir, "o.gguf"), "--shape", "huge"},
		"is not finite":                          {"verify", put("nan.gguf", nan)},
		"is only a part of a model":              {"verify", put("model.safetensors", nil)},
		"config.json: open config.json: no such": {"verify", t.TempDir()},
	} {
		_, err := ran(t, append([]string{"model"}, args...)...)
		require.ErrorContains(t, err, want, "%v", args)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.part"))
	require.NoError(t, err)
	require.Empty(t, left, "what was not finished is taken away")
	require.NoFileExists(t, filepath.Join(dir, "o.gguf"))
	i := info(t, other) // it can be looked at, and says why it cannot be served
	require.Contains(t, i.Problem, `architecture "gemma" is not supported`)
	require.Len(t, i.Tensors, 26)
}

func TestAWorkerOfAnotherBaseIsRefused(t *testing.T) {
	c := &cli{baseModel: filepath.Join(formats, "gguf/llama-f32.gguf")}
	hash := protocol.Hash(open(t, c.baseModel).Hash)
	path, err := c.checkBase(api.NetworkInfo{Base: hash})
	require.NoError(t, err)
	require.Equal(t, c.baseModel, path)
	_, err = (&cli{}).checkBase(api.NetworkInfo{Base: hash, BaseName: "llama-f32"})
	require.ErrorContains(t, err, "base-model: this model's hash is")
	require.ErrorContains(t, err, "the network serves llama-f32")
}

func TestModelInspect_ShowsTheWindow(t *testing.T) {
	const models = "../../worker/engine/testdata/models"
	folder := func(name string) string { // these folders have no tokenizer
		dir := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(models, name))))
		tok, err := fs.ReadFile(base.Files(), "tokenizer.json")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "tokenizer.json"), tok, 0o600))
		return dir
	}
	i := info(t, folder("qwen3window"))
	require.Equal(t, 16, i.Window)
	require.Equal(t, []int{0, 2}, i.WindowLayers)
	require.Equal(t, 128, i.Context)
	require.Zero(t, info(t, folder("qwen3")).Window)
	out, err := ran(t, "model", "inspect", folder("mistral"))
	require.NoError(t, err)
	require.Contains(t, out, "7 positions, in 2 of 2 layers")
}
