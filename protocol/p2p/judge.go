package p2p

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// verdict on a gossip message. Rejecting costs the sender score, so only what
// every honest peer would have refused to forward is rejected; what depends on
// clocks, on the chain's state or on what arrived before is ignored.
type verdict int

const (
	accept verdict = iota
	ignore
	reject
)

func (v verdict) String() string { return [...]string{"accept", "ignore", "reject"}[v] }

// judge decides about the signed message raw of an author on a topic, whose
// signature is verified already, and takes it into the book if acceptable.
func (h *Host) judge(ctx context.Context, topic string, author peer.ID, data, raw []byte) (verdict, string) {
	a, binding, err := wire.DecodeAnnouncement(data)
	if err != nil {
		return reject, "malformed"
	}
	if string(a.Peer) != author.String() {
		return reject, "wrong_author"
	}
	if Topic(a.Base) != topic {
		return reject, "wrong_topic"
	}
	if err := h.book.checkBinding(h.cfg.Domain, binding); err != nil {
		return reject, "binding_signature"
	}
	now := time.Now()
	ms, ahead := now.UnixMilli(), now.Add(h.cfg.ClockTolerance).UnixMilli()
	switch b := binding.Binding; {
	case a.ExpiresAt <= ms:
		return ignore, "expired"
	case a.IssuedAt > ahead:
		return ignore, "future"
	case b.Expires <= ms:
		return ignore, "binding_expired"
	case b.IssuedAt > ahead:
		return ignore, "binding_future"
	}
	key := bookKey{peer: author, base: a.Base}
	if a.Sequence <= h.book.sequence(key) {
		return ignore, "stale"
	}
	if author != h.libp2p.ID() && !h.stakes.bonded(ctx, a.Worker, binding.Binding.NodeKey, now) {
		return ignore, "unknown_stake"
	}
	if !h.book.add(key, Heard{Announcement: a, Binding: binding}, raw, now) {
		return ignore, "stale"
	}
	return accept, "ok"
}

// checkBinding verifies the owner's signature, unless the author's known
// announcements carry the same binding, verified before.
func (b *book) checkBinding(d wire.Domain, s protocol.SignedBinding) error {
	if known, ok := b.bindings.get(s.Binding.Peer); ok && known.Binding == s.Binding && string(known.Signature) == string(s.Signature) {
		return nil
	}
	if err := wire.VerifyBinding(d, s); err != nil {
		return err
	}
	b.bindings.put(s)
	return nil
}

// bindingCache holds verified bindings, the last one of each peer.
type bindingCache struct {
	mu     sync.Mutex
	byPeer map[protocol.PeerID]protocol.SignedBinding
}

func (c *bindingCache) get(p protocol.PeerID) (protocol.SignedBinding, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.byPeer[p]
	return s, ok
}

func (c *bindingCache) put(s protocol.SignedBinding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byPeer == nil || len(c.byPeer) >= bookLimit {
		c.byPeer = map[protocol.PeerID]protocol.SignedBinding{}
	}
	c.byPeer[s.Binding.Peer] = s
}

const (
	stakeKnownFor   = time.Minute      // a bonded worker is believed that long
	stakeUnknownFor = 10 * time.Second // one that is not, or when the chain fails
	stakeTimeout    = 3 * time.Second
)

// stakeCache remembers what the chain said.
type stakeCache struct {
	chain Chain // nil: everybody is bonded
	mu    sync.Mutex
	known map[[2]protocol.Account]stake
}

type stake struct {
	bonded bool
	until  time.Time
}

func newStakeCache(c Chain) *stakeCache {
	return &stakeCache{chain: c, known: map[[2]protocol.Account]stake{}}
}

func (c *stakeCache) bonded(ctx context.Context, owner, nodeKey protocol.Account, now time.Time) bool {
	if c.chain == nil {
		return true
	}
	key := [2]protocol.Account{owner, nodeKey}
	c.mu.Lock()
	s, ok := c.known[key]
	c.mu.Unlock()
	if ok && now.Before(s.until) {
		return s.bonded
	}
	ctx, cancel := context.WithTimeout(ctx, stakeTimeout)
	defer cancel()
	bonded, err := c.chain.WorkerBonded(ctx, owner, nodeKey)
	s = stake{bonded: bonded && err == nil, until: now.Add(stakeUnknownFor)}
	if s.bonded {
		s.until = now.Add(stakeKnownFor)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= bookLimit {
		c.known = map[[2]protocol.Account]stake{}
	}
	c.known[key] = s
	return s.bonded
}
