package node

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/p2p"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/ipfs"
)

// peerNode is what coordinators and workers have in common: store, host, content.
type peerNode struct {
	db   *store.DB
	host *p2p.Host
	ipfs *ipfs.Node
}

// bonded answers the host's question about stakes from the chain.
type bonded struct{ client *chain.Client }

// WorkerBonded says whether owner is an active worker with this node key.
func (b bonded) WorkerBonded(ctx context.Context, owner, nodeKey protocol.Account) (bool, error) {
	active, err := b.client.IsActive(ctx, owner)
	if err != nil || !active {
		return false, err
	}
	registered, err := b.client.NodeKeyOf(ctx, owner)
	return registered == nodeKey, err
}

// PeerConfig is how a node is reached.
type PeerConfig struct {
	Listen    []string // multiaddrs
	Bootstrap []string // multiaddrs with /p2p/
	NAT       bool
	Provide   bool // tell the DHT what content is here, and ask it for what is not
	Logger    *slog.Logger
	Registry  prometheus.Registerer
}

func openPeer(home Home, cfg PeerConfig, client *chain.Client) (_ *peerNode, err error) {
	if err := home.Make("db"); err != nil {
		return nil, err
	}
	n := &peerNode{}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	if n.db, err = store.Open(store.Config{Dir: home.Path("db"), Logger: cfg.Logger}); err != nil {
		return nil, err
	}
	size := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "openledger_store_bytes", Help: "Size of the node's database on disk."},
		func() float64 { return float64(n.db.Size()) })
	if err := cfg.Registry.Register(size); err != nil {
		return nil, err
	}
	key, err := p2p.LoadOrCreateKey(home.Path("peer.key"))
	if err != nil {
		return nil, err
	}
	n.host, err = p2p.New(p2p.Config{
		PrivateKey: key, ListenAddrs: lastListen(home, cfg.Listen), Bootstrap: cfg.Bootstrap, HoldBootstrap: true, NAT: cfg.NAT, DHT: p2p.DHTServer,
		Domain: wire.Domain{ChainID: client.ChainID(), Contract: client.Addresses().Staking}, Chain: bonded{client},
		Logger: cfg.Logger, Registerer: cfg.Registry,
	})
	if err != nil {
		return nil, err
	}
	content := ipfs.Config{DB: n.db, Host: n.host.Libp2p(), Logger: cfg.Logger}
	if cfg.Provide {
		content.Routing = n.host.Routing()
	}
	if n.ipfs, err = ipfs.Open(content); err != nil {
		return nil, err
	}
	if err := rememberListen(home, cfg.Listen, n.host.Libp2p().Network().ListenAddresses()); err != nil {
		return nil, err
	}
	n.host.Join() // with bitswap in place: a peer that met the host without it would not ask again
	return n, nil
}

func (n *peerNode) close() error {
	var errs []error
	if n.ipfs != nil {
		errs = append(errs, n.ipfs.Close())
	}
	if n.host != nil {
		errs = append(errs, n.host.Close())
	}
	if n.db != nil {
		errs = append(errs, n.db.Close())
	}
	return errors.Join(errs...)
}

// Peer is the peer id in a node's addresses.
func Peer(addrs []string) protocol.PeerID {
	for _, a := range addrs {
		if _, id, ok := strings.Cut(a, "/p2p/"); ok {
			return protocol.PeerID(id)
		}
	}
	return ""
}
