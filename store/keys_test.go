package store

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// What a key spends and uses is counted in the step that accepts a receipt: once per
// receipt, by UTC day, and the same after a crash.
func TestSpendingIsExact(t *testing.T) {
	fs := vfs.NewCrashableMem()
	db := open(t, fs)
	c := NewCoordinator(db)
	key, other := protocol.Hash{1}, protocol.Hash{2}
	const day = 86_400_000
	for i, at := range []int64{5, day - 1, day, day + 7, day + 8} {
		bill := Bill{Key: key, Model: []string{"a", "b"}[i%2]}
		for range 2 { // also when it is accepted again
			_, err := c.AcceptAnswer(receipt(byte(i+1), alice, uint64(10+i)), bill, nil, at, signAs(t))
			require.NoError(t, err)
		}
	}
	_, err := c.AcceptAnswer(receipt(9, alice, 1000), Bill{Key: other}, nil, day, signAs(t))
	require.NoError(t, err)
	_, err = c.AcceptAnswer(receipt(10, alice, 7), Bill{Key: key}, nil, 2*day, func(protocol.Voucher) (protocol.SignedVoucher, error) {
		return protocol.SignedVoucher{}, protocol.Errorf(protocol.KindEscrow, "", "no")
	})
	require.Error(t, err, "what is not accepted is not counted")

	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	require.NoError(t, db.Close())
	c = NewCoordinator(open(t, crashed))
	s, err := c.SpendingOf(key)
	require.NoError(t, err)
	require.Equal(t, *uint256.NewInt(10 + 11 + 12 + 13 + 14), s.Total)
	require.Equal(t, *uint256.NewInt(12 + 13 + 14), s.On(1))
	require.Equal(t, uint256.Int{}, s.On(2))
	rows, err := c.UsageOf(key, 0)
	require.NoError(t, err)
	var sum uint256.Int
	n := uint64(0)
	for _, r := range rows {
		sum.Add(&sum, &r.Fee)
		n += r.Requests
	}
	require.Equal(t, s.Total, sum)
	require.EqualValues(t, 5, n)
	require.Len(t, rows, 4, "two days, two models")
	rows, err = c.UsageOf(key, 1)
	require.NoError(t, err)
	require.Len(t, rows, 2)
}

func TestKeysExpireAndRotate(t *testing.T) {
	c := NewCoordinator(openMem(t))
	k := APIKey{Hash: HashAPIKey("one"), ID: HashAPIKey("one"), Requester: alice, Request: protocol.Hash{7}, KeyLimits: KeyLimits{Expires: 100, Budget: uint256.NewInt(5)}}
	require.NoError(t, c.AddKey(k))
	got, err := c.Key("one", 99)
	require.NoError(t, err)
	require.Equal(t, k, got)
	_, err = c.Key("one", 100)
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err))
	require.ErrorContains(t, err, "expired")

	again := k
	again.Hash, again.CreatedAt = HashAPIKey("two"), 50
	require.Equal(t, protocol.KindExists, protocol.KindOf(c.AddKey(again)), "one signed request, one key")
	require.Equal(t, protocol.KindExists, protocol.KindOf(c.RotateKey(k.Hash, again)))
	again.Request = protocol.Hash{8}
	require.NoError(t, c.RotateKey(k.Hash, again))
	_, err = c.Key("one", 1)
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err))
	got, err = c.Key("two", 1)
	require.NoError(t, err)
	require.Equal(t, k.ID, got.ID, "what it spent still counts")
	found, err := c.KeyByID(k.ID)
	require.NoError(t, err)
	require.Equal(t, again.Hash, found.Hash)
	third := again
	third.Hash, third.Request = HashAPIKey("three"), protocol.Hash{9}
	require.Equal(t, protocol.KindExists, protocol.KindOf(c.RotateKey(k.Hash, third)), "an old secret can't be rotated")
	_, err = c.KeyByID(protocol.Hash{99})
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))
}
