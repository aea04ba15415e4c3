package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Explorer shows single batches, and disputes, as the chain has them.
type Explorer interface {
	// BatchPage is one batch, or an error of kind not_found.
	BatchPage(ctx context.Context, worker protocol.Account, nonce uint64) (BatchPage, error)
	// DisputeList are the disputes below a number (0: all), the newest first, limit at most.
	DisputeList(ctx context.Context, below uint64, limit int) ([]DisputeView, error)
	// DisputePage is one dispute, or an error of kind not_found.
	DisputePage(ctx context.Context, id uint64) (DisputePage, error)
}

// BatchPage is a batch with where it stands and what it pays.
type BatchPage struct {
	BatchView
	Status      string       `json:"status"` // chain.BatchStatus
	At          int64        `json:"at"`     // when it was submitted, Unix seconds
	Claimed     uint256.Int  `json:"claimed"`
	Held        bool         `json:"held"`     // its claims rest while an epoch is made of it
	Refunded    bool         `json:"refunded"` // what it drew is back with the requesters
	DocumentCID protocol.CID `json:"document_cid"`

	// Tx and Block are where it was submitted; unset until this coordinator has noted it.
	Tx    *protocol.Hash `json:"tx,omitempty"`
	Block uint64         `json:"block,omitempty"`
	// Read says whether its document was found, from which Receipts and Paid are. Paid adds
	// up to the total.
	Read     bool            `json:"read"`
	Receipts []protocol.Hash `json:"receipts"`
	Paid     []PaidTo        `json:"paid"`

	// Dispute is the latest one about it, 0: none. Disputes is how many there were.
	Dispute  uint64 `json:"dispute"`
	Disputes uint64 `json:"disputes"`
}

// DisputeView is a challenge and where it stands.
type DisputeView struct {
	ID uint64 `json:"id"` // from 1
	// Epoch is the epoch that is judged; 0: a batch, which Worker and Nonce name.
	Epoch      uint32           `json:"epoch"`
	Worker     protocol.Account `json:"worker"`
	Nonce      uint64           `json:"nonce"`
	Document   protocol.Hash    `json:"document"` // SHA2-256, of the batch or epoch
	Challenger protocol.Account `json:"challenger"`
	Bond       uint256.Int      `json:"bond"`
	// Reason is the challenger's; once guilty, the verdict's. ReasonText says it.
	Reason     protocol.DisputeReason `json:"reason"`
	ReasonText string                 `json:"reason_text"`
	Evidence   protocol.Hash          `json:"evidence"` // digest of the challenger's evidence
	Status     string                 `json:"status"`   // chain.DisputeStatus
	Round      int                    `json:"round"`    // from 1
	Rounds     int                    `json:"rounds"`   // at most
	Deadline   int64                  `json:"deadline"` // Unix seconds: of the draw while waiting, of verdicts while voting
	Quorum     int                    `json:"quorum"`   // verdicts of one kind that decide; 0 while waiting
	Guilty     int                    `json:"guilty"`
	Upheld     int                    `json:"upheld"`
}

// DisputePage is a dispute with its committee and what happened in it.
type DisputePage struct {
	DisputeView
	// Seats is the committee of the current round; empty while it waits for a draw.
	Seats []DisputeSeat `json:"seats"`
	Steps []DisputeStep `json:"steps"` // the oldest first
}

// DisputeSeat is a place in the committee.
type DisputeSeat struct {
	Member protocol.Account `json:"member"`
	Vote   string           `json:"vote"` // chain.Vote
}

// DisputeStep is one thing that happened in a dispute. What says which of the fields after
// At are set.
type DisputeStep struct {
	What  string        `json:"what"` // challenged, drawn, verdict, resolved, slashed, jailed
	Block uint64        `json:"block"`
	Tx    protocol.Hash `json:"tx"`
	At    int64         `json:"at"` // Unix seconds
	// Account challenged, gave the verdict, or was slashed or jailed.
	Account *protocol.Account      `json:"account,omitempty"`
	Reason  protocol.DisputeReason `json:"reason,omitempty"`
	// Amount is the challenger's bond, or the stake that was taken; wei.
	Amount  *uint256.Int       `json:"amount,omitempty"`
	Round   int                `json:"round,omitempty"`   // of a draw, from 1
	Members []protocol.Account `json:"members,omitempty"` // that were drawn
	Vote    string             `json:"vote,omitempty"`    // of a verdict: chain.Vote
	Outcome string             `json:"outcome,omitempty"` // chain.DisputeStatus
	Until   int64              `json:"until,omitempty"`   // end of the jail, Unix seconds
}

// maxDisputes bounds a page of disputes: each is read from the chain.
const maxDisputes = 100

// batch serves GET /api/v1/batches/{worker}/{nonce}.
func (s *Server) batch(w http.ResponseWriter, r *http.Request) error {
	worker, err := pathAccount(r, "worker")
	if err != nil {
		return err
	}
	nonce, err := pathUint(r, "nonce", 64)
	if err != nil {
		return err
	}
	v, err := s.cfg.Explorer.BatchPage(r.Context(), worker, nonce)
	if err != nil {
		return err
	}
	v.Receipts, v.Paid = list(v.Receipts), list(v.Paid)
	return writeJSON(w, http.StatusOK, v)
}

// disputes serves GET /api/v1/disputes.
func (s *Server) disputes(w http.ResponseWriter, r *http.Request) error {
	limit, err := pageLimit(r, defaultPage)
	if err != nil {
		return err
	}
	if limit > maxDisputes {
		return protocol.Errorf(protocol.KindInvalid, "limit", "%d is more than a page of disputes has: ask for %d at most", limit, maxDisputes)
	}
	var below uint64
	if c := r.URL.Query().Get("cursor"); c != "" {
		if below, err = strconv.ParseUint(c, 10, 64); err != nil || below == 0 {
			return protocol.Errorf(protocol.KindInvalid, "cursor", "%q is not one that this server gave: begin without", c)
		}
	}
	found, err := s.cfg.Explorer.DisputeList(r.Context(), below, limit)
	if err != nil {
		return err
	}
	next := ""
	if n := len(found); n > 0 && found[n-1].ID > 1 {
		next = strconv.FormatUint(found[n-1].ID, 10)
	}
	return writeJSON(w, http.StatusOK, map[string]any{"disputes": list(found), "next": next})
}

// dispute serves GET /api/v1/disputes/{id}.
func (s *Server) dispute(w http.ResponseWriter, r *http.Request) error {
	id, err := pathUint(r, "id", 64)
	if err != nil {
		return err
	}
	v, err := s.cfg.Explorer.DisputePage(r.Context(), id)
	if err != nil {
		return err
	}
	v.Seats, v.Steps = list(v.Seats), list(v.Steps)
	return writeJSON(w, http.StatusOK, v)
}
