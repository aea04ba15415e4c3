package ipfs

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ipfs/boxo/bitswap"
	"github.com/ipfs/boxo/bitswap/network/bsnet"
	"github.com/ipfs/boxo/blockservice"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// Limits of what a node takes in.
const (
	MaxBlockBytes = 2 << 20   // what bitswap peers accept
	ChunkBytes    = 256 << 10 // leaf of a file
)

// Config says what a node is made of.
type Config struct {
	DB *store.DB // required
	// Host carries bitswap. Without one the node is offline: it has only what is in DB.
	Host host.Host
	// Routing is asked for providers and told what we provide. Nil: only the peers
	// that callers name and those already connected are asked.
	Routing routing.ContentRouting
	// Serve decides whether a peer may have a block. Nil: everybody may have everything.
	Serve  func(peer.ID, cid.Cid) bool
	Logger *slog.Logger
	// MaxFileBytes bounds one file or archive, in or out; default 4 GiB.
	MaxFileBytes int64
	// DialTimeout bounds connecting to one named provider; default 10 s.
	DialTimeout time.Duration
	// StallTimeout is how long a fetch waits for the next block; default 30 s.
	StallTimeout time.Duration
}

// EnsureDefaults fills in what was left empty.
func (c *Config) EnsureDefaults() {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.MaxFileBytes == 0 {
		c.MaxFileBytes = 4 << 30
	}
	if c.DialTimeout == 0 {
		c.DialTimeout = 10 * time.Second
	}
	if c.StallTimeout == 0 {
		c.StallTimeout = 30 * time.Second
	}
}

// Validate names the first field that cannot work.
func (c *Config) Validate() error {
	if c.DB == nil {
		return protocol.Errorf(protocol.KindInvalid, "DB", "is missing: open a store first")
	}
	if c.MaxFileBytes < 0 {
		return protocol.Errorf(protocol.KindInvalid, "MaxFileBytes", "is negative: use 0 for the default")
	}
	return nil
}

// Node is a peer's content store. It is safe for concurrent use.
type Node struct {
	cfg    Config
	blocks *blockstore
	gate   *gate            // to blocks, for bitswap
	swap   *bitswap.Bitswap // nil when offline
	local  blockservice.BlockService
	stop   context.CancelFunc

	askAgain *network.NotifyBundle // nil when offline
}

// Open starts a node. Close stops it; the caller closes host and database later.
func Open(cfg Config) (*Node, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("ipfs: %w", err)
	}
	n := &Node{cfg: cfg, blocks: &blockstore{db: cfg.DB}, stop: func() {}}
	n.gate = &gate{blockstore: n.blocks}
	if cfg.Host == nil {
		n.local = blockservice.New(n.blocks, nil)
	} else {
		ctx, cancel := context.WithCancel(context.Background())
		n.stop = cancel
		opts := []bitswap.Option{
			bitswap.MaxOutstandingBytesPerPeer(4 << 20),
			bitswap.EngineBlockstoreWorkerCount(8),
			bitswap.EngineTaskWorkerCount(4),
			bitswap.TaskWorkerCount(4),
			bitswap.ProviderSearchDelay(time.Second),
			bitswap.WithoutDuplicatedBlockStats(),
		}
		if cfg.Serve != nil {
			opts = append(opts, bitswap.WithPeerBlockRequestFilter(cfg.Serve))
		}
		// A nil ContentDiscovery must be a nil interface.
		var discovery routing.ContentDiscovery
		if cfg.Routing != nil {
			discovery = cfg.Routing
		}
		n.swap = bitswap.New(ctx, bsnet.NewFromIpfsHost(cfg.Host), discovery, n.gate, opts...)
		n.local = blockservice.New(n.blocks, n.swap)
		n.askAgain = &network.NotifyBundle{DisconnectedF: n.lostConnection}
		cfg.Host.Network().Notify(n.askAgain)
	}
	return n, nil
}

// lostConnection asks a peer again for what is wanted from it when one of several
// connections to it ends: what was asked on that one may never have arrived, and
// bitswap does not notice as long as there is another.
func (n *Node) lostConnection(net network.Network, c network.Conn) {
	p := c.RemotePeer()
	if net.Connectedness(p) == network.NotConnected {
		n.swap.Client.PeerDisconnected(p) // bitswap does not, when the peer was slow before
		return
	}
	n.swap.Client.PeerDisconnected(p)
	n.swap.Client.PeerConnected(p)
	if net.Connectedness(p) == network.NotConnected { // it ended meanwhile
		n.swap.Client.PeerDisconnected(p)
	}
}

// Close stops bitswap. When it returns the database is not used any more, unless by who
// still calls this node.
func (n *Node) Close() error {
	defer n.stop()
	if n.swap == nil {
		return nil
	}
	n.cfg.Host.Network().StopNotify(n.askAgain)
	defer n.gate.close()
	if err := n.swap.Close(); err != nil {
		return fmt.Errorf("ipfs: close: %w", err)
	}
	return nil
}

// AddBlock stores data as one raw block (a raw CIDv1: its digest is the SHA2-256
// of data) and makes it durable.
func (n *Node) AddBlock(ctx context.Context, data []byte) (protocol.CID, error) {
	if len(data) > MaxBlockBytes {
		return "", protocol.Errorf(protocol.KindInvalid, "data", "is %d bytes, a block holds %d: add it as a file", len(data), MaxBlockBytes)
	}
	b, err := blocks.NewBlockWithCid(data, RawCID(data))
	if err != nil {
		return "", fmt.Errorf("ipfs: %w", err)
	}
	if err := n.local.AddBlock(ctx, b); err != nil {
		return "", fmt.Errorf("ipfs: add block: %w", err)
	}
	return CIDText(b.Cid()), n.cfg.DB.Sync()
}

// keep stores a fetched block and tells the peers that wait for it. Bitswap does
// neither for what comes through its sessions.
func (n *Node) keep(ctx context.Context, b blocks.Block) error {
	if err := n.blocks.Put(ctx, b); err != nil {
		return fmt.Errorf("ipfs: keep %s: %w", b.Cid(), err)
	}
	if err := n.swap.NotifyNewBlocks(ctx, b); err != nil {
		return fmt.Errorf("ipfs: announce %s: %w", b.Cid(), err)
	}
	return nil
}

// Has says whether the block behind c (not what it links to) is here.
func (n *Node) Has(ctx context.Context, c protocol.CID) (bool, error) {
	id, err := ParseCID(c)
	if err != nil {
		return false, err
	}
	return n.blocks.Has(ctx, id)
}

// GetBlock gives one block, fetched from the providers when it is not here.
func (n *Node) GetBlock(ctx context.Context, c protocol.CID, providers []peer.AddrInfo) ([]byte, error) {
	id, err := ParseCID(c)
	if err != nil {
		return nil, err
	}
	f := n.fetch(ctx, providers)
	defer f.close()
	b, err := f.block(ctx, id)
	if err != nil {
		return nil, err
	}
	return b.RawData(), nil
}

// Provide tells the routing system that we have c. Without routing it does nothing.
func (n *Node) Provide(ctx context.Context, c protocol.CID) error {
	id, err := ParseCID(c)
	if err != nil || n.cfg.Routing == nil {
		return err
	}
	if err := n.cfg.Routing.Provide(ctx, id, true); err != nil {
		return fmt.Errorf("ipfs: provide %s: %w", c, err)
	}
	return nil
}
