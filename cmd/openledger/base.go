package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/engine/base"
	"github.com/openledger/openledger/worker/engine/base/pretrain"
)

func newBase(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "base",
		Short:   "The tiny base model that this program carries",
		Example: "  openledger base card\n  openledger base pretrain --out ./base --resume",
	}
	cmd.AddCommand(
		&cobra.Command{
			Use: "card", Short: "Print the model card", Example: "  openledger base card", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				b, err := base.Open()
				if err != nil {
					return err
				}
				defer func() { _ = b.Close() }() // read only
				return c.print(map[string]any{"hash": protocol.Hash(b.Hash), "card": base.Card()}, func(w io.Writer) { fmt.Fprintln(w, base.Card()) })
			},
		},
		basePretrain(c))
	return cmd
}

func basePretrain(c *cli) *cobra.Command {
	var cfg pretrain.Config
	cmd := &cobra.Command{
		Use:   "pretrain",
		Short: "Train the tiny base from scratch, on the embedded corpus",
		Long: `Pretrain makes the embedded base again: tokenizer, all parameters, model card. The same
budget and seed give the same bits, whatever the number of threads. It writes a
checkpoint now and then; --resume goes on from it after any kind of stop.`,
		Example: "  openledger base pretrain --out ./base\n  openledger base pretrain --out ./base --resume",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			bar := newBar(c.err, "preparing the corpus", 0)
			defer bar.stop()
			started := false
			cfg.Logger = c.logger()
			cfg.Progress = func(p pretrain.Progress) {
				if !started {
					started = true
					bar.begin("pretrain", p.Steps)
				}
				bar.set(p.Step, fmt.Sprintf("loss %.3f, %.0f tok/s, %s left", p.Smooth, p.TokensPerSec, p.ETA.Round(time.Second)))
			}
			report, err := pretrain.Run(cmd.Context(), cfg)
			bar.stop()
			if err != nil {
				if cmd.Context().Err() != nil {
					c.say("\nstopped; go on with --resume")
					return errors.Join(err, cmd.Context().Err())
				}
				return err
			}
			return c.print(report, func(w io.Writer) { fmt.Fprintf(w, "the model is in %s\n", cfg.Dir) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Dir, "out", "", "folder for checkpoints and the model (required)")
	f.BoolVar(&cfg.Resume, "resume", false, "go on from the checkpoint in the folder")
	f.Int64Var(&cfg.Tokens, "tokens", 0, "budget in tokens (default: that of the shipped model)")
	f.Uint64Var(&cfg.Seed, "seed", 0, "seed of weights and order")
	f.IntVar(&cfg.Threads, "threads", 0, "threads (default: all cores)")
	_ = cmd.MarkFlagRequired("out")
	return cmd
}
