package p2p

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/multiformats/go-multistream"
)

// aliveWithin is how long an older connection has to answer a ping.
const aliveWithin = 2 * time.Second

// dropDead looks after peers that come back: a process that was killed leaves a QUIC
// connection behind that only times out half a minute later, and libp2p would go on
// opening streams on it. So when a peer connects anew, its older connections are pinged,
// and closed when they are silent.
func (h *Host) dropDead() {
	h.libp2p.Network().Notify(&network.NotifyBundle{ConnectedF: func(n network.Network, fresh network.Conn) {
		for _, old := range n.ConnsToPeer(fresh.RemotePeer()) {
			if old.ID() == fresh.ID() {
				continue
			}
			h.goes(func() {
				if !alive(h.ctx, old) {
					h.cfg.Logger.Debug("closing a dead connection", "peer", old.RemotePeer(), "addr", old.RemoteMultiaddr())
					_ = old.Close() // it is dead either way
				}
			})
		}
	}})
}

// alive pings one connection, not the peer: its other connections may answer.
func alive(ctx context.Context, c network.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, aliveWithin)
	defer cancel()
	s, err := c.NewStream(ctx)
	if err != nil {
		return false
	}
	defer func() { _ = s.Reset() }() // nothing more to say on it
	if err := s.SetDeadline(time.Now().Add(aliveWithin)); err != nil {
		return false
	}
	// An answer of any kind will do: who refuses the protocol is alive too.
	_, err = multistream.SelectOneOf([]string{string(ping.ID)}, s)
	var refused multistream.ErrNotSupported[string]
	return err == nil || errors.As(err, &refused)
}
