package sim

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/scheduler"
)

var simBase = protocol.Hash{31: 1}

type eventKind uint8

const (
	evArrive eventKind = iota
	evDeliver
	evStep
	evLoaded
	evDelta
	evHeartbeat
	evTick
	evKill
	evGone
	evRevive
	evRefusedConn
	evPrefetch
)

type event struct {
	at   int64 // us
	seq  uint64
	kind eventKind
	life int
	w    *worker
	q    *sequence
	n    int // request of evArrive
	tag  uint64
}

type agenda []event

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

// Push is part of heap.Interface.
func (a *agenda) Push(x any) { *a = append(*a, x.(event)) }

// Pop is part of heap.Interface.
func (a *agenda) Pop() any {
	e := (*a)[len(*a)-1]
	(*a)[len(*a)-1] = event{}
	*a = (*a)[:len(*a)-1]
	return e
}

// request is one arrival and what became of it.
type request struct {
	Request
	id      protocol.Hash
	tag     uint64
	max     int
	at      *worker // where its current attempt is
	attempt int
	tokens  int
	first   int64 // us of the first token; -1: none yet
	end     int64 // us; -1: not over
	refused bool
	retries int
}

// run is one policy over one list of arrivals.
type run struct {
	cfg        *Config
	state      *scheduler.State
	agenda     agenda
	seq        uint64
	workers    []*worker
	byPeer     map[protocol.PeerID]*worker
	jobs       []request
	byID       map[protocol.Hash]*request
	price      protocol.Price
	nextMS     int64 // pending tick; 0: none
	open       int   // requests not over
	now        int64
	prefetches int
	steps      int
}

func newRun(cfg *Config, policy scheduler.Policy, list []Request) (*run, error) {
	sc := cfg.Scheduler
	sc.Policy, sc.Seed = policy, cfg.Seed
	state, err := scheduler.New(sc)
	if err != nil {
		return nil, err
	}
	r := &run{cfg: cfg, state: state, byPeer: make(map[protocol.PeerID]*worker),
		jobs: make([]request, len(list)), byID: make(map[protocol.Hash]*request, len(list)), open: len(list)}
	r.price.InputPer1K.SetUint64(1e12)
	r.price.OutputPer1K.SetUint64(2e12)
	rng := rand.New(rand.NewPCG(cfg.Seed, 0x776f726b))
	for i := range cfg.Workers {
		w := &worker{run: r, id: protocol.PeerID(fmt.Sprintf("worker-%05d", i)), cost: &cfg.Cost, alive: true, cache: newCache(&cfg.Cost)}
		r.workers = append(r.workers, w)
		r.byPeer[w.id] = w
		r.at(rng.Int64N(cfg.Cost.HeartbeatMS)*1000, event{kind: evHeartbeat, w: w})
	}
	for i, q := range list {
		j := &r.jobs[i]
		*j = request{Request: q, tag: tagOf(q.Adapter), first: -1, end: -1, max: max(q.Output, 64)}
		binary.BigEndian.PutUint64(j.id[:8], splitMix(cfg.Seed^uint64(i)))
		binary.BigEndian.PutUint64(j.id[24:], uint64(i))
		r.byID[j.id] = j
	}
	if len(list) > 0 {
		r.at(list[0].At, event{kind: evArrive})
	}
	last := list[len(list)-1].At
	for _, i := range rng.Perm(cfg.Workers)[:cfg.Workers*cfg.KillPercent/100] {
		r.at(rng.Int64N(last+1), event{kind: evKill, w: r.workers[i]})
	}
	return r, nil
}

// tagOf is an adapter's name in announcements.
func tagOf(adapter int) uint64 { return splitMix(uint64(adapter)+1) | 1 }

func splitMix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (r *run) at(at int64, e event) {
	r.seq++
	e.at, e.seq = at, r.seq
	heap.Push(&r.agenda, e)
}

// play runs until every request is over.
func (r *run) play() {
	for _, w := range r.workers {
		r.tell(0, scheduler.Announce{At: 0, Announcement: w.announcement(0)})
		r.tell(0, scheduler.Observe{At: 0, Worker: w.id, RTT: r.cfg.Cost.RTTMS})
	}
	for r.open > 0 && len(r.agenda) > 0 {
		e := heap.Pop(&r.agenda).(event)
		r.now = e.at
		if e.w != nil && e.life != e.w.life && e.kind != evRefusedConn && e.kind != evDeliver {
			continue
		}
		r.handle(&e)
	}
}

func (r *run) handle(e *event) {
	now, w := e.at, e.w
	switch e.kind {
	case evArrive:
		if e.n+1 < len(r.jobs) {
			r.at(r.jobs[e.n+1].At, event{kind: evArrive, n: e.n + 1})
		}
		r.arrive(now, &r.jobs[e.n])
	case evDeliver:
		r.deliver(now, e)
	case evStep:
		w.stepped(now)
	case evLoaded:
		w.loaded(now)
	case evPrefetch:
		w.want(now, e.tag)
	case evDelta:
		w.delta = false
		r.tell(now, scheduler.Announce{At: now / 1000, Announcement: w.announcement(now)})
	case evHeartbeat:
		r.tell(now, scheduler.Announce{At: now / 1000, Announcement: w.announcement(now)})
		r.at(now+r.cfg.Cost.HeartbeatMS*1000, event{kind: evHeartbeat, w: w, life: w.life})
	case evTick:
		if e.at/1000 == r.nextMS {
			r.nextMS = 0
			r.tell(now, scheduler.Tick{At: now / 1000})
		}
	case evKill:
		w.die()
		r.at(now+r.cfg.DetectMS*1000, event{kind: evGone, w: w, life: w.life})
		if r.cfg.ReviveMS >= 0 {
			r.at(now+max(r.cfg.ReviveMS, r.cfg.DetectMS+1)*1000, event{kind: evRevive, w: w, life: w.life})
		}
	case evGone:
		r.tell(now, scheduler.WorkerGone{At: now / 1000, Worker: w.id})
	case evRevive:
		w.alive = true
		r.tell(now, scheduler.Announce{At: now / 1000, Announcement: w.announcement(now)})
		r.at(now+r.cfg.Cost.HeartbeatMS*1000, event{kind: evHeartbeat, w: w, life: w.life})
	case evRefusedConn:
		if j := e.q.job; j.at == w && j.attempt == e.q.attempt {
			r.tell(now, scheduler.Fail{At: now / 1000, Job: j.id, Worker: w.id,
				Kind: protocol.KindUnavailable, Reason: "connection refused", Retriable: true})
		}
	}
}

func (r *run) arrive(now int64, j *request) {
	fee := r.price.FeeFor(j.Prompt, j.max).Total()
	r.tell(now, scheduler.Submit{At: now / 1000, Job: j.id, Base: simBase, Adapter: j.tag,
		Tenant:       protocol.Account{18: byte(j.Tenant >> 8), 19: byte(j.Tenant)},
		PromptTokens: j.Prompt, MaxTokens: j.max, EstimatedFee: fee, Budget: *uint256.NewInt(1e18)})
}

// deliver hands a dispatched job to its worker, if both still want it.
func (r *run) deliver(now int64, e *event) {
	q, w := e.q, e.w
	if q.job.at != w || q.job.attempt != q.attempt {
		return
	}
	if !w.alive {
		r.at(now+r.cfg.Cost.RTTMS*1000, event{kind: evRefusedConn, w: w, q: q})
		return
	}
	w.accept(now, q)
}

// tell gives the scheduler an event and does what it says.
func (r *run) tell(now int64, ev scheduler.Event) {
	r.steps++
	// Effects are copied by value into the agenda before the next Step.
	for _, f := range scheduler.Step(r.state, ev) {
		w, j := r.byPeer[f.Worker], r.byID[f.Job]
		switch f.Kind {
		case scheduler.Dispatch:
			j.at, j.attempt = w, f.Attempt
			q := &sequence{job: j, attempt: f.Attempt, tag: j.tag, reads: max(1, j.Prompt+f.Resume)}
			r.at(now+r.cfg.Cost.RTTMS*1000, event{kind: evDeliver, w: w, q: q, life: w.life})
		case scheduler.Prefetch:
			r.prefetches++
			r.at(now+r.cfg.Cost.RTTMS*1000, event{kind: evPrefetch, w: w, tag: f.Adapter, life: w.life})
		case scheduler.Retry:
			j.retries++
			j.at = nil
		case scheduler.Release:
			w.release(j)
		case scheduler.Refuse:
			j.at, j.refused, j.end = nil, true, now
			r.open--
		}
	}
	if next := r.state.NextDeadline(); next != 0 && (r.nextMS == 0 || next < r.nextMS) {
		r.nextMS = next
		r.at(max(next*1000, now), event{kind: evTick})
	}
}

func (r *run) token(now int64, q *sequence) {
	j := q.job
	j.tokens++
	if j.first < 0 {
		j.first = now
	}
	r.tell(now, scheduler.Token{At: now / 1000, Job: j.id, Worker: q.job.at.id, Count: 1})
}

func (r *run) finished(now int64, q *sequence) {
	j := q.job
	w := j.at
	j.at, j.end = nil, now
	r.open--
	r.tell(now, scheduler.Done{At: now / 1000, Job: j.id, Worker: w.id})
}
