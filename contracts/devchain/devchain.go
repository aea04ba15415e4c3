package devchain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/catalyst"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/eth/filters"
	gethlog "github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/openledger/openledger/protocol"
)

// Chain is a running chain.
type Chain struct {
	cfg    Config
	log    *slog.Logger
	stack  *node.Node
	eth    *eth.Ethereum
	beacon *catalyst.SimulatedBeacon

	listener net.Listener
	http     *http.Server
	rpc      *rpc.Server

	wake chan struct{} // there may be transactions to put in a block
	done chan struct{}
	wg   sync.WaitGroup

	seal    sync.Mutex // one block, or one look at the pool, at a time
	durable barrier
	closing sync.Once
	closed  error
	shifted atomic.Int64 // nanoseconds
}

// Open starts the chain, going on where the directory left off.
func Open(cfg Config) (_ *Chain, err error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	// go-ethereum logs through one logger for the whole process.
	gethlog.SetDefault(gethlog.NewLogger(quiet{cfg.Logger.Handler()}))

	stack, err := node.New(&node.Config{
		Name:    "chain",
		DataDir: cfg.Dir,
		P2P:     p2p.Config{NoDiscovery: true, NoDial: true, ListenAddr: "", MaxPeers: 0},
	})
	if errors.Is(err, node.ErrDatadirUsed) {
		return nil, protocol.Errorf(protocol.KindBusy, "devchain.dir", "%s is in use: stop the other chain, or name another folder: %w", cfg.Dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open the chain's folder %s: %w", cfg.Dir, err)
	}
	c := &Chain{cfg: cfg, log: cfg.Logger, stack: stack, wake: make(chan struct{}, 1), done: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()

	if c.eth, err = eth.New(stack, ethConfig(&cfg)); err != nil {
		return nil, openError(&cfg, err)
	}
	c.durable.chain = c.eth
	if err := stack.Start(); err != nil {
		return nil, fmt.Errorf("start the chain: %w", err)
	}
	if c.beacon, err = catalyst.NewSimulatedBeacon(0, common.Address{}, c.eth); err != nil {
		return nil, fmt.Errorf("start producing blocks: %w", err)
	}
	txs := make(chan core.NewTxsEvent, 128)
	c.wg.Add(1)
	go c.listen(txs, c.eth.TxPool().SubscribeTransactions(txs, true)) // before the first can come
	if err := c.serve(); err != nil {
		return nil, err
	}
	head := c.eth.BlockChain().CurrentBlock()
	// An earlier AdvanceTime may have left the clock in the future.
	c.shifted.Store(int64(max(0, time.Until(time.Unix(int64(head.Time), 0)))))
	c.wg.Add(1)
	go c.produce()
	c.log.Info("chain is up", "rpc", c.RPC(), "chain_id", cfg.ChainID, "block", head.Number, "dir", cfg.Dir)
	return c, nil
}

// ethConfig asks for a small node that writes every block's whole state: the
// hash scheme as an archive. The path scheme keeps the last 128 blocks' state in
// memory and would rewind them after a crash.
func ethConfig(cfg *Config) *ethconfig.Config {
	ec := ethconfig.Defaults
	ec.Genesis = cfg.genesis()
	ec.NetworkId = cfg.ChainID
	ec.SyncMode = ethconfig.FullSync
	ec.StateScheme = rawdb.HashScheme
	ec.NoPruning = true
	ec.DatabaseCache = cfg.CacheMiB / 2
	ec.DatabaseHandles = 64
	ec.TrieCleanCache = cfg.CacheMiB / 4
	ec.TrieDirtyCache = cfg.CacheMiB / 4
	ec.SnapshotCache = 0
	ec.FilterLogCacheSize = 8
	ec.LogNoHistory = true // logs are found by the blocks' blooms
	ec.LogQueryLimit = 1000
	ec.TransactionHistory = 0 // index all
	ec.TxPool.NoLocals = true // senders send again: no journal
	ec.TxPool.AccountSlots = 1024
	ec.TxPool.AccountQueue = 1024
	ec.BlobPool.Datadir = ""
	ec.BlobPool.Datacap = 1 << 20
	ec.Miner.GasCeil = cfg.GasLimit
	ec.Miner.GasPrice = big.NewInt(1) // take whatever the pool takes: no transaction waits for ever
	ec.RPCTxFeeCap = 0                // no cap: OPEN is not ether
	return &ec
}

func openError(cfg *Config, err error) error {
	var genesis *core.GenesisMismatchError
	if errors.As(err, &genesis) {
		return protocol.Errorf(protocol.KindInvalid, "devchain.chain_id, fund", "%s holds a chain with another genesis: use the chain id and the funded accounts it was made with, or another folder: %w", cfg.Dir, err)
	}
	return fmt.Errorf("open the chain in %s: %w", cfg.Dir, err)
}

// serve opens the RPC port with the namespaces that clients need and none that
// administers the node.
func (c *Chain) serve() error {
	c.rpc = rpc.NewServer()
	c.rpc.SetBatchLimits(1000, 25<<20)
	filter := filters.NewFilterAPI(filters.NewFilterSystem(c.eth.APIBackend, filters.Config{LogCacheSize: 8}))
	services := append(c.eth.APIs(), rpc.API{Namespace: "eth", Service: filter}, rpc.API{Namespace: "web3", Service: web3{}})
	for _, s := range services {
		switch s.Namespace {
		case "eth", "net", "web3", "txpool":
			if err := c.rpc.RegisterName(s.Namespace, s.Service); err != nil {
				return fmt.Errorf("offer the %s calls: %w", s.Namespace, err)
			}
		}
	}
	l, err := net.Listen("tcp", c.cfg.Listen)
	if err != nil {
		return protocol.Errorf(protocol.KindBusy, "devchain.listen", "cannot listen on %s: is another chain running there? %w", c.cfg.Listen, err)
	}
	c.listener = l
	// A page from elsewhere may not call the chain: no CORS, and names other than
	// localhost are refused (addresses pass).
	plain := node.NewHTTPHandlerStack(c.rpc, nil, []string{"localhost"}, nil, true)
	socket := node.NewWSHandlerStack(c.rpc.WebsocketHandler(nil), nil)
	c.http = &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(c.log.Handler(), slog.LevelDebug),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") != "" {
				socket.ServeHTTP(w, r)
				return
			}
			plain.ServeHTTP(w, r)
		}),
	}
	c.wg.Add(1)
	go func() {
		defer c.wg.Done()
		if err := c.http.Serve(durableListener{l, &c.durable}); !errors.Is(err, http.ErrServerClosed) {
			c.log.Error("the chain's RPC port failed", "err", err)
		}
	}()
	return nil
}

// RPC is the URL of JSON-RPC. WebSocket is at the same port (WS).
func (c *Chain) RPC() string { return "http://" + c.listener.Addr().String() }

// WS is the URL of JSON-RPC over WebSocket.
func (c *Chain) WS() string { return "ws://" + c.listener.Addr().String() }

// ChainID is the chain's id.
func (c *Chain) ChainID() uint64 { return c.cfg.ChainID }

// Head is the number and the time (Unix seconds) of the newest block.
func (c *Chain) Head() (number uint64, unix int64) {
	h := c.eth.BlockChain().CurrentBlock()
	return h.Number.Uint64(), int64(h.Time)
}

// Run waits for the context to end, then closes the chain.
func (c *Chain) Run(ctx context.Context) error {
	<-ctx.Done()
	return c.Close()
}

// Close stops the chain and writes what is left.
func (c *Chain) Close() error {
	c.closing.Do(func() {
		close(c.done)
		var errs []error
		if c.http != nil {
			errs = append(errs, c.http.Close())
		}
		if c.rpc != nil {
			c.rpc.Stop()
		}
		c.wg.Wait()
		if c.beacon != nil {
			errs = append(errs, c.beacon.Stop())
		}
		errs = append(errs, c.stack.Close())
		c.closed = errors.Join(errs...)
	})
	return c.closed
}

// web3 answers what tools ask first.
type web3 struct{}

// ClientVersion names the node.
func (web3) ClientVersion() string { return "openledger-devchain/1" }

var _ io.Closer = (*Chain)(nil)
