package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

func adapterStatus(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "status JOB",
		Short: "Show where a training job stands: its curves and its log",
		Long: `Status shows a training or merge job as the coordinator knows it: what its worker does
now, the loss on what it learns, the evaluations on the held-out records, and what
happened. It does not wait: 'openledger adapter train --resume JOB' does.`,
		Example: "  openledger adapter status 0x3f…\n  openledger adapter status 0x3f… --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseHash("job", args[0])
			if err != nil {
				return err
			}
			cl, err := c.coordinator()
			if err != nil {
				return err
			}
			s, err := cl.Training(cmd.Context(), id)
			if err != nil {
				return err
			}
			return c.print(s, func(w io.Writer) {
				fmt.Fprintf(w, "%s  %s\n", s.Name, s.State)
				if p := s.Progress; p.Steps > 0 {
					fmt.Fprintf(w, "%s %d of %d, loss %.4f\n", p.Phase, p.Step, p.Steps, p.Loss)
				}
				printCurve(w, s.Evals)
				for _, e := range s.Events {
					fmt.Fprintf(w, "%s  %s\n", time.UnixMilli(e.At).Format(time.DateTime), e.Message)
				}
			})
		},
	}
}

func adapterEvaluation(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "evaluation ADAPTER",
		Short: "Show how an adapter does on the records that its training held out",
		Long: `Evaluation shows what the worker that trained an adapter published with it: the loss on
the held-out records over the training, how many of them the adapter would answer word
for word, and what the base and the adapter answer to some of them. A loss that falls
on what is learned and rises on what is held out means that the adapter remembers
rather than understands: the one with the lowest held-out loss was kept.`,
		Example: "  openledger adapter evaluation fable-lessons\n  openledger adapter evaluation fable-lessons@2 --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.coordinator()
			if err != nil {
				return err
			}
			var r api.AdapterReport
			if err := cl.Call(cmd.Context(), http.MethodGet, "/api/v1/adapters/"+url.PathEscape(args[0])+"/evaluation", nil, &r); err != nil {
				return err
			}
			return c.print(r, func(w io.Writer) {
				fmt.Fprintf(w, "adapter  loss %.4f, %d of %d held-out answers exact, at step %d\n", r.Best.Loss, r.Best.Exact, r.Best.Records, r.Best.Step)
				fmt.Fprintf(w, "base     loss %.4f, %d of %d\n", r.Base.Loss, r.Base.Exact, r.Base.Records)
				printCurve(w, r.Curve)
				for _, a := range r.Answers {
					fmt.Fprintf(w, "\nQ %s\n  record   %s\n", a.Prompt, a.Reference)
					if a.Unanswered != "" {
						fmt.Fprintf(w, "  not answered: %s\n", a.Unanswered)
						continue
					}
					fmt.Fprintf(w, "  base     %s%s\n  adapter  %s%s\n", a.Base, exactly(a.BaseExact), a.Adapter, exactly(a.AdapterExact))
				}
			})
		},
	}
}

func exactly(exact bool) string {
	if exact {
		return "  (exact)"
	}
	return ""
}

func printCurve(w io.Writer, curve []protocol.TrainingEval) {
	if len(curve) == 0 {
		return
	}
	t := newTable(w, "step", "held-out loss", "exact")
	for _, e := range curve {
		t.AppendRow([]any{e.Step, fmt.Sprintf("%.4f", e.Loss), fmt.Sprintf("%d of %d", e.Exact, e.Records)})
	}
	t.Render()
}
