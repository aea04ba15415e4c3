package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

func newDisputes(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "disputes",
		Short: "Challenges of batches and epochs: who judges them and what became of them",
		Example: `  openledger disputes list
  openledger disputes show 3 --json
  openledger disputes challenge 0x52908400098527886E0F7030069857D2E4169EE7 3 --dry-run`,
	}
	cmd.AddCommand(disputesList(c), disputesShow(c), disputesChallenge(c))
	return cmd
}

func disputesList(c *cli) *cobra.Command {
	var open bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List disputes, the oldest first",
		Example: "  openledger disputes list --open --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, _, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			all, err := ch.Disputes(cmd.Context(), 0)
			if err != nil {
				return err
			}
			list := []chain.Dispute{}
			for _, d := range all {
				if !open || d.Status.Open() {
					list = append(list, d)
				}
			}
			return c.print(map[string]any{"disputes": list}, func(w io.Writer) {
				t := newTable(w, "dispute", "about", "reason", "status", "round", "until")
				for _, d := range list {
					until := ""
					if d.Status.Open() {
						until = time.Unix(d.Deadline, 0).Format(time.DateTime)
					}
					t.AppendRow([]any{d.ID, subjectOf(&d), d.Reason, d.Status, fmt.Sprintf("%d of %d", min(d.Round+1, d.Rounds), d.Rounds), until})
				}
				t.Render()
			})
		},
	}
	cmd.Flags().BoolVar(&open, "open", false, "only those that go on")
	return cmd
}

func disputesShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "show DISPUTE",
		Short:   "Show a dispute, its committee and what each member said",
		Example: "  openledger disputes show 3",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return protocol.Errorf(protocol.KindInvalid, "dispute", "%q is no number of a dispute: see 'openledger disputes list'", args[0])
			}
			_, _, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			d, err := ch.Dispute(cmd.Context(), id)
			if err != nil {
				return err
			}
			seats, err := ch.Seats(cmd.Context(), id)
			if err != nil {
				return err
			}
			out := map[string]any{"dispute": &d, "committee": seats}
			about, err := aboutDispute(cmd.Context(), ch, &d, out)
			if err != nil {
				return err
			}
			return c.print(out, func(w io.Writer) {
				fmt.Fprintf(w, "dispute %d: %s\n%s\n", d.ID, d.Status, about)
				fmt.Fprintf(w, "reason      %s\n", d.Reason)
				fmt.Fprintf(w, "challenger  %s, bond %s OPEN\n", d.Challenger, node.FormatOpen(d.Bond))
				fmt.Fprintf(w, "evidence    %s\ndocument    %s\n", d.Evidence, d.DataDigest)
				if d.Status.Open() {
					fmt.Fprintf(w, "round       %d of %d, until %s\n", d.Round+1, d.Rounds, time.Unix(d.Deadline, 0).Format(time.DateTime))
				}
				if len(seats) == 0 {
					return
				}
				fmt.Fprintf(w, "verdicts    %d guilty, %d upheld; %d decide\n\n", d.Guilty, d.Upheld, d.Quorum)
				t := newTable(w, "member", "verdict")
				for _, s := range seats {
					t.AppendRow([]any{s.Member.Hex(), s.Vote})
				}
				t.Render()
			})
		},
	}
}

// subjectOf is what a dispute is about, in a table.
func subjectOf(d *chain.Dispute) string {
	if d.Epoch != 0 {
		return fmt.Sprintf("epoch %d", d.Epoch)
	}
	return fmt.Sprintf("batch %d of %s", d.Nonce, short(d.Worker.Hex()))
}

// aboutDispute reads what a dispute is about into what is printed as JSON, and says it in a line.
func aboutDispute(ctx context.Context, ch *chain.Client, d *chain.Dispute, out map[string]any) (string, error) {
	if d.Epoch != 0 {
		e, err := ch.Epoch(ctx, d.Epoch)
		if err != nil {
			return "", err
		}
		out["epoch"] = &e
		return fmt.Sprintf("epoch       %d by %s: %s, %s OPEN, bond %s OPEN", e.ID, e.Proposer, e.Stage, node.FormatOpen(e.Amount), node.FormatOpen(e.Bond)), nil
	}
	batch, err := ch.Batch(ctx, d.Worker, d.Nonce)
	if err != nil {
		return "", err
	}
	out["batch"] = &batch
	return fmt.Sprintf("batch       %d of worker %s: %s, %s OPEN", d.Nonce, d.Worker, batch.Status, node.FormatOpen(batch.Total)), nil
}
