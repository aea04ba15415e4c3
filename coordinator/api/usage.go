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
	// AccountUsage is that of all keys of an account, also of those that ended. The account
	// signs what lists its keys.
	AccountUsage(ctx context.Context, account protocol.Account, r SignedRequest, days int) ([]KeyUsageRow, error)
}

// KeyUsageRow is a row of one of an account's keys.
type KeyUsageRow struct {
	Key   protocol.Hash `json:"key"` // its id
	Label string        `json:"label"`
	UsageRow
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

// accountUsage serves POST /api/v1/keys/usage.
func (s *Server) accountUsage(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Account protocol.Account `json:"account"`
		Days    *int             `json:"days"`
		SignedRequest
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	days := defaultUsageDays
	if in.Days != nil {
		days = *in.Days
	}
	if days < 1 || days > maxUsageDays {
		return protocol.Errorf(protocol.KindInvalid, "days", "it must be a whole number from 1 to %d", maxUsageDays)
	}
	rows, err := s.cfg.Usage.AccountUsage(r.Context(), in.Account, in.SignedRequest, days)
	if err != nil {
		return err
	}
	var total uint256.Int
	for i := range rows {
		total.Add(&total, &rows[i].Fee)
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, struct {
		Usage []KeyUsageRow `json:"usage"`
		Fee   uint256.Int   `json:"fee"`
	}{list(rows), total})
}

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
