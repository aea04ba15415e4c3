package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/scheduler"
	"github.com/openledger/openledger/sim"
)

func newSim(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "sim",
		Short:   "Simulate the network in virtual time, with the live scheduler",
		Example: "  openledger sim compare",
	}
	cmd.AddCommand(simCompare(c))
	return cmd
}

func simCompare(c *cli) *cobra.Command {
	var cfg sim.Config
	var policies []string
	var costs string
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Replay a trace through scheduling policies and compare them",
		Long: `Compare replays the arrivals of a trace through the live scheduler's policy and
through baselines, over the same simulated workers. The same seed gives the same bytes.

Traces: azure-sample (embedded), s-lora (synthetic), or a file: Azure LLM inference as
.csv, Mooncake as .jsonl.`,
		Example: `  openledger sim compare
  openledger sim compare --trace s-lora --workers 32 --adapters 2000 --kill-percent 30
  openledger sim compare --trace AzureLLMInferenceTrace_code.csv --json
  openledger worker bench --json > bench.json && openledger sim compare --costs bench.json --speed 1`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			for _, p := range policies {
				cfg.Policies = append(cfg.Policies, scheduler.Policy(strings.TrimSpace(p)))
			}
			if costs != "" {
				raw, err := os.ReadFile(costs)
				if err != nil {
					return protocol.Errorf(protocol.KindNotFound, "costs", "%w: make the file with 'openledger worker bench --json > %s'", err, costs)
				}
				if cfg.Cost, err = sim.ParseCostModel(raw); err != nil {
					return err
				}
			}
			report, err := sim.Compare(cfg)
			if err != nil {
				return err
			}
			if c.json {
				return report.WriteJSON(c.out)
			}
			return report.WriteTable(c.out)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Trace, "trace", sim.TraceAzureSample, "arrivals: azure-sample, s-lora, or a .csv or .jsonl file")
	f.Uint64Var(&cfg.Seed, "seed", 42, "seed of everything that is drawn")
	f.IntVar(&cfg.Requests, "requests", 0, "arrivals at most (default: the whole trace)")
	f.IntVar(&cfg.Workers, "workers", 16, "workers")
	f.IntVar(&cfg.Adapters, "adapters", 500, "adapters")
	f.Float64Var(&cfg.Alpha, "alpha", 0.3, "skew of the adapters' popularity; 1 is uniform")
	f.Float64Var(&cfg.Speed, "speed", 0, "arrivals come so many times faster (default: 6 for the sample, else 1)")
	f.IntVar(&cfg.KillPercent, "kill-percent", 0, "share of the workers that die once")
	f.StringVar(&costs, "costs", "", "what a worker's steps and loads cost: the JSON of 'openledger worker bench', or a cost model (default: a mid-range GPU)")
	f.StringSliceVar(&policies, "policy", nil, "policies to compare (default: all)")
	return cmd
}
