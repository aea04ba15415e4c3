package chain

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/openledger/openledger/protocol"
)

// line is the order of one key's transactions.
type line struct {
	mu      sync.Mutex     // of what follows; never held while waiting
	next    uint64         // the nonce after the last one that we sent; 0: the node's count decides
	flying  map[uint64]int // transactions that a call waits for, by nonce
	journal Journal        // nil: none
	done    map[string]protocol.Hash
	left    []*sending // unfinished ones of earlier calls and processes, by nonce
	running map[string]bool

	turn   lock // held from the choice of a nonce to its first sending
	taking lock // held while those that are left are seen to their end
}

// lock is a mutex whose wait a context ends: its holder may be waiting for a person.
type lock chan struct{}

func (l lock) acquire(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l lock) release() { <-l }

// takeOff notes that a call waits for the transaction of a nonce.
func (l *line) takeOff(nonce uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = max(l.next, nonce+1)
	l.flying[nonce]++
}

// landed notes that the call waits no more. When none waits, the node's count decides the
// next nonce: a reorganisation may have taken out, for good, what counted as there, and
// nobody would close the gap.
func (l *line) landed(nonce uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flying[nonce]--; l.flying[nonce] == 0 {
		delete(l.flying, nonce)
	}
	if len(l.flying) == 0 {
		l.next = 0
	}
}

// gap gives the nonces from the node's count up to one that nothing of ours will fill.
func (l *line) gap(count, upTo uint64) []uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []uint64
	for nonce := count; nonce < upTo && len(out) < maxFilled; nonce++ {
		ours := slices.ContainsFunc(l.left, func(n *sending) bool { return n.Nonce == nonce })
		if !ours && l.flying[nonce] == 0 {
			out = append(out, nonce)
		}
	}
	return out
}

// maxFilled bounds how many nonces are filled at once: a pool takes no more from an
// account whose nonces are not in order (geth: 64).
const maxFilled = 64

// reset lets the node's own count decide the next nonce.
func (l *line) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = 0
}

// leave has the next call see a transaction to its end.
func (l *line) leave(n *sending) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n.inherited = true
	l.left = append(l.left, n)
	slices.SortFunc(l.left, func(a, b *sending) int { return cmp.Compare(a.Nonce, b.Nonce) })
}
