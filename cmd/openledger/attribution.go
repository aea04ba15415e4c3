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

// explainedRead is what an answer was given to read of one datanet.
type explainedRead struct {
	Datanet uint64      `json:"datanet"`
	Price   string      `json:"price"` // wei
	Shares  []explained `json:"shares"`
	Pool    float64     `json:"pool"` // of the weight
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
	// By datanet, 0 for the adapter's own, since a record may have been both learned and read.
	earned := map[uint64]map[protocol.Hash]string{}
	shares, err := payout.Contributors(r.Receipt.Access, payout.Params{PlatformBps: params.PlatformBps, OwnerPart: params.OwnerPart,
		StakersPart: params.StakersPart, ContributorsPart: params.ContributorsPart}, r.Evidence.Attribution)
	if err != nil {
		return err
	}
	for _, s := range shares {
		if earned[s.Datanet] == nil {
			earned[s.Datanet] = map[protocol.Hash]string{}
		}
		earned[s.Datanet][s.Record] = s.Amount.Dec()
	}
	bundle, err := node.OpenBase(c.baseModel)
	if err != nil {
		return err
	}
	defer func() { _ = bundle.Close() }() // read only
	describe := func(datanetID uint64, shares []protocol.RecordShare) ([]explained, error) {
		out := make([]explained, len(shares))
		for i, s := range shares {
			raw, err := blocksOf(cl).Get(cmd.Context(), s.Record)
			if err != nil {
				return nil, err
			}
			record, err := datanet.Decode(raw)
			if err != nil {
				return nil, err
			}
			out[i] = explained{RecordShare: s, Title: record.Title(), Earned: earned[datanetID][s.Record],
				Quotes: quotes(bundle.Tokenizer, r.Evidence.Output, s.Spans)}
		}
		return out, nil
	}
	att := r.Evidence.Attribution
	out := struct {
		Answer    string          `json:"answer"`
		Shares    []explained     `json:"shares"`
		Pool      float64         `json:"pool"`                // of the weight
		Retrieved []explainedRead `json:"retrieved,omitempty"` // what the answer was given to read
	}{Answer: r.Evidence.Text, Pool: weight(att.Pool)}
	if out.Shares, err = describe(0, att.Shares); err != nil {
		return err
	}
	for _, read := range att.Retrieved {
		list, err := describe(read.Datanet, read.Shares)
		if err != nil {
			return err
		}
		out.Retrieved = append(out.Retrieved, explainedRead{Datanet: read.Datanet, Price: read.Price.Dec(), Shares: list, Pool: weight(read.Pool)})
	}
	return c.print(out, func(w io.Writer) {
		for _, m := range r.Evidence.Job.Messages {
			fmt.Fprintf(w, "%s: %s\n", m.Role, m.Content)
		}
		fmt.Fprintf(w, "answer: %s\n\n", out.Answer)
		explainShares(w, out.Shares, out.Pool)
		for _, read := range out.Retrieved {
			fmt.Fprintf(w, "\nread from datanet %d:\n", read.Datanet)
			explainShares(w, read.Shares, read.Pool)
		}
	})
}

func explainShares(w io.Writer, shares []explained, pool float64) {
	t := newTable(w, "weight", "record", "contributor", "earned OPEN", "verbatim")
	for _, s := range shares {
		amount := "0"
		if v, err := parseWei(s.Earned); err == nil {
			amount = node.FormatOpen(v)
		}
		t.AppendRow([]any{percent(weight(s.Weight)), s.Title, short(s.Contributor.Hex()), amount, strings.Join(s.Quotes, " | ")})
	}
	t.AppendRow([]any{percent(pool), "(public pool of the datanet)"})
	t.Render()
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
