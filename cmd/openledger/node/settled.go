package node

import (
	"context"
	"slices"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// readBatch works out whom a batch pays, by role.
func (x *explainer) readBatch(ctx context.Context, b chain.BatchEvent) (receipts []protocol.Hash, paid []store.Paid, err error) {
	r, err := x.claims.Batch(ctx, b)
	if err != nil {
		return nil, nil, err
	}
	paid = []store.Paid{} // read, if it pays nobody
	for i, shares := range r.Shares {
		receipts = append(receipts, r.Document.Entries[i].Receipt.Receipt.ID)
		for j := range shares {
			role := string(shares[j].Role)
			at := slices.IndexFunc(paid, func(p store.Paid) bool { return p.Role == role })
			if at < 0 {
				at = len(paid)
				paid = append(paid, store.Paid{Role: role})
			}
			paid[at].Amount.Add(&paid[at].Amount, &shares[j].Amount)
		}
	}
	return receipts, paid, nil
}
