package api

import (
	"context"
	"net/http"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Statistics says what the network has done and what runs now.
type Statistics interface {
	Stats(ctx context.Context) (Stats, error)
}

// Stats are sums that are kept, not added up for each request.
type Stats struct {
	At    int64    `json:"at"`    // Unix ms
	Total Activity `json:"total"` // since the first block
	Day   Activity `json:"day"`   // of the last 24 hours, from the beginning of the first of them
	Since int64    `json:"since"` // Unix ms, where Day begins

	Workers  int `json:"workers"`  // that have announced themselves
	Running  int `json:"running"`  // answers under way
	Adapters int `json:"adapters"` // that are served here
	Agents   int `json:"agents"`   // that can be asked here
	Datanets int `json:"datanets"`
	Records  int `json:"records"`  // in the newest versions of all datanets
	Training int `json:"training"` // fine-tunes under way
}

// Activity is what answers and batches of some time add up to. Amounts are wei.
type Activity struct {
	// Of the answers that this coordinator accepted.
	Requests     uint64      `json:"requests"`
	PromptTokens uint64      `json:"prompt_tokens"`
	OutputTokens uint64      `json:"output_tokens"`
	Compute      uint256.Int `json:"compute"`
	Access       uint256.Int `json:"access"`
	Markup       uint256.Int `json:"markup"`
	// Of the batches of all workers on the chain, without those that a dispute rejected.
	Batches  uint64      `json:"batches"`
	Receipts uint64      `json:"receipts"`
	Settled  uint256.Int `json:"settled"`
	// Paid is what of Settled went to whom; batches whose documents nobody has now are
	// not in it.
	Paid []PaidTo `json:"paid"`
}

// PaidTo is what the accounts in a role got, wei.
type PaidTo struct {
	Role   string      `json:"role"` // payout.Role
	Amount uint256.Int `json:"amount"`
}

// stats serves GET /api/v1/stats.
func (s *Server) stats(w http.ResponseWriter, r *http.Request) error {
	v, err := s.cfg.Statistics.Stats(r.Context())
	if err != nil {
		return err
	}
	v.Total.Paid, v.Day.Paid = list(v.Total.Paid), list(v.Day.Paid)
	return writeJSON(w, http.StatusOK, v)
}

// Event is something that just happened. Of the fields after At one is set, the one that
// Type names; of a reset, none.
type Event struct {
	Type EventType `json:"type"`
	At   int64     `json:"at"` // Unix ms

	Receipt  *ReceiptEvent  `json:"receipt,omitempty"`
	Worker   *WorkerEvent   `json:"worker,omitempty"`
	Training *TrainingEvent `json:"training,omitempty"`
	Batch    *BatchEvent    `json:"batch,omitempty"`
}

// EventType says what happened.
type EventType string

// What happens.
const (
	EventReceipt  EventType = "receipt"  // an answer was accepted
	EventWorker   EventType = "worker"   // a worker joined or left
	EventTraining EventType = "training" // a fine-tune was ordered, began or ended
	EventBatch    EventType = "batch"    // a batch was settled
	// EventReset begins a stream that could not go on from where a client was: what it
	// shows may be out of date.
	EventReset EventType = "reset"
)

// ReceiptEvent is an accepted answer, without what was asked and answered.
type ReceiptEvent struct {
	ID           protocol.Hash    `json:"id"`
	Worker       protocol.Account `json:"worker"`
	Adapter      protocol.Hash    `json:"adapter"`
	Datanet      uint64           `json:"datanet"`
	PromptTokens int              `json:"prompt_tokens"`
	OutputTokens int              `json:"output_tokens"`
	Fee          uint256.Int      `json:"fee"` // wei
}

// WorkerEvent is a worker that came or went.
type WorkerEvent struct {
	Peer   protocol.PeerID  `json:"peer"`
	Worker protocol.Account `json:"worker"`
	State  string           `json:"state"` // "joined" or "left"
}

// TrainingEvent is a fine-tune in a new state.
type TrainingEvent struct {
	ID    protocol.Hash `json:"id"`
	Name  string        `json:"name"`
	State string        `json:"state"` // TrainingStatus.State
}

// BatchEvent is a batch on the chain.
type BatchEvent struct {
	Worker   protocol.Account `json:"worker"`
	Nonce    uint64           `json:"nonce"`
	Total    uint256.Int      `json:"total"` // wei
	Document protocol.Hash    `json:"document"`
	Tx       protocol.Hash    `json:"tx"`
}
