package worker

import (
	"context"
	"time"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/settle"
)

func (w *Worker) newSettlement() (*settle.Service, error) {
	return settle.New(settle.Config{
		Worker: w.Owner(), Store: w.book, Sender: w.cfg.Sender, Blocks: blocks{w.ipfs},
		Attributions: settle.AttributionFunc(w.attributionOf),
		Checks:       settle.Checks{Receipt: func(r protocol.SignedReceipt) error { return wire.VerifyReceipt(w.settlementDomain, r) }, AttributionRoot: wire.AttributionRoot},
		Writing:      w.ipfs.Writing,
		Every:        w.cfg.SettleEvery, Logger: w.log,
	})
}

// Settle sends what is ready to the chain now.
func (w *Worker) Settle(ctx context.Context) error {
	_, err := w.settle.Flush(ctx)
	return err
}

// attributionOf reads a receipt's attribution from its evidence.
func (w *Worker) attributionOf(ctx context.Context, r protocol.SignedReceipt) (protocol.Attribution, error) {
	b, err := w.ipfs.GetBlock(ctx, ipfs.RawCIDOf(r.Receipt.Evidence), nil)
	if err != nil {
		return protocol.Attribution{}, err
	}
	e, err := wire.DecodeEvidence(b)
	return e.Attribution, err
}

// blocks puts batch documents where any peer can fetch them.
type blocks struct{ node *ipfs.Node }

// Put stores a block durably.
func (b blocks) Put(ctx context.Context, data []byte) (protocol.Hash, error) {
	id, err := b.node.AddBlock(ctx, data)
	if err != nil {
		return protocol.Hash{}, err
	}
	return ipfs.Digest(id)
}

// Get reads a block, from here or from the peers.
func (b blocks) Get(ctx context.Context, digest protocol.Hash) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return b.node.GetBlock(ctx, ipfs.RawCIDOf(digest), nil)
}
