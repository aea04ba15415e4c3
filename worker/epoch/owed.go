package epoch

import (
	"context"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/chain"
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

// Claim is what pays it out.
func (o *Owed) Claim() chain.EpochClaim {
	return chain.EpochClaim{Account: o.Account, Cumulative: o.Cumulative, Proof: o.Proof}
}

// Owed finds what the newest finalised epoch owes to an account, with the proof to
// claim it.
func (b *Builder) Owed(ctx context.Context, account protocol.Account) (Owed, error) {
	list, err := b.OwedTo(ctx, []protocol.Account{account})
	if err != nil {
		return Owed{Account: account}, err
	}
	return list[0], nil
}

// OwedTo is [Builder.Owed] for many accounts, in their order, by one root.
func (b *Builder) OwedTo(ctx context.Context, accounts []protocol.Account) ([]Owed, error) {
	list := make([]Owed, len(accounts))
	for i, a := range accounts {
		list[i].Account = a
	}
	_, id, err := b.Chain.CurrentEpochs(ctx)
	if err != nil || id == 0 {
		return list, err
	}
	e, err := b.Chain.Epoch(ctx, id)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].Claimed, err = b.Chain.EpochsClaimed(ctx, list[i].Account); err != nil {
			return nil, err
		}
	}
	r, err := b.finalised(ctx, e)
	if err != nil {
		return nil, err
	}
	for i := range list {
		o := &list[i]
		o.Epoch = id
		o.Cumulative, o.Proof, _ = r.Tree.Proof(o.Account)
		if o.Cumulative.Gt(&o.Claimed) {
			o.Due.Sub(&o.Cumulative, &o.Claimed)
		}
	}
	return list, nil
}
