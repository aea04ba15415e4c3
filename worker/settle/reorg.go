package settle

import (
	"context"
	"fmt"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// maxReorg is the deepest reorganisation of the chain that a worker follows, in blocks.
// A chain that is shorter by more is another chain.
const maxReorg = 64

// again brings batches next..last back to the chain, which had them and lost them in a
// reorganisation: in the new order of things their transactions came to nothing, or
// nobody sent them again. What it refuses now is taken apart, with the batches after it.
func (s *Service) again(ctx context.Context, next, last uint64) (*store.BatchRecord, bool, error) {
	b, err := s.cfg.Store.Batch(s.cfg.Worker, next)
	if err != nil {
		return nil, false, err
	}
	head, _, err := s.client.Head(ctx)
	if err != nil {
		return nil, false, err
	}
	if head+maxReorg < b.Block {
		return nil, false, foreign(s.cfg.Worker, next, last+1)
	}
	s.cfg.Logger.Warn("a reorganisation took a settled batch off the chain: sending it again", "nonce", next, "tx", b.Tx)
	_, err = s.cfg.Sender.SubmitBatch(ctx, chain.Submission{
		Worker: b.Worker, Nonce: b.Nonce, Root: b.Root, Total: b.Total, Count: uint32(b.Count), DataDigest: b.DataDigest, Vouchers: b.Vouchers,
	})
	switch {
	case err == nil, protocol.KindOf(err) == protocol.KindExists: // its old transaction may have come first
		return s.settled(ctx, b, chain.Tx{Hash: b.Tx, Block: b.Block})
	case refusedForGood(err):
		s.cfg.Logger.Warn("the chain refuses a batch that it had: taking it apart", "nonce", next, "last", last, "err", err)
		for n := last; ; n-- { // the newest first
			if err := s.cfg.Store.ReopenBatch(s.cfg.Worker, n); err != nil {
				return nil, false, fmt.Errorf("take batch %d apart: %w", n, err)
			}
			if n == next {
				break
			}
			if err := s.cfg.Store.DropBatch(s.cfg.Worker, n); err != nil {
				return nil, false, fmt.Errorf("take batch %d apart: %w", n, err)
			}
		}
		return nil, true, s.refused(b, err)
	}
	return nil, false, err
}
