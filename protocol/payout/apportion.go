package payout

import (
	"slices"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// apportioner holds the scratch of one division.
type apportioner struct {
	remainders []uint256.Int
	order      []int
}

// apportion divides amount by weights into parts, which are as many, with largest
// remainders; of equal remainders the earlier weight is served first. The parts add up
// to amount.
func (a *apportioner) apportion(parts []uint256.Int, amount *uint256.Int, weights []uint256.Int) error {
	var sum uint256.Int
	for i := range weights {
		if _, over := sum.AddOverflow(&sum, &weights[i]); over {
			return protocol.Errorf(protocol.KindInvalid, "weights", "do not add up within 256 bits")
		}
	}
	if amount.IsZero() {
		clear(parts)
		return nil
	}
	if sum.IsZero() {
		return protocol.Errorf(protocol.KindInvalid, "weights", "are all zero while %s wei are to be divided", amount.Dec())
	}
	rest := *amount
	a.remainders = slices.Grow(a.remainders[:0], len(weights))[:len(weights)]
	a.order = slices.Grow(a.order[:0], len(weights))[:len(weights)]
	for i := range weights {
		// weight <= sum, so the quotient never exceeds amount.
		parts[i].MulDivOverflow(amount, &weights[i], &sum)
		a.remainders[i].MulMod(amount, &weights[i], &sum)
		rest.Sub(&rest, &parts[i])
		a.order[i] = i
	}
	slices.SortStableFunc(a.order, func(x, y int) int { return a.remainders[y].Cmp(&a.remainders[x]) })
	// The remainders add up to rest*sum, so at least rest of them are positive.
	for _, i := range a.order[:rest.Uint64()] {
		parts[i].AddUint64(&parts[i], 1)
	}
	return nil
}
