package settle

import (
	"context"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
)

// Preview divides the fee of one receipt as a batch would that were made now. The batch
// that comes takes the parties and rules of its own block.
func Preview(ctx context.Context, c *chain.Client, r protocol.SignedReceipt, at protocol.Attribution, checks Checks) ([]payout.Share, error) {
	block, _, err := c.Head(ctx)
	if err != nil {
		return nil, err
	}
	var adapters []protocol.Hash
	var agents, datanets []uint64
	if !r.Receipt.Access.IsZero() {
		for i := range at.Retrieved {
			datanets = append(datanets, at.Retrieved[i].Datanet)
		}
		if read, ok := at.RetrievalPrice(); !ok || read != r.Receipt.Access {
			adapters = append(adapters, r.Receipt.Adapter)
		}
	}
	if !r.Receipt.Markup.IsZero() {
		agents = append(agents, r.Receipt.Agent)
	}
	m, err := snapshot(ctx, c, r.Receipt.Worker, block, adapters, agents, datanets)
	if err != nil {
		return nil, err
	}
	result, err := Compute(&Document{Manifest: m, Entries: []Entry{{Receipt: r, Attribution: &at}}}, checks)
	if err != nil {
		return nil, err
	}
	return result.Shares[0], nil
}
