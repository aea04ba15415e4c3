package p2p

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// listener collects what a host hears of the base.
type listener struct {
	mu    sync.Mutex
	heard []Heard
}

func (n *node) listen(t *testing.T) *listener {
	t.Helper()
	l := &listener{}
	require.NoError(t, n.Subscribe(t.Context(), base, func(h Heard) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.heard = append(l.heard, h)
	}))
	return l
}

func (l *listener) sequences(of *node) []uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []uint64
	for _, h := range l.heard {
		if h.Announcement.Peer == of.ID() {
			out = append(out, h.Announcement.Sequence)
		}
	}
	return out
}

func (l *listener) await(t *testing.T, of *node, sequence uint64) Heard {
	t.Helper()
	var found Heard
	require.Eventually(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, h := range l.heard {
			if h.Announcement.Peer == of.ID() && h.Announcement.Sequence == sequence {
				found = h
				return true
			}
		}
		return false
	}, patience, 20*time.Millisecond, "announcement %d of %s", sequence, of.ID())
	return found
}

// The worker is connected to one coordinator only and subscribes to nothing.
func TestAnnouncementReachesEveryCoordinator(t *testing.T) {
	for name, listen := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			worker, near, far := start(t, listen), start(t, listen), start(t, listen)
			heardNear, heardFar := near.listen(t), far.listen(t)
			connect(t, worker, near)
			connect(t, near, far)
			require.Eventually(t, func() bool {
				return len(near.pubsub.ListPeers(Topic(base))) == 1 && len(worker.pubsub.ListPeers(Topic(base))) == 1
			}, patience, 10*time.Millisecond)
			first := worker.announcement()
			require.NoError(t, worker.Publish(t.Context(), first))
			h := heardNear.await(t, worker, 1)
			require.Equal(t, first, h.Announcement)
			require.Equal(t, worker.binding, h.Binding)
			require.NoError(t, worker.Publish(t.Context(), worker.announcement()))
			heardFar.await(t, worker, 2)
			require.IsIncreasing(t, append([]uint64{0}, heardNear.sequences(worker)...))
		})
	}
}

func TestFreshCoordinatorCatchesUp(t *testing.T) {
	for name, listen := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			worker, old, fresh := start(t, listen), start(t, listen), start(t, listen)
			require.NoError(t, worker.Publish(t.Context(), worker.announcement())) // nobody is connected
			heardOld, heardFresh := old.listen(t), fresh.listen(t)
			connect(t, old, worker)
			heardOld.await(t, worker, 1)
			connect(t, fresh, old) // not connected to the worker
			heardFresh.await(t, worker, 1)

			n, err := fresh.Sync(t.Context(), old.ID(), base)
			require.NoError(t, err)
			require.Zero(t, n) // nothing new
			late := fresh.listen(t)
			late.await(t, worker, 1) // from what is known

			b, err := fresh.Binding(t.Context(), worker.ID()) // came with the announcement
			require.NoError(t, err)
			require.Equal(t, worker.binding, b)
			b, err = fresh.Binding(t.Context(), old.ID()) // is asked for
			require.NoError(t, err)
			require.Equal(t, old.binding, b)
		})
	}
}

func TestStaleSequenceChangesNothing(t *testing.T) {
	worker, other := start(t, transports["tcp"]), start(t, transports["tcp"])
	heard := other.listen(t)
	connect(t, other, worker)
	worker.sequence = 9
	require.NoError(t, worker.Publish(t.Context(), worker.announcement()))
	heard.await(t, worker, 10)
	before := other.book.current(base, time.Now())

	worker.sequence = 4
	requireKind(t, protocol.KindStale, worker.Publish(t.Context(), worker.announcement()))
	v, reason := other.judgeFrom(t, worker, func(*protocol.Announcement) {}, nil)
	require.Equal(t, ignore, v)
	require.Equal(t, "stale", reason)
	require.Equal(t, before, other.book.current(base, time.Now()))
	require.Equal(t, []uint64{10}, heard.sequences(worker))
}

// judgeFrom judges an edited announcement of another node.
func (n *node) judgeFrom(t *testing.T, author *node, edit func(*protocol.Announcement), binding *protocol.SignedBinding) (verdict, string) {
	t.Helper()
	a, b := author.announcement(), author.binding
	edit(&a)
	if binding != nil {
		b = *binding
	}
	data, err := wire.EncodeAnnouncement(a, b)
	require.NoError(t, err)
	id, err := peer.Decode(string(author.ID()))
	require.NoError(t, err)
	return n.judge(t.Context(), Topic(base), id, data, data)
}

type chain func(owner, nodeKey protocol.Account) (bool, error)

func (c chain) WorkerBonded(_ context.Context, owner, nodeKey protocol.Account) (bool, error) {
	return c(owner, nodeKey)
}

func TestJudge(t *testing.T) {
	worker := start(t, transports["tcp"])
	rebind := func(edit func(*protocol.Binding)) *protocol.SignedBinding {
		b := worker.binding.Binding
		edit(&b)
		s, err := wire.SignBinding(domain, b, worker.owner)
		require.NoError(t, err)
		return &s
	}
	forged := worker.binding
	forged.Binding.Payout = protocol.Account{1}
	now := time.Now()
	bonded, asked := true, 0
	host := start(t, transports["tcp"], func(c *Config) {
		c.Chain = chain(func(owner, nodeKey protocol.Account) (bool, error) {
			asked++
			require.Equal(t, worker.account(), owner)
			require.Equal(t, crypto.PubkeyToAddress(worker.nodeKey.PublicKey), nodeKey)
			if !bonded {
				return false, errors.New("chain is away")
			}
			return true, nil
		})
	})
	bonded = false
	v, reason := host.judgeFrom(t, worker, func(*protocol.Announcement) {}, nil)
	require.Equal(t, ignore, v)
	require.Equal(t, "unknown_stake", reason)
	require.Empty(t, host.book.current(base, time.Now()))
	bonded = true
	host.stakes = newStakeCache(host.cfg.Chain) // as if the answer had expired

	for _, c := range []struct {
		verdict verdict
		reason  string
		edit    func(*protocol.Announcement)
		binding *protocol.SignedBinding
	}{
		{accept, "ok", func(*protocol.Announcement) {}, nil},
		{reject, "wrong_topic", func(a *protocol.Announcement) { a.Base = protocol.Hash{9} }, nil},
		{reject, "binding_signature", func(*protocol.Announcement) {}, &forged},
		{ignore, "binding_expired", func(*protocol.Announcement) {}, rebind(func(b *protocol.Binding) { b.IssuedAt, b.Expires = 1, now.UnixMilli()-1 })},
		{ignore, "binding_future", func(*protocol.Announcement) {}, rebind(func(b *protocol.Binding) { b.IssuedAt += 60_000 })},
		{ignore, "expired", func(a *protocol.Announcement) { a.IssuedAt, a.ExpiresAt = now.UnixMilli()-90_000, now.UnixMilli()-1 }, nil},
		{ignore, "future", func(a *protocol.Announcement) {
			a.IssuedAt, a.ExpiresAt = now.UnixMilli()+60_000, now.UnixMilli()+120_000
		}, nil},
		{accept, "ok", func(a *protocol.Announcement) { a.IssuedAt += 2000; a.ExpiresAt += 2000 }, nil}, // within tolerance
	} {
		v, reason := host.judgeFrom(t, worker, c.edit, c.binding)
		require.Equal(t, c.reason, reason)
		require.Equal(t, c.verdict, v)
	}
	require.Equal(t, 2, asked) // once unbonded, once bonded, then cached

	id, err := peer.Decode(string(worker.ID()))
	require.NoError(t, err)
	v, reason = host.judge(t.Context(), Topic(base), id, []byte{0xff}, nil)
	require.Equal(t, reject, v)
	require.Equal(t, "malformed", reason)
	data, err := wire.EncodeAnnouncement(worker.announcement(), worker.binding)
	require.NoError(t, err)
	v, reason = host.judge(t.Context(), Topic(base), host.Libp2p().ID(), data, nil)
	require.Equal(t, reject, v)
	require.Equal(t, "wrong_author", reason)
}

// A liar that announces for somebody else is not heard, and loses its standing.
func TestLiarIsRejectedAndGraylisted(t *testing.T) {
	registry := prometheus.NewRegistry()
	liar, victim := start(t, transports["tcp"]), start(t, transports["tcp"])
	coordinator := start(t, transports["tcp"], func(c *Config) { c.Registerer = registry })
	heard := coordinator.listen(t)
	connect(t, liar, coordinator)
	j, err := liar.join(Topic(base))
	require.NoError(t, err)
	require.NoError(t, liar.pubsub.UnregisterTopicValidator(Topic(base))) // liars do not validate
	require.Eventually(t, func() bool { return len(liar.pubsub.ListPeers(Topic(base))) == 1 }, patience, 10*time.Millisecond)
	for range 8 {
		data, err := wire.EncodeAnnouncement(victim.announcement(), victim.binding)
		require.NoError(t, err)
		require.NoError(t, j.topic.Publish(t.Context(), data))
	}
	require.Eventually(t, func() bool { // six lies end the acquaintance
		families, err := registry.Gather()
		require.NoError(t, err)
		for _, f := range families {
			for _, m := range f.GetMetric() {
				if f.GetName() == "openledger_p2p_announcements_total" && m.GetLabel()[1].GetValue() == reject.String() {
					return m.GetCounter().GetValue() >= 6
				}
			}
		}
		return false
	}, patience, 10*time.Millisecond)
	// Even an honest announcement of the liar's own is not taken any more.
	data, err := wire.EncodeAnnouncement(liar.announcement(), liar.binding)
	require.NoError(t, err)
	require.NoError(t, j.topic.Publish(t.Context(), data))
	time.Sleep(500 * time.Millisecond)
	require.Empty(t, heard.sequences(victim))
	require.Empty(t, heard.sequences(liar))
	require.Empty(t, coordinator.book.current(base, time.Now()))
}

func TestExpiredAnnouncementsAreForgotten(t *testing.T) {
	worker, other := start(t, transports["tcp"]), start(t, transports["tcp"], func(c *Config) { c.ClockTolerance = 100 * time.Millisecond })
	heard := other.listen(t)
	connect(t, other, worker)
	a := worker.announcement()
	require.NoError(t, worker.Publish(t.Context(), a))
	heard.await(t, worker, 1)
	end := time.UnixMilli(a.ExpiresAt)
	require.Len(t, other.book.current(base, end.Add(-time.Millisecond)), 1)
	require.Empty(t, other.book.current(base, end))
	other.book.mu.Lock()
	defer other.book.mu.Unlock()
	other.book.sweep(end.Add(100 * time.Millisecond)) // no longer than some clock may take it for current
	require.Len(t, other.book.entries, 1)
	other.book.sweep(end.Add(6 * time.Second))
	require.Empty(t, other.book.entries)
}

func TestPublishNeedsItsOwnBinding(t *testing.T) {
	a, b := start(t, transports["tcp"]), start(t, transports["tcp"])
	requireKind(t, protocol.KindInvalid, a.SetBinding(b.binding))
	forged := a.binding
	forged.Binding.Payout = protocol.Account{1}
	requireKind(t, protocol.KindUnauthorized, a.SetBinding(forged))
	requireKind(t, protocol.KindInvalid, a.Publish(t.Context(), b.announcement()))
	a.Host.binding.Store(nil)
	requireKind(t, protocol.KindUnauthorized, a.Publish(t.Context(), a.announcement()))
	connect(t, b, a)
	_, err := b.Binding(t.Context(), a.ID())
	requireKind(t, protocol.KindNotFound, err)
}
