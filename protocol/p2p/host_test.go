package p2p

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/control"
	p2pcrypto "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node", "peer.key")
	key, err := LoadOrCreateKey(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	again, err := LoadOrCreateKey(path)
	require.NoError(t, err)
	require.True(t, key.Equals(again))
	require.EqualValues(t, p2pcrypto.Ed25519, key.Type())

	require.NoError(t, os.Chmod(path, 0o644))
	_, err = LoadOrCreateKey(path)
	requireKind(t, protocol.KindInvalid, err)
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.WriteFile(path, []byte("nonsense"), 0o600))
	_, err = LoadOrCreateKey(path)
	requireKind(t, protocol.KindCorrupt, err)
}

func TestSequenceNeverGoesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sequence")
	last := uint64(0)
	for range 3 { // restarts
		s, err := OpenSequence(path)
		require.NoError(t, err)
		for range sequenceBlock + 3 {
			n, err := s.Next()
			require.NoError(t, err)
			require.Greater(t, n, last)
			last = n
		}
	}
	require.NoError(t, os.WriteFile(path, []byte{1}, 0o600))
	_, err := OpenSequence(path)
	requireKind(t, protocol.KindCorrupt, err)
}

func TestConfigNamesTheField(t *testing.T) {
	key, err := LoadOrCreateKey(filepath.Join(t.TempDir(), "key"))
	require.NoError(t, err)
	for field, c := range map[string]Config{
		"private_key":     {},
		"psk":             {PrivateKey: key, PSK: []byte{1}},
		"listen_addrs[0]": {PrivateKey: key, ListenAddrs: []string{"localhost:1"}},
		"bootstrap[1]":    {PrivateKey: key, Bootstrap: []string{"/ip4/127.0.0.1/tcp/1/p2p/12D3KooWBvcvRTjZ9QkEEhTbqBsHD4Y1RzmzuLFGQvX3kqEbGL9R", "/ip4/127.0.0.1/tcp/1"}},
		"dht":             {PrivateKey: key, DHT: "maybe"},
		"conns_high":      {PrivateKey: key, ConnsLow: 10, ConnsHigh: 5},
	} {
		_, err := New(c)
		var e *protocol.Error
		require.ErrorAs(t, err, &e, field)
		require.Equal(t, field, e.Field, e.Message)
	}
}

func TestPrivateNetworkKeepsOthersOut(t *testing.T) {
	psk := func(c *Config) { c.PSK = make([]byte, 32) }
	a, b := start(t, transports["tcp"], psk), start(t, transports["tcp"], psk)
	outsider := start(t, transports["tcp"], func(c *Config) { c.Timeouts.Dial = time.Second })
	connect(t, a, b)
	_, err := outsider.Connect(t.Context(), a.Addrs()[0])
	requireKind(t, protocol.KindUnavailable, err)
	_, err = a.Connect(t.Context(), "/ip4/127.0.0.1/tcp/1")
	requireKind(t, protocol.KindInvalid, err)
}

// A bootstrap peer that restarts is found again.
func TestBootstrapIsKept(t *testing.T) {
	key, err := LoadOrCreateKey(filepath.Join(t.TempDir(), "key"))
	require.NoError(t, err)
	boot := start(t, transports["tcp"], func(c *Config) { c.PrivateKey = key })
	addr := boot.Addrs()[0]
	worker := start(t, transports["tcp"], func(c *Config) { c.Bootstrap = []string{addr} })
	require.Eventually(t, func() bool { return worker.Connected(boot.ID()) }, patience, 20*time.Millisecond)
	require.NoError(t, boot.Close())
	require.Eventually(t, func() bool { return !worker.Connected(boot.ID()) }, patience, 20*time.Millisecond)
	boot = start(t, addr[:len(addr)-len("/p2p/")-len(boot.ID())], func(c *Config) { c.PrivateKey = key })
	require.Eventually(t, func() bool { return worker.Connected(boot.ID()) }, patience, 50*time.Millisecond)
}

// Worker and coordinator know only the bootstrap node; the topic brings them
// together through the DHT.
func TestDHTBringsWorkerAndCoordinatorTogether(t *testing.T) {
	server := func(c *Config) { c.DHT = DHTServer }
	boot := start(t, transports["tcp"], server)
	join := func(c *Config) { c.DHT = DHTServer; c.Bootstrap = boot.Addrs() }
	registry := prometheus.NewRegistry()
	coordinator := start(t, transports["tcp"], join, func(c *Config) { c.Registerer = registry })
	worker := start(t, transports["quic"], join)
	heard := coordinator.listen(t)
	require.NoError(t, worker.Publish(t.Context(), worker.announcement()))
	heard.await(t, worker, 1)
	require.NotNil(t, coordinator.Routing())
	families, err := registry.Gather()
	require.NoError(t, err)
	require.NotEmpty(t, families)
}

// A worker that nobody can dial is reached through a relay, jobs included.
func TestRelayReachesAWorkerBehindNAT(t *testing.T) {
	public := func(c *Config) { c.Options = append(c.Options, libp2p.ForceReachabilityPublic()) }
	relay := start(t, transports["tcp"], public, func(c *Config) { c.RelayService = true })
	worker := start(t, transports["tcp"], func(c *Config) {
		c.NAT, c.Bootstrap = true, relay.Addrs()
		c.Options = append(c.Options, libp2p.ForceReachabilityPrivate(),
			libp2p.ConnectionGater(refuseInbound{}))
	})
	requester := start(t, transports["tcp"], func(c *Config) { c.NAT = true })
	worker.HandleJobs(handler{infer: func(_ context.Context, job protocol.InferenceJob, out Output) (protocol.SignedReceipt, protocol.Evidence, error) {
		if err := out.Accepted(1); err != nil {
			return protocol.SignedReceipt{}, protocol.Evidence{}, err
		}
		r, e := worker.finish(t, job, []uint32{1}, nil)
		return r, e, nil
	}})
	circuit := relay.Addrs()[0] + "/p2p-circuit/p2p/" + string(worker.ID())
	require.Eventually(t, func() bool {
		_, err := requester.Connect(t.Context(), circuit)
		return err == nil
	}, patience, 100*time.Millisecond)
	_, _, err := requester.Infer(t.Context(), worker.ID(), inferenceJob(), InferEvents{})
	require.NoError(t, err)
}

// refuseInbound is a NAT: no direct connection comes in.
type refuseInbound struct{}

func (refuseInbound) InterceptPeerDial(peer.ID) bool                      { return true }
func (refuseInbound) InterceptAddrDial(peer.ID, multiaddr.Multiaddr) bool { return true }
func (refuseInbound) InterceptAccept(a network.ConnMultiaddrs) bool {
	_, err := a.RemoteMultiaddr().ValueForProtocol(multiaddr.P_CIRCUIT)
	return err == nil
}
func (refuseInbound) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool {
	return true
}
func (refuseInbound) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) {
	return true, 0
}
