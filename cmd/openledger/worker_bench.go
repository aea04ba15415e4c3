package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/worker/engine/speed"
)

func workerBench(c *cli) *cobra.Command {
	var cfg speed.Config
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure this machine: prefill, decode, adapters, training, memory",
		Long: `Bench measures the base model on this machine: tokens per second of prompts and of
decoding in batches of 1, 8, 32 and the worker's own size, bare and with an adapter for
each sequence; how long an adapter takes to load from each tier; training; and the
machine's memory bandwidth and arithmetic.

In a worker's home the report is kept as bench.json, and the worker states the speed
from it. 'openledger sim compare --costs FILE' simulates with machines like this one.
Run it while nothing else runs: it shows what this machine can do, not what is left.`,
		Example: `  openledger worker bench --home ./w1
  openledger worker bench --json > bench.json && openledger sim compare --costs bench.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := newBar(c.err, "measuring", 0)
			defer b.stop()
			cfg.Say = func(what string) { b.begin("measuring "+what, 0) }
			r, err := node.Bench(cmd.Context(), c.Home(), cfg)
			if err != nil {
				return err
			}
			b.stop()
			if c.json {
				return c.print(*r, nil)
			}
			return r.WriteTable(c.out)
		},
	}
	f := cmd.Flags()
	f.IntVar(&cfg.Threads, "threads", 0, "threads (default: the worker's, or all cores)")
	f.IntVar(&cfg.Rank, "rank", 8, "rank of the adapters")
	f.IntVar(&cfg.Context, "context", 0, "tokens before a decoded one (default 256, or half of the model's)")
	f.Float64Var(&cfg.NetworkMbps, "network-mbps", 100, "assumed bandwidth to where adapters come from: the one figure that is not measured")
	f.DurationVar(&cfg.Slice, "slice", 100*time.Millisecond, "least time of a measurement; each is the median of five")
	return cmd
}
