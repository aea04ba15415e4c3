package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/holiman/uint256"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

func newQuote(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quote",
		Short: "What an inference or a training would cost, and how long it may take",
		Long: `Quote asks the coordinator what something would cost, by recipient, how long it may
take, and which worker would get it now and why. Nothing is run, reserved or promised.`,
		Example: `  openledger quote infer marrowland-facts 'Tell me about Marrowland: Bird' --max-tokens 48
  openledger quote train 1 --epochs 3`,
	}
	cmd.AddCommand(quoteInfer(c), quoteTrain(c))
	return cmd
}

func quoteInfer(c *cli) *cobra.Command {
	var system string
	var read []string
	var maxTokens, promptTokens, sources int
	cmd := &cobra.Command{
		Use:   "infer MODEL [PROMPT]",
		Short: "Price an answer of so many tokens",
		Long: `Infer counts the tokens of a chat with this prompt as a worker will, or takes how many
there are with --prompt-tokens. The price is that of the largest answer, with the longest
records that may be found in what it reads, and in as many rounds as an agent's tools may take.`,
		Example: `  openledger quote infer openledger-tiny 'Once upon a time' --max-tokens 32
  openledger quote infer marrowland-facts --prompt-tokens 500 --max-tokens 100 --json
  openledger quote infer openledger-tiny 'What is the lesson of the old lion?' --retrieve fables`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ask := map[string]any{"kind": "inference", "model": args[0], "max_tokens": maxTokens}
			switch {
			case len(args) == 2 && promptTokens != 0:
				return protocol.Errorf(protocol.KindInvalid, "--prompt-tokens", "give a prompt or how many tokens it has, not both")
			case len(args) == 2:
				messages := []map[string]string{{"role": "user", "content": args[1]}}
				if system != "" {
					messages = append([]map[string]string{{"role": "system", "content": system}}, messages...)
				}
				ask["messages"] = messages
			default:
				ask["prompt_tokens"] = promptTokens
			}
			if len(read) > 0 {
				ask["retrieval"] = retrievalOf(read, sources)
			}
			return c.quote(cmd, ask)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&read, "retrieve", nil, "datanets that the answer reads, by number or name")
	f.IntVar(&sources, "sources", 3, "with --retrieve: records of each datanet at most")
	f.StringVar(&system, "system", "", "system message")
	f.IntVar(&maxTokens, "max-tokens", 128, "longest answer")
	f.IntVar(&promptTokens, "prompt-tokens", 0, "tokens of a prompt that is not told")
	return cmd
}

func quoteTrain(c *cli) *cobra.Command {
	var version uint32
	var h protocol.Hyper
	var share float64
	cmd := &cobra.Command{
		Use:   "train DATANET",
		Short: "Estimate a training",
		Long: `Train estimates a training's steps and time. It costs nothing: workers are paid for
answers. The time is judged by the trainings that ended at this coordinator.`,
		Example: `  openledger quote train 1 --epochs 3
  openledger quote train 1 --version 2 --batch 16 --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			datanet, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return protocol.Errorf(protocol.KindInvalid, "datanet", "%q is not a number: 'openledger datanet list' shows them", args[0])
			}
			h.EvalRatio = float32(share)
			return c.quote(cmd, map[string]any{"kind": "training", "datanet": datanet, "version": version, "hyper": h})
		},
	}
	f := cmd.Flags()
	f.Uint32Var(&version, "version", 0, "published version; 0 is the newest")
	f.IntVar(&h.Epochs, "epochs", 0, "passes over the records; 0 is the trainer's default")
	f.IntVar(&h.BatchSize, "batch", 0, "records of a step; 0 is the trainer's default")
	f.Float64Var(&share, "eval-ratio", 0, "share of the records that is held out")
	return cmd
}

// quote asks and prints.
func (c *cli) quote(cmd *cobra.Command, ask any) error {
	cl, err := c.coordinator()
	if err != nil {
		return err
	}
	var q api.Quote
	if err := cl.Call(cmd.Context(), http.MethodPost, "/api/v1/quotes", ask, &q); err != nil {
		return err
	}
	return c.print(&q, func(w io.Writer) {
		fmt.Fprintf(w, "cost       %s OPEN\n", q.CostOpen)
		if q.Kind == "inference" {
			fmt.Fprintf(w, "at most    %s OPEN, whoever answers\n", q.MostOpen)
			fmt.Fprintf(w, "tokens     %d in, %d out at most\n", q.PromptTokens, q.MaxTokens)
			var model uint256.Int
			model.Add(&q.Compute, &q.Access)
			model.Sub(&model, &q.Retrieval)
			for _, part := range []struct {
				name   string
				amount uint256.Int
			}{{"model", model}, {"retrieval", q.Retrieval}, {"markup", q.Markup}} {
				if !part.amount.IsZero() {
					fmt.Fprintf(w, "%-10s %s OPEN\n", part.name, node.FormatOpen(part.amount))
				}
			}
			if q.Rounds > 1 {
				fmt.Fprintf(w, "rounds     %d at most: all of this is for so many\n", q.Rounds)
			}
		} else {
			fmt.Fprintf(w, "training   %d records, %d steps\n", q.Records, q.Steps)
		}
		fmt.Fprintf(w, "time       %s\n", timeOf(q.Time))
		if len(q.Workers) > 0 {
			fmt.Fprintf(w, "worker     %s: %s\n", q.Workers[0].Peer, q.Workers[0].Reason)
		}
		if len(q.Parts) > 0 {
			fmt.Fprintln(w)
			t := newTable(w, "to", "account", "OPEN")
			for _, p := range q.Parts {
				account := ""
				if p.Account != nil {
					account = p.Account.Hex()
				}
				t.AppendRow([]any{p.Role, account, node.FormatOpen(p.Amount)})
			}
			t.Render()
		}
		fmt.Fprintf(w, "\n%s\n", q.Note)
	})
}

func timeOf(t api.QuoteTime) string {
	ms := func(n *int64) string { return (time.Duration(*n) * time.Millisecond).String() }
	var parts []string
	if t.Expected != nil {
		parts = append(parts, "about "+ms(t.Expected))
	}
	if t.Least != nil && t.Most != nil && *t.Least != *t.Most {
		parts = append(parts, ms(t.Least)+" to "+ms(t.Most))
	}
	if t.FirstToken != nil {
		parts = append(parts, "first token after about "+ms(t.FirstToken))
	}
	return strings.Join(append(parts, t.Basis), "; ")
}
