package chain

import (
	"math/big"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func power(bits uint) uint256.Int { return *new(uint256.Int).Lsh(uint256.NewInt(1), bits) }

func less(v uint256.Int) uint256.Int { return *v.SubUint64(&v, 1) }

func TestAmountsThatDoNotFitAreNotSent(t *testing.T) {
	good := protocol.Opening{
		Expiry: 1, Limit: less(power(limitBits)), Amount: less(power(balanceBits)),
		Reserves: []protocol.Reserve{{Amount: less(power(reserveBits))}},
	}
	require.NoError(t, CheckOpening(good))
	for want, spoil := range map[string]func(*protocol.Opening){
		"limit: 309485009821345068724781056 wei do not fit into the escrow, which takes less than 2^88 (309 million OPEN)": func(o *protocol.Opening) { o.Limit = power(limitBits) },
		"amount: 79228162514264337593543950336 wei do not fit into the escrow, which takes less than 2^96":                 func(o *protocol.Opening) { o.Amount = power(balanceBits) },
		"reserves: 1208925819614629174706176 wei do not fit into the escrow, which takes less than 2^80":                   func(o *protocol.Opening) { o.Reserves = []protocol.Reserve{{Amount: power(reserveBits)}} },
	} {
		bad := good
		spoil(&bad)
		err := CheckOpening(bad)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
		require.ErrorContains(t, err, want)
	}
}

// A key may spend so much more than now, as far as there is room; nothing is shortened.
func TestSessionsAreExtended(t *testing.T) {
	n := func(v uint64) uint256.Int { return *uint256.NewInt(v) }
	most := less(power(limitBits))
	for _, c := range []struct {
		have   Session
		amount uint256.Int
		limit  uint256.Int
		expiry int64
	}{
		{Session{}, n(5), n(5), 100},
		{Session{Limit: n(10), Spent: n(3), Expires: 50}, n(5), n(15), 100},
		{Session{Limit: n(10), Spent: n(30), Expires: 200}, n(5), n(35), 200},
		{Session{Limit: less(most)}, n(5), most, 100},
		{Session{Limit: n(1)}, less(power(255)), most, 100},
	} {
		limit, expiry := c.have.Extended(c.amount, 100)
		require.Equal(t, c.limit, limit)
		require.Equal(t, c.expiry, expiry)
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	require.Equal(t, "unknown session (a, b): the requester has not authorised this key, or signed something else",
		(&RevertError{Name: "UnknownSession", Args: []any{"a", "b"}}).Error())
	require.Equal(t, "session cannot shrink (a, 7, 9): its limit in wei and its end only grow, and 'openledger escrow revoke' ends it",
		(&RevertError{Name: "SessionCannotShrink", Args: []any{"a", 7, 9}}).Error())
	require.Equal(t, "12 does not fit: it must be less than 2^3",
		(&RevertError{Name: "SafeCastOverflowedUintDowncast", Args: []any{uint8(3), big.NewInt(12)}}).Error())
	require.Equal(t, "zero amount", (&RevertError{Name: "ZeroAmount"}).Error())
}
