package node

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/holiman/uint256"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/coordinator"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/coordinator/mcpserver"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// BaseName is what requests call the embedded base model.
const BaseName = "openledger-tiny"

// CoordinatorConfig describes a coordinator with its API.
type CoordinatorConfig struct {
	Home       Home
	RPC        string // of the chain
	Addresses  chain.Addresses
	API        string // TCP address of the HTTP API
	Peer       PeerConfig
	Base       protocol.Hash
	BaseName   string // what requests call it (default: the embedded base's name)
	BaseModel  string // its files, as OpenBase has them
	Context    int    // tokens that it takes at most (default: as its files say)
	SessionKey *keystore.Key
	Faucet     *FaucetSettings // nil: none
	X402       bool            // requests without an API key may be paid one by one
	ToolHosts  []string        // where agents' tool servers may be at private addresses
	// UploadsPerDay is how many bytes one account may upload in a day (default: 2 GiB).
	UploadsPerDay int64
	Logger        *slog.Logger
}

// FaucetSettings describe a development network's faucet.
type FaucetSettings struct {
	Key    *keystore.Key // pays, and sends nothing else
	Amount uint256.Int   // of one grant, wei
	Total  uint256.Int   // of all grants together, wei
}

// Coordinator is an open coordinator.
type Coordinator struct {
	*coordinator.Coordinator
	API       *api.Server
	peer      *peerNode
	client    *chain.Client
	explainer *explainer
}

// OpenCoordinator opens a coordinator. Run runs it, Close closes it.
func OpenCoordinator(ctx context.Context, cfg CoordinatorConfig) (_ *Coordinator, err error) {
	registry := newRegistry()
	c := &Coordinator{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if cfg.Context == 0 {
		if cfg.Context, err = contextOf(cfg.BaseModel); err != nil {
			return nil, err
		}
	}
	if c.client, err = chain.Dial(ctx, chain.Config{RPC: cfg.RPC, Addresses: cfg.Addresses, Logger: cfg.Logger}); err != nil {
		return nil, err
	}
	cfg.Peer.Logger, cfg.Peer.Registry = cfg.Logger, registry
	if c.peer, err = openPeer(cfg.Home, cfg.Peer, c.client); err != nil {
		return nil, err
	}
	sender := c.client.As(cfg.SessionKey)
	if err = sender.Keep(store.NewSendings(c.peer.db)); err != nil {
		return nil, err
	}
	c.Coordinator, err = coordinator.New(coordinator.Config{
		DB: c.peer.db, Host: c.peer.host, IPFS: c.peer.ipfs, Chain: c.client, RPC: cfg.RPC, Base: cfg.Base, BaseName: cmp.Or(cfg.BaseName, BaseName), Context: cfg.Context,
		Uploads: cfg.Home.Path("uploads"), UploadsPerDay: cfg.UploadsPerDay, ToolHosts: cfg.ToolHosts,
		SessionKey: cfg.SessionKey.ECDSA(), Sender: sender, FilesDir: cfg.Home.Path("files"), Registerer: registry, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	faucet, err := c.faucet(cfg)
	if err != nil {
		return nil, err
	}
	samples, err := Samples()
	if err != nil {
		return nil, err
	}
	c.explainer = newExplainer(c.Coordinator, c.client, c.peer.ipfs, cfg.BaseModel, cfg.Base)
	var payments api.Payments
	if cfg.X402 {
		payments = c.Coordinator
	}
	c.API, err = api.New(api.Config{
		Explainer: c.explainer, Files: c.Coordinator, FineTuning: c.Coordinator,
		Listen: cfg.API, Inference: c.Coordinator, Adapters: c.Coordinator, Keys: c.Coordinator, Training: c.Coordinator, Datanets: c.Coordinator,
		Batches: c.Coordinator, Uploads: c.Coordinator, Records: c.Coordinator, Contributors: c.Coordinator,
		Versions: c.Coordinator, Retrieval: c.Coordinator, Agents: c.Coordinator, Ledger: c.Coordinator, Network: c.Coordinator, RPC: c.Coordinator, Usage: c.Coordinator, Faucet: faucet,
		Accounts:         newAccounts(c.explainer),
		Governing:        c.Coordinator,
		Reports:          c.Coordinator,
		TrainingDefaults: DefaultHyper(), Samples: samples,
		Quoter: c.explainer,

		Searcher:   c.Coordinator,
		Statistics: c.Coordinator, Feed: c.Feed(),
		Payments:   payments,
		AgentPages: c.Coordinator,
		Explorer:   c.Coordinator,
		MCP:        mcpserver.Handler,
		Metrics:    promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), Logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// faucet is nil where the network has none.
func (c *Coordinator) faucet(cfg CoordinatorConfig) (api.Faucet, error) {
	if cfg.Faucet == nil {
		return nil, nil //nolint:nilnil // an API without a faucet is served
	}
	sender := c.client.As(cfg.Faucet.Key)
	if err := sender.Keep(store.NewSendings(c.peer.db)); err != nil {
		return nil, err
	}
	return coordinator.NewFaucet(coordinator.FaucetConfig{DB: c.peer.db, Sender: sender, Amount: cfg.Faucet.Amount, Total: cfg.Faucet.Total, Logger: cfg.Logger})
}

// Addrs are where peers reach the coordinator.
func (c *Coordinator) Addrs() []string { return c.peer.host.Addrs() }

// Run serves peers and the API until ctx ends.
func (c *Coordinator) Run(ctx context.Context) error {
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.Go(func() error { return c.Coordinator.Run(ctx) })
	tasks.Go(func() error { return c.API.Run(ctx) })
	tasks.Go(func() error {
		err := c.FollowBatches(ctx, c.explainer.readBatch)
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		return err
	})
	return tasks.Wait()
}

// Close closes what is open.
func (c *Coordinator) Close() error {
	var err error
	if c.API != nil {
		err = c.API.Close()
	}
	if c.explainer != nil {
		err = errors.Join(err, c.explainer.close())
	}
	if c.peer != nil {
		err = errors.Join(err, c.peer.close())
	}
	if c.client != nil {
		c.client.Close()
	}
	return err
}

func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// metricsHandler serves a registry on /metrics, with a health endpoint beside it.
func metricsHandler(r *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{\"status\":\"ok\"}\n"))
	})
	return mux
}
