package coordinator

import (
	"context"
	"time"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/store"
)

// UsageOf adds up the accepted receipts of the caller's key, by UTC day and model.
func (c *Coordinator) UsageOf(_ context.Context, by api.Caller, days int) ([]api.UsageRow, error) {
	rows, err := c.book.UsageOf(by.Key, store.DayOf(now())-int64(days)+1)
	out := make([]api.UsageRow, 0, len(rows))
	for _, r := range rows {
		out = append(out, api.UsageRow{Day: time.Unix(r.Day*86_400, 0).UTC().Format(time.DateOnly), Model: r.Model,
			Requests: r.Requests, PromptTokens: r.PromptTokens, OutputTokens: r.OutputTokens, Fee: r.Fee})
	}
	return out, err
}
