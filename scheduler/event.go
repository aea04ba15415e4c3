package scheduler

import (
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Event is what happened. Each carries At, in Unix ms; an At before the newest
// one seen is taken as the newest.
type Event interface{ at() int64 }

// Announce is a verified announcement of a worker. A sequence that is not newer
// than the last one seen is ignored.
type Announce struct {
	At           int64
	Announcement protocol.Announcement
}

// Expire takes a worker off the list before its announcement expires. Streams
// that it still serves go on until their own deadlines.
type Expire struct {
	At     int64
	Worker protocol.PeerID
}

// Observe tells what the coordinator knows about a worker beyond its own claims.
type Observe struct {
	At     int64
	Worker protocol.PeerID
	RTT    int64  // measured round trip, ms
	Stake  uint64 // whole OPEN staked on the worker
}

// Submit is a new job. While a job of this ID is alive another one is ignored.
type Submit struct {
	At           int64
	Job          protocol.Hash
	Tenant       protocol.Account // the requester; fairness is between tenants
	Base         protocol.Hash
	Adapter      uint64 // protocol.AdapterTag of its digest; 0: bare base
	PromptTokens int    // what the prompt has, or a bound from above
	PromptLeast  int    // a bound from below, where PromptTokens is one from above; 0: it is none
	MaxTokens    int
	Deadline     int64       // Unix ms; 0: Config.JobTimeoutMS from At
	Budget       uint256.Int // escrow that is free for this job at any worker
	Credits      []Credit    // escrow that is reserved for single workers, on top of Budget
	EstimatedFee uint256.Int // the quote; over Budget, the job is refused
	Access       uint256.Int // what the adapter's and the agent's owners ask, part of every worker's fee
	Profile      string      // numeric profile required; empty: any
	Training     bool        // a training job: needs a worker that trains
}

// Credit is what a requester reserved for one worker and has not promised it yet.
type Credit struct {
	Worker protocol.Account // as in its announcement
	Amount uint256.Int      // wei
}

// budgetAt is what the job may cost at a worker; saturated at 2^256-1.
func (e *Submit) budgetAt(worker protocol.Account) uint256.Int {
	for _, c := range e.Credits {
		if c.Worker == worker {
			return plus(e.Budget, c.Amount)
		}
	}
	return e.Budget
}

// most is the largest budget at any worker.
func (e *Submit) most() uint256.Int {
	out := e.Budget
	for _, c := range e.Credits {
		if b := plus(e.Budget, c.Amount); b.Gt(&out) {
			out = b
		}
	}
	return out
}

func plus(a, b uint256.Int) uint256.Int {
	if _, over := a.AddOverflow(&a, &b); over {
		a.SetAllOne()
	}
	return a
}

// Token says that Count more output tokens were delivered to the requester. For
// a training job it is a sign of life, with Count 0.
type Token struct {
	At     int64
	Job    protocol.Hash
	Worker protocol.PeerID // who sent them; empty: whoever has the job
	Count  int
}

// Done ends a job well.
type Done struct {
	At     int64
	Job    protocol.Hash
	Worker protocol.PeerID // empty: whoever has the job
}

// Fail says that a worker gave a job up. A retriable failure goes to another
// worker; KindBusy does not count against the worker's reputation.
type Fail struct {
	At        int64
	Job       protocol.Hash
	Worker    protocol.PeerID // empty: whoever has the job
	Kind      protocol.Kind
	Reason    string
	Retriable bool
}

// Cancel ends a job on the requester's behalf.
type Cancel struct {
	At  int64
	Job protocol.Hash
}

// WorkerGone says that a worker is unreachable: its jobs go elsewhere.
type WorkerGone struct {
	At     int64
	Worker protocol.PeerID
}

// Tick lets deadlines pass.
type Tick struct{ At int64 }

func (e Announce) at() int64   { return e.At }
func (e Expire) at() int64     { return e.At }
func (e Observe) at() int64    { return e.At }
func (e Submit) at() int64     { return e.At }
func (e Token) at() int64      { return e.At }
func (e Done) at() int64       { return e.At }
func (e Fail) at() int64       { return e.At }
func (e Cancel) at() int64     { return e.At }
func (e WorkerGone) at() int64 { return e.At }
func (e Tick) at() int64       { return e.At }
