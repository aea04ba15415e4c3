package chain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// An account without a wei signs, somebody else sends and pays: the account has escrow, a
// session key and a reserve after one transaction. The same opening does nothing twice.
func TestARequesterWithoutGasMoneyIsBroughtIn(t *testing.T) {
	ctx := t.Context()
	dev, c := deployed(t)
	relayer, poor := c.As(key(t, "a")), key(t, "poor")
	worker, session := protocol.Account{7}, protocol.Account{8}
	now := time.Now().Unix()
	nonce, err := c.EscrowNonce(ctx, poor.Account())
	require.NoError(t, err)
	o := protocol.Opening{
		Requester: poor.Account(), Session: session, Limit: coins(50), Expiry: now + 3600, Amount: coins(10),
		Reserves: []protocol.Reserve{{Worker: worker, Amount: coins(4)}}, Nonce: nonce, Deadline: now + 600,
	}
	signed, err := wire.SignOpening(wire.Domain{ChainID: c.ChainID(), Contract: c.Addresses().Escrow}, o, poor.ECDSA())
	require.NoError(t, err)

	cheat := signed
	cheat.Opening.Session = relayer.Account()
	_, err = relayer.OpenEscrowFor(ctx, cheat)
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "%v", err)
	_, err = relayer.OpenEscrowFor(ctx, signed)
	require.NoError(t, err)

	funds, err := c.FundsOf(ctx, poor.Account())
	require.NoError(t, err)
	require.Equal(t, chain.Funds{Balance: coins(10), Reserved: coins(4), Available: coins(6)}, funds)
	s, err := c.SessionOf(ctx, poor.Account(), session)
	require.NoError(t, err)
	require.Equal(t, coins(50), s.Limit)
	reserves, err := c.Reserves(ctx, poor.Account())
	require.NoError(t, err)
	require.Equal(t, []chain.Reserve{{Worker: worker, Amount: coins(4)}}, reserves)
	left, err := c.Balance(ctx, poor.Account())
	require.NoError(t, err)
	require.True(t, left.IsZero())

	_, err = relayer.OpenEscrowFor(ctx, signed)
	require.Equal(t, protocol.KindStale, protocol.KindOf(err), "%v", err)
	o.Nonce.AddUint64(&o.Nonce, 1)
	late, err := wire.SignOpening(wire.Domain{ChainID: c.ChainID(), Contract: c.Addresses().Escrow}, o, poor.ECDSA())
	require.NoError(t, err)
	require.NoError(t, dev.AdvanceTime(time.Hour))
	_, err = relayer.OpenEscrowFor(ctx, late)
	require.Equal(t, protocol.KindDeadline, protocol.KindOf(err), "%v", err)
}

// A reserve counts at once when it is raised and after the delay when it is lowered; what
// others can draw is what is left.
func TestReservesOnChain(t *testing.T) {
	ctx := t.Context()
	dev, c := deployed(t)
	a := c.As(key(t, "a"))
	mine, other := protocol.Account{7}, protocol.Account{9}
	drawable := func(w protocol.Account) string {
		v, err := c.DrawableBy(ctx, a.Account(), w)
		require.NoError(t, err)
		return v.Dec()
	}
	_, err := a.OpenEscrow(ctx, protocol.Opening{Session: protocol.Account{8}, Limit: coins(1), Expiry: time.Now().Unix() + 3600, Amount: coins(10)})
	require.NoError(t, err)
	_, err = a.Reserve(ctx, mine, coins(7))
	require.NoError(t, err)
	require.Equal(t, coinsText(10), drawable(mine))
	require.Equal(t, coinsText(3), drawable(other))
	_, err = a.Reserve(ctx, other, coins(4))
	require.Equal(t, protocol.KindEscrow, protocol.KindOf(err), "%v", err)

	_, err = a.ReleaseReserve(ctx, a.Account(), mine)
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err), "%v", err)
	_, err = a.Reserve(ctx, mine, coins(2))
	require.NoError(t, err)
	require.Equal(t, coinsText(3), drawable(other), "not before the delay")
	r, err := c.ReserveOf(ctx, a.Account(), mine)
	require.NoError(t, err)
	require.Equal(t, coins(7), r.Amount)
	require.Equal(t, coins(2), r.Lasting(), "new work counts on what stays")
	_, err = a.ReleaseReserve(ctx, a.Account(), mine)
	require.Equal(t, protocol.KindBusy, protocol.KindOf(err), "%v", err)
	require.NoError(t, dev.AdvanceTime(24*time.Hour+time.Minute))
	_, err = c.As(key(t, "b")).ReleaseReserve(ctx, a.Account(), mine)
	require.NoError(t, err, "anybody may")
	require.Equal(t, coinsText(8), drawable(other))
	r, err = c.ReserveOf(ctx, a.Account(), mine)
	require.NoError(t, err)
	require.Equal(t, chain.Reserve{Worker: mine, Amount: coins(2)}, r)
}

func TestOpeningsThatCannotBeSent(t *testing.T) {
	_, c := deployed(t)
	a := c.As(key(t, "a"))
	for field, o := range map[string]protocol.Opening{
		"expiry":   {},
		"deadline": {Expiry: 1, Deadline: -1},
		"reserves": {Expiry: 1, Reserves: make([]protocol.Reserve, protocol.MaxReserves+1)},
	} {
		_, err := a.OpenEscrow(t.Context(), o)
		require.ErrorContains(t, err, field)
		_, err = a.OpenEscrowFor(t.Context(), protocol.SignedOpening{Opening: o})
		require.ErrorContains(t, err, field)
	}
}

func coinsText(n uint64) string { v := coins(n); return v.Dec() }
