package coordinator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/datanet"
	"github.com/openledger/openledger/store/ipfs"
)

// earn adds what an accepted answer earned the contributors of its records to their sums.
// They are for people to look at: what is paid is settled by the batches.
func (c *Coordinator) earn(ctx context.Context, r protocol.Receipt, att protocol.Attribution) error {
	if r.Access.IsZero() {
		return nil
	}
	fees, err := c.chain.FeeParams(ctx)
	if err != nil {
		return err
	}
	shares, err := payout.Contributors(r.Access,
		payout.Params{PlatformBps: fees.PlatformBps, OwnerPart: fees.OwnerPart, StakersPart: fees.StakersPart, ContributorsPart: fees.ContributorsPart}, att)
	if err != nil {
		return err
	}
	list := make([]datanet.Earning, len(shares))
	for i, s := range shares {
		from := r.Datanet // whose records the adapter learned
		if s.Datanet != 0 {
			from = s.Datanet // whose records the answer was given to read
		}
		list[i] = datanet.Earning{Datanet: from, Record: s.Record, Contributor: s.Account, Amount: s.Amount}
	}
	return c.records.Earn(r.ID, list)
}

// countEarnings adds up the receipts that a stop of this coordinator left out, and then
// those that it could not add when they came.
func (c *Coordinator) countEarnings(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		if err := c.missedEarnings(ctx); err != nil && ctx.Err() == nil {
			c.log.Warn("earnings are not up to date", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (c *Coordinator) missedEarnings(ctx context.Context) error {
	list, err := c.book.AcceptedReceipts(0, func(a *store.AcceptedReceipt) bool {
		return !a.Signed.Receipt.Access.IsZero() && !c.records.Counted(a.Signed.Receipt.ID)
	})
	if err != nil {
		return err
	}
	var failed []error // one that cannot be counted does not hold up the others
	for _, a := range list {
		if err := c.countEvidence(ctx, a.Signed.Receipt); err != nil {
			failed = append(failed, fmt.Errorf("receipt %s: %w", a.Signed.Receipt.ID, err))
		}
	}
	return errors.Join(failed...)
}

func (c *Coordinator) countEvidence(ctx context.Context, r protocol.Receipt) error {
	raw, err := c.ipfs.GetBlock(ctx, ipfs.RawCIDOf(r.Evidence), nil)
	if err != nil {
		return err
	}
	e, err := wire.DecodeEvidence(raw)
	if err != nil {
		return err
	}
	return c.earn(ctx, r, e.Attribution)
}
