package validator

import (
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/devchain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
	"github.com/openledger/openledger/worker/epoch"
)

// epochWindow is that of batches and of epochs here: long for any machine, short enough
// that many of them fit in before vouchers expire.
const epochWindow = 15 * time.Minute

func newEpochWorld(t *testing.T) *world {
	t.Helper()
	return newWorldWith(t, func(p *devchain.Params) {
		p.Settlement.ChallengeWindowSeconds = uint64(epochWindow / time.Second)
		p.Epochs.ChallengeWindowSeconds = uint64(epochWindow / time.Second)
	})
}

// falsehood changes what an otherwise honest proposer commits to.
type falsehood struct {
	batch    lie                   // of the epoch's batch
	document func(*epoch.Document) // before its root is computed
	root     func(*protocol.Hash)  // after
	digest   func(*protocol.Hash)
	withhold bool // the document
}

// claimable settles an honest batch and lets its window pass unseen.
func (w *world) claimable(l lie) chain.BatchRef {
	x := w.worker()
	x.settle(l, x.entry(w.plain, l), x.entry(w.tuned, l))
	require.NoError(w.t, w.chain.AdvanceTime(epochWindow+time.Second))
	return chain.BatchRef{Worker: x.owner.Account()}
}

// propose brings an epoch of batches to the chain, honest but for what is false.
func (w *world) propose(f falsehood, batches ...chain.BatchRef) chain.Epoch {
	t, ctx, s := w.t, w.t.Context(), w.client.As(key(w.t, "proposer"))
	params, err := w.client.EpochParams(ctx)
	require.NoError(t, err)
	_, err = s.OpenEpoch(ctx, params.Bond, batches)
	require.NoError(t, err)
	id, _, err := w.client.CurrentEpochs(ctx)
	require.NoError(t, err)
	root, digest := protocol.Hash{1}, protocol.Hash{2}
	b := &epoch.Builder{Chain: w.client, Blocks: w.blocks}
	if r, err := b.Compute(ctx, id); err == nil { // else it makes something up
		if f.document != nil {
			f.document(r.Document)
		}
		tree, err := payout.NewCumulativeTree(r.Document.Payouts)
		require.NoError(t, err)
		root = tree.Root()
		r.Document.Manifest.Root, r.Document.Manifest.Cumulative = root, tree.Total()
		if f.root != nil {
			f.root(&root)
		}
		if f.withhold {
			digest, err = r.Document.Digest()
		} else {
			digest, err = r.Document.Publish(ctx, w.blocks)
		}
		require.NoError(t, err)
	} else {
		require.True(t, f.batch.withhold, "%v", err)
	}
	if f.digest != nil {
		f.digest(&digest)
	}
	_, err = s.CommitEpoch(ctx, id, root, digest)
	require.NoError(t, err)
	e, err := w.client.Epoch(ctx, id)
	require.NoError(t, err)
	return e
}

func (w *world) credits(who protocol.Account) (disputes, epochs uint256.Int) {
	w.t.Helper()
	disputes, err := w.client.DisputeCredit(w.t.Context(), who)
	require.NoError(w.t, err)
	epochs, err = w.client.EpochCredit(w.t.Context(), who)
	require.NoError(w.t, err)
	return disputes, epochs
}

// Every lie of a proposer is found by the validators, challenged by one of them, and costs
// the proposer its bond; the batches go into the next, honest epoch, which validators let
// pass, and which pays.
func TestLiesOfProposers(t *testing.T) {
	w := newEpochWorld(t)
	watchers := w.validators(5)
	at := w.client.Addresses()
	all := map[string]struct {
		falsehood
		reason protocol.DisputeReason
		long   bool // much like another: with the long tests only
	}{
		"another root": {falsehood: falsehood{root: func(h *protocol.Hash) { h[0]++ }}, reason: arithmetic, long: true},
		"an account's amount lowered, its own raised": {falsehood: falsehood{document: func(d *epoch.Document) {
			d.Payouts[0].Amount.SubUint64(&d.Payouts[0].Amount, 1)
			d.Payouts[1].Amount.AddUint64(&d.Payouts[1].Amount, 1)
		}}, reason: arithmetic},
		"an account invented": {falsehood: falsehood{document: func(d *epoch.Document) {
			half := new(uint256.Int).Rsh(&d.Payouts[0].Amount, 1)
			d.Payouts[0].Amount.Sub(&d.Payouts[0].Amount, half)
			d.Payouts = append(d.Payouts, payout.Payout{Account: protocol.Account{0xff, 0xff}, Amount: *half})
			slices.SortFunc(d.Payouts, func(a, b payout.Payout) int { return a.Account.Cmp(b.Account) })
		}}, reason: arithmetic},
		"more than its batches had": {falsehood: falsehood{document: func(d *epoch.Document) {
			d.Payouts[0].Amount.AddUint64(&d.Payouts[0].Amount, 1)
		}}, reason: arithmetic},
		"the document of something else":       {falsehood: falsehood{document: func(d *epoch.Document) { d.Manifest.Amount.AddUint64(&d.Manifest.Amount, 1) }}, reason: arithmetic, long: true},
		"no document at all":                   {falsehood: falsehood{digest: func(h *protocol.Hash) { *h = protocol.Hash{9} }}, reason: arithmetic},
		"the document is withheld":             {falsehood: falsehood{withhold: true}, reason: unavailable},
		"a batch whose document nobody has":    {falsehood: falsehood{batch: lie{withhold: true}}, reason: unavailable, long: true},
		"a batch that follows from no receipt": {falsehood: falsehood{batch: lie{withhold: true, submit: w.unreadable}}, reason: arithmetic, long: true},
	}
	var waiting []chain.BatchRef // what rejected epochs let go, and can be counted
	for name, tt := range all {
		if tt.long && !everyLie {
			continue
		}
		t.Run(name, func(t *testing.T) {
			w.t = t
			ctx := t.Context()
			batch := w.claimable(tt.batch)
			if !tt.batch.withhold {
				waiting = append(waiting, batch)
			}
			proposer := key(t, "proposer").Account()
			earned, back := w.credits(proposer)
			e := w.propose(tt.falsehood, batch)
			if tt.reason == unavailable { // half of the window passes, then half of the time to vote
				for range 4 {
					require.NoError(t, watchers[0].Step(ctx))
				}
				last, err := w.client.EpochDispute(ctx, e.ID)
				require.NoError(t, err)
				require.Zero(t, last, "nobody is accused of being slow")
				require.NoError(t, w.chain.AdvanceTime(epochWindow/2+time.Minute))
				for range 2 {
					for _, v := range watchers {
						require.NoError(t, v.Step(ctx))
					}
				}
				require.NoError(t, w.chain.AdvanceTime(8*time.Minute))
			}
			d := w.decidedAbout(watchers, at.Epochs, uint64(e.ID))
			require.Equal(t, chain.DisputeGuilty, d.Status)
			require.Equal(t, tt.reason, d.Reason)
			require.Equal(t, e.ID, d.Epoch)
			e, err := w.client.Epoch(ctx, e.ID)
			require.NoError(t, err)
			require.Equal(t, chain.EpochRejected, e.Stage)
			now, is := w.credits(proposer)
			require.Equal(t, earned, now)
			require.Equal(t, back, is, "the bond does not come back")
			stake, err := w.client.StakeOf(ctx, batch.Worker)
			require.NoError(t, err)
			require.Equal(t, open(1000), stake.Own, "its batch's worker answers for nothing")
		})
	}
	w.t = t
	held, err := w.client.Balance(t.Context(), at.Epochs)
	require.NoError(t, err)
	require.True(t, held.IsZero(), "the distributor keeps %s", held.Dec())

	e := w.propose(falsehood{}, waiting...)
	for range 2 {
		for _, v := range watchers {
			require.NoError(t, v.Step(t.Context()))
		}
	}
	for _, v := range watchers {
		b, err := v.Journal().Batch(at.Epochs, uint64(e.ID))
		require.NoError(t, err)
		require.Equal(t, Valid, b.Status, b.Problem)
	}
	w.pays(e, waiting)
}

// unreadable has a batch name a document that no batch follows from.
func (w *world) unreadable(s *chain.Submission) {
	h, err := w.blocks.Put(w.t.Context(), []byte("{}"))
	require.NoError(w.t, err)
	s.DataDigest = h
}

// pays finalises an epoch and claims all that it owes.
func (w *world) pays(e chain.Epoch, batches []chain.BatchRef) {
	t, ctx := w.t, w.t.Context()
	t.Helper()
	require.NoError(t, w.chain.AdvanceTime(epochWindow+time.Second))
	s := w.client.As(key(t, "hostile"))
	_, err := s.FinaliseEpoch(ctx, e.ID, batches)
	require.NoError(t, err)
	b := &epoch.Builder{Chain: w.client, Blocks: w.blocks}
	r, err := b.Compute(ctx, e.ID)
	require.NoError(t, err)
	for _, p := range r.Document.Payouts {
		amount, proof, ok := r.Tree.Proof(p.Account)
		require.True(t, ok)
		if had, err := w.client.EpochsClaimed(ctx, p.Account); err == nil && had.Eq(&amount) {
			continue // nothing is new since an epoch before
		}
		_, err := s.ClaimEpochs(ctx, chain.EpochClaim{Account: p.Account, Cumulative: amount, Proof: proof})
		require.NoError(t, err)
	}
	d, err := w.client.Distribution(ctx)
	require.NoError(t, err)
	require.Equal(t, e.Cumulative.Dec(), d.Paid.Dec(), "all of it")
}

// An honest epoch that a hostile challenger accuses stands: the challenger's bond goes to
// the proposer and the members, to the wei, and the epoch pays.
func TestHostileChallengerOfAnEpoch(t *testing.T) {
	ctx := t.Context()
	w := newEpochWorld(t)
	watchers := w.validators(4)
	batch := w.claimable(lie{})
	e := w.propose(falsehood{}, batch)
	for _, v := range watchers {
		require.NoError(t, v.Step(ctx))
		b, err := v.Journal().Batch(w.client.Addresses().Epochs, uint64(e.ID))
		require.NoError(t, err)
		require.Equal(t, Valid, b.Status, b.Problem)
	}
	hostile := key(t, "hostile")
	_, _, err := w.client.As(hostile).ChallengeEpoch(ctx, e.ID, arithmetic, protocol.Hash{1})
	require.NoError(t, err)
	d := w.decidedAbout(watchers, w.client.Addresses().Epochs, uint64(e.ID))
	require.Equal(t, chain.DisputeUpheld, d.Status)
	lost, _ := w.credits(hostile.Account())
	require.True(t, lost.IsZero())
	paid, _ := w.credits(key(t, "proposer").Account())
	require.False(t, paid.IsZero(), "the proposer gets of the bond")
	for _, v := range watchers {
		got, _ := w.credits(v.key.Account())
		paid.Add(&paid, &got)
	}
	require.Equal(t, d.Bond.Dec(), paid.Dec())
	e, err = w.client.Epoch(ctx, e.ID)
	require.NoError(t, err)
	require.True(t, e.Upheld)
	w.pays(e, []chain.BatchRef{batch})
	_, back := w.credits(key(t, "proposer").Account())
	require.Equal(t, e.Bond, back)
}

// A validator that dies before any write or transaction challenges a false root once, and
// signs one verdict about an epoch.
func TestKilledAtAnyStepOfAnEpoch(t *testing.T) {
	ctx := t.Context()
	w := newEpochWorld(t)
	m := w.mortal(w.validators(4))
	at, hostile := w.client.Addresses().Epochs, w.client.As(key(t, "hostile"))
	batch := w.claimable(lie{})
	bad := w.propose(falsehood{root: func(h *protocol.Hash) { h[0]++ }}, batch)
	m.run(func() bool {
		last, count, err := w.client.DisputeOf(ctx, at, uint64(bad.ID))
		require.NoError(t, err)
		if last == 0 {
			return false
		}
		require.EqualValues(t, 1, count)
		d, err := w.client.Dispute(ctx, last)
		require.NoError(t, err)
		require.Equal(t, m.key.Account(), d.Challenger)
		return d.Status == chain.DisputeGuilty
	})
	// With three of five drawn it sits sooner or later.
	for i := 0; m.killed["send verdict"] == 0; i++ {
		require.Less(t, i, 12)
		e := w.propose(falsehood{}, batch)
		m.run(func() (valid bool) {
			m.journal(func(j *Journal) {
				b, err := j.Batch(at, uint64(e.ID))
				valid = err == nil && b.Status == Valid
			})
			return valid
		})
		_, _, err := hostile.ChallengeEpoch(ctx, e.ID, arithmetic, protocol.Hash{})
		require.NoError(t, err)
		m.run(func() bool {
			last, err := w.client.EpochDispute(ctx, e.ID)
			require.NoError(t, err)
			d, err := w.client.Dispute(ctx, last)
			require.NoError(t, err)
			return d.Status == chain.DisputeUpheld
		})
		w.pays(e, []chain.BatchRef{batch})
		batch = w.claimable(lie{})
	}
	for _, step := range []string{"ingest", "note guilty", "note challenging", "send challenge", "note challenged", "note valid", "draw", "note verdict", "send verdict"} {
		require.Positive(t, m.killed[step], step)
	}
}

// The epoch that a branch brings in the place of another is judged anew, also when only
// its root is another one.
func TestAnotherRootOnAnotherBranch(t *testing.T) {
	db := openStore(t, vfs.NewMem())
	defer func() { require.NoError(t, db.Close()) }()
	j := NewJournal(db)
	at := protocol.Account{0xe0}
	one := BatchState{Worker: at, Nonce: 1, DataDigest: protocol.Hash{1}, Root: protocol.Hash{2}, Status: Waiting}
	require.NoError(t, j.ingest([]BatchState{one}, 1))
	one.Status = Valid
	require.NoError(t, j.putBatch(one))
	require.NoError(t, j.ingest([]BatchState{one}, 2))
	b, err := j.Batch(at, 1)
	require.NoError(t, err)
	require.Equal(t, Valid, b.Status)
	other := one
	other.Root, other.Status = protocol.Hash{3}, Waiting
	require.NoError(t, j.ingest([]BatchState{other}, 3))
	b, err = j.Batch(at, 1)
	require.NoError(t, err)
	require.Equal(t, Waiting, b.Status)
}
