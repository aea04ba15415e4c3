package scheduler

import (
	"slices"
	"strings"

	"github.com/openledger/openledger/protocol"
)

// State is everything the scheduler knows. Make it with New, change it with Step.
type State struct {
	cfg      Config
	now      int64
	out      []Effect
	workers  map[protocol.PeerID]*worker
	jobs     map[protocol.Hash]*job
	adapters map[uint64]*adapter
	pools    map[protocol.Hash]*pool
	timers   timerHeap
	ord      uint64 // gives workers their creation order
	seq      uint64 // gives jobs their submission order
	queued   int
	running  int
	training int
	free     []*job      // finished jobs, for reuse
	homes    []homeRank  // scratch of homesOf
	link     int64       // scratch of choose: linkCost of the job's pool
	resid    []residency // scratch of announce
}

// New makes an empty State. It fills defaults; a Config that does not validate is
// an error.
func New(cfg Config) (*State, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &State{
		cfg:      cfg,
		workers:  make(map[protocol.PeerID]*worker),
		jobs:     make(map[protocol.Hash]*job),
		adapters: make(map[uint64]*adapter),
		pools:    make(map[protocol.Hash]*pool),
	}, nil
}

// Step applies one event and says what to do. The slice is valid until the next
// Step.
func Step(s *State, ev Event) []Effect {
	s.now = max(s.now, ev.at())
	s.out = s.out[:0]
	switch e := ev.(type) {
	case Announce:
		s.announce(&e.Announcement)
	case *Announce:
		s.announce(&e.Announcement)
	case Expire:
		if w := s.workers[e.Worker]; w != nil && w.listed {
			s.unlist(w)
			s.touchWorker(w)
		}
	case Observe:
		s.observe(e)
	case Submit:
		s.submit(&e)
	case *Submit:
		s.submit(e)
	case Token:
		s.token(e)
	case Done:
		s.done(e)
	case Fail:
		s.failEvent(e)
	case Cancel:
		s.cancel(e)
	case WorkerGone:
		s.workerGone(e)
	case Tick:
		s.tick()
	}
	return s.out
}

// NextDeadline is when a Tick is due next, 0 when nothing waits.
func (s *State) NextDeadline() int64 {
	if len(s.timers) == 0 {
		return 0
	}
	return s.timers[0].at
}

// Stats are counts for dashboards and metrics.
type Stats struct {
	Workers  int `json:"workers"` // listed now
	Slots    int `json:"slots"`
	Queued   int `json:"queued"`
	Running  int `json:"running"`
	Training int `json:"training"`
	Adapters int `json:"adapters"` // known to be resident somewhere
}

// Stats counts.
func (s *State) Stats() Stats {
	st := Stats{Queued: s.queued, Running: s.running, Training: s.training, Adapters: len(s.adapters)}
	for _, p := range s.pools { // sums do not depend on the order
		st.Workers += len(p.heap)
		st.Slots += int(p.slots)
	}
	return st
}

// JobStatus is where a job stands.
type JobStatus struct {
	Worker  protocol.PeerID `json:"worker,omitempty"` // empty: waiting
	Attempt int             `json:"attempt"`
	Tokens  int             `json:"tokens"` // output tokens delivered so far
}

// Job tells where a job stands; false once it is over.
func (s *State) Job(id protocol.Hash) (JobStatus, bool) {
	j := s.jobs[id]
	if j == nil {
		return JobStatus{}, false
	}
	st := JobStatus{Attempt: j.attempt, Tokens: j.tokens}
	if j.worker != nil {
		st.Worker = j.worker.id
	}
	return st, true
}

// WorkerStatus is what the scheduler thinks of a worker.
type WorkerStatus struct {
	Announcement protocol.Announcement `json:"announcement"`
	Listed       bool                  `json:"listed"` // announcement is valid
	InFlight     int                   `json:"in_flight"`
	FailurePart  int                   `json:"failure_permille"` // recent failures
	Quarantined  bool                  `json:"quarantined"`
}

// Worker gives one worker, with the announcement (and so the price) in force.
func (s *State) Worker(id protocol.PeerID) (WorkerStatus, bool) {
	w := s.workers[id]
	if w == nil {
		return WorkerStatus{}, false
	}
	return s.status(w), true
}

// Workers gives every worker that is listed, ordered by id.
func (s *State) Workers() []WorkerStatus {
	var list []WorkerStatus
	for _, w := range s.workers {
		if w.listed {
			list = append(list, s.status(w))
		}
	}
	slices.SortFunc(list, func(a, b WorkerStatus) int {
		return strings.Compare(string(a.Announcement.Peer), string(b.Announcement.Peer))
	})
	return list
}

func (s *State) status(w *worker) WorkerStatus {
	return WorkerStatus{
		Announcement: w.ann, Listed: w.listed, InFlight: len(w.jobs),
		FailurePart: int(w.failures), Quarantined: w.quarantine > s.now,
	}
}

func (s *State) emit(e Effect) { s.out = append(s.out, e) }
