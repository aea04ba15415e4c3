package coordinator

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"golang.org/x/sync/errgroup"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/coordinator/mcpclient"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/p2p"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/scheduler"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/datanet"
	"github.com/openledger/openledger/store/ipfs"
)

// Coordinator is the service. Make it with New, then Run it.
type Coordinator struct {
	cfg     Config
	log     *slog.Logger
	book    *store.Coordinator
	host    *p2p.Host
	ipfs    *ipfs.Node
	chain   *chain.Client
	records *datanet.Book
	uploads *datanet.Uploads
	session *ecdsa.PrivateKey
	sender  *chain.Sender
	metrics *metrics
	models  modelList
	library library
	agents  agentList
	tunes   tunes
	tools   *mcpclient.Client

	proposals recent[api.Governance]
	settings  recent[[]api.GovernedSetting]
	trials    trials
	shelf     shelf
	feed      *api.Feed

	escrowDomain, settlementDomain, modelsDomain, datanetsDomain wire.Domain

	mu        sync.Mutex // guards what follows; never held while waiting
	state     *scheduler.State
	jobs      map[protocol.Hash]*liveJob
	training  map[protocol.Hash]*liveTraining
	bindings  map[protocol.PeerID]protocol.SignedBinding
	announced map[protocol.PeerID]protocol.Announcement // the newest of each worker
	gone      map[protocol.PeerID]int64                 // when its last connection closed, in ms
	listed    map[protocol.PeerID]protocol.Account      // whose coming was told
	stakes    map[protocol.PeerID]amount
	reserved  map[protocol.Account]amount // what running jobs may cost, per requester
	// keyReserved is that part of reserved which counts against the budget of an API key.
	keyReserved map[protocol.Hash]amount
	wake        chan struct{} // a deadline may have moved

	prefetches chan struct{} // under way

	// admission makes the requests of one account, by its last byte, look at its escrow
	// one after the other. It may be held while waiting for the chain.
	admission [256]sync.Mutex

	running context.Context // ends with Run
	tasks   *errgroup.Group
}

// New makes a coordinator. It starts nothing.
func New(cfg Config) (*Coordinator, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("coordinator: %w", err)
	}
	state, err := scheduler.New(cfg.Scheduler)
	if err != nil {
		return nil, err
	}
	at := cfg.Chain.Addresses()
	domain := func(contract protocol.Account) wire.Domain {
		return wire.Domain{ChainID: cfg.Chain.ChainID(), Contract: contract}
	}
	c := &Coordinator{
		cfg: cfg, log: cfg.Logger, book: store.NewCoordinator(cfg.DB), host: cfg.Host, ipfs: cfg.IPFS, chain: cfg.Chain, session: cfg.SessionKey, sender: cfg.Sender, tunes: tunes{live: map[protocol.Hash]*liveTune{}},
		proposals: recently[api.Governance](), settings: recently[[]api.GovernedSetting](), trials: trials{turn: make(chan struct{}, 1)},
		feed: api.NewFeed(), listed: map[protocol.PeerID]protocol.Account{},
		escrowDomain: domain(at.Escrow), settlementDomain: domain(at.Settlement),
		modelsDomain: domain(at.Models), datanetsDomain: domain(at.Datanets),
		state: state, jobs: map[protocol.Hash]*liveJob{}, training: map[protocol.Hash]*liveTraining{},
		bindings: map[protocol.PeerID]protocol.SignedBinding{}, announced: map[protocol.PeerID]protocol.Announcement{},
		gone: map[protocol.PeerID]int64{}, stakes: map[protocol.PeerID]amount{},
		reserved: map[protocol.Account]amount{}, keyReserved: map[protocol.Hash]amount{}, wake: make(chan struct{}, 1), prefetches: make(chan struct{}, maxPrefetches),
	}
	if c.tools, err = mcpclient.New(mcpclient.Config{Hosts: cfg.ToolHosts, Version: "1"}); err != nil {
		return nil, err
	}
	if c.metrics, err = newMetrics(cfg.Registerer, c); err != nil {
		return nil, err
	}
	if c.records, err = c.openRecords(); err != nil {
		return nil, err
	}
	if c.uploads, err = datanet.NewUploads(datanet.UploadsConfig{Book: c.records, Dir: cfg.Uploads, PerDay: cfg.UploadsPerDay, Logger: c.log}); err != nil {
		return nil, err
	}
	if err := c.sweepFiles(); err != nil {
		return nil, err
	}
	return c, nil
}

// SessionAccount is the account of the session key, which requesters authorise.
func (c *Coordinator) SessionAccount() protocol.Account {
	return crypto.PubkeyToAddress(c.session.PublicKey)
}

// Run serves until ctx ends.
func (c *Coordinator) Run(ctx context.Context) error {
	tasks, ctx := errgroup.WithContext(ctx)
	c.mu.Lock()
	c.running, c.tasks = ctx, tasks
	c.mu.Unlock()

	c.host.HandleReceipts(c)
	defer c.watchPresence()()
	defer c.tools.Close()
	tasks.Go(func() error { return c.host.Subscribe(ctx, c.cfg.Base, c.heard) })
	tasks.Go(func() error { return c.tick(ctx) })
	tasks.Go(func() error { return c.watchStakes(ctx) })
	tasks.Go(func() error { return c.replicateBatches(ctx) })
	tasks.Go(func() error {
		if err := c.resumeTraining(ctx); err != nil {
			return err
		}
		return c.resumeTunes(ctx)
	})
	tasks.Go(func() error { return c.uploads.Run(ctx) })
	tasks.Go(func() error { return c.countEarnings(ctx) })
	err := tasks.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// started gives the context of Run, or an error when it is not running.
func (c *Coordinator) started() (context.Context, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		return nil, protocol.Errorf(protocol.KindUnavailable, "", "the coordinator is still starting: try again in a moment")
	}
	if c.running.Err() != nil {
		return nil, protocol.Errorf(protocol.KindUnavailable, "", "the coordinator is stopping: try again after it is back")
	}
	return c.running, nil
}

// heard takes a validated announcement.
func (c *Coordinator) heard(h p2p.Heard) {
	c.mu.Lock()
	_, known := c.bindings[h.Announcement.Peer]
	c.bindings[h.Announcement.Peer], c.announced[h.Announcement.Peer] = h.Binding, h.Announcement
	c.mu.Unlock()
	if !known {
		c.log.Info("worker announced itself", "peer", h.Announcement.Peer, "worker", h.Announcement.Worker)
	}
	if c.late(h.Announcement) {
		return
	}
	c.step(&scheduler.Announce{At: now(), Announcement: h.Announcement})
	if c.late(h.Announcement) { // it left just now
		c.lost(h.Announcement.Peer)
	}
}

// tick passes deadlines to the scheduler when they are due.
func (c *Coordinator) tick(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		c.mu.Lock()
		due := c.state.NextDeadline()
		c.mu.Unlock()
		wait := time.Hour
		if due != 0 {
			wait = max(time.Duration(due-now())*time.Millisecond, time.Millisecond)
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.wake:
		case <-timer.C:
			c.step(scheduler.Tick{At: now()})
		}
	}
}

// step runs one event through the scheduler and carries its effects out.
func (c *Coordinator) step(ev scheduler.Event) {
	c.mu.Lock()
	effects := append([]scheduler.Effect(nil), scheduler.Step(c.state, ev)...)
	for _, e := range effects {
		c.apply(e)
	}
	c.told(ev)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// apply carries one effect out. It starts goroutines and never waits; c.mu is held.
func (c *Coordinator) apply(e scheduler.Effect) {
	if t := c.training[e.Job]; t != nil {
		c.applyTraining(t, e)
		return
	}
	j := c.jobs[e.Job]
	if j == nil {
		return
	}
	switch e.Kind {
	case scheduler.Dispatch:
		worker, ok := c.state.Worker(e.Worker)
		if !ok {
			return
		}
		ctx, cancel := context.WithCancel(j.ctx)
		j.release, j.attempt = cancel, e.Attempt
		price := worker.Announcement.Price
		price.Access, price.Markup = j.job.Price.Access, j.job.Price.Markup
		binding := c.bindings[e.Worker]
		c.topUp(j, price)
		j.attempts.Add(1)
		c.tasks.Go(func() error {
			defer j.attempts.Done()
			defer cancel()
			c.serve(ctx, j, e, price, binding)
			return nil
		})
	case scheduler.Prefetch:
		c.prefetch(j, e)
	case scheduler.Retry:
		c.metrics.retries.Inc()
		c.log.Info("job moves to another worker", "job", e.Job, "worker", e.Worker, "delivered", e.Resume, "reason", e.Reason)
	case scheduler.Release:
		if j.release != nil {
			j.release()
		}
	case scheduler.Refuse:
		err := error(protocol.Errorf(e.Err, "", "%s", e.Reason))
		if j.failed != nil && j.failed.Error() == e.Reason && protocol.KindOf(j.failed) == e.Err {
			err = j.failed // it knows which field is at fault
		}
		j.finish(protocol.SignedReceipt{}, protocol.Evidence{}, err)
	}
}

// watchStakes keeps what the scheduler knows of stakes and distances current.
func (c *Coordinator) watchStakes(ctx context.Context) error {
	ticker := time.NewTicker(5 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		c.mu.Lock()
		workers := c.state.Workers()
		c.mu.Unlock()
		for _, w := range workers {
			stake, err := c.chain.StakeOf(ctx, w.Announcement.Worker)
			if err != nil {
				c.log.Warn("stake not read", "worker", w.Announcement.Worker, "err", err)
				continue
			}
			c.mu.Lock()
			c.stakes[w.Announcement.Peer] = stake.Total()
			c.mu.Unlock()
			c.step(scheduler.Observe{At: now(), Worker: w.Announcement.Peer, Stake: wholeOpen(stake.Total()),
				RTT: c.latency(w.Announcement.Peer).Milliseconds()})
		}
	}
}

func now() int64 { return time.Now().UnixMilli() }

// Busiest is the worker with the most jobs in flight from here, and how many.
func (c *Coordinator) Busiest() (protocol.PeerID, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var id protocol.PeerID
	most := 0
	for _, w := range c.state.Workers() {
		if w.InFlight > most {
			id, most = w.Announcement.Peer, w.InFlight
		}
	}
	return id, most
}
