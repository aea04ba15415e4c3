package settle

import (
	"math/big"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
)

// staked is what accounts have on the worker, as the test knows it.
type staked map[protocol.Account]uint256.Int

// period serves and settles some answers and gives what their batches pay each account.
// The stakers' parts are checked against the stakes by arithmetic of the test's own.
func (w *world) period(t *testing.T, s *Service, book *store.Worker, stakes staked) map[protocol.Account]*uint256.Int {
	t.Helper()
	for i := range 6 {
		w.serve(book, w.payers[i%len(w.payers)])
	}
	batches, err := s.Flush(t.Context())
	require.NoError(t, err)
	require.Len(t, batches, 1)
	claims := Claims{Chain: w.client, Blocks: w.blocks, Checks: w.checks()}
	out, divided := map[protocol.Account]*uint256.Int{}, 0
	_, err = w.client.EachBatch(t.Context(), w.owner.Account(), 0, 0, func(b chain.BatchEvent, _ chain.Event) error {
		if b.Nonce != batches[0].Nonce {
			return nil
		}
		r, err := claims.Batch(t.Context(), b)
		require.NoError(t, err)
		for _, p := range r.Payouts {
			out[p.Account] = p.Amount.Clone()
		}
		for _, shares := range r.Shares {
			got, sum := map[protocol.Account]*uint256.Int{}, new(uint256.Int)
			for _, share := range shares {
				switch share.Role {
				case payout.RoleStaker:
					got[share.Account] = share.Amount.Clone()
					sum.Add(sum, &share.Amount)
				case payout.RoleWorker:
					require.Equal(t, w.payout, share.Account, "the work is paid at the payout address")
				}
			}
			if !sum.IsZero() {
				divided++
				requireProRata(t, sum, stakes, got)
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.Positive(t, divided, "some answers used an adapter")
	return out
}

// requireProRata checks that a sum is divided by stakes: each has its exact part, less than
// a wei more or less, and who has no stake has nothing.
func requireProRata(t *testing.T, sum *uint256.Int, stakes staked, got map[protocol.Account]*uint256.Int) {
	t.Helper()
	all := new(big.Int)
	for _, stake := range stakes {
		all.Add(all, stake.ToBig())
	}
	for account, part := range got {
		stake, ok := stakes[account]
		require.True(t, ok, "%s has no stake", account)
		off := new(big.Int).Mul(part.ToBig(), all)
		off.Sub(off, new(big.Int).Mul(sum.ToBig(), stake.ToBig()))
		require.Negative(t, off.CmpAbs(all), "%s with %s of %s has %s of %s wei", account, stake.Dec(), all, part.Dec(), sum.Dec())
	}
	for account := range stakes {
		require.Contains(t, got, account)
	}
}

// collect claims for an account after the challenge windows and gives what arrived.
func (w *world) collect(t *testing.T, account protocol.Account) uint256.Int {
	t.Helper()
	claims := Claims{Chain: w.client, Blocks: w.blocks, Checks: w.checks()}
	before, err := w.client.Balance(t.Context(), account)
	require.NoError(t, err)
	_, now := w.chain.Head()
	paid, _, err := claims.Claim(t.Context(), w.client.As(w.payers[0]), account, 0, now)
	require.NoError(t, err)
	after, err := w.client.Balance(t.Context(), account)
	require.NoError(t, err)
	after.Sub(&after, &before)
	require.Equal(t, paid.Dec(), after.Dec())
	return after
}

// Who delegates to a worker has its part of what the worker's stakers earn, by its stake at
// each batch: while it is there, more when it adds, none after it has left. Stake that is on
// its way out earns nothing.
func TestDelegatorsEarnByTheirStake(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t, 2)
	db := openStore(t, vfs.NewMem())
	defer func() { require.NoError(t, db.Close()) }()
	book := store.NewWorker(db)
	s := w.service(db, nil)
	owner, friend, late := w.owner.Account(), w.friend.Account(), w.model
	earned := map[protocol.Account]*uint256.Int{friend: new(uint256.Int), w.payout: new(uint256.Int)}
	add := func(out map[protocol.Account]*uint256.Int) {
		for account, sum := range earned {
			if out[account] != nil {
				sum.Add(sum, out[account])
			}
		}
	}

	add(w.period(t, s, book, staked{owner: open(5000), friend: open(1234)}))
	_, err := w.client.As(late).Delegate(ctx, owner, open(17))
	require.NoError(t, err)
	_, err = w.client.As(w.friend).Delegate(ctx, owner, open(766))
	require.NoError(t, err)
	add(w.period(t, s, book, staked{owner: open(5000), friend: open(2000), late.Account(): open(17)}))
	_, err = w.client.As(w.friend).Unbond(ctx, owner, open(2000))
	require.NoError(t, err)
	out := w.period(t, s, book, staked{owner: open(5000), late.Account(): open(17)})
	require.NotContains(t, out, friend, "stake that leaves earns nothing")
	add(out)

	require.NoError(t, w.chain.AdvanceTime(time.Minute))
	for account, want := range earned {
		require.False(t, want.IsZero())
		got := w.collect(t, account)
		require.Equal(t, want.Dec(), got.Dec(), "%s", account)
	}
}

// The three keys of a worker, each with its duty alone: the node key signs receipts and
// sends batches, the payout address is paid for the work, the owner holds the bond and earns
// as a staker. A binding that the owner signs anew changes the other two.
func TestThreeKeysOfAWorker(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t, 2)
	db := openStore(t, vfs.NewMem())
	defer func() { require.NoError(t, db.Close()) }()
	book := store.NewWorker(db)
	stakes := staked{w.owner.Account(): open(5000), w.friend.Account(): open(1234)}
	out := w.period(t, w.service(db, nil), book, stakes)
	require.NotContains(t, out, w.node.Account(), "the node key is paid nothing")
	require.Contains(t, out, w.payout)
	require.Contains(t, out, w.owner.Account(), "for its stake")

	// Neither key moves the stake, nor binds others.
	_, err := w.client.As(w.node).Unbond(ctx, w.owner.Account(), open(1))
	require.ErrorContains(t, err, "insufficient stake")
	second, payee := key(t, "second node"), protocol.Account{0xfe, 2}
	bind := func(signer *keystore.Key) error {
		b, err := wire.SignBinding(w.domain(w.client.Addresses().Staking), protocol.Binding{
			Peer: "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN", NodeKey: second.Account(), Owner: w.owner.Account(), Payout: payee,
			IssuedAt: time.Now().UnixMilli(), Expires: time.Now().Add(365 * 24 * time.Hour).UnixMilli(),
		}, signer.ECDSA())
		if err != nil {
			return err
		}
		_, err = w.client.As(w.friend).RegisterBinding(ctx, b.Binding, b.Signature)
		return err
	}
	require.Error(t, bind(w.node), "only the owner's signature binds")
	require.NoError(t, bind(w.owner), "whoever brings it")
	_, err = w.client.As(w.admin).Send(ctx, second.Account(), open(10))
	require.NoError(t, err)

	// The old node key sends nothing any more, the new one does, to the new address.
	_, err = w.client.As(w.node).SubmitBatch(ctx, chain.Submission{Worker: w.owner.Account(), Nonce: 1, Count: 1})
	require.ErrorContains(t, err, "not operator")
	oldNode, oldPayee := w.node, w.payout
	w.node, w.payout = second, payee
	out = w.period(t, w.service(db, nil), book, stakes)
	require.NotContains(t, out, oldPayee)
	require.Contains(t, out, payee)
	require.NotContains(t, out, oldNode.Account())
	require.NotContains(t, out, second.Account())

	require.NoError(t, w.chain.AdvanceTime(time.Minute))
	got := w.collect(t, payee)
	require.Equal(t, out[payee].Dec(), got.Dec())
	got = w.collect(t, oldPayee)
	require.False(t, got.IsZero(), "batches formed before keep the old address")
}
