package coordinator

import (
	"context"
	"time"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// BatchReader works out whom a submitted batch pays, from its document. The parts add up
// to its total.
type BatchReader func(ctx context.Context, b chain.BatchEvent) (receipts []protocol.Hash, paid []store.Paid, err error)

const (
	settledEvery = 2 * time.Second
	// settledDepth is how many blocks are looked at again, since the newest may be replaced.
	settledDepth  = 12
	settledUnread = 8 // batches whose documents are looked for in one turn
	// A document that nobody has is looked for again after a while, which doubles.
	documentTimeout = 5 * time.Second
	unreadAtFirst   = 10 * time.Second
	unreadAtMost    = time.Hour
)

// unread is when a batch's document is looked for again.
type unread struct {
	at   time.Time
	wait time.Duration
}

// follower notes the batches of the chain.
type follower struct {
	*Coordinator
	read   BatchReader
	unread map[store.BatchID]unread
}

// FollowBatches notes every batch that is settled, with whom it pays, until ctx ends. What
// a crash leaves out is noted after it.
func (c *Coordinator) FollowBatches(ctx context.Context, read BatchReader) error {
	f := &follower{Coordinator: c, read: read, unread: map[store.BatchID]unread{}}
	list, err := c.book.UnreadBatches()
	if err != nil {
		return err
	}
	for _, b := range list {
		f.unread[store.BatchID{Worker: b.Worker, Nonce: b.Nonce}] = unread{}
	}
	tick := time.NewTicker(settledEvery)
	defer tick.Stop()
	for first := true; ; {
		fresh, err := f.note(ctx)
		if err == nil {
			err = f.readSome(ctx)
		}
		if err != nil && ctx.Err() == nil {
			c.log.Warn("settled batches are not up to date", "err", err)
		}
		for i := range fresh {
			if !first { // what was settled while this coordinator was away is no news
				b := &fresh[i]
				c.feed.Publish(api.Event{Type: api.EventBatch, Batch: &api.BatchEvent{Worker: b.Worker, Nonce: b.Nonce, Total: b.Total, Document: b.Document, Tx: b.Tx}})
			}
		}
		first = first && err != nil
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// note reads new blocks, and gives the batches in them that were not known.
func (f *follower) note(ctx context.Context) (fresh []store.SettledBatch, err error) {
	from, err := f.book.SettledTo()
	if err != nil {
		return nil, err
	}
	head, _, err := f.chain.Head(ctx)
	if err != nil || head < from { // from is the block to come
		return nil, err
	}
	begin := f.chain.Addresses().Block
	if from > begin+settledDepth {
		begin = from - settledDepth
	}
	next, err := f.chain.Events(ctx, begin, 0, func(e chain.Event) error {
		switch {
		case e.Batch != nil:
			b, isNew, err := f.put(ctx, e)
			if isNew {
				fresh = append(fresh, b)
			}
			return err
		case e.Ruling != nil:
			return f.rule(e.Ruling)
		}
		return nil
	})
	if err != nil {
		return fresh, err
	}
	return fresh, f.book.PutSettledTo(next)
}

func (f *follower) put(ctx context.Context, e chain.Event) (store.SettledBatch, bool, error) {
	b := e.Batch
	old, ok, err := f.book.SettledBatch(b.Worker, b.Nonce)
	if err != nil || ok && old.Document == b.DataDigest && old.Tx == e.Tx && old.Block == e.Block {
		return old, false, err
	}
	at, err := f.chain.Batch(ctx, b.Worker, b.Nonce)
	if protocol.KindOf(err) == protocol.KindNotFound { // the chain went back behind it
		return old, false, nil
	}
	if err != nil {
		return old, false, err
	}
	now := store.SettledBatch{Worker: b.Worker, Nonce: b.Nonce, Document: b.DataDigest, Tx: e.Tx, Block: e.Block, At: at.At, Total: b.Total,
		Rejected: at.Status == chain.BatchRejected}
	if ok && old.Document == b.DataDigest {
		now.Receipts, now.Paid = old.Receipts, old.Paid
	}
	fresh, err := f.book.PutSettled(now)
	if now.Paid == nil {
		f.unread[store.BatchID{Worker: b.Worker, Nonce: b.Nonce}] = unread{}
	}
	return now, fresh, err
}

// rule notes what a dispute did to a batch.
func (f *follower) rule(r *chain.RulingEvent) error {
	b, ok, err := f.book.SettledBatch(r.Worker, r.Nonce)
	rejected := r.Status == chain.BatchRejected
	if err != nil || !ok || b.Rejected == rejected {
		return err
	}
	b.Rejected = rejected
	_, err = f.book.PutSettled(b)
	return err
}

// readSome looks for documents that have not been read.
func (f *follower) readSome(ctx context.Context) error {
	tried := 0
	for id, u := range f.unread {
		if err := ctx.Err(); err != nil || tried == settledUnread {
			return err
		}
		if time.Now().Before(u.at) {
			continue
		}
		tried++
		done, err := f.readOne(ctx, id)
		if err != nil {
			return err
		}
		if done {
			delete(f.unread, id)
			continue
		}
		wait := min(max(2*u.wait, unreadAtFirst), unreadAtMost)
		f.unread[id] = unread{time.Now().Add(wait), wait}
	}
	return nil
}

// readOne says whether a batch need not be looked at again.
func (f *follower) readOne(ctx context.Context, id store.BatchID) (bool, error) {
	b, ok, err := f.book.SettledBatch(id.Worker, id.Nonce)
	if err != nil || !ok || b.Paid != nil {
		return true, err
	}
	at, err := f.chain.Batch(ctx, id.Worker, id.Nonce)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, documentTimeout)
	defer cancel()
	receipts, paid, unreadable := f.read(ctx, chain.BatchEvent{Worker: id.Worker, Nonce: id.Nonce, Root: at.Root, Total: at.Total, Count: at.Count, DataDigest: b.Document})
	if unreadable == nil {
		b.Receipts, b.Paid = receipts, paid
		_, err = f.book.PutSettled(b)
		return true, err
	}
	f.log.Debug("document of a batch not read", "worker", id.Worker, "nonce", id.Nonce, "err", unreadable)
	return false, nil
}
