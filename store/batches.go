package store

import (
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// BatchStatus is how far a batch has come.
type BatchStatus string

// Statuses of a batch, in order.
const (
	BatchPrepared  BatchStatus = "prepared"  // on disk, maybe sent
	BatchSubmitted BatchStatus = "submitted" // sent: Tx is known
	BatchSettled   BatchStatus = "settled"   // on the chain
)

// BatchRecord is one batch of receipts on its way to the chain. It is stored
// before it is sent, so that a restart sends the same bytes again.
type BatchRecord struct {
	Worker      protocol.Account         `json:"worker"`
	Nonce       uint64                   `json:"nonce"`
	Status      BatchStatus              `json:"status"`
	Root        protocol.Hash            `json:"root"`
	Total       uint256.Int              `json:"total"`
	Count       uint64                   `json:"count"` // leaves
	DataDigest  protocol.Hash            `json:"data_digest"`
	Document    []byte                   `json:"document"` // what DataDigest is of
	Vouchers    []protocol.SignedVoucher `json:"vouchers"`
	Receipts    []protocol.Hash          `json:"receipts"`
	Tx          protocol.Hash            `json:"tx"`
	Block       uint64                   `json:"block,omitempty"`
	GasUsed     uint64                   `json:"gas_used,omitempty"`
	PreparedAt  int64                    `json:"prepared_at"`
	SubmittedAt int64                    `json:"submitted_at,omitempty"`
	SettledAt   int64                    `json:"settled_at,omitempty"`
}

// PrepareBatch stores a batch and takes its receipts, all vouchered, out of the
// pool for other batches, in one step. The nonce must be the one after the
// worker's newest batch here, if there is any.
func (w *Worker) PrepareBatch(b BatchRecord) error {
	b.Status = BatchPrepared
	return w.db.Update(func(tx *Tx) error {
		last, ok, err := lastBatch(tx, b.Worker)
		if err != nil {
			return err
		}
		if ok && b.Nonce != last.Nonce+1 {
			return protocol.Errorf(protocol.KindStale, "nonce", "is %d, the next batch is %d", b.Nonce, last.Nonce+1)
		}
		if err := batchTable.Put(tx, PairOf(b.Worker, b.Nonce), b); err != nil {
			return err
		}
		var total uint256.Int
		for _, id := range b.Receipts {
			r, err := moveReceipt(tx, id, ReceiptBatched, b.Nonce, ReceiptVouchered)
			if err != nil {
				return err
			}
			fee, err := addBatched(tx, r, false)
			if err != nil {
				return err
			}
			total.Add(&total, &fee)
		}
		if !total.Eq(&b.Total) {
			return protocol.Errorf(protocol.KindInvalid, "total", "is %s, the receipts' fees come to %s", b.Total.Dec(), total.Dec())
		}
		return nil
	})
}

// MarkSubmitted notes the transaction that carries a batch.
func (w *Worker) MarkSubmitted(worker protocol.Account, nonce uint64, txHash protocol.Hash, at int64) error {
	return w.db.Update(func(tx *Tx) error {
		b, err := batchTable.Must(tx, PairOf(worker, nonce))
		if err != nil {
			return err
		}
		if b.Status == BatchSettled {
			return protocol.Errorf(protocol.KindStale, "nonce", "batch %d is settled already", nonce)
		}
		b.Status, b.Tx, b.SubmittedAt = BatchSubmitted, txHash, at
		return batchTable.Put(tx, PairOf(worker, nonce), b)
	})
}

// MarkSettled notes that a batch is on the chain and its receipts with it. Doing
// it again changes nothing.
func (w *Worker) MarkSettled(worker protocol.Account, nonce uint64, txHash protocol.Hash, block, gasUsed uint64, at int64) error {
	return w.db.Update(func(tx *Tx) error {
		b, err := batchTable.Must(tx, PairOf(worker, nonce))
		if err != nil || b.Status == BatchSettled {
			return err
		}
		b.Status, b.Tx, b.Block, b.GasUsed, b.SettledAt = BatchSettled, txHash, block, gasUsed, at
		for _, id := range b.Receipts {
			if _, err := moveReceipt(tx, id, ReceiptSettled, nonce, ReceiptBatched); err != nil {
				return err
			}
		}
		return batchTable.Put(tx, PairOf(worker, nonce), b)
	})
}

// DropBatch forgets the worker's newest batch, which the chain can never accept
// as it is, and makes its receipts ready for another. A settled batch stays.
func (w *Worker) DropBatch(worker protocol.Account, nonce uint64) error {
	return w.db.Update(func(tx *Tx) error {
		b, err := batchTable.Must(tx, PairOf(worker, nonce))
		if err != nil {
			return err
		}
		if last, _, err := lastBatch(tx, worker); err != nil || last.Nonce != nonce || b.Status == BatchSettled {
			if err != nil {
				return err
			}
			return protocol.Errorf(protocol.KindStale, "nonce", "batch %d is settled or not the newest", nonce)
		}
		for _, id := range b.Receipts {
			r, err := moveReceipt(tx, id, ReceiptVouchered, 0, ReceiptBatched)
			if err != nil {
				return err
			}
			if _, err := addBatched(tx, r, true); err != nil {
				return err
			}
		}
		return batchTable.Delete(tx, PairOf(worker, nonce))
	})
}

// ReopenBatch notes that the chain has lost the worker's newest batch, in a
// reorganisation: it is prepared again, and its receipts are batched, not settled.
func (w *Worker) ReopenBatch(worker protocol.Account, nonce uint64) error {
	return w.db.Update(func(tx *Tx) error {
		last, ok, err := lastBatch(tx, worker)
		if err != nil {
			return err
		}
		if !ok || last.Nonce != nonce {
			return protocol.Errorf(protocol.KindStale, "nonce", "batch %d is not the newest", nonce)
		}
		if last.Status != BatchSettled {
			return nil
		}
		for _, id := range last.Receipts {
			if _, err := moveReceipt(tx, id, ReceiptBatched, nonce, ReceiptSettled); err != nil {
				return err
			}
		}
		last.Status, last.Tx, last.Block, last.GasUsed, last.SettledAt = BatchPrepared, protocol.Hash{}, 0, 0, 0
		return batchTable.Put(tx, PairOf(worker, nonce), last)
	})
}

// Batch gives one batch, or an error of kind not_found.
func (w *Worker) Batch(worker protocol.Account, nonce uint64) (BatchRecord, error) {
	return batchTable.Must(w.db, PairOf(worker, nonce))
}

// LastBatch gives the worker's newest batch.
func (w *Worker) LastBatch(worker protocol.Account) (BatchRecord, bool, error) {
	return lastBatch(w.db, worker)
}

// Batches lists the worker's batches by nonce.
func (w *Worker) Batches(worker protocol.Account) ([]BatchRecord, error) {
	var out []BatchRecord
	err := ScanFirst(w.db, batchTable, AccountKey(), worker, func(_ uint64, b BatchRecord) error {
		out = append(out, b)
		return nil
	})
	return out, err
}

func lastBatch(r Reader, worker protocol.Account) (last BatchRecord, ok bool, err error) {
	err = ScanFirstReverse(r, batchTable, AccountKey(), worker, func(_ uint64, b BatchRecord) error {
		last, ok = b, true
		return ErrStop
	})
	return last, ok, err
}

// addBatched moves a receipt's fee into, or back out of, its voucher's Batched.
func addBatched(tx *Tx, r ReceiptRecord, back bool) (uint256.Int, error) {
	fee := r.Signed.Receipt.Fee().Total()
	key := PairOf(r.Signed.Receipt.Requester, r.Signed.Receipt.Worker)
	v, err := voucherTable.Must(tx, key)
	if err != nil {
		return fee, err
	}
	if back {
		v.Batched.Sub(&v.Batched, &fee)
	} else {
		v.Batched.Add(&v.Batched, &fee)
	}
	if v.Batched.Gt(&v.Covered) {
		return fee, protocol.Errorf(protocol.KindInternal, "batched", "%s is more than the covered %s", v.Batched.Dec(), v.Covered.Dec())
	}
	return fee, voucherTable.Put(tx, key, v)
}
