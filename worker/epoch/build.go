package epoch

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
	"github.com/openledger/openledger/worker/settle"
)

// Builder computes epochs from the chain and the documents of batches.
type Builder struct {
	Chain  *chain.Client
	Blocks settle.Blocks
	// Checks are applied to every batch's document.
	Checks settle.Checks

	mu     sync.Mutex
	leaves map[chain.BatchRef][]payout.Payout // of batches that were checked already
}

// Result is what an epoch comes to.
type Result struct {
	Document *Document
	Tree     *payout.CumulativeTree
}

// Compute works an epoch out anew: the tree of the finalised epoch before it, plus the
// leaves of its own batches that were not claimed singly before it held them.
func (b *Builder) Compute(ctx context.Context, id uint32) (*Result, error) {
	e, err := b.Chain.Epoch(ctx, id)
	if err != nil {
		return nil, err
	}
	if e.Stage == chain.EpochRejected || e.Stage == chain.EpochAbandoned {
		return nil, protocol.Errorf(protocol.KindInvalid, "epoch", "%d is %s: its batches were let go, and nothing follows from it", id, e.Stage)
	}
	d := &Document{Manifest: Manifest{Format: Format, ChainID: b.Chain.ChainID(), Distributor: b.Chain.Addresses().Epochs, Epoch: id}}
	previous, ok, err := b.previous(ctx, id)
	if err != nil {
		return nil, err
	}
	var before []payout.Payout
	if ok {
		d.Manifest.Previous, d.Manifest.PreviousDocument = previous.ID, previous.Document
		r, err := b.finalised(ctx, previous)
		if err != nil {
			return nil, err
		}
		before = r.Document.Payouts
	}
	owed, err := b.own(ctx, e, d)
	if err != nil {
		return nil, err
	}
	if d.Payouts, err = payout.Accumulate(before, owed); err != nil {
		return nil, err
	}
	tree, err := payout.NewCumulativeTree(d.Payouts)
	if err != nil {
		return nil, err
	}
	d.Manifest.Root, d.Manifest.Amount, d.Manifest.Cumulative = tree.Root(), e.Amount, tree.Total()
	return &Result{Document: d, Tree: tree}, nil
}

// previous is the newest epoch before id that was finalised.
func (b *Builder) previous(ctx context.Context, id uint32) (chain.Epoch, bool, error) {
	all, err := b.Chain.Epochs(ctx)
	if err != nil {
		return chain.Epoch{}, false, err
	}
	for _, e := range slices.Backward(all) {
		if e.ID < id && e.Stage == chain.EpochFinalised {
			return e, true, nil
		}
	}
	return chain.Epoch{}, false, nil
}

// finalised gives a finalised epoch: from its document, or computed anew if nobody has
// it. It is the chain's root that counts, whatever the document says.
func (b *Builder) finalised(ctx context.Context, e chain.Epoch) (*Result, error) {
	d, tree, err := Load(ctx, b.Blocks, e.Document)
	if err == nil && tree.Root() == e.Root {
		return &Result{Document: d, Tree: tree}, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	r, cerr := b.Compute(ctx, e.ID)
	if cerr != nil {
		return nil, fmt.Errorf("epoch %d has no readable document (%w), and it cannot be computed: %w", e.ID, err, cerr)
	}
	if r.Tree.Root() != e.Root {
		return nil, protocol.Errorf(protocol.KindCorrupt, "root", "epoch %d was finalised with the root %s, which its batches do not come to (%s), and its document %s is not to be had", e.ID, e.Root, r.Tree.Root(), e.Document)
	}
	return r, nil
}

// own puts the epoch's batches into the document and gives what they owe.
func (b *Builder) own(ctx context.Context, e chain.Epoch, d *Document) ([]payout.Payout, error) {
	held, err := b.Chain.EpochBatches(ctx, e.ID)
	if err != nil {
		return nil, err
	}
	if len(held) != int(e.Batches) {
		return nil, protocol.Errorf(protocol.KindUnavailable, "batches", "epoch %d has %d, the chain's events tell of %d: ask a node that has all events", e.ID, e.Batches, len(held))
	}
	slices.SortFunc(held, func(x, y chain.HeldBatch) int {
		return cmp.Or(bytes.Compare(x.Worker[:], y.Worker[:]), cmp.Compare(x.Nonce, y.Nonce))
	})
	batches := make([]chain.Batch, len(held))
	var partly []protocol.Account
	for i, h := range held {
		if batches[i], err = b.Chain.Batch(ctx, h.Worker, h.Nonce); err != nil {
			return nil, err
		}
		if !h.Remainder.Eq(&batches[i].Total) && !slices.Contains(partly, h.Worker) {
			partly = append(partly, h.Worker)
		}
	}
	claimed := map[chain.BatchRef]map[uint32]bool{}
	if err := b.Chain.EachClaimed(ctx, partly, func(c chain.ClaimedEvent) error {
		ref := chain.BatchRef{Worker: c.Worker, Nonce: c.Nonce}
		if claimed[ref] == nil {
			claimed[ref] = map[uint32]bool{}
		}
		claimed[ref][c.Index] = true
		return nil
	}); err != nil {
		return nil, err
	}
	var shares []payout.Share
	for i, h := range held {
		leaves, err := b.leavesOf(ctx, batches[i])
		if err != nil {
			return nil, err
		}
		var left uint256.Int
		for j := range leaves {
			if claimed[h.BatchRef][uint32(j)] {
				continue
			}
			left.Add(&left, &leaves[j].Amount)
			shares = append(shares, payout.Share{Account: leaves[j].Account, Amount: leaves[j].Amount})
		}
		if !left.Eq(&h.Remainder) {
			return nil, protocol.Errorf(protocol.KindUnavailable, "claims", "batch %d of worker %s had %s wei left, the chain's events leave %s: ask a node that has all events", h.Nonce, h.Worker, h.Remainder.Dec(), left.Dec())
		}
		d.Batches = append(d.Batches, Batch{Worker: h.Worker, Nonce: h.Nonce, Document: batches[i].DataDigest, Remainder: h.Remainder})
	}
	return payout.Aggregate(shares)
}

// leavesOf are a batch's payouts, from its document, which must come to what is on the
// chain.
func (b *Builder) leavesOf(ctx context.Context, on chain.Batch) ([]payout.Payout, error) {
	ref := chain.BatchRef{Worker: on.Worker, Nonce: on.Nonce}
	b.mu.Lock()
	known, ok := b.leaves[ref]
	b.mu.Unlock()
	if ok {
		return known, nil
	}
	c := settle.Claims{Chain: b.Chain, Blocks: b.Blocks, Checks: b.Checks}
	r, err := c.Batch(ctx, chain.BatchEvent{Worker: on.Worker, Nonce: on.Nonce, Root: on.Root, Total: on.Total, Count: on.Count, DataDigest: on.DataDigest})
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.leaves == nil {
		b.leaves = map[chain.BatchRef][]payout.Payout{}
	}
	b.leaves[ref] = r.Payouts
	return r.Payouts, nil
}

// forget drops what is remembered of batches, which are swept.
func (b *Builder) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leaves = nil
}

// Verify computes an epoch anew and compares it with what the chain has: its root, its
// cumulative amount and the digest of its document. An error of kind corrupt says what
// differs: such an epoch should be challenged.
func (b *Builder) Verify(ctx context.Context, id uint32) (*Result, error) {
	e, err := b.Chain.Epoch(ctx, id)
	if err != nil {
		return nil, err
	}
	if e.Stage == chain.EpochBuilding {
		return nil, protocol.Errorf(protocol.KindBusy, "epoch", "%d is still being built: it has no root yet", id)
	}
	r, err := b.Compute(ctx, id)
	if err != nil {
		return nil, err
	}
	digest, err := r.Document.Digest()
	if err != nil {
		return nil, err
	}
	if root, total := r.Tree.Root(), r.Tree.Total(); root != e.Root || !total.Eq(&e.Cumulative) {
		return r, protocol.Errorf(protocol.KindCorrupt, "root", "epoch %d has the root %s over %s wei, its batches come to %s over %s", id, e.Root, e.Cumulative.Dec(), root, total.Dec())
	}
	if digest != e.Document {
		return r, protocol.Errorf(protocol.KindCorrupt, "document", "epoch %d names the document %s, its batches come to %s", id, e.Document, digest)
	}
	return r, nil
}
