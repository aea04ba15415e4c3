package sources

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/agent"
)

const (
	// manifestTimeout bounds the search for a manifest that is not here.
	manifestTimeout = 5 * time.Second
	// keepManifests is how many stay decoded; one has 64 KiB at most.
	keepManifests = 64
)

// Agent compares a job for an agent with the manifest of the version that it names, which
// is registered once and never changes: a newer version is none of an older job's business.
//
// The error of a job that differs is of kind corrupt. unable says why nothing could be said:
// nobody has the manifest, or this program cannot read it. Any other error is the chain's.
func (c *Checker) Agent(ctx context.Context, job *protocol.InferenceJob, providers []peer.AddrInfo) (unable, err error) {
	v, err := c.registry.AgentVersion(ctx, job.Agent, job.AgentVersion)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return nil, protocol.Errorf(protocol.KindCorrupt, "agent", "the registry has no version %d of agent %d", job.AgentVersion, job.Agent)
	}
	if err != nil {
		return nil, err
	}
	m, err := c.manifest(ctx, v.Manifest, providers)
	if err != nil {
		return err, ctx.Err()
	}
	return nil, m.Check(job)
}

// manifest gets one from here or from the network. Manifests are kept by their CIDs, so
// that a chain that is reorganised is no danger to them.
func (c *Checker) manifest(ctx context.Context, id protocol.CID, providers []peer.AddrInfo) (*agent.Manifest, error) {
	c.mu.Lock()
	m := c.manifests[id]
	c.mu.Unlock()
	if m != nil {
		return m, nil
	}
	ctx, cancel := context.WithTimeout(ctx, manifestTimeout)
	defer cancel()
	raw, err := c.content.GetBlock(ctx, id, providers)
	if err != nil {
		return nil, protocol.Errorf(protocol.KindUnavailable, "agent", "nobody here provides the agent's manifest %s: %w", id, err)
	}
	if m, err = agent.Decode(raw); err != nil {
		return nil, protocol.Errorf(protocol.KindInvalid, "agent", "what is registered as the agent's manifest, %s, is none that this program reads: %w", id, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.manifests == nil || len(c.manifests) >= keepManifests {
		c.manifests = map[protocol.CID]*agent.Manifest{}
	}
	c.manifests[id] = m
	return m, nil
}
