package scheduler

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/openledger/openledger/protocol"
)

// Hash is a digest of the whole state, for comparing two runs. It walks
// everything and is meant for tests and audits.
func (s *State) Hash() protocol.Hash {
	var b []byte
	num := func(v ...int64) {
		for _, x := range v {
			b = binary.BigEndian.AppendUint64(b, uint64(x))
		}
	}
	str := func(v string) { num(int64(len(v))); b = append(b, v...) }
	flag := func(v bool) int64 {
		if v {
			return 1
		}
		return 0
	}
	num(s.now, int64(s.seq), int64(s.ord), int64(s.queued), int64(s.running), int64(s.training))

	for _, w := range sorted(s.workers, func(a, b *worker) int { return cmp.Compare(a.ord, b.ord) }) {
		str(string(w.id))
		num(int64(w.ord), int64(w.ann.Sequence), flag(w.listed), w.slots, w.load, w.foreign, w.prefill, w.active(s.now), w.freeKV,
			w.loading, w.failures, int64(w.inRow), w.quarantine, w.correction, w.service, w.rtt, int64(w.stake), w.left, int64(w.listing), int64(w.heapPos))
		for _, j := range w.jobs {
			num(int64(j.seq))
		}
	}
	for _, j := range sorted(s.jobs, jobOrder) {
		b = append(b, j.id[:]...)
		num(int64(j.seq), int64(j.attempt), int64(j.tries), int64(j.tokens), flag(j.started), j.dispatched, j.sign, j.estimate,
			j.queuedAt, j.missing, j.recheck, j.timer.at, int64(j.timer.pos))
		for _, x := range j.excluded {
			num(int64(x.w.ord), x.until, int64(x.listing))
		}
	}
	for _, a := range sorted(s.adapters, func(a, b *adapter) int { return cmp.Compare(a.tag, b.tag) }) {
		num(int64(a.tag), int64(a.inFlight), a.waiting, a.prefetch)
		for _, h := range a.holders {
			num(int64(h.w.ord), int64(h.tier), h.ready, h.used)
		}
	}
	for _, p := range sorted(s.pools, func(a, b *pool) int { return bytes.Compare(a.base[:], b.base[:]) }) {
		b = append(b, p.base[:]...)
		num(p.slots, p.load, p.waiting, p.service, int64(p.rr), p.vtime, p.linkUse, p.linkAt)
		for _, t := range sorted(p.tenants, func(a, b *tenant) int { return bytes.Compare(a.id[:], b.id[:]) }) {
			b = append(b, t.id[:]...)
			num(t.counter, int64(t.inFlight), int64(len(t.jobs)))
		}
	}
	return sha256.Sum256(b)
}

// sorted gives a map's values in order.
func sorted[K comparable, V any](m map[K]V, order func(a, b V) int) []V {
	list := make([]V, 0, len(m))
	for _, v := range m {
		list = append(list, v)
	}
	slices.SortFunc(list, order)
	return list
}
