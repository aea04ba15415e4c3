package node

import (
	"context"
	"sync"
	"time"

	"github.com/holiman/uint256"
	"golang.org/x/sync/errgroup"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/epoch"
	"github.com/openledger/openledger/worker/settle"
)

// accounts says what the network owes to accounts. What a batch pays never changes: it is
// worked out once for each account asked about, and only what can change is read again.
type accounts struct {
	*explainer
	epochs *epoch.Builder

	turns chan struct{} // who works batches out
	mu    sync.Mutex
	kept  map[protocol.Account]*earned
	order []protocol.Account         // of kept, the one asked about longest ago first
	gone  map[protocol.Hash]goneTill // documents that nobody had
}

// goneTill is when a document is looked for again.
type goneTill struct {
	at   time.Time
	wait time.Duration
}

const (
	keptAccounts   = 256
	accountTurns   = 2
	accountTimeout = time.Minute
	// A document that nobody has must not hold up what everybody has: it is given up soon
	// and looked for again after a while, which doubles each time.
	documentTimeout = 5 * time.Second
	documentsAtOnce = 8
	goneAtFirst     = 15 * time.Second
	goneAtMost      = time.Hour
)

// earned is what is known of one account.
type earned struct {
	mu       sync.Mutex
	next     uint64       // block to go on from
	unread   []namedBatch // whose documents nobody had
	earnings []settle.Earning
}

type namedBatch struct {
	chain.BatchEvent
	tx protocol.Hash
}

func newAccounts(x *explainer) *accounts {
	return &accounts{explainer: x, turns: make(chan struct{}, accountTurns), kept: map[protocol.Account]*earned{}, gone: map[protocol.Hash]goneTill{},
		epochs: &epoch.Builder{Chain: x.client, Blocks: x.claims.Blocks, Checks: x.claims.Checks}}
}

// of gives what is known of an account, and forgets the one asked about longest ago.
func (a *accounts) of(account protocol.Account) *earned {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, k := range a.order {
		if k == account {
			a.order = append(append(a.order[:i:i], a.order[i+1:]...), account)
			return a.kept[account]
		}
	}
	if len(a.order) >= keptAccounts {
		delete(a.kept, a.order[0])
		a.order = a.order[1:]
	}
	e := &earned{next: a.client.Addresses().Block}
	a.kept[account], a.order = e, append(a.order, account)
	return e
}

// Account reads what the chain has of an account.
func (a *accounts) Account(ctx context.Context, account protocol.Account) (api.AccountView, error) {
	v := api.AccountView{Account: account}
	all, err := a.Earnings(ctx, account)
	if err != nil {
		return v, err
	}
	v.Owed = all.Owed
	if v.Balance, err = a.client.Balance(ctx, account); err != nil {
		return v, err
	}
	if v.Nonce, err = a.client.Nonce(ctx, account); err != nil {
		return v, err
	}
	if v.Escrow.Held, err = a.client.EscrowOf(ctx, account); err != nil {
		return v, err
	}
	if v.Escrow.Available, err = a.client.AvailableOf(ctx, account); err != nil {
		return v, err
	}
	session, err := a.client.SessionOf(ctx, account, a.coord.SessionAccount())
	if err != nil {
		return v, err
	}
	v.Escrow.Limit, v.Escrow.Spent, v.Escrow.Expires = session.Limit, session.Spent, session.Expires
	stake, err := a.client.StakeOf(ctx, account)
	v.Stake = api.StakeView(stake)
	return v, err
}

// Earnings lists what batches and epochs owe or have paid to an account.
func (a *accounts) Earnings(ctx context.Context, account protocol.Account) (api.Earnings, error) {
	ctx, cancel := context.WithTimeout(ctx, accountTimeout)
	defer cancel()
	out := api.Earnings{Account: account}
	select {
	case a.turns <- struct{}{}:
		defer func() { <-a.turns }()
	case <-ctx.Done():
		return out, ctx.Err()
	}
	e := a.of(account)
	e.mu.Lock()
	defer e.mu.Unlock()
	err := a.refresh(ctx, account, e)
	if protocol.KindOf(err) == protocol.KindNotFound { // the chain went back behind a batch
		e.next, e.unread, e.earnings = a.client.Addresses().Block, nil, nil
		err = a.refresh(ctx, account, e)
	}
	if err != nil {
		return out, err
	}
	owed, err := a.epochs.Owed(ctx, account)
	if err != nil {
		return out, err
	}
	out.Unreadable = len(e.unread)
	out.Epochs = api.EpochOwed{Epoch: owed.Epoch, Cumulative: owed.Cumulative, Claimed: owed.Claimed, Due: owed.Due, Proof: owed.Proof}
	out.Claimed, out.Claimable = owed.Claimed, owed.Due
	for i := range e.earnings {
		one := &e.earnings[i]
		v := earningView(one)
		if v.Claimed {
			out.Claimed.Add(&out.Claimed, &v.Claim.Amount)
		}
		if v.Due {
			out.Claimable.Add(&out.Claimable, &v.Claim.Amount)
		}
		if one.Status != chain.BatchRejected {
			out.Earned.Add(&out.Earned, &v.Claim.Amount)
		}
		out.Earnings = append(out.Earnings, v)
	}
	var had uint256.Int
	had.Add(&out.Claimed, &out.Claimable)
	if had.Gt(&out.Earned) { // of batches that nobody can read now, paid by epochs
		out.Earned = had
	}
	out.Waiting.Sub(&out.Earned, &had)
	return out, nil
}

// refresh reads new batches, tries those again that could not be read, and reads what may
// have changed of the others.
func (a *accounts) refresh(ctx context.Context, account protocol.Account, e *earned) error {
	batches := e.unread
	next, err := a.client.EachBatch(ctx, protocol.Account{}, e.next, 0, func(b chain.BatchEvent, ev chain.Event) error {
		batches = append(batches, namedBatch{b, ev.Tx})
		return nil
	})
	if err != nil {
		return err
	}
	results := a.read(ctx, batches)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var unread []namedBatch
	var found []settle.Earning
	for i, b := range batches {
		if results[i] == nil {
			unread = append(unread, b)
			continue
		}
		one, ok, err := results[i].Earning(account)
		if err != nil {
			return err
		}
		if ok {
			one.DataDigest, one.Tx = b.DataDigest, b.tx
			found = append(found, one)
		}
	}
	e.next, e.unread, e.earnings = next, unread, append(e.earnings, found...)
	for i := range e.earnings {
		one := &e.earnings[i]
		if one.Claimed || one.Status == chain.BatchRejected {
			continue
		}
		b, err := a.client.Batch(ctx, one.Claim.Worker, one.Claim.Nonce)
		if err != nil {
			return err
		}
		one.ClaimableAt, one.Status, one.Held = b.ClaimableAt, b.Status, b.Held
		if one.Claimed, err = a.client.IsClaimed(ctx, one.Claim.Worker, one.Claim.Nonce, one.Claim.Index); err != nil {
			return err
		}
	}
	return nil
}

// read works batches out, several at once. Nil: its document cannot be had now.
func (a *accounts) read(ctx context.Context, batches []namedBatch) []*settle.Result {
	out := make([]*settle.Result, len(batches))
	var g errgroup.Group
	g.SetLimit(documentsAtOnce)
	for i, b := range batches {
		a.mu.Lock()
		later := time.Now().Before(a.gone[b.DataDigest].at)
		a.mu.Unlock()
		if later {
			continue
		}
		g.Go(func() error {
			one, cancel := context.WithTimeout(ctx, documentTimeout)
			defer cancel()
			r, err := a.claims.Batch(one, b.BatchEvent)
			if ctx.Err() != nil {
				return nil // it is not the document's fault
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			if err == nil {
				delete(a.gone, b.DataDigest)
				out[i] = r
				return nil
			}
			wait := min(max(2*a.gone[b.DataDigest].wait, goneAtFirst), goneAtMost)
			a.gone[b.DataDigest] = goneTill{time.Now().Add(wait), wait}
			return nil
		})
	}
	_ = g.Wait() // none of them fails
	return out
}

func earningView(e *settle.Earning) api.Earning {
	c := &e.Claim
	// The status is that of the block to come, whatever our clock says.
	due := e.Open() && !e.Held && e.Status == chain.BatchClaimable
	v := api.Earning{
		Claim:    api.Claim{Worker: c.Worker, Nonce: c.Nonce, Index: c.Index, Account: c.Account, Amount: c.Amount},
		Document: e.DataDigest, Tx: e.Tx, ClaimableAt: e.ClaimableAt, Claimed: e.Claimed, Due: due, Status: string(e.Status), Held: e.Held,
	}
	for _, p := range c.Proof {
		v.Claim.Proof = append(v.Claim.Proof, api.ProofNode(p))
	}
	for _, s := range e.Shares {
		v.Shares = append(v.Shares, api.EarningShare{Receipt: s.Receipt, Adapter: s.Adapter, Datanet: s.Datanet, Agent: s.Agent, Role: string(s.Role), Record: s.Record, Amount: s.Amount, At: s.At})
	}
	return v
}
