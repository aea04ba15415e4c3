package worker

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/engine/lora"
)

// keepMade is how long an adapter that this worker made stays on its disk whatever the
// cap says: until others have had time to copy it, this is the only place where it is.
const keepMade = 24 * time.Hour

// maxOnDisk bounds how many adapters are on disk, however small they are.
const maxOnDisk = 16 << 10

// noteEvery bounds how often the use of an adapter is written down.
const noteEvery = 10 * time.Second

// diskTier is the book of the adapters whose blocks are in the content store. It has a
// cap; to make room, the one used longest ago leaves, with the blocks that nothing else
// needs (diskroots.go). Those in use, in host memory or made here lately stay.
//
// An adapter is noted before its first block is fetched and forgotten in the step that
// deletes its blocks, so a crash leaves no block that nobody counts.
type diskTier struct {
	book    *store.Worker
	content *ipfs.Node
	limit   int64                   // bytes
	busy    func(protocol.CID) bool // a memory tier has it
	changed func()                  // what announcements say has changed
	now     func() time.Time
	log     *slog.Logger

	evicting sync.Mutex // one eviction at a time

	mu    sync.Mutex
	known map[protocol.CID]*onDisk
	held  map[protocol.CID]int // files of adapters that are being made
	stats lora.ResidencyStats  // counters only
}

type onDisk struct {
	store.DiskAdapter
	using   int           // openings under way
	pending int64         // what an opening may bring, beyond Bytes
	noted   int64         // UsedAt as it is in the store
	leaving chan struct{} // closed when its eviction has ended, one way or the other
}

func newDiskTier(book *store.Worker, content *ipfs.Node, limit int64, busy func(protocol.CID) bool, changed func(), log *slog.Logger) (*diskTier, error) {
	d := &diskTier{book: book, content: content, limit: limit, busy: busy, changed: changed, now: time.Now, log: log,
		known: map[protocol.CID]*onDisk{}, held: map[protocol.CID]int{}}
	list, err := book.DiskAdapters()
	if err != nil {
		return nil, err
	}
	for id, a := range list {
		d.known[id] = &onDisk{DiskAdapter: a, noted: a.UsedAt}
	}
	return d, nil
}

// use keeps an adapter on disk while it is being opened, whether it is there or about to
// be fetched.
func (d *diskTier) use(ctx context.Context, id protocol.CID) (done func(), err error) {
	d.mu.Lock()
	for {
		e := d.known[id]
		if e == nil || e.leaving == nil {
			break
		}
		leaving := e.leaving
		d.mu.Unlock()
		select {
		case <-leaving:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		d.mu.Lock()
	}
	defer d.mu.Unlock()
	e := d.known[id]
	if e == nil {
		e = &onDisk{}
		d.known[id] = e
	}
	if e.Whole {
		d.stats.Hits++
	} else {
		d.stats.Misses++
	}
	e.using++
	e.UsedAt, e.noted = d.now().UnixMilli(), 0
	if err := d.note(id, e); err != nil {
		e.using--
		return nil, err
	}
	return func() { d.used(context.WithoutCancel(ctx), id, e) }, nil
}

// used ends a use: what has been fetched is counted.
func (d *diskTier) used(ctx context.Context, id protocol.CID, e *onDisk) {
	d.mu.Lock()
	whole := e.Whole
	d.mu.Unlock()
	if !whole {
		d.measure(ctx, id, e)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.using--; e.using > 0 {
		return
	}
	e.pending = 0
	if e.Bytes == 0 { // nothing of it was found
		delete(d.known, id)
		if err := d.book.UnnoteDiskAdapter(id); err != nil {
			d.log.Warn("an adapter that is not on disk stays noted", "adapter", id, "err", err)
		}
	}
}

// measure counts the blocks of an adapter that are here.
func (d *diskTier) measure(ctx context.Context, id protocol.CID, e *onDisk) {
	var bytes int64
	whole, err := adapter.Local(ctx, d.content, id, func(_ protocol.Hash, n int64) { bytes += n })
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.log.Warn("an adapter's blocks cannot be counted", "adapter", id, "err", err)
		whole = false
	}
	if whole && !e.Whole {
		d.stats.Loads++
		e.pending = 0
	}
	e.Bytes, e.Whole, e.noted = bytes, whole, 0
	if err := d.note(id, e); err != nil {
		d.log.Warn("an adapter on disk is not noted", "adapter", id, "err", err)
	}
}

// note writes an entry down; d.mu is held.
func (d *diskTier) note(id protocol.CID, e *onDisk) error {
	if e.noted != 0 && e.UsedAt-e.noted < noteEvery.Milliseconds() {
		return nil
	}
	if err := d.book.NoteDiskAdapter(id, e.DiskAdapter); err != nil {
		return err
	}
	e.noted = e.UsedAt
	return nil
}

// touch notes that an adapter that is open was used now.
func (d *diskTier) touch(id protocol.CID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.known[id]; e != nil {
		e.UsedAt = d.now().UnixMilli()
		if err := d.note(id, e); err != nil {
			d.log.Warn("an adapter's use is not noted", "adapter", id, "err", err)
		}
	}
}

// made notes an adapter that this worker has made and registered.
func (d *diskTier) made(ctx context.Context, id protocol.CID) error {
	done, err := d.use(ctx, id)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.known[id].MadeAt = d.now().UnixMilli()
	d.known[id].Whole = false // count it anew
	d.mu.Unlock()
	done()
	d.changed()
	return d.room(ctx, id, 0)
}

// recall notes adapters that are in the store from before they were noted, and counts
// those whose fetching was cut off.
func (d *diskTier) recall(ctx context.Context, ids []protocol.CID) error {
	d.mu.Lock()
	for id, e := range d.known {
		if !e.Whole {
			ids = append(ids, id)
		}
	}
	d.mu.Unlock()
	for _, id := range ids {
		if has, err := d.content.Has(ctx, id); err != nil {
			return err
		} else if !has && !d.noted(id) {
			continue
		}
		d.mu.Lock()
		e := d.known[id]
		if e == nil {
			e = &onDisk{}
			d.known[id] = e
		}
		if e.Whole || e.leaving != nil {
			d.mu.Unlock()
			continue
		}
		e.using++
		d.mu.Unlock()
		d.used(ctx, id, e)
	}
	return d.room(ctx, "", 0)
}

func (d *diskTier) noted(id protocol.CID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known[id] != nil
}

// list gives the adapters that are wholly here, the most recently used first.
func (d *diskTier) list() []protocol.CID {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []protocol.CID
	for id, e := range d.known {
		if e.Whole && e.leaving == nil {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b protocol.CID) int { return -d.before(a, b) })
	return out
}

// before orders by last use, ties by name; d.mu is held.
func (d *diskTier) before(a, b protocol.CID) int {
	x, y := d.known[a].UsedAt, d.known[b].UsedAt
	switch {
	case x < y || x == y && a < b:
		return -1
	case x == y && a == b:
		return 0
	}
	return 1
}

// has says whether an adapter is wholly here.
func (d *diskTier) has(id protocol.CID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.known[id]
	return e != nil && e.Whole && e.leaving == nil
}

// bytes counts everything that is here or may come; d.mu is held.
func (d *diskTier) bytes() int64 {
	var sum int64
	for _, e := range d.known {
		sum += e.Bytes + e.pending
	}
	return sum
}

// Stats describes the tier for metrics.
func (d *diskTier) Stats() lora.ResidencyStats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.stats
	s.MaxBytes, s.Bytes = d.limit, d.bytes()
	for id, e := range d.known {
		if e.Whole {
			s.Adapters++
		} else {
			s.Loading++
		}
		if !d.mayLeave(id, e) {
			s.Held++
		}
	}
	return s
}

// mayLeave says whether nobody needs an adapter here; d.mu is held.
func (d *diskTier) mayLeave(id protocol.CID, e *onDisk) bool {
	return e.using == 0 && e.leaving == nil && (e.MadeAt == 0 || d.now().Sub(time.UnixMilli(e.MadeAt)) >= keepMade) && !d.busy(id)
}
