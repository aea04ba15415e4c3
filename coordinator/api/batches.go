package api

import (
	"context"
	"encoding/base64"
	"net/http"

	"github.com/openledger/openledger/protocol"
)

// ContributionItem is a contribution of a batch.
type ContributionItem struct {
	protocol.SignedContribution
	Bytes string `json:"bytes,omitempty"` // canonical, base64; empty: the upload has them
}

// ContributionBatch offers many records. Either each contribution has its signature (alone
// or with the proof of a batch), or Signature is that of a batch of exactly these
// contributions in this order.
type ContributionBatch struct {
	Upload        string             `json:"upload,omitempty"` // that has the records
	Signature     []byte             `json:"signature,omitempty"`
	Contributions []ContributionItem `json:"contributions"`
}

// ReviewBatch brings many decisions, signed as contributions are.
type ReviewBatch struct {
	Signature []byte                  `json:"signature,omitempty"`
	Reviews   []protocol.SignedReview `json:"reviews"`
}

// BatchResult is how one statement of a batch fared.
type BatchResult struct {
	Record       protocol.Hash       `json:"record"`
	Contribution *ContributionStatus `json:"contribution,omitempty"`
	Error        *apiError           `json:"error,omitempty"`
}

// Refusal is why a statement was not taken; empty: it was.
func (r *BatchResult) Refusal() string {
	if r.Error == nil {
		return ""
	}
	return r.Error.Message
}

// Outcome is how a coordinator took one statement of a batch.
type Outcome struct {
	Record protocol.Hash
	Status ContributionStatus
	Err    error
}

// Batches takes many statements at once. Each one counts or does not by itself, and the
// same again changes nothing; an error is about the batch as a whole, of which nothing
// was taken then.
type Batches interface {
	ContributeBatch(ctx context.Context, datanet uint64, b ContributionBatch, records [][]byte) ([]Outcome, error)
	ReviewBatch(ctx context.Context, datanet uint64, b ReviewBatch) ([]Outcome, error)
}

// MaxBatch is how many statements one request brings.
const MaxBatch = 2000

// batchBody bounds a request with a batch.
const batchBody = 64 << 20

func (s *Server) contributeBatch(w http.ResponseWriter, r *http.Request) error {
	id, err := pathUint(r, "id", 64)
	if err != nil {
		return err
	}
	var in ContributionBatch
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if err := checkBatch("contributions", len(in.Contributions)); err != nil {
		return err
	}
	records := make([][]byte, len(in.Contributions))
	for i, c := range in.Contributions {
		if c.Contribution.Datanet != id {
			return protocol.Errorf(protocol.KindInvalid, "contributions", "number %d is for datanet %d, the address says %d", i, c.Contribution.Datanet, id)
		}
		if records[i], err = base64.StdEncoding.DecodeString(c.Bytes); err != nil {
			return protocol.Errorf(protocol.KindInvalid, "contributions", "bytes of number %d are not base64: %w", i, err)
		}
	}
	out, err := s.cfg.Batches.ContributeBatch(r.Context(), id, in, records)
	if err != nil {
		return err
	}
	return writeOutcomes(w, out)
}

func (s *Server) reviewBatch(w http.ResponseWriter, r *http.Request) error {
	id, err := pathUint(r, "id", 64)
	if err != nil {
		return err
	}
	var in ReviewBatch
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if err := checkBatch("reviews", len(in.Reviews)); err != nil {
		return err
	}
	for i, v := range in.Reviews {
		if v.Review.Datanet != id {
			return protocol.Errorf(protocol.KindInvalid, "reviews", "number %d is for datanet %d, the address says %d", i, v.Review.Datanet, id)
		}
	}
	out, err := s.cfg.Batches.ReviewBatch(r.Context(), id, in)
	if err != nil {
		return err
	}
	return writeOutcomes(w, out)
}

func checkBatch(field string, n int) error {
	if n == 0 || n > MaxBatch {
		return protocol.Errorf(protocol.KindInvalid, field, "are %d, a request brings 1 to %d", n, MaxBatch)
	}
	return nil
}

func writeOutcomes(w http.ResponseWriter, list []Outcome) error {
	results := make([]BatchResult, len(list))
	failed := 0
	for i, o := range list {
		results[i].Record = o.Record
		if o.Err != nil {
			_, body := errorBody(o.Err)
			results[i].Error = &body
			failed++
			continue
		}
		results[i].Contribution = &list[i].Status
	}
	return writeJSON(w, http.StatusOK, map[string]any{"results": results, "failed": failed})
}
