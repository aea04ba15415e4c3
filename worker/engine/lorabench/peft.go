package lorabench

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openledger/openledger/worker/engine/lora"
)

// Peft is a row of PEFT on PyTorch: the same requests and shapes, in a process of its own.
type Peft struct {
	Python   string `json:"python"`   // an interpreter that has torch, transformers and peft; empty: no such row
	Mode     string `json:"mode"`     // switch (set_adapter) or merge (merge_adapter)
	Type     string `json:"type"`     // bf16 or f32
	Adapters int    `json:"adapters"` // how many
}

//go:embed peft_bench.py
var peftBench string

// name is the row's.
func (p *Peft) name() string { return "PEFT, " + p.Mode + ", " + p.Type }

func (p *Peft) validate(s Shape) error {
	targets := []lora.Module{lora.QProj, lora.KProj, lora.VProj, lora.OProj}
	switch {
	case p.Python == "":
		return nil
	case p.Mode != "switch" && p.Mode != "merge":
		return fmt.Errorf("lorabench: peft mode %q: use switch or merge", p.Mode)
	case p.Type != "bf16" && p.Type != "f32":
		return fmt.Errorf("lorabench: peft type %q: use bf16 or f32", p.Type)
	case p.Adapters < 1:
		return fmt.Errorf("lorabench: peft adapters is %d: it must be positive", p.Adapters)
	case len(s.Ranks) != 1 || !slices.Equal(s.Targets, targets):
		return fmt.Errorf("lorabench: the comparison with PEFT is of one rank on q, k, v and o, not of %v on %v", s.Ranks, s.Target)
	}
	return nil
}

// play runs a workload. It gives up after limit; Throughput counts what is done by then.
func (p *Peft) play(ctx context.Context, s Shape, w Workload, threads, maxBatch int, limit time.Duration) (o Outcome, switches int, err error) {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	cmd := exec.CommandContext(ctx, p.Python, "-", "--shape", s.Name, "--adapters", strconv.Itoa(p.Adapters), "--rank", strconv.Itoa(s.Ranks[0]),
		"--dtype", map[string]string{"bf16": "bfloat16", "f32": "float32"}[p.Type], "--mode", p.Mode, "--rate", number(w.Rate), "--seconds", number(w.Seconds),
		"--min-len", strconv.Itoa(w.MinLen), "--max-len", strconv.Itoa(w.MaxLen), "--alpha", number(w.Alpha), "--cv", number(w.CV),
		"--seed", strconv.FormatUint(uint64(w.Seed), 10), "--batch", strconv.Itoa(maxBatch), "--threads", strconv.Itoa(threads), "--limit", number(limit.Seconds()))
	var failed bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(peftBench), &failed
	out, err := cmd.Output()
	if err != nil {
		tail := failed.String()
		return o, 0, fmt.Errorf("lorabench: PEFT: %w: %s", err, tail[max(0, len(tail)-500):])
	}
	var got struct {
		Requests   int     `json:"requests"`
		Done       int     `json:"done"`
		Switches   int     `json:"switches"`
		Seconds    float64 `json:"seconds"`
		Throughput float64 `json:"throughput"`
		CPU        float64 `json:"cpu_seconds"`
		Tokens     float64 `json:"tokens_per_second"`
		TTFT       float64 `json:"ttft_p50_s"`
		Attained   float64 `json:"attainment"`
	}
	if err := json.Unmarshal(out, &got); err != nil {
		return o, 0, fmt.Errorf("lorabench: PEFT's answer: %w", err)
	}
	return Outcome{Requests: got.Requests, Done: got.Done, Seconds: got.Seconds, Throughput: got.Throughput, Tokens: got.Tokens, CPU: got.CPU,
		TTFTP50: got.TTFT, Attained: got.Attained}, got.Switches, nil
}
