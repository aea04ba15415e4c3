package settle

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
)

// Claims finds and claims what batches owe to an account.
type Claims struct {
	Chain  *chain.Client
	Blocks Blocks
	// Checks are applied to every document before its proofs are used.
	Checks Checks
	// Unreadable, when it is set, is told of batches whose document nobody has or that
	// do not follow from it, and Earnings goes on without them: one bad batch must not
	// stand between an account and what the others owe it. Else they are errors.
	Unreadable func(chain.BatchEvent, error)
	// Keep is how many batches are kept worked out for the next question.
	Keep int

	mu    sync.Mutex
	kept  map[protocol.Hash]*Result // by digest of the document
	order []protocol.Hash           // of kept, the oldest first
}

// Earning is what one batch owes, or has paid, to an account.
type Earning struct {
	Claim       chain.Claim    `json:"claim"`
	Shares      []EarningShare `json:"shares"` // of single receipts; they add up to the claim's amount
	DataDigest  protocol.Hash  `json:"data_digest"`
	Tx          protocol.Hash  `json:"tx"`           // of the batch
	ClaimableAt int64          `json:"claimable_at"` // Unix seconds
	Claimed     bool           `json:"claimed"`
	// Status is the batch's: a disputed one pays later or never, a rejected one never; what
	// a swept one has not paid is in the epochs, to be claimed from there.
	Status chain.BatchStatus `json:"status"`
	// Held: it waits for an epoch that is being made.
	Held bool `json:"held"`
}

// Due says whether the earning can be claimed singly at time now (Unix seconds).
func (e *Earning) Due(now int64) bool {
	return e.Open() && e.Status != chain.BatchDisputed && e.Status != chain.BatchSwept && !e.Held && e.ClaimableAt <= now
}

// Open says whether the earning is neither claimed nor lost.
func (e *Earning) Open() bool { return !e.Claimed && e.Status != chain.BatchRejected }

// EarningShare is an account's part in one receipt.
type EarningShare struct {
	Receipt protocol.Hash `json:"receipt"`
	Adapter protocol.Hash `json:"adapter"`
	Datanet uint64        `json:"datanet,omitempty"` // that was read, or that the model was trained on
	Agent   uint64        `json:"agent,omitempty"`   // that was asked
	Role    payout.Role   `json:"role"`
	Record  protocol.Hash `json:"record"` // for contributors
	Amount  uint256.Int   `json:"amount"`
	At      int64         `json:"at"` // Unix ms
}

// Earnings lists what the batches in blocks from.. owe to an account, the oldest
// first, and the block to go on from next time. A document that nobody has is an
// error unless Unreadable is set: the money waits, ask again when its worker is back.
func (c *Claims) Earnings(ctx context.Context, account protocol.Account, from uint64) (out []Earning, next uint64, err error) {
	all, next, err := c.EarningsOf(ctx, []protocol.Account{account}, from)
	return all[0], next, err
}

// EarningsOf is [Claims.Earnings] for many accounts, in their order: every document is
// read once.
func (c *Claims) EarningsOf(ctx context.Context, accounts []protocol.Account, from uint64) (out [][]Earning, next uint64, err error) {
	out = make([][]Earning, len(accounts))
	next, err = c.Chain.EachBatch(ctx, protocol.Account{}, from, 0, func(b chain.BatchEvent, ev chain.Event) error {
		r, err := c.Batch(ctx, b)
		if err != nil && c.Unreadable != nil && ctx.Err() == nil {
			c.Unreadable(b, err)
			return nil
		}
		if err != nil {
			return err
		}
		for i, account := range accounts {
			e, ok, err := c.earning(ctx, r, account, b, ev)
			if err != nil {
				return err
			}
			if ok {
				out[i] = append(out[i], e)
			}
		}
		return nil
	})
	return out, next, err
}

// earning is what a batch pays to an account, and where that stands on the chain.
func (c *Claims) earning(ctx context.Context, r *Result, account protocol.Account, b chain.BatchEvent, ev chain.Event) (Earning, bool, error) {
	e, ok, err := r.Earning(account)
	if err != nil || !ok {
		return e, false, err
	}
	now, err := c.Chain.Batch(ctx, b.Worker, b.Nonce)
	if err != nil {
		return e, false, err
	}
	// A dispute stops the window's clock: the event's time may be too early by now.
	e.DataDigest, e.Tx, e.ClaimableAt, e.Status = b.DataDigest, ev.Tx, now.ClaimableAt, now.Status
	e.Held = now.Held
	e.Claimed, err = c.Chain.IsClaimed(ctx, b.Worker, b.Nonce, e.Claim.Index)
	return e, err == nil, err
}

// Batch fetches a submitted batch's document, works it out and compares it with
// what was submitted.
func (c *Claims) Batch(ctx context.Context, b chain.BatchEvent) (*Result, error) {
	r, err := c.result(ctx, b.DataDigest)
	if err != nil {
		return nil, fmt.Errorf("batch %d of worker %s: %w", b.Nonce, b.Worker, err)
	}
	m := &r.Document.Manifest
	if r.Root != b.Root || !r.Total.Eq(&b.Total) || m.Worker != b.Worker || m.Nonce != b.Nonce {
		return nil, protocol.Errorf(protocol.KindCorrupt, "root", "batch %d of worker %s does not follow from its document %s: it should be challenged", b.Nonce, b.Worker, b.DataDigest)
	}
	return r, nil
}

// result works a document out, or has it from before: what follows from a digest never
// changes.
func (c *Claims) result(ctx context.Context, digest protocol.Hash) (*Result, error) {
	c.mu.Lock()
	r := c.kept[digest]
	c.mu.Unlock()
	if r != nil {
		return r, nil
	}
	r, err := Recompute(ctx, c.Blocks, digest, c.Checks)
	if err != nil || c.Keep == 0 {
		return r, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil {
		c.kept = map[protocol.Hash]*Result{}
	}
	if c.kept[digest] == nil {
		if len(c.order) >= c.Keep {
			delete(c.kept, c.order[0])
			c.order = c.order[1:]
		}
		c.kept[digest] = r
		c.order = append(c.order, digest)
	}
	return r, nil
}

// Earning is what the batch pays to an account, with the shares that make it up.
func (r *Result) Earning(a protocol.Account) (Earning, bool, error) {
	claim, ok, err := r.Claim(a)
	if err != nil || !ok {
		return Earning{}, false, err
	}
	e := Earning{Claim: claim}
	for i, shares := range r.Shares {
		receipt := &r.Document.Entries[i].Receipt.Receipt
		for _, s := range shares {
			if s.Account == a {
				e.Shares = append(e.Shares, EarningShare{
					Receipt: receipt.ID, Adapter: receipt.Adapter, Datanet: cmp.Or(s.Datanet, receipt.Datanet), Agent: receipt.Agent, Role: s.Role, Record: s.Record, Amount: s.Amount, At: receipt.FinishedAt,
				})
			}
		}
	}
	return e, true, nil
}

// Claim pays out to an account what it has earned in blocks from.. and what can be
// claimed at time now (Unix seconds). Anybody may send it; the money goes to the
// account.
func (c *Claims) Claim(ctx context.Context, sender *chain.Sender, account protocol.Account, from uint64, now int64) (paid uint256.Int, n int, err error) {
	earnings, _, err := c.Earnings(ctx, account, from)
	if err != nil {
		return paid, 0, err
	}
	var due []chain.Claim
	for _, e := range earnings {
		if e.Due(now) {
			due = append(due, e.Claim)
			paid.Add(&paid, &e.Claim.Amount)
		}
	}
	if len(due) == 0 {
		return paid, 0, nil
	}
	if _, err := sender.ClaimMany(ctx, due); err != nil {
		return uint256.Int{}, 0, err
	}
	return paid, len(due), nil
}
