package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/settle"
)

// said is an answer as a client of the OpenAI API sees it.
type said struct {
	text    string
	finish  string
	output  int
	receipt protocol.Hash
	fee     string
	chunks  int
}

// rambling is a request whose answer at this temperature seldom ends by itself.
func rambling(seed, tokens int) map[string]any {
	return map[string]any{"model": "openledger-tiny", "prompt": "Once upon a time", "temperature": 2, "seed": seed, "max_tokens": tokens}
}

// stream asks for a completion token by token; each sees the chunks so far.
func (n *network) stream(ctx context.Context, request map[string]any, each func(chunks int)) (said, error) {
	var out said
	body := map[string]any{"stream": true, "stream_options": map[string]any{"include_usage": true}}
	for k, v := range request {
		body[k] = v
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return out, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.api+"/v1/completions", bytes.NewReader(raw))
	if err != nil {
		return out, err
	}
	req.Header.Set("Authorization", "Bearer "+n.key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return out, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return out, fmt.Errorf("the API answered %s", res.Status)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	var text strings.Builder
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			out.text = text.String()
			return out, nil
		}
		var chunk struct {
			Choices []struct {
				Text   string `json:"text"`
				Finish string `json:"finish_reason"`
			} `json:"choices"`
			Usage *struct {
				Output  int           `json:"completion_tokens"`
				Receipt protocol.Hash `json:"receipt"`
				Fee     string        `json:"fee"`
			} `json:"usage"`
			Error json.RawMessage `json:"error"`
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			return out, fmt.Errorf("%q: %w", data, err)
		}
		if len(chunk.Error) > 0 {
			return out, fmt.Errorf("in the stream: %s", chunk.Error)
		}
		for _, c := range chunk.Choices {
			text.WriteString(c.Text)
			out.finish = c.Finish
			if c.Text != "" {
				out.chunks++
				if each != nil {
					each(out.chunks)
				}
			}
		}
		if chunk.Usage != nil {
			out.output, out.receipt, out.fee = chunk.Usage.Output, chunk.Usage.Receipt, chunk.Usage.Fee
		}
	}
	if err := lines.Err(); err != nil {
		return out, err
	}
	return out, fmt.Errorf("the stream ended before it was done")
}

// tokens are the ids that a receipt's evidence has.
func (n *network) tokens(t testing.TB, receipt protocol.Hash) []uint32 {
	t.Helper()
	r, err := n.cl.Receipt(t.Context(), receipt)
	require.NoError(t, err)
	return r.Evidence.Output
}

// books are a network's money, read from the chain and the documents behind it.
type books struct {
	batches  []chain.BatchEvent
	totals   uint256.Int                       // of the batches
	settled  map[protocol.Hash]int             // how often each receipt was settled
	fees     uint256.Int                       // of the settled receipts
	payouts  map[protocol.Account]*uint256.Int // what batches owe
	accounts []protocol.Account                // of payouts, in the order of their first
}

// audit fetches every settled batch, works it out anew and adds up.
func (n *network) audit(t testing.TB) books {
	t.Helper()
	b := books{settled: map[protocol.Hash]int{}, payouts: map[protocol.Account]*uint256.Int{}}
	c := claims(n.cl, n.info, n.chain)
	_, err := n.chain.EachBatch(t.Context(), protocol.Account{}, n.info.Contracts.FromBlock, 0, func(e chain.BatchEvent, _ chain.Event) error {
		r, err := c.Batch(t.Context(), e)
		if err != nil {
			return err
		}
		b.batches = append(b.batches, e)
		b.totals.Add(&b.totals, &e.Total)
		b.add(r)
		return nil
	})
	require.NoError(t, err)
	return b
}

func (b *books) add(r *settle.Result) {
	for _, e := range r.Document.Entries {
		b.settled[e.Receipt.Receipt.ID]++
		fee := e.Receipt.Receipt.Fee().Total()
		b.fees.Add(&b.fees, &fee)
	}
	for _, p := range r.Payouts {
		sum := b.payouts[p.Account]
		if sum == nil {
			sum = new(uint256.Int)
			b.payouts[p.Account] = sum
			b.accounts = append(b.accounts, p.Account)
		}
		sum.Add(sum, &p.Amount)
	}
}

// paidOut is the sum of what the batches owe.
func (b *books) paidOut() uint256.Int {
	var sum uint256.Int
	for _, a := range b.accounts {
		sum.Add(&sum, b.payouts[a])
	}
	return sum
}

// requireAddUp checks that nothing was lost and nothing was made: the batches draw
// exactly the fees of their receipts, the payouts are all of it, no receipt is in
// two, and the coordinator knows the same receipts.
func (n *network) requireAddUp(t testing.TB, b books) {
	t.Helper()
	require.Equal(t, b.fees.Dec(), b.totals.Dec(), "the batches draw the fees of their receipts")
	sum := b.paidOut()
	require.Equal(t, b.fees.Dec(), sum.Dec(), "the payouts are the fees")
	list, err := n.cl.Receipts(t.Context(), 1000)
	require.NoError(t, err)
	var known uint256.Int
	for _, r := range list {
		fee := r.Receipt.Fee().Total()
		known.Add(&known, &fee)
		require.Equal(t, 1, b.settled[r.Receipt.ID], "receipt %s is settled once", r.Receipt.ID)
	}
	require.Len(t, b.settled, len(list), "nothing else is settled")
	require.Equal(t, known.Dec(), b.fees.Dec(), "and these are the fees that were agreed")
}

// awaitSettled waits until every accepted receipt is drawn.
func (n *network) unsettled(ctx context.Context) (open int, err error) {
	list, err := n.cl.Receipts(ctx, 1000)
	for _, r := range list {
		if !r.Settled {
			open++
		}
	}
	return open, err
}

// claimAll claims everything for everybody by the command line and gives the sum.
func (n *network) claimAll(t testing.TB, b books, home, payer string) uint256.Int {
	t.Helper()
	var sum uint256.Int
	for _, a := range b.accounts {
		var got struct {
			Claimed string `json:"claimed"`
		}
		run(t, &got, "claim", a.Hex(), "--as", payer, "--home", home, "--api", n.api)
		v, err := uint256.FromDecimal(got.Claimed)
		require.NoError(t, err)
		sum.Add(&sum, v)
	}
	return sum
}
