package ipfs

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	boxo "github.com/ipfs/boxo/blockstore"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	format "github.com/ipfs/go-ipld-format"
	"github.com/multiformats/go-multihash"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// blockTable holds blocks by digest; the codec is in the CID that asks.
var blockTable = store.NewTable(100, "blocks", store.HashKey(), store.Bytes())

// blockstore is boxo's blockstore over our database. Writes are lazy: who adds
// content calls Sync once at the end.
type blockstore struct {
	db *store.DB

	collect    sync.Mutex   // one collection at a time
	writers    sync.RWMutex // held for reading by Writing
	collecting atomic.Pointer[barrier]
}

var _ boxo.Blockstore = (*blockstore)(nil)

// Get reads a block and checks it, so that a damaged disk never feeds a peer.
func (s *blockstore) Get(_ context.Context, id cid.Cid) (blocks.Block, error) {
	if data, ok := identity(id); ok {
		return blocks.NewBlockWithCid(data, id)
	}
	key, storable := blockKey(id)
	if !storable {
		return nil, format.ErrNotFound{Cid: id}
	}
	s.touch(key)
	data, ok, err := blockTable.Get(s.db, key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, format.ErrNotFound{Cid: id}
	}
	if sum, _ := blockKey(RawCID(data)); sum != key {
		return nil, protocol.Errorf(protocol.KindCorrupt, "", "block %s does not match its digest on disk: delete it and fetch it again", id)
	}
	return blocks.NewBlockWithCid(data, id)
}

// GetSize is a block's length.
func (s *blockstore) GetSize(_ context.Context, id cid.Cid) (int, error) {
	if data, ok := identity(id); ok {
		return len(data), nil
	}
	key, ok := blockKey(id)
	if !ok {
		return -1, format.ErrNotFound{Cid: id}
	}
	s.touch(key)
	size := -1
	ok, err := blockTable.View(s.db, key, func(b []byte) error {
		size = len(b)
		return nil
	})
	if err == nil && !ok {
		err = format.ErrNotFound{Cid: id}
	}
	return size, err
}

// Has says whether a block is here.
func (s *blockstore) Has(_ context.Context, id cid.Cid) (bool, error) {
	if _, ok := identity(id); ok {
		return true, nil
	}
	key, ok := blockKey(id)
	if !ok {
		return false, nil // what we cannot store we do not have
	}
	s.touch(key)
	return blockTable.Has(s.db, key)
}

// Put stores one block.
func (s *blockstore) Put(ctx context.Context, b blocks.Block) error {
	return s.PutMany(ctx, []blocks.Block{b})
}

// PutMany stores blocks in one commit. Blocks come checked: from bitswap, which
// derives the CID from the bytes, or from this package's own hashing.
func (s *blockstore) PutMany(_ context.Context, bs []blocks.Block) error {
	return s.db.WriteLazy(func(tx *store.Tx) error {
		for _, b := range bs {
			if _, ok := identity(b.Cid()); ok {
				continue
			}
			if len(b.RawData()) > MaxBlockBytes {
				return protocol.Errorf(protocol.KindInvalid, "block", "%s is %d bytes, the limit is %d", b.Cid(), len(b.RawData()), MaxBlockBytes)
			}
			key, err := digestOf(b.Cid())
			if err != nil {
				return err
			}
			s.touch(key)
			if err := blockTable.Put(tx, key, b.RawData()); err != nil {
				return err
			}
		}
		return nil
	})
}

// DeleteBlock removes a block, if it is here.
func (s *blockstore) DeleteBlock(_ context.Context, id cid.Cid) error {
	key, ok := blockKey(id)
	if !ok {
		return nil
	}
	return s.db.WriteLazy(func(tx *store.Tx) error { return blockTable.Delete(tx, key) })
}

// AllKeysChan lists the blocks as raw CIDs.
func (s *blockstore) AllKeysChan(ctx context.Context) (<-chan cid.Cid, error) {
	out := make(chan cid.Cid)
	go func() {
		defer close(out)
		_ = s.each(ctx, func(id cid.Cid) error { // the interface has no way to tell
			select {
			case out <- id:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	return out, nil
}

func (s *blockstore) each(ctx context.Context, fn func(cid.Cid) error) error {
	return blockTable.Scan(s.db, func(k protocol.Hash, _ []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		mh, err := multihash.Encode(k[:], multihash.SHA2_256)
		if err != nil {
			return fmt.Errorf("ipfs: %w", err)
		}
		return fn(cid.NewCidV1(cid.Raw, mh))
	})
}

// blockKey is where the block of a CID is stored; only SHA2-256 blocks are.
func blockKey(id cid.Cid) (protocol.Hash, bool) {
	d, err := digestOf(id)
	return d, err == nil
}

// identity gives the data of a CID that holds it inline.
func identity(id cid.Cid) ([]byte, bool) {
	d, err := multihash.Decode(id.Hash())
	if err != nil || d.Code != multihash.IDENTITY {
		return nil, false
	}
	return d.Digest, true
}
