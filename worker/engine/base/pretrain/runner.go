//go:build ignore

// Runner is the command of this package by itself: go run runner.go -out DIR.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/openledger/openledger/worker/engine/base/pretrain"
)

func main() {
	var cfg pretrain.Config
	flag.StringVar(&cfg.Dir, "out", "", "output folder")
	flag.BoolVar(&cfg.Resume, "resume", false, "continue from the folder's checkpoint")
	flag.Int64Var(&cfg.Tokens, "tokens", 0, "token budget")
	flag.IntVar(&cfg.BatchTokens, "batch", 0, "tokens of a step")
	flag.Float64Var(&cfg.LR, "lr", 0, "peak learning rate")
	flag.Uint64Var(&cfg.Seed, "seed", 1, "seed")
	flag.IntVar(&cfg.Threads, "threads", 0, "threads")
	flag.DurationVar(&cfg.StopAfter, "stop-after", 0, "stop after")
	every := flag.Int("every", 25, "steps between lines")
	flag.Parse()
	cfg.Progress = func(p pretrain.Progress) {
		if p.Step%*every == 0 || p.Step < 5 || len(p.HeldOut) > 0 {
			fmt.Println(time.Now().UTC().Format("15:04:05"), p)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	rep, err := pretrain.Run(ctx, cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%+v\n", *rep)
}
