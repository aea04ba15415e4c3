package store

import (
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// FaucetGrant is what a faucet gave to one account.
type FaucetGrant struct {
	At     int64         `json:"at"`      // of the newest grant, Unix ms
	Amount uint256.Int   `json:"amount"`  // of the newest grant, wei
	TxHash protocol.Hash `json:"tx_hash"` // that brought it; zero while it is on its way
	Given  uint256.Int   `json:"given"`   // in all, wei
}

// Granted is what an account has got; ok is false if nothing.
func (c *Coordinator) Granted(to protocol.Account) (g FaucetGrant, ok bool, err error) {
	return faucetTable.Get(c.db, to)
}

// Grant notes a new grant before it is sent, unless all of them together would exceed
// total: then its kind is insufficient_escrow.
func (c *Coordinator) Grant(to protocol.Account, amount, total uint256.Int, at int64) (FaucetGrant, error) {
	var g FaucetGrant
	err := c.db.Update(func(tx *Tx) error {
		var sum uint256.Int
		if err := faucetTable.Scan(tx, func(_ protocol.Account, g FaucetGrant) error {
			sum.Add(&sum, &g.Given)
			return nil
		}); err != nil {
			return err
		}
		if _, over := sum.AddOverflow(&sum, &amount); over || sum.Gt(&total) {
			return protocol.Errorf(protocol.KindEscrow, "account", "the faucet has given all that it has: ask somebody to send you some OPEN")
		}
		var err error
		if g, _, err = faucetTable.Get(tx, to); err != nil {
			return err
		}
		g.At, g.Amount, g.TxHash = at, amount, protocol.Hash{}
		g.Given.Add(&g.Given, &amount)
		return faucetTable.Put(tx, to, g)
	})
	return g, err
}

// GrantSent notes the transaction of an account's newest grant.
func (c *Coordinator) GrantSent(to protocol.Account, hash protocol.Hash) error {
	return c.db.Update(func(tx *Tx) error {
		g, err := faucetTable.Must(tx, to)
		if err != nil {
			return err
		}
		g.TxHash = hash
		return faucetTable.Put(tx, to, g)
	})
}
