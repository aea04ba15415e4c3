package store

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// What a payment pays for is decided once, and a crash right after does not undo it.
func TestPaymentIsForOneRequestThroughACrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	c := NewCoordinator(open(t, fs))
	crash := func() {
		fs = fs.CrashClone(vfs.CrashCloneCfg{})
		c = NewCoordinator(open(t, fs))
	}
	p := PaymentRecord{Signed: protocol.SignedPayment{Payment: protocol.Payment{From: alice, Value: *uint256.NewInt(9), Nonce: protocol.Hash{1}}, Signature: []byte{1}}, Request: protocol.Hash{7}, At: 5}
	id := p.Signed.Payment.ID()
	no := func(uint256.Int) error { return protocol.Errorf(protocol.KindEscrow, "value", "no") }
	yes := func(spent uint256.Int) error {
		require.True(t, spent.IsZero())
		return nil
	}
	_, err := c.TakePayment(p, no)
	require.Equal(t, protocol.KindEscrow, protocol.KindOf(err))
	_, err = c.Payment(id)
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err), "a payment that was refused leaves no trace")
	_, err = c.TakePayment(p, yes)
	require.NoError(t, err)

	crash()
	kept, err := c.Payment(id)
	require.NoError(t, err)
	require.Equal(t, p, kept)
	for _, change := range []func(*PaymentRecord){
		func(p *PaymentRecord) { p.Request = protocol.Hash{8} },
		func(p *PaymentRecord) { p.Signed.Payment.Value = *uint256.NewInt(10) },
		func(p *PaymentRecord) { p.Signed.Payment.To = bob },
	} {
		other := p
		change(&other)
		_, err = c.TakePayment(other, yes)
		require.Equal(t, protocol.KindExists, protocol.KindOf(err), "%v", err)
	}

	// The receipt and what the payment has spent are one write.
	r := receipt(3, alice, 4)
	_, err = c.AcceptAnswer(r, Bill{Key: id}, nil, 6, func(v protocol.Voucher) (protocol.SignedVoucher, error) {
		return protocol.SignedVoucher{Voucher: v}, nil
	})
	require.NoError(t, err)
	crash()
	spent, err := c.TakePayment(p, func(uint256.Int) error { return nil })
	require.NoError(t, err)
	require.EqualValues(t, 4, spent.Uint64())
	another := p
	another.Signed.Payment.From = bob
	_, err = c.TakePayment(another, yes)
	require.NoError(t, err, "nonces are each payer's own")
}
