package node_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/finetune"
)

// An answer is explained to the last wei, before and after its batch, and runs again
// through the API.
func TestAnswerIsExplainedAndRunsAgain(t *testing.T) {
	on := net.published(t)
	w := net.worker(t, net.identity(t), func(s *node.WorkerSettings) { s.Trains = true })
	d := finetune.Defaults()
	h := protocol.Hyper{Rank: 4, Alpha: 16, Targets: d.Targets, LearningRate: d.LearningRate, Epochs: 1, BatchSize: 2, MaxLength: d.MaxLength,
		PromptTemplate: askLessonOf, AnswerTemplate: "{lesson}", Seed: uint64(net.n.Add(1))}
	name := fmt.Sprintf("explained-%d", h.Seed)
	net.done(t, net.ordered(t, on, name, h, func(o *protocol.TrainingOrder) { o.Access.SetUint64(90e15) }))
	r := request("The fox", 6)
	r.Model = name
	a, _, err := net.ask(t.Context(), net.requester(t, 1e18), r)
	require.NoError(t, err)

	call := func(method, path string, into any) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, net.coord.API.URL()+"/api/v1/receipts/"+r.ID.Hex()+path, nil)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { require.NoError(t, res.Body.Close()) }()
		raw, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode, "%s", raw)
		require.NoError(t, json.Unmarshal(raw, into))
	}
	check := func(e api.Explanation) {
		t.Helper()
		text := ""
		for _, p := range e.Parts {
			text += p.Text
		}
		require.Equal(t, a.Text, text)
		var paid uint256.Int
		for _, p := range e.Payments {
			paid.Add(&paid, &p.Amount)
		}
		require.Equal(t, a.Receipt.Receipt.Fee().Total(), paid)
		weights := e.Pool
		for _, s := range e.Records {
			weights += s.Weight
			require.Empty(t, s.Missing)
			require.NotEmpty(t, s.Fields["lesson"])
			require.Equal(t, on.owner.Account(), s.Contributor)
		}
		require.EqualValues(t, protocol.WeightScale, weights)
	}
	var e api.Explanation
	call(http.MethodGet, "/attribution", &e)
	check(e)
	require.Nil(t, e.Batch)
	require.Eventually(t, func() bool {
		require.NoError(t, w.Settle(t.Context()))
		view, err := net.coord.Receipt(t.Context(), r.ID)
		return err == nil && view.Settled
	}, 30*time.Second, 100*time.Millisecond)
	var settled api.Explanation
	call(http.MethodGet, "/attribution", &settled)
	check(settled)
	require.Equal(t, w.owner.Account(), settled.Batch.Worker)

	var v api.Verification
	call(http.MethodPost, "/verify", &v)
	require.True(t, v.OK, "%+v", v.Steps)
	require.Len(t, v.Steps, 7)
}
