package node_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
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
	happened := net.events(t)
	net.done(t, net.ordered(t, on, name, h, func(o *protocol.TrainingOrder) { o.Access.SetUint64(90e15) }))
	r := request("The fox", 6)
	r.Model = name
	a, _, err := net.ask(t.Context(), net.requester(t, 1e18), r)
	require.NoError(t, err)
	happened(func(e api.Event) bool {
		return e.Receipt != nil && e.Receipt.ID == r.ID && e.Receipt.Fee == a.Receipt.Receipt.Fee().Total()
	})

	call := func(method, path string, into any) {
		t.Helper()
		if !strings.HasPrefix(path, "/api") {
			path = "/api/v1/receipts/" + r.ID.Hex() + path
		}
		net.fetch(t, method, path, into)
	}
	check := func(e api.Explanation) {
		t.Helper()
		text := ""
		for _, p := range e.Parts {
			text += p.Text
		}
		require.Equal(t, a.Text, text)
		require.Equal(t, a.Receipt.Receipt.Datanet, e.Datanet)
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
	var before api.Stats
	call(http.MethodGet, "/api/v1/stats", &before)
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

	happened(func(e api.Event) bool { return e.Batch != nil && e.Batch.Worker == w.owner.Account() })
	statsHave(t, before, call)
	earnedIsClaimed(t, settled, on.owner, func(path string, into any) {
		t.Helper()
		call(http.MethodGet, path, into)
	})
	var v api.Verification
	call(http.MethodPost, "/verify", &v)
	require.True(t, v.OK, "%+v", v.Steps)
	require.Len(t, v.Steps, 7)
}

// events listens to what happens. The function waits until something has happened since.
func (n *network) events(t *testing.T) (wait func(is func(api.Event) bool)) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(stop)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.coord.API.URL()+"/api/v1/events", nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	in := bufio.NewScanner(res.Body)
	return func(is func(api.Event) bool) {
		t.Helper()
		for in.Scan() {
			if data, ok := strings.CutPrefix(in.Text(), "data: "); ok {
				var e api.Event
				require.NoError(t, json.Unmarshal([]byte(data), &e))
				if is(e) {
					return
				}
			}
		}
		require.Fail(t, "the stream of events ended", in.Err())
	}
}

// statsHave waits until the sums say whom what was settled since before pays, to the last
// wei. Workers that are gone may have left batches whose documents nobody has.
func statsHave(t *testing.T, before api.Stats, call func(method, path string, into any)) {
	t.Helper()
	unread := func(s api.Stats) (left uint256.Int) {
		left.Set(&s.Total.Settled)
		for i := range s.Total.Paid {
			left.Sub(&left, &s.Total.Paid[i].Amount)
		}
		return left
	}
	was := unread(before)
	require.Eventually(t, func() bool {
		var s api.Stats
		call(http.MethodGet, "/api/v1/stats", &s)
		left := unread(s)
		return s.Total.Requests > 0 && s.Day.OutputTokens > 0 && s.Workers > 0 && s.Adapters > 0 && s.Records > 0 &&
			s.Day.Batches > 0 && s.Total.Receipts > 0 && s.Total.Settled.Gt(&before.Total.Settled) && !left.Gt(&was)
	}, time.Minute, 100*time.Millisecond)
}

// earnedIsClaimed finds what an explained answer pays to an account among its earnings,
// and claims it with the proofs that are there.
func earnedIsClaimed(t *testing.T, e api.Explanation, who *keystore.Key, get func(path string, into any)) {
	t.Helper()
	var want uint256.Int
	for _, p := range e.Payments {
		if p.Account == who.Account() {
			want.Add(&want, &p.Amount)
		}
	}
	require.False(t, want.IsZero())
	var all api.Earnings
	var mine *api.Earning
	find := func() bool {
		all, mine = api.Earnings{}, nil
		get("/api/v1/accounts/"+who.Account().Hex()+"/earnings", &all)
		for i := range all.Earnings {
			if c := &all.Earnings[i].Claim; c.Worker == e.Batch.Worker && c.Nonce == e.Batch.Nonce {
				mine = &all.Earnings[i]
			}
		}
		return mine != nil && mine.Due
	}
	require.Eventually(t, func() bool { find(); return mine != nil }, 2*time.Minute, 100*time.Millisecond)
	require.NoError(t, net.chain.AdvanceTime(10*time.Second))
	require.True(t, find(), "its window is over")
	var got uint256.Int
	for _, s := range mine.Shares {
		if s.Receipt == e.Receipt {
			got.Add(&got, &s.Amount)
		}
	}
	require.Equal(t, want.Dec(), got.Dec())
	var sum uint256.Int
	sum.Add(&all.Claimed, &all.Claimable)
	sum.Add(&sum, &all.Waiting)
	require.Equal(t, all.Earned.Dec(), sum.Dec())

	c := mine.Claim
	claim := chain.Claim{Worker: c.Worker, Nonce: c.Nonce, Index: c.Index, Account: c.Account, Amount: c.Amount}
	for _, p := range c.Proof {
		claim.Proof = append(claim.Proof, chain.Sibling(p))
	}
	before, err := net.chain.Client.Balance(t.Context(), who.Account())
	require.NoError(t, err)
	_, err = net.chain.Client.As(net.key(t, 1)).ClaimMany(t.Context(), []chain.Claim{claim})
	require.NoError(t, err)
	var v api.AccountView
	get("/api/v1/accounts/"+who.Account().Hex(), &v)
	before.Add(&before, &c.Amount)
	require.Equal(t, before.Dec(), v.Balance.Dec(), "whoever sends the claim, the account has the money")
	require.False(t, find())
	require.True(t, mine.Claimed)
	require.Equal(t, all.Claimed.Dec(), v.Owed.Claimed.Dec())
}

// fetch asks the coordinator's API, without a key.
func (n *network) fetch(t *testing.T, method, path string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, n.coord.API.URL()+path, nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode, "%s", raw)
	require.NoError(t, json.Unmarshal(raw, into))
}
