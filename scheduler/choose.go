package scheduler

import (
	"math/bits"

	"github.com/openledger/openledger/protocol"
)

// smallPool is up to how many workers a decision looks at every one.
const smallPool = 48

// heapTop is how many of the least loaded workers a decision looks at: three
// levels of the heap.
const heapTop = 7

// slotRisk weighs the wait for a slot, whose length is known on average only,
// against a load, whose length is known.
const slotRisk = 2

// otherProfileUS is what it costs to resume a stream under another numeric
// profile, which an auditor can only check by tolerance.
const otherProfileUS = 5_000_000

// pick is the best place found so far for one job.
type pick struct {
	w     *worker
	score int64
	full  bool // the best place has no room now
	est   int64
	able  int // workers that could take the job were they idle
}

// choose finds the place with the lowest score among the adapter's holders, its
// rendezvous homes and the least loaded workers; in a small pool, among all.
func (s *State) choose(j *job) (*worker, int64, verdict) {
	p := j.pool
	if len(p.heap) == 0 || !p.holds(j.sub.least()) {
		return nil, 0, missing
	}
	var homes []*worker
	if j.adapter != nil {
		homes = s.homesOf(p, j.adapter)
		s.link = p.linkCost(s.now)
	}
	var best pick
	if len(p.heap) <= smallPool {
		s.considerAll(&best, j, homes)
		j.held = best.w != nil && best.full
		return best.outcome(true)
	}
	if a := j.adapter; a != nil {
		n := len(a.holders)
		at := 0
		if n > s.cfg.Candidates {
			at = int(j.hash % uint64(n))
		}
		for i := range min(n, s.cfg.Candidates) {
			h := &a.holders[(at+i)%n]
			s.consider(&best, j, h.w, h, 0)
		}
		if best.w != nil && !best.full && best.score <= s.cfg.LoadMS[protocol.TierNetwork]*1000 {
			return best.outcome(false) // whoever has to fetch the adapter is slower
		}
		for rank, w := range homes {
			s.consider(&best, j, w, a.holder(w), rank)
		}
	}
	for _, w := range p.heap[:min(len(p.heap), heapTop)] {
		s.consider(&best, j, w, j.adapter.holder(w), len(homes))
	}
	j.held = best.w != nil && best.full
	if best.w == nil && (j.recheck <= s.now) && !s.full(p) {
		s.considerAll(&best, j, homes)
		j.held = best.w != nil && best.full
		return best.outcome(true)
	}
	return best.outcome(false)
}

func (b *pick) outcome(all bool) (*worker, int64, verdict) {
	switch {
	case b.w != nil && !b.full:
		return b.w, b.est, found
	case b.able == 0 && all:
		return nil, 0, missing
	}
	return nil, 0, hold
}

func (s *State) considerAll(best *pick, j *job, homes []*worker) {
	for _, w := range j.pool.heap {
		rank := len(homes)
		for i, h := range homes {
			if h == w {
				rank = i
			}
		}
		s.consider(best, j, w, j.adapter.holder(w), rank)
	}
}

// consider scores one worker. A full one competes only if the adapter is there
// or nearly so: then waiting for it may be better than a cold load elsewhere.
func (s *State) consider(best *pick, j *job, w *worker, h *holder, rank int) {
	if s.blocked(w, j) != free {
		return
	}
	best.able++
	full := s.noPlace(w, j)
	if full && (h == nil || h.tier > protocol.TierHost || s.cfg.StarveMS > 0 && s.now-j.queuedAt >= s.cfg.StarveMS) {
		return
	}
	est := s.estimate(w, j, h)
	if full && j.adapter.waiting > 1 {
		est += slotRisk * (j.adapter.waiting - 1) * s.serviceUS(w) / (w.slots * int64(len(j.adapter.holders)))
	}
	score := est + s.terms(w, j, h, rank)
	if best.w == nil || score < best.score || score == best.score && w.id < best.w.id {
		best.w, best.score, best.full, best.est = w, score, full, est
	}
}

// noPlace says that w has no room for the job now.
func (s *State) noPlace(w *worker, j *job) bool {
	return w.active(s.now) >= s.bound(j.pool, w) || w.load+w.foreign >= stallFactor*w.slots || !w.fits(j)
}

// estimate is the expected time to the first token, in us.
func (s *State) estimate(w *worker, j *job, h *holder) int64 {
	var load int64
	switch {
	case j.adapter == nil:
	case h == nil:
		load = max(0, w.loading-s.now) + s.cfg.LoadMS[protocol.TierNetwork]
	case h.ready > s.now:
		load = h.ready - s.now
	case h.tier != protocol.TierDevice:
		load = max(0, w.loading-s.now) + s.cfg.LoadMS[h.tier]
	}
	wait := s.prefillUS(w, min(w.prefill, 1<<32))
	if over := w.active(s.now) + 1 - w.slots; over > 0 {
		wait += slotRisk * over * s.serviceUS(w) / w.slots
	}
	est := max(load*1000, wait) + s.prefillUS(w, int64(j.sub.PromptTokens+j.tokens))
	return est*w.correction/1000 + w.rtt*1000
}

// terms are the parts of a score that are not time, in us.
func (s *State) terms(w *worker, j *job, h *holder, rank int) int64 {
	var sum int64
	if s.cfg.PriceWeightMS > 0 && !j.sub.EstimatedFee.IsZero() {
		quote := saturated(&j.sub.EstimatedFee)
		fee := w.fee(j)
		part := int64(2000) // permille of the quote, at most
		if fee/2 < quote {
			hi, lo := bits.Mul64(fee, 1000)
			q, _ := bits.Div64(hi, lo, quote)
			part = int64(q)
		}
		sum += s.cfg.PriceWeightMS * part
	}
	if s.cfg.ReputationWeightMS > 0 {
		sum += s.cfg.ReputationWeightMS * w.failures
	}
	if s.cfg.StakeWeightMS > 0 && w.stake < referenceStake {
		sum += s.cfg.StakeWeightMS * 1000 * int64(referenceStake-w.stake) / referenceStake
	}
	if j.adapter != nil && h == nil && s.cfg.HomeStepMS > 0 {
		sum += s.cfg.HomeStepMS * 1000 * int64(rank)
	}
	if j.adapter != nil && s.cfg.ColdPercent > 0 {
		tier := protocol.TierNetwork
		if h != nil {
			tier = h.tier
		}
		if tier != protocol.TierDevice {
			sum += s.cfg.LoadMS[tier] * s.cfg.ColdPercent * s.link / 100
		}
	}
	if w.training != nil && s.cfg.TrainingPenaltyMS > 0 {
		sum += s.cfg.TrainingPenaltyMS * 1000
	}
	if j.tokens > 0 && j.profile != w.ann.Profile {
		sum += otherProfileUS
	}
	return sum
}

// referenceStake is the stake, in whole OPEN, from which a worker has nothing
// more to gain.
const referenceStake = 10_000

// chooseTrainer finds a free worker that trains: the least loaded, ties by
// rendezvous of job and worker.
func (s *State) chooseTrainer(j *job) (*worker, verdict) {
	var best *worker
	v := missing
	for _, w := range j.pool.heap {
		if s.blocked(w, j) != free {
			continue
		}
		if v == missing {
			v = hold
		}
		if w.training != nil {
			continue
		}
		if best == nil || trainsBefore(w, best, j) {
			best = w
		}
	}
	if best == nil {
		return nil, v
	}
	return best, found
}

func trainsBefore(w, v *worker, j *job) bool {
	if a, b := (w.load+w.foreign)*v.slots, (v.load+v.foreign)*w.slots; a != b {
		return a < b
	}
	if a, b := mix(j.hash^w.hash), mix(j.hash^v.hash); a != b {
		return a < b
	}
	return w.id < v.id
}
