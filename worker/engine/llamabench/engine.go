package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
	"github.com/openledger/openledger/worker/engine/weights/gguf"
)

// engine is a loaded model of ours.
type engine struct {
	path    string
	backend *cpu.Backend
	model   *llama.Model
	runner  *llama.Runner
	blocks  []int32
	read    int64   // bytes of weights that a step reads
	flops   float64 // per token
}

func open(path string, threads, positions int) (e *engine, err error) {
	e = &engine{path: path}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	f, err := gguf.Parse(file, info.Size(), path)
	if err != nil {
		return nil, err
	}
	src, err := f.Source()
	if err != nil {
		return nil, err
	}
	if e.backend, err = cpu.New(cpu.Config{Threads: threads}); err != nil {
		return nil, err
	}
	c := src.Config()
	if e.model, err = llama.New(e.backend, c, src, llama.Options{}); err != nil {
		return nil, err
	}
	pages := (positions + tensor.DefaultPageTokens) / tensor.DefaultPageTokens
	kv, err := e.model.NewKV(pages, tensor.DefaultPageTokens)
	if err != nil {
		return nil, err
	}
	e.runner = e.model.NewRunner(kv)
	for i := range pages {
		e.blocks = append(e.blocks, int32(i))
	}
	for _, n := range e.model.WeightBytes() {
		e.read += n
	}
	values := c.ParamCount()
	if !c.TieEmbeddings { // the input's embeddings are looked up, not read
		n := int64(c.VocabSize * c.HiddenSize)
		e.read -= e.read * n / values
		values -= n
	}
	e.flops = 2 * float64(values)
	return e, nil
}

func (e *engine) close() { _ = e.backend.Close() }

// weights names the format that most bytes are kept in.
func (e *engine) weights() string {
	name, most := "", int64(0)
	for t, n := range e.model.WeightBytes() {
		if n > most {
			name, most = t.String(), n
		}
	}
	return name
}

// test is a number of tokens to run: a prompt at once, or one by one.
type test struct {
	tokens int
	decode bool
	row    Row
}

func (e *engine) tests(o *options) []test {
	base := Row{Model: filepath.Base(e.path), Weights: e.weights()}
	var ts []test
	for _, n := range o.prompts {
		t := test{tokens: n, row: base}
		t.row.Test = fmt.Sprintf("prompt %d", n)
		ts = append(ts, t)
	}
	t := test{tokens: o.decode, decode: true, row: base}
	t.row.Test = fmt.Sprintf("decode %d", o.decode)
	return append(ts, t)
}

// measure runs a test once, after a warm-up, and returns tokens per second.
func (e *engine) measure(t test) (float64, error) {
	vocab := e.model.Config().VocabSize
	ids := make([]uint32, t.tokens)
	for i := range ids {
		ids[i] = uint32((i*7919 + 13) % vocab)
	}
	step := func(pos, n int) error {
		_, err := e.runner.Forward([]llama.Seq{{Tokens: ids[pos : pos+n], Pos: pos, Blocks: e.blocks, Logits: llama.LogitsLast}})
		return err
	}
	if err := step(0, 1); err != nil {
		return 0, err
	}
	if !t.decode {
		if err := step(0, t.tokens); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	if t.decode {
		for i := range t.tokens {
			if err := step(i, 1); err != nil {
				return 0, err
			}
		}
	} else if err := step(0, t.tokens); err != nil {
		return 0, err
	}
	return float64(t.tokens) / time.Since(start).Seconds(), nil
}

// runLlama runs llama-bench once on the same test.
func (o *options) runLlama(ctx context.Context, path string, t test) (rate float64, version string, err error) {
	p, n := strconv.Itoa(t.tokens), "0"
	if t.decode {
		p, n = n, p
	}
	cmd := exec.CommandContext(ctx, o.llama, "-m", path, "-t", strconv.Itoa(o.threads), "-p", p, "-n", n, "-r", "1", "-o", "json")
	out, err := cmd.Output()
	if err != nil {
		return 0, "", fmt.Errorf("%s: %w", o.llama, err)
	}
	var rows []struct {
		Rate   float64 `json:"avg_ts"`
		Commit string  `json:"build_commit"`
	}
	if err := json.Unmarshal(out, &rows); err != nil {
		return 0, "", fmt.Errorf("%s: its answer: %w", o.llama, err)
	}
	if len(rows) != 1 || rows[0].Rate <= 0 {
		return 0, "", fmt.Errorf("%s: %d results, want one", o.llama, len(rows))
	}
	return rows[0].Rate, rows[0].Commit, nil
}

// finish works out what our median rate means for the machine.
func (t *test) finish(e *engine, c *ceilings) {
	m := median(t.row.Ours)
	t.row.GFLOPS = m * e.flops / 1e9
	if t.decode {
		t.row.GBps = m * float64(e.read) / 1e9
		t.row.OfCeiling = t.row.GBps / c.ReadAll
		return
	}
	t.row.GBps = m / float64(t.tokens) * float64(e.read) / 1e9
	t.row.OfCeiling = t.row.GFLOPS / c.FMAAll
	if w := t.row.Weights; c.DotAll > 0 && (w == quant.Q8_0.String() || w == quant.Q4_0.String()) {
		t.row.OfCeiling = t.row.GFLOPS / c.DotAll
	}
}

func (r *Row) print(w io.Writer) {
	fmt.Fprintf(w, "%-18s %-5s %-11s ours %s tok/s (%.1f GB/s, %.0f GFLOP/s, %.0f %% of the ceiling)", r.Model, r.Weights, r.Test,
		spread(r.Ours, 1), r.GBps, r.GFLOPS, 100*r.OfCeiling)
	if len(r.Llama) > 0 {
		fmt.Fprintf(w, "  llama.cpp %s  ratio %s", spread(r.Llama, 1), spread(r.Ratio, 2))
	}
	fmt.Fprintln(w)
}

// spread is the median and the range.
func spread(x []float64, digits int) string {
	return fmt.Sprintf("%.*f (%.*f to %.*f)", digits, median(x), digits, slices.Min(x), digits, slices.Max(x))
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

func maxOf(x []int) int { return slices.Max(x) }
