package validator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// disputes moves on every dispute that is not over: draws, votes, ends periods, refunds.
func (s *Service) disputes(ctx context.Context, now int64) error {
	low, err := s.journal.place(disputeLowKey)
	if err != nil {
		return err
	}
	list, err := s.cfg.Chain.Disputes(ctx, low+1)
	if err != nil {
		return err
	}
	var errs []error
	open, contiguous := 0, true
	for _, d := range list {
		over, err := s.dispute(ctx, d, now)
		if err != nil {
			errs = append(errs, fmt.Errorf("dispute %d: %w", d.ID, err))
		}
		if d.Status.Open() {
			open++
		}
		// Only what cannot come back: a resolution may be on a branch that is given up.
		if contiguous = contiguous && over && err == nil && now-d.Deadline > int64(settledAfter/time.Second); contiguous {
			errs = append(errs, s.journal.setPlace(disputeLowKey, d.ID))
		}
	}
	s.metrics.open.Set(float64(open))
	return errors.Join(errs...)
}

// settledAfter is how long after its last deadline a dispute that is over is looked at no
// more.
const settledAfter = 10 * time.Minute

// dispute does what is due in one dispute; over says that there is nothing left to do.
func (s *Service) dispute(ctx context.Context, d chain.Dispute, now int64) (over bool, err error) {
	switch {
	case d.Status == chain.DisputeGuilty && d.Epoch == 0:
		return s.refund(ctx, d)
	case !d.Status.Open():
		return true, nil
	case now > d.Deadline:
		if err := s.cfg.step("advance"); err != nil {
			return false, err
		}
		_, err := s.cfg.Sender.Advance(ctx, d.ID)
		return false, s.unlessOvertaken(ctx, d, err)
	case d.Status == chain.DisputeWaiting:
		if err := s.cfg.step("draw"); err != nil {
			return false, err
		}
		if _, err := s.cfg.Sender.Draw(ctx, d.ID); err != nil {
			return false, s.unlessOvertaken(ctx, d, err)
		}
		if d, err = s.cfg.Chain.Dispute(ctx, d.ID); err != nil || d.Status != chain.DisputeVoting {
			return false, err
		}
		fallthrough
	default:
		return false, s.vote(ctx, d, now)
	}
}

// unlessOvertaken forgets an error of a transaction whose aim somebody else has reached.
func (s *Service) unlessOvertaken(ctx context.Context, was chain.Dispute, err error) error {
	if err == nil {
		return nil
	}
	is, rerr := s.cfg.Chain.Dispute(ctx, was.ID)
	if rerr == nil && (is.Status != was.Status || is.Round != was.Round) {
		return nil
	}
	return err
}

// refund puts what a rejected batch drew back into escrow, unless that is done.
func (s *Service) refund(ctx context.Context, d chain.Dispute) (done bool, err error) {
	b, err := s.cfg.Chain.Batch(ctx, d.Worker, d.Nonce)
	if err != nil || b.Refunded {
		return err == nil, err
	}
	if err := s.cfg.step("refund"); err != nil {
		return false, err
	}
	_, err = s.cfg.Sender.Refund(ctx, d.Worker, d.Nonce)
	if b, rerr := s.cfg.Chain.Batch(ctx, d.Worker, d.Nonce); rerr == nil && b.Refunded {
		return true, nil
	}
	return err == nil, err
}

// vote judges a dispute in which this validator sits, and submits its verdict.
func (s *Service) vote(ctx context.Context, d chain.Dispute, now int64) error {
	seats, err := s.cfg.Chain.Seats(ctx, d.ID)
	if err != nil {
		return err
	}
	sits := false
	for _, seat := range seats {
		sits = sits || seat.Member == s.cfg.Sender.Account() && seat.Vote == chain.VoteNone
	}
	if !sits {
		return nil
	}
	v, ok, err := s.journal.verdict(d.ID, d.Round)
	if err != nil {
		return err
	}
	if !ok {
		v = VerdictState{Dispute: d.ID, Round: d.Round, Worker: d.Worker, Nonce: d.Nonce}
	}
	if v.Signed == nil {
		if v.NextTry > time.Now().UnixMilli() {
			return nil
		}
		if err := s.deliberate(ctx, d, &v, now); err != nil || v.Signed == nil {
			return err
		}
	}
	if err := s.cfg.step("send verdict"); err != nil {
		return err
	}
	if _, err := s.cfg.Sender.SubmitVerdict(ctx, *v.Signed); err != nil {
		return s.unlessOvertaken(ctx, d, err)
	}
	v.Submitted = true
	s.metrics.verdicts.WithLabelValues(map[bool]string{true: "guilty", false: "upheld"}[v.Signed.Verdict.Guilty]).Inc()
	s.cfg.Logger.Info("submitted a verdict", "dispute", d.ID, "round", d.Round, "guilty", v.Signed.Verdict.Guilty, "reason", v.Signed.Verdict.Reason)
	return s.journal.putVerdict(v)
}

// examine judges what is disputed for itself.
func (s *Service) examine(ctx context.Context, d chain.Dispute, timeout time.Duration) (Finding, error) {
	if d.Epoch != 0 {
		e, err := s.cfg.Chain.Epoch(ctx, d.Epoch)
		if err != nil {
			return Finding{}, err
		}
		if e.Document != d.DataDigest {
			return Finding{}, protocol.Errorf(protocol.KindStale, "data_digest", "the epoch has another document than the dispute: waiting for it")
		}
		return s.tryEpoch(ctx, e, timeout)
	}
	t, err := s.judge.Find(ctx, d.Worker, d.Nonce)
	if err != nil {
		return Finding{}, err
	}
	if t.DataDigest != d.DataDigest {
		return Finding{}, protocol.Errorf(protocol.KindStale, "data_digest", "the index has another batch than the dispute: waiting for it")
	}
	return s.try(ctx, t, s.whole(ctx, d), timeout)
}

// deliberate judges for itself and signs what comes out. It stays unsigned while data is
// missing, or when nothing can be said.
func (s *Service) deliberate(ctx context.Context, d chain.Dispute, v *VerdictState, now int64) error {
	left := time.Duration(max(1, d.Deadline-now)) * time.Second
	f, err := s.examine(ctx, d, s.within(s.cfg.FetchTimeout, left, 8))
	var gone *MissingError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &gone):
		periods, perr := s.votingSeconds(ctx)
		if perr != nil {
			return perr
		}
		s.metrics.missing.Inc()
		late := float64(d.Deadline-now) < (1-s.cfg.Patience)*float64(periods)
		if !s.cfg.Online() || !late || v.Missing+1 < s.cfg.Attempts {
			v.Missing++
			return s.putOff(v, left, err)
		}
		f.Guilty, f.Reason, f.Receipt, f.Detail = true, unavailable, gone.Receipt, gone.Error()
	case err != nil:
		return errors.Join(err, s.putOff(v, left, err))
	case !f.Guilty && len(f.Unable) > 0:
		// A verdict of innocence would say more than is known.
		return s.putOff(v, left, protocol.Errorf(protocol.KindUnavailable, "", "cannot judge: %s", f.Unable[0]))
	}
	v.Finding, v.Problem = &f, ""
	verdict := protocol.Verdict{Dispute: d.ID, Worker: d.Worker, Nonce: d.Nonce, DataDigest: d.DataDigest, Guilty: f.Guilty, Reason: f.Reason}
	signed, err := wire.SignVerdict(wire.Domain{ChainID: s.cfg.Chain.ChainID(), Contract: s.cfg.Chain.Addresses().Disputes}, verdict, s.cfg.Key)
	if err != nil {
		return err
	}
	v.Signed = &signed
	if err := s.cfg.step("note verdict"); err != nil {
		return err
	}
	return s.journal.putVerdict(*v)
}

func (s *Service) putOff(v *VerdictState, left time.Duration, why error) error {
	v.Problem = why.Error()
	v.NextTry = time.Now().Add(min(s.cfg.RetryEvery, left/20)).UnixMilli()
	s.cfg.Logger.Info("no verdict yet", "dispute", v.Dispute, "round", v.Round, "err", why)
	return s.journal.putVerdict(*v)
}

func (s *Service) votingSeconds(ctx context.Context) (uint64, error) {
	p, err := s.cfg.Chain.DisputeRules(ctx)
	return p.VotingSeconds, err
}

// whole chooses what a verdict rests on: the receipt that the challenger names, and all
// others as far as they can be run, by a seed that no party chose, the same for all
// members.
func (s *Service) whole(ctx context.Context, d chain.Dispute) Choose {
	var named []protocol.Hash
	if b, err := (bounded{s.cfg.Blocks, 2 * time.Second}).Get(ctx, d.Evidence); err == nil {
		if doc, err := parseChallenge(b); err == nil && doc.Finding.Receipt != (protocol.Hash{}) {
			named = append(named, doc.Finding.Receipt)
		}
	}
	var random protocol.Hash
	if b, err := s.cfg.Chain.BlockAt(ctx, d.DrawBlock); err == nil {
		random = b.Hash
	}
	return Sample(seed(nil, random, d.Worker, d.Nonce), 1, s.cfg.CommitteeRerun, named...)
}
