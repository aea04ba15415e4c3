package base_test

import (
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/openledger/openledger/worker/engine/base"
	"github.com/openledger/openledger/worker/engine/base/pretrain"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/sample"
	"github.com/openledger/openledger/worker/engine/tensor"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
	"github.com/openledger/openledger/worker/engine/tokenizer"
)

func TestBaseIsWhatPretrainMakes(t *testing.T) {
	b, err := base.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	if !reflect.DeepEqual(b.Config, pretrain.DefaultModel()) {
		t.Errorf("shape %+v, want %+v", b.Config, pretrain.DefaultModel())
	}
	if b.Tokenizer.ChatFormat() != "openledger" || b.Tokenizer.VocabSize() != b.Config.VocabSize {
		t.Errorf("chat format %q, %d tokens", b.Tokenizer.ChatFormat(), b.Tokenizer.VocabSize())
	}
	if len(b.Tensors()) != len(b.Config.ParamShapes()) {
		t.Errorf("%d tensors, want %d", len(b.Tensors()), len(b.Config.ParamShapes()))
	}
	card := base.Card()
	raw, err := fs.ReadFile(base.Files(), pretrain.ReportFile)
	if err != nil {
		t.Fatal(err)
	}
	var report pretrain.Report
	if err := json.Unmarshal(raw, &report); err != nil {
		t.Fatal(err)
	}
	if card != pretrain.Card(&report) {
		t.Error("the model card is not that of the run in training.json")
	}
	defaults := pretrain.Config{}
	defaults.EnsureDefaults()
	if r := report.Recipe; r.Tokens != defaults.Tokens || r.Seed != defaults.Seed || r.LR != defaults.LR || r.BatchTokens != defaults.BatchTokens ||
		r.WeightDecay != defaults.WeightDecay || r.Warmup != defaults.Warmup {
		t.Errorf("the defaults %+v do not make the shipped model %+v", defaults, r)
	}
	for _, want := range []string{"openledger base pretrain", "Held-out loss", "MIT", "WordNet", "Aesop"} {
		if !strings.Contains(card, want) {
			t.Errorf("the model card does not mention %s", want)
		}
	}
}

// What transformers computes from the same files; see ../testdata/golden.py.
func TestBaseMatchesTransformers(t *testing.T) {
	data, err := os.ReadFile("../testdata/base.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Messages []tokenizer.Message
		IDs      []uint32 `json:"ids"`
		Logits   []float32
		Greedy   []uint32
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	b, err := base.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	ids, err := b.Tokenizer.RenderChat(want.Messages, true)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(ids, want.IDs) {
		t.Fatalf("the chat renders to %v, want %v", ids, want.IDs)
	}
	backend, err := cpu.New(cpu.Config{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := backend.Close(); err != nil {
			t.Error(err)
		}
	}()
	model, err := llama.New(backend, b.Config, b, llama.Options{})
	if err != nil {
		t.Fatal(err)
	}
	kv, err := model.NewKV(16, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Free()
	runner := model.NewRunner(kv)
	blocks := make([]int32, 16)
	for i := range blocks {
		blocks[i] = int32(i)
	}
	pos, next := 0, ids
	for i, id := range want.Greedy {
		out, err := runner.Forward([]llama.Seq{{Tokens: next, Pos: pos, Blocks: blocks[:(pos+len(next)+tensor.DefaultPageTokens-1)/tensor.DefaultPageTokens], Logits: llama.LogitsLast}})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			for j, l := range out.Logits {
				if math.Abs(float64(l-want.Logits[j])) > 2e-4*math.Max(1, math.Abs(float64(want.Logits[j]))) {
					t.Fatalf("logit %d is %v, want %v", j, l, want.Logits[j])
				}
			}
		}
		if got := sample.Argmax(out.Logits); got != id {
			t.Fatalf("token %d is %d, want %d", i, got, id)
		}
		pos += len(next)
		next = []uint32{id}
	}
	t.Logf("the base says %q", b.Tokenizer.Decode(want.Greedy))
}
