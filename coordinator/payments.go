package coordinator

import (
	"context"
	"strconv"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
)

// PaymentTerms are those of every payment: it is signed in the escrow's domain, and made
// out to the session key.
func (c *Coordinator) PaymentTerms() api.PaymentTerms {
	return api.PaymentTerms{
		Network: "eip155:" + strconv.FormatUint(c.escrowDomain.ChainID, 10), Asset: c.escrowDomain.Contract.Hex(), PayTo: c.SessionAccount().Hex(),
		Extra: api.PaymentExtra{Name: wire.DomainName, Version: wire.DomainVersion, Method: "eip3009"},
	}
}

// MostOf is what admission reserves for jobs whose requesters have enough: the prompts at
// their longest, the largest answers, at the dearest acceptable ask. Of what an answer
// reads it is the most that can be found, of an agent's tools the most rounds; nothing is
// searched or called.
func (c *Coordinator) MostOf(ctx context.Context, jobs []api.Request) (uint256.Int, error) {
	var sum amount
	for i := range jobs {
		b, err := c.Bound(ctx, &jobs[i], 0)
		if err != nil {
			return amount{}, err
		}
		most, err := c.Most(b)
		if err != nil {
			return amount{}, err
		}
		if _, over := sum.AddOverflow(&sum, &most); over {
			return amount{}, protocol.Errorf(protocol.KindInvalid, "model", "what this would cost does not fit in 256 bits")
		}
	}
	return sum, nil
}

// TakePayment implements api.Payments. Its errors name the payment's field.
func (c *Coordinator) TakePayment(_ context.Context, p protocol.SignedPayment, request protocol.Hash, most amount) (api.Caller, error) {
	if p.Payment.To != c.SessionAccount() {
		return api.Caller{}, protocol.Errorf(protocol.KindUnauthorized, "to", "it is made out to %s: make it out to %s", p.Payment.To.Hex(), c.SessionAccount().Hex())
	}
	if err := wire.VerifyPayment(c.escrowDomain, p); err != nil {
		return api.Caller{}, err
	}
	value := p.Payment.Value
	_, err := c.book.TakePayment(store.PaymentRecord{Signed: p, Request: request, At: now()}, func(spent amount) error {
		if !spent.IsZero() {
			return nil // it was answered: at most it is answered again
		}
		at := uint256.NewInt(uint64(time.Now().Unix()))
		switch {
		case at.Lt(&p.Payment.ValidAfter):
			return protocol.Errorf(protocol.KindEscrow, "validAfter", "it is not valid before %s, and it is %s (Unix seconds): sign another", p.Payment.ValidAfter.Dec(), at.Dec())
		case !at.Lt(&p.Payment.ValidBefore):
			return protocol.Errorf(protocol.KindEscrow, "validBefore", "it was valid until %s, and it is %s (Unix seconds): sign another", p.Payment.ValidBefore.Dec(), at.Dec())
		case value.Lt(&most):
			return protocol.Errorf(protocol.KindEscrow, "value", "it is of %s wei, and this may cost %s: sign a payment of that, or ask for fewer tokens with max_tokens", value.Dec(), most.Dec())
		}
		return nil
	})
	if err != nil {
		return api.Caller{}, err
	}
	return api.Caller{Account: p.Payment.From, Key: p.Payment.ID(), Paid: true, KeyLimits: api.KeyLimits{Scopes: []api.Scope{api.ScopeInference}, Budget: &value}}, nil
}

// Charged is what the receipts of a payment add up to.
func (c *Coordinator) Charged(payment protocol.Hash) (uint256.Int, error) {
	s, err := c.book.SpendingOf(payment)
	return s.Total, err
}

// CountPayment counts one request without an API key.
func (c *Coordinator) CountPayment(outcome string) {
	c.metrics.payments.WithLabelValues(outcome).Inc()
}
