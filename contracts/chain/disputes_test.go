package chain_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/devchain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
	"github.com/openledger/openledger/protocol/wire"
)

// court is a chain with a worker, a requester, a challenger and validators, and windows
// that a slow machine does not miss.
type court struct {
	t      *testing.T
	dev    *devchain.Chain
	c      *chain.Client
	worker *chain.Sender
	drawn  uint256.Int
	tree   *payout.Tree
}

const judges = 5

func judge(i int) string { return fmt.Sprintf("judge %d", i) }

func newCourt(t *testing.T) *court {
	t.Helper()
	ctx := t.Context()
	params, err := devchain.ReadParams("../genesis/dev.json")
	require.NoError(t, err)
	params.Settlement.ChallengeWindowSeconds = 24 * 3600
	params.Epochs.ChallengeWindowSeconds, params.Epochs.BuildWindowSeconds = 24*3600, 24*3600
	params.Disputes.DrawSeconds, params.Disputes.VotingSeconds = 3600, 3600
	fund := map[protocol.Account]uint256.Int{}
	for _, name := range []string{"a", "worker", "requester", "challenger", "proposer"} {
		fund[key(t, name).Account()] = coins(1_000_000)
	}
	for i := range judges {
		fund[key(t, judge(i)).Account()] = coins(10_000)
	}
	dev, err := devchain.Open(devchain.Config{ChainID: params.ChainID, MaxAhead: 365 * 24 * time.Hour, Fund: fund})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	c, err := chain.Dial(ctx, chain.Config{RPC: dev.RPC(), PollEvery: 5 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	at, err := devchain.Deploy(ctx, c, devchain.Deployment{Params: params, Key: key(t, "a")})
	require.NoError(t, err)
	c = c.With(at)
	w := &court{t: t, dev: dev, c: c, worker: c.As(key(t, "worker"))}
	_, err = w.worker.Bond(ctx, coins(1000))
	require.NoError(t, err)
	_, err = c.As(key(t, "requester")).Deposit(ctx, coins(100))
	require.NoError(t, err)
	for i := range judges {
		sent, err := c.As(key(t, judge(i))).EnsureJoined(ctx, coins(1000))
		require.NoError(t, err)
		require.True(t, sent)
	}
	w.tree, err = payout.NewTree([]payout.Payout{{Account: key(t, "a").Account(), Amount: coins(10)}})
	require.NoError(t, err)
	return w
}

func (w *court) domain(contract protocol.Account) wire.Domain {
	return wire.Domain{ChainID: w.c.ChainID(), Contract: contract}
}

// submit settles the worker's next batch: 10 OPEN from the requester.
func (w *court) submit() (nonce uint64) {
	w.t.Helper()
	ctx, requester := w.t.Context(), key(w.t, "requester")
	nonce, err := w.c.NextNonce(ctx, w.worker.Account())
	require.NoError(w.t, err)
	ten := coins(10)
	w.drawn.Add(&w.drawn, &ten)
	v, err := wire.SignVoucher(w.domain(w.c.Addresses().Escrow), protocol.Voucher{
		Requester: requester.Account(), Worker: w.worker.Account(), Cumulative: w.drawn, Expires: time.Now().Unix() + 365*24*3600,
	}, requester.ECDSA())
	require.NoError(w.t, err)
	root := w.tree.Root()
	_, err = w.worker.SubmitBatch(ctx, chain.Submission{
		Worker: w.worker.Account(), Nonce: nonce, Root: root.Hash, Total: root.Sum, Count: 1,
		DataDigest: protocol.Hash{1, byte(nonce)}, Vouchers: []protocol.SignedVoucher{v},
	})
	require.NoError(w.t, err)
	return nonce
}

// verdict signs for the seats 0..n of a dispute.
func (w *court) verdict(id uint64, guilty bool, reason protocol.DisputeReason, from, to int) []protocol.SignedVerdict {
	w.t.Helper()
	d, err := w.c.Dispute(w.t.Context(), id)
	require.NoError(w.t, err)
	seats, err := w.c.Seats(w.t.Context(), id)
	require.NoError(w.t, err)
	require.Len(w.t, seats, 3)
	var out []protocol.SignedVerdict
	for _, s := range seats[from:to] {
		for i := range judges {
			if k := key(w.t, judge(i)); k.Account() == s.Member {
				v, err := wire.SignVerdict(w.domain(w.c.Addresses().Disputes), protocol.Verdict{
					Dispute: id, Worker: d.Worker, Nonce: d.Nonce, DataDigest: d.DataDigest, Guilty: guilty, Reason: reason,
				}, k.ECDSA())
				require.NoError(w.t, err)
				out = append(out, v)
			}
		}
	}
	require.Len(w.t, out, to-from)
	return out
}

func (w *court) status(nonce uint64) chain.BatchStatus {
	w.t.Helper()
	b, err := w.c.Batch(w.t.Context(), w.worker.Account(), nonce)
	require.NoError(w.t, err)
	return b.Status
}

func (w *court) credit(name string) uint256.Int {
	w.t.Helper()
	v, err := w.c.DisputeCredit(w.t.Context(), key(w.t, name).Account())
	require.NoError(w.t, err)
	return v
}

// A lie is challenged, judged by a drawn committee whose verdicts come in two parts, and
// paid for: the batch pays nobody, its requester has its money back, the worker has lost
// stake and sits in jail, and challenger and signers collect.
func TestALieIsSlashedAndRefunded(t *testing.T) {
	ctx := t.Context()
	w := newCourt(t)
	challenger := w.c.As(key(t, "challenger"))
	nonce := w.submit()
	require.Equal(t, chain.BatchPending, w.status(nonce))
	id, _, err := challenger.Challenge(ctx, w.worker.Account(), nonce, protocol.ReasonOutput, protocol.Hash{7})
	require.NoError(t, err)
	require.Equal(t, uint64(1), id)
	require.Equal(t, chain.BatchDisputed, w.status(nonce))
	exposure, err := w.c.ExposureOf(ctx, w.worker.Account())
	require.NoError(t, err)
	require.Equal(t, coins(10), exposure, "a disputed batch counts against the stake")

	_, err = challenger.Draw(ctx, id)
	require.NoError(t, err)
	_, err = w.worker.Draw(ctx, id)
	require.NoError(t, err, "drawn by somebody else: nothing to do")
	_, err = challenger.Advance(ctx, id)
	require.Equal(t, protocol.KindBusy, protocol.KindOf(err), "%v", err)

	_, err = challenger.SubmitVerdict(ctx, w.verdict(id, true, protocol.ReasonTokens, 0, 1)...)
	require.NoError(t, err)
	require.Equal(t, chain.BatchDisputed, w.status(nonce))
	_, err = challenger.Refund(ctx, w.worker.Account(), nonce)
	require.ErrorContains(t, err, "only a rejected one")
	_, err = challenger.SubmitVerdict(ctx, w.verdict(id, true, protocol.ReasonTokens, 1, 2)...)
	require.NoError(t, err)

	d, err := w.c.Dispute(ctx, id)
	require.NoError(t, err)
	require.Equal(t, chain.DisputeGuilty, d.Status)
	require.Equal(t, protocol.ReasonTokens, d.Reason, "the verdict's reason, not the challenger's")
	require.Equal(t, chain.BatchRejected, w.status(nonce))
	stake, err := w.c.StakeOf(ctx, w.worker.Account())
	require.NoError(t, err)
	require.Equal(t, coins(800), stake.Total(), "a fifth is gone")
	until, err := w.c.Jail(ctx, w.worker.Account())
	require.NoError(t, err)
	require.False(t, until.IsZero())
	_, err = w.worker.Unjail(ctx, w.worker.Account())
	require.ErrorContains(t, err, "still jailed")

	_, err = challenger.Refund(ctx, w.worker.Account(), nonce)
	require.NoError(t, err)
	_, err = challenger.Refund(ctx, w.worker.Account(), nonce)
	require.Equal(t, protocol.KindExists, protocol.KindOf(err), "%v", err)
	back, err := w.c.EscrowOf(ctx, key(t, "requester").Account())
	require.NoError(t, err)
	require.Equal(t, coins(100), back)

	require.Equal(t, coins(160), w.credit("challenger"), "bond and 30 % of 200")
	treasury, err := w.c.DisputeCredit(ctx, w.c.Addresses().Treasury)
	require.NoError(t, err)
	require.Equal(t, coins(100), treasury)
	for _, account := range []protocol.Account{challenger.Account(), w.c.Addresses().Treasury} {
		_, err = w.worker.CollectDisputes(ctx, account)
		require.NoError(t, err, "anybody may send it")
	}
	granted, err := w.c.Balance(ctx, w.c.Addresses().Treasury)
	require.NoError(t, err)
	require.Equal(t, coins(100), granted)

	var seen []string
	_, err = w.c.Events(ctx, 0, 0, func(e chain.Event) error {
		switch {
		case e.Challenged != nil:
			seen = append(seen, "challenged")
			require.Equal(t, coins(100), e.Challenged.Bond)
		case e.Committee != nil:
			seen = append(seen, "drawn")
			require.Len(t, e.Committee.Members, 3)
		case e.Verdict != nil:
			seen = append(seen, "verdict")
		case e.Resolved != nil:
			seen = append(seen, "resolved")
			require.Equal(t, coins(200), e.Resolved.Slashed)
		case e.Slashed != nil:
			seen = append(seen, "slashed")
			require.Equal(t, protocol.ReasonTokens, e.Slashed.Reason)
			require.Equal(t, w.c.Addresses().Disputes, e.Slashed.By)
			require.Equal(t, coins(200), e.Slashed.Staked)
		case e.Jailed != nil:
			seen = append(seen, "jailed")
		case e.Ruling != nil:
			seen = append(seen, string(e.Ruling.Status))
		case e.Refunded != nil:
			seen = append(seen, "refunded")
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []string{
		"challenged", "disputed", "drawn", "verdict", "verdict", "rejected", "slashed", "jailed", "resolved", "refunded",
	}, seen)
	steps := 0
	_, err = w.c.DisputeEvents(ctx, 0, 0, func(of uint64, _ chain.Event) error {
		require.Equal(t, id, of)
		steps++
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 7, steps, "all of them but what the batch went through")
}

// A hostile challenge costs an honest worker nothing but time: the challenger's bond
// goes to it and to the signers, and its batch pays.
func TestAHostileChallengeCostsTheChallenger(t *testing.T) {
	ctx := t.Context()
	w := newCourt(t)
	challenger := w.c.As(key(t, "challenger"))
	nonce := w.submit()
	id, _, err := challenger.Challenge(ctx, w.worker.Account(), nonce, protocol.ReasonAttribution, protocol.Hash{})
	require.NoError(t, err)

	// Nobody comes: the absent pay, and another committee is drawn.
	_, err = challenger.Draw(ctx, id)
	require.NoError(t, err)
	require.NoError(t, w.dev.AdvanceTime(2*time.Hour))
	_, err = w.worker.SubmitVerdict(ctx, w.verdict(id, false, 0, 0, 2)...)
	require.ErrorContains(t, err, "period over")
	_, err = w.worker.Advance(ctx, id)
	require.NoError(t, err)
	treasury, err := w.c.DisputeCredit(ctx, w.c.Addresses().Treasury)
	require.NoError(t, err)
	require.Equal(t, coins(150), treasury, "5 % of three bonds")

	// Three of five lost a twentieth of the least bond: they are drawn no more until they
	// add to it.
	for i := range judges {
		_, err := w.c.As(key(t, judge(i))).EnsureJoined(ctx, coins(1000))
		require.NoError(t, err)
	}
	require.NoError(t, w.dev.AdvanceTime(2*time.Hour))
	_, err = w.worker.Draw(ctx, id)
	require.ErrorContains(t, err, "period over")
	_, err = w.worker.Advance(ctx, id)
	require.NoError(t, err)
	_, err = w.worker.Draw(ctx, id)
	require.NoError(t, err)
	_, err = w.worker.SubmitVerdict(ctx, w.verdict(id, false, 0, 0, 2)...)
	require.NoError(t, err)
	require.Equal(t, chain.BatchPending, w.status(nonce))
	require.Equal(t, coins(80), w.credit("worker"))
	stake, err := w.c.StakeOf(ctx, w.worker.Account())
	require.NoError(t, err)
	require.Equal(t, coins(1000), stake.Total())
	bond, err := w.c.ChallengeBond(ctx, w.worker.Account(), nonce)
	require.NoError(t, err)
	require.Equal(t, coins(200), bond, "the next one takes twice as much")

	require.NoError(t, w.dev.AdvanceTime(25*time.Hour))
	require.Equal(t, chain.BatchClaimable, w.status(nonce))
	_, err = challenger.Claim(ctx, chain.Claim{Worker: w.worker.Account(), Nonce: nonce, Account: key(t, "a").Account(), Amount: coins(10)})
	require.NoError(t, err)

	// A validator leaves with what it has, after the unbonding period.
	v := w.c.As(key(t, judge(0)))
	_, err = v.Leave(ctx)
	require.NoError(t, err)
	_, err = v.WithdrawBond(ctx)
	require.Equal(t, protocol.KindBusy, protocol.KindOf(err), "%v", err)
	require.NoError(t, w.dev.AdvanceTime(8*24*time.Hour))
	_, err = v.WithdrawBond(ctx)
	require.NoError(t, err)
	left, err := w.c.Validator(ctx, v.Account())
	require.NoError(t, err)
	require.True(t, left.Bond.IsZero())
}
