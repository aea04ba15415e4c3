package settle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// Service settles one worker's receipts.
type Service struct {
	cfg    Config
	client *chain.Client

	turn     sync.Mutex         // one settlement at a time
	suspects []protocol.Account // after a refusal: try these one at a time
	nudge    chan struct{}

	mu      sync.Mutex
	blocked map[protocol.Account]Blocked
}

// New makes the service. Nothing runs yet.
func New(cfg Config) (*Service, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Service{
		cfg: cfg, client: cfg.Sender.Client(), nudge: make(chan struct{}, 1), blocked: map[protocol.Account]Blocked{},
	}, nil
}

// Poke makes Run look for receipts now.
func (s *Service) Poke() {
	select {
	case s.nudge <- struct{}{}:
	default:
	}
}

// Run settles what is ready, again and again, until the context ends. A failure is
// logged and tried again: receipts wait on disk.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.Every)
	defer tick.Stop()
	for {
		if _, err := s.Flush(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Error("settling receipts: trying again later", "err", err, "every", s.cfg.Every)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.nudge:
		}
	}
}

// Flush settles everything that is ready and returns the batches that came to the
// chain.
func (s *Service) Flush(ctx context.Context) ([]store.BatchRecord, error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	var out []store.BatchRecord
	for {
		b, more, err := s.one(ctx)
		if err != nil {
			return out, err
		}
		if b != nil {
			out = append(out, *b)
		}
		if !more {
			return out, nil
		}
	}
}

// one brings one batch to the chain, first of all the one that an earlier run left
// behind. more says that there may be others.
func (s *Service) one(ctx context.Context) (*store.BatchRecord, bool, error) {
	next, err := s.client.NextNonce(ctx, s.cfg.Worker)
	if err != nil {
		return nil, false, err
	}
	last, ok, err := s.cfg.Store.LastBatch(s.cfg.Worker)
	if err != nil {
		return nil, false, err
	}
	if ok && last.Status != store.BatchSettled {
		return s.resume(ctx, last, next)
	}
	if ok && next <= last.Nonce {
		return s.again(ctx, next, last.Nonce)
	}
	if ok && next != last.Nonce+1 {
		return s.adopt(ctx, last.Nonce+1, foreign(s.cfg.Worker, next, last.Nonce+1))
	}
	b, err := s.prepare(ctx, next)
	if err != nil || b == nil {
		more := err == nil && s.clearSuspect()
		return nil, more, err
	}
	return s.submit(ctx, *b)
}

// foreign says that the chain and this worker's records do not belong together.
func foreign(worker protocol.Account, chainNext, ours uint64) error {
	if chainNext < ours {
		return protocol.Errorf(protocol.KindStale, "nonce", "the chain has %d batches of worker %s, its records here %d: the chain was reset; begin with an empty data directory", chainNext, worker, ours)
	}
	return protocol.Errorf(protocol.KindStale, "nonce", "the chain has %d batches of worker %s, its records here %d: another process settles for the same worker, or the data directory is an old copy; run one only, with the newest data", chainNext, worker, ours)
}

// prepare forms the next batch, publishes its document and writes it down. It
// returns nil when there is nothing to settle.
func (s *Service) prepare(ctx context.Context, nonce uint64) (*store.BatchRecord, error) {
	block, chainTime, err := s.client.Head(ctx)
	if err != nil {
		return nil, err
	}
	groups, err := s.gather(ctx, chainTime)
	if err != nil || len(groups) == 0 {
		return nil, err
	}
	d, err := s.document(ctx, groups, nonce, block)
	if err != nil {
		return nil, err
	}
	r, err := Compute(d, s.cfg.Checks)
	if err != nil {
		return nil, fmt.Errorf("compute batch %d: %w", nonce, err)
	}
	if r.Total.Lt(&s.cfg.MinTotal) {
		return nil, nil
	}
	b := store.BatchRecord{
		Worker: s.cfg.Worker, Nonce: nonce, Root: r.Root, Total: r.Total, Count: uint64(len(r.Payouts)), PreparedAt: time.Now().UnixMilli(),
	}
	for _, g := range groups {
		b.Vouchers = append(b.Vouchers, g.voucher)
	}
	for i := range d.Entries {
		b.Receipts = append(b.Receipts, d.Entries[i].Receipt.Receipt.ID)
	}
	if err := s.cfg.step("publish"); err != nil {
		return nil, err
	}
	defer s.cfg.Writing()()
	if b.Document, b.DataDigest, err = d.publish(ctx, s.cfg.Blocks); err != nil {
		return nil, err
	}
	if err := s.cfg.step("write down"); err != nil {
		return nil, err
	}
	if err := s.cfg.Store.PrepareBatch(b); err != nil {
		return nil, fmt.Errorf("write down batch %d: %w", nonce, err)
	}
	return &b, nil
}

// resume goes on with a batch whose fate is not known: is it on the chain?
func (s *Service) resume(ctx context.Context, b store.BatchRecord, next uint64) (*store.BatchRecord, bool, error) {
	switch next {
	case b.Nonce:
		s.cfg.Logger.Info("sending a batch again", "nonce", b.Nonce)
		return s.submit(ctx, b)
	case b.Nonce + 1:
		return s.settled(ctx, b, chain.Tx{})
	}
	if next > b.Nonce { // by more than one
		return nil, false, foreign(s.cfg.Worker, next, b.Nonce+1)
	}
	// A reorganisation took batches before this one: they come first.
	if err := s.cfg.Store.DropBatch(b.Worker, b.Nonce); err != nil {
		return nil, false, fmt.Errorf("take batch %d apart: %w", b.Nonce, err)
	}
	return nil, true, nil
}

// submit sends a batch that is written down.
func (s *Service) submit(ctx context.Context, b store.BatchRecord) (*store.BatchRecord, bool, error) {
	if err := s.cfg.step("send"); err != nil {
		return nil, false, err
	}
	tx, err := s.cfg.Sender.SubmitBatch(ctx, chain.Submission{
		Worker: b.Worker, Nonce: b.Nonce, Root: b.Root, Total: b.Total, Count: uint32(b.Count), DataDigest: b.DataDigest, Vouchers: b.Vouchers,
	})
	switch {
	case err == nil, protocol.KindOf(err) == protocol.KindExists:
		return s.settled(ctx, b, tx)
	case refusedForGood(err):
		return nil, true, s.refused(b, err)
	default: // the node is away, the gas money is out: the batch stays as it is
		return nil, false, err
	}
}

// settled checks that the chain has this very batch and notes it.
func (s *Service) settled(ctx context.Context, b store.BatchRecord, tx chain.Tx) (*store.BatchRecord, bool, error) {
	have, err := s.client.Batch(ctx, b.Worker, b.Nonce)
	if protocol.KindOf(err) == protocol.KindNotFound { // a node judges by what it is about to put in a block
		return nil, false, protocol.Errorf(protocol.KindBusy, "nonce", "batch %d is on its way to the chain: look again later", b.Nonce)
	}
	if err != nil {
		return nil, false, err
	}
	if have.Root != b.Root || have.DataDigest != b.DataDigest {
		err := protocol.Errorf(protocol.KindCorrupt, "nonce", "the chain has another batch %d of worker %s, with document %s: another process settles for the same worker; run one only", b.Nonce, b.Worker, have.DataDigest)
		// Or it is an older one of ours, which was taken apart: then this one can never come.
		if _, lost := Load(ctx, s.cfg.Blocks, have.DataDigest); lost != nil || b.Status == store.BatchSettled {
			return nil, false, err
		}
		if err := s.cfg.Store.DropBatch(b.Worker, b.Nonce); err != nil {
			return nil, false, fmt.Errorf("take batch %d apart: %w", b.Nonce, err)
		}
		return s.adopt(ctx, b.Nonce, err)
	}
	if tx.Hash == (protocol.Hash{}) { // an earlier run sent it: look for its transaction
		_, err := s.client.EachBatch(ctx, b.Worker, 0, 0, func(ev chain.BatchEvent, e chain.Event) error {
			if ev.Nonce == b.Nonce {
				tx.Hash, tx.Block = e.Tx, e.Block
			}
			return nil
		})
		if err != nil {
			return nil, false, err
		}
	}
	if err := s.cfg.step("note"); err != nil {
		return nil, false, err
	}
	if err := s.cfg.Store.MarkSettled(b.Worker, b.Nonce, tx.Hash, tx.Block, tx.GasUsed, time.Now().UnixMilli()); err != nil {
		return nil, false, fmt.Errorf("note that batch %d is settled: %w", b.Nonce, err)
	}
	s.clearSuspect()
	s.cfg.Logger.Info("settled a batch", "nonce", b.Nonce, "total", b.Total.Dec(), "payouts", b.Count, "receipts", len(b.Receipts), "tx", tx.Hash)
	done, err := s.cfg.Store.Batch(b.Worker, b.Nonce)
	return &done, true, err
}

// refusedForGood says that a contract refused the batch for what is in it.
func refusedForGood(err error) bool {
	r, ok := chain.Refused(err)
	if !ok {
		return false
	}
	switch r.Name {
	case "NotOperator", "InsufficientCover", "WorkerJailed": // mended elsewhere: the batch is good
		return false
	}
	return true
}

// refused takes a refused batch apart. Its receipts go into other batches; to find
// whose voucher is at fault, its requesters are tried one at a time.
func (s *Service) refused(b store.BatchRecord, why error) error {
	s.cfg.Logger.Warn("the chain refused a batch: taking it apart", "nonce", b.Nonce, "vouchers", len(b.Vouchers), "err", why)
	if err := s.cfg.step("drop"); err != nil {
		return err
	}
	if err := s.cfg.Store.DropBatch(b.Worker, b.Nonce); err != nil {
		return errors.Join(why, fmt.Errorf("take batch %d apart: %w", b.Nonce, err))
	}
	if len(b.Vouchers) == 1 {
		v := b.Vouchers[0].Voucher
		s.block(Blocked{Requester: v.Requester, Amount: b.Total, Reason: why.Error(), until: time.Now().Add(s.cfg.RetryBlocked)})
		s.clearSuspect()
		return nil
	}
	s.suspects = s.suspects[:0]
	for _, v := range b.Vouchers {
		s.suspects = append(s.suspects, v.Voucher.Requester)
	}
	return nil
}

// clearSuspect ends the trial of one requester; it says whether there was one.
func (s *Service) clearSuspect() bool {
	if len(s.suspects) == 0 {
		return false
	}
	s.suspects = s.suspects[1:]
	return true
}
