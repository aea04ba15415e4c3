package scheduler

import (
	"cmp"
	"slices"

	"github.com/openledger/openledger/protocol"
)

// adapter is what is known of one adapter across all workers.
type adapter struct {
	tag      uint64
	holders  []holder // by worker's creation order
	inFlight int
	waiting  int64
	prefetch int64 // last one ordered

	homes     []*worker // rendezvous homes, best first
	homesPool *pool
	homesAt   uint64 // membership epoch that they were computed for
}

// holder is one worker that has the adapter, or will have it at ready.
type holder struct {
	ord   uint64 // the worker's
	w     *worker
	tier  protocol.Tier
	ready int64 // 0, or when a load that we caused ends
	used  int64 // last dispatch by us
}

func (a *adapter) find(w *worker) (int, bool) {
	lo, hi := 0, len(a.holders)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if a.holders[m].ord < w.ord {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo, lo < len(a.holders) && a.holders[lo].w == w
}

// holder gives w's entry or nil; valid until the next change.
func (a *adapter) holder(w *worker) *holder {
	if a == nil {
		return nil
	}
	if i, ok := a.find(w); ok {
		return &a.holders[i]
	}
	return nil
}

func (s *State) adapter(tag uint64) *adapter {
	a := s.adapters[tag]
	if a == nil {
		a = &adapter{tag: tag}
		s.adapters[tag] = a
	}
	return a
}

// addHolder gives w's entry, made on the network tier if need be; nil when w
// already has too many.
func (s *State) addHolder(w *worker, tag uint64) *holder {
	a := s.adapter(tag)
	i, ok := a.find(w)
	if !ok {
		if len(w.tags) >= maxTags {
			s.dropAdapter(a)
			return nil
		}
		a.holders = slices.Insert(a.holders, i, holder{ord: w.ord, w: w, tier: protocol.TierNetwork})
		k, _ := slices.BinarySearch(w.tags, tag)
		w.tags = slices.Insert(w.tags, k, tag)
	}
	return &a.holders[i]
}

func (s *State) dropHolder(w *worker, tag uint64) {
	a := s.adapters[tag]
	if i, ok := a.find(w); ok {
		a.holders = slices.Delete(a.holders, i, i+1)
	}
	if k, ok := slices.BinarySearch(w.tags, tag); ok {
		w.tags = slices.Delete(w.tags, k, k+1)
	}
	s.dropAdapter(a)
}

func (s *State) dropAdapter(a *adapter) {
	if len(a.holders) == 0 && a.inFlight == 0 && a.waiting == 0 {
		delete(s.adapters, a.tag)
	}
}

type homeRank struct {
	w     *worker
	score uint64
}

// homesOf gives the rendezvous homes of an adapter: of the workers that follow
// it on the ring, those with the highest hash of both. Coordinators that list the
// same workers agree without talking, and a worker that comes or goes moves only
// the adapters near it.
func (s *State) homesOf(p *pool, a *adapter) []*worker {
	if a.homesPool == p && a.homesAt == p.epoch {
		return a.homes
	}
	n := min(len(p.ring), 4*s.cfg.Homes)
	key := mix(a.tag)
	at, _ := slices.BinarySearchFunc(p.ring, key, func(w *worker, k uint64) int { return cmp.Compare(w.hash, k) })
	ranks := s.homes[:0]
	for i := range n {
		w := p.ring[(at+i)%len(p.ring)]
		ranks = append(ranks, homeRank{w, mix(key ^ w.hash)})
	}
	slices.SortFunc(ranks, func(x, y homeRank) int {
		if c := cmp.Compare(y.score, x.score); c != 0 {
			return c
		}
		return cmp.Compare(x.w.id, y.w.id)
	})
	s.homes = ranks
	if a.homes = a.homes[:0]; cap(a.homes) == 0 {
		a.homes = make([]*worker, 0, s.cfg.Homes)
	}
	for _, r := range ranks[:min(n, s.cfg.Homes)] {
		a.homes = append(a.homes, r.w)
	}
	a.homesPool, a.homesAt = p, p.epoch
	return a.homes
}
