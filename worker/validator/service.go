package validator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

// Service watches the chain, challenges and votes.
type Service struct {
	cfg     Config
	judge   *Judge
	journal *Journal
	secret  []byte
	metrics *metrics

	turn  sync.Mutex // one Step at a time
	nudge chan struct{}

	mu     sync.Mutex
	stepAt time.Time
	err    error // of the newest step
}

// New makes the service. Nothing runs yet.
func New(cfg Config) (*Service, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, journal: NewJournal(cfg.DB), nudge: make(chan struct{}, 1)}
	s.judge = &Judge{Chain: cfg.Chain, Index: cfg.Index, Blocks: cfg.Blocks, Adapters: cfg.Adapters, Auditor: cfg.Auditor, Seen: s.journal}
	var err error
	if s.secret, err = s.journal.secret(); err != nil {
		return nil, err
	}
	s.metrics, err = newMetrics(s)
	return s, err
}

// Journal is the validator's memory.
func (s *Service) Journal() *Journal { return s.journal }

// Poke makes Run look now.
func (s *Service) Poke() {
	select {
	case s.nudge <- struct{}{}:
	default:
	}
}

// Run watches until the context ends. A failure is logged, and what failed tried again.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.Every)
	defer tick.Stop()
	for {
		if err := s.Step(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Error("watching the chain: trying again", "err", err, "every", s.cfg.Every)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.nudge:
		}
	}
}

// Healthy says why the validator does not do its work; nil when it does.
func (s *Service) Healthy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stepAt.IsZero() && s.err == nil:
		return protocol.Errorf(protocol.KindBusy, "", "the validator is starting")
	case s.err != nil:
		return s.err
	case !s.cfg.Online():
		return protocol.Errorf(protocol.KindUnavailable, "peers", "no peer is connected: what batches hold cannot be fetched")
	}
	return nil
}

// Step does what is due: reads new events, judges batches, brings challenges and
// verdicts to the chain.
func (s *Service) Step(ctx context.Context) (err error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.err = err; err == nil {
			s.stepAt = time.Now()
		} else if ctx.Err() == nil {
			s.metrics.failures.Inc()
		}
	}()
	p, err := s.cfg.Index.Sync(ctx)
	s.metrics.rolledBack.Add(float64(p.RolledBack))
	if err != nil {
		return err
	}
	if err := s.ingest(p.Tip); err != nil {
		return err
	}
	now := max(p.Head.Time, time.Now().Unix())
	due, err := s.journal.Batches(func(b *BatchState) bool { return b.open() && b.NextTry <= time.Now().UnixMilli() })
	if err != nil {
		return err
	}
	var tasks errgroup.Group
	tasks.SetLimit(s.cfg.Parallel)
	var mu sync.Mutex
	var errs []error
	for _, b := range due {
		tasks.Go(func() error {
			judge := s.batch
			if s.isEpoch(b.Worker) {
				judge = s.epoch
			}
			if err := judge(ctx, b, now); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("%s: %w", s.name(b.Worker, b.Nonce), err))
			}
			return nil
		})
	}
	if err := tasks.Wait(); err != nil {
		return err
	}
	if !s.cfg.Observe {
		errs = append(errs, s.disputes(ctx, now))
	}
	return errors.Join(errs...)
}

// ingest takes new batches and epochs from the index into the journal. The newest blocks are looked
// at again, since others may have taken their place.
func (s *Service) ingest(tip uint64) error {
	from, err := s.journal.place(ingestedKey)
	if err != nil {
		return err
	}
	if depth := s.cfg.Index.Depth() + 1; from > depth {
		from -= depth
	} else {
		from = 0
	}
	var batches []BatchState
	if err := s.cfg.Index.Each(from, tip, func(e chain.Event) error {
		if b := e.Batch; b != nil {
			batches = append(batches, BatchState{Worker: b.Worker, Nonce: b.Nonce, DataDigest: b.DataDigest, Root: b.Root, Total: b.Total, Block: e.Block, Tx: e.Tx, ClaimableAt: b.ClaimableAt, Status: Waiting})
		}
		if p := e.Epoch; p != nil {
			batches = append(batches, BatchState{Worker: s.cfg.Chain.Addresses().Epochs, Nonce: uint64(p.ID), DataDigest: p.Document, Root: p.Root, Total: p.Amount, Block: e.Block, Tx: e.Tx, ClaimableAt: p.FinalisableAt, Status: Waiting})
		}
		return nil
	}); err != nil {
		return err
	}
	if err := s.cfg.step("ingest"); err != nil {
		return err
	}
	return s.journal.ingest(batches, tip)
}

// batch takes one batch as far as it goes now.
func (s *Service) batch(ctx context.Context, b BatchState, now int64) error {
	on, err := s.cfg.Chain.Batch(ctx, b.Worker, b.Nonce)
	if protocol.KindOf(err) == protocol.KindNotFound || err == nil && on.DataDigest != b.DataDigest {
		return s.done(b, Gone, "the chain gave up its branch")
	}
	if err != nil {
		return err
	}
	b.ClaimableAt = on.ClaimableAt
	if on.Status != chain.BatchPending {
		return s.overtaken(ctx, b, string(on.Status))
	}
	if b.Status == Waiting {
		if err := s.look(ctx, &b, on, now); err != nil || b.Status != Guilty {
			return err
		}
	}
	return s.challenge(ctx, b)
}

// overtaken notes what became of what is not in its window any more.
func (s *Service) overtaken(ctx context.Context, b BatchState, is string) error {
	if last, _, err := s.cfg.Chain.DisputeOf(ctx, b.Worker, b.Nonce); err != nil {
		return err
	} else if last != 0 {
		return s.disputed(ctx, b)
	}
	return s.done(b, Late, fmt.Sprintf("its challenge window ended first: it is %s", is))
}

// disputed notes who challenged it.
func (s *Service) disputed(ctx context.Context, b BatchState) error {
	last, _, err := s.cfg.Chain.DisputeOf(ctx, b.Worker, b.Nonce)
	if err != nil {
		return err
	}
	d, err := s.cfg.Chain.Dispute(ctx, last)
	if err != nil {
		return err
	}
	b.Dispute = last
	if s.cfg.Sender != nil && d.Challenger == s.cfg.Sender.Account() {
		return s.done(b, Challenged, "")
	}
	return s.done(b, Disputed, fmt.Sprintf("%s challenged it", d.Challenger))
}

func (s *Service) done(b BatchState, status Status, why string) error {
	b.Status, b.Problem = status, why
	if err := s.cfg.step("note " + string(status)); err != nil {
		return err
	}
	if err := s.journal.putBatch(b); err != nil {
		return err
	}
	s.count(b.Worker, status)
	s.cfg.Logger.Info("judged", "subject", s.name(b.Worker, b.Nonce), "status", status, "why", why)
	return nil
}

// count counts what judging came to.
func (s *Service) count(worker protocol.Account, status Status) {
	counter := s.metrics.batches
	if s.isEpoch(worker) {
		counter = s.metrics.epochs
	}
	counter.WithLabelValues(string(status)).Inc()
}

// look judges a batch. Afterwards b is what the journal has.
func (s *Service) look(ctx context.Context, b *BatchState, on chain.Batch, now int64) error {
	s.history(ctx, b)
	block, err := s.cfg.Chain.BlockAt(ctx, b.Block)
	if err != nil {
		return err
	}
	on.Tx = b.Tx
	choose := Sample(seed(s.secret, block.Hash, b.Worker, b.Nonce), s.cfg.Share, s.cfg.MaxRerun)
	return s.weigh(ctx, b, on.At, on.ClaimableAt, now, func(timeout time.Duration) (Finding, error) {
		return s.try(ctx, Target{Batch: on, Block: b.Block}, choose, timeout)
	})
}

// weigh judges what is in its window (Unix seconds) and notes what that came to.
// Afterwards b is what the journal has.
func (s *Service) weigh(ctx context.Context, b *BatchState, from, until, now int64, judge func(timeout time.Duration) (Finding, error)) error {
	window := time.Duration(max(1, until-from)) * time.Second
	f, err := judge(s.within(s.cfg.FetchTimeout, window, 8))
	b.Attempts++
	var gone *MissingError
	switch {
	case err == nil && f.Guilty:
		b.Status, b.Problem, b.Finding = Guilty, f.Detail, &f
		if err := s.cfg.step("note guilty"); err != nil {
			return err
		}
		s.cfg.Logger.Warn("guilty", "subject", s.name(b.Worker, b.Nonce), "reason", f.Reason, "receipt", f.Receipt, "detail", f.Detail)
		s.count(b.Worker, Guilty)
		return s.journal.putBatch(*b)
	case err == nil:
		b.Finding = &f
		return s.done(*b, Valid, "")
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &gone):
		if !s.cfg.Online() {
			return s.again(b, window, err)
		}
		s.metrics.missing.Inc()
		if b.Missing++; b.Missing < s.cfg.Attempts || float64(now-from) < s.cfg.Patience*window.Seconds() {
			return s.again(b, window, err)
		}
		f.Guilty, f.Reason, f.Receipt, f.Detail = true, unavailable, gone.Receipt, fmt.Sprintf("%v, after %d attempts", gone, b.Missing)
		b.Status, b.Problem, b.Finding = Guilty, f.Detail, &f
		s.count(b.Worker, Guilty)
		return s.journal.putBatch(*b)
	default:
		return errors.Join(err, s.again(b, window, err))
	}
}

// try judges with a bound on each fetch.
func (s *Service) try(ctx context.Context, t Target, choose Choose, timeout time.Duration) (Finding, error) {
	judge := *s.judge
	judge.Blocks = bounded{s.cfg.Blocks, timeout}
	s.cfg.Reach(ctx, t.Worker)
	f, err := judge.Batch(ctx, t, choose)
	s.metrics.reruns.Add(float64(f.Rerun))
	return f, err
}

// bounded gives each fetch its time.
type bounded struct {
	Blocks
	timeout time.Duration
}

func (b bounded) Get(ctx context.Context, digest protocol.Hash) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	return b.Blocks.Get(ctx, digest)
}

// within is a duration, but no more than a part of a window; a second at least.
func (s *Service) within(d, window time.Duration, parts int) time.Duration {
	return max(min(d, window/time.Duration(parts)), min(d, time.Second))
}

// again puts it off.
func (s *Service) again(b *BatchState, window time.Duration, why error) error {
	b.Problem = why.Error()
	b.NextTry = time.Now().Add(min(s.cfg.RetryEvery, window/20)).UnixMilli()
	if err := s.cfg.step("put off"); err != nil {
		return err
	}
	s.cfg.Logger.Info("cannot be judged yet", "subject", s.name(b.Worker, b.Nonce), "attempts", b.Attempts, "err", why)
	return s.journal.putBatch(*b)
}

// history fetches the documents of a worker's earlier batches that were not judged here,
// so that a receipt charged twice is noticed. What cannot be had any more is passed
// over: it is nobody's guilt now.
func (s *Service) history(ctx context.Context, b *BatchState) {
	if b.Attempts > 0 || b.Nonce == 0 {
		return
	}
	oldest := b.Nonce - min(b.Nonce, uint64(s.cfg.History))
	places := map[uint64]Place{}
	if err := s.cfg.Index.EachOf(chain.BatchSubmittedEvent, chain.Topic(b.Worker), func(e chain.Event) error {
		if e.Batch != nil && e.Batch.Nonce >= oldest && e.Batch.Nonce < b.Nonce {
			places[e.Batch.Nonce] = Place{Nonce: e.Batch.Nonce, DataDigest: e.Batch.DataDigest}
		}
		return nil
	}); err != nil {
		s.cfg.Logger.Warn("earlier batches", "worker", b.Worker, "err", err)
		return
	}
	judge := *s.judge
	judge.Blocks = bounded{s.cfg.Blocks, time.Second}
	for _, at := range places {
		known, err := s.journal.knows(b.Worker, at)
		if err == nil && !known {
			err = judge.Remember(ctx, b.Worker, at)
		}
		if err != nil {
			s.cfg.Logger.Info("an earlier batch is not known: what it charged cannot be compared", "worker", b.Worker, "nonce", at.Nonce, "err", err)
		}
	}
}

// Check judges one batch once, whatever its state, and tells nobody.
func (s *Service) Check(ctx context.Context, worker protocol.Account, nonce uint64) (Finding, error) {
	if _, err := s.cfg.Index.Sync(ctx); err != nil {
		return Finding{}, err
	}
	t, err := s.judge.Find(ctx, worker, nonce)
	if err != nil {
		return Finding{}, err
	}
	block, err := s.cfg.Chain.BlockAt(ctx, t.Block)
	if err != nil {
		return Finding{}, err
	}
	return s.try(ctx, t, Sample(seed(s.secret, block.Hash, worker, nonce), s.cfg.Share, s.cfg.MaxRerun), s.cfg.FetchTimeout)
}

// Remember notes the receipts of an earlier batch without judging it.
func (j *Judge) Remember(ctx context.Context, worker protocol.Account, at Place) error {
	d, err := j.load(ctx, at.DataDigest)
	if err != nil {
		return err
	}
	ids := make([]protocol.Hash, len(d.Entries))
	for i := range d.Entries {
		ids[i] = d.Entries[i].Receipt.Receipt.ID
	}
	return j.Seen.Note(worker, at, ids)
}
