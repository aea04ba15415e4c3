package coordinator

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// UsageOf adds up the accepted receipts of the caller's key, by UTC day and model.
func (c *Coordinator) UsageOf(_ context.Context, by api.Caller, days int) ([]api.UsageRow, error) {
	rows, err := c.book.UsageOf(by.Key, firstDay(days))
	out := make([]api.UsageRow, 0, len(rows))
	for _, r := range rows {
		out = append(out, usageRow(r))
	}
	return out, err
}

// AccountUsage adds up the accepted receipts of all keys that an account ever had, by UTC
// day, key and model. A key that was rotated is one key.
func (c *Coordinator) AccountUsage(ctx context.Context, account protocol.Account, r api.SignedRequest, days int) ([]api.KeyUsageRow, error) {
	keys, err := c.Keys(ctx, account, r)
	if err != nil {
		return nil, err
	}
	var out []api.KeyUsageRow
	for _, k := range keys {
		rows, err := c.book.UsageOf(k.ID, firstDay(days))
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			out = append(out, api.KeyUsageRow{Key: k.ID, Label: k.Label, UsageRow: usageRow(r)})
		}
	}
	slices.SortStableFunc(out, func(a, b api.KeyUsageRow) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), a.Key.Cmp(b.Key), cmp.Compare(a.Model, b.Model))
	})
	return out, nil
}

// firstDay begins so many days up to today.
func firstDay(days int) int64 { return store.DayOf(now()) - int64(days) + 1 }

func usageRow(r store.UsageRow) api.UsageRow {
	return api.UsageRow{Day: time.Unix(r.Day*86_400, 0).UTC().Format(time.DateOnly), Model: r.Model,
		Requests: r.Requests, PromptTokens: r.PromptTokens, OutputTokens: r.OutputTokens, Fee: r.Fee}
}
