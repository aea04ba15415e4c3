package node_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/worker/settle"
)

func (n *network) settlementDomain() wire.Domain {
	return wire.Domain{ChainID: n.chain.ChainID(), Contract: n.chain.Addresses.Settlement}
}

func (n *network) escrowDomain() wire.Domain {
	return wire.Domain{ChainID: n.chain.ChainID(), Contract: n.chain.Addresses.Escrow}
}

// receiptsOf lists what the coordinator accepted from a worker.
func (n *network) receiptsOf(t *testing.T, worker protocol.Account) []api.ReceiptView {
	t.Helper()
	all, err := n.coord.Receipts(t.Context(), 1000)
	require.NoError(t, err)
	var out []api.ReceiptView
	for _, r := range all {
		if r.Receipt.Worker == worker {
			out = append(out, r)
		}
	}
	return out
}

func total(fees ...protocol.Fee) uint256.Int {
	var sum uint256.Int
	for _, f := range fees {
		one := f.Total()
		sum.Add(&sum, &one)
	}
	return sum
}

func TestAnswerReceiptAndReplay(t *testing.T) {
	net.worker(t, net.identity(t))
	who := net.requester(t, 1e18)
	r := request("Once upon a time", 12)
	a, text, err := net.ask(t.Context(), who, r)
	require.NoError(t, err)
	require.NotEmpty(t, text)
	require.Equal(t, text, a.Text, "what was streamed is what was signed")
	require.Equal(t, "length", a.FinishReason)

	got := a.Receipt.Receipt
	require.NoError(t, wire.VerifyReceipt(net.settlementDomain(), a.Receipt))
	require.Equal(t, r.ID, got.ID)
	require.Equal(t, who.Account(), got.Requester)
	require.EqualValues(t, 12, got.OutputTokens)
	require.Equal(t, price.FeeFor(int(got.PromptTokens), 12), got.Fee())
	require.True(t, got.Access.IsZero(), "the bare base has no access fee")

	again, text, err := net.ask(t.Context(), who, r)
	require.NoError(t, err)
	require.Equal(t, a, again, "asked again: the same receipt")
	require.Equal(t, a.Text, text)
	view, err := net.coord.Receipt(t.Context(), r.ID)
	require.NoError(t, err)
	require.Equal(t, total(got.Fee()), view.Voucher, "one fee for both")
	require.NoError(t, wire.CheckReceipt(view.Receipt, view.Evidence))

	other := r
	other.Prompt = "Twice upon a time"
	_, _, err = net.ask(t.Context(), who, other)
	require.Equal(t, protocol.KindExists, protocol.KindOf(err), "%v", err)
	_, _, err = net.ask(t.Context(), net.requester(t, 1e18), r)
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "%v", err)

	unknown := request("x", 1)
	unknown.Model = "nobody"
	_, _, err = net.ask(t.Context(), who, unknown)
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))
}

func TestEscrowLimitsWork(t *testing.T) {
	net.worker(t, net.identity(t))
	// A request of one prompt byte and 10 tokens is estimated at 17 + 10 tokens: 37e12
	// wei. The escrow holds two and a half of them.
	worst := price.FeeFor(17, 10).Total()
	escrow := worst.Uint64() * 5 / 2
	who := net.requester(t, escrow)

	_, _, err := net.ask(t.Context(), who, request("x", 1000))
	require.Equal(t, protocol.KindEscrow, protocol.KindOf(err), "%v", err)

	// The refused request reserved nothing: two fit beside each other, and never more.
	var mu sync.Mutex
	var spent uint256.Int
	answered := 0
	var wait sync.WaitGroup
	for range 5 {
		wait.Go(func() {
			a, _, err := net.ask(t.Context(), who, request("x", 10))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				fee := a.Receipt.Receipt.Fee().Total()
				spent.Add(&spent, &fee)
				answered++
				return
			}
			if protocol.KindOf(err) != protocol.KindEscrow {
				t.Errorf("refused for another reason: %v", err)
			}
		})
	}
	wait.Wait()
	require.GreaterOrEqual(t, answered, 1)
	require.False(t, spent.Gt(uint256.NewInt(escrow)), "%s wei of %d", spent.Dec(), escrow)

	// What is left is for smaller requests, until it is gone.
	for range 10 {
		if _, _, err = net.ask(t.Context(), who, request("x", 10)); err != nil {
			break
		}
	}
	require.Equal(t, protocol.KindEscrow, protocol.KindOf(err), "%v", err)
}

func TestSessionMustBeAuthorised(t *testing.T) {
	net.worker(t, net.identity(t))
	who := net.key(t, 10)
	_, err := net.chain.Client.As(who).Deposit(t.Context(), *uint256.NewInt(1e18))
	require.NoError(t, err)
	_, _, err = net.ask(t.Context(), who, request("x", 4))
	require.Equal(t, protocol.KindEscrow, protocol.KindOf(err), "never authorised: %v", err)
	_, err = net.chain.Client.As(who).Authorize(t.Context(), net.coord.SessionAccount(), *uint256.NewInt(1), time.Now().Add(time.Hour).Unix())
	require.NoError(t, err)
	_, _, err = net.ask(t.Context(), who, request("x", 4))
	require.Equal(t, protocol.KindEscrow, protocol.KindOf(err), "over the limit: %v", err)
}

func TestFailoverInMidStream(t *testing.T) {
	byPeer := map[protocol.PeerID]*running{}
	for range 2 {
		w := net.worker(t, net.identity(t))
		byPeer[w.peer] = w
	}
	who := net.requester(t, 1e18)
	want, _, err := net.ask(t.Context(), who, request("The fox and the grapes", 900))
	require.NoError(t, err)

	r := request("The fox and the grapes", 900)
	text, chunks := "", 0
	killed := make(chan error, 1)
	var victim *running
	a, err := net.coord.Infer(t.Context(), api.Caller{Account: who.Account()}, r, func(d api.Delta) error {
		text += d.Text
		if chunks++; chunks == 10 {
			busiest, n := net.coord.Busiest()
			if victim = byPeer[busiest]; n == 0 || victim == nil {
				t.Errorf("no worker of this test runs the job, but %q", busiest)
				killed <- nil
				return nil
			}
			go func() { killed <- victim.stop() }()
		}
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, <-killed)
	require.Equal(t, want.Text, text, "no token is lost, doubled or other")
	require.Equal(t, want.Receipt.Receipt.OutputHash, a.Receipt.Receipt.OutputHash)
	require.NotEqual(t, victim.owner.Account(), a.Receipt.Receipt.Worker, "the other worker ended it")
	require.Equal(t, want.Receipt.Receipt.Fee(), a.Receipt.Receipt.Fee(), "and it costs the same")
	for _, v := range net.receiptsOf(t, victim.owner.Account()) {
		require.NotEqual(t, r.ID, v.Receipt.ID)
	}
}

func TestHangUpStopsTheWorker(t *testing.T) {
	w := net.worker(t, net.identity(t))
	who := net.requester(t, 1e18)
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	r := request("An endless tale", 900)
	_, _, err := net.ask(ctx, who, request("warm", 1))
	require.NoError(t, err)
	chunks := 0
	_, err = net.coord.Infer(ctx, api.Caller{Account: who.Account()}, r, func(api.Delta) error {
		if chunks++; chunks == 5 {
			hangUp()
		}
		return nil
	})
	require.Equal(t, protocol.KindCancelled, protocol.KindOf(err), "%v", err)
	require.Eventually(t, func() bool { return w.Stats().Running == 0 }, time.Minute, 20*time.Millisecond, "the worker stops, too")
	require.Less(t, chunks, 200)
}

func TestSettlementPaysEveryWei(t *testing.T) {
	w := net.worker(t, net.identity(t))
	who := net.requester(t, 1e18)
	for i := range 3 {
		_, _, err := net.ask(t.Context(), who, request("A lion", 3+i))
		require.NoError(t, err)
	}
	mine := net.receiptsOf(t, w.owner.Account())
	require.Len(t, mine, 3)
	require.Eventually(t, func() bool {
		require.NoError(t, w.Settle(t.Context()))
		for _, v := range net.receiptsOf(t, w.owner.Account()) {
			if !v.Settled {
				return false
			}
		}
		return true
	}, time.Minute, 100*time.Millisecond)

	var fees uint256.Int
	for _, v := range net.receiptsOf(t, w.owner.Account()) {
		fee := v.Receipt.Fee().Total()
		fees.Add(&fees, &fee)
	}
	drawn, err := net.chain.Client.DrawnOf(t.Context(), who.Account(), w.owner.Account())
	require.NoError(t, err)
	require.Equal(t, fees, drawn, "exactly the receipts' fees left the escrow")

	require.NoError(t, w.Settle(t.Context()), "nothing is left to settle")
	web, err := client.New(net.coord.API.URL(), "")
	require.NoError(t, err)
	claims := &settle.Claims{Chain: net.chain.Client, Blocks: client.Blocks{Client: web}, Checks: settle.Checks{
		Receipt:         func(r protocol.SignedReceipt) error { return wire.VerifyReceipt(net.settlementDomain(), r) },
		AttributionRoot: wire.AttributionRoot,
	}}
	var paid uint256.Int
	entries := 0
	_, err = net.chain.Client.EachBatch(t.Context(), w.owner.Account(), net.chain.Addresses.Block, 0, func(b chain.BatchEvent, _ chain.Event) error {
		res, err := claims.Batch(t.Context(), b)
		if err != nil {
			return err
		}
		entries += len(res.Document.Entries)
		sum, err := payout.Total(res.Payouts)
		require.Equal(t, b.Total, sum)
		paid.Add(&paid, &sum)
		return err
	})
	require.NoError(t, err)
	require.Equal(t, fees, paid, "the payouts add up to the fees")
	require.Equal(t, len(mine), entries, "each receipt is in one batch")
}
