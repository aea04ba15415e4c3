package coordinator

import (
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	p2pcrypto "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/p2p"
	"github.com/openledger/openledger/scheduler"
)

// What a worker announced before it left does not bring it back, in whatever order the two
// become known; what it announces afterwards does.
func TestAnnouncementThatIsOvertakenByItsWorkersEnd(t *testing.T) {
	key := func() p2pcrypto.PrivKey {
		k, _, err := p2pcrypto.GenerateEd25519Key(rand.Reader)
		require.NoError(t, err)
		return k
	}
	host, err := p2p.New(p2p.Config{PrivateKey: key(), ListenAddrs: []string{"/ip4/127.0.0.1/tcp/0"}, DHT: p2p.DHTOff})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, host.Close()) })
	worker, err := p2p.New(p2p.Config{PrivateKey: key(), ListenAddrs: []string{"/ip4/127.0.0.1/tcp/0"}, DHT: p2p.DHTOff})
	require.NoError(t, err)
	require.NoError(t, worker.Close()) // nobody can reach it
	state, err := scheduler.New(scheduler.Config{})
	require.NoError(t, err)
	c := &Coordinator{log: slog.New(slog.DiscardHandler), host: host, state: state, wake: make(chan struct{}, 1), gone: map[protocol.PeerID]int64{},
		bindings: map[protocol.PeerID]protocol.SignedBinding{}, announced: map[protocol.PeerID]protocol.Announcement{},
		feed: api.NewFeed(), listed: map[protocol.PeerID]protocol.Account{}}
	listed := func() bool {
		w, _ := c.state.Worker(worker.ID())
		_, told := c.listed[worker.ID()]
		require.Equal(t, w.Listed, told, "who listens is told")
		return w.Listed
	}
	announce := func(at time.Time) {
		c.heard(p2p.Heard{Announcement: protocol.Announcement{Peer: worker.ID(), Worker: protocol.Account{1}, Sequence: uint64(at.UnixMilli()),
			IssuedAt: at.UnixMilli(), ExpiresAt: at.Add(protocol.AnnouncementTTL).UnixMilli(), Slots: 1}})
	}
	before := time.Now().Add(-time.Second)
	announce(before)
	require.True(t, listed(), "a worker that others are connected to is listed")
	c.lost(worker.ID())
	require.False(t, listed())
	announce(before.Add(time.Millisecond))
	require.False(t, listed(), "it was on its way")
	announce(time.Now().Add(time.Second))
	require.True(t, listed(), "it is somewhere else now")

	c.lost(worker.ID())
	id, err := peer.Decode(string(worker.ID()))
	require.NoError(t, err)
	c.back(id)
	require.True(t, listed(), "its announcement still holds")
}
