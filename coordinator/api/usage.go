package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Usage says what API keys were used for.
type Usage interface {
	// UsageOf adds up the accepted receipts of the caller's key, by UTC day and model, for
	// so many days up to today.
	UsageOf(ctx context.Context, by Caller, days int) ([]UsageRow, error)
}

// UsageRow is what a key's accepted receipts of one day and model add up to.
type UsageRow struct {
	Day          string      `json:"day"` // UTC, like 2026-11-21
	Model        string      `json:"model"`
	Requests     uint64      `json:"requests"`
	PromptTokens uint64      `json:"prompt_tokens"`
	OutputTokens uint64      `json:"output_tokens"`
	Fee          uint256.Int `json:"fee"` // wei
}

const (
	defaultUsageDays = 30
	maxUsageDays     = 366
)

// usageOf serves GET /api/v1/usage.
func (s *Server) usageOf(w http.ResponseWriter, r *http.Request, by Caller) error {
	days := defaultUsageDays
	if q := r.URL.Query().Get("days"); q != "" {
		n, err := strconv.Atoi(q)
		if err != nil || n < 1 || n > maxUsageDays {
			return protocol.Errorf(protocol.KindInvalid, "days", "it must be a whole number from 1 to %d", maxUsageDays)
		}
		days = n
	}
	rows, err := s.cfg.Usage.UsageOf(r.Context(), by, days)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		Key   protocol.Hash `json:"key"`
		Usage []UsageRow    `json:"usage"`
	}{by.Key, list(rows)})
}
