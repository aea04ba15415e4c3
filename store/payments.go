package store

import (
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// PaymentRecord is a signed payment with the one request that it pays. It is what shows
// that the payer agreed to what was drawn.
type PaymentRecord struct {
	Signed  protocol.SignedPayment `json:"signed"`
	Request protocol.Hash          `json:"request"` // protocol.RequestDigest
	At      int64                  `json:"at"`      // when it came first, Unix ms
}

// TakePayment keeps a payment for one request before the request runs, for ever: its nonce
// pays nothing else. Another payment or another request under the nonce is an error of kind
// already_exists. spent is what answers have cost it until now. Nothing is kept of a new
// payment that check refuses.
func (c *Coordinator) TakePayment(p PaymentRecord, check func(spent uint256.Int) error) (spent uint256.Int, err error) {
	err = c.db.Update(func(tx *Tx) error {
		id := p.Signed.Payment.ID()
		s, _, err := spendingTable.Get(tx, id)
		if err != nil {
			return err
		}
		spent = s.Total
		old, known, err := paymentTable.Get(tx, id)
		switch {
		case err != nil:
			return err
		case known && (old.Request != p.Request || old.Signed.Payment != p.Signed.Payment):
			return protocol.Errorf(protocol.KindExists, "nonce", "it was used for another request: sign a payment with a new nonce")
		}
		if err := check(spent); err != nil {
			return err
		}
		if known {
			return nil
		}
		return paymentTable.Put(tx, id, p)
	})
	return spent, err
}

// Payment gives a payment by its ID, or an error of kind not_found.
func (c *Coordinator) Payment(id protocol.Hash) (PaymentRecord, error) {
	return paymentTable.Must(c.db, id)
}
