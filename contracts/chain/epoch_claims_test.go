package chain_test

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
)

// finalised is an epoch of one batch whose root says that accounts are owed this much
// each, and their claims.
func (w *court) finalised(accounts []protocol.Account, each uint256.Int) []chain.EpochClaim {
	w.t.Helper()
	ctx, s := w.t.Context(), w.c.As(key(w.t, "proposer"))
	nonce := w.submit()
	require.NoError(w.t, w.dev.AdvanceTime(25*time.Hour))
	list := []chain.BatchRef{{Worker: w.worker.Account(), Nonce: nonce}}
	_, err := s.OpenEpoch(ctx, coins(100), list)
	require.NoError(w.t, err)
	id, _, err := w.c.CurrentEpochs(ctx)
	require.NoError(w.t, err)
	shares := make([]payout.Share, len(accounts))
	for i, a := range accounts {
		shares[i] = payout.Share{Account: a, Amount: each}
	}
	payouts, err := payout.Aggregate(shares)
	require.NoError(w.t, err)
	tree, err := payout.NewCumulativeTree(payouts)
	require.NoError(w.t, err)
	_, err = s.CommitEpoch(ctx, id, tree.Root(), protocol.Hash{0xd0})
	require.NoError(w.t, err)
	require.NoError(w.t, w.dev.AdvanceTime(25*time.Hour))
	_, err = s.FinaliseEpoch(ctx, id, list)
	require.NoError(w.t, err)
	claims := make([]chain.EpochClaim, len(accounts))
	for i, a := range accounts {
		amount, proof, ok := tree.Proof(a)
		require.True(w.t, ok)
		claims[i] = chain.EpochClaim{Account: a, Cumulative: amount, Proof: proof}
	}
	return claims
}

func strangers(n int) []protocol.Account {
	out := make([]protocol.Account, n)
	for i := range out {
		out[i] = protocol.Account(crypto.Keccak256([]byte{byte(i), byte(i >> 8)})[:20])
	}
	return out
}

func (w *court) paid(sent []chain.Tx) (sum uint256.Int, n int) {
	w.t.Helper()
	for _, tx := range sent {
		list, err := w.c.EpochsPaid(tx)
		require.NoError(w.t, err)
		for _, p := range list {
			sum.Add(&sum, &p.Amount)
		}
		n += len(list)
	}
	return sum, n
}

// Claims for more accounts than fit in one transaction are paid in as many as it takes,
// each account once, whoever claimed for one of them before.
func TestEpochClaimsForMany(t *testing.T) {
	ctx := t.Context()
	w := newCourt(t)
	const accounts = 2*chain.MaxEpochClaims + 30
	each := *uint256.NewInt(1e15 + 7)
	claims := w.finalised(strangers(accounts), each)
	helper := w.c.As(key(t, "challenger"))

	_, err := helper.ClaimEpochs(ctx, claims[5])
	require.NoError(t, err)
	sent, err := helper.ClaimEpochsMany(ctx, claims)
	require.NoError(t, err)
	require.Len(t, sent, 3)
	sum, n := w.paid(sent)
	require.Equal(t, accounts-1, n, "the one that was claimed before is passed over")
	require.Equal(t, new(uint256.Int).Mul(&each, uint256.NewInt(accounts-1)).Dec(), sum.Dec())
	for _, c := range claims {
		has, err := w.c.Balance(ctx, c.Account)
		require.NoError(t, err)
		require.Equal(t, each.Dec(), has.Dec())
	}

	sent, err = helper.ClaimEpochsMany(ctx, claims[:2])
	require.NoError(t, err)
	sum, n = w.paid(sent)
	require.Zero(t, n)
	require.True(t, sum.IsZero(), "a second time pays nothing")
	sent, err = helper.ClaimEpochsMany(ctx, nil)
	require.NoError(t, err)
	require.Empty(t, sent, "nothing to claim needs no transaction")
}

// A wrong proof, and an account that takes no money, are refused before anything is sent,
// and keep nobody else from being paid without them.
func TestEpochClaimsForManyRefused(t *testing.T) {
	ctx := t.Context()
	w := newCourt(t)
	list := append(strangers(3), w.c.Addresses().Settlement) // it takes money from escrow only
	claims := w.finalised(list, *uint256.NewInt(1e15))
	helper := w.c.As(key(t, "challenger"))

	wrong := append([]chain.EpochClaim(nil), claims[:3]...)
	wrong[1].Proof = claims[0].Proof
	sent, err := helper.ClaimEpochsMany(ctx, wrong)
	require.ErrorContains(t, err, "invalid epoch proof")
	require.Empty(t, sent)
	sent, err = helper.ClaimEpochsMany(ctx, claims)
	require.Error(t, err)
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "the account's own refusal: %v", err)
	require.Empty(t, sent)
	for _, c := range claims {
		had, err := w.c.EpochsClaimed(ctx, c.Account)
		require.NoError(t, err)
		require.True(t, had.IsZero())
	}

	sent, err = helper.ClaimEpochsMany(ctx, claims[:3])
	require.NoError(t, err)
	_, n := w.paid(sent)
	require.Equal(t, 3, n)
}
