package coordinator

import (
	"context"
	"slices"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/ipfs"
)

// checkLineage refuses what the registry would refuse once the adapter is made, or a
// worker once it has fetched the parents: another revision than the next, a royalty
// above the governed maximum, and parents that are not those of the hyper-parameters,
// not of this base and datanet, or ask for too much together.
func (c *Coordinator) checkLineage(ctx context.Context, job protocol.TrainingJob) error {
	o := job.Order
	latest, err := c.chain.LatestRevision(ctx, o.Owner, o.Name)
	if err != nil {
		return err
	}
	if o.Revision != latest+1 {
		return protocol.Errorf(protocol.KindStale, "revision", "is %d: the next one of %s under the name %s is %d; sign for that", o.Revision, o.Owner, o.Name, latest+1)
	}
	rules, err := c.chain.LineageRules(ctx)
	if err != nil {
		return err
	}
	if o.RoyaltyBps > rules.RoyaltyBps {
		return protocol.Errorf(protocol.KindInvalid, "royalty_bps", "is %d: an adapter may ask for at most %d basis points", o.RoyaltyBps, rules.RoyaltyBps)
	}
	most := min(int(rules.Parents), wire.MaxParents)
	if m := job.Hyper.Merge; m != nil && (len(m.Parents) == 0 || len(m.Parents) > most) {
		return protocol.Errorf(protocol.KindInvalid, "hyper.merge.parents", "there are %d, a merge takes 1 to %d", len(m.Parents), most)
	}
	parents, err := ipfs.Digests(job.Hyper.Parents())
	if err != nil {
		return protocol.Errorf(protocol.KindInvalid, "hyper.merge.parents", "%w", err)
	}
	if !slices.Equal(parents, o.Parents) {
		return protocol.Errorf(protocol.KindInvalid, "parents", "the hyper-parameters derive the adapter from %d others, the order names %d: it must name just these, by digest in ascending order", len(parents), len(o.Parents))
	}
	return c.checkParents(ctx, o, rules)
}

func (c *Coordinator) checkParents(ctx context.Context, o protocol.TrainingOrder, rules chain.LineageRules) error {
	total := 0
	for _, digest := range o.Parents {
		a, err := c.chain.Adapter(ctx, digest)
		if err != nil {
			return err
		}
		total += int(a.RoyaltyBps)
		switch {
		case a.Base != o.Base:
			return protocol.Errorf(protocol.KindInvalid, "hyper.merge.parents", "%s is for the base %s, the order for %s", a.Name, a.Base, o.Base)
		case a.Datanet != o.Datanet:
			return protocol.Errorf(protocol.KindInvalid, "hyper.merge.parents", "%s learned from datanet %d, the order is of datanet %d: an adapter pays the contributors of one datanet", a.Name, a.Datanet, o.Datanet)
		case a.Version > o.Version:
			return protocol.Errorf(protocol.KindInvalid, "version", "%s learned from version %d, the order is of version %d", a.Name, a.Version, o.Version)
		case a.Depth >= rules.Depth:
			return protocol.Errorf(protocol.KindInvalid, "hyper.merge.parents", "%s is derived over %d generations already, at most %d are allowed", a.Name, a.Depth, rules.Depth)
		}
	}
	if total > int(rules.TotalBps) {
		return protocol.Errorf(protocol.KindInvalid, "hyper.merge.parents", "ask for %d basis points of the owner's part together, at most %d are allowed: merge fewer, or ask their owners to lower their royalties", total, rules.TotalBps)
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
