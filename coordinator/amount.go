package coordinator

import (
	"github.com/holiman/uint256"
)

// amount is wei.
type amount = uint256.Int

// sub is a - b, or zero when b is more.
func sub(a, b amount) amount {
	if a.Lt(&b) {
		return amount{}
	}
	var d amount
	d.Sub(&a, &b)
	return d
}

func add(a, b amount) amount {
	var s amount
	s.Add(&a, &b)
	return s
}

// wholeOpen is an amount in whole OPEN, for the scheduler's stake term.
func wholeOpen(wei amount) uint64 {
	var q amount
	q.Div(&wei, uint256.NewInt(1e18))
	if !q.IsUint64() {
		return 1<<64 - 1
	}
	return q.Uint64()
}
