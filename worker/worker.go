package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/p2p"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/attrib"
	"github.com/openledger/openledger/worker/audit"
	"github.com/openledger/openledger/worker/engine"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/settle"
	"github.com/openledger/openledger/worker/sources"
)

// Profile is the numeric profile that this worker computes under.
const Profile = audit.Profile

// Worker is the service. Make it with New, then Run it.
type Worker struct {
	cfg    Config
	log    *slog.Logger
	book   *store.Worker
	host   *p2p.Host
	ipfs   *ipfs.Node
	chain  *chain.Client
	engine *engine.Engine
	settle *settle.Service
	base   protocol.Hash

	settlementDomain, escrowDomain, modelsDomain wire.Domain

	source   adapter.Source
	sources  *sources.Checker
	weigher  *attrib.Weigher
	adapters *hostTier
	disk     *diskTier
	loads    chan struct{} // ordered by others than operators
	jobs     inFlight
	metrics  *metrics
	changed  chan struct{} // something that announcements show has changed

	mu       sync.Mutex
	training map[protocol.Hash]*training
}

// New makes a worker. It starts nothing.
func New(cfg Config) (*Worker, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	b := cfg.Binding.Binding
	switch {
	case b.NodeKey != crypto.PubkeyToAddress(cfg.NodeKey.PublicKey):
		return nil, protocol.Errorf(protocol.KindInvalid, "binding.node_key", "the owner bound %s, this node's key is %s: run 'openledger worker init' again", b.NodeKey.Hex(), crypto.PubkeyToAddress(cfg.NodeKey.PublicKey).Hex())
	case b.Peer != cfg.Host.ID():
		return nil, protocol.Errorf(protocol.KindInvalid, "binding.peer", "the owner bound peer %s, this node is %s: run 'openledger worker init' again", b.Peer, cfg.Host.ID())
	}
	eng, err := engine.New(cfg.engine())
	if err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	at := cfg.Chain.Addresses()
	domain := func(contract protocol.Account) wire.Domain {
		return wire.Domain{ChainID: cfg.Chain.ChainID(), Contract: contract}
	}
	w := &Worker{
		cfg: cfg, log: cfg.Logger, book: store.NewWorker(cfg.DB), host: cfg.Host, ipfs: cfg.IPFS, chain: cfg.Chain, engine: eng,
		base: cfg.Bundle.Hash, settlementDomain: domain(at.Settlement), escrowDomain: domain(at.Escrow), modelsDomain: domain(at.Models),
		changed: make(chan struct{}, 1), loads: make(chan struct{}, maxLoads), training: map[protocol.Hash]*training{},
	}
	if w.adapters, err = newHostTier(cfg.HostBytes); err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	if w.disk, err = newDiskTier(w.book, cfg.IPFS, cfg.DiskBytes, w.inMemory, w.poke, cfg.Logger); err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	for tier, stats := range map[string]func() lora.ResidencyStats{"host": w.adapters.tier.Stats, "disk": w.disk.Stats} {
		if err := cfg.Registerer.Register(lora.NewCollector(tier, stats)); err != nil {
			return nil, fmt.Errorf("worker: register metrics: %w", err)
		}
	}
	w.sources = sources.New(cfg.IPFS, cfg.Chain)
	if w.weigher, err = attrib.NewWeigher(cfg.Model); err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	w.source = adapter.Source{Content: cfg.IPFS, Registry: cfg.Chain, Base: w.base, Model: cfg.Model}
	if w.settle, err = w.newSettlement(); err != nil {
		return nil, err
	}
	if w.metrics, err = newMetrics(w); err != nil {
		return nil, err
	}
	return w, nil
}

// Run serves until ctx ends. Training jobs that were cut off go on when their
// requester asks for them again, from their checkpoints.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.host.SetBinding(w.cfg.Binding); err != nil {
		return err
	}
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.Go(func() error { return w.engine.Run(ctx) })
	tasks.Go(func() error {
		if err := w.warmUp(ctx); err != nil {
			return err
		}
		return w.announce(ctx)
	})
	tasks.Go(func() error {
		if err := w.recallDisk(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn("adapters on disk are not announced before they are used", "err", err)
		}
		w.poke()
		return nil
	})
	tasks.Go(func() error { return w.collectVouchers(ctx) })
	tasks.Go(func() error { return w.settle.Run(ctx) })
	w.host.HandleJobs(w)
	err := tasks.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// warmUp generates a few tokens, so that the first announcement states a measured
// speed and the first requester does not pay for cold memory.
func (w *Worker) warmUp(ctx context.Context) error {
	const tokens = 32
	prompt, err := audit.Prompt(w.cfg.Bundle.Tokenizer, protocol.InferenceJob{Prompt: "Once upon a time"})
	if err != nil {
		return err
	}
	_, err = w.engine.Generate(ctx, engine.Request{ID: "warm-up", Prompt: prompt, Sampling: engine.Sampling{MaxTokens: tokens, IgnoreEOS: true}}, nil)
	return err
}

// Owner is the account that staked for this worker.
func (w *Worker) Owner() protocol.Account { return w.cfg.Binding.Binding.Owner }

// Stats shows the engine's load.
func (w *Worker) Stats() engine.Stats { return w.engine.Stats() }

func (w *Worker) poke() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}
