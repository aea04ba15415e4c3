package payout

import (
	"bytes"
	"slices"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Payout is what one batch owes one account.
type Payout struct {
	Account protocol.Account `json:"account"`
	Amount  uint256.Int      `json:"amount"`
}

// Aggregate adds up shares per account, sorted by account. Zero amounts are
// left out. It fails only when a sum does not fit in 256 bits.
func Aggregate(shares []Share) ([]Payout, error) {
	var a Aggregator
	if err := a.Add(shares); err != nil {
		return nil, err
	}
	return a.Payouts(), nil
}

// Aggregator adds up shares as they come. The zero value is ready.
type Aggregator struct {
	at   map[protocol.Account]int
	sums []Payout
}

// Add takes the shares of one more fee.
func (a *Aggregator) Add(shares []Share) error {
	if a.at == nil {
		a.at = map[protocol.Account]int{}
	}
	for i := range shares {
		s := &shares[i]
		if s.Amount.IsZero() {
			continue
		}
		at, ok := a.at[s.Account]
		if !ok {
			a.at[s.Account] = len(a.sums)
			a.sums = append(a.sums, Payout{Account: s.Account, Amount: s.Amount})
			continue
		}
		sum := &a.sums[at].Amount
		if _, over := sum.AddOverflow(sum, &s.Amount); over {
			return protocol.Errorf(protocol.KindInvalid, "amount", "payouts of %s do not fit in 256 bits", s.Account)
		}
	}
	return nil
}

// Payouts are the sums so far, sorted by account.
func (a *Aggregator) Payouts() []Payout {
	out := slices.Clone(a.sums)
	slices.SortFunc(out, func(x, y Payout) int { return bytes.Compare(x.Account[:], y.Account[:]) })
	return out
}

// Total adds up payouts.
func Total(payouts []Payout) (uint256.Int, error) {
	var t uint256.Int
	for i := range payouts {
		if _, over := t.AddOverflow(&t, &payouts[i].Amount); over {
			return t, protocol.Errorf(protocol.KindInvalid, "amount", "payouts do not add up within 256 bits")
		}
	}
	return t, nil
}
