package coordinator

import (
	"cmp"
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/scheduler"
)

// Bounds of orders about adapters.
const (
	orderTimeout    = 2 * time.Minute
	prefetchTimeout = 30 * time.Second
	maxPrefetches   = 16 // at a time; more are hints that come too late
	maxOrders       = 32 // of one request, at a time
)

// OrderAdapter has workers load, pin, unpin or unload an adapter, in the name of a
// requester that has given this coordinator a session key. With no worker named, a load
// or a pin goes to the least loaded one, and what frees memory to all of them.
// Whether the requester may have it done is each worker's choice.
func (c *Coordinator) OrderAdapter(ctx context.Context, requester protocol.Account, model string, action protocol.AdapterAction, worker protocol.PeerID) ([]api.AdapterPlacement, error) {
	if _, err := c.started(); err != nil {
		return nil, err
	}
	adapter, err := c.resolve(ctx, model)
	if err != nil {
		return nil, err
	}
	if adapter.CID == "" {
		return nil, protocol.Errorf(protocol.KindInvalid, "id", "%q is the base model, which every worker has loaded: name an adapter", model)
	}
	workers, err := c.orderTargets(action, worker)
	if err != nil {
		return nil, err
	}
	out := make([]api.AdapterPlacement, len(workers))
	errs := make([]error, len(workers))
	var calls errgroup.Group
	calls.SetLimit(maxOrders)
	for i, w := range workers {
		calls.Go(func() error {
			state, err := c.orderAdapter(ctx, requester, adapter, action, w, orderTimeout)
			out[i] = api.AdapterPlacement{Worker: w, Pinned: state.Pinned, Tier: api.TierNames[min(state.Tier, protocol.TierNetwork)]}
			if err != nil {
				out[i], errs[i] = api.AdapterPlacement{Worker: w, Error: err.Error()}, err
			}
			return nil
		})
	}
	if err := calls.Wait(); err != nil {
		return nil, err
	}
	if len(workers) == 1 { // nothing else to tell
		return out, errs[0]
	}
	return slices.DeleteFunc(out, func(p api.AdapterPlacement) bool { // it has nothing to do with the adapter
		return worker == "" && p.Tier == api.TierNames[protocol.TierNetwork]
	}), nil
}

// orderTargets says which workers an order is for.
func (c *Coordinator) orderTargets(action protocol.AdapterAction, worker protocol.PeerID) ([]protocol.PeerID, error) {
	c.mu.Lock()
	workers := c.state.Workers()
	c.mu.Unlock()
	if worker != "" {
		if !slices.ContainsFunc(workers, func(w scheduler.WorkerStatus) bool { return w.Announcement.Peer == worker }) {
			return nil, protocol.Errorf(protocol.KindNotFound, "worker", "no worker %q has announced itself: GET /api/v1/workers lists those that have", worker)
		}
		return []protocol.PeerID{worker}, nil
	}
	if len(workers) == 0 {
		return nil, protocol.Errorf(protocol.KindUnavailable, "", "no worker has announced itself yet")
	}
	if action == protocol.AdapterLoad || action == protocol.AdapterPin {
		load := func(w scheduler.WorkerStatus) float64 {
			return float64(w.Announcement.Running+w.Announcement.Waiting+w.InFlight) / float64(max(w.Announcement.Slots, 1))
		}
		best := slices.MinFunc(workers, func(a, b scheduler.WorkerStatus) int {
			return cmp.Or(cmp.Compare(load(a), load(b)), cmp.Compare(a.Announcement.Peer, b.Announcement.Peer))
		})
		return []protocol.PeerID{best.Announcement.Peer}, nil
	}
	var out []protocol.PeerID
	for _, w := range workers { // announcements are late, and have no room for all adapters
		out = append(out, w.Announcement.Peer)
	}
	return out, nil
}

// orderAdapter sends one order to one worker and waits for it.
func (c *Coordinator) orderAdapter(ctx context.Context, requester protocol.Account, adapter chain.Adapter, action protocol.AdapterAction, worker protocol.PeerID, timeout time.Duration) (protocol.AdapterState, error) {
	c.mu.Lock()
	binding, ok := c.bindings[worker]
	c.mu.Unlock()
	if !ok {
		return protocol.AdapterState{}, protocol.Errorf(protocol.KindNotFound, "worker", "%s has not announced itself", worker)
	}
	o, err := wire.SignAdapterOrder(c.escrowDomain, protocol.AdapterOrder{
		Requester: requester, Adapter: adapter.CID, Action: action, Deadline: time.Now().Add(timeout).UnixMilli(), Sources: c.sources(adapter.Digest),
	}, binding.Binding.Owner, c.session)
	if err != nil {
		return protocol.AdapterState{}, err
	}
	return c.host.OrderAdapter(ctx, worker, o)
}

// prefetch carries out the scheduler's hint that a worker will probably need a job's
// adapter. It starts a goroutine and never waits; c.mu is held.
func (c *Coordinator) prefetch(j *liveJob, e scheduler.Effect) {
	select {
	case c.prefetches <- struct{}{}:
	default:
		c.metrics.prefetches.WithLabelValues("dropped").Inc()
		return
	}
	// It outlives the job, whose followers it is for.
	ctx, adapter, requester := c.running, j.adapter, j.job.Requester
	c.tasks.Go(func() error {
		defer func() { <-c.prefetches }()
		outcome := "ok"
		if _, err := c.orderAdapter(ctx, requester, adapter, protocol.AdapterLoad, e.Worker, prefetchTimeout); err != nil {
			outcome = string(protocol.KindOf(err))
			c.log.Debug("adapter not prefetched", "adapter", adapter.CID, "worker", e.Worker, "err", err)
		}
		c.metrics.prefetches.WithLabelValues(outcome).Inc()
		return nil
	})
}
