package chain

import (
	"context"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/openledger/openledger/protocol"
)

// adaptersFor is how long prices of listed adapters are taken for current. New
// adapters show at once.
const adaptersFor = 2 * time.Second

// lists remember what was listed, so that listing again reads only what is new.
type lists struct {
	mu         sync.Mutex
	adapters   []Adapter
	adaptersAt time.Time
	batches    []Batch
	batchesTo  uint64 // the block to go on from
}

// Adapters lists the adapters in order of registration. Prices may be two seconds
// old.
func (c *Client) Adapters(ctx context.Context) ([]Adapter, error) {
	n, err := c.AdapterCount(ctx)
	if err != nil {
		return nil, err
	}
	l := &c.lists
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.adaptersAt) > adaptersFor || uint64(len(l.adapters)) > n {
		l.adapters, l.adaptersAt = nil, time.Now()
	}
	more, err := c.adaptersFrom(ctx, uint64(len(l.adapters)), n)
	if err != nil {
		return nil, err
	}
	l.adapters = append(l.adapters, more...)
	return slices.Clone(l.adapters), nil
}

// Batches lists all workers' batches in the order in which they were submitted.
// Their Claimed is not known: see Batch. What was read once is not read again: the
// chain is taken not to go back.
func (c *Client) Batches(ctx context.Context) ([]Batch, error) {
	l := &c.lists
	l.mu.Lock()
	defer l.mu.Unlock()
	var more []Batch
	next, err := c.EachBatch(ctx, protocol.Account{}, l.batchesTo, 0, func(b BatchEvent, e Event) error {
		h, err := c.eth.HeaderByNumber(ctx, new(big.Int).SetUint64(e.Block))
		if err != nil {
			return c.unavailable("read a block's time", err)
		}
		more = append(more, Batch{
			Worker: b.Worker, Nonce: b.Nonce, Root: b.Root, Total: b.Total, Count: b.Count, DataDigest: b.DataDigest,
			Tx: e.Tx, At: int64(h.Time), ClaimableAt: b.ClaimableAt,
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	l.batches, l.batchesTo = append(l.batches, more...), next
	return slices.Clone(l.batches), nil
}
