package chain_test

import (
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
)

// propose commits an epoch of the worker's batches to what it is said to owe to a.
func (w *court) propose(owes uint256.Int, batches ...uint64) (uint32, *payout.CumulativeTree) {
	w.t.Helper()
	ctx, s := w.t.Context(), w.c.As(key(w.t, "proposer"))
	refs := make([]chain.BatchRef, len(batches))
	for i, n := range batches {
		refs[i] = chain.BatchRef{Worker: w.worker.Account(), Nonce: n}
	}
	_, err := s.OpenEpoch(ctx, coins(100), refs)
	require.NoError(w.t, err)
	id, _, err := w.c.CurrentEpochs(ctx)
	require.NoError(w.t, err)
	tree, err := payout.NewCumulativeTree([]payout.Payout{{Account: key(w.t, "a").Account(), Amount: owes}})
	require.NoError(w.t, err)
	_, err = s.CommitEpoch(ctx, id, tree.Root(), protocol.Hash{0xd0})
	require.NoError(w.t, err)
	return id, tree
}

func (w *court) stage(epoch uint32) chain.EpochStage {
	w.t.Helper()
	e, err := w.c.Epoch(w.t.Context(), epoch)
	require.NoError(w.t, err)
	return e.Stage
}

// A false root is challenged, judged by the drawn committee and dropped: its proposer has
// lost its bond to challenger, signers and treasury, its batches are as they were, and
// the next epoch pays. The batches' worker answers for nothing.
func TestAFalseEpochRootIsDropped(t *testing.T) {
	ctx := t.Context()
	w := newCourt(t)
	roles, err := w.c.Roles(ctx)
	require.NoError(t, err)
	require.Contains(t, roles, chain.RoleHolder{On: "epochs", Role: chain.DisputeRole, Account: w.c.Addresses().Disputes, Contract: true})
	challenger := w.c.As(key(t, "challenger"))
	first, second := w.submit(), w.submit()
	require.NoError(t, w.dev.AdvanceTime(25*time.Hour))
	lie, _ := w.propose(coins(1_000_000), first, second)

	id, _, err := challenger.ChallengeEpoch(ctx, lie, protocol.ReasonArithmetic, protocol.Hash{7})
	require.NoError(t, err)
	d, err := w.c.Dispute(ctx, id)
	require.NoError(t, err)
	require.Equal(t, lie, d.Epoch)
	require.Equal(t, w.c.Addresses().Epochs, d.Worker)
	require.Equal(t, protocol.Hash{0xd0}, d.DataDigest)
	require.Equal(t, chain.EpochDisputed, w.stage(lie))
	last, err := w.c.EpochDispute(ctx, lie)
	require.NoError(t, err)
	require.Equal(t, id, last)
	_, _, err = challenger.ChallengeEpoch(ctx, lie, protocol.ReasonArithmetic, protocol.Hash{7})
	require.ErrorContains(t, err, "wrong stage")

	_, err = challenger.Draw(ctx, id)
	require.NoError(t, err)
	_, err = challenger.SubmitVerdict(ctx, w.verdict(id, true, protocol.ReasonArithmetic, 0, 1)...)
	require.NoError(t, err)
	require.Equal(t, chain.EpochDisputed, w.stage(lie))
	_, err = challenger.SubmitVerdict(ctx, w.verdict(id, true, protocol.ReasonArithmetic, 1, 2)...)
	require.NoError(t, err)
	require.Equal(t, chain.EpochRejected, w.stage(lie))
	require.Equal(t, coins(130), w.credit("challenger"), "bond and 30 % of 100")
	treasury, err := w.c.DisputeCredit(ctx, w.c.Addresses().Treasury)
	require.NoError(t, err)
	require.Equal(t, coins(50), treasury)
	proposer, err := w.c.EpochCredit(ctx, key(t, "proposer").Account())
	require.NoError(t, err)
	require.True(t, proposer.IsZero(), "its bond is gone")
	held, err := w.c.Balance(ctx, w.c.Addresses().Disputes)
	require.NoError(t, err)
	require.Equal(t, coins(200), held, "both bonds")
	stake, err := w.c.StakeOf(ctx, w.worker.Account())
	require.NoError(t, err)
	require.Equal(t, coins(1000), stake.Total())

	honest, tree := w.propose(coins(20), first, second)
	require.NoError(t, w.dev.AdvanceTime(25*time.Hour))
	_, err = challenger.FinaliseEpoch(ctx, honest, []chain.BatchRef{{Worker: w.worker.Account(), Nonce: first}, {Worker: w.worker.Account(), Nonce: second}})
	require.NoError(t, err)
	owed, proof, ok := tree.Proof(key(t, "a").Account())
	require.True(t, ok)
	_, err = challenger.ClaimEpochs(ctx, chain.EpochClaim{Account: key(t, "a").Account(), Cumulative: owed, Proof: proof})
	require.NoError(t, err)

	var seen []string
	_, err = w.c.Events(ctx, 0, 0, func(e chain.Event) error {
		switch {
		case e.Stage != nil:
			seen = append(seen, string(e.Stage.Stage))
			if e.Stage.Stage == chain.EpochRejected {
				require.Equal(t, coins(100), e.Stage.Bond)
				require.Equal(t, w.c.Addresses().Disputes, e.Stage.Account)
			}
		case e.Epoch != nil:
			seen = append(seen, "committed")
		case e.Challenged != nil:
			seen = append(seen, "challenged")
			require.Equal(t, w.c.Addresses().Epochs, e.Challenged.Worker)
			require.Equal(t, uint64(lie), e.Challenged.Nonce)
		case e.Verdict != nil:
			seen = append(seen, "verdict")
		case e.Resolved != nil:
			seen = append(seen, "resolved")
			require.Equal(t, coins(100), e.Resolved.Slashed)
		case e.Slashed != nil, e.Jailed != nil:
			seen = append(seen, "punished a worker")
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []string{
		"building", "committed", "challenged", "disputed", "verdict", "verdict", "rejected", "resolved",
		"building", "committed", "finalised",
	}, seen)
}

// A hostile challenge of an honest root costs the challenger its bond, to the proposer
// and the signers; the epoch goes on, and cannot be challenged again.
func TestAHostileChallengeOfAnEpoch(t *testing.T) {
	ctx := t.Context()
	w := newCourt(t)
	challenger := w.c.As(key(t, "challenger"))
	nonce := w.submit()
	require.NoError(t, w.dev.AdvanceTime(25*time.Hour))
	epoch, _ := w.propose(coins(10), nonce)
	id, _, err := challenger.ChallengeEpoch(ctx, epoch, protocol.ReasonData, protocol.Hash{})
	require.NoError(t, err)
	_, err = challenger.Draw(ctx, id)
	require.NoError(t, err)
	_, err = challenger.SubmitVerdict(ctx, w.verdict(id, false, 0, 0, 2)...)
	require.NoError(t, err)
	e, err := w.c.Epoch(ctx, epoch)
	require.NoError(t, err)
	require.Equal(t, chain.EpochProposed, e.Stage)
	require.True(t, e.Upheld)
	require.Equal(t, coins(80), w.credit("proposer"))
	lost := w.credit("challenger")
	require.True(t, lost.IsZero())
	_, _, err = challenger.ChallengeEpoch(ctx, epoch, protocol.ReasonData, protocol.Hash{})
	require.ErrorContains(t, err, "epoch window closed")
	require.NoError(t, w.dev.AdvanceTime(25*time.Hour))
	_, err = challenger.FinaliseEpoch(ctx, epoch, []chain.BatchRef{{Worker: w.worker.Account(), Nonce: nonce}})
	require.NoError(t, err)
	require.Equal(t, chain.EpochFinalised, w.stage(epoch))
}
