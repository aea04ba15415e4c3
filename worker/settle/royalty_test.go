package settle

import (
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
)

// derived registers an adapter of the world's datanet.
func (w *world) derived(owner *keystore.Key, name string, bps uint16, parents ...protocol.Hash) protocol.Hash {
	t, ctx := w.t, w.t.Context()
	root, _ := cidOf(t, "version 1")
	slices.SortFunc(parents, protocol.Hash.Cmp)
	latest, err := w.client.LatestRevision(ctx, owner.Account(), name)
	require.NoError(t, err)
	id, digest := cidOf(t, name+string(rune('0'+latest)))
	order := protocol.TrainingOrder{
		Owner: owner.Account(), Name: name, Base: protocol.Hash{0xba, 0x5e}, Datanet: w.datanet.ID, Version: 1, Root: root, Access: open(1),
		RoyaltyBps: bps, Revision: latest + 1, Parents: parents, Nonce: digest, Deadline: time.Now().Add(48 * time.Hour).Unix(),
	}
	sig, err := wire.SignTrainingOrder(w.domain(w.client.Addresses().Models), order, owner.ECDSA())
	require.NoError(t, err)
	for range 2 { // the second does nothing
		_, err = w.client.As(w.node).RegisterAdapter(ctx, order, sig, id, digest)
		require.NoError(t, err)
	}
	return digest
}

// answered signs and hands over a receipt of an answer with an adapter at a price.
func (w *world) answered(book *store.Worker, adapter protocol.Hash, access uint64) {
	t := w.t
	signed := w.sign(w.payers[0])
	for signed.Receipt.Adapter == (protocol.Hash{}) {
		signed = w.sign(w.payers[0])
	}
	signed.Receipt.Adapter, signed.Receipt.Access = adapter, *uint256.NewInt(access)
	signed, err := wire.SignReceipt(w.domain(w.client.Addresses().Settlement), signed.Receipt, w.node.ECDSA())
	require.NoError(t, err)
	require.NoError(t, book.AddReceipt(signed))
	w.owes(signed.Receipt)
	require.NoError(t, book.AcceptVoucher(w.accept(signed), signed.Receipt.ID))
}

// earned is what accounts have together from all batches, after claiming it all.
func (w *world) earned(accounts ...protocol.Account) []string {
	t, ctx := w.t, w.t.Context()
	claims := Claims{Chain: w.client, Blocks: w.blocks, Checks: w.checks()}
	_, now := w.chain.Head()
	var out []string
	for _, a := range accounts {
		before, err := w.client.Balance(ctx, a)
		require.NoError(t, err)
		_, _, err = claims.Claim(ctx, w.client.As(w.payers[0]), a, 0, now)
		require.NoError(t, err)
		after, err := w.client.Balance(ctx, a)
		require.NoError(t, err)
		var got uint256.Int
		got.Sub(&after, &before)
		out = append(out, got.Dec())
	}
	return out
}

// An answer of a merged adapter pays the owners of its parents, and those of theirs, to
// the wei; a royalty that is lowered counts from the next batch on; audits agree.
func TestAMergedAdapterPaysItsParentsOwners(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t, 1)
	db := openStore(t, vfs.NewMem())
	defer func() { require.NoError(t, db.Close()) }()
	book, s := store.NewWorker(db), w.service(db, nil)
	muse, epic, poet := key(t, "muse"), key(t, "epic"), key(t, "poet")
	_, err := w.client.As(w.model).Send(ctx, muse.Account(), open(1)) // for gas
	require.NoError(t, err)

	first := w.derived(muse, "muse", 1500)
	second := w.derived(epic, "epic", 1000, first)
	merged := w.derived(poet, "both", 0, first, second)
	a, err := w.client.Adapter(ctx, merged)
	require.NoError(t, err)
	require.Equal(t, uint32(1), a.Revision)
	require.Equal(t, uint8(2), a.Depth)
	require.ElementsMatch(t, []protocol.Hash{first, second}, a.Parents)

	// 20/90 of 81 of 90 finney are the owners' 18. Of these 15 % go to muse and 10 % to
	// epic, which passes 15 % of its part on to muse.
	w.answered(book, merged, 90e15)
	_, err = s.Flush(ctx)
	require.NoError(t, err)
	require.Empty(t, s.Blocked())
	require.NoError(t, w.chain.AdvanceTime(10*time.Second))
	require.Equal(t, []string{"13500000000000000", "2970000000000000", "1530000000000000"}, w.earned(poet.Account(), muse.Account(), epic.Account()))
	batch := w.onlyBatch(0)
	require.NoError(t, Audit(ctx, w.client, batch))
	w.sameAsTheRegistry(batch, merged)

	// What a worker keeps of royalties shows, however it hides it.
	for name, cut := range map[string]func(*AdapterParties){
		"left out":     func(p *AdapterParties) { p.Royalties = nil },
		"one left out": func(p *AdapterParties) { p.Royalties = p.Royalties[:2] },
		"lowered":      func(p *AdapterParties) { p.Royalties[0].Bps-- },
		"turned away":  func(p *AdapterParties) { p.Royalties[0].Account = w.owner.Account() },
	} {
		d := *batch.Document
		d.Manifest.Adapters = slices.Clone(d.Manifest.Adapters)
		p := &d.Manifest.Adapters[0]
		p.Royalties = slices.Clone(p.Royalties)
		cut(p)
		_, err := Compute(&d, w.checks())
		require.NoError(t, err, name)
		// The root gives it away; with a root to match, the registry does.
		lie := *batch
		lie.Document = &d
		err = Audit(ctx, w.client, &lie)
		require.Equal(t, protocol.KindCorrupt, protocol.KindOf(err), name)
		require.ErrorContains(t, err, "adapters", name)
	}

	_, err = w.client.As(muse).LowerRoyalty(ctx, first, 0)
	require.NoError(t, err)
	_, err = w.client.As(muse).LowerRoyalty(ctx, first, 1)
	require.ErrorContains(t, err, "royalty not lower")
	next := w.derived(poet, "both", 0, second) // the next revision
	named, err := w.client.AdapterByName(ctx, poet.Account(), "both")
	require.NoError(t, err)
	require.Equal(t, next, named.Digest)
	old, err := w.client.AdapterRevision(ctx, poet.Account(), "both", 1)
	require.NoError(t, err)
	require.Equal(t, merged, old.Digest)
	_, err = w.client.AdapterRevision(ctx, poet.Account(), "both", 3)
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))
	for _, adapter := range []protocol.Hash{merged, next} {
		w.answered(book, adapter, 90e15)
	}
	_, err = s.Flush(ctx)
	require.NoError(t, err)
	require.NoError(t, w.chain.AdvanceTime(10*time.Second))
	require.Equal(t, []string{"32400000000000000", "0", "3600000000000000"}, w.earned(poet.Account(), muse.Account(), epic.Account()))
	batch = w.onlyBatch(1)
	require.NoError(t, Audit(ctx, w.client, batch))
	w.sameAsTheRegistry(batch, merged)
}

func (w *world) onlyBatch(nonce uint64) *Result {
	t, ctx := w.t, w.t.Context()
	b, err := w.client.Batch(ctx, w.owner.Account(), nonce)
	require.NoError(t, err)
	r, err := Recompute(ctx, w.blocks, b.DataDigest, w.checks())
	require.NoError(t, err)
	return r
}

// sameAsTheRegistry compares how a batch divided owners' parts with how the contract
// does at the batch's block.
func (w *world) sameAsTheRegistry(r *Result, adapter protocol.Hash) {
	t, ctx := w.t, w.t.Context()
	at := w.client.At(r.Document.Manifest.Block)
	found := false
	for i, e := range r.Document.Entries {
		if e.Receipt.Receipt.Adapter != adapter {
			continue
		}
		found = true
		var sum uint256.Int
		var got []string
		for _, share := range r.Shares[i] {
			if share.Role == payout.RoleOwner || share.Role == payout.RoleRoyalty {
				sum.Add(&sum, &share.Amount)
				got = append(got, share.Account.Hex()+" "+share.Amount.Dec())
			}
		}
		parts, err := at.DivideRoyalties(ctx, adapter, sum)
		require.NoError(t, err)
		steps, err := at.RoyaltiesOf(ctx, adapter)
		require.NoError(t, err)
		a, err := at.Adapter(ctx, adapter)
		require.NoError(t, err)
		want := []string{a.Owner.Hex() + " " + parts[0].Dec()}
		for k, step := range steps {
			want = append(want, step.Account.Hex()+" "+parts[k+1].Dec())
		}
		require.Equal(t, want, got)
	}
	require.True(t, found)
}
