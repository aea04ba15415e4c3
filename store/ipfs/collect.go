package ipfs

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// barrier notes what is written and read while blocks are being collected, so that
// nothing goes that somebody has just found or put here.
type barrier struct {
	mu      sync.Mutex
	touched map[protocol.Hash]struct{}
}

// touch keeps a block from the collection under way, if there is one. It comes before
// the block is looked up or written: whoever finds a block does so before it is deleted
// and has it kept, or does not find it.
func (s *blockstore) touch(key protocol.Hash) {
	b := s.collecting.Load()
	if b == nil {
		return
	}
	b.mu.Lock()
	b.touched[key] = struct{}{}
	b.mu.Unlock()
}

// Writing brackets the writing of blocks that only a later write gives a name to keep
// them by. A collection waits for all that have begun, so that it sees their names; so
// the bracket should be short.
func (n *Node) Writing() (done func()) {
	n.blocks.writers.RLock()
	return n.blocks.writers.RUnlock
}

// Local calls fn with the digest and the length of each block behind c that is here.
// whole says that none is missing.
func (n *Node) Local(ctx context.Context, c protocol.CID, fn func(protocol.Hash, int64)) (whole bool, err error) {
	root, err := ParseCID(c)
	if err != nil {
		return false, err
	}
	whole = true
	seen := map[cid.Cid]struct{}{root: {}}
	for stack := []cid.Cid{root}; len(stack) > 0; {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		links, here, err := n.blocks.look(id, fn)
		if err != nil {
			return false, err
		}
		whole = whole && here
		for _, l := range links {
			if _, ok := seen[l]; !ok {
				seen[l] = struct{}{}
				stack = append(stack, l)
			}
		}
		if len(seen) > maxDAGBlocks {
			return false, protocol.Errorf(protocol.KindInvalid, "cid", "%s has more than %d blocks behind it", c, maxDAGBlocks)
		}
	}
	return whole, nil
}

// look gives a block's links without touching it. One that cannot be read has none.
func (s *blockstore) look(id cid.Cid, fn func(protocol.Hash, int64)) (links []cid.Cid, here bool, err error) {
	if _, ok := identity(id); ok {
		return nil, true, nil
	}
	key, ok := blockKey(id)
	if !ok {
		return nil, false, nil
	}
	here, err = blockTable.View(s.db, key, func(b []byte) error {
		fn(key, int64(len(b)))
		if id.Type() != cid.DagProtobuf {
			return nil
		}
		block, err := blocks.NewBlockWithCid(bytes.Clone(b), id)
		if err != nil {
			return fmt.Errorf("ipfs: %w", err)
		}
		if nd, err := decode(block); err == nil {
			for _, l := range nd.Links() {
				links = append(links, l.Cid)
			}
		}
		return nil
	})
	return links, here, err
}

// Remove deletes those of the candidates that are not kept, in one durable step with
// what else with writes: after a crash either all are gone or none is. keep calls its
// argument with every digest that must stay; blocks that are written or looked up
// meanwhile stay by themselves. One collection runs at a time.
func (n *Node) Remove(ctx context.Context, candidates []protocol.Hash, keep func(func(protocol.Hash)) error, with func(*store.Tx) error) (Stats, error) {
	s := n.blocks
	s.collect.Lock()
	defer s.collect.Unlock()
	left := make(map[protocol.Hash]struct{}, len(candidates))
	for _, d := range candidates {
		left[d] = struct{}{}
	}
	b := &barrier{touched: map[protocol.Hash]struct{}{}}
	s.writers.Lock() // those that have begun end first
	s.collecting.Store(b)
	s.writers.Unlock()
	defer s.collecting.Store(nil)
	if err := keep(func(d protocol.Hash) { delete(left, d) }); err != nil {
		return Stats{}, err
	}
	if err := ctx.Err(); err != nil {
		return Stats{}, err
	}
	var stats Stats
	locked := false
	defer func() {
		if locked {
			b.mu.Unlock()
		}
	}()
	err := s.db.Update(func(tx *store.Tx) error {
		b.mu.Lock() // until the deletion is written
		locked = true
		for d := range left {
			if _, ok := b.touched[d]; ok {
				continue
			}
			ok, err := blockTable.View(s.db, d, func(v []byte) error {
				stats.Blocks++
				stats.Bytes += int64(len(v))
				return nil
			})
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if err := blockTable.Delete(tx, d); err != nil {
				return err
			}
		}
		return with(tx)
	})
	if err != nil {
		return Stats{}, fmt.Errorf("ipfs: remove blocks: %w", err)
	}
	return stats, nil
}
