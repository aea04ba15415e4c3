package p2p

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/pnet"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/libp2p/go-libp2p/p2p/host/autorelay"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"

	"github.com/openledger/openledger/protocol"
)

// DHTPrefix keeps our DHT apart from the public one.
const DHTPrefix = "/openledger"

// Host is a node of the network. Its methods are safe for concurrent use.
type Host struct {
	cfg  Config
	ctx  context.Context // ends with Close
	stop context.CancelCauseFunc

	mu     sync.Mutex // guards closed and wg.Add
	closed bool
	wg     sync.WaitGroup

	libp2p  host.Host
	dht     *dht.IpfsDHT // nil when off
	pubsub  *pubsub.PubSub
	book    *book
	stakes  *stakeCache
	topics  topics
	binding atomic.Pointer[protocol.SignedBinding] // own
	metrics *metrics
	slots   chan struct{} // one per job stream served
}

// New starts a host: it listens, dials the bootstrap peers and keeps them.
// Close stops it. A failed New leaves nothing running.
func New(cfg Config) (*Host, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancelCause(context.Background())
	h := &Host{cfg: cfg, ctx: ctx, stop: stop, slots: make(chan struct{}, cfg.MaxJobs)}
	if err := h.start(); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func (h *Host) start() (err error) {
	if h.metrics, err = newMetrics(h.cfg.Registerer); err != nil {
		return err
	}
	bootstrap, err := parsePeers("bootstrap", h.cfg.Bootstrap)
	if err != nil {
		return err
	}
	options, err := h.options(bootstrap)
	if err != nil {
		return err
	}
	if h.libp2p, err = libp2p.New(options...); err != nil {
		return fmt.Errorf("starting libp2p host: %w", err)
	}
	h.book = newBook(h.cfg.ClockTolerance)
	h.stakes = newStakeCache(h.cfg.Chain)
	if err := h.startGossip(bootstrap); err != nil {
		return err
	}
	h.libp2p.SetStreamHandler(SyncProtocol, h.serveSync)
	h.libp2p.SetStreamHandler(IdentityProtocol, h.serveIdentity)
	h.dropDead()
	if err := h.followPeers(); err != nil {
		return err
	}
	if h.dht != nil {
		if err := h.dht.Bootstrap(h.ctx); err != nil {
			return fmt.Errorf("starting dht: %w", err)
		}
	}
	if len(bootstrap) > 0 && !h.cfg.HoldBootstrap {
		h.goes(func() { h.keepConnected(bootstrap) })
	}
	h.cfg.Logger.Info("p2p host listens", "peer", h.ID(), "addrs", h.Addrs())
	return nil
}

// Join connects to the bootstrap peers and keeps them, when the configuration made the
// host wait with that. Call it once.
func (h *Host) Join() {
	if bootstrap, err := parsePeers("bootstrap", h.cfg.Bootstrap); err == nil && len(bootstrap) > 0 { // New has parsed them
		h.goes(func() { h.keepConnected(bootstrap) })
	}
}

func (h *Host) options(bootstrap []peer.AddrInfo) ([]libp2p.Option, error) {
	conns, err := connmgr.NewConnManager(h.cfg.ConnsLow, h.cfg.ConnsHigh)
	if err != nil {
		return nil, fmt.Errorf("connection manager: %w", err)
	}
	resources, err := resourceManager(h.cfg.MaxConnsIP)
	if err != nil {
		return nil, errors.Join(err, conns.Close())
	}
	options := []libp2p.Option{
		libp2p.Identity(h.cfg.PrivateKey),
		libp2p.ListenAddrStrings(h.cfg.ListenAddrs...),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.ConnectionManager(conns),
		libp2p.ResourceManager(resources),
		libp2p.UserAgent("openledger"),
		libp2p.DisableMetrics(),
	}
	if len(h.cfg.PSK) != 0 {
		options = append(options, libp2p.PrivateNetwork(pnet.PSK(h.cfg.PSK)))
	} else {
		options = append(options, libp2p.Transport(quic.NewTransport))
	}
	if h.cfg.DHT != DHTOff {
		options = append(options, libp2p.Routing(func(lh host.Host) (routing.PeerRouting, error) {
			d, err := newDHT(lh, h.cfg.DHT, bootstrap)
			h.dht = d
			return d, err
		}))
	}
	if h.cfg.NAT {
		options = append(options, libp2p.EnableAutoNATv2(), libp2p.EnableRelay(), libp2p.EnableHolePunching(), libp2p.NATPortMap())
		relays, err := parsePeers("relays", h.cfg.Relays)
		if err != nil {
			return nil, err
		}
		if len(relays) > 0 {
			options = append(options, libp2p.EnableAutoRelayWithStaticRelays(relays, autorelay.WithNumRelays(2)))
		}
	} else if !h.cfg.RelayService {
		options = append(options, libp2p.DisableRelay())
	}
	if h.cfg.RelayService {
		options = append(options, libp2p.EnableRelayService())
	}
	return append(options, h.cfg.Options...), nil
}

func newDHT(lh host.Host, mode DHTMode, bootstrap []peer.AddrInfo) (*dht.IpfsDHT, error) {
	modes := map[DHTMode]dht.ModeOpt{DHTAuto: dht.ModeAuto, DHTServer: dht.ModeServer, DHTClient: dht.ModeClient}
	d, err := dht.New(lh, dht.ProtocolPrefix(DHTPrefix), dht.Mode(modes[mode]), dht.BootstrapPeers(bootstrap...), dht.DisableValues())
	if err != nil {
		return nil, fmt.Errorf("creating dht: %w", err)
	}
	return d, nil
}

// goes runs fn in the background, unless the host is closed; Close waits for it.
func (h *Host) goes(fn func()) {
	if h.enter() {
		go func() {
			defer h.wg.Done()
			fn()
		}()
	}
}

// goesNow runs fn here, unless the host is closed; Close waits for it.
func (h *Host) goesNow(fn func()) bool {
	if !h.enter() {
		return false
	}
	defer h.wg.Done()
	fn()
	return true
}

func (h *Host) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.wg.Add(1)
	}
	return !h.closed
}

// Close stops everything and waits for it.
func (h *Host) Close() error {
	h.mu.Lock()
	again := h.closed
	h.closed = true
	h.mu.Unlock()
	if again {
		return nil
	}
	// Requesters of running jobs may go elsewhere.
	h.stop(protocol.Errorf(protocol.KindUnavailable, "peer", "this peer shuts down: try another one"))
	var errs []error
	if h.dht != nil {
		errs = append(errs, h.dht.Close())
	}
	if h.libp2p != nil {
		errs = append(errs, h.libp2p.Close())
	}
	h.wg.Wait()
	h.metrics.close()
	return errors.Join(errs...)
}

// ID is the host's peer id.
func (h *Host) ID() protocol.PeerID { return protocol.PeerID(h.libp2p.ID().String()) }

// Addrs are the host's addresses, each with /p2p/ and its id.
func (h *Host) Addrs() []string {
	addrs, err := peer.AddrInfoToP2pAddrs(host.InfoFromHost(h.libp2p))
	if err != nil {
		return nil
	}
	out := make([]string, len(addrs))
	for i, a := range addrs {
		out[i] = a.String()
	}
	return out
}

// Peers are the connected peers.
func (h *Host) Peers() []protocol.PeerID {
	var out []protocol.PeerID
	for _, p := range h.libp2p.Network().Peers() {
		out = append(out, protocol.PeerID(p.String()))
	}
	return out
}

// Connected says whether there is a connection to a peer now.
func (h *Host) Connected(p protocol.PeerID) bool {
	id, err := peer.Decode(string(p))
	return err == nil && h.libp2p.Network().Connectedness(id) == network.Connected
}

// Connect dials a multiaddr that ends in /p2p/<peer id>.
func (h *Host) Connect(ctx context.Context, addr string) (protocol.PeerID, error) {
	m, err := multiaddr.NewMultiaddr(addr)
	if err != nil {
		return "", protocol.Errorf(protocol.KindInvalid, "addr", "%q is not a multiaddr: %w", addr, err)
	}
	info, err := peer.AddrInfoFromP2pAddr(m)
	if err != nil {
		return "", protocol.Errorf(protocol.KindInvalid, "addr", "%q does not end in /p2p/<peer id>: %w", addr, err)
	}
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeouts.Dial)
	defer cancel()
	if err := h.libp2p.Connect(ctx, *info); err != nil {
		return "", protocol.Errorf(protocol.KindUnavailable, "addr", "%s cannot be reached: %w", addr, err)
	}
	return protocol.PeerID(info.ID.String()), nil
}

// Libp2p is the host underneath, for protocols that are not ours (bitswap).
func (h *Host) Libp2p() host.Host { return h.libp2p }

// Routing is the DHT; nil when it is off.
func (h *Host) Routing() routing.Routing {
	if h.dht == nil {
		return nil
	}
	return h.dht
}
