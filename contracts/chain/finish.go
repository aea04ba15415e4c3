package chain

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/core/types"
)

// finish waits until one version is in a block that counts as there for good, sending the
// transaction again when the node does not know it any more, at once when a
// reorganisation took it out, and raising its fee when it is stuck.
func (s *Sender) finish(ctx context.Context, n *sending) (*types.Receipt, error) {
	last := time.Now()
	if n.inherited {
		last = time.Time{} // whether it was ever sent, nobody knows
	}
	var used time.Time // since when the nonce is, and by none of ours as far as the node shows
	included := false
	for wait := s.c.cfg.PollEvery; ; {
		was := included
		included = false
		for _, tx := range n.versions {
			r, err := s.c.eth.TransactionReceipt(ctx, tx.Hash())
			if err == nil {
				var final bool
				if r, final, err = s.final(ctx, r); err != nil || final {
					return r, err
				}
				included, used = true, time.Time{}
				break
			}
			if !retriable(err) {
				return nil, err
			}
			if !errors.Is(err, ethereum.NotFound) {
				used = time.Time{}
			}
		}
		if was && !included {
			s.c.log.Info("a reorganisation took a transaction out: sending it again", "what", n.What, "nonce", n.Nonce)
			last = time.Time{}
		}
		// Receipts may come later than the nonce: to send anew too early would pay twice.
		if !used.IsZero() && time.Since(used) >= overtakenAfter {
			return nil, errOvertaken
		}
		if !included {
			switch next, err := s.settledNonce(ctx); {
			case err != nil || next <= n.Nonce:
				used = time.Time{}
			case used.IsZero():
				used = time.Now()
			}
		}
		if !included && time.Since(last) >= s.c.cfg.ResendAfter {
			last = time.Now()
			if err := s.again(ctx, n); err != nil {
				return nil, err
			}
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, fmt.Errorf("transaction %s with nonce %d is not in a block for good yet: %w", n.newest().Hash(), n.Nonce, err)
		}
		wait = min(wait*5/4, max(time.Second, s.c.cfg.PollEvery))
	}
}

// settledNonce is the account's count of transactions that are in the chain for good.
func (s *Sender) settledNonce(ctx context.Context) (uint64, error) {
	if s.c.cfg.Confirmations <= 1 {
		return s.c.eth.NonceAt(ctx, s.key.Account(), nil)
	}
	head, _, err := s.c.Head(ctx)
	if err != nil || head+1 < s.c.cfg.Confirmations {
		return 0, err
	}
	return s.c.eth.NonceAt(ctx, s.key.Account(), new(big.Int).SetUint64(head+1-s.c.cfg.Confirmations))
}

// overtakenAfter is how long a used nonce must stay without a receipt of ours before
// it counts as another program's.
const overtakenAfter = 3 * time.Second

// errOvertaken says that another program's transaction took the nonce of ours.
var errOvertaken = errors.New("the nonce was used by another program")

// final says whether a receipt's block has so many blocks on it that it counts as there
// for good. The receipt is looked at again after the height, so that a reorganisation in
// between shows.
func (s *Sender) final(ctx context.Context, r *types.Receipt) (*types.Receipt, bool, error) {
	if err := s.c.reach(ctx, r.BlockNumber); err != nil {
		return nil, false, err
	}
	if s.c.cfg.Confirmations <= 1 {
		return r, true, nil
	}
	head, _, err := s.c.Head(ctx)
	if err != nil {
		return nil, false, nil //nolint:nilerr // the node is away for a moment: ask again
	}
	if head+1 < r.BlockNumber.Uint64()+s.c.cfg.Confirmations {
		return nil, false, nil
	}
	again, err := s.c.eth.TransactionReceipt(ctx, r.TxHash)
	if errors.Is(err, ethereum.NotFound) || err != nil {
		return nil, false, nil //nolint:nilerr // gone, or the node is away: ask again
	}
	return again, again.BlockHash == r.BlockHash, nil
}

// reach waits until the node's newest block is number or later. A node may show a
// receipt a moment before its newest state has the block, and who reads then would not
// see what the transaction did.
func (c *Client) reach(ctx context.Context, number *big.Int) error {
	for {
		switch h, err := c.eth.HeaderByNumber(ctx, nil); {
		case err == nil && h.Number.Cmp(number) >= 0:
			return nil
		case err != nil && !retriable(err):
			return c.unavailable("read the newest block", err)
		}
		if err := sleep(ctx, c.cfg.PollEvery); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
