package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/p2p"
	"github.com/openledger/openledger/protocol/wire"
)

// network is one development chain and one coordinator for all tests of this package.
// Each test brings workers and requesters of its own, and takes its workers away.
type network struct {
	dir      string
	deployer *keystore.Key
	chain    *node.Chain
	base     protocol.Hash
	coord    *node.Coordinator
	brief    *keystore.Key // its session ended soon after the network began
	ended    time.Time
	n        atomic.Int64
}

var net *network

func TestMain(m *testing.M) {
	code, err := withNetwork(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func withNetwork(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "openledger-node-*")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	n := &network{dir: dir}
	if n.deployer, err = keystore.Generate(); err != nil {
		return 0, err
	}
	n.chain, err = node.OpenChain(ctx, node.ChainConfig{Home: node.Home{Dir: dir}, Listen: "127.0.0.1:0", Deployer: n.deployer,
		Fund: map[protocol.Account]uint256.Int{n.deployer.Account(): node.Open(1_000_000_000)}})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, n.chain.Close()) }()
	model, err := node.OpenModel(1)
	if err != nil {
		return 0, err
	}
	n.base = model.Bundle.Hash
	if err := model.Close(); err != nil {
		return 0, err
	}
	session, err := keystore.Generate()
	if err != nil {
		return 0, err
	}
	n.coord, err = node.OpenCoordinator(ctx, node.CoordinatorConfig{
		Home: node.Home{Dir: filepath.Join(dir, "coordinator")}, RPC: n.chain.RPC(), Addresses: n.chain.Addresses, API: "127.0.0.1:0",
		Peer: node.PeerConfig{Listen: []string{"/ip4/127.0.0.1/tcp/0"}}, Base: n.base, SessionKey: session, X402: true, Logger: logger("coordinator"),
	})
	if err != nil {
		return 0, err
	}
	done := make(chan error, 1)
	go func() { done <- n.coord.Run(ctx) }()
	defer func() {
		stop()
		err = errors.Join(err, <-done, n.coord.Close())
	}()
	if err := n.briefSession(ctx); err != nil {
		return 0, err
	}
	net = n
	return m.Run(), nil
}

// briefSession makes a requester whose session key expires as soon as the chain allows.
// The chain's clock is ahead of ours after a burst of blocks, so that takes a while.
func (n *network) briefSession(ctx context.Context) (err error) {
	if n.brief, err = keystore.Generate(); err != nil {
		return err
	}
	if _, err := n.chain.Client.As(n.deployer).Send(ctx, n.brief.Account(), node.Open(10)); err != nil {
		return err
	}
	sender := n.chain.Client.As(n.brief)
	if _, err := sender.Deposit(ctx, node.Open(1)); err != nil {
		return err
	}
	_, unix, err := n.chain.Client.Head(ctx)
	if err != nil {
		return err
	}
	n.ended = time.Unix(max(unix, time.Now().Unix())+5, 0)
	_, err = sender.Authorize(ctx, n.coord.SessionAccount(), node.Open(1), n.ended.Unix())
	return err
}

// logger is quiet unless OPENLEDGER_TEST_LOG is set.
func logger(who string) *slog.Logger {
	if os.Getenv("OPENLEDGER_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil)).With("who", who)
}

func (n *network) key(t testing.TB, open uint64) *keystore.Key {
	t.Helper()
	k, err := keystore.Generate()
	require.NoError(t, err)
	if open > 0 {
		_, err = n.chain.Client.As(n.deployer).Send(t.Context(), k.Account(), node.Open(open))
		require.NoError(t, err)
	}
	return k
}

// requester is a new account with so many wei in the escrow, which the coordinator's
// session key may spend.
func (n *network) requester(t testing.TB, wei uint64) *keystore.Key {
	t.Helper()
	k := n.key(t, 10)
	require.NoError(t, node.EnsureRequester(t.Context(), n.chain.Client, k, *uint256.NewInt(wei), n.coord.SessionAccount()))
	return k
}

func milliOpen(n uint64) uint256.Int {
	var v uint256.Int
	v.Mul(uint256.NewInt(n), uint256.NewInt(1e15))
	return v
}

// price of every worker here: a whole number of wei a token, so that fees are easy.
var price = protocol.Price{InputPer1K: milliOpen(1), OutputPer1K: milliOpen(2)}

// identity is a staked worker's keys on a home of its own.
type identity struct {
	home       node.Home
	owner, hot *keystore.Key
	binding    protocol.SignedBinding
	peer       protocol.PeerID
}

func (n *network) identity(t testing.TB) identity {
	t.Helper()
	id := identity{home: node.Home{Dir: filepath.Join(n.dir, fmt.Sprintf("worker%d", n.n.Add(1)))}, owner: n.key(t, 1200), hot: n.key(t, 0)}
	var err error
	id.binding, err = node.Bind(t.Context(), id.home, wire.Domain{ChainID: n.chain.ChainID(), Contract: n.chain.Addresses.Staking}, id.owner, id.hot.Account(), id.owner.Account())
	require.NoError(t, err)
	require.NoError(t, node.EnsureWorker(t.Context(), n.chain.Client, id.owner, id.hot.Account(), id.binding, node.Open(1000)))
	id.peer = id.binding.Binding.Peer
	return id
}

// running is a worker that can be stopped, before the test's end too.
type running struct {
	*node.Worker
	identity
	stop func() error
}

func (n *network) worker(t *testing.T, id identity, change ...func(*node.WorkerSettings)) *running {
	t.Helper()
	s := node.WorkerSettings{RPC: n.chain.RPC(), Addresses: n.chain.Addresses, Bootstrap: n.coord.Addrs(), Listen: []string{"/ip4/127.0.0.1/tcp/0"},
		Price: price, Threads: 1, SettleEvery: "1h", Metrics: "127.0.0.1:0", Binding: id.binding}
	for _, c := range change {
		c(&s)
	}
	require.NoError(t, node.WriteJSON(id.home.Path(node.WorkerFile), s))
	w, err := node.OpenWorker(t.Context(), id.home, id.hot, logger("worker"))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stopped := false
	r := &running{Worker: w, identity: id}
	r.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return errors.Join(<-done, w.Close())
	}
	t.Cleanup(func() {
		require.NoError(t, r.stop())
		n.listed(t, id.peer, false)
	})
	n.listed(t, id.peer, true)
	return r
}

// listed waits until the coordinator knows a worker, or no longer: it must see at once
// that one went away.
func (n *network) listed(t *testing.T, id protocol.PeerID, want bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		list, err := n.coord.Workers(context.Background())
		require.NoError(t, err)
		return want == slices.ContainsFunc(list, func(w api.WorkerView) bool { return w.Peer == id })
	}, time.Minute, 20*time.Millisecond, "worker %s listed: %v", id, want)
}

// ask sends one request through the coordinator and gives the text that was streamed.
func (n *network) ask(ctx context.Context, who *keystore.Key, r api.Request) (api.Answer, string, error) {
	var text strings.Builder
	a, err := n.coord.Infer(ctx, api.Caller{Account: who.Account()}, r, func(d api.Delta) error {
		text.WriteString(d.Text)
		return nil
	})
	return a, text.String(), err
}

var asked atomic.Uint64

// request is a new request, greedy and without an end but maxTokens.
func request(prompt string, maxTokens int) api.Request {
	r := api.Request{Model: node.BaseName, Prompt: prompt, Sampling: protocol.Sampling{MaxTokens: maxTokens, IgnoreEOS: true}}
	n := asked.Add(1)
	r.ID = protocol.Hash{0xee, byte(n >> 8), byte(n)}
	return r
}

// plainHost is a p2p host in the network that is neither worker nor coordinator.
func (n *network) plainHost(t testing.TB, home node.Home) *p2p.Host {
	t.Helper()
	require.NoError(t, home.Make())
	key, err := p2p.LoadOrCreateKey(home.Path("peer.key"))
	require.NoError(t, err)
	h, err := p2p.New(p2p.Config{PrivateKey: key, ListenAddrs: []string{"/ip4/127.0.0.1/tcp/0"}, Bootstrap: n.coord.Addrs(), DHT: p2p.DHTServer,
		Domain: wire.Domain{ChainID: n.chain.ChainID(), Contract: n.chain.Addresses.Staking}, Logger: logger("host")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	for _, a := range n.coord.Addrs() {
		_, err := h.Connect(t.Context(), a)
		require.NoError(t, err)
	}
	return h
}
