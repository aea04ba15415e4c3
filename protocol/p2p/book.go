package p2p

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/openledger/openledger/protocol"
)

// bookLimit bounds the authors remembered; at one announcement each it is well
// beyond the network's size.
const bookLimit = 1 << 17

type bookKey struct {
	peer peer.ID
	base protocol.Hash
}

// entry is the newest announcement of an author for one base, kept until it has
// expired everywhere, so that no older one can come back meanwhile.
type entry struct {
	heard Heard
	raw   []byte // the signed gossip message
	until time.Time
}

// book holds the current announcements and passes new ones to subscribers.
type book struct {
	tolerance time.Duration
	bindings  bindingCache

	mu          sync.Mutex
	entries     map[bookKey]entry
	subscribers map[*subscriber]struct{}
	swept       time.Time
}

// subscriber gets announcements of one base. When it is slow the newest are
// dropped: heartbeats repeat them.
type subscriber struct {
	base  protocol.Hash
	queue chan Heard
}

const subscriberQueue = 1024

func newBook(tolerance time.Duration) *book {
	return &book{tolerance: tolerance, entries: map[bookKey]entry{}, subscribers: map[*subscriber]struct{}{}}
}

// sequence is the newest sequence of an author for a base, 0 if unknown.
func (b *book) sequence(k bookKey) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.entries[k].heard.Announcement.Sequence
}

// add takes an announcement that is newer than the one it holds; it changes
// nothing and returns false otherwise.
func (b *book) add(k bookKey, heard Heard, raw []byte, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, known := b.entries[k]
	if heard.Announcement.Sequence <= old.heard.Announcement.Sequence {
		return false
	}
	b.sweep(now)
	if !known && len(b.entries) >= bookLimit {
		return false
	}
	b.entries[k] = entry{heard: heard, raw: raw, until: time.UnixMilli(heard.Announcement.ExpiresAt).Add(b.tolerance)}
	for s := range b.subscribers {
		if s.base == k.base {
			select {
			case s.queue <- heard:
			default:
			}
		}
	}
	return true
}

func (b *book) sweep(now time.Time) {
	if now.Sub(b.swept) < 5*time.Second {
		return
	}
	b.swept = now
	for k, e := range b.entries {
		if now.After(e.until) {
			delete(b.entries, k)
		}
	}
}

// current lists the unexpired announcements of a base, ordered by peer.
func (b *book) current(base protocol.Hash, now time.Time) []entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.currentLocked(base, now)
}

func (b *book) currentLocked(base protocol.Hash, now time.Time) []entry {
	var out []entry
	for k, e := range b.entries {
		if k.base == base && e.heard.Announcement.ExpiresAt > now.UnixMilli() {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(x, y entry) int {
		return bytes.Compare([]byte(x.heard.Announcement.Peer), []byte(y.heard.Announcement.Peer))
	})
	return out
}

// subscribe adds a subscriber and gives it what is current.
func (b *book) subscribe(base protocol.Hash, now time.Time) *subscriber {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.currentLocked(base, now)
	s := &subscriber{base: base, queue: make(chan Heard, subscriberQueue+len(known))}
	for _, e := range known {
		s.queue <- e.heard
	}
	b.subscribers[s] = struct{}{}
	return s
}

func (b *book) unsubscribe(s *subscriber) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.subscribers, s)
}
