package scheduler

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// maxTags bounds what is remembered of one worker's adapters.
const maxTags = 1024

type worker struct {
	// What every decision looks at.
	pool       *pool // of its base
	listed     bool
	ord        uint64
	expires    int64
	quarantine int64 // until
	slots      int64
	load       int64   // inference jobs that we dispatched
	foreign    int64   // announced jobs that are not ours
	prefill    int64   // prompt tokens dispatched and not yet answered by a first token
	stalls     []int64 // when the jobs get their adapters that wait for them and take no slot yet, ascending
	freeKV     int64   // tokens; -1: not stated
	totalKV    int64   // tokens; unbounded: not stated
	inWei      uint64
	outWei     uint64
	decode     int64 // tokens per 1,000 s, all slots together
	loading    int64 // until when cold loads that we caused keep it busy
	failures   int64 // permille, exponential average
	correction int64 // observed over estimated time to first token, permille
	service    int64 // average time of a job, us; 0: unknown
	rtt        int64
	stake      uint64
	training   *job

	id      protocol.PeerID
	hash    uint64 // of the id: place on the ring
	jobs    []*job
	tags    []uint64 // adapters resident, sorted
	inRow   int      // failures in a row
	left    int64    // when it was unlisted
	listing uint64   // how often it was listed
	heapPos int
	timer   timer
	ann     protocol.Announcement
}

// announce takes a worker's newest word.
func (s *State) announce(a *protocol.Announcement) {
	if a.Peer == "" || a.Slots <= 0 || a.ExpiresAt <= s.now {
		return
	}
	w := s.workers[a.Peer]
	if w == nil {
		w = s.newWorker(a.Peer)
	} else if a.Sequence < w.ann.Sequence || a.Sequence == w.ann.Sequence && w.listed {
		return // one that left may come back under its newest
	}
	if w.listed && w.pool.base != a.Base {
		s.unlist(w)
	}
	relist := !w.listed
	if w.listed {
		w.pool.count(w, -1)
	}
	s.residents(w, a)
	w.ann = *a
	w.expires = a.ExpiresAt
	w.ann.Adapters = slices.Clone(a.Adapters)
	w.slots = int64(min(a.Slots, 1<<16))
	w.decode = s.cfg.UnstatedTPS * 1000
	if a.DecodeTPS > 0 {
		w.decode = max(1, int64(min(float64(a.DecodeTPS), 1e9)*1000))
	}
	w.inWei, w.outWei = saturated(&a.Price.InputPer1K), saturated(&a.Price.OutputPer1K)
	w.freeKV = -1
	if a.FreeKV > 0 || a.Running > 0 {
		w.freeKV = int64(max(0, a.FreeKV))
	}
	total := int64(unbounded)
	if a.TotalKV > 0 {
		total = int64(a.TotalKV)
	}
	if w.totalKV != total && w.pool != nil {
		w.pool.roomOld = true
	}
	w.totalKV = total
	known := 0
	for _, j := range w.jobs {
		switch {
		case j.sub.Training:
		case j.dispatched <= a.IssuedAt:
			known++
		case w.freeKV >= 0:
			w.freeKV = max(0, w.freeKV-w.takes(j))
		}
	}
	w.foreign = int64(min(max(0, a.Running+a.Waiting-known), 1<<20))
	if relist {
		w.pool = s.pool(a.Base)
		w.listed = true
		w.listing++
		w.pool.list(w)
	}
	w.pool.count(w, 1)
	w.pool.heapFix(w)
	s.touchWorker(w)
	s.place(w.pool)
}

func saturated(v *uint256.Int) uint64 {
	if !v.IsUint64() {
		return 1<<64 - 1
	}
	return v.Uint64()
}

func (s *State) newWorker(id protocol.PeerID) *worker {
	s.ord++
	w := &worker{id: id, hash: hashString(string(id)), ord: s.ord, correction: 1000, heapPos: -1}
	w.timer = timer{key: w.ord, w: w}
	s.workers[id] = w
	return w
}

type residency struct {
	tag  uint64
	tier protocol.Tier
}

// residents brings the index up to date with an announcement. What we dispatched
// after the announcement was made stays; what we used before and is no longer
// announced is believed to be on disk.
func (s *State) residents(w *worker, a *protocol.Announcement) {
	list := s.resid[:0]
	for _, r := range a.Adapters {
		if r.Tag != 0 && r.Tier <= protocol.TierDisk && len(list) < maxTags {
			list = append(list, residency{r.Tag, r.Tier})
		}
	}
	slices.SortFunc(list, func(x, y residency) int {
		if c := cmp.Compare(x.tag, y.tag); c != 0 {
			return c
		}
		return cmp.Compare(x.tier, y.tier)
	})
	list = slices.CompactFunc(list, func(x, y residency) bool { return x.tag == y.tag })
	s.resid = list
	for i := len(w.tags) - 1; i >= 0; i-- {
		tag := w.tags[i]
		if _, ok := slices.BinarySearchFunc(list, tag, func(r residency, t uint64) int { return cmp.Compare(r.tag, t) }); ok {
			continue
		}
		h := s.adapters[tag].holder(w)
		switch {
		case h.used > a.IssuedAt:
		case h.used > 0 && s.now-h.used < s.cfg.MemoryMS:
			h.tier, h.ready = protocol.TierDisk, 0
		default:
			s.dropHolder(w, tag)
		}
	}
	for _, r := range list {
		h := s.addHolder(w, r.tag)
		if h == nil {
			continue
		}
		if h.used > a.IssuedAt && h.tier <= r.tier {
			continue
		}
		h.tier, h.ready = r.tier, 0
	}
}

func (s *State) observe(e Observe) {
	if w := s.workers[e.Worker]; w != nil {
		w.rtt = min(max(0, e.RTT), 60_000)
		w.stake = e.Stake
	}
}

// workerGone moves a worker's jobs elsewhere and forgets what it held.
func (s *State) workerGone(e WorkerGone) {
	w := s.workers[e.Worker]
	if w == nil {
		return
	}
	if w.listed {
		s.unlist(w)
	}
	for len(w.tags) > 0 {
		s.dropHolder(w, w.tags[len(w.tags)-1])
	}
	if len(w.jobs) > 0 {
		s.blame(w)
	}
	pools := map[*pool]struct{}{}
	order := make([]*pool, 0, 1)
	for len(w.jobs) > 0 {
		j := w.jobs[0]
		if _, ok := pools[j.pool]; !ok {
			pools[j.pool] = struct{}{}
			order = append(order, j.pool)
		}
		s.lose(j, protocol.KindUnavailable, "worker is gone", true)
	}
	w.foreign, w.prefill, w.loading = 0, 0, 0
	s.touchWorker(w)
	for _, p := range order {
		s.place(p)
	}
}

func (s *State) unlist(w *worker) {
	w.pool.count(w, -1)
	w.pool.unlist(w)
	w.listed = false
	w.left = s.now
}

// touchWorker sets the timer to the worker's next deadline.
func (s *State) touchWorker(w *worker) {
	switch {
	case w.listed:
		s.timers.set(&w.timer, max(w.ann.ExpiresAt, s.now+1))
	default:
		s.timers.set(&w.timer, max(w.left+s.cfg.MemoryMS, s.now+1))
	}
	if w.quarantine > s.now {
		s.timers.set(&w.timer, w.quarantine)
	}
}

func (s *State) workerTimer(w *worker) {
	if w.listed && w.ann.ExpiresAt <= s.now {
		s.unlist(w)
	}
	if !w.listed && w.left+s.cfg.MemoryMS <= s.now {
		if len(w.jobs) == 0 {
			for len(w.tags) > 0 {
				s.dropHolder(w, w.tags[len(w.tags)-1])
			}
			delete(s.workers, w.id)
			return
		}
		w.left = s.now
	}
	s.touchWorker(w)
	if w.listed && w.quarantine != 0 && w.quarantine <= s.now {
		w.quarantine = 0
		s.place(w.pool)
	}
}

// blame counts a failure against a worker; three in a row send it away for a while.
func (s *State) blame(w *worker) {
	w.failures += (1000 - w.failures) / 4
	w.inRow++
	if w.inRow >= 3 && s.cfg.QuarantineMS > 0 {
		w.quarantine = s.now + s.cfg.QuarantineMS<<min(w.inRow-3, 6)
		s.touchWorker(w)
	}
}

func (s *State) praise(w *worker) {
	w.failures -= w.failures / 8
	if w.failures < 8 {
		w.failures = 0
	}
	w.inRow = 0
}

// active is how many jobs compete for w's slots now.
func (w *worker) active(now int64) int64 {
	n := w.load + w.foreign
	for i := len(w.stalls) - 1; i >= 0 && w.stalls[i] > now; i-- {
		n--
	}
	return n
}

func (w *worker) stall(now, until int64) {
	for len(w.stalls) > 0 && w.stalls[0] <= now {
		w.stalls = slices.Delete(w.stalls, 0, 1)
	}
	i, _ := slices.BinarySearch(w.stalls, until)
	w.stalls = slices.Insert(w.stalls, i, until)
}

func (w *worker) unstall(until int64) {
	if i, ok := slices.BinarySearch(w.stalls, until); ok {
		w.stalls = slices.Delete(w.stalls, i, i+1)
	}
}

// fee is what the job would cost at most on w, in wei, without access;
// saturated at the largest uint64.
func (w *worker) fee(j *job) uint64 {
	in := perThousand(w.inWei, uint64(j.sub.PromptTokens))
	out := perThousand(w.outWei, uint64(j.sub.MaxTokens))
	sum, carry := bits.Add64(in, out, 0)
	if carry != 0 {
		return 1<<64 - 1
	}
	return sum
}

func perThousand(wei, tokens uint64) uint64 {
	hi, lo := bits.Mul64(wei, tokens)
	lo, carry := bits.Add64(lo, 999, 0)
	hi += carry
	if hi >= 1000 {
		return 1<<64 - 1
	}
	q, _ := bits.Div64(hi, lo, 1000)
	return q
}

// affordable says whether the job's escrow covers w's price, exactly.
func (w *worker) affordable(j *job, fee uint64) bool {
	if fee != 1<<64-1 && !j.credits {
		return !j.exact || fee <= j.budget
	}
	f := w.ann.Price.FeeFor(j.sub.PromptTokens, j.sub.MaxTokens)
	f.Access = j.sub.Access
	t := f.Total()
	budget := j.sub.budgetAt(w.ann.Worker)
	return t.Cmp(&budget) <= 0
}

// prefillUS is the time to read tokens, in us.
func (s *State) prefillUS(w *worker, tokens int64) int64 {
	return tokens * 1_000_000_000 / (w.decode * s.cfg.PrefillRatio)
}

// serviceUS is how long one slot is taken by one job, in us.
func (s *State) serviceUS(w *worker) int64 {
	if w.service > 0 {
		return w.service
	}
	if w.pool != nil && w.pool.service > 0 {
		return w.pool.service
	}
	return min(128*1_000_000_000*w.slots/w.decode, 60_000_000)
}

func hashString(v string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(v) {
		h = (h ^ uint64(v[i])) * 1099511628211
	}
	return mix(h)
}

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
