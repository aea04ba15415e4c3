package ipfs

import (
	"context"

	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
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
	stats, err := n.walk(ctx, []cid.Cid{id}, n.fetch(ctx, providers), func(blocks.Block) error { return nil })
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

// walk visits every distinct block of the DAGs behind roots once, breadth first.
// The order is that of the links where all is local.
func (n *Node) walk(ctx context.Context, roots []cid.Cid, f *fetcher, fn func(blocks.Block) error) (Stats, error) {
	var stats Stats
	seen := map[string]struct{}{}
	var queue []cid.Cid
	enqueue := func(id cid.Cid) error {
		if _, ok := seen[id.KeyString()]; ok {
			return nil
		}
		if len(seen) == maxDAGBlocks {
			return protocol.Errorf(protocol.KindInvalid, "cid", "%s has more than %d blocks behind it", roots[0], maxDAGBlocks)
		}
		seen[id.KeyString()] = struct{}{}
		queue = append(queue, id)
		return nil
	}
	for _, r := range roots {
		if err := enqueue(r); err != nil {
			return stats, err
		}
	}
	for len(queue) > 0 {
		window := queue[:min(fetchWindow, len(queue))]
		queue = queue[len(window):]
		got := make(map[cid.Cid]blocks.Block, len(window))
		err := f.many(ctx, window, func(b blocks.Block) error {
			got[b.Cid()] = b
			return nil
		})
		if err != nil {
			return stats, err
		}
		for _, id := range window {
			b := got[id]
			stats.Blocks++
			if stats.Bytes += int64(len(b.RawData())); stats.Bytes > n.cfg.MaxFileBytes {
				return stats, protocol.Errorf(protocol.KindInvalid, "cid", "%s has more than %d bytes behind it", roots[0], n.cfg.MaxFileBytes)
			}
			nd, err := decode(b)
			if err != nil {
				return stats, err
			}
			if err := fn(b); err != nil {
				return stats, err
			}
			for _, l := range nd.Links() {
				if err := enqueue(l.Cid); err != nil {
					return stats, err
				}
			}
		}
	}
	return stats, nil
}
