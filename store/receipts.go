package store

import (
	"bytes"
	"slices"

	"github.com/openledger/openledger/protocol"
)

// ReceiptStatus is how far a receipt has come on the way to money.
type ReceiptStatus string

// Statuses of a receipt, in order.
const (
	ReceiptSigned    ReceiptStatus = "signed"    // by this worker; nobody has promised to pay it
	ReceiptVouchered ReceiptStatus = "vouchered" // covered by the requester's voucher
	ReceiptBatched   ReceiptStatus = "batched"   // in the batch of Nonce
	ReceiptSettled   ReceiptStatus = "settled"   // that batch is on the chain
)

// ReceiptRecord is one of the worker's own receipts.
type ReceiptRecord struct {
	Signed protocol.SignedReceipt `json:"signed"`
	Status ReceiptStatus          `json:"status"`
	Nonce  uint64                 `json:"nonce,omitempty"` // of the batch, once batched
}

// AddReceipt stores a receipt that this worker signed. Adding the same again
// changes nothing; another receipt for the same job is refused.
func (w *Worker) AddReceipt(r protocol.SignedReceipt) error {
	return w.db.Update(func(tx *Tx) error {
		old, ok, err := receiptTable.Get(tx, r.Receipt.ID)
		if err != nil {
			return err
		}
		if ok {
			if sameReceipt(old.Signed, r) {
				return nil
			}
			return protocol.Errorf(protocol.KindExists, "id", "job %s has another receipt already", r.Receipt.ID)
		}
		return putReceipt(tx, nil, ReceiptRecord{Signed: r, Status: ReceiptSigned})
	})
}

// Receipt gives one receipt by its job's ID, or an error of kind not_found.
func (w *Worker) Receipt(id protocol.Hash) (ReceiptRecord, error) {
	return receiptTable.Must(w.db, id)
}

// Receipts lists receipts of one status from the oldest, or of all statuses, in
// the order of the statuses, when status is empty. Limit 0 means all.
func (w *Worker) Receipts(status ReceiptStatus, limit int) ([]ReceiptRecord, error) {
	statuses := []ReceiptStatus{status}
	if status == "" {
		statuses = []ReceiptStatus{ReceiptSigned, ReceiptVouchered, ReceiptBatched, ReceiptSettled}
	}
	var out []ReceiptRecord
	for _, s := range statuses {
		err := ScanFirst(w.db, receiptByStatus, StringKey[ReceiptStatus](), s, func(k Pair[int64, protocol.Hash], _ Mark) error {
			if limit > 0 && len(out) >= limit {
				return ErrStop
			}
			rec, ok, err := receiptTable.Get(w.db, k.B)
			if err != nil {
				return err
			}
			if ok && rec.Status == s { // else it moved on while we were reading
				out = append(out, rec)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// CountReceipts counts the receipts of each status.
func (w *Worker) CountReceipts() (map[ReceiptStatus]int, error) {
	out := map[ReceiptStatus]int{}
	err := receiptByStatus.Scan(w.db, func(k Pair[ReceiptStatus, Pair[int64, protocol.Hash]], _ Mark) error {
		out[k.A]++
		return nil
	})
	return out, err
}

// OpenReceiptStatuses are those of receipts that are not settled, in their order.
var OpenReceiptStatuses = []ReceiptStatus{ReceiptSigned, ReceiptVouchered, ReceiptBatched}

// CountOpenReceipts counts the receipts that are not settled. It takes time in
// proportion to them, not to all that were ever signed.
func (w *Worker) CountOpenReceipts() (map[ReceiptStatus]int, error) {
	out := map[ReceiptStatus]int{}
	for _, s := range OpenReceiptStatuses {
		err := ScanFirst(w.db, receiptByStatus, StringKey[ReceiptStatus](), s, func(Pair[int64, protocol.Hash], Mark) error {
			out[s]++
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// putReceipt writes a receipt and its place in the index; old is what it replaces.
func putReceipt(tx *Tx, old *ReceiptRecord, rec ReceiptRecord) error {
	at := PairOf(rec.Signed.Receipt.FinishedAt, rec.Signed.Receipt.ID)
	if old != nil {
		if err := receiptByStatus.Delete(tx, PairOf(old.Status, at)); err != nil {
			return err
		}
	}
	if err := receiptByStatus.Put(tx, PairOf(rec.Status, at), Mark{}); err != nil {
		return err
	}
	return receiptTable.Put(tx, rec.Signed.Receipt.ID, rec)
}

// moveReceipt changes a receipt's status, which must be one of from.
func moveReceipt(tx *Tx, id protocol.Hash, to ReceiptStatus, nonce uint64, from ...ReceiptStatus) (ReceiptRecord, error) {
	old, err := receiptTable.Must(tx, id)
	if err != nil {
		return old, err
	}
	if !slices.Contains(from, old.Status) {
		return old, protocol.Errorf(protocol.KindStale, "status", "receipt %s is %s and cannot become %s", id, old.Status, to)
	}
	rec := old
	rec.Status, rec.Nonce = to, nonce
	return rec, putReceipt(tx, &old, rec)
}

func sameReceipt(a, b protocol.SignedReceipt) bool {
	return a.Receipt == b.Receipt && a.NodeKey == b.NodeKey && bytes.Equal(a.Signature, b.Signature)
}
