package p2p

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// DHTMode says what part the host takes in the DHT.
type DHTMode string

// Modes of the DHT.
const (
	DHTAuto   DHTMode = "auto"   // server once publicly reachable, client until then
	DHTServer DHTMode = "server" // answers others; for bootstrap nodes and private networks
	DHTClient DHTMode = "client"
	DHTOff    DHTMode = "off"
)

// Config of a Host. Only PrivateKey is required.
type Config struct {
	PrivateKey  crypto.PrivKey // see LoadOrCreateKey
	ListenAddrs []string       // multiaddrs; default: QUIC-v1 and TCP on all interfaces, any port
	Bootstrap   []string       // multiaddrs with /p2p/ to stay connected to
	// HoldBootstrap waits with Bootstrap until Join is called: for who registers more
	// protocols first, so that no peer meets a node that is not complete yet.
	HoldBootstrap bool
	PSK           []byte  // 32 bytes make the network private (TCP only)
	DHT           DHTMode // default DHTAuto

	NAT          bool     // AutoNAT v2, port mapping, hole punching, relay client
	Relays       []string // multiaddrs with /p2p/ of relays to use behind a NAT; default: Bootstrap
	RelayService bool     // relay for others
	ConnsLow     int      // connections are trimmed to this number (default 96) ...
	ConnsHigh    int      // ... above this one (default 192)
	MaxConnsIP   int      // connections accepted from one address (default 64); loopback is free
	// ColocationThreshold is how many gossip peers behind one address are free of
	// a score penalty. 0: no penalty (it grows with the square; farms need room).
	ColocationThreshold int

	Domain         wire.Domain   // chain and WorkerStaking contract that bindings are signed for
	Chain          Chain         // nil: stakes are not checked (networks without a chain)
	ClockTolerance time.Duration // how far ahead others' clocks may be (default 5 s)

	MaxJobs  int // job streams served at once (default 1024)
	Timeouts Timeouts

	Logger     *slog.Logger          // default: discard
	Registerer prometheus.Registerer // nil: no metrics
	Options    []libp2p.Option       // applied last; simulated networks use them
}

// Timeouts of the stream states.
type Timeouts struct {
	Dial      time.Duration // connect and open a stream (10 s)
	Request   time.Duration // the first frame after opening, and one-shot replies (15 s)
	Accept    time.Duration // from an inference request to its acceptance (60 s)
	Stall     time.Duration // between two tokens, prefill included (120 s)
	Write     time.Duration // one frame to a slow reader (15 s)
	Heartbeat time.Duration // a worker's sign of life (2 s); four missing ones mean death
	Cancel    time.Duration // for the receipt of what was delivered before a cancel, attribution included (15 s)
}

// EnsureDefaults fills what is zero.
func (c *Config) EnsureDefaults() {
	if len(c.ListenAddrs) == 0 {
		c.ListenAddrs = []string{"/ip4/0.0.0.0/tcp/0"}
		if len(c.PSK) == 0 {
			c.ListenAddrs = append(c.ListenAddrs, "/ip4/0.0.0.0/udp/0/quic-v1")
		}
	}
	if c.DHT == "" {
		c.DHT = DHTAuto
	}
	if c.Relays == nil {
		c.Relays = c.Bootstrap
	}
	defaultInt(&c.ConnsLow, 96)
	defaultInt(&c.ConnsHigh, 2*c.ConnsLow)
	defaultInt(&c.MaxConnsIP, 64)
	defaultInt(&c.MaxJobs, 1024)
	defaultTime(&c.ClockTolerance, 5*time.Second)
	defaultTime(&c.Timeouts.Dial, 10*time.Second)
	defaultTime(&c.Timeouts.Request, 15*time.Second)
	defaultTime(&c.Timeouts.Accept, time.Minute)
	defaultTime(&c.Timeouts.Stall, 2*time.Minute)
	defaultTime(&c.Timeouts.Write, 15*time.Second)
	defaultTime(&c.Timeouts.Heartbeat, 2*time.Second)
	defaultTime(&c.Timeouts.Cancel, 15*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

func defaultInt(v *int, d int) {
	if *v == 0 {
		*v = d
	}
}

func defaultTime(v *time.Duration, d time.Duration) {
	if *v == 0 {
		*v = d
	}
}

// Validate refuses a configuration that cannot work, naming the field.
func (c *Config) Validate() error {
	if c.PrivateKey == nil {
		return protocol.Errorf(protocol.KindInvalid, "private_key", "is missing: load or create one with LoadOrCreateKey")
	}
	if n := len(c.PSK); n != 0 && n != 32 {
		return protocol.Errorf(protocol.KindInvalid, "psk", "has %d bytes, want 32", n)
	}
	for i, a := range c.ListenAddrs {
		m, err := multiaddr.NewMultiaddr(a)
		if err != nil {
			return protocol.Errorf(protocol.KindInvalid, fmt.Sprintf("listen_addrs[%d]", i), "%q is not a multiaddr such as /ip4/0.0.0.0/udp/4001/quic-v1: %w", a, err)
		}
		if _, err := m.ValueForProtocol(multiaddr.P_QUIC_V1); err == nil && len(c.PSK) != 0 {
			return protocol.Errorf(protocol.KindInvalid, fmt.Sprintf("listen_addrs[%d]", i), "QUIC cannot be used in a private network (psk): listen on TCP")
		}
	}
	if _, err := parsePeers("bootstrap", c.Bootstrap); err != nil {
		return err
	}
	if _, err := parsePeers("relays", c.Relays); err != nil {
		return err
	}
	switch c.DHT {
	case DHTAuto, DHTServer, DHTClient, DHTOff:
	default:
		return protocol.Errorf(protocol.KindInvalid, "dht", "%q is none of auto, server, client, off", c.DHT)
	}
	if c.ConnsHigh < c.ConnsLow {
		return protocol.Errorf(protocol.KindInvalid, "conns_high", "%d is less than conns_low %d", c.ConnsHigh, c.ConnsLow)
	}
	return nil
}

// parsePeers merges multiaddrs with /p2p/ by peer.
func parsePeers(field string, addrs []string) ([]peer.AddrInfo, error) {
	maddrs := make([]multiaddr.Multiaddr, 0, len(addrs))
	for i, a := range addrs {
		m, err := multiaddr.NewMultiaddr(a)
		if err == nil {
			_, err = peer.AddrInfoFromP2pAddr(m)
		}
		if err != nil {
			return nil, protocol.Errorf(protocol.KindInvalid, fmt.Sprintf("%s[%d]", field, i), "%q is not a multiaddr that ends in /p2p/<peer id>: %w", a, err)
		}
		maddrs = append(maddrs, m)
	}
	infos, err := peer.AddrInfosFromP2pAddrs(maddrs...)
	if err != nil {
		return nil, protocol.Errorf(protocol.KindInvalid, field, "%w", err)
	}
	return infos, nil
}
