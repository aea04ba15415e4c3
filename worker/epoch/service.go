package epoch

import (
	"context"
	"log/slog"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

// Config is what proposing epochs needs.
type Config struct {
	// Sender proposes, pays the bond and the gas.
	Sender *chain.Sender
	*Builder
	// Every is how often Run looks for what there is to do. Default 1 min.
	Every time.Duration
	// Interval is the least time between two epochs of this service. Default 0.
	Interval time.Duration
	// MinBatches and MinAmount (wei) hold an epoch back until there is as much.
	MinBatches int
	MinAmount  uint256.Int
	// Published waits until others can fetch a document, before its root is committed.
	// Nil: they can at once.
	Published func(ctx context.Context, digest protocol.Hash) error
	Logger    *slog.Logger

	// step is called before each step; tests end the process there.
	step func(string) error
}

// EnsureDefaults fills in what was left empty.
func (c *Config) EnsureDefaults() {
	if c.Every == 0 {
		c.Every = time.Minute
	}
	if c.MinBatches == 0 {
		c.MinBatches = 1
	}
	if c.Published == nil {
		c.Published = func(context.Context, protocol.Hash) error { return nil }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.step == nil {
		c.step = func(string) error { return nil }
	}
}

// Validate says which field is wrong.
func (c *Config) Validate() error {
	switch {
	case c.Sender == nil:
		return protocol.Errorf(protocol.KindInvalid, "epoch.sender", "is not set")
	case c.Builder == nil || c.Chain == nil || c.Blocks == nil:
		return protocol.Errorf(protocol.KindInvalid, "epoch.builder", "needs a chain and blocks")
	case c.Every < 0 || c.Interval < 0 || c.MinBatches < 0:
		return protocol.Errorf(protocol.KindInvalid, "epoch.every, interval, min_batches", "must not be negative")
	}
	return nil
}

// Service proposes and finalises epochs. Its only state is the chain's.
type Service struct{ cfg Config }

// New makes the service. Nothing runs yet.
func New(cfg Config) (*Service, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Service{cfg: cfg}, nil
}

// Run advances epochs until the context ends. A failure is logged and tried again.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.Every)
	defer tick.Stop()
	for {
		if _, err := s.Advance(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Error("advancing an epoch: trying again later", "err", err, "every", s.cfg.Every)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Progress says where Advance stopped.
type Progress struct {
	Epoch chain.Epoch `json:"epoch"` // the last one it saw; id 0: none
	// Waits says for what, in words; empty after an epoch was finalised.
	Waits string `json:"waits,omitempty"`
}

// Advance does all that can be done now: it opens an epoch if there is enough for one,
// builds and commits it, drops one that was not committed in time, and finalises one
// whose window is over. It ends when an epoch is finalised or when there is nothing to
// do but wait. Called again, also by another process after a kill, it goes on.
func (s *Service) Advance(ctx context.Context) (Progress, error) {
	for {
		live, _, err := s.cfg.Chain.CurrentEpochs(ctx)
		if err != nil {
			return Progress{}, err
		}
		if live == 0 {
			wait, err := s.open(ctx)
			if err != nil || wait != "" {
				return Progress{Waits: wait}, err
			}
			continue
		}
		e, err := s.cfg.Chain.Epoch(ctx, live)
		if err != nil {
			return Progress{}, err
		}
		now, err := s.cfg.Chain.Now(ctx)
		if err != nil {
			return Progress{Epoch: e}, err
		}
		until := time.Unix(e.Deadline, 0).UTC().Format(time.RFC3339)
		switch over := now >= e.Deadline; {
		case e.Stage == chain.EpochBuilding && over:
			if err := s.abandon(ctx, e); err != nil {
				return Progress{Epoch: e}, err
			}
		case e.Stage == chain.EpochBuilding && e.Proposer != s.cfg.Sender.Account():
			return Progress{Epoch: e, Waits: "another proposer builds it until " + until}, nil
		case e.Stage == chain.EpochBuilding:
			if err := s.build(ctx, e); err != nil {
				return Progress{Epoch: e}, err
			}
		case e.Stage == chain.EpochProposed && over:
			if err := s.Finalise(ctx, live); err != nil {
				return Progress{Epoch: e}, err
			}
			s.cfg.forget()
			e, err = s.cfg.Chain.Epoch(ctx, live)
			return Progress{Epoch: e}, err
		case e.Stage == chain.EpochProposed:
			return Progress{Epoch: e, Waits: "its root can be disputed until " + until}, nil
		case e.Stage == chain.EpochDisputed:
			return Progress{Epoch: e, Waits: "its root is disputed"}, nil
		}
	}
}

// open opens an epoch with the first batches; wait says why it does not.
func (s *Service) open(ctx context.Context) (wait string, err error) {
	if s.cfg.Interval > 0 {
		all, err := s.cfg.Chain.Epochs(ctx)
		if err != nil {
			return "", err
		}
		if n := len(all); n > 0 {
			next := time.Unix(all[n-1].Deadline, 0).Add(s.cfg.Interval)
			if now, err := s.cfg.Chain.Now(ctx); err != nil || now < next.Unix() {
				return "the next epoch is due at " + next.UTC().Format(time.RFC3339), err
			}
		}
	}
	list, sum, err := s.choose(ctx)
	if err != nil {
		return "", err
	}
	if len(list) == 0 || len(list) < s.cfg.MinBatches || sum.Lt(&s.cfg.MinAmount) {
		return "there are too few claimable batches for an epoch", nil
	}
	params, err := s.cfg.Chain.EpochParams(ctx)
	if err != nil {
		return "", err
	}
	if err := s.cfg.step("open"); err != nil {
		return "", err
	}
	_, err = s.cfg.Sender.OpenEpoch(ctx, params.Bond, list[:min(len(list), chain.MaxEpochBatches)])
	if protocol.KindOf(err) == protocol.KindExists { // somebody was faster
		return "", nil
	}
	return "", err
}

// build holds the rest of the batches, publishes the document and commits.
func (s *Service) build(ctx context.Context, e chain.Epoch) error {
	list, _, err := s.choose(ctx)
	if err != nil {
		return err
	}
	for len(list) > 0 {
		n := min(len(list), chain.MaxEpochBatches)
		if err := s.cfg.step("add"); err != nil {
			return err
		}
		if _, err := s.cfg.Sender.AddToEpoch(ctx, e.ID, list[:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	if e, err = s.cfg.Chain.Epoch(ctx, e.ID); err != nil {
		return err
	}
	if e.Batches == 0 { // all were claimed before it could hold them
		return protocol.Errorf(protocol.KindBusy, "batches", "epoch %d holds nothing yet: it waits for a claimable batch", e.ID)
	}
	r, err := s.cfg.Compute(ctx, e.ID)
	if err != nil {
		return err
	}
	if err := s.cfg.step("publish"); err != nil {
		return err
	}
	digest, err := r.Document.Publish(ctx, s.cfg.Blocks)
	if err != nil {
		return err
	}
	if err := s.cfg.Published(ctx, digest); err != nil {
		return err
	}
	if err := s.cfg.step("commit"); err != nil {
		return err
	}
	if _, err := s.cfg.Sender.CommitEpoch(ctx, e.ID, r.Tree.Root(), digest); err != nil {
		return err
	}
	s.cfg.Logger.Info("proposed an epoch", "epoch", e.ID, "batches", e.Batches, "amount", e.Amount.Dec(), "accounts", len(r.Document.Payouts), "document", digest)
	return s.cfg.step("committed")
}

func (s *Service) abandon(ctx context.Context, e chain.Epoch) error {
	if err := s.cfg.step("abandon"); err != nil {
		return err
	}
	_, err := s.cfg.Sender.AbandonEpoch(ctx, e.ID)
	return s.unlessMoved(ctx, e.ID, e.Stage, err)
}

// Finalise sweeps what is not swept yet of an epoch whose window is over. Others may do
// so at the same time.
func (s *Service) Finalise(ctx context.Context, id uint32) error {
	held, err := s.cfg.Chain.EpochBatches(ctx, id)
	if err != nil {
		return err
	}
	var left []chain.BatchRef
	for _, h := range held {
		b, err := s.cfg.Chain.Batch(ctx, h.Worker, h.Nonce)
		if err != nil {
			return err
		}
		if b.Status != chain.BatchSwept {
			left = append(left, h.BatchRef)
		}
	}
	for len(left) > 0 {
		n := min(len(left), chain.MaxEpochBatches)
		if err := s.cfg.step("sweep"); err != nil {
			return err
		}
		if _, err := s.cfg.Sender.FinaliseEpoch(ctx, id, left[:n]); err != nil {
			return s.unlessMoved(ctx, id, chain.EpochProposed, err)
		}
		left = left[n:]
	}
	s.cfg.Logger.Info("finalised an epoch", "epoch", id, "batches", len(held))
	return nil
}

// unlessMoved drops an error if somebody else has done it meanwhile.
func (s *Service) unlessMoved(ctx context.Context, id uint32, from chain.EpochStage, err error) error {
	if err == nil {
		return nil
	}
	if e, rerr := s.cfg.Chain.Epoch(ctx, id); rerr == nil && e.Stage != from {
		return nil
	}
	return err
}

// choose lists the batches that can be held now and have something left, and their sum.
// Those whose document nobody has, or that do not follow from it, are left out: their
// leaves can still be claimed singly.
func (s *Service) choose(ctx context.Context) (list []chain.BatchRef, sum uint256.Int, err error) {
	now, err := s.cfg.Chain.Now(ctx)
	if err != nil {
		return nil, sum, err
	}
	swept, err := s.cfg.Chain.SweptBatches(ctx)
	if err != nil {
		return nil, sum, err
	}
	_, err = s.cfg.Chain.EachBatch(ctx, protocol.Account{}, 0, 0, func(ev chain.BatchEvent, _ chain.Event) error {
		ref := chain.BatchRef{Worker: ev.Worker, Nonce: ev.Nonce}
		if swept[ref] || ev.ClaimableAt > now {
			return nil
		}
		b, err := s.cfg.Chain.Batch(ctx, ev.Worker, ev.Nonce)
		if err != nil {
			return err
		}
		if !b.Claimable() || b.Claimed.Eq(&b.Total) {
			return nil
		}
		if _, err := s.cfg.leavesOf(ctx, b); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.cfg.Logger.Warn("left a batch out of the epoch", "worker", b.Worker, "nonce", b.Nonce, "err", err)
			return nil
		}
		var left uint256.Int
		left.Sub(&b.Total, &b.Claimed)
		sum.Add(&sum, &left)
		list = append(list, ref)
		return nil
	})
	return list, sum, err
}
