package api

import (
	"context"
	"net/http"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Explainer says whose records an answer rests on, and runs answers again.
type Explainer interface {
	Explain(ctx context.Context, receipt protocol.Hash) (Explanation, error)
	// Verify runs an answer and its attribution again and compares every bit. An error
	// means that it could not be done; what differs is in the report.
	Verify(ctx context.Context, receipt protocol.Hash) (Verification, error)
}

// Explanation is an answer's attribution as people read it.
type Explanation struct {
	Receipt   protocol.Hash `json:"receipt"`
	Algorithm string        `json:"algorithm"`
	Datanet   uint64        `json:"datanet"` // that the adapter learned, whose records are meant; 0: none
	// Parts are the answer's text, cut where the records that repeat it change.
	Parts   []AnswerPart   `json:"parts"`
	Records []RecordBehind `json:"records"` // by descending weight
	Pool    uint64         `json:"pool"`    // of protocol.WeightScale
	// Read are the records that the answer was given to read, numbered as it cites them.
	Read []Citation `json:"read"`
	// Payments are the shares of the fee, as protocol/payout splits it.
	Payments []Payment `json:"payments"`
	// Batch is the one that pays them. Without one they follow from the parties and rules
	// of now, and the batch will take those of its own block.
	Batch *BatchName `json:"batch,omitempty"`
}

// AnswerPart is a stretch of an answer.
type AnswerPart struct {
	Text    string          `json:"text"`
	Records []protocol.Hash `json:"records"` // that have it word for word
}

// RecordBehind is one record's part in an answer.
type RecordBehind struct {
	Record      protocol.Hash     `json:"record"`
	Contributor protocol.Account  `json:"contributor"`
	Weight      uint64            `json:"weight"`   // of protocol.WeightScale
	Repeated    int               `json:"repeated"` // tokens of the answer
	Title       string            `json:"title,omitempty"`
	Fields      map[string]string `json:"fields,omitempty"` // of a text, each cut to MaxShownField bytes
	// Missing says why the record's content is not shown.
	Missing string `json:"missing,omitempty"`
}

// MaxShownField bounds how much of a record's field an explanation shows, in bytes.
const MaxShownField = 4 << 10

// Payment is what one party has of a fee.
type Payment struct {
	Account protocol.Account `json:"account"`
	Role    string           `json:"role"` // payout.Role
	Amount  uint256.Int      `json:"amount"`
	Record  *protocol.Hash   `json:"record,omitempty"`  // of a contributor
	Datanet uint64           `json:"datanet,omitempty"` // that was read, if this is a part of its price
}

// BatchName names a settled batch.
type BatchName struct {
	Worker protocol.Account `json:"worker"`
	Nonce  uint64           `json:"nonce"`
}

// Verification is what running an answer again came to.
type Verification struct {
	Receipt protocol.Hash      `json:"receipt"`
	OK      bool               `json:"ok"` // every step is
	Steps   []VerificationStep `json:"steps"`
	// Unchecked is what could not be checked, and why: nobody has an agent's manifest.
	Unchecked string `json:"unchecked,omitempty"`
	TookMS    int64  `json:"took_ms"`
}

// VerificationStep is one thing that was checked.
type VerificationStep struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

func (s *Server) explain(w http.ResponseWriter, r *http.Request) error {
	id, err := pathHash(r, "id")
	if err != nil {
		return err
	}
	e, err := s.cfg.Explainer.Explain(r.Context(), id)
	if err != nil {
		return err
	}
	e.Parts, e.Records, e.Payments = list(e.Parts), list(e.Records), list(e.Payments)
	e.Read = list(e.Read)
	for i := range e.Parts {
		e.Parts[i].Records = list(e.Parts[i].Records)
	}
	return writeJSON(w, http.StatusOK, e)
}

func (s *Server) verifyReceipt(w http.ResponseWriter, r *http.Request) error {
	id, err := pathHash(r, "id")
	if err != nil {
		return err
	}
	v, err := s.cfg.Explainer.Verify(r.Context(), id)
	if err != nil {
		return err
	}
	v.Steps = list(v.Steps)
	return writeJSON(w, http.StatusOK, v)
}
