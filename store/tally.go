package store

import (
	"slices"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Tally is what accepted answers add up to. Amounts are wei.
type Tally struct {
	Requests     uint64      `json:"requests"`
	PromptTokens uint64      `json:"prompt_tokens"`
	OutputTokens uint64      `json:"output_tokens"`
	Compute      uint256.Int `json:"compute"`
	Access       uint256.Int `json:"access"`
	Markup       uint256.Int `json:"markup"`
}

// SettledBatch is a batch on the chain, with whom it pays.
type SettledBatch struct {
	Worker   protocol.Account `json:"worker"`
	Nonce    uint64           `json:"nonce"`
	Document protocol.Hash    `json:"document"`
	Tx       protocol.Hash    `json:"tx"`
	Block    uint64           `json:"block"`
	At       int64            `json:"at"` // Unix seconds
	Total    uint256.Int      `json:"total"`
	Rejected bool             `json:"rejected,omitempty"` // by a dispute: it pays nobody
	// Receipts and Paid are nil until the batch's document could be read. Paid is by role
	// (payout.Role) and adds up to Total.
	Receipts []protocol.Hash `json:"receipts,omitempty"`
	Paid     []Paid          `json:"paid"`
}

// Paid is what a role got, wei.
type Paid struct {
	Role   string      `json:"role"`
	Amount uint256.Int `json:"amount"`
}

// Settled is what settled batches that pay add up to. Amounts are wei.
type Settled struct {
	Batches  uint64      `json:"batches"`
	Receipts uint64      `json:"receipts"`
	Amount   uint256.Int `json:"amount"`
	// Paid is by role. It adds up to Amount, less the totals of batches whose documents
	// could not be read.
	Paid []Paid `json:"paid"`
}

// Sums are all answers and batches, and those of the newest hours.
type Sums struct {
	Answers, Recent                Tally
	Settlements, RecentSettlements Settled
}

const (
	hourMillis  = 3_600_000
	hourSeconds = 3_600
	// everything stands for the hour of the sums over all hours.
	everything = int64(-1)
)

// plus adds one accepted receipt.
func (t *Tally) plus(r *protocol.Receipt) error {
	t.Requests++
	t.PromptTokens += uint64(r.PromptTokens)
	t.OutputTokens += uint64(r.OutputTokens)
	for _, f := range []struct{ sum, of *uint256.Int }{{&t.Compute, &r.Compute}, {&t.Access, &r.Access}, {&t.Markup, &r.Markup}} {
		if _, over := f.sum.AddOverflow(f.sum, f.of); over {
			return errOverflow()
		}
	}
	return nil
}

func (t *Tally) add(o *Tally) {
	t.Requests += o.Requests
	t.PromptTokens += o.PromptTokens
	t.OutputTokens += o.OutputTokens
	t.Compute.Add(&t.Compute, &o.Compute) // a part of a sum that was checked
	t.Access.Add(&t.Access, &o.Access)
	t.Markup.Add(&t.Markup, &o.Markup)
}

// tallyReceipt adds an accepted receipt to the sums of all answers and of its hour. The
// first time, receipts that are there already are added up, all of them.
func tallyReceipt(tx *Tx, r *protocol.Receipt, at int64) error {
	if err := beginTallies(tx); err != nil {
		return err
	}
	for _, hour := range []int64{everything, at / hourMillis} {
		t, _, err := tallyTable.Get(tx, hour)
		if err != nil {
			return err
		}
		if err := t.plus(r); err != nil {
			return err
		}
		if err := tallyTable.Put(tx, hour, t); err != nil {
			return err
		}
	}
	return nil
}

// beginTallies adds up the receipts that were accepted before there were sums.
func beginTallies(tx *Tx) error {
	ok, err := tallyTable.Has(tx, everything)
	if err != nil || ok {
		return err
	}
	hours := map[int64]*Tally{everything: {}}
	err = acceptedTable.Scan(tx, func(_ protocol.Hash, a AcceptedReceipt) error {
		for _, hour := range []int64{everything, a.At / hourMillis} {
			if hours[hour] == nil {
				hours[hour] = &Tally{}
			}
			if err := hours[hour].plus(&a.Signed.Receipt); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for hour, t := range hours {
		if err := tallyTable.Put(tx, hour, *t); err != nil {
			return err
		}
	}
	return nil
}

// Sums adds up all accepted receipts and settled batches, and those since an hour began:
// since (Unix ms) is taken down to it. It reads one row an hour.
func (c *Coordinator) Sums(since int64) (out Sums, err error) {
	answers, ok, err := tallyTable.Get(c.db, everything)
	if err == nil && !ok {
		err = c.db.Update(beginTallies)
		if err == nil {
			answers, _, err = tallyTable.Get(c.db, everything)
		}
	}
	if err != nil {
		return out, err
	}
	out.Answers = answers
	from := max(since/hourMillis, 0)
	if err := tallyTable.ScanFrom(c.db, from, func(_ int64, t Tally) error {
		out.Recent.add(&t)
		return nil
	}); err != nil {
		return out, err
	}
	if out.Settlements, _, err = settledTable.Get(c.db, everything); err != nil {
		return out, err
	}
	return out, settledTable.ScanFrom(c.db, from, func(_ int64, s Settled) error {
		out.RecentSettlements.add(&s)
		return nil
	})
}

func (s *Settled) add(o *Settled) {
	s.Batches += o.Batches
	s.Receipts += o.Receipts
	s.Amount.Add(&s.Amount, &o.Amount)
	for i := range o.Paid {
		s.pay(&o.Paid[i], false)
	}
}

// pay adds to what a role got, or takes from it.
func (s *Settled) pay(p *Paid, back bool) {
	i := slices.IndexFunc(s.Paid, func(o Paid) bool { return o.Role == p.Role })
	if i < 0 {
		i = len(s.Paid)
		s.Paid = append(s.Paid, Paid{Role: p.Role})
	}
	sum := &s.Paid[i].Amount
	if back {
		sum.Sub(sum, &p.Amount)
	} else {
		sum.Add(sum, &p.Amount)
	}
}

// count adds a batch to the sums, or takes it out of them. What a batch pays is drawn
// from escrow, so that no sum exceeds the supply.
func (s *Settled) count(b *SettledBatch, back bool) {
	n := uint64(len(b.Receipts))
	if back {
		s.Batches--
		s.Receipts -= n
		s.Amount.Sub(&s.Amount, &b.Total)
	} else {
		s.Batches++
		s.Receipts += n
		s.Amount.Add(&s.Amount, &b.Total)
	}
	for i := range b.Paid {
		s.pay(&b.Paid[i], back)
	}
}

// PutSettled notes a batch as the chain has it now, in place of what was noted under its
// worker and nonce before. fresh says whether there was none with this document.
func (c *Coordinator) PutSettled(b SettledBatch) (fresh bool, err error) {
	err = c.db.Update(func(tx *Tx) error {
		key := PairOf(b.Worker, b.Nonce)
		old, ok, err := settledBatches.Get(tx, key)
		if err != nil {
			return err
		}
		fresh = !ok || old.Document != b.Document
		if ok {
			if err := countSettled(tx, &old, true); err != nil {
				return err
			}
			if err := dropSettledReceipts(tx, &old); err != nil {
				return err
			}
		}
		if err := countSettled(tx, &b, false); err != nil {
			return err
		}
		for _, id := range b.Receipts {
			if err := batchOfReceipt.Put(tx, id, BatchID{b.Worker, b.Nonce}); err != nil {
				return err
			}
		}
		return settledBatches.Put(tx, key, b)
	})
	return fresh, err
}

func countSettled(tx *Tx, b *SettledBatch, back bool) error {
	if b.Rejected {
		return nil
	}
	for _, hour := range []int64{everything, b.At / hourSeconds} {
		s, _, err := settledTable.Get(tx, hour)
		if err != nil {
			return err
		}
		s.count(b, back)
		if err := settledTable.Put(tx, hour, s); err != nil {
			return err
		}
	}
	return nil
}

// BatchID names a batch.
type BatchID struct {
	Worker protocol.Account `json:"worker"`
	Nonce  uint64           `json:"nonce"`
}

func dropSettledReceipts(tx *Tx, b *SettledBatch) error {
	for _, id := range b.Receipts {
		of, ok, err := batchOfReceipt.Get(tx, id)
		if err != nil {
			return err
		}
		if ok && of == (BatchID{b.Worker, b.Nonce}) {
			if err := batchOfReceipt.Delete(tx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// SettledBatch is a noted batch.
func (c *Coordinator) SettledBatch(worker protocol.Account, nonce uint64) (SettledBatch, bool, error) {
	return settledBatches.Get(c.db, PairOf(worker, nonce))
}

// BatchOf is the batch that a receipt is in.
func (c *Coordinator) BatchOf(receipt protocol.Hash) (BatchID, bool, error) {
	return batchOfReceipt.Get(c.db, receipt)
}

// UnreadBatches are the noted batches whose documents have not been read, and which pay.
func (c *Coordinator) UnreadBatches() ([]SettledBatch, error) {
	var out []SettledBatch
	err := settledBatches.Scan(c.db, func(_ Pair[protocol.Account, uint64], b SettledBatch) error {
		if b.Paid == nil && !b.Rejected {
			out = append(out, b)
		}
		return nil
	})
	return out, err
}

// SettledTo is the block from which on batches have not been noted, 0 at first.
func (c *Coordinator) SettledTo() (uint64, error) {
	n, _, err := settledTo.Get(c.db, 0)
	return n, err
}

// PutSettledTo notes it.
func (c *Coordinator) PutSettledTo(block uint64) error {
	return c.db.Update(func(tx *Tx) error { return settledTo.Put(tx, 0, block) })
}
