package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
	"github.com/openledger/openledger/store/datanet"
	"github.com/openledger/openledger/worker/engine/tokenizer"
)

// explained is one credited record as people want to see it.
type explained struct {
	protocol.RecordShare
	Title  string   `json:"title"`
	Quotes []string `json:"quotes,omitempty"` // stretches of the answer that the record has verbatim
	Earned string   `json:"earned"`           // wei
}

func newAttribution(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "attribution",
		Short:   "Attribution: which records an answer came from",
		Example: "  openledger attribution explain 0x3f…",
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "explain RECEIPT",
		Short: "Show an answer, the records that taught it, and what each earned",
		Long: `Explain shows the credited records with their weights. A weight says how much a
record's training gradient agrees with the answer's: it is a measurement that anybody
can repeat ('openledger receipts verify'), not a claim about the one cause of a word.`,
		Example: "  openledger attribution explain 0x3f… --json",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.explain(cmd, args[0]) },
	})
	return cmd
}

func (c *cli) explain(cmd *cobra.Command, arg string) error {
	r, err := c.receipt(cmd, arg)
	if err != nil {
		return err
	}
	cl, _, ch, err := c.network(cmd.Context())
	if err != nil {
		return err
	}
	defer ch.Close()
	params, err := ch.FeeParams(cmd.Context())
	if err != nil {
		return err
	}
	earned := map[protocol.Hash]string{}
	if !r.Receipt.Access.IsZero() {
		// Parties other than contributors do not change what a record earns.
		shares, err := payout.Split(protocol.Fee{Access: r.Receipt.Access}, payout.Params{PlatformBps: params.PlatformBps, OwnerPart: params.OwnerPart,
			StakersPart: params.StakersPart, ContributorsPart: params.ContributorsPart},
			payout.Parties{Treasury: params.Treasury, WorkerPayout: r.Receipt.Worker, ModelOwner: r.Receipt.Worker, Pool: params.Treasury}, r.Evidence.Attribution)
		if err != nil {
			return err
		}
		for _, s := range shares {
			if s.Role == payout.RoleContributor {
				earned[s.Record] = s.Amount.Dec()
			}
		}
	}
	bundle, err := node.OpenBase(c.baseModel)
	if err != nil {
		return err
	}
	defer func() { _ = bundle.Close() }() // read only
	out := struct {
		Answer string      `json:"answer"`
		Shares []explained `json:"shares"`
		Pool   float64     `json:"pool"` // of the weight
	}{Answer: r.Evidence.Text, Pool: weight(r.Evidence.Attribution.Pool)}
	for _, s := range r.Evidence.Attribution.Shares {
		x := explained{RecordShare: s, Earned: earned[s.Record], Quotes: quotes(bundle.Tokenizer, r.Evidence.Output, s.Spans)}
		raw, err := (blocksOf(cl)).Get(cmd.Context(), s.Record)
		if err != nil {
			return err
		}
		record, err := datanet.Decode(raw)
		if err != nil {
			return err
		}
		x.Title = record.Title()
		out.Shares = append(out.Shares, x)
	}
	return c.print(out, func(w io.Writer) {
		for _, m := range r.Evidence.Job.Messages {
			fmt.Fprintf(w, "%s: %s\n", m.Role, m.Content)
		}
		fmt.Fprintf(w, "answer: %s\n\n", out.Answer)
		t := newTable(w, "weight", "record", "contributor", "earned OPEN", "verbatim")
		for _, s := range out.Shares {
			amount := "0"
			if v, err := parseWei(s.Earned); err == nil {
				amount = node.FormatOpen(v)
			}
			t.AppendRow([]any{percent(weight(s.Weight)), s.Title, short(s.Contributor.Hex()), amount, strings.Join(s.Quotes, " | ")})
		}
		t.AppendRow([]any{percent(out.Pool), "(public pool of the datanet)"})
		t.Render()
	})
}

func weight(w uint64) float64 { return float64(w) / protocol.WeightScale }

func percent(f float64) string { return fmt.Sprintf("%.1f %%", 100*f) }

func quotes(t *tokenizer.Tokenizer, output []uint32, spans []protocol.Span) []string {
	var out []string
	for _, s := range spans {
		if s.Start >= 0 && s.Length > 0 && s.Start+s.Length <= len(output) {
			out = append(out, strings.TrimSpace(t.Decode(output[s.Start:s.Start+s.Length])))
		}
	}
	return out
}
