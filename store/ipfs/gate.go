package ipfs

import (
	"context"
	"errors"
	"sync"

	boxo "github.com/ipfs/boxo/blockstore"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	format "github.com/ipfs/go-ipld-format"
)

// gate is the blockstore as bitswap sees it, until the node closes. Neither bitswap nor
// the host waits, when it is closed, for what it is doing with a peer's message, and the
// database must not be asked once it is closed. A closed node has no blocks.
type gate struct {
	*blockstore

	mu    sync.Mutex // guards shut and calls.Add
	shut  bool
	calls sync.WaitGroup
}

var _ boxo.Blockstore = (*gate)(nil)

var errClosed = errors.New("ipfs: this node is closed")

// close lets nobody in any more and waits until everybody is out.
func (g *gate) close() {
	g.mu.Lock()
	g.shut = true
	g.mu.Unlock()
	g.calls.Wait()
}

func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return errClosed
	}
	g.calls.Add(1)
	return nil
}

func (g *gate) Get(ctx context.Context, id cid.Cid) (blocks.Block, error) {
	if g.enter() != nil {
		return nil, format.ErrNotFound{Cid: id}
	}
	defer g.calls.Done()
	return g.blockstore.Get(ctx, id)
}

func (g *gate) GetSize(ctx context.Context, id cid.Cid) (int, error) {
	if g.enter() != nil {
		return -1, format.ErrNotFound{Cid: id}
	}
	defer g.calls.Done()
	return g.blockstore.GetSize(ctx, id)
}

func (g *gate) Has(ctx context.Context, id cid.Cid) (bool, error) {
	if g.enter() != nil {
		return false, nil
	}
	defer g.calls.Done()
	return g.blockstore.Has(ctx, id)
}

func (g *gate) Put(ctx context.Context, b blocks.Block) error {
	return g.PutMany(ctx, []blocks.Block{b})
}

func (g *gate) PutMany(ctx context.Context, bs []blocks.Block) error {
	if err := g.enter(); err != nil {
		return err
	}
	defer g.calls.Done()
	return g.blockstore.PutMany(ctx, bs)
}

func (g *gate) DeleteBlock(ctx context.Context, id cid.Cid) error {
	if err := g.enter(); err != nil {
		return err
	}
	defer g.calls.Done()
	return g.blockstore.DeleteBlock(ctx, id)
}

// AllKeysChan is nothing that bitswap asks for.
func (g *gate) AllKeysChan(context.Context) (<-chan cid.Cid, error) {
	return nil, errors.New("ipfs: bitswap lists no blocks")
}
