package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/holiman/uint256"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/audit"
)

func parseWei(s string) (uint256.Int, error) {
	v, err := uint256.FromDecimal(s)
	if err != nil {
		return uint256.Int{}, protocol.Errorf(protocol.KindInvalid, "wei", "%q is not a whole number", s)
	}
	return *v, nil
}

func newReceipts(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "receipts",
		Short:   "Receipts: list, show, verify by running the inference again",
		Example: "  openledger receipts list\n  openledger receipts show 0x3f…\n  openledger receipts verify 0x3f…",
	}
	cmd.AddCommand(receiptsList(c), receiptsShow(c), receiptsVerify(c))
	return cmd
}

func receiptsList(c *cli) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the newest receipts",
		Example: "  openledger receipts list --limit 10 --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.coordinator()
			if err != nil {
				return err
			}
			list, err := cl.Receipts(cmd.Context(), limit)
			if err != nil {
				return err
			}
			return c.print(map[string]any{"receipts": list}, func(w io.Writer) {
				t := newTable(w, "receipt", "time", "worker", "tokens", "fee OPEN", "settled")
				for _, r := range list {
					t.AppendRow([]any{r.Receipt.ID.Hex(), time.UnixMilli(r.Receipt.FinishedAt).Format(time.DateTime), short(r.Receipt.Worker.Hex()),
						fmt.Sprintf("%d+%d", r.Receipt.PromptTokens, r.Receipt.OutputTokens), node.FormatOpen(r.Receipt.Fee().Total()), r.Settled})
				}
				t.Render()
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "how many at most")
	return cmd
}

// short is enough of a hash or address to tell it from others.
func short(s string) string {
	if len(s) < 12 {
		return s
	}
	return s[:8] + "…" + s[len(s)-4:]
}

func receiptsShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "show RECEIPT",
		Short:   "Show a receipt with its evidence",
		Example: "  openledger receipts show 0x3f… --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := c.receipt(cmd, args[0])
			if err != nil {
				return err
			}
			return c.print(r, func(w io.Writer) {
				fmt.Fprintf(w, "receipt    %s\nrequester  %s\nworker     %s\n", r.Receipt.ID, r.Receipt.Requester.Hex(), r.Receipt.Worker.Hex())
				for _, m := range r.Evidence.Job.Messages {
					fmt.Fprintf(w, "%-10s %s\n", m.Role, m.Content)
				}
				fmt.Fprintf(w, "answer     %s\ntokens     %d + %d\nfee        %s OPEN (compute %s, access %s, markup %s)\nsettled    %v\nevidence   %s\n", r.Evidence.Text,
					r.Receipt.PromptTokens, r.Receipt.OutputTokens, node.FormatOpen(r.Receipt.Fee().Total()),
					node.FormatOpen(r.Receipt.Compute), node.FormatOpen(r.Receipt.Access), node.FormatOpen(r.Receipt.Markup), r.Settled, ipfs.RawCIDOf(r.Receipt.Evidence))
			})
		},
	}
}

func (c *cli) receipt(cmd *cobra.Command, arg string) (api.ReceiptView, error) {
	id, err := parseHash("receipt", arg)
	if err != nil {
		return api.ReceiptView{}, err
	}
	cl, err := c.coordinator()
	if err != nil {
		return api.ReceiptView{}, err
	}
	return cl.Receipt(cmd.Context(), id)
}

func receiptsVerify(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "verify RECEIPT",
		Short: "Run the inference and its attribution again on this machine and compare",
		Long: `Verify trusts nobody: it checks the signature, fetches the adapter and its index by
CID, generates the answer and its attribution again, and compares every bit.
It exits with 1 when anything differs.`,
		Example: "  openledger receipts verify 0x3f…",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := c.receipt(cmd, args[0])
			if err != nil {
				return err
			}
			report, err := c.audit(cmd, r)
			if err != nil {
				return err
			}
			if err := c.print(report, func(w io.Writer) {
				for _, s := range report.Steps {
					mark := "ok  "
					if !s.OK {
						mark = "FAIL"
					}
					fmt.Fprintf(w, "%s  %s", mark, s.Name)
					if s.Detail != "" {
						fmt.Fprintf(w, ": %s", s.Detail)
					}
					fmt.Fprintln(w)
				}
				if report.Unchecked != "" {
					fmt.Fprintf(w, "?     not checked: %s\n", report.Unchecked)
				}
			}); err != nil {
				return err
			}
			if !report.OK {
				c.say("receipt %s does not verify", report.Receipt)
				return errReported
			}
			return nil
		},
	}
}

// audit runs a receipt again, with content from the network's peers.
func (c *cli) audit(cmd *cobra.Command, r api.ReceiptView) (_ audit.Report, err error) {
	_, info, ch, err := c.network(cmd.Context())
	if err != nil {
		return audit.Report{}, err
	}
	defer ch.Close()
	m, err := node.OpenModelAt(c.baseModel, 0)
	if err != nil {
		return audit.Report{}, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	content, done, err := c.open(info)
	if err != nil {
		return audit.Report{}, err
	}
	defer func() { err = errors.Join(err, done()) }()
	providers, err := ipfs.ParseProviders(info.Bootstrap)
	if err != nil {
		return audit.Report{}, err
	}
	var with *adapter.Adapter
	if r.Receipt.Adapter != (protocol.Hash{}) {
		source := adapter.Source{Content: content, Registry: ch, Base: m.Bundle.Hash, Model: m.Model}
		if with, err = source.Open(cmd.Context(), r.Evidence.Job.Adapter, providers); err != nil {
			return audit.Report{}, err
		}
	}
	return node.AuditorOf(ch, m, content, providers...).Audit(cmd.Context(), r.SignedReceipt, r.Evidence, with)
}
