// Command llamabench measures this engine against llama.cpp on the same GGUF files: same threads, same numbers of
// tokens, run after run in turn, so that both meet the same disturbances.
//
//	make bench-llama LLAMA_BENCH=path/to/llama-bench MODELS="f16.gguf q8_0.gguf"
//
// Prompts run as one batch into an empty cache; decoding goes token by token from an empty cache, as llama-bench does it.
// It also measures the machine's ceilings (ceiling.go), and says for every row how much of them it reaches.
//
// What it does not do: quality, sampling, adapters, several sequences (worker/engine/lorabench), or building llama.cpp.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
)

type options struct {
	llama   string
	threads int
	runs    int
	prompts []int
	decode  int
	out     string
	profile string
}

func main() {
	var o options
	var prompts string
	flag.StringVar(&o.llama, "llama-bench", "", "llama.cpp's llama-bench; without it only this engine is measured")
	flag.IntVar(&o.threads, "threads", runtime.NumCPU(), "threads of both")
	flag.IntVar(&o.runs, "runs", 5, "runs of each, in turn")
	flag.StringVar(&prompts, "prompt", "128,512", "lengths of the prompts")
	flag.IntVar(&o.decode, "decode", 64, "tokens to decode")
	flag.StringVar(&o.out, "json", "", "file for the results")
	flag.StringVar(&o.profile, "cpuprofile", "", "file for a profile of this engine")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := o.parse(prompts)
	if err == nil {
		err = run(ctx, o, flag.Args())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "llamabench:", err)
		os.Exit(1)
	}
}

func (o *options) parse(prompts string) error {
	for _, s := range strings.Split(prompts, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return fmt.Errorf("-prompt is %q: give lengths such as 128,512", prompts)
		}
		o.prompts = append(o.prompts, n)
	}
	if o.runs < 1 || o.threads < 1 || o.decode < 1 {
		return fmt.Errorf("-runs, -threads and -decode must be positive")
	}
	return nil
}

// Row is one measurement: a model and a number of tokens. Rates are tokens per second, one per run.
type Row struct {
	Model   string    `json:"model"`
	Weights string    `json:"weights"`
	Test    string    `json:"test"`
	Ours    []float64 `json:"ours"`
	Llama   []float64 `json:"llama_cpp,omitempty"`
	// Ratio is ours over llama.cpp's, run by run.
	Ratio []float64 `json:"ratio,omitempty"`
	// GBps and GFLOPS are what our median rate reads of the weights and computes with them.
	GBps   float64 `json:"gb_per_s"`
	GFLOPS float64 `json:"gflop_per_s"`
	// OfCeiling is the share of the ceiling that bounds this row: memory for decoding; for prompts products of
	// bytes with weights in blocks, of float32 with others.
	OfCeiling float64 `json:"of_ceiling"`
}

// Report is the whole result.
type Report struct {
	CPU      string   `json:"cpu"`
	Threads  int      `json:"threads"`
	Llama    string   `json:"llama_bench,omitempty"`
	Ceilings ceilings `json:"ceilings"`
	Rows     []Row    `json:"rows"`
}

func run(ctx context.Context, o options, models []string) error {
	if len(models) == 0 {
		return fmt.Errorf("no models given: make one with 'openledger model random --type q8_0 q8_0.gguf'")
	}
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	rep := Report{CPU: cpuName(), Threads: o.threads, Ceilings: measureCeilings(o.threads)}
	rep.Ceilings.print(os.Stdout, o.threads)
	for _, m := range models {
		rows, err := o.compare(ctx, m, &rep)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(m), err)
		}
		rep.Rows = append(rep.Rows, rows...)
	}
	if o.out == "" {
		return nil
	}
	b, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.out, append(b, '\n'), 0o644)
}

// compare measures one file in turn with both.
func (o *options) compare(ctx context.Context, path string, rep *Report) ([]Row, error) {
	e, err := open(path, o.threads, max(o.decode, maxOf(o.prompts)))
	if err != nil {
		return nil, err
	}
	defer e.close()
	tests := e.tests(o)
	for range o.runs {
		for i := range tests {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			rate, err := e.measure(tests[i])
			if err != nil {
				return nil, err
			}
			tests[i].row.Ours = append(tests[i].row.Ours, rate)
			if o.llama == "" {
				continue
			}
			theirs, version, err := o.runLlama(ctx, path, tests[i])
			if err != nil {
				return nil, err
			}
			rep.Llama = version
			tests[i].row.Llama = append(tests[i].row.Llama, theirs)
			tests[i].row.Ratio = append(tests[i].row.Ratio, rate/theirs)
		}
	}
	var rows []Row
	for i := range tests {
		tests[i].finish(e, &rep.Ceilings)
		tests[i].row.print(os.Stdout)
		rows = append(rows, tests[i].row)
	}
	return rows, nil
}

func cpuName() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for _, l := range strings.Split(string(b), "\n") {
		if name, ok := strings.CutPrefix(l, "model name"); ok {
			return strings.TrimLeft(name, "\t :")
		}
	}
	return runtime.GOARCH
}
