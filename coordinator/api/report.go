package api

import (
	"context"
	"net/http"

	"github.com/openledger/openledger/protocol"
)

// Reports are the evaluations of adapters.
type Reports interface {
	// TrainingReport gives the CID of the adapter that a name means, and its evaluation.
	TrainingReport(ctx context.Context, model string) (protocol.CID, protocol.TrainingReport, error)
}

// AdapterReport is an adapter's evaluation.
type AdapterReport struct {
	Adapter protocol.CID `json:"adapter"`
	protocol.TrainingReport
}

// report serves GET /api/v1/adapters/{id}/evaluation.
func (s *Server) report(w http.ResponseWriter, r *http.Request) error {
	cid, report, err := s.cfg.Reports.TrainingReport(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	report.Curve, report.Answers = list(report.Curve), list(report.Answers)
	return writeJSON(w, http.StatusOK, AdapterReport{Adapter: cid, TrainingReport: report})
}
