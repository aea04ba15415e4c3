package validator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/epoch"
)

// isEpoch says whether an epoch's root is judged: its worker is the epoch distributor,
// its nonce the epoch's id, on the chain and in the journal.
func (s *Service) isEpoch(worker protocol.Account) bool {
	return worker == s.cfg.Chain.Addresses().Epochs
}

// name is what is judged, in words.
func (s *Service) name(worker protocol.Account, nonce uint64) string {
	if s.isEpoch(worker) {
		return fmt.Sprintf("epoch %d", nonce)
	}
	return fmt.Sprintf("batch %d of worker %s", nonce, worker)
}

// Epoch judges the root of a committed epoch: it works the epoch out from its batches'
// documents and compares root, amount and document. The document must be had, too: who
// is owed reads it. An error means that it could not be judged now; see [MissingError].
func (j *Judge) Epoch(ctx context.Context, e chain.Epoch) (Finding, error) {
	f := Finding{Worker: j.Chain.Addresses().Epochs, Nonce: uint64(e.ID), DataDigest: e.Document}
	err := j.epoch(ctx, e)
	var bad *fault
	if !errors.As(err, &bad) {
		return f, err
	}
	// Nothing follows from an epoch that was dropped meanwhile.
	now, err := j.Chain.Epoch(ctx, e.ID)
	if err != nil {
		return f, err
	}
	if now.Root != e.Root || now.Document != e.Document || now.Stage == chain.EpochRejected || now.Stage == chain.EpochAbandoned {
		return f, protocol.Errorf(protocol.KindStale, "epoch", "%d is %s by now", e.ID, now.Stage)
	}
	f.Guilty, f.Reason, f.Detail = true, bad.reason, bad.detail
	return f, nil
}

func (j *Judge) epoch(ctx context.Context, e chain.Epoch) error {
	watched := &fetched{Blocks: j.Blocks, what: "block of a document that the epoch is made of"}
	// No checks beyond the arithmetic: a batch that came through its window owes what its
	// root says, whoever signed its receipts.
	b := epoch.Builder{Chain: j.Chain, Blocks: watched}
	r, err := b.Verify(ctx, e.ID)
	switch kind := protocol.KindOf(err); {
	case err == nil:
	case ctx.Err() != nil:
		return ctx.Err()
	case r != nil: // it was worked out, and is another one
		return faultf(arithmetic, protocol.Hash{}, "%v", err)
	case watched.err != nil:
		return watched.err
	case kind == protocol.KindCorrupt || kind == protocol.KindInvalid:
		// A batch that does not follow from its own document, or one that nothing follows
		// from, has no leaves that anybody could count.
		return faultf(arithmetic, protocol.Hash{}, "%v", err)
	default:
		return err
	}
	watched = &fetched{Blocks: j.Blocks, what: "block of the epoch document"}
	if _, _, err := epoch.Load(ctx, watched, e.Document); err != nil {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case watched.err != nil:
			return watched.err
		}
		return faultf(arithmetic, protocol.Hash{}, "%v", err)
	}
	return nil
}

// epoch takes one epoch as far as it goes now.
func (s *Service) epoch(ctx context.Context, b BatchState, now int64) error {
	e, err := s.cfg.Chain.Epoch(ctx, uint32(b.Nonce))
	if protocol.KindOf(err) == protocol.KindNotFound || err == nil && (e.Document != b.DataDigest || e.Root != b.Root) {
		return s.done(b, Gone, "the chain gave up its branch")
	}
	if err != nil {
		return err
	}
	b.ClaimableAt = e.Deadline
	if e.Stage != chain.EpochProposed || e.Upheld || now >= e.Deadline {
		return s.overtaken(ctx, b, string(e.Stage))
	}
	if b.Status == Waiting {
		block, err := s.cfg.Chain.BlockAt(ctx, b.Block)
		if err != nil {
			return err
		}
		if err := s.weigh(ctx, &b, block.Time, e.Deadline, now, func(timeout time.Duration) (Finding, error) {
			return s.tryEpoch(ctx, e, timeout)
		}); err != nil || b.Status != Guilty {
			return err
		}
	}
	return s.challenge(ctx, b)
}

// tryEpoch judges an epoch with a bound on each fetch.
func (s *Service) tryEpoch(ctx context.Context, e chain.Epoch, timeout time.Duration) (Finding, error) {
	judge := *s.judge
	judge.Blocks = bounded{s.cfg.Blocks, timeout}
	s.cfg.Reach(ctx, e.Proposer) // a worker often enough
	return judge.Epoch(ctx, e)
}
