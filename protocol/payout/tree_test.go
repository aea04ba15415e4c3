package payout

import (
	"encoding/json"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openledger/openledger/protocol"
)

func TestProofOfEveryLeafAndOfNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "leaves")
		payouts := make([]Payout, n)
		for i := range payouts {
			payouts[i] = Payout{account(byte(i + 1)), *uint256.NewInt(rapid.Uint64Range(1, 1e18).Draw(t, "amount"))}
		}
		tree, err := NewTree(payouts)
		require.NoError(t, err)
		total, err := Total(payouts)
		require.NoError(t, err)
		require.Equal(t, total, tree.Root().Sum)

		i := uint64(rapid.IntRange(0, n-1).Draw(t, "leaf"))
		p, err := tree.Proof(i)
		require.NoError(t, err)
		require.NoError(t, p.Verify(tree.Root(), payouts[i]))
		at, ok := tree.Find(payouts[i].Account)
		require.True(t, ok)
		require.Equal(t, i, at)

		wrong := payouts[i]
		wrong.Amount.AddUint64(&wrong.Amount, 1)
		require.Error(t, p.Verify(tree.Root(), wrong))
		wrong = payouts[i]
		wrong.Account[0] ^= 1
		require.Error(t, p.Verify(tree.Root(), wrong))
		q := p
		q.Index = (p.Index + 1) % (p.Count + 1)
		require.Error(t, q.Verify(tree.Root(), payouts[i]))
		q = p
		q.Siblings = append(append([]Node(nil), p.Siblings...), Node{})
		require.Error(t, q.Verify(tree.Root(), payouts[i]))
		if k := len(p.Siblings); k > 0 {
			q.Siblings = p.Siblings[:k-1]
			require.Error(t, q.Verify(tree.Root(), payouts[i]))
			q.Siblings = append([]Node(nil), p.Siblings...)
			q.Siblings[k-1].Sum.AddUint64(&q.Siblings[k-1].Sum, 1)
			require.Error(t, q.Verify(tree.Root(), payouts[i]))
			q.Siblings[k-1].Sum.SetAllOne()
			require.Error(t, q.Verify(tree.Root(), payouts[i]))
		}
	})
}

func TestNewTreeRefuses(t *testing.T) {
	one := *uint256.NewInt(1)
	var most uint256.Int
	most.SetAllOne()
	for name, payouts := range map[string][]Payout{
		"nothing":      nil,
		"zero":         {{account(1), uint256.Int{}}},
		"out of order": {{account(2), one}, {account(1), one}},
		"repeated":     {{account(1), one}, {account(1), one}},
		"overflow":     {{account(1), one}, {account(2), most}},
	} {
		_, err := NewTree(payouts)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), name)
	}
	tree, err := NewTree([]Payout{{account(1), one}})
	require.NoError(t, err)
	_, err = tree.Proof(1)
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))
	_, ok := tree.Find(account(2))
	require.False(t, ok)
	require.Error(t, Proof{}.Verify(tree.Root(), Payout{}))
}

func TestAmountsAreDecimalStringsInJSON(t *testing.T) {
	n := *uint256.NewInt(77)
	for _, v := range []any{Stake{Amount: n}, Share{Amount: n}, Payout{Amount: n}, Node{Sum: n}, Proof{Siblings: []Node{{Sum: n}}}} {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		require.Contains(t, string(b), `:"77"`, "%T", v)
	}
}
