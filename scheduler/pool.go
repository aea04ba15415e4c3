package scheduler

import (
	"cmp"
	"slices"

	"github.com/openledger/openledger/protocol"
)

// pool is the workers and the waiting jobs of one base model.
type pool struct {
	base    protocol.Hash
	heap    []*worker // least utilised first
	ring    []*worker // by hash, then id
	epoch   uint64    // changes with the membership
	slots   int64
	load    int64 // ours and foreign, on listed workers
	waiting int64
	service int64 // average time of a job, us
	rr      uint64
	linkUse int64 // us of adapter loads ordered, decaying over linkWindow
	linkAt  int64
	room    int64 // most tokens that a listed worker's KV cache holds; unbounded if one does not say
	roomOld bool  // it may be less by now

	tenants map[protocol.Account]*tenant
	active  []*tenant // with waiting jobs, by counter, then account
	vtime   int64     // counter of the tenant served last
	idle    int       // tenants kept though idle, since the last sweep
	blocked *job      // starving: nobody may overtake it
	train   []*job    // waiting training jobs, in order
}

func (s *State) pool(base protocol.Hash) *pool {
	p := s.pools[base]
	if p == nil {
		p = &pool{base: base, tenants: make(map[protocol.Account]*tenant)}
		s.pools[base] = p
	}
	return p
}

// dropPool forgets a base that nobody serves and nobody waits for.
func (s *State) dropPool(p *pool) {
	if len(p.heap) == 0 && p.waiting == 0 && len(p.train) == 0 && len(p.tenants) == 0 {
		delete(s.pools, p.base)
	}
}

// count adds (or takes away) a listed worker's part of the sums.
func (p *pool) count(w *worker, sign int64) {
	p.slots += sign * w.slots
	p.load += sign * (w.load + w.foreign)
}

// unbounded is the KV cache of a worker that does not state its size.
const unbounded = 1 << 62

// holds says whether any listed worker, idle, could hold so many tokens. It is true
// while none is listed: one may come.
func (p *pool) holds(tokens int64) bool {
	if p.roomOld {
		p.room, p.roomOld = 0, false
		for _, w := range p.heap {
			p.room = max(p.room, w.totalKV)
		}
	}
	return len(p.heap) == 0 || tokens <= p.room
}

func ringOrder(a, b *worker) int {
	if c := cmp.Compare(a.hash, b.hash); c != 0 {
		return c
	}
	return cmp.Compare(a.id, b.id)
}

func (p *pool) list(w *worker) {
	i, _ := slices.BinarySearchFunc(p.ring, w, ringOrder)
	p.ring = slices.Insert(p.ring, i, w)
	w.heapPos = len(p.heap)
	p.heap = append(p.heap, w)
	p.up(w.heapPos)
	p.epoch++
	p.roomOld = true
}

func (p *pool) unlist(w *worker) {
	if i, ok := slices.BinarySearchFunc(p.ring, w, ringOrder); ok {
		p.ring = slices.Delete(p.ring, i, i+1)
	}
	i, last := w.heapPos, len(p.heap)-1
	p.swap(i, last)
	p.heap[last] = nil
	p.heap = p.heap[:last]
	w.heapPos = -1
	if i < last {
		p.down(i)
		p.up(i)
	}
	p.epoch++
	p.roomOld = true
}

func (w *worker) lessLoaded(v *worker) bool {
	a, b := (w.load+w.foreign)*v.slots, (v.load+v.foreign)*w.slots
	if a != b {
		return a < b
	}
	return w.ord < v.ord
}

func (p *pool) heapFix(w *worker) {
	if w.heapPos >= 0 {
		p.down(w.heapPos)
		p.up(w.heapPos)
	}
}

func (p *pool) swap(i, j int) {
	p.heap[i], p.heap[j] = p.heap[j], p.heap[i]
	p.heap[i].heapPos, p.heap[j].heapPos = i, j
}

func (p *pool) up(i int) {
	for i > 0 {
		q := (i - 1) / 2
		if !p.heap[i].lessLoaded(p.heap[q]) {
			return
		}
		p.swap(i, q)
		i = q
	}
}

func (p *pool) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(p.heap) {
			return
		}
		if c+1 < len(p.heap) && p.heap[c+1].lessLoaded(p.heap[c]) {
			c++
		}
		if !p.heap[c].lessLoaded(p.heap[i]) {
			return
		}
		p.swap(i, c)
		i = c
	}
}

// linkWindow is over which time, in ms, the use of the workers' links is averaged.
const linkWindow = 16_000

// useLink notes us of adapter loads.
func (p *pool) useLink(now, us int64) {
	p.linkUse -= p.linkUse * min(now-p.linkAt, linkWindow) / linkWindow
	p.linkAt = now
	p.linkUse += us
}

// linkCost is what a load costs the loads behind it, in permille of its time: as
// in a queue, the part of the time that links are in use over the part that they
// are not, at most 8, and a quarter for what is evicted.
func (p *pool) linkCost(now int64) int64 {
	use := p.linkUse - p.linkUse*min(now-p.linkAt, linkWindow)/linkWindow
	busy := min(use/(linkWindow*max(1, int64(len(p.heap)))), 888) // permille
	return 250 + 1000*busy/(1000-busy)
}

// stallFactor bounds a worker's jobs, those that wait for their adapter included,
// by its slots.
const stallFactor = 4

// bound is how many jobs may compete for w's slots: as many as there are, or
// LoadPercent of its fair share of all demand if that is more, but never over
// QueuePercent of its slots.
func (s *State) bound(p *pool, w *worker) int64 {
	demand := p.load + p.waiting // a job that asks is waiting
	share := (int64(s.cfg.LoadPercent)*demand*w.slots + 100*p.slots - 1) / (100 * max(1, p.slots))
	most := (int64(s.cfg.QueuePercent)*w.slots + 99) / 100
	return min(max(w.slots, share), most)
}

// full says that not even the least utilised worker may take another job.
func (s *State) full(p *pool) bool {
	if len(p.heap) == 0 {
		return true
	}
	w := p.heap[0]
	return w.load+w.foreign >= stallFactor*w.slots || w.active(s.now)*100 >= int64(s.cfg.QueuePercent)*w.slots
}
