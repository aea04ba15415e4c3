package coordinator

import (
	"context"
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
	if r.Access.IsZero() || len(att.Shares) == 0 {
		return nil
	}
	fees, err := c.chain.FeeParams(ctx)
	if err != nil {
		return err
	}
	// Parties other than contributors do not change what a record earns.
	shares, err := payout.Split(protocol.Fee{Access: r.Access},
		payout.Params{PlatformBps: fees.PlatformBps, OwnerPart: fees.OwnerPart, StakersPart: fees.StakersPart, ContributorsPart: fees.ContributorsPart},
		payout.Parties{Treasury: fees.Treasury, WorkerPayout: r.Worker, ModelOwner: r.Worker, Pool: fees.Treasury}, att)
	if err != nil {
		return err
	}
	var list []datanet.Earning
	for _, s := range shares {
		if s.Role == payout.RoleContributor {
			list = append(list, datanet.Earning{Datanet: r.Datanet, Record: s.Record, Contributor: s.Account, Amount: s.Amount})
		}
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
	for _, a := range list {
		r := a.Signed.Receipt
		raw, err := c.ipfs.GetBlock(ctx, ipfs.RawCIDOf(r.Evidence), nil)
		if err != nil {
			return err
		}
		e, err := wire.DecodeEvidence(raw)
		if err != nil {
			return err
		}
		if err := c.earn(ctx, r, e.Attribution); err != nil {
			return err
		}
	}
	return nil
}
