package payout

import (
	"slices"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// apportion divides amount by weights with largest remainders; of equal
// remainders the earlier weight is served first. The parts add up to amount.
func apportion(amount *uint256.Int, weights []uint256.Int) ([]uint256.Int, error) {
	var sum uint256.Int
	for i := range weights {
		if _, over := sum.AddOverflow(&sum, &weights[i]); over {
			return nil, protocol.Errorf(protocol.KindInvalid, "weights", "do not add up within 256 bits")
		}
	}
	parts := make([]uint256.Int, len(weights))
	if amount.IsZero() {
		return parts, nil
	}
	if sum.IsZero() {
		return nil, protocol.Errorf(protocol.KindInvalid, "weights", "are all zero while %s wei are to be divided", amount.Dec())
	}
	rest := *amount
	remainders := make([]uint256.Int, len(weights))
	order := make([]int, len(weights))
	for i := range weights {
		// weight <= sum, so the quotient never exceeds amount.
		parts[i].MulDivOverflow(amount, &weights[i], &sum)
		remainders[i].MulMod(amount, &weights[i], &sum)
		rest.Sub(&rest, &parts[i])
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return remainders[b].Cmp(&remainders[a]) })
	one := uint256.NewInt(1)
	// The remainders add up to rest*sum, so at least rest of them are positive.
	for _, i := range order[:rest.Uint64()] {
		parts[i].Add(&parts[i], one)
	}
	return parts, nil
}
