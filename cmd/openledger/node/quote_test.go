package node_test

import (
	"net/http"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

func (n *network) quote(t *testing.T, ask map[string]any) api.Quote {
	t.Helper()
	cl, err := client.New(n.coord.API.URL(), "")
	require.NoError(t, err)
	var q api.Quote
	require.NoError(t, cl.Call(t.Context(), http.MethodPost, "/api/v1/quotes", ask, &q))
	return q
}

// The quote of what a request turns out to be is its receipt's fee, to the wei, and its
// parts are all of it.
func TestQuoteIsTheFee(t *testing.T) {
	own := net.identity(t)
	net.worker(t, own)
	who := net.requester(t, 1e18)
	r := request("", 9)
	r.Messages, r.Prompt = []protocol.Message{{Role: "system", Content: "Be brief."}, {Role: "user", Content: "Who won the race? ü"}}, ""
	ask := map[string]any{"kind": "inference", "model": node.BaseName, "max_tokens": 9,
		"messages": []map[string]string{{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who won the race? ü"}}}
	before := net.quote(t, ask)
	a, _, err := net.ask(t.Context(), who, r)
	require.NoError(t, err)
	got := a.Receipt.Receipt
	require.EqualValues(t, got.PromptTokens, before.PromptTokens, "the prompt is counted as the worker counts it")
	fee := got.Fee().Total()
	require.False(t, before.Cost.Lt(&fee), "a quote is the most")

	after := net.quote(t, map[string]any{"kind": "inference", "model": node.BaseName, "prompt_tokens": got.PromptTokens, "max_tokens": got.OutputTokens})
	require.Equal(t, fee.Dec(), after.Cost.Dec())
	require.Equal(t, node.FormatOpen(fee), after.CostOpen)
	for _, q := range []api.Quote{before, after} {
		var sum uint256.Int
		roles := map[string]bool{}
		for _, p := range q.Parts {
			sum.Add(&sum, &p.Amount)
			roles[p.Role] = true
		}
		require.Equal(t, q.Cost.Dec(), sum.Dec(), "the parts are all of it")
		require.Equal(t, map[string]bool{"platform": true, "worker": true}, roles, "nobody else earns from the bare base")
		require.NotEmpty(t, q.Workers)
		require.True(t, q.Workers[0].Chosen, "%+v", q.Workers)
		require.NotEmpty(t, q.Workers[0].Reason)
		require.Equal(t, q.Cost.Dec(), q.Workers[0].Cost.Dec())
		require.NotNil(t, q.Time.Expected)
		require.LessOrEqual(t, *q.Time.Least, *q.Time.Expected)
		require.LessOrEqual(t, *q.Time.Expected, *q.Time.Most)
	}

	q := net.quote(t, map[string]any{"kind": "training", "datanet": net.published(t).version.Datanet, "hyper": protocol.Hyper{Epochs: 2, BatchSize: 1}})
	require.Positive(t, q.Records)
	require.Equal(t, 2*q.Records, q.Steps)
	require.True(t, q.Cost.IsZero())
	require.Empty(t, q.Parts)
	require.Contains(t, q.Note, "costs nothing")
}
