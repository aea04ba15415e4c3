package pretrain

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/openledger/openledger/worker/engine/tokenizer"
	"github.com/openledger/openledger/worker/engine/weights"
)

// Report of a finished run; also written to training.json.
type Report struct {
	Steps      int       `json:"steps"`
	Tokens     int64     `json:"tokens"`
	Seconds    float64   `json:"seconds"`
	Parameters int64     `json:"parameters"`
	Loss       float64   `json:"loss"` // exponential mean over the last steps
	HeldOut    []HeldOut `json:"held_out"`
	Recipe     recipe    `json:"recipe"`
}

// Files that a run leaves beside those of a model folder.
const (
	CardFile   = "MODEL_CARD.md"
	ReportFile = "training.json"
)

// export rounds the weights to bf16, evaluates what is shipped, and writes the
// model folder.
func (r *run) export() (*Report, error) {
	var named []weights.Named
	for _, p := range r.model.Params() {
		for i, v := range p.Data {
			p.Data[i] = math.Float32frombits(uint32(weights.ToBF16(v)) << 16)
		}
		named = append(named, weights.Named{Name: p.Name, Shape: p.Shape, Data: p.Data})
	}
	r.model.Repack()
	held, err := r.evaluate()
	if err != nil {
		return nil, err
	}
	rep := &Report{
		Steps: r.meta.Step, Tokens: r.meta.Tokens, Seconds: math.Round(r.meta.Seconds), Parameters: r.cfg.Model.ParamCount(), Loss: r.meta.Smooth,
		HeldOut: held, Recipe: r.meta.Recipe,
	}
	config, err := r.configJSON()
	if err != nil {
		return nil, err
	}
	tokConfig, err := TokenizerConfig(r.cfg.Model.MaxPositions)
	if err != nil {
		return nil, err
	}
	report, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("pretrain: %w", err)
	}
	files := []struct {
		name string
		fill func(io.Writer) error
	}{
		{weights.ConfigFile, bytesOf(config)},
		{weights.TokenizerFile, bytesOf(r.tokJSON)},
		{weights.TokenizerConfigFile, bytesOf(tokConfig)},
		{ReportFile, bytesOf(append(report, '\n'))},
		{CardFile, bytesOf([]byte(Card(rep)))},
		{weights.WeightsFile, func(w io.Writer) error {
			return weights.WriteSafetensors(w, named, weights.BF16, map[string]string{"format": "pt"})
		}},
	}
	for _, f := range files {
		if err := writeAtomic(filepath.Join(r.cfg.Dir, f.name), f.fill); err != nil {
			return nil, fmt.Errorf("pretrain: %s: %w", f.name, err)
		}
	}
	return rep, nil
}

func bytesOf(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

// configJSON adds the special tokens to the model's config.json.
func (r *run) configJSON() ([]byte, error) {
	raw, err := r.cfg.Model.HF()
	if err != nil {
		return nil, fmt.Errorf("pretrain: %w", err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("pretrain: %w", err)
	}
	for field, token := range map[string]string{
		"bos_token_id": tokenizer.TokenBOS, "eos_token_id": tokenizer.TokenEnd, "pad_token_id": tokenizer.TokenPad,
	} {
		if id, ok := r.tok.ID(token); ok {
			m[field] = id
		}
	}
	out, err := json.MarshalIndent(m, "", "  ") // sorted keys
	if err != nil {
		return nil, fmt.Errorf("pretrain: %w", err)
	}
	return append(out, '\n'), nil
}

// TokenizerConfig is the tokenizer_config.json of the base.
func TokenizerConfig(maxLength int) ([]byte, error) {
	out, err := json.MarshalIndent(map[string]any{
		"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": tokenizer.TokenBOS, "eos_token": tokenizer.TokenEnd, "pad_token": tokenizer.TokenPad,
		"additional_special_tokens": []string{tokenizer.TokenSystem, tokenizer.TokenUser, tokenizer.TokenAssistant},
		"model_max_length":          maxLength, "clean_up_tokenization_spaces": false, "chat_template": tokenizer.ChatTemplate,
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("pretrain: %w", err)
	}
	return append(out, '\n'), nil
}

// Card is the model card of a run, in Markdown.
func Card(rep *Report) string {
	c := rep.Recipe.Model
	var b strings.Builder
	fmt.Fprintf(&b, `# OpenLedger tiny base

A Llama-shaped language model of %.1f million parameters that the project ships so that everything works without a download: serving, LoRA
fine-tuning, attribution. It was pretrained from scratch by the project's own trainer.

**What it is.** A base for adapters, small enough to train and serve on one core. It knows the chat format and writes short English sentences
and little stories. After a LoRA fine-tune it recalls what the datanet taught.

**What it is not.** It is not an assistant: by itself it knows next to nothing of the world, its sums are wrong, it does not read facts out of
its prompt or copy from it, and what it says must not be relied on. It has had no safety training. English only.

| | |
|---|---|
| architecture | llama: %d layers, hidden %d, %d heads (%d key-value), head size %d, feed-forward %d, tied embeddings, RoPE %g |
| vocabulary | %d byte-level BPE tokens, trained on the same text |
| context | %d tokens |
| weights | bfloat16, safetensors |
| steps, tokens | %d steps, %d tokens, batches of about %d |
| optimiser | AdamW, learning rate %g with %d steps of warm-up and a linear decay over the last fifth, weight decay %g, clipping at 1 |
| seed | %d |
| numeric profile | %s |
| training time | %.0f minutes on two shared CPU cores |

## Data

| source | share of tokens | licence |
|---|---|---|
`, float64(rep.Parameters)/1e6, c.Layers, c.HiddenSize, c.Heads, c.KVHeads, c.HeadDim, c.IntermediateSize, c.RopeTheta, c.VocabSize, c.MaxPositions,
		rep.Steps, rep.Tokens, rep.Recipe.BatchTokens, rep.Recipe.LR, rep.Recipe.Warmup, rep.Recipe.WeightDecay, rep.Recipe.Seed, rep.Recipe.Profile, rep.Seconds/60)
	about := map[string][2]string{
		"generated": {"stories, sayings, questions, copying and recall, from a seeded generator", "the project's"},
		"gsm8k":     {"GSM8K train split, grade-school problems", "MIT"},
		"kjv":       {"King James Bible, narrative books and Proverbs", "public domain"},
		"wordnet":   {"WordNet 3.0 definitions", "WordNet 3.0 licence"},
	}
	for _, m := range mixture {
		fmt.Fprintf(&b, "| %s | %.0f %% | %s |\n", about[m.source][0], 100*m.share, about[m.source][1])
	}
	b.WriteString(`
Sources and licence texts are in ` + "`worker/engine/base/corpus`" + `. Aesop's fables are not in the data: they are what the demonstration teaches.

## Held-out loss

Of the bf16 weights, on every fiftieth document of each source (never trained on), and on 200 generated documents of another seed.

| source | documents | tokens | nats per token | bits per byte |
|---|---|---|---|---|
`)
	for _, h := range rep.HeldOut {
		fmt.Fprintf(&b, "| %s | %d | %d | %.3f | %.3f |\n", h.Source, h.Documents, h.Tokens, h.Loss, h.BitsPerByte)
	}
	fmt.Fprintf(&b, `
## To make it again

    openledger base pretrain --out DIR --tokens %d --seed %d

The run may be killed and continued with `+"`--resume`"+`; the result is the same to the bit, for any number of threads, on the same numeric profile.
`, rep.Recipe.Tokens, rep.Recipe.Seed)
	return b.String()
}
