// Package sources checks what a job was given to read against the datanets that it names:
// that the version is the registry's, that the records are in it, whose they are, and that
// the texts are theirs. It checks what a job says in an agent's name against the agent's
// manifest, too. Workers check before they answer, auditors afterwards.
//
// Invariants: what passes is true of the chain and of content that its hashes prove; what
// is wrong, and what cannot be checked now, are told apart (by the error's kind, corrupt
// and anything else).
//
// It chooses no records and weighs none, and says nothing about prices, which change.
package sources

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/agent"
	"github.com/openledger/openledger/store/datanet"
	"github.com/openledger/openledger/store/ipfs"
)

// keep is how many versions' lists of records stay in memory.
const keep = 8

// Registry is where versions are looked up.
type Registry interface {
	AgentVersion(ctx context.Context, agent uint64, number uint32) (chain.AgentVersion, error)
	Version(ctx context.Context, datanet uint64, number uint32) (protocol.Version, error)
}

// Checker checks retrievals. It is safe for concurrent use.
type Checker struct {
	content  *ipfs.Node
	registry Registry

	mu        sync.Mutex
	used      []version // the one used last comes last
	manifests map[protocol.CID]*agent.Manifest
}

type version struct {
	root         protocol.CID
	contributors map[protocol.Hash]protocol.Account // of each record
}

// New makes a checker over a content store.
func New(content *ipfs.Node, registry Registry) *Checker {
	return &Checker{content: content, registry: registry}
}

// Check checks what a job was given to read. What is not here comes from the providers.
func (c *Checker) Check(ctx context.Context, retrieval []protocol.Retrieval, providers []peer.AddrInfo) error {
	for i := range retrieval {
		if err := c.check(ctx, &retrieval[i], providers); err != nil {
			return fmt.Errorf("retrieval[%d]: %w", i, err)
		}
	}
	return nil
}

func wrong(format string, args ...any) error {
	return protocol.Errorf(protocol.KindCorrupt, "retrieval", format, args...)
}

func (c *Checker) check(ctx context.Context, r *protocol.Retrieval, providers []peer.AddrInfo) error {
	v, err := c.registry.Version(ctx, r.Datanet, r.Version)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return wrong("the registry has no version %d of datanet %d", r.Version, r.Datanet)
	}
	if err != nil {
		return err
	}
	if digest, err := ipfs.Digest(v.Root); err != nil || digest != r.Root {
		return wrong("version %d of datanet %d is %s, not %s", r.Version, r.Datanet, digest, r.Root)
	}
	contributors, err := c.records(ctx, v.Root, providers)
	if err != nil {
		return err
	}
	for k := range r.Sources {
		s := &r.Sources[k]
		who, ok := contributors[s.Record]
		if !ok || who != s.Contributor {
			return wrong("record %s of %s is not in version %d of datanet %d", s.Record, s.Contributor, r.Version, r.Datanet)
		}
		block, err := c.content.GetBlock(ctx, ipfs.RawCIDOf(s.Record), providers)
		if err != nil {
			return err
		}
		record, err := datanet.Decode(block)
		if err != nil {
			return wrong("record %s: %w", s.Record, err)
		}
		if s.Title != record.Title() || !strings.Contains(record.Text(), s.Text) {
			return wrong("the text of source %d is not that of record %s", k, s.Record)
		}
	}
	return nil
}

// records are those of a version, with who gave them.
func (c *Checker) records(ctx context.Context, root protocol.CID, providers []peer.AddrInfo) (map[protocol.Hash]protocol.Account, error) {
	c.mu.Lock()
	if i := slices.IndexFunc(c.used, func(v version) bool { return v.root == root }); i >= 0 {
		v := c.used[i]
		c.used = append(slices.Delete(c.used, i, i+1), v)
		c.mu.Unlock()
		return v.contributors, nil
	}
	c.mu.Unlock()
	m, err := datanet.ReadManifest(ctx, c.content, root, providers)
	if err != nil {
		return nil, err
	}
	v := version{root: root, contributors: make(map[protocol.Hash]protocol.Account, len(m.Records))}
	for _, r := range m.Records {
		digest, err := ipfs.Digest(r.CID)
		if err != nil {
			return nil, err
		}
		v.contributors[digest] = r.Contributor
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.used) == keep {
		c.used = slices.Delete(c.used, 0, 1)
	}
	c.used = append(c.used, v)
	return v.contributors, nil
}
