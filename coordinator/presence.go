package coordinator

import (
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/scheduler"
)

// watchPresence takes workers off the list when their last connection closes: an
// announcement outlives its worker by a minute and a half, and every job sent there
// would lose an attempt. A worker that connects again is put back under its last
// announcement. It returns how to stop.
func (c *Coordinator) watchPresence() (stop func()) {
	n := c.host.Libp2p().Network()
	bundle := &network.NotifyBundle{
		ConnectedF: func(_ network.Network, conn network.Conn) { c.back(conn.RemotePeer()) },
		DisconnectedF: func(n network.Network, conn network.Conn) {
			if n.Connectedness(conn.RemotePeer()) != network.Connected {
				c.lost(protocol.PeerID(conn.RemotePeer().String()))
			}
		},
	}
	n.Notify(bundle)
	return func() { n.StopNotify(bundle) }
}

// lost takes a worker that can't be reached off the list.
func (c *Coordinator) lost(worker protocol.PeerID) {
	at := now()
	c.mu.Lock()
	for id, t := range c.gone {
		if at-t > protocol.AnnouncementTTL.Milliseconds() {
			delete(c.gone, id)
		}
	}
	c.gone[worker] = at
	w, _ := c.state.Worker(worker)
	c.mu.Unlock()
	if w.Listed {
		c.log.Info("worker lost", "peer", worker)
		c.step(scheduler.Expire{At: now(), Worker: worker})
	}
	if id, err := peer.Decode(string(worker)); err == nil && c.host.Connected(worker) { // again, meanwhile
		c.back(id)
	}
}

// late says whether an announcement comes from before its worker left: it was on its way
// when the connection closed.
func (c *Coordinator) late(a protocol.Announcement) bool {
	c.mu.Lock()
	gone, left := c.gone[a.Peer]
	c.mu.Unlock()
	return left && a.IssuedAt <= gone && !c.host.Connected(a.Peer)
}

// back puts a worker back whose announcement still holds.
func (c *Coordinator) back(id peer.ID) {
	worker := protocol.PeerID(id.String())
	c.mu.Lock()
	a, announced := c.announced[worker]
	w, _ := c.state.Worker(worker)
	c.mu.Unlock()
	if announced && !w.Listed && a.ExpiresAt > time.Now().UnixMilli() {
		c.log.Info("worker is back", "peer", worker)
		c.step(&scheduler.Announce{At: now(), Announcement: a})
	}
}
