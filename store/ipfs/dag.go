package ipfs

import (
	"context"
	"slices"

	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	format "github.com/ipfs/go-ipld-format"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/openledger/openledger/protocol"
)

const (
	maxDAGBlocks = 1 << 20 // one DAG, in or out
	fetchWindow  = 512     // blocks asked for at once
)

// Stats says how large a DAG is.
type Stats struct {
	Blocks int   `json:"blocks"`
	Bytes  int64 `json:"bytes"`
}

// Fetch makes everything behind c local and durable, so that this node can serve
// it. Blocks that are not here come from the providers.
func (n *Node) Fetch(ctx context.Context, c protocol.CID, providers []peer.AddrInfo) (Stats, error) {
	id, err := ParseCID(c)
	if err != nil {
		return Stats{}, err
	}
	f := n.fetch(ctx, providers)
	defer f.close()
	stats, err := n.walk(ctx, id, f)
	if err != nil {
		return stats, err
	}
	return stats, n.cfg.DB.Sync()
}

// GetBlocks calls fn once with each distinct block of cids, in any order.
func (n *Node) GetBlocks(ctx context.Context, cids []protocol.CID, providers []peer.AddrInfo, fn func(protocol.CID, []byte) error) error {
	ids := make([]cid.Cid, len(cids))
	for i, c := range cids {
		id, err := ParseCID(c)
		if err != nil {
			return err
		}
		ids[i] = id
	}
	f := n.fetch(ctx, providers)
	defer f.close()
	for len(ids) > 0 {
		window := ids[:min(fetchWindow, len(ids))]
		ids = ids[len(window):]
		err := f.many(ctx, window, func(b blocks.Block) error { return fn(CIDText(b.Cid()), b.RawData()) })
		if err != nil {
			return err
		}
	}
	return nil
}

// walk reads every distinct block behind root once, breadth first, so that it can
// ask for many at once.
func (n *Node) walk(ctx context.Context, root cid.Cid, f *fetcher) (Stats, error) {
	var stats Stats
	seen := map[string]struct{}{root.KeyString(): {}}
	queue := []cid.Cid{root}
	for len(queue) > 0 {
		window := queue[:min(fetchWindow, len(queue))]
		queue = queue[len(window):]
		got := make(map[cid.Cid]format.Node, len(window))
		err := f.many(ctx, window, func(b blocks.Block) error {
			nd, err := n.count(&stats, root, b)
			got[b.Cid()] = nd
			return err
		})
		if err != nil {
			return stats, err
		}
		for _, id := range window {
			for _, l := range got[id].Links() {
				if _, ok := seen[l.Cid.KeyString()]; !ok {
					seen[l.Cid.KeyString()] = struct{}{}
					queue = append(queue, l.Cid)
				}
			}
		}
		if len(seen) > maxDAGBlocks {
			return stats, protocol.Errorf(protocol.KindInvalid, "cid", "%s has more than %d blocks behind it", root, maxDAGBlocks)
		}
	}
	return stats, nil
}

// depthFirst calls fn with every distinct block behind root, which are all here,
// each before what it links to.
func (n *Node) depthFirst(ctx context.Context, root cid.Cid, fn func(blocks.Block) error) (Stats, error) {
	var stats Stats
	f := n.offline()
	seen := map[string]struct{}{}
	stack := []cid.Cid{root}
	for len(stack) > 0 {
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if _, ok := seen[id.KeyString()]; ok {
			continue
		}
		seen[id.KeyString()] = struct{}{}
		b, err := f.block(ctx, id)
		if err != nil {
			return stats, err
		}
		nd, err := n.count(&stats, root, b)
		if err != nil {
			return stats, err
		}
		if err := fn(b); err != nil {
			return stats, err
		}
		for _, l := range slices.Backward(nd.Links()) {
			stack = append(stack, l.Cid)
		}
	}
	return stats, nil
}

// count adds a block to stats, within the limits, and decodes it.
func (n *Node) count(stats *Stats, root cid.Cid, b blocks.Block) (format.Node, error) {
	stats.Blocks++
	stats.Bytes += int64(len(b.RawData()))
	if stats.Blocks > maxDAGBlocks {
		return nil, protocol.Errorf(protocol.KindInvalid, "cid", "%s has more than %d blocks behind it", root, maxDAGBlocks)
	}
	if stats.Bytes > n.cfg.MaxFileBytes {
		return nil, protocol.Errorf(protocol.KindInvalid, "cid", "%s has more than %d bytes behind it", root, n.cfg.MaxFileBytes)
	}
	return decode(b)
}
