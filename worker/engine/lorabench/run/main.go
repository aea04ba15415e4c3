// Command run measures many adapters on one base with S-LoRA's workload, and prints a table. See worker/engine/lorabench.
//
//	go run ./worker/engine/lorabench/run -shape mid -json lora.json
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"strconv"
	"strings"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/lorabench"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var c lorabench.Config
	w := &c.Workload
	shape := flag.String("shape", "mid", "base model of random weights: small (hidden 256, 4 layers) or mid (hidden 1024, 8 layers)")
	ranks := flag.String("ranks", "8", "ranks of the adapters in turn; S-LoRA's S2 is 64,32,16,8")
	targets := flag.String("targets", "q_proj,k_proj,v_proj,o_proj", "modules that the adapters change")
	baseType := flag.String("base", "bf16", "type of the base's weights: bf16, f32 or q8_0 (which cannot be merged into: -swap 0)")
	values := flag.String("values", "bf16", "type of the adapters' values: bf16 or f32")
	adapters := flag.String("n", "0,1,5,100,1000,2000", "numbers of adapters; 0 is the bare base")
	seed := flag.Uint("seed", 42, "seed of the arrivals")
	jsonFile := flag.String("json", "", "file for the report as JSON")
	flag.Float64Var(&w.Alpha, "alpha", 1, "exponent of the adapters' popularity: 1 is uniform, smaller is more skewed")
	flag.Float64Var(&w.Rate, "rate", 0, "requests per second (default 30 for small, 6 for mid: a little more than this machine serves)")
	flag.Float64Var(&w.CV, "cv", 1, "coefficient of variation of the gaps between arrivals")
	flag.Float64Var(&w.Seconds, "seconds", 10, "length of the arrivals")
	flag.IntVar(&w.MinLen, "min-len", 8, "shortest prompt and output, tokens")
	flag.IntVar(&w.MaxLen, "max-len", 0, "longest prompt and output, exclusive (default 512 for small, 128 for mid)")
	flag.IntVar(&c.Swap, "swap", 100, "adapters of the merge-and-swap row; 0: none")
	flag.DurationVar(&c.Limit, "swap-limit", 0, "time for one run of merge and swap, or of PEFT (default: 10 times -seconds)")
	flag.StringVar(&c.Peft.Python, "peft", "", "a Python that has torch, transformers and peft, for a row of PEFT; empty: none")
	flag.StringVar(&c.Peft.Mode, "peft-mode", "switch", "switch adapters, or merge them")
	flag.StringVar(&c.Peft.Type, "peft-type", "f32", "type of PEFT's model and adapters: f32 or bf16")
	flag.IntVar(&c.Peft.Adapters, "peft-adapters", 100, "adapters of PEFT's row")
	flag.IntVar(&c.Cold, "cold", 10, "adapters to read from disk; 0: none")
	flag.IntVar(&c.Runs, "runs", 5, "runs of every row, in turns")
	flag.IntVar(&c.Threads, "threads", 0, "threads (default: all cores)")
	profile := flag.String("cpuprofile", "", "file for a CPU profile (go tool pprof)")
	flag.IntVar(&c.Page, "page", 0, "tokens in a page of the KV cache (default: the engine's)")
	flag.IntVar(&c.MaxBatch, "batch", 32, "requests in one batch")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	w.Seed = uint32(*seed)
	small := *shape == "small"
	if w.Rate == 0 {
		w.Rate = map[bool]float64{true: 30, false: 6}[small]
	}
	if w.MaxLen == 0 {
		w.MaxLen = map[bool]int{true: 512, false: 128}[small]
	}
	rs, err := numbers(*ranks)
	if err != nil {
		return fmt.Errorf("-ranks: %w", err)
	}
	if c.Adapters, err = numbers(*adapters); err != nil {
		return fmt.Errorf("-n: %w", err)
	}
	var mods []lora.Module
	for t := range strings.SplitSeq(*targets, ",") {
		m, err := lora.ParseModule(strings.TrimSpace(t))
		if err != nil {
			return fmt.Errorf("-targets: %w", err)
		}
		mods = append(mods, m)
	}
	if c.Shape, err = lorabench.NewShape(*shape, *baseType, *values, rs, mods); err != nil {
		return err
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return errors.Join(err, f.Close())
		}
		defer func() {
			pprof.StopCPUProfile()
			_ = f.Close()
		}()
	}
	c.Say = func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	report, err := lorabench.Run(ctx, c)
	if err != nil {
		return err
	}
	if err := report.WriteTable(os.Stdout); err != nil {
		return err
	}
	if *jsonFile == "" {
		return nil
	}
	f, err := os.Create(*jsonFile)
	if err != nil {
		return err
	}
	return errors.Join(report.WriteJSON(f), f.Close())
}

func numbers(s string) (out []int, err error) {
	for x := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(x))
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}
