package epoch

import (
	"context"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Owed is what finalised epochs owe to an account.
type Owed struct {
	Epoch      uint32           `json:"epoch"` // the newest finalised one; 0: none
	Account    protocol.Account `json:"account"`
	Cumulative uint256.Int      `json:"cumulative_wei"` // of all epochs
	Claimed    uint256.Int      `json:"claimed_wei"`
	Due        uint256.Int      `json:"due_wei"`
	Proof      []protocol.Hash  `json:"proof"`
}

// Owed finds what the newest finalised epoch owes to an account, with the proof to
// claim it.
func (b *Builder) Owed(ctx context.Context, account protocol.Account) (Owed, error) {
	o := Owed{Account: account}
	_, id, err := b.Chain.CurrentEpochs(ctx)
	if err != nil || id == 0 {
		return o, err
	}
	e, err := b.Chain.Epoch(ctx, id)
	if err != nil {
		return o, err
	}
	if o.Claimed, err = b.Chain.EpochsClaimed(ctx, account); err != nil {
		return o, err
	}
	r, err := b.finalised(ctx, e)
	if err != nil {
		return o, err
	}
	o.Epoch = id
	o.Cumulative, o.Proof, _ = r.Tree.Proof(account)
	if o.Cumulative.Gt(&o.Claimed) {
		o.Due.Sub(&o.Cumulative, &o.Claimed)
	}
	return o, nil
}
