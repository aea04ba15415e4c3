package coordinator

import (
	"context"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/agent"
)

// maxShownVersions bounds how many of an agent's versions are shown.
const maxShownVersions = 100

// AgentList lists all agents. Of those whose manifests are not here, it says what the
// registry does.
func (c *Coordinator) AgentList(ctx context.Context) ([]api.AgentView, error) {
	all, err := c.agents.get(ctx, c.chain)
	if err != nil {
		return nil, err
	}
	ids := agentIDs(all)
	out := make([]api.AgentView, len(all))
	for i := range all {
		out[i] = agentView(&all[i], ids[i])
		if here, err := c.ipfs.Has(ctx, all[i].Manifest); err != nil || !here {
			continue
		}
		if m, err := c.manifest(ctx, all[i].Manifest); err == nil { // else it is no manifest
			out[i].Description, out[i].Adapter = m.Description, m.Adapter
		}
	}
	return out, nil
}

func agentView(a *chain.Agent, model string) api.AgentView {
	return api.AgentView{ID: a.ID, Model: model, Name: a.Name, Owner: a.Owner, Version: a.Version, Manifest: a.Manifest, Price: a.Price,
		Active: a.Active, Stake: a.Stake, Created: a.At}
}

// AgentPage is one agent with its newest manifest and its versions.
func (c *Coordinator) AgentPage(ctx context.Context, id uint64) (api.AgentPage, error) {
	all, err := c.agents.get(ctx, c.chain)
	if err != nil {
		return api.AgentPage{}, err
	}
	if id == 0 || id > uint64(len(all)) {
		return api.AgentPage{}, protocol.Errorf(protocol.KindNotFound, "id", "there is no agent %d: GET /api/v1/agents lists them", id)
	}
	a := &all[id-1]
	out := api.AgentPage{AgentView: agentView(a, agentIDs(all)[id-1]), Leaving: a.Leaving, ReleaseAt: a.ReleaseAt}
	if a.PendingOwner != (protocol.Account{}) {
		out.PendingOwner = &a.PendingOwner
	}
	if out.MinStake, err = c.chain.AgentMinStake(ctx); err != nil {
		return out, err
	}
	for n := a.Version; n > 0 && len(out.Versions) < maxShownVersions; n-- {
		v, err := c.chain.AgentVersion(ctx, id, n)
		if err != nil {
			return out, err
		}
		out.Versions = append(out.Versions, api.AgentVersion{Version: v.Number, Manifest: v.Manifest, Price: v.Price, At: v.At})
	}
	if m, err := c.manifest(ctx, a.Manifest); err == nil {
		out.Description, out.Adapter = m.Description, m.Adapter
		if out.Document, err = m.Encode(); err != nil {
			return out, err
		}
	}
	if _, err := c.Agent(ctx, out.Model); err != nil {
		out.Refused = err.Error()
	}
	return out, nil
}

// DraftManifest checks a manifest, and gives the bytes whose CID its owner signs.
func (c *Coordinator) DraftManifest(ctx context.Context, owner protocol.Account, manifest []byte) (api.ManifestDraft, error) {
	m, err := agent.Parse(manifest, owner)
	if err != nil {
		return api.ManifestDraft{}, err
	}
	if m.Owner != owner {
		return api.ManifestDraft{}, protocol.Errorf(protocol.KindInvalid, "owner", "the manifest says %s, who asks is %s: leave it out of the manifest", m.Owner.Hex(), owner.Hex())
	}
	out := api.ManifestDraft{}
	if out.Bytes, err = m.Encode(); err != nil {
		return out, err
	}
	out.CID = agent.CID(out.Bytes)
	out.MinStake, err = c.chain.AgentMinStake(ctx)
	return out, err
}
