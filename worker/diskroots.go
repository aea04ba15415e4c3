package worker

import (
	"context"
	"errors"
	"slices"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/settle"
)

// room sees to it that an adapter may bring so many bytes: the least recently used
// others leave. What cannot be had is refused.
func (d *diskTier) room(ctx context.Context, id protocol.CID, bytes int64) error {
	d.mu.Lock()
	if e := d.known[id]; e != nil {
		e.pending = max(e.pending, bytes-e.Bytes)
	}
	over := d.bytes() > d.limit || len(d.known) > maxOnDisk
	d.mu.Unlock()
	if !over {
		return nil
	}
	d.evicting.Lock()
	defer d.evicting.Unlock()
	for {
		victims, left := d.choose(id)
		if len(victims) > 0 {
			if err := d.evict(ctx, victims); err != nil {
				return err
			}
		}
		switch {
		case left <= d.limit && len(victims) > 0:
			continue // others may have brought something meanwhile
		case left <= d.limit:
			return nil
		case bytes == 0: // it is here already, and nothing can be done
			return nil
		}
		d.mu.Lock()
		if e := d.known[id]; e != nil {
			e.pending = 0
		}
		d.mu.Unlock()
		return protocol.Errorf(protocol.KindBusy, "adapter", "disk: the adapter's files take up to %d bytes, and with what cannot leave now that is %d of disk_bytes=%d: ask another worker, or raise it in worker.json", bytes, left, d.limit)
	}
}

// choose takes out of use the adapters that must leave, the least recently used first.
// left is what will remain.
func (d *diskTier) choose(but protocol.CID) (victims []protocol.CID, left int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	left = d.bytes()
	var idle []protocol.CID
	for id, e := range d.known {
		if id != but && d.mayLeave(id, e) {
			idle = append(idle, id)
		}
	}
	slices.SortFunc(idle, d.before)
	for _, id := range idle {
		if left <= d.limit && len(d.known)-len(victims) <= maxOnDisk {
			break
		}
		d.known[id].leaving = make(chan struct{})
		left -= d.known[id].Bytes
		victims = append(victims, id)
	}
	return victims, left
}

// evict deletes the blocks of adapters that nothing else needs, and forgets them, all in
// one step.
func (d *diskTier) evict(ctx context.Context, victims []protocol.CID) (err error) {
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, id := range victims {
			e := d.known[id]
			close(e.leaving)
			e.leaving = nil
			if err == nil {
				delete(d.known, id)
				d.stats.Evictions++
			}
		}
	}()
	blocks := map[protocol.Hash]struct{}{}
	for _, id := range victims {
		if _, err := adapter.Local(ctx, d.content, id, func(b protocol.Hash, _ int64) { blocks[b] = struct{}{} }); err != nil {
			return err
		}
	}
	list := make([]protocol.Hash, 0, len(blocks))
	for b := range blocks {
		list = append(list, b)
	}
	gone, err := d.content.Remove(ctx, list, func(keep func(protocol.Hash)) error { return d.roots(ctx, victims, keep) }, func(tx *store.Tx) error {
		for _, id := range victims {
			if err := d.book.ForgetDiskAdapter(tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.log.Info("adapters left the disk", "adapters", victims, "blocks", gone.Blocks, "bytes", gone.Bytes)
	d.changed()
	return nil
}

// roots calls keep with everything in the content store that something else than the
// leaving adapters needs, as far as adapters could share it: other adapters, those being
// made, evidence, batch documents, and the datanet versions of trainings.
func (d *diskTier) roots(ctx context.Context, leaving []protocol.CID, keep func(protocol.Hash)) error {
	block := func(b protocol.Hash, _ int64) { keep(b) }
	d.mu.Lock()
	var others, files []protocol.CID
	for id := range d.known {
		if !slices.Contains(leaving, id) {
			others = append(others, id)
		}
	}
	for id := range d.held {
		files = append(files, id)
	}
	d.mu.Unlock()
	for _, id := range others {
		if _, err := adapter.Local(ctx, d.content, id, block); err != nil {
			return err
		}
	}
	trainings, err := d.book.Trainings(false)
	if err != nil {
		return err
	}
	for _, t := range trainings {
		files = append(files, t.Job.Order.Root)
	}
	slices.Sort(files)
	for _, id := range slices.Compact(files) {
		if _, err := d.content.Local(ctx, id, block); err != nil {
			return err
		}
	}
	return d.book.EachEvidence(func(evidence protocol.Hash) error {
		keep(evidence)
		return ctx.Err()
	}, func(digest protocol.Hash, manifest []byte) error {
		keep(digest)
		parts, err := settle.PartsOf(manifest)
		for _, p := range parts {
			keep(p)
		}
		return errors.Join(err, ctx.Err())
	})
}

// add stores a file of an adapter that is being made, and keeps it until release.
func (d *diskTier) add(ctx context.Context, data []byte) (id protocol.CID, release func(), err error) {
	defer d.content.Writing()()
	if id, err = d.content.AddBytes(ctx, data); err != nil {
		return "", nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held[id]++
	return id, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.held[id]--; d.held[id] == 0 {
			delete(d.held, id)
		}
	}, nil
}
