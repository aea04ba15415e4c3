package payout

import (
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openledger/openledger/protocol"
)

// batchesOf draws what some batches owe, each to some of a few accounts.
func batchesOf(t *rapid.T) [][]Payout {
	batches := make([][]Payout, rapid.IntRange(1, 12).Draw(t, "batches"))
	for i := range batches {
		var shares []Share
		for range rapid.IntRange(1, 6).Draw(t, "shares") {
			shares = append(shares, Share{
				Account: account(rapid.ByteRange(1, 9).Draw(t, "account")),
				Amount:  *uint256.NewInt(rapid.Uint64Range(1, 1<<40).Draw(t, "amount")),
			})
		}
		var err error
		batches[i], err = Aggregate(shares)
		require.NoError(t, err)
	}
	return batches
}

func add(t require.TestingT, lists ...[]Payout) []Payout {
	var sum []Payout
	for _, l := range lists {
		var err error
		sum, err = Accumulate(sum, l)
		require.NoError(t, err)
	}
	return sum
}

// However batches are divided among epochs, and in whatever order, the last cumulative
// tree is the same: it is that of all shares together.
func TestAccumulateDoesNotDependOnTheEpochs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		batches := batchesOf(t)
		want, err := NewCumulativeTree(add(t, batches...))
		require.NoError(t, err)

		epochs := make([][]Payout, rapid.IntRange(1, 5).Draw(t, "epochs"))
		var sum uint256.Int
		for _, b := range rapid.Permutation(batches).Draw(t, "order") {
			i := rapid.IntRange(0, len(epochs)-1).Draw(t, "epoch")
			epochs[i] = add(t, epochs[i], b)
			total, err := Total(b)
			require.NoError(t, err)
			sum.Add(&sum, &total)
		}
		got, err := NewCumulativeTree(add(t, epochs...))
		require.NoError(t, err)
		require.Equal(t, want.Root(), got.Root())
		require.Equal(t, sum, got.Total())
	})
}

func TestCumulativeProofsHoldForTheirLeafAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		payouts := add(t, batchesOf(t)...)
		tree, err := NewCumulativeTree(payouts)
		require.NoError(t, err)
		for _, p := range payouts {
			amount, proof, ok := tree.Proof(p.Account)
			require.True(t, ok)
			require.Equal(t, p.Amount, amount)
			require.NoError(t, VerifyCumulative(tree.Root(), p, proof))
			more := p
			more.Amount.AddUint64(&more.Amount, 1)
			require.Error(t, VerifyCumulative(tree.Root(), more, proof))
			other := p
			other.Account[0]++
			require.Error(t, VerifyCumulative(tree.Root(), other, proof))
			require.Error(t, VerifyCumulative(tree.Root(), p, append(proof, protocol.Hash{1})))
		}
		_, _, ok := tree.Proof(account(200))
		require.False(t, ok)
	})
}

func TestCumulativeRefuses(t *testing.T) {
	one, two := Payout{account(1), *uint256.NewInt(1)}, Payout{account(2), *uint256.NewInt(2)}
	var most uint256.Int
	most.SetAllOne()
	for _, bad := range [][]Payout{nil, {two, one}, {one, one}, {{Account: account(3)}}, {one, {account(2), most}}} {
		_, err := NewCumulativeTree(bad)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
	}
	_, err := Accumulate([]Payout{{account(1), most}}, []Payout{one})
	require.ErrorContains(t, err, "256 bits")
	_, err = Accumulate([]Payout{two, one}, nil)
	require.ErrorContains(t, err, "out of order")
	_, err = Accumulate(nil, []Payout{one, one})
	require.ErrorContains(t, err, "repeated")
}
