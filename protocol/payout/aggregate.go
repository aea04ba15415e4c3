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
	sorted := slices.Clone(shares)
	slices.SortFunc(sorted, func(a, b Share) int { return bytes.Compare(a.Account[:], b.Account[:]) })
	var out []Payout
	for _, s := range sorted {
		if s.Amount.IsZero() {
			continue
		}
		n := len(out)
		if n == 0 || out[n-1].Account != s.Account {
			out = append(out, Payout{Account: s.Account, Amount: s.Amount})
			continue
		}
		if _, over := out[n-1].Amount.AddOverflow(&out[n-1].Amount, &s.Amount); over {
			return nil, protocol.Errorf(protocol.KindInvalid, "amount", "payouts of %s do not fit in 256 bits", s.Account)
		}
	}
	return out, nil
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
