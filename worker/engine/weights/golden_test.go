package weights_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
	"github.com/openledger/openledger/worker/engine/weights"
)

const (
	models    = "../testdata/models"
	tolerance = 1e-4
)

// reference holds what PyTorch computed; see ../testdata/golden.py.
type reference struct {
	t *testing.T
	f *weights.File
}

func openReference(t *testing.T, path string) reference {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := weights.ParseSafetensors(bytes.NewReader(data), int64(len(data)), path)
	if err != nil {
		t.Fatal(err)
	}
	return reference{t, f}
}

func (r reference) tensor(name string) ([]float32, []int) {
	r.t.Helper()
	data, shape, err := r.f.Tensor(name)
	if err != nil {
		r.t.Fatal(err)
	}
	return data, shape
}

// examples are the two sequences and what of them is to be predicted.
func (r reference) examples() []llama.Example {
	ids, shape := r.tensor("tokens")
	mask, _ := r.tensor("mask")
	var out []llama.Example
	for i := range shape[0] {
		var e llama.Example
		for j := range shape[1] {
			e.Tokens = append(e.Tokens, uint32(ids[i*shape[1]+j]))
			e.Mask = append(e.Mask, mask[i*shape[1]+j] != 0)
		}
		out = append(out, e)
	}
	return out
}

// close compares by the error relative to the largest value of the tensor.
func (r reference) close(what string, got, want []float32) {
	r.t.Helper()
	if len(got) != len(want) {
		r.t.Errorf("%s has %d values, want %d", what, len(got), len(want))
		return
	}
	var diff, size float64
	for i := range got {
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if math.IsNaN(d) {
			r.t.Errorf("%s: value %d is %v", what, i, got[i])
			return
		}
		diff = max(diff, d)
		size = max(size, math.Abs(float64(want[i])))
	}
	if diff > tolerance*size {
		r.t.Errorf("%s: largest error %.2e of %.2e", what, diff, size)
	}
}

func (r reference) loss(what string, got llama.Loss, name string) {
	r.t.Helper()
	want, _ := r.tensor(name)
	if d := math.Abs(got.Mean() - float64(want[0])); d > tolerance*float64(want[0]) {
		r.t.Errorf("%s: loss %.6f, want %.6f", what, got.Mean(), want[0])
	}
}

func TestMatchesPyTorch(t *testing.T) {
	for _, name := range []string{"llama", "qwen2", "qwen3", "llama3", "mistral", "qwen2window", "qwen3window"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(models, name)
			ref := openReference(t, filepath.Join(dir, "golden.safetensors"))
			backend, err := cpu.New(cpu.Config{Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := backend.Close(); err != nil {
					t.Error(err)
				}
			}()
			model, cfg := loadModel(t, backend, dir)
			adapter, err := weights.ReadPEFT(os.DirFS(filepath.Join(dir, "adapter")), cfg.Geometry())
			if err != nil {
				t.Fatal(err)
			}
			examples := ref.examples()

			packed, err := lora.Pack(backend, name, adapter)
			if err != nil {
				t.Fatal(err)
			}
			serve(ref, model, examples, nil, "logits")
			serve(ref, model, examples, packed, "lora.logits")

			trainer, err := model.NewTrainer()
			if err != nil {
				t.Fatal(err)
			}
			full := name == "llama" || name == "qwen3" || name == "mistral"
			loss, err := trainer.LossGrad(examples, llama.GradOptions{Full: full})
			if err != nil {
				t.Fatal(err)
			}
			ref.loss("base", loss, "loss")
			if full {
				for _, p := range model.Params() {
					want, _ := ref.tensor("full." + p.Name)
					ref.close("gradient by "+p.Name, p.Grad, want)
				}
			}
			grads := lora.NewGrads(adapter)
			loss, err = trainer.LossGrad(examples, llama.GradOptions{Adapter: adapter, AdapterGrads: grads})
			if err != nil {
				t.Fatal(err)
			}
			ref.loss("adapter", loss, "lora.loss")
			for _, p := range adapter.Params(grads) {
				want, _ := ref.tensor("grad." + p.Name)
				ref.close("gradient by "+p.Name, p.Grad, want)
			}
		})
	}
}

func loadModel(t *testing.T, backend *cpu.Backend, dir string) (*llama.Model, llama.Config) {
	t.Helper()
	// These folders have no tokenizer, so the bundle's parts are read by hand.
	raw, err := os.ReadFile(filepath.Join(dir, weights.ConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := llama.ParseConfig(raw)
	if err != nil {
		t.Fatal(err)
	}
	src, err := weights.OpenWeights(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	model, err := llama.New(backend, cfg, src, llama.Options{Trainable: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Close(); err != nil {
		t.Fatal(err)
	}
	return model, cfg
}

// serve runs the examples as a batch, in two chunks, and compares the logits of
// the last positions.
func serve(ref reference, model *llama.Model, examples []llama.Example, adapter *lora.Packed, name string) {
	ref.t.Helper()
	want, shape := ref.tensor(name)
	kv, err := model.NewKV(16, 0)
	if err != nil {
		ref.t.Fatal(err)
	}
	runner := model.NewRunner(kv)
	run := func(from, to int, rows llama.LogitRows) *llama.Output {
		var seqs []llama.Seq
		for i, e := range examples {
			blocks := []int32{int32(i), int32(i + 4), int32(i + 8)}
			seqs = append(seqs, llama.Seq{Tokens: e.Tokens[from:to], Pos: from, Blocks: blocks, Adapter: adapter, Logits: rows})
		}
		out, err := runner.Forward(seqs)
		if err != nil {
			ref.t.Fatal(err)
		}
		return out
	}
	n := len(examples[0].Tokens)
	cut := n - shape[1]
	run(0, cut, llama.LogitsNone)
	out := run(cut, n, llama.LogitsAll)
	ref.close(name, out.Logits, want)
	kv.Free()
}
