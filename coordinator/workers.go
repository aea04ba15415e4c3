package coordinator

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// registryTimeout is how long the list of workers waits for names of adapters.
const registryTimeout = 2 * time.Second

// Workers lists the workers heard of lately, with what the registry says of the adapters
// that they announce.
func (c *Coordinator) Workers(ctx context.Context) ([]api.WorkerView, error) {
	c.mu.Lock()
	var out []api.WorkerView
	for _, w := range c.state.Workers() {
		a := w.Announcement
		v := api.WorkerView{Announcement: a, Stake: c.stakes[a.Peer], Payout: c.bindings[a.Peer].Binding.Payout, Addresses: c.addresses(a.Peer)}
		if rtt := c.latency(a.Peer); rtt > 0 {
			ms := float64(rtt) / float64(time.Millisecond)
			v.RoundTrip = &ms
		}
		if w.Quarantined {
			v.Reason = "it failed several jobs in a row and rests for a moment"
		}
		out = append(out, v)
	}
	c.mu.Unlock()
	named := c.named(ctx, out)
	for i, w := range out {
		for _, a := range w.Announcement.Adapters {
			at := api.WorkerAdapter{Tag: a.Tag, Tier: a.Tier}
			if m, ok := named[a.Tag]; ok {
				at.Name, at.CID = m.ID, m.CID
			}
			out[i].Adapters = append(out[i].Adapters, at)
		}
	}
	return out, nil
}

// named gives the models that tags of announcements stand for. The list of workers does not
// wait for the chain: it is asked only about tags that were never seen in the registry, and
// where it does not answer, those have no name.
func (c *Coordinator) named(ctx context.Context, workers []api.WorkerView) map[uint64]api.Model {
	byTag := func(adapters []chain.Adapter) map[uint64]api.Model {
		ids, tags := modelIDs(adapters), make(map[uint64]api.Model, len(adapters))
		for i, a := range adapters {
			tags[tagOf(a.Digest)] = api.Model{ID: ids[i], CID: a.CID}
		}
		return tags
	}
	known := byTag(c.models.remembered())
	for _, w := range workers {
		for _, a := range w.Announcement.Adapters {
			if _, ok := known[a.Tag]; ok {
				continue
			}
			ctx, cancel := context.WithTimeout(ctx, registryTimeout)
			defer cancel()
			adapters, err := c.models.get(ctx, c.chain)
			if err != nil {
				c.log.Warn("adapters that workers announce have no names: the registry was not read", "err", err)
				return known
			}
			return byTag(adapters)
		}
	}
	return known
}

// latency is the measured round trip to a peer, 0 when it is not known.
func (c *Coordinator) latency(id protocol.PeerID) time.Duration {
	p, err := peer.Decode(string(id))
	if err != nil {
		return 0
	}
	return c.host.Libp2p().Peerstore().LatencyEWMA(p)
}
