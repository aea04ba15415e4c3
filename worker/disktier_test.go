package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/adapter"
)

// disk is a tier over a real store, whose clock the test sets.
type disk struct {
	*diskTier
	db   *store.DB
	busy map[protocol.CID]bool
	at   time.Time
}

func openDisk(t *testing.T, fs vfs.FS, limit int64) *disk {
	t.Helper()
	db, err := store.Open(store.Config{Dir: "db", FS: fs})
	require.NoError(t, err)
	content, err := ipfs.Open(ipfs.Config{DB: db})
	require.NoError(t, err)
	d := &disk{db: db, busy: map[protocol.CID]bool{}, at: time.Unix(1_000_000, 0)}
	d.diskTier, err = newDiskTier(store.NewWorker(db), content, limit, func(id protocol.CID) bool { return d.busy[id] }, func() {}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	d.now = func() time.Time {
		d.at = d.at.Add(time.Minute)
		return d.at
	}
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return d
}

const kib = 1 << 10

func noise(seed uint64, n int) []byte {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(out) // never fails
	return out
}

// publish writes an adapter of about 600 KiB, 300 of which it shares with every other
// of these, as an opening would bring it.
func (d *disk) publish(t *testing.T, seed uint64) protocol.CID {
	t.Helper()
	files := map[string]protocol.CID{}
	for name, data := range map[string][]byte{adapter.ConfigFile: []byte("{}"), adapter.WeightsFile: noise(seed, 300*kib), adapter.IndexFile: noise(0, 300*kib)} {
		id, err := d.content.AddBytes(t.Context(), data)
		require.NoError(t, err)
		files[name] = id
	}
	raw, err := json.Marshal(protocol.AdapterManifest{Name: fmt.Sprint("adapter ", seed), Files: files})
	require.NoError(t, err)
	id, err := d.content.AddBytes(t.Context(), raw)
	require.NoError(t, err)
	return id
}

// fetched brings an adapter in as a request does.
func (d *disk) fetched(t *testing.T, seed uint64) protocol.CID {
	t.Helper()
	id := d.publish(t, seed)
	done, err := d.use(t.Context(), id)
	require.NoError(t, err)
	require.NoError(t, d.room(t.Context(), id, 610*kib))
	done()
	return id
}

// whole says whether all of an adapter's blocks are here.
func (d *disk) whole(t *testing.T, id protocol.CID) bool {
	t.Helper()
	whole, err := adapter.Local(t.Context(), d.content, id, func(protocol.Hash, int64) {})
	require.NoError(t, err)
	return whole
}

// The cap holds; who was used longest ago leaves, and takes nothing away that another
// adapter shares with it.
func TestDiskKeepsWhatWasUsedLast(t *testing.T) {
	d := openDisk(t, vfs.NewMem(), 2000*kib)
	a, b, c := d.fetched(t, 1), d.fetched(t, 2), d.fetched(t, 3)
	require.Equal(t, []protocol.CID{c, b, a}, d.list())
	d.touch(a)
	e := d.fetched(t, 4)
	require.Equal(t, []protocol.CID{e, a, c}, d.list(), "b was used longest ago")
	require.LessOrEqual(t, d.Stats().Bytes, d.Stats().MaxBytes)
	require.EqualValues(t, 1, d.Stats().Evictions)
	for id, want := range map[protocol.CID]bool{a: true, b: false, c: true, e: true} {
		require.Equal(t, want, d.whole(t, id))
		require.Equal(t, want, d.has(id))
	}
}

func TestDiskSparesWhatIsNeeded(t *testing.T) {
	d := openDisk(t, vfs.NewMem(), 1300*kib)
	inMemory := d.fetched(t, 1)
	d.busy[inMemory] = true
	opening := d.publish(t, 2)
	done, err := d.use(t.Context(), opening)
	require.NoError(t, err)
	require.NoError(t, d.room(t.Context(), opening, 610*kib))

	third := d.publish(t, 3)
	end, err := d.use(t.Context(), third)
	require.NoError(t, err)
	err = d.room(t.Context(), third, 610*kib)
	require.Equal(t, protocol.KindBusy, protocol.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "disk_bytes")
	end()
	done()
	require.True(t, d.whole(t, inMemory))
	require.True(t, d.whole(t, opening))

	// One that was made here stays for a while: nobody else may have it.
	d.busy[inMemory] = false
	require.NoError(t, d.made(t.Context(), opening))
	d.fetched(t, 4)
	require.False(t, d.whole(t, inMemory))
	require.True(t, d.whole(t, opening))
	d.at = d.at.Add(keepMade)
	d.fetched(t, 5)
	d.fetched(t, 6)
	require.False(t, d.whole(t, opening), "a day later others have had time to copy it")
}

// Evidence, batch documents and datanets stay, even if an adapter is made of their blocks.
func TestDiskSparesWhatReceiptsNeed(t *testing.T) {
	d := openDisk(t, vfs.NewMem(), 700*kib)
	digest := func(data []byte) protocol.Hash {
		id, err := d.content.AddBlock(t.Context(), data)
		require.NoError(t, err)
		h, err := ipfs.Digest(id)
		require.NoError(t, err)
		return h
	}
	weights := noise(9, 200*kib)
	part := digest([]byte("a part of a batch's document"))
	manifest, err := json.Marshal(map[string]any{"parts": []protocol.Hash{part}})
	require.NoError(t, err)
	document, evidence := digest(manifest), digest(weights)
	record, err := d.content.AddBytes(t.Context(), noise(8, 200*kib))
	require.NoError(t, err)
	root, err := d.content.AddDirectory(t.Context(), []ipfs.Entry{{Name: "record", CID: record}})
	require.NoError(t, err)
	require.NoError(t, d.book.AddReceipt(protocol.SignedReceipt{Receipt: protocol.Receipt{ID: protocol.Hash{1}, Evidence: evidence}}))
	require.NoError(t, d.book.PrepareBatch(store.BatchRecord{DataDigest: document, Document: manifest}))
	require.NoError(t, d.book.PutTraining(store.TrainingRecord{Job: protocol.TrainingJob{ID: protocol.Hash{2}, Order: protocol.TrainingOrder{Root: root}}, Status: store.JobDone}))
	making, release, err := d.add(t.Context(), []byte("a file of an adapter that is being made"))
	require.NoError(t, err)

	hostile := func(files map[string]protocol.CID) protocol.CID {
		raw, err := json.Marshal(protocol.AdapterManifest{Files: files})
		require.NoError(t, err)
		id, err := d.content.AddBlock(t.Context(), raw)
		require.NoError(t, err)
		done, err := d.use(t.Context(), id)
		require.NoError(t, err)
		done()
		return id
	}
	x := hostile(map[string]protocol.CID{adapter.ConfigFile: ipfs.RawCIDOf(part), adapter.WeightsFile: ipfs.RawCIDOf(evidence), adapter.IndexFile: root})
	y := hostile(map[string]protocol.CID{adapter.ConfigFile: ipfs.RawCIDOf(document), adapter.WeightsFile: making, adapter.IndexFile: record})
	first := d.fetched(t, 1)
	require.False(t, d.whole(t, x))
	require.False(t, d.whole(t, y))
	for what, id := range map[string]protocol.CID{"evidence": ipfs.RawCIDOf(evidence), "document": ipfs.RawCIDOf(document), "part": ipfs.RawCIDOf(part), "record": record, "root": root, "made": making} {
		has, err := d.content.Has(t.Context(), id)
		require.NoError(t, err)
		require.True(t, has, what)
	}
	release()
	z := hostile(map[string]protocol.CID{adapter.ConfigFile: making, adapter.WeightsFile: making, adapter.IndexFile: making})
	d.touch(first)
	d.fetched(t, 2)
	require.False(t, d.whole(t, z))
	has, err := d.content.Has(t.Context(), making)
	require.NoError(t, err)
	require.False(t, has, "nobody makes anything of it any more")
}

// An adapter that is asked for again while it leaves is opened afterwards, whole or from the network.
func TestOpeningWaitsForAnEviction(t *testing.T) {
	d := openDisk(t, vfs.NewMem(), 1300*kib)
	a := d.fetched(t, 1)
	d.mu.Lock()
	leaving := make(chan struct{})
	d.known[a].leaving = leaving
	d.mu.Unlock()
	require.False(t, d.has(a))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.use(ctx, a)
	require.ErrorIs(t, err, context.Canceled)
	opened := make(chan error, 1)
	go func() {
		done, err := d.use(context.WithoutCancel(t.Context()), a)
		if err == nil {
			done()
		}
		opened <- err
	}()
	require.Empty(t, opened)
	d.mu.Lock()
	d.known[a].leaving = nil
	d.mu.Unlock()
	close(leaving)
	require.NoError(t, <-opened)
	require.True(t, d.has(a))
}

// Killed at any moment of any eviction, the store has each adapter wholly or not at all,
// counts every byte that is left, and goes on.
func TestDiskSurvivesKillsAtAnyMoment(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	for round := range 12 {
		fs := vfs.NewCrashableMem()
		d := openDisk(t, fs, 1300*kib)
		var clones []*vfs.MemFS
		all := map[protocol.CID]bool{}
		for seed := range uint64(4) {
			id := d.publish(t, seed+1)
			all[id] = true
			done, err := d.use(t.Context(), id)
			require.NoError(t, err)
			require.NoError(t, d.room(t.Context(), id, 610*kib))
			clones = append(clones, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng}))
			done()
			clones = append(clones, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng}))
		}
		after := openDisk(t, clones[rng.IntN(len(clones))], 1300*kib)
		var ids []protocol.CID
		for id := range all {
			ids = append(ids, id)
		}
		require.NoError(t, after.recall(t.Context(), ids))
		require.LessOrEqual(t, after.Stats().Bytes, after.limit, "round %d", round)
		used := map[protocol.Hash]bool{}
		for _, id := range after.list() {
			whole, err := adapter.Local(t.Context(), after.content, id, func(h protocol.Hash, _ int64) { used[h] = true })
			require.NoError(t, err)
			require.True(t, whole, "what is announced can be opened")
		}
		for id := range all {
			if !after.has(id) {
				has, err := after.content.Has(t.Context(), id)
				require.NoError(t, err)
				require.False(t, has && !after.noted(id), "a block that nobody counts")
			}
		}
		after.fetched(t, 9)
		require.LessOrEqual(t, after.Stats().Bytes, after.limit)
	}
}
