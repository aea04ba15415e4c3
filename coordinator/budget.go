package coordinator

import (
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// budgetOf is what the budget of an API key has left, running jobs aside; ok is false for
// a key without one. The turn of its account is held, so that no fee moves from running to
// spent before the caller looks at c.keyReserved.
func (c *Coordinator) budgetOf(by api.Caller) (left amount, ok bool, err error) {
	if by.Budget == nil && by.BudgetPerDay == nil {
		return amount{}, false, nil
	}
	spent, err := c.book.SpendingOf(by.Key)
	if err != nil {
		return amount{}, false, err
	}
	if by.Budget != nil {
		left = sub(*by.Budget, spent.Total)
	}
	if by.BudgetPerDay != nil {
		if today := sub(*by.BudgetPerDay, spent.On(store.DayOf(now()))); by.Budget == nil || today.Lt(&left) {
			left = today
		}
	}
	return left, true, nil
}

// overBudget is the error for a request that its key's budget does not cover.
func overBudget(by *api.Caller, cost, left amount) error {
	if by.Paid {
		return protocol.Errorf(protocol.KindEscrow, "value", "this request may cost %s wei, and %s wei of its payment are left: sign a payment of more, or ask for fewer tokens with max_tokens", cost.Dec(), left.Dec())
	}
	return protocol.Errorf(protocol.KindEscrow, "api_key", "this request may cost %s wei, and %s wei of this key's budget are left: ask for fewer tokens with max_tokens, wait for the next day (UTC) if the budget is a day's, or use another key",
		cost.Dec(), left.Dec())
}
