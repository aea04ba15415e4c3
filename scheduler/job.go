package scheduler

import (
	"fmt"
	"slices"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// maxTokens bounds the token counts of one job, so that no sum overflows.
const maxTokens = 1 << 22

// fullMS is after how long a job looks again that came when everything was full;
// whatever frees a place looks at it earlier.
const fullMS = 1000

// busyMS is how long a worker that said "busy" is not asked again for the job.
const busyMS = 1000

type job struct {
	id      protocol.Hash
	hash    uint64
	seq     uint64
	sub     Submit
	pool    *pool
	tenant  *tenant
	adapter *adapter
	budget  uint64 // for compute, when exact
	exact   bool   // budget fits
	credits bool   // what it may cost depends on the worker

	worker     *worker // nil: waiting
	attempt    int
	tries      int // attempts that count against MaxAttempts
	tokens     int
	started    bool  // first token of this attempt is there
	stalled    int64 // until when it waits for its adapter; 0: it does not
	dispatched int64 // when
	sign       int64 // last sign of life
	firstAt    int64 // first token of this attempt
	estimate   int64 // estimated time to first token, us
	reads      int64 // prompt tokens of this attempt
	profile    string

	queuedAt int64
	missing  int64 // since when no worker could ever take it; 0: some could
	recheck  int64 // not before
	held     bool  // waits for a worker that has its adapter, by choice
	tried    uint64
	excluded []exclusion
	lastErr  protocol.Kind
	lastWhy  string
	timer    timer
}

// exclusion keeps a job from a worker that failed it: for good, or until a time
// (busy), or until the worker has been away and comes back (unreachable).
type exclusion struct {
	w       *worker
	until   int64
	listing uint64 // 0: does not matter
}

// need is the most KV cache that a job takes, in tokens.
func (j *job) need() int64 { return int64(j.sub.PromptTokens + j.sub.MaxTokens) }

// least is the KV cache that a job takes at least.
func (e *Submit) least() int64 {
	if e.PromptLeast > 0 {
		return int64(e.PromptLeast + e.MaxTokens)
	}
	return int64(e.PromptTokens + e.MaxTokens)
}

// takes is what is kept for a job at a worker: its whole cache at most. Whether a prompt
// that may be longer fits, its tokenizer decides.
func (w *worker) takes(j *job) int64 { return min(j.need(), w.totalKV) }

// fits says whether the KV cache that is left is enough. A worker with nothing to do has
// no more to wait for: it is tried with what may fit.
func (w *worker) fits(j *job) bool {
	switch {
	case w.freeKV < 0: // it does not say
		return true
	case w.load+w.foreign == 0:
		return w.freeKV >= j.sub.least()
	default:
		return w.freeKV >= w.takes(j)
	}
}

func (j *job) excludes(w *worker, now int64) bool {
	for _, x := range j.excluded {
		if x.w == w && (x.until == 0 || x.until > now) && (x.listing == 0 || x.listing == w.listing) {
			return true
		}
	}
	return false
}

// submit admits a job or refuses it.
func (s *State) submit(e *Submit) {
	if s.jobs[e.Job] != nil {
		return
	}
	deadline := e.Deadline
	if deadline == 0 {
		deadline = s.now + s.cfg.JobTimeoutMS
		if e.Training {
			deadline = s.now + s.cfg.TrainTimeoutMS
		}
	}
	if kind, why := s.admit(e, deadline); kind != "" {
		s.emit(Effect{Kind: Refuse, Job: e.Job, Err: kind, Reason: why})
		return
	}
	s.seq++
	j := s.newJob()
	j.id, j.sub, j.seq = e.Job, *e, s.seq
	j.sub.Deadline = deadline
	j.hash = s.hashOf(e.Job)
	j.setBudget()
	j.pool = s.pool(e.Base)
	if e.Adapter != 0 && !e.Training {
		j.adapter = s.adapter(e.Adapter)
	}
	if !e.Training {
		j.tenant = j.pool.tenant(e.Tenant)
	}
	j.timer = timer{key: j.seq, job: j}
	s.jobs[j.id] = j
	s.enqueue(j)
	s.touchJob(j)
	p := j.pool
	queues := s.cfg.Policy == PolicyAffinity && !j.sub.Training
	if queues && (p.blocked != nil || len(p.heap) > 0 && s.full(p)) {
		j.recheck = s.now + fullMS
		s.touchJob(j)
		return
	}
	s.try(j)
}

func (s *State) hashOf(id protocol.Hash) uint64 {
	return mix(s.cfg.Seed ^ uint64(id[0])<<56 ^ uint64(id[1])<<48 ^ uint64(id[2])<<40 ^ uint64(id[3])<<32 ^
		uint64(id[28])<<24 ^ uint64(id[29])<<16 ^ uint64(id[30])<<8 ^ uint64(id[31]))
}

// setBudget works out what is left for compute.
func (j *job) setBudget() {
	if left, short := new(uint256.Int).SubOverflow(&j.sub.Budget, &j.sub.Access); !short && len(j.sub.Credits) == 0 {
		j.budget, j.exact = left.Uint64(), left.IsUint64()
	} else {
		j.credits = true
	}
}

func (s *State) admit(e *Submit, deadline int64) (protocol.Kind, string) {
	most := e.most()
	switch {
	case e.PromptLeast < 0 || e.PromptLeast > e.PromptTokens:
		return protocol.KindInvalid, fmt.Sprintf("a prompt of at least %d and at most %d tokens", e.PromptLeast, e.PromptTokens)
	case e.PromptTokens < 0 || e.MaxTokens < 0 || e.PromptTokens > maxTokens || e.MaxTokens > maxTokens:
		return protocol.KindInvalid, fmt.Sprintf("prompt of %d and at most %d new tokens: both must be within 0 and %d", e.PromptTokens, e.MaxTokens, maxTokens)
	case deadline <= s.now:
		return protocol.KindDeadline, "the deadline has passed: submit the job again with a later one"
	case most.Lt(&e.Access) || most.Lt(&e.EstimatedFee):
		need := e.EstimatedFee
		if need.Lt(&e.Access) {
			need = e.Access
		}
		return protocol.KindEscrow, fmt.Sprintf("the job may cost %s wei and %s wei of escrow are free: deposit more, or ask for fewer tokens", need.Dec(), most.Dec())
	case s.queued >= s.cfg.MaxQueued:
		return protocol.KindBusy, fmt.Sprintf("%d jobs are waiting already: try again later", s.queued)
	}
	p := s.pools[e.Base]
	if p == nil || e.Training {
		return "", ""
	}
	if !p.holds(e.least()) {
		return protocol.KindInvalid, tooLong(e.least())
	}
	if t := p.tenants[e.Tenant]; t != nil && len(t.jobs) >= s.cfg.MaxQueuedPerTenant {
		return protocol.KindBusy, fmt.Sprintf("%d jobs of this requester are waiting already: try again later", len(t.jobs))
	}
	if p.waiting > 0 && p.slots > 0 && p.service > 0 && len(p.active) <= 1 {
		if wait := p.waiting * p.service / p.slots / 1000; s.now+wait > deadline {
			return protocol.KindDeadline, fmt.Sprintf("the queue is about %d ms long and the deadline in %d ms: allow more time, or try again later", wait, deadline-s.now)
		}
	}
	return "", ""
}

// token notes output that was delivered.
func (s *State) token(e Token) {
	j := s.jobs[e.Job]
	if j == nil || j.worker == nil || e.Worker != "" && e.Worker != j.worker.id || e.Count < 0 {
		return
	}
	j.sign = s.now
	if e.Count == 0 || j.sub.Training {
		return
	}
	w := j.worker
	j.tokens = min(j.tokens+e.Count, maxTokens)
	if !j.started {
		j.started, j.firstAt = true, s.now
		j.profile = w.ann.Profile
		w.prefill -= j.reads
		w.unstall(j.stalled)
		s.touchJob(j) // from now on the patience is another
		ratio := ((s.now-j.dispatched)*1000 + 50_000) * 1000 / (j.estimate + 50_000)
		w.correction += (min(max(ratio, 250), 8000) - w.correction) / 8
	}
	j.pool.charge(j.tenant, outputWeight*int64(e.Count))
}

func (s *State) done(e Done) {
	j := s.jobs[e.Job]
	if j == nil || j.worker == nil || e.Worker != "" && e.Worker != j.worker.id {
		return
	}
	w, p := j.worker, j.pool
	if j.started {
		took := (s.now-j.firstAt)*1000 + s.prefillUS(w, j.reads)
		average(&w.service, took, 8)
		average(&p.service, took, 32)
	}
	s.detach(j)
	s.praise(w)
	s.finish(j)
	s.placeFreed(p, w)
}

func average(v *int64, x, n int64) {
	if *v == 0 {
		*v = x
		return
	}
	*v += (x - *v) / n
}

func (s *State) failEvent(e Fail) {
	j := s.jobs[e.Job]
	if j == nil || j.worker == nil || e.Worker != "" && e.Worker != j.worker.id {
		return
	}
	if e.Kind == "" {
		e.Kind = protocol.KindInternal
	}
	if e.Retriable && e.Kind != protocol.KindBusy {
		s.blame(j.worker)
	}
	p, w := j.pool, j.worker
	s.lose(j, e.Kind, e.Reason, e.Retriable)
	s.placeFreed(p, w)
}

func (s *State) cancel(e Cancel) {
	j := s.jobs[e.Job]
	if j == nil {
		return
	}
	p := j.pool
	s.leave(j)
	s.finish(j)
	s.place(p)
}

// leave takes a job off its worker, telling it, or out of the queue.
func (s *State) leave(j *job) {
	if j.worker != nil {
		s.emit(Effect{Kind: Release, Job: j.id, Worker: j.worker.id})
		s.detach(j)
	} else {
		s.dequeue(j)
	}
}

// lose takes a job off a worker that failed it and lets it wait for another one,
// or ends it. The caller places the pool's jobs afterwards.
func (s *State) lose(j *job, kind protocol.Kind, why string, retriable bool) {
	w := j.worker
	s.detach(j)
	if !retriable {
		s.emit(Effect{Kind: Refuse, Job: j.id, Err: kind, Reason: why})
		s.finish(j)
		return
	}
	j.lastErr, j.lastWhy = kind, why
	x := exclusion{w: w}
	if kind == protocol.KindBusy {
		x.until = s.now + busyMS
	} else {
		j.tries++
	}
	if kind == protocol.KindUnavailable {
		x.listing = w.listing
	}
	j.excluded = append(j.excluded, x)
	if j.tries >= s.cfg.MaxAttempts || j.attempt >= 4*s.cfg.MaxAttempts {
		s.emit(Effect{Kind: Refuse, Job: j.id, Err: protocol.KindUnavailable,
			Reason: fmt.Sprintf("gave up after %d attempts, the last one: %s", j.attempt, why)})
		s.finish(j)
		return
	}
	s.emit(Effect{Kind: Retry, Job: j.id, Worker: w.id, Attempt: j.attempt, Resume: j.tokens, Err: kind, Reason: why})
	s.enqueue(j)
	s.touchJob(j)
}

// dispatch gives a waiting job to w.
func (s *State) dispatch(j *job, w *worker, estimate int64) {
	s.dequeue(j)
	if j.pool.blocked == j {
		j.pool.blocked = nil
	}
	j.worker, j.dispatched, j.sign = w, s.now, s.now
	j.started, j.estimate, j.missing, j.stalled = false, estimate, 0, 0
	j.attempt++
	s.running++
	w.jobs = append(w.jobs, j)
	ef := Effect{Kind: Dispatch, Job: j.id, Worker: w.id, Adapter: j.sub.Adapter, Attempt: j.attempt, Resume: j.tokens}
	s.touchJob(j)
	if j.sub.Training {
		w.training = j
		s.training++
		s.emit(ef)
		return
	}
	j.reads = int64(j.sub.PromptTokens + j.tokens)
	w.load++
	w.prefill += j.reads
	if w.freeKV >= 0 {
		w.freeKV = max(0, w.freeKV-w.takes(j))
	}
	if w.listed {
		w.pool.load++
		w.pool.heapFix(w)
	}
	j.tenant.inFlight++
	if j.attempt == 1 {
		j.pool.vtime = max(j.pool.vtime, j.tenant.counter)
		j.pool.charge(j.tenant, inputWeight*int64(j.sub.PromptTokens))
	}
	s.emit(ef)
	if j.adapter != nil {
		j.adapter.inFlight++
		if j.stalled = s.willHold(w, j.adapter); j.stalled > s.now {
			w.stall(s.now, j.stalled)
		}
		s.prefetch(j)
	}
}

// willHold notes that w will have the adapter on its device, and says when.
func (s *State) willHold(w *worker, a *adapter) int64 {
	h := s.addHolder(w, a.tag)
	if h == nil {
		return 0
	}
	if h.tier != protocol.TierDevice {
		w.loading = max(w.loading, s.now) + s.cfg.LoadMS[h.tier]
		w.pool.useLink(s.now, s.cfg.LoadMS[h.tier]*1000)
		h.tier, h.ready = protocol.TierDevice, w.loading
	}
	h.used = s.now
	return h.ready
}

// prefetch has one more worker load an adapter whose holders are all full, if the
// worker has nothing else to load.
func (s *State) prefetch(j *job) {
	a := j.adapter
	if s.cfg.Policy != PolicyAffinity || s.cfg.PrefetchEveryMS < 0 || a.inFlight < 2 ||
		a.prefetch != 0 && s.now-a.prefetch < s.cfg.PrefetchEveryMS {
		return
	}
	for i := range a.holders[:min(len(a.holders), s.cfg.Candidates)] {
		w := a.holders[i].w
		if w.listed && w.pool == j.pool && w.active(s.now) < w.slots {
			return
		}
	}
	for _, w := range s.homesOf(j.pool, a) {
		if w.load+w.foreign < w.slots && w.loading <= s.now && w.quarantine <= s.now && a.holder(w) == nil {
			a.prefetch = s.now
			s.emit(Effect{Kind: Prefetch, Job: j.sub.Job, Worker: w.id, Adapter: a.tag})
			s.willHold(w, a)
			return
		}
	}
}

// detach takes a job off its worker.
func (s *State) detach(j *job) {
	w := j.worker
	j.worker = nil
	s.running--
	if i := slices.Index(w.jobs, j); i >= 0 {
		w.jobs = slices.Delete(w.jobs, i, i+1)
	}
	if j.sub.Training {
		w.training = nil
		s.training--
		return
	}
	w.load--
	if !j.started {
		w.prefill = max(0, w.prefill-j.reads)
		w.unstall(j.stalled)
	}
	if w.freeKV >= 0 {
		w.freeKV = min(w.freeKV+w.takes(j), w.totalKV)
	}
	if w.listed {
		w.pool.load--
		w.pool.heapFix(w)
	}
	j.tenant.inFlight--
	if j.adapter != nil {
		j.adapter.inFlight--
	}
}

func (s *State) newJob() *job {
	if n := len(s.free); n > 0 {
		j := s.free[n-1]
		s.free = s.free[:n-1]
		return j
	}
	return &job{}
}

// finish forgets a job that is neither waiting nor on a worker.
func (s *State) finish(j *job) {
	s.timers.remove(&j.timer)
	delete(s.jobs, j.id)
	p := j.pool
	if p.blocked == j {
		p.blocked = nil
	}
	if j.tenant != nil {
		p.dropTenant(j.tenant)
	}
	if j.adapter != nil {
		s.dropAdapter(j.adapter)
	}
	s.dropPool(p)
	*j = job{excluded: j.excluded[:0]}
	s.free = append(s.free, j)
}

// refuse ends a job.
func (s *State) refuse(j *job, kind protocol.Kind, why string) {
	s.leave(j)
	s.emit(Effect{Kind: Refuse, Job: j.id, Err: kind, Reason: why})
	s.finish(j)
}

// patience is how long a job on a worker may give no sign of life.
func (s *State) patience(j *job) int64 {
	switch {
	case j.sub.Training:
		return s.cfg.TrainIdleTimeoutMS
	case !j.started:
		return s.cfg.FirstTokenTimeoutMS
	}
	return s.cfg.IdleTimeoutMS
}

// touchJob sets the timer to the job's next deadline.
func (s *State) touchJob(j *job) {
	at := j.sub.Deadline
	switch {
	case j.worker != nil:
		at = min(at, j.sign+s.patience(j))
	default:
		if j.missing != 0 {
			at = min(at, j.missing+max(0, s.cfg.NoWorkerGraceMS))
		}
		if j.recheck > s.now {
			at = min(at, j.recheck)
		}
	}
	s.timers.set(&j.timer, max(at, s.now+1))
}

func (s *State) jobTimer(j *job) {
	id := j.id
	switch {
	case j.sub.Deadline <= s.now:
		why := "no worker was free before the deadline: allow more time, or try again later"
		if j.worker != nil {
			why = "the deadline passed before the job was done: allow more time, or ask for fewer tokens"
		}
		p := j.pool
		s.refuse(j, protocol.KindDeadline, why)
		s.place(p)
		return
	case j.worker != nil && j.sign+s.patience(j) <= s.now:
		p := j.pool
		s.emit(Effect{Kind: Release, Job: j.id, Worker: j.worker.id})
		s.blame(j.worker)
		s.lose(j, protocol.KindDeadline, fmt.Sprintf("no sign of life for %d ms", s.patience(j)), true)
		s.place(p)
	case j.worker == nil && (j.recheck <= s.now || j.missing != 0 && j.missing+max(0, s.cfg.NoWorkerGraceMS) <= s.now):
		if j.missing != 0 || j.pool.blocked == nil || j.pool.blocked == j || !j.sub.Training && !j.pool.holds(j.sub.least()) {
			s.try(j)
		} else {
			j.recheck = s.nextLook(j)
		}
	}
	if s.jobs[id] == j {
		s.touchJob(j)
	}
}
