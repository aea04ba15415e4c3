package coordinator

import (
	"context"
	"slices"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/ipfs"
)

// checkMerge refuses a merge that a worker would refuse once it has fetched the
// parents: all must be registered, for this base and for the datanet of the order.
func (c *Coordinator) checkMerge(ctx context.Context, job protocol.TrainingJob) error {
	m, o := job.Hyper.Merge, job.Order
	if m == nil {
		return nil
	}
	if len(m.Parents) == 0 || len(m.Parents) > wire.MaxParents {
		return protocol.Errorf(protocol.KindInvalid, "hyper.merge.parents", "there are %d, a merge takes 1 to %d", len(m.Parents), wire.MaxParents)
	}
	for _, p := range m.Parents {
		digest, err := ipfs.Digest(p.Adapter)
		if err != nil {
			return protocol.Errorf(protocol.KindInvalid, "hyper.merge.parents", "%w", err)
		}
		a, err := c.chain.Adapter(ctx, digest)
		if err != nil {
			return err
		}
		switch {
		case a.Base != o.Base:
			return protocol.Errorf(protocol.KindInvalid, "hyper.merge.parents", "%s is for the base %s, the order for %s", a.Name, a.Base, o.Base)
		case a.Datanet != o.Datanet:
			return protocol.Errorf(protocol.KindInvalid, "hyper.merge.parents", "%s learned from datanet %d, the order is of datanet %d: an adapter pays the contributors of one datanet", a.Name, a.Datanet, o.Datanet)
		case a.Version > o.Version:
			return protocol.Errorf(protocol.KindInvalid, "version", "%s learned from version %d, the order is of version %d", a.Name, a.Version, o.Version)
		}
	}
	return nil
}

// trainingSources are the peers that provide what a job needs: this coordinator, and for
// a merge the workers that have the parents.
func (c *Coordinator) trainingSources(h protocol.Hyper) []string {
	out := c.host.Addrs()
	if h.Merge == nil {
		return out
	}
	for _, p := range h.Merge.Parents {
		digest, err := ipfs.Digest(p.Adapter)
		if err != nil {
			continue // refused when the job began
		}
		for _, s := range c.sources(digest) {
			if !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out[:min(len(out), wire.MaxSources)]
}
