package store

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
)

// Reader is where tables read from: a [DB] (the committed state) or a [Tx] (the
// committed state and the transaction's own writes).
type Reader interface {
	reader() pebble.Reader
}

func (d *DB) reader() pebble.Reader { return d.pdb }

// Tx is one atomic group of writes. It lives only inside the function given to
// [DB.Update] and is for one goroutine.
type Tx struct {
	batch *pebble.Batch
}

func (t *Tx) reader() pebble.Reader { return t.batch }

// Update runs fn and commits what it wrote, all or nothing, and returns once
// that is on disk. When fn returns an error nothing is written and the error
// comes back unchanged. Transactions run one after another, so fn may read,
// decide and write without a race; it must not call Update itself.
func (d *DB) Update(fn func(*Tx) error) (err error) {
	tx := &Tx{batch: d.pdb.NewIndexedBatch()}
	defer func() { err = errors.Join(err, tx.batch.Close()) }()
	wait, err := d.apply(tx, fn)
	if err != nil || !wait {
		return err
	}
	// Out of the lock, so that concurrent transactions share one disk flush.
	if err := tx.batch.SyncWait(); err != nil {
		return fmt.Errorf("store: commit: %w", err)
	}
	return nil
}

func (d *DB) apply(tx *Tx, fn func(*Tx) error) (wait bool, err error) {
	d.write.Lock()
	defer d.write.Unlock()
	if err := fn(tx); err != nil || tx.batch.Empty() {
		return false, err
	}
	if err := d.pdb.ApplyNoSyncWait(tx.batch, pebble.Sync); err != nil {
		return false, fmt.Errorf("store: commit: %w", err)
	}
	return true, nil
}

// WriteLazy commits what fn writes, all or nothing, without waiting for the disk
// and without an order towards Update: a crash may lose the newest such commits
// (never part of one, and none from before a later [DB.Update] or [DB.Sync]). fn
// cannot read through its Tx. It is for what can be fetched or computed again.
func (d *DB) WriteLazy(fn func(*Tx) error) (err error) {
	tx := &Tx{batch: d.pdb.NewBatch()}
	defer func() { err = errors.Join(err, tx.batch.Close()) }()
	if err := fn(tx); err != nil || tx.batch.Empty() {
		return err
	}
	if err := tx.batch.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("store: commit: %w", err)
	}
	return nil
}

func (t *Tx) set(key, value []byte) error {
	if err := t.batch.Set(key, value, nil); err != nil {
		return fmt.Errorf("store: put: %w", err)
	}
	return nil
}

func (t *Tx) delete(key []byte) error {
	if err := t.batch.Delete(key, nil); err != nil {
		return fmt.Errorf("store: delete: %w", err)
	}
	return nil
}

// view calls fn with the value at key, which is valid only during the call.
func view(r Reader, key []byte, fn func([]byte) error) (ok bool, err error) {
	v, closer, err := r.reader().Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("store: get: %w", err)
	}
	defer closeInto(&err, closer)
	return true, fn(v)
}

// scan calls fn for every pair in [lower, upper) in key order, or in reverse. The
// slices are valid only during the call.
func scan(r Reader, lower, upper []byte, reverse bool, fn func(k, v []byte) error) (err error) {
	it, err := r.reader().NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return fmt.Errorf("store: scan: %w", err)
	}
	defer closeInto(&err, it)
	first, next := it.First, it.Next
	if reverse {
		first, next = it.Last, it.Prev
	}
	for ok := first(); ok; ok = next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("store: scan: %w", err)
		}
		if err := fn(it.Key(), v); err != nil {
			if errors.Is(err, ErrStop) {
				return nil
			}
			return err
		}
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("store: scan: %w", err)
	}
	return nil
}

// ErrStop ends a scan without an error when the scan's function returns it.
var ErrStop = errors.New("store: stop scanning")

func closeInto(err *error, c io.Closer) { *err = errors.Join(*err, c.Close()) }
