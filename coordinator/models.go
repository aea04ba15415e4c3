package coordinator

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// modelList remembers the registry's adapters, which are only ever added to.
type modelList struct {
	mu    sync.Mutex
	known []chain.Adapter
}

func (l *modelList) get(ctx context.Context, client *chain.Client) ([]chain.Adapter, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := client.AdapterCount(ctx)
	if err != nil {
		return nil, err
	}
	if n > uint64(len(l.known)) {
		if l.known, err = client.Adapters(ctx); err != nil {
			return nil, err
		}
	}
	return l.known[:len(l.known):len(l.known)], nil
}

// remembered are the adapters that were read so far.
func (l *modelList) remembered() []chain.Adapter {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[:len(l.known):len(l.known)]
}

// resolve finds the adapter that a request names: a name, which is its newest revision,
// a name with a revision (name@2), a CID, or the base. Its price is read anew, since its
// owner may change it.
func (c *Coordinator) resolve(ctx context.Context, model string) (chain.Adapter, error) {
	if model == c.cfg.BaseName || model == c.cfg.Base.Hex() {
		return chain.Adapter{}, nil
	}
	adapters, err := c.models.get(ctx, c.chain)
	if err != nil {
		return chain.Adapter{}, err
	}
	var elsewhere protocol.Hash
	for _, a := range slices.Backward(adapters) { // of two with one name, the newest
		switch {
		case a.Name != model && string(a.CID) != model && revisionName(a) != model && pinnedName(a.Name, a.CID) != model:
		case a.Base == c.cfg.Base:
			return c.chain.Adapter(ctx, a.Digest)
		default:
			elsewhere = a.Base
		}
	}
	if elsewhere != (protocol.Hash{}) {
		return chain.Adapter{}, protocol.Errorf(protocol.KindNotFound, "model", "%q is for the base %s, here is %s; GET /v1/models lists what is here", model, elsewhere, c.cfg.Base)
	}
	return chain.Adapter{}, protocol.Errorf(protocol.KindNotFound, "model", "there is no model %q here; GET /v1/models lists them", model)
}

// Models lists the base, the adapters registered for it, and the agents that answer with
// them.
func (c *Coordinator) Models(ctx context.Context) ([]api.Model, error) {
	adapters, err := c.models.get(ctx, c.chain)
	if err != nil {
		return nil, err
	}
	out := []api.Model{{ID: c.cfg.BaseName, Base: c.cfg.Base}}
	ids := modelIDs(adapters)
	for i, a := range adapters {
		if a.Base != c.cfg.Base {
			continue
		}
		out = append(out, api.Model{ID: ids[i], CID: a.CID, Base: a.Base, Owner: a.Owner, Datanet: a.Datanet, Version: a.Version, Access: a.Access, Created: a.At,
			Revision: a.Revision, RoyaltyBps: a.RoyaltyBps, Parents: a.Parents})
	}
	agents, err := c.agentModels(ctx, adapters)
	return append(out, agents...), err
}

// modelIDs are the ids under which adapters are listed, which are in order of registration:
// the name of an owner's newest revision, and the others with their number.
func modelIDs(adapters []chain.Adapter) []string {
	type line struct {
		owner protocol.Account
		name  string
	}
	newest := map[line]uint32{}
	for _, a := range adapters {
		newest[line{a.Owner, a.Name}] = a.Revision
	}
	ids := make([]string, len(adapters))
	for i, a := range adapters {
		if ids[i] = a.Name; a.Revision != newest[line{a.Owner, a.Name}] {
			ids[i] = revisionName(a)
		}
	}
	return ids
}

// pinnedName names an adapter for good: nobody else's can be called so.
func pinnedName(name string, id protocol.CID) string { return name + "@" + string(id) }

// revisionName names one revision of an adapter; adapters' names have no "@".
func revisionName(a chain.Adapter) string { return fmt.Sprintf("%s@%d", a.Name, a.Revision) }

// sources are the peers that provide an adapter: this coordinator, which keeps a copy,
// and the workers that say they have it.
func (c *Coordinator) sources(digest protocol.Hash) []string {
	out := c.host.Addrs()
	tag := tagOf(digest)
	c.mu.Lock()
	workers := c.state.Workers()
	c.mu.Unlock()
	for _, w := range workers {
		if tag != 0 && slices.ContainsFunc(w.Announcement.Adapters, func(r protocol.ResidentAdapter) bool { return r.Tag == tag }) {
			out = append(out, c.addresses(w.Announcement.Peer)...)
		}
	}
	return out[:min(len(out), wire.MaxSources)]
}
