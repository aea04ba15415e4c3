package p2p

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"regexp"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pubsubpb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

const (
	topicPrefix    = "/openledger/announce/1/"
	gossipQueue    = 256
	gossipMax      = 4 << 10 // one gossip message with its envelope
	topicsMost     = 128     // subscriptions that one peer may tell us of
	bootstrapScore = 2500    // score of bootstrap peers, whose peer exchange is believed
)

var topicPattern = regexp.MustCompile(`^/openledger/announce/1/[0-9a-f]{8}$`)

// Topic is where workers of a base model announce themselves.
func Topic(base protocol.Hash) string { return topicPrefix + hex.EncodeToString(base[:4]) }

// topics are the joined topics; a worker joins without subscribing.
type topics struct {
	mu     sync.Mutex
	joined map[string]*joined
}

type joined struct {
	topic       *pubsub.Topic
	subscribers int
	cancel      context.CancelFunc // of the subscription, while there are subscribers
}

func (h *Host) startGossip(bootstrap []peer.AddrInfo) error {
	trusted := map[peer.ID]bool{}
	for _, p := range bootstrap {
		trusted[p.ID] = true
	}
	params := pubsub.DefaultGossipSubParams()
	params.D, params.Dlo, params.Dhi = 8, 6, 12
	params.Dscore, params.Dout, params.Dlazy = 6, 3, 12
	params.HistoryLength, params.HistoryGossip = 10, 3
	params.HeartbeatInterval = time.Second
	filter := pubsub.WrapLimitSubscriptionFilter(pubsub.NewRegexpSubscriptionFilter(topicPattern), topicsMost)
	var err error
	h.topics.joined = map[string]*joined{}
	h.pubsub, err = pubsub.NewGossipSub(h.ctx, h.libp2p,
		pubsub.WithGossipSubParams(params),
		pubsub.WithPeerScore(scores(trusted, h.cfg.ColocationThreshold), &pubsub.PeerScoreThresholds{
			GossipThreshold: -500, PublishThreshold: -1000, GraylistThreshold: -2500,
			AcceptPXThreshold: 1000, OpportunisticGraftThreshold: 3.5,
		}),
		pubsub.WithMessageSignaturePolicy(pubsub.StrictSign),
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithSubscriptionFilter(filter),
		pubsub.WithValidateQueueSize(gossipQueue),
		pubsub.WithPeerOutboundQueueSize(gossipQueue),
		pubsub.WithMaxMessageSize(64<<10), // an RPC bundles several messages
		pubsub.WithFloodPublish(true),
		pubsub.WithPeerExchange(h.cfg.DHT == DHTServer),
	)
	if err != nil {
		return fmt.Errorf("starting gossip: %w", err)
	}
	return nil
}

// scores are the peer scores of the network design; delivery scores per mesh
// (P3) are off, because announcements are sparse.
func scores(trusted map[peer.ID]bool, colocation int) *pubsub.PeerScoreParams {
	p := &pubsub.PeerScoreParams{
		AppSpecificScore: func(id peer.ID) float64 {
			if trusted[id] {
				return bootstrapScore
			}
			return 0
		},
		AppSpecificWeight:         1,
		BehaviourPenaltyThreshold: 6,
		BehaviourPenaltyWeight:    -10,
		BehaviourPenaltyDecay:     pubsub.ScoreParameterDecay(time.Hour),
		DecayInterval:             pubsub.DefaultDecayInterval,
		DecayToZero:               pubsub.DefaultDecayToZero,
		RetainScore:               6 * time.Hour,
		Topics:                    map[string]*pubsub.TopicScoreParams{},
	}
	if colocation > 0 {
		p.IPColocationFactorThreshold = colocation
		p.IPColocationFactorWeight = -100
		p.IPColocationFactorWhitelist = []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
			{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		}
	}
	return p
}

func topicScores() *pubsub.TopicScoreParams {
	return &pubsub.TopicScoreParams{
		TopicWeight:                    0.1,
		TimeInMeshWeight:               0.0002778, // about 1 per hour
		TimeInMeshQuantum:              time.Second,
		TimeInMeshCap:                  1,
		FirstMessageDeliveriesWeight:   0.5,
		FirstMessageDeliveriesDecay:    pubsub.ScoreParameterDecay(time.Hour),
		FirstMessageDeliveriesCap:      100,
		InvalidMessageDeliveriesWeight: -1000, // squared: three invalid messages end gossip, six the acquaintance
		InvalidMessageDeliveriesDecay:  pubsub.ScoreParameterDecay(time.Hour),
	}
}

// messageID is author + sequence: an author has one say per sequence number.
func messageID(m *pubsubpb.Message) string {
	sequence, ok := wire.AnnouncementSequence(m.GetData())
	if !ok {
		return string(m.GetFrom()) + string(m.GetSeqno())
	}
	return string(binary.BigEndian.AppendUint64(m.GetFrom(), sequence))
}

func (h *Host) join(name string) (*joined, error) {
	h.topics.mu.Lock()
	defer h.topics.mu.Unlock()
	if j, ok := h.topics.joined[name]; ok {
		return j, nil
	}
	if err := h.pubsub.RegisterTopicValidator(name, h.validate); err != nil {
		return nil, fmt.Errorf("joining %s: %w", name, err)
	}
	t, err := h.pubsub.Join(name)
	if err != nil {
		return nil, fmt.Errorf("joining %s: %w", name, errors.Join(err, h.pubsub.UnregisterTopicValidator(name)))
	}
	if err := t.SetScoreParams(topicScores()); err != nil {
		return nil, fmt.Errorf("joining %s: %w", name, err)
	}
	j := &joined{topic: t}
	h.topics.joined[name] = j
	h.goes(func() { h.seek(name) })
	return j, nil
}

func (h *Host) validate(ctx context.Context, _ peer.ID, m *pubsub.Message) pubsub.ValidationResult {
	v, reason := reject, "malformed"
	if len(m.Data) <= protocol.MaxAnnouncementBytes {
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Message)
		if err == nil && len(raw) <= gossipMax {
			v, reason = h.judge(ctx, m.GetTopic(), m.GetFrom(), m.Data, raw)
		}
	}
	h.metrics.judged(v, reason)
	return [...]pubsub.ValidationResult{accept: pubsub.ValidationAccept, ignore: pubsub.ValidationIgnore, reject: pubsub.ValidationReject}[v]
}

// SetBinding sets the host's own binding, which goes with its announcements and
// answers on the identity protocol.
func (h *Host) SetBinding(b protocol.SignedBinding) error {
	if b.Binding.Peer != h.ID() {
		return protocol.Errorf(protocol.KindInvalid, "binding.peer", "is %s but this host is %s: have the owner sign a binding for this host", b.Binding.Peer, h.ID())
	}
	if err := wire.VerifyBinding(h.cfg.Domain, b); err != nil {
		return err
	}
	if b.Binding.Expires <= time.Now().UnixMilli() {
		return protocol.Errorf(protocol.KindStale, "binding.expires", "has passed: have the owner sign a new binding")
	}
	h.binding.Store(&b)
	return nil
}

// Publish announces. It does not subscribe to the topic. The sequence must be
// above every earlier one of this host (see Sequence).
func (h *Host) Publish(ctx context.Context, a protocol.Announcement) error {
	binding := h.binding.Load()
	if binding == nil {
		return protocol.Errorf(protocol.KindUnauthorized, "binding", "is not set: call SetBinding before announcing")
	}
	if a.Peer != h.ID() {
		return protocol.Errorf(protocol.KindInvalid, "peer", "is %s but this host is %s", a.Peer, h.ID())
	}
	data, err := wire.EncodeAnnouncement(a, *binding)
	if err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	switch last := h.book.sequence(bookKey{peer: h.libp2p.ID(), base: a.Base}); {
	case a.Sequence <= last:
		return protocol.Errorf(protocol.KindStale, "sequence", "%d is not above %d, the last one announced", a.Sequence, last)
	case a.ExpiresAt <= now:
		return protocol.Errorf(protocol.KindStale, "expires_at", "has passed")
	case binding.Binding.Expires <= now:
		return protocol.Errorf(protocol.KindStale, "binding.expires", "has passed: have the owner sign a new binding")
	}
	j, err := h.join(Topic(a.Base))
	if err != nil {
		return err
	}
	if err := j.topic.Publish(ctx, data); err != nil {
		return protocol.Errorf(protocol.KindUnavailable, "announcement", "was not published: %w", err)
	}
	return nil
}

// Subscribe calls fn for every announcement of a base that is new, in order,
// from one goroutine, until ctx ends; first for those already known. It returns
// as soon as the subscription stands.
func (h *Host) Subscribe(ctx context.Context, base protocol.Hash, fn func(Heard)) error {
	name := Topic(base)
	j, err := h.join(name)
	if err != nil {
		return err
	}
	if err := h.retain(j, name); err != nil {
		return err
	}
	s := h.book.subscribe(base, time.Now())
	h.goes(func() {
		defer h.release(j)
		defer h.book.unsubscribe(s)
		for {
			select {
			case heard := <-s.queue:
				if heard.Announcement.ExpiresAt > time.Now().UnixMilli() {
					fn(heard)
				}
			case <-ctx.Done():
				return
			case <-h.ctx.Done():
				return
			}
		}
	})
	for _, p := range h.libp2p.Network().Peers() {
		h.goes(func() { h.catchUp(p, []protocol.Hash{base}) })
	}
	return nil
}

// retain subscribes in pubsub for the first subscriber of a topic. Messages
// reach subscribers through the book; the subscription itself is only drained.
func (h *Host) retain(j *joined, name string) error {
	h.topics.mu.Lock()
	defer h.topics.mu.Unlock()
	if j.subscribers++; j.subscribers > 1 {
		return nil
	}
	subscription, err := j.topic.Subscribe()
	if err != nil {
		j.subscribers--
		return fmt.Errorf("subscribing to %s: %w", name, err)
	}
	ctx, cancel := context.WithCancel(h.ctx)
	j.cancel = cancel
	h.goes(func() {
		defer subscription.Cancel()
		for {
			if _, err := subscription.Next(ctx); err != nil {
				return
			}
		}
	})
	h.goes(func() { h.advertise(ctx, name) })
	return nil
}

func (h *Host) release(j *joined) {
	h.topics.mu.Lock()
	defer h.topics.mu.Unlock()
	if j.subscribers--; j.subscribers == 0 {
		j.cancel()
	}
}

// subscribed are the bases with subscribers.
func (b *book) subscribed() []protocol.Hash {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := map[protocol.Hash]bool{}
	var out []protocol.Hash
	for s := range b.subscribers {
		if !seen[s.base] {
			seen[s.base] = true
			out = append(out, s.base)
		}
	}
	return out
}
