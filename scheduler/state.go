package scheduler

import "github.com/openledger/openledger/protocol"

// State is everything the scheduler knows. Make it with New, change it with Step.
type State struct {
	cfg Config
	now int64
	out []Effect
}

// New makes an empty State. It fills defaults; a Config that does not validate is
// an error.
func New(cfg Config) (*State, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &State{cfg: cfg}, nil
}

// Step applies one event and says what to do. The slice is valid until the next
// Step.
func Step(s *State, ev Event) []Effect {
	s.now = max(s.now, ev.at())
	s.out = s.out[:0]
	return s.out
}

// Explain says for every worker of the job's base why it has or has not got the
// job, ordered by worker. It is nil for an unknown or finished job.
func Explain(s *State, job protocol.Hash) []WhyNot { return nil }

// Hash is a digest of the whole state.
func (s *State) Hash() protocol.Hash { return protocol.Hash{} }

// NextDeadline is when a Tick is due next, 0 when nothing waits.
func (s *State) NextDeadline() int64 { return 0 }

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
func (s *State) Stats() Stats { return Stats{} }

// JobStatus is where a job stands.
type JobStatus struct {
	Worker  protocol.PeerID `json:"worker,omitempty"` // empty: waiting
	Attempt int             `json:"attempt"`
	Tokens  int             `json:"tokens"` // output tokens delivered so far
}

// Job tells where a job stands; false once it is over.
func (s *State) Job(id protocol.Hash) (JobStatus, bool) { return JobStatus{}, false }

// WorkerStatus is what the scheduler thinks of a worker.
type WorkerStatus struct {
	Announcement protocol.Announcement `json:"announcement"`
	Listed       bool                  `json:"listed"` // announcement is valid
	InFlight     int                   `json:"in_flight"`
	FailurePart  int                   `json:"failure_permille"` // recent failures
	Quarantined  bool                  `json:"quarantined"`
}

// Worker gives one worker, with the announcement (and so the price) in force.
func (s *State) Worker(id protocol.PeerID) (WorkerStatus, bool) { return WorkerStatus{}, false }

// Workers gives every listed worker, ordered by id.
func (s *State) Workers() []WorkerStatus { return nil }
