package scheduler

import "github.com/openledger/openledger/protocol"

// EffectKind says what the caller has to do.
type EffectKind uint8

// Kinds of effect.
const (
	// Dispatch: send Job to Worker. Attempt counts from 1; Resume output tokens
	// were delivered before and must not be sent again.
	Dispatch EffectKind = iota + 1
	// Prefetch: ask Worker to load Adapter, which it will probably need. Job is one
	// that uses the adapter.
	Prefetch
	// Retry: Job lost Worker (Err, Reason) and waits for another one. Attempt is
	// the attempt that failed.
	Retry
	// Refuse: Job is over, with Err and Reason. Sent once.
	Refuse
	// Release: Worker must stop working on Job (cancelled, or too late).
	Release
)

func (k EffectKind) String() string {
	switch k {
	case Dispatch:
		return "dispatch"
	case Prefetch:
		return "prefetch"
	case Retry:
		return "retry"
	case Refuse:
		return "refuse"
	case Release:
		return "release"
	}
	return "unknown"
}

// Effect is one thing to do, in the order given. Fields that the kind does not
// name are zero.
type Effect struct {
	Kind    EffectKind
	Job     protocol.Hash
	Worker  protocol.PeerID
	Adapter uint64 // Prefetch, Dispatch
	Attempt int    // Dispatch, Retry
	Resume  int    // Dispatch, Retry: output tokens already delivered
	Err     protocol.Kind
	Reason  string
}

// WhyNot explains one worker's standing for one job. Score is the estimated cost
// in microseconds (lower is better) and meaningful where Eligible.
type WhyNot struct {
	Worker   protocol.PeerID `json:"worker"`
	Chosen   bool            `json:"chosen"`
	Eligible bool            `json:"eligible"`
	Reason   string          `json:"reason"`
	Score    int64           `json:"score_us"`
	// FirstToken is the estimated time to the first token, in us; 0 where there is no estimate.
	FirstToken int64 `json:"first_token_us,omitempty"`
}
