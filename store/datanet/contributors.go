package datanet

import (
	"context"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// DefaultPerDay is how many records one account may contribute to one datanet in a day
// (UTC) where its owner has set nothing else.
const DefaultPerDay = 10_000

// Settings are what an owner may set for a datanet on this node.
type Settings struct {
	PerDay uint32 `json:"per_day"` // records of one contributor in a day (UTC)
	At     int64  `json:"at"`      // set, Unix ms; the newest counts
}

// Contributor is what an account has given to a datanet, as this node knows it.
type Contributor struct {
	Account  protocol.Account `json:"account"`
	Pending  uint64           `json:"pending"`
	Accepted uint64           `json:"accepted"`
	Rejected uint64           `json:"rejected"`
	Earned   uint256.Int      `json:"earned"` // wei, by the receipts that this node accepted
}

type tally struct {
	Pending  uint64 `json:"pending"`
	Accepted uint64 `json:"accepted"`
	Rejected uint64 `json:"rejected"`
}

var (
	settingsTable = store.NewTable(123, "settings of datanets", store.Uint64Key(), store.JSON[Settings]())
	dailyTable    = store.NewTable(124, "contributions by day", store.PairKey(store.Uint64Key(), store.PairKey(store.AccountKey(), store.Uint64Key())), store.JSON[uint32]())
	tallyTable    = store.NewTable(125, "contributors", store.PairKey(store.Uint64Key(), store.AccountKey()), store.JSON[tally]())
	earnedTable   = store.NewTable(126, "earnings of contributors", store.PairKey(store.Uint64Key(), store.AccountKey()), store.JSON[uint256.Int]())
	recordEarned  = store.NewTable(127, "earnings of records", store.HashKey(), store.JSON[uint256.Int]())
	countedTable  = store.NewTable(128, "receipts in earnings", store.HashKey(), store.Marks())
)

// Settings gives what the owner of a datanet set, or the defaults.
func (b *Book) Settings(datanet uint64) (Settings, error) { return settingsIn(b.cfg.DB, datanet) }

func settingsIn(r store.Reader, datanet uint64) (Settings, error) {
	s, ok, err := settingsTable.Get(r, datanet)
	if !ok {
		s.PerDay = DefaultPerDay
	}
	return s, err
}

// Set changes the settings of a datanet; the caller has checked that its owner asked.
func (b *Book) Set(datanet uint64, s Settings) error {
	if s.PerDay == 0 || s.PerDay > MaxRecords {
		return protocol.Errorf(protocol.KindInvalid, "per_day", "is %d, 1 to %d are possible", s.PerDay, MaxRecords)
	}
	return b.cfg.DB.Update(func(tx *store.Tx) error {
		old, err := settingsIn(tx, datanet)
		if err != nil {
			return err
		}
		if s.At <= old.At {
			return protocol.Errorf(protocol.KindStale, "at", "%d is not after the settings of %d that count now", s.At, old.At)
		}
		return settingsTable.Put(tx, datanet, s)
	})
}

// countNew counts a contribution, within its contributor's share of the day. One that it
// replaces was rejected, and stays counted with who gave it.
func countNew(tx *store.Tx, c protocol.Contribution, now int64) error {
	day := store.PairOf(c.Datanet, store.PairOf(c.Contributor, uint64(now/dayMillis)))
	n, _, err := dailyTable.Get(tx, day)
	if err != nil {
		return err
	}
	s, err := settingsIn(tx, c.Datanet)
	if err != nil {
		return err
	}
	if n >= s.PerDay {
		return protocol.Errorf(protocol.KindBusy, "contributor", "%s has contributed %d records to datanet %d today (UTC), which is its limit: go on tomorrow, or ask the owner for more", c.Contributor.Hex(), n, c.Datanet)
	}
	if err := dailyTable.Put(tx, day, n+1); err != nil {
		return err
	}
	return changeTally(tx, c.Datanet, c.Contributor, func(t *tally) { t.Pending++ })
}

func changeTally(tx *store.Tx, datanet uint64, account protocol.Account, change func(*tally)) error {
	t, _, err := tallyTable.Get(tx, store.PairOf(datanet, account))
	if err != nil {
		return err
	}
	change(&t)
	return tallyTable.Put(tx, store.PairOf(datanet, account), t)
}

func (t *tally) of(s protocol.ReviewStatus) *uint64 {
	switch {
	case s == protocol.ReviewAccepted:
		return &t.Accepted
	case s.Refused():
		return &t.Rejected
	}
	return &t.Pending
}

// countReview moves a contribution from its status to another.
func countReview(tx *store.Tx, e *Entry, to protocol.ReviewStatus) error {
	c := e.Signed.Contribution
	return changeTally(tx, c.Datanet, c.Contributor, func(t *tally) {
		if from := t.of(e.Status); *from > 0 { // 0: counted before there was a count
			*from--
		}
		*t.of(to)++
	})
}

// Contributors lists who gave something to a datanet, by account.
func (b *Book) Contributors(datanet uint64) ([]Contributor, error) {
	if _, err := b.Datanet(datanet); err != nil {
		return nil, err
	}
	out := []Contributor{}
	err := store.ScanFirst(b.cfg.DB, tallyTable, store.Uint64Key(), datanet, func(a protocol.Account, t tally) error {
		earned, _, err := earnedTable.Get(b.cfg.DB, store.PairOf(datanet, a))
		out = append(out, Contributor{Account: a, Pending: t.Pending, Accepted: t.Accepted, Rejected: t.Rejected, Earned: earned})
		return err
	})
	return out, err
}

// Earning is what a record of a datanet earned its contributor.
type Earning struct {
	Datanet     uint64
	Record      protocol.Hash
	Contributor protocol.Account
	Amount      uint256.Int // wei
}

// Earn adds what the answer behind a receipt earned. The same receipt again adds nothing.
func (b *Book) Earn(receipt protocol.Hash, list []Earning) error {
	return b.cfg.DB.Update(func(tx *store.Tx) error {
		again, err := countedTable.Has(tx, receipt)
		if err != nil || again {
			return err
		}
		for _, e := range list {
			key := store.PairOf(e.Datanet, e.Contributor)
			sum, _, err := earnedTable.Get(tx, key)
			if err != nil {
				return err
			}
			sum.Add(&sum, &e.Amount)
			if err := earnedTable.Put(tx, key, sum); err != nil {
				return err
			}
			if sum, _, err = recordEarned.Get(tx, e.Record); err != nil {
				return err
			}
			sum.Add(&sum, &e.Amount)
			if err := recordEarned.Put(tx, e.Record, sum); err != nil {
				return err
			}
		}
		return countedTable.Put(tx, receipt, store.Mark{})
	})
}

// Counted says whether a receipt is in the earnings. If that cannot be found out, it is not.
func (b *Book) Counted(receipt protocol.Hash) bool {
	ok, err := countedTable.Has(b.cfg.DB, receipt)
	return ok && err == nil
}

// RecordEarned is what a record earned, wei.
func (b *Book) RecordEarned(record protocol.Hash) (uint256.Int, error) {
	sum, _, err := recordEarned.Get(b.cfg.DB, record)
	return sum, err
}

// sweepRejected lets go of the files of media records that were rejected before a time.
func (b *Book) sweepRejected(ctx context.Context, before int64) error {
	var old []Entry
	err := holderTable.Scan(b.cfg.DB, func(k holderKey, _ store.Mark) error {
		datanet, record, ok := parseRecordHolder(k.B)
		if !ok {
			return nil
		}
		e, err := b.Entry(datanet, record)
		if err != nil {
			return err
		}
		if e.Status.Refused() && e.Review.Review.At < before {
			old = append(old, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range old {
		c := e.Signed.Contribution
		err := b.media.release(ctx, recordHolder(c.Datanet, c.Record), []protocol.CID{e.Media.Content}, func(tx *store.Tx) error {
			now, err := entryIn(tx, c.Datanet, c.Record)
			if err != nil {
				return err
			}
			if !now.Status.Refused() || now.Signed.Contribution != c {
				return protocol.Errorf(protocol.KindBusy, "record", "was reviewed or contributed again meanwhile")
			}
			now.MediaGone = true
			return entryTable.Put(tx, store.PairOf(c.Datanet, c.Record), now)
		})
		if err != nil && protocol.KindOf(err) != protocol.KindBusy {
			return err
		}
	}
	return nil
}
