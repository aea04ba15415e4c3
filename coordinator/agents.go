package coordinator

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/coordinator/mcpclient"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/agent"
)

const (
	// manifestTimeout bounds the search for a manifest that is not here.
	manifestTimeout = 5 * time.Second
	// manifestCache is how many manifests are kept decoded.
	manifestCache = 256
	// agentTopK is how many records of each of its datanets an agent reads.
	agentTopK = 3
	// maxMarkupBits is what the wire carries of a price.
	maxMarkupBits = 128
)

// agentList remembers the registry's agents as of a block, and manifests, which never
// change.
type agentList struct {
	mu        sync.Mutex
	block     uint64
	loaded    bool
	known     []chain.Agent // by id
	manifests map[protocol.CID]*agent.Manifest
}

// get reads all agents again when there is a new block.
func (l *agentList) get(ctx context.Context, client *chain.Client) ([]chain.Agent, error) {
	block, _, err := client.Head(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.loaded || block != l.block {
		known, err := client.Agents(ctx)
		if err != nil {
			return nil, err
		}
		l.known, l.block, l.loaded = known, block, true
	}
	return l.known[:len(l.known):len(l.known)], nil
}

// StoreManifest keeps the manifest of an agent's version, so that others find it by its
// CID. It takes what the registry names and nothing else: nobody fills this store for
// free.
func (c *Coordinator) StoreManifest(ctx context.Context, id uint64, version uint32, manifest []byte) (protocol.CID, error) {
	registered, err := c.chain.AgentVersion(ctx, id, version)
	if err != nil {
		return "", err
	}
	m, err := agent.Decode(manifest)
	if err != nil {
		return "", err
	}
	if cid := agent.CID(manifest); cid != registered.Manifest {
		return "", protocol.Errorf(protocol.KindInvalid, "manifest", "of %q is %s, version %d of agent %d is %s", m.Name, cid, version, id, registered.Manifest)
	}
	return c.ipfs.AddBlock(ctx, manifest)
}

// Agent finds the agent that a model id names (see [api.Agents]) and reads its manifest.
func (c *Coordinator) Agent(ctx context.Context, model string) (api.Agent, error) {
	a, v, err := c.findAgent(ctx, model)
	if err != nil {
		return api.Agent{}, err
	}
	if !a.Active {
		return api.Agent{}, protocol.Errorf(protocol.KindNotFound, "model", "%s is not on offer: its owner retired it, or its stake is below the minimum", model)
	}
	m, err := c.manifest(ctx, v.Manifest)
	if err != nil {
		return api.Agent{}, err
	}
	price, err := m.PriceWei()
	if err != nil {
		return api.Agent{}, err
	}
	if m.Name != a.Name || price != v.Price || price.BitLen() > maxMarkupBits {
		return api.Agent{}, protocol.Errorf(protocol.KindNotFound, "model",
			"%s cannot be asked: its manifest names %q for %s wei, its registration %q for %s: its owner has to publish a version in which they agree",
			model, m.Name, price.Dec(), a.Name, v.Price.Dec())
	}
	out := api.Agent{ID: a.ID, Version: v.Number, Model: string(m.Adapter), Markup: price, Instructions: m.Instructions}
	if out.Model == "" {
		out.Model = m.Base
	}
	if _, err := c.resolve(ctx, out.Model); err != nil {
		return api.Agent{}, protocol.Errorf(protocol.KindOf(err), "model", "%s answers with %s: %w", model, out.Model, err)
	}
	if len(m.Datanets) > protocol.MaxRetrievals {
		return api.Agent{}, protocol.Errorf(protocol.KindInvalid, "model", "%s looks things up in %d datanets, and an answer reads %d at most: ask an agent with fewer", model, len(m.Datanets), protocol.MaxRetrievals)
	}
	for _, d := range m.Datanets {
		out.Retrieve = append(out.Retrieve, api.Retrieve{Datanet: strconv.FormatUint(d.Datanet, 10), Version: d.Version, TopK: agentTopK})
	}
	if out.Tools, err = m.Functions(); err != nil {
		return api.Agent{}, err
	}
	if len(m.Servers) > 0 {
		servers := make([]mcpclient.Server, len(m.Servers))
		for i, s := range m.Servers {
			servers[i] = mcpclient.Server{URL: s.URL, Tools: s.Tools}
		}
		out.Servers = c.tools.Toolbox(servers)
	}
	return out, nil
}

// findAgent reads agent/NAME or agent/OWNER/NAME, each with @VERSION or without. The short name is that of the agent which was registered first
// under it, for ever: whoever registers the name later does not get its requests.
func (c *Coordinator) findAgent(ctx context.Context, model string) (chain.Agent, chain.AgentVersion, error) {
	fail := func(err error) (chain.Agent, chain.AgentVersion, error) {
		return chain.Agent{}, chain.AgentVersion{}, err
	}
	name, number, versioned := strings.Cut(strings.TrimPrefix(model, api.AgentPrefix), "@")
	owner, rest, owned := strings.Cut(name, "/")
	var id uint64
	if owned {
		if !common.IsHexAddress(owner) || rest == "" {
			return fail(protocol.Errorf(protocol.KindInvalid, "model", "%q is no agent: write agent/NAME, or agent/0x…/NAME with the owner's address", model))
		}
		var err error
		if id, err = c.chain.AgentByName(ctx, common.HexToAddress(owner), rest); err != nil {
			return fail(unknownAgent(model, err))
		}
	} else {
		all, err := c.agents.get(ctx, c.chain)
		if err != nil {
			return fail(err)
		}
		for i := range all {
			if all[i].Name == name {
				id = all[i].ID
				break
			}
		}
		if id == 0 {
			return fail(unknownAgent(model, protocol.Errorf(protocol.KindNotFound, "", "")))
		}
	}
	a, err := c.chain.Agent(ctx, id)
	if err != nil {
		return fail(unknownAgent(model, err))
	}
	v := chain.AgentVersion{Agent: id, Number: a.Version, Manifest: a.Manifest, Digest: a.Digest, Price: a.Price}
	if versioned {
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || n == 0 {
			return fail(protocol.Errorf(protocol.KindInvalid, "model", "%q: a version is a number from 1", model))
		}
		if v, err = c.chain.AgentVersion(ctx, id, uint32(n)); err != nil {
			if protocol.KindOf(err) == protocol.KindNotFound {
				err = protocol.Errorf(protocol.KindNotFound, "model", "%s has %d versions, not version %d", strings.TrimSuffix(model, "@"+number), a.Version, n)
			}
			return fail(err)
		}
	}
	return a, v, nil
}

func unknownAgent(model string, err error) error {
	if protocol.KindOf(err) != protocol.KindNotFound {
		return err
	}
	return protocol.Errorf(protocol.KindNotFound, "model", "there is no agent %q; GET /v1/models lists them", model)
}

// manifest gets a manifest from here or from the network.
func (c *Coordinator) manifest(ctx context.Context, id protocol.CID) (*agent.Manifest, error) {
	c.agents.mu.Lock()
	m := c.agents.manifests[id]
	c.agents.mu.Unlock()
	if m != nil {
		return m, nil
	}
	ctx, cancel := context.WithTimeout(ctx, manifestTimeout)
	defer cancel()
	raw, err := c.ipfs.GetBlock(ctx, id, nil)
	if err != nil {
		return nil, protocol.Errorf(protocol.KindUnavailable, "model", "nobody provides the agent's manifest %s: its owner stores it here with 'openledger agent update FILE' (%w)", id, err)
	}
	if m, err = agent.Decode(raw); err != nil {
		return nil, protocol.Errorf(protocol.KindNotFound, "model", "what is registered as the agent's manifest is none: %w", err)
	}
	c.agents.mu.Lock()
	defer c.agents.mu.Unlock()
	if c.agents.manifests == nil || len(c.agents.manifests) >= manifestCache {
		c.agents.manifests = map[protocol.CID]*agent.Manifest{}
	}
	c.agents.manifests[id] = m
	return m, nil
}

// agentIDs are the shortest model ids that lead to agents, which are in the order of
// their registration.
func agentIDs(all []chain.Agent) []string {
	taken := map[string]bool{}
	out := make([]string, len(all))
	for i := range all {
		a := &all[i]
		out[i] = api.AgentPrefix + a.Name
		if taken[a.Name] {
			out[i] = api.AgentPrefix + strings.ToLower(a.Owner.Hex()) + "/" + a.Name
		}
		taken[a.Name] = true // by a retired one, too
	}
	return out
}

// agentModels lists the agents on offer whose manifest is here and names a model that is
// served here.
func (c *Coordinator) agentModels(ctx context.Context, adapters []chain.Adapter) ([]api.Model, error) {
	all, err := c.agents.get(ctx, c.chain)
	if err != nil {
		return nil, err
	}
	byCID := make(map[protocol.CID]chain.Adapter, len(adapters))
	for _, a := range adapters {
		byCID[a.CID] = a
	}
	ids := agentIDs(all)
	var out []api.Model
	for i, a := range all {
		id := ids[i]
		if !a.Active {
			continue
		}
		if here, err := c.ipfs.Has(ctx, a.Manifest); err != nil || !here {
			continue
		}
		m, err := c.manifest(ctx, a.Manifest)
		if err != nil {
			continue // what is no manifest cannot be asked
		}
		model := api.Model{ID: id, Base: c.cfg.Base, Owner: a.Owner, Created: a.At,
			Agent: &api.AgentModel{ID: a.ID, Version: a.Version, Manifest: a.Manifest, Adapter: m.Adapter, Description: m.Description, Markup: a.Price, Stake: a.Stake}}
		if m.Adapter == "" {
			if m.Base != c.cfg.Base.Hex() {
				continue
			}
		} else {
			with, ok := byCID[m.Adapter]
			if !ok || with.Base != c.cfg.Base {
				continue
			}
			model.Access, model.Datanet, model.Version = with.Access, with.Datanet, with.Version
		}
		out = append(out, model)
	}
	return out, nil
}
