package p2p

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pubsubpb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"google.golang.org/protobuf/proto"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/protocol/wire/pb"
)

const (
	syncFrame = gossipMax + 16
	syncMost  = 1 << 14 // announcements taken from one peer at once
	meshForms = 3 * time.Second
)

// Sync asks a peer for its current announcements of a base. Each is checked as
// if it came by gossip; subscribers see the new ones. It returns their number.
func (h *Host) Sync(ctx context.Context, from protocol.PeerID, base protocol.Hash) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*h.cfg.Timeouts.Request)
	defer cancel()
	c, err := h.open(ctx, from, SyncProtocol)
	if err != nil {
		return 0, err
	}
	defer c.reset()
	if err := c.write(&pb.SyncRequest{Base: base[:]}, syncFrame); err != nil {
		return 0, err
	}
	taken := 0
	for range syncMost {
		var reply pb.SyncReply
		if err := c.read(&reply, syncFrame, h.cfg.Timeouts.Request); err != nil {
			return taken, err
		}
		if reply.GetEnd() {
			c.close()
			return taken, nil
		}
		var m pubsubpb.Message
		if err := proto.Unmarshal(reply.GetMessage(), &m); err != nil {
			return taken, protocol.Errorf(protocol.KindCorrupt, "message", "from %s is not a gossip message: %w", from, err)
		}
		author, err := verifyGossip(&m)
		if err != nil {
			return taken, protocol.Errorf(protocol.KindCorrupt, "message", "from %s is not signed by its author: %w", from, err)
		}
		if m.GetTopic() != Topic(base) || author == h.libp2p.ID() {
			continue
		}
		v, reason := h.judge(ctx, m.GetTopic(), author, m.GetData(), reply.GetMessage())
		h.metrics.judged(v, "sync_"+reason)
		switch v {
		case accept:
			taken++
		case reject:
			return taken, protocol.Errorf(protocol.KindCorrupt, "message", "from %s is invalid (%s)", from, reason)
		}
	}
	return taken, protocol.Errorf(protocol.KindInvalid, "message", "%s sends more than %d announcements", from, syncMost)
}

// verifyGossip checks the signature that pubsub's StrictSign makes.
func verifyGossip(m *pubsubpb.Message) (peer.ID, error) {
	author, err := peer.IDFromBytes(m.GetFrom())
	if err != nil {
		return "", err
	}
	key, err := author.ExtractPublicKey()
	if err != nil {
		return "", fmt.Errorf("key of %s: %w", author, err)
	}
	bare := proto.CloneOf(m)
	bare.Signature, bare.Key = nil, nil
	b, err := proto.Marshal(bare)
	if err != nil {
		return "", err
	}
	ok, err := key.Verify(append([]byte(pubsub.SignPrefix), b...), m.GetSignature())
	if err == nil && !ok {
		err = errors.New("wrong signature")
	}
	return author, err
}

func (h *Host) serveSync(s network.Stream) {
	h.serve(s, func(_ context.Context, c *conversation) error {
		var request pb.SyncRequest
		if err := c.read(&request, syncFrame, h.cfg.Timeouts.Request); err != nil {
			return err
		}
		if len(request.GetBase()) != len(protocol.Hash{}) {
			return protocol.Errorf(protocol.KindInvalid, "base", "has %d bytes, want %d", len(request.GetBase()), len(protocol.Hash{}))
		}
		for i, e := range h.book.current(protocol.Hash(request.GetBase()), time.Now()) {
			if i == syncMost-1 {
				break
			}
			if err := c.write(&pb.SyncReply{Message: e.raw}, syncFrame); err != nil {
				return err
			}
		}
		return c.write(&pb.SyncReply{End: true}, syncFrame)
	})
}

// followPeers catches up with every peer that connects, so that a fresh
// coordinator knows the workers before their next heartbeat.
func (h *Host) followPeers() error {
	events, err := h.libp2p.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted), eventbus.BufSize(256))
	if err != nil {
		return fmt.Errorf("following peers: %w", err)
	}
	h.goes(func() {
		defer func() {
			if err := events.Close(); err != nil {
				h.cfg.Logger.Debug("closing peer events", "err", err)
			}
		}()
		for {
			select {
			case e, ok := <-events.Out():
				if !ok {
					return
				}
				identified, ok := e.(event.EvtPeerIdentificationCompleted)
				if bases := h.book.subscribed(); ok && len(bases) > 0 && slices.Contains(identified.Protocols, SyncProtocol) {
					h.goes(func() { h.catchUp(identified.Peer, bases) })
				}
			case <-h.ctx.Done():
				return
			}
		}
	})
	return nil
}

// catchUp syncs now and once more when gossip meshes have formed: what is
// published in between reaches nobody who is not in the mesh yet. A peer too busy for the
// first may answer the second.
func (h *Host) catchUp(p peer.ID, bases []protocol.Hash) {
	for again := range 2 {
		if again > 0 && h.libp2p.Network().Connectedness(p) == network.NotConnected {
			return
		}
		for _, base := range bases {
			if _, err := h.Sync(h.ctx, protocol.PeerID(p.String()), base); err != nil {
				h.cfg.Logger.Debug("catching up with a peer failed", "peer", p, "err", err)
			}
		}
		select {
		case <-time.After(meshForms):
		case <-h.ctx.Done():
			return
		}
	}
}

// Binding is the verified and unexpired binding of a peer: from its
// announcements, or asked of the peer.
func (h *Host) Binding(ctx context.Context, of protocol.PeerID) (protocol.SignedBinding, error) {
	now := time.Now().UnixMilli()
	if b, ok := h.book.bindings.get(of); ok && b.Binding.Expires > now {
		return b, nil
	}
	c, err := h.open(ctx, of, IdentityProtocol)
	if err != nil {
		return protocol.SignedBinding{}, err
	}
	defer c.reset()
	c.closeWrite()
	var reply pb.IdentityReply
	if err := c.read(&reply, syncFrame, h.cfg.Timeouts.Request); err != nil {
		return protocol.SignedBinding{}, err
	}
	if reply.GetError() != nil {
		return protocol.SignedBinding{}, wire.ErrorFromPB(reply.GetError())
	}
	b, err := wire.BindingFromPB(reply.GetBinding())
	if err != nil {
		return protocol.SignedBinding{}, err
	}
	if b.Binding.Peer != of {
		return protocol.SignedBinding{}, protocol.Errorf(protocol.KindUnauthorized, "binding.peer", "%s answers with a binding of %s", of, b.Binding.Peer)
	}
	if b.Binding.Expires <= now || b.Binding.IssuedAt > now+h.cfg.ClockTolerance.Milliseconds() {
		return protocol.SignedBinding{}, protocol.Errorf(protocol.KindStale, "binding.expires", "the binding of %s is not valid now", of)
	}
	return b, h.book.checkBinding(h.cfg.Domain, b)
}

func (h *Host) serveIdentity(s network.Stream) {
	h.serve(s, func(_ context.Context, c *conversation) error {
		if _, err := c.in.ReadByte(); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		b := h.binding.Load()
		if b == nil {
			return c.write(&pb.IdentityReply{Error: wire.ErrorToPB(protocol.Errorf(protocol.KindNotFound, "binding", "this peer has none: it is not a worker"))}, syncFrame)
		}
		return c.write(&pb.IdentityReply{Binding: wire.BindingToPB(*b)}, syncFrame)
	})
}
