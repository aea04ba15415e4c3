package settle

import (
	"context"
	"fmt"
	"time"

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

// adopt takes up a batch of ours that the chain has and the records do not: it was taken
// apart when the chain refused it, and its old transaction came through after all. All
// its receipts must be here, ready to be settled: else the batch is another process's.
func (s *Service) adopt(ctx context.Context, nonce uint64, otherwise error) (*store.BatchRecord, bool, error) {
	have, err := s.client.Batch(ctx, s.cfg.Worker, nonce)
	if err != nil {
		return nil, false, err
	}
	r, err := Recompute(ctx, s.cfg.Blocks, have.DataDigest, s.cfg.Checks)
	if err != nil || r.Root != have.Root || !r.Total.Eq(&have.Total) {
		return nil, false, otherwise
	}
	b := store.BatchRecord{
		Worker: s.cfg.Worker, Nonce: nonce, Root: r.Root, Total: r.Total, Count: uint64(len(r.Payouts)),
		DataDigest: have.DataDigest, PreparedAt: time.Now().UnixMilli(),
	}
	if b.Document, err = s.cfg.Blocks.Get(ctx, have.DataDigest); err != nil {
		return nil, false, err
	}
	requesters := map[protocol.Account]bool{}
	for i := range r.Document.Entries {
		id := r.Document.Entries[i].Receipt.Receipt.ID
		if rec, err := s.cfg.Store.Receipt(id); err != nil || rec.Status != store.ReceiptVouchered {
			return nil, false, otherwise
		}
		b.Receipts = append(b.Receipts, id)
		requesters[r.Document.Entries[i].Receipt.Receipt.Requester] = true
	}
	vouchers, err := s.cfg.Store.Vouchers(s.cfg.Worker)
	if err != nil {
		return nil, false, err
	}
	for _, v := range vouchers { // by requester; at least what the batch drew
		if requesters[v.Signed.Voucher.Requester] {
			b.Vouchers = append(b.Vouchers, v.Signed)
		}
	}
	s.cfg.Logger.Warn("the chain took a batch after all: noting it", "nonce", nonce)
	if err := s.cfg.Store.PrepareBatch(b); err != nil {
		return nil, false, fmt.Errorf("note batch %d: %w", nonce, err)
	}
	return s.settled(ctx, b, chain.Tx{})
}
