package validator

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

// ChallengeFormat names the layout of the document behind a challenge.
const ChallengeFormat = "openledger/challenge/1"

// ChallengeDocument is what a challenger shows the committee. Its SHA2-256 goes on the
// chain with the challenge. It proves nothing: members look for themselves.
type ChallengeDocument struct {
	Format     string           `json:"format"`
	ChainID    uint64           `json:"chain_id"`
	Settlement protocol.Account `json:"settlement"`
	Finding    Finding          `json:"finding"`
}

const maxChallengeBytes = 64 << 10

// EncodeChallenge is the document of a finding, as committees read it.
func EncodeChallenge(c *chain.Client, f Finding) ([]byte, error) {
	if len(f.Detail) > 4096 {
		f.Detail = f.Detail[:4096]
	}
	f.Unable = nil
	return json.Marshal(&ChallengeDocument{Format: ChallengeFormat, ChainID: c.ChainID(), Settlement: c.Addresses().Settlement, Finding: f})
}

// parseChallenge reads a foreign document strictly.
func parseChallenge(b []byte) (d ChallengeDocument, err error) {
	if len(b) > maxChallengeBytes {
		return d, protocol.Errorf(protocol.KindInvalid, "challenge", "has %d bytes: at most %d", len(b), maxChallengeBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return d, protocol.Errorf(protocol.KindInvalid, "challenge", "is no challenge: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return d, protocol.Errorf(protocol.KindInvalid, "challenge", "has bytes after its end")
	}
	if d.Format != ChallengeFormat {
		return d, protocol.Errorf(protocol.KindInvalid, "format", "is %q: this version reads %q", d.Format, ChallengeFormat)
	}
	return d, nil
}

// challenge brings a finding to the chain, once.
func (s *Service) challenge(ctx context.Context, b BatchState) error {
	if s.cfg.Observe {
		return s.journal.putBatch(b)
	}
	last, _, err := s.cfg.Chain.DisputeOf(ctx, b.Worker, b.Nonce)
	if err != nil {
		return err
	}
	if last != 0 { // ours from before a crash, or another's: a committee has looked, or will
		return s.disputed(ctx, b)
	}
	f := *b.Finding
	raw, err := EncodeChallenge(s.cfg.Chain, f)
	if err != nil {
		return err
	}
	if b.Evidence, err = s.cfg.Blocks.Put(ctx, raw); err != nil {
		return err
	}
	b.Status = Challenging
	if err := s.cfg.step("note challenging"); err != nil {
		return err
	}
	if err := s.journal.putBatch(b); err != nil {
		return err
	}
	if err := s.cfg.step("send challenge"); err != nil {
		return err
	}
	id, tx, err := s.send(ctx, b)
	if err != nil {
		// Perhaps another validator was first, or the transaction came through after all: the
		// next look at the chain tells.
		if r, ok := chain.Refused(err); ok && slices.Contains(overtakenBy, r.Name) {
			return nil
		}
		return err
	}
	b.Dispute, b.ChallengeTx = id, tx.Hash
	s.metrics.challenges.WithLabelValues(f.Reason.String()).Inc()
	s.cfg.Logger.Warn("challenged", "subject", s.name(b.Worker, b.Nonce), "reason", f.Reason, "dispute", id, "tx", tx.Hash)
	return s.done(b, Challenged, b.Problem)
}

// overtakenBy are the contracts' refusals when another's challenge, or the end of the
// window, came first.
var overtakenBy = []string{"NotChallengeable", "WrongBond", "WrongStage", "EpochWindowClosed"}

func (s *Service) send(ctx context.Context, b BatchState) (uint64, chain.Tx, error) {
	if s.isEpoch(b.Worker) {
		return s.cfg.Sender.ChallengeEpoch(ctx, uint32(b.Nonce), b.Finding.Reason, b.Evidence)
	}
	return s.cfg.Sender.Challenge(ctx, b.Worker, b.Nonce, b.Finding.Reason, b.Evidence)
}
