package p2p

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	drouting "github.com/libp2p/go-libp2p/p2p/discovery/routing"
)

const (
	bootstrapEvery = 2 * time.Second
	backoffMost    = time.Minute
	dhtRetry       = 2 * time.Second // while the routing table is empty or a provide failed
	seekEvery      = 20 * time.Second
	seekTimeout    = 15 * time.Second
	enoughPeers    = 4 // topic peers below which more are sought in the DHT
)

// keepConnected dials bootstrap peers that are not connected, each with a growing
// pause after failures.
func (h *Host) keepConnected(peers []peer.AddrInfo) {
	type try struct {
		next  time.Time
		pause time.Duration
	}
	tries := make(map[peer.ID]*try, len(peers))
	for _, p := range peers {
		tries[p.ID] = &try{}
		h.libp2p.ConnManager().Protect(p.ID, "bootstrap")
		h.libp2p.Peerstore().AddAddrs(p.ID, p.Addrs, peerstore.PermanentAddrTTL)
	}
	ticker := time.NewTicker(bootstrapEvery)
	defer ticker.Stop()
	for {
		now := time.Now()
		for _, p := range peers {
			t := tries[p.ID]
			if p.ID == h.libp2p.ID() || h.libp2p.Network().Connectedness(p.ID) == network.Connected || now.Before(t.next) {
				continue
			}
			ctx, cancel := context.WithTimeout(h.ctx, h.cfg.Timeouts.Dial)
			err := h.libp2p.Connect(ctx, p)
			cancel()
			if err == nil {
				*t = try{}
				h.cfg.Logger.Info("connected to bootstrap peer", "peer", p.ID)
				continue
			}
			t.pause = min(max(2*t.pause, bootstrapEvery), backoffMost)
			t.next = time.Now().Add(t.pause)
			h.cfg.Logger.Debug("bootstrap peer cannot be reached", "peer", p.ID, "retry_in", t.pause, "err", err)
		}
		select {
		case <-ticker.C:
		case <-h.ctx.Done():
			return
		}
	}
}

// advertise tells the DHT that we subscribe to a topic, until ctx ends.
func (h *Host) advertise(ctx context.Context, topic string) {
	if h.dht == nil {
		return
	}
	discovery := drouting.NewRoutingDiscovery(h.dht)
	for {
		pause := dhtRetry
		if h.dht.RoutingTable().Size() > 0 {
			if ttl, err := discovery.Advertise(ctx, topic); err != nil {
				h.cfg.Logger.Debug("advertising a topic failed", "topic", topic, "err", err)
			} else {
				pause = ttl / 2
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// seek connects to subscribers of a topic found in the DHT while we know few.
func (h *Host) seek(topic string) {
	if h.dht == nil {
		return
	}
	discovery := drouting.NewRoutingDiscovery(h.dht)
	for {
		pause := seekEvery
		if h.dht.RoutingTable().Size() == 0 {
			pause = dhtRetry
		} else if known := len(h.pubsub.ListPeers(topic)); known < enoughPeers {
			h.seekOnce(discovery, topic)
			if known == 0 {
				pause = dhtRetry
			}
		}
		select {
		case <-time.After(pause):
		case <-h.ctx.Done():
			return
		}
	}
}

func (h *Host) seekOnce(discovery *drouting.RoutingDiscovery, topic string) {
	ctx, cancel := context.WithTimeout(h.ctx, seekTimeout)
	defer cancel()
	found, err := discovery.FindPeers(ctx, topic)
	if err != nil {
		h.cfg.Logger.Debug("looking for topic peers failed", "topic", topic, "err", err)
		return
	}
	for p := range found {
		if p.ID == h.libp2p.ID() || h.libp2p.Network().Connectedness(p.ID) == network.Connected {
			continue
		}
		if err := h.libp2p.Connect(ctx, p); err != nil {
			h.cfg.Logger.Debug("topic peer cannot be reached", "peer", p.ID, "err", err)
		}
	}
}
