package chain

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/openledger/openledger/protocol"
)

// Journal keeps the transactions that are on their way, so that a program that was
// killed takes them up again instead of sending them twice. What PutSending took survives
// a crash once it returns.
type Journal interface {
	PutSending(key string, value []byte) error
	DeleteSending(key string) error
	// Sendings gives everything kept.
	Sendings() (map[string][]byte, error)
}

// sending is one transaction on its way, in all the versions that were signed: they share
// a nonce, so at most one of them is ever in the chain.
type sending struct {
	ChainID uint64           `json:"chain_id"`
	Account protocol.Account `json:"account"`
	Nonce   uint64           `json:"nonce"`
	What    string           `json:"what"`
	Once    string           `json:"once,omitempty"`
	Raw     [][]byte         `json:"raw,omitempty"`  // newest last
	Done    *protocol.Hash   `json:"done,omitempty"` // what came of a call with a name

	versions  []*types.Transaction
	inherited bool // taken over from an earlier call or process
}

func (n *sending) key() string {
	if n.Done != nil {
		return fmt.Sprintf("done/%d/%s/%s", n.ChainID, n.Account.Hex(), n.Once)
	}
	return fmt.Sprintf("sent/%d/%s/%020d", n.ChainID, n.Account.Hex(), n.Nonce)
}

// newest is the version that was signed last.
func (n *sending) newest() *types.Transaction { return n.versions[len(n.versions)-1] }

// sign adds a version, and writes it down before anybody else can see it.
func (s *Sender) sign(ctx context.Context, n *sending, inner types.TxData) error {
	tx, err := s.key.SignTx(ctx, types.NewTx(inner), s.c.chainID)
	if err != nil {
		return err
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		return fmt.Errorf("encode a transaction: %w", err)
	}
	n.versions, n.Raw = append(n.versions, tx), append(n.Raw, raw)
	if err := s.put(n); err != nil {
		n.versions, n.Raw = n.versions[:len(n.versions)-1], n.Raw[:len(n.Raw)-1]
		return err
	}
	return nil
}

func (s *Sender) put(n *sending) error {
	if s.line.journal == nil {
		return nil
	}
	blob, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode the record of a transaction: %w", err)
	}
	if err := s.line.journal.PutSending(n.key(), blob); err != nil {
		return fmt.Errorf("write down a transaction before it is sent: %w", err)
	}
	return nil
}

func (s *Sender) forget(n *sending) error {
	if s.line.journal == nil {
		return nil
	}
	if err := s.line.journal.DeleteSending(n.key()); err != nil {
		return fmt.Errorf("strike a transaction from the journal: %w", err)
	}
	return nil
}

// Keep has the sender write its transactions down before it sends them, and takes over
// those that the journal has: the next call first sees them to their end. It is called
// once, before the first call.
func (s *Sender) Keep(j Journal) error {
	kept, err := j.Sendings()
	if err != nil {
		return fmt.Errorf("read the journal of transactions: %w", err)
	}
	s.line.mu.Lock()
	defer s.line.mu.Unlock()
	s.line.journal = j
	for key, blob := range kept {
		n := new(sending)
		if err := json.Unmarshal(blob, n); err != nil {
			return protocol.Errorf(protocol.KindCorrupt, "journal", "the transaction %q cannot be read: %w", key, err)
		}
		if n.ChainID != s.c.ChainID() || n.Account != s.Account() {
			continue
		}
		if n.Done != nil {
			s.line.done[n.Once] = *n.Done
			continue
		}
		for _, raw := range n.Raw {
			tx := new(types.Transaction)
			if err := tx.UnmarshalBinary(raw); err != nil || tx.Nonce() != n.Nonce {
				return protocol.Errorf(protocol.KindCorrupt, "journal", "the transaction %q cannot be read: %w", key, errors.Join(err, errWrongNonce))
			}
			n.versions = append(n.versions, tx)
		}
		if len(n.versions) > 0 {
			n.inherited = true
			s.line.left = append(s.line.left, n)
		}
	}
	slices.SortFunc(s.line.left, func(a, b *sending) int { return cmp.Compare(a.Nonce, b.Nonce) })
	return nil
}

var errWrongNonce = errors.New("it is not the transaction of its nonce")

// Once gives a sender whose call, under a name, has its effect once: a call of the same
// name, also by a later process with the same journal, gives the transaction that the
// first one became. A call that the contract refused may be made again. The names are
// kept for good.
func (s *Sender) Once(name string) *Sender {
	return &Sender{c: s.c, key: s.key, line: s.line, once: name}
}

// takeUp sees to their end the transactions that an earlier process, or a call that gave
// up, left on their way. Their nonces come before any new one.
func (s *Sender) takeUp(ctx context.Context) error {
	if err := s.line.taking.acquire(ctx); err != nil {
		return err
	}
	defer s.line.taking.release()
	for {
		s.line.mu.Lock()
		if len(s.line.left) == 0 {
			s.line.mu.Unlock()
			return nil
		}
		n := s.line.left[0]
		s.line.mu.Unlock()
		err := s.end(ctx, n)
		if err != nil && !errors.Is(err, errOvertaken) {
			return fmt.Errorf("an earlier transaction (%s, nonce %d) is still on its way: %w", n.What, n.Nonce, err)
		}
		s.c.log.Info("an earlier transaction has ended", "what", n.What, "nonce", n.Nonce, "overtaken", err != nil)
		s.line.mu.Lock()
		s.line.left = slices.DeleteFunc(s.line.left, func(x *sending) bool { return x == n })
		s.line.mu.Unlock()
	}
}

// end waits for one inherited transaction and writes down how it ended.
func (s *Sender) end(ctx context.Context, n *sending) error {
	ctx, cancel := context.WithTimeout(ctx, s.c.cfg.Timeout)
	defer cancel()
	r, err := s.finish(ctx, n)
	if err != nil {
		if errors.Is(err, errOvertaken) {
			return errors.Join(err, s.forget(n))
		}
		return err
	}
	return s.settle(n, r)
}

// settle writes down how a transaction ended, for good.
func (s *Sender) settle(n *sending, r *types.Receipt) error {
	if n.Once != "" && r.Status == types.ReceiptStatusSuccessful {
		done := &sending{ChainID: n.ChainID, Account: n.Account, Nonce: n.Nonce, What: n.What, Once: n.Once, Done: &r.TxHash}
		if err := s.put(done); err != nil {
			return err
		}
		s.line.mu.Lock()
		s.line.done[n.Once] = r.TxHash
		s.line.mu.Unlock()
	}
	return s.forget(n)
}
