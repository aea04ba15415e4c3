package store

import (
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// VoucherRecord is what one requester owes one worker, as that worker knows it.
//
// Signed.Cumulative >= Covered >= Batched. They can differ for a moment when
// vouchers overtake each other: a requester's receipts are ready for a batch when
// Covered equals Signed.Cumulative.
type VoucherRecord struct {
	Signed  protocol.SignedVoucher `json:"signed"`  // the greatest seen
	Covered uint256.Int            `json:"covered"` // fees of all receipts it pays for, ever
	Batched uint256.Int            `json:"batched"` // of those, the fees in batches
}

// AcceptVoucher stores a voucher, unless a greater one is there already, and
// marks the receipts that it was given for as vouchered. A receipt that is
// vouchered or further already stays as it is. It refuses a voucher that does not
// cover the fees of the receipts together with those covered before. The caller
// has verified the signature.
func (w *Worker) AcceptVoucher(v protocol.SignedVoucher, receipts ...protocol.Hash) error {
	return w.db.Update(func(tx *Tx) error {
		key := PairOf(v.Voucher.Requester, v.Voucher.Worker)
		rec, ok, err := voucherTable.Get(tx, key)
		if err != nil {
			return err
		}
		if !ok || v.Voucher.Cumulative.Gt(&rec.Signed.Voucher.Cumulative) ||
			v.Voucher.Cumulative.Eq(&rec.Signed.Voucher.Cumulative) && v.Voucher.Expires > rec.Signed.Voucher.Expires {
			rec.Signed = v
		}
		for _, id := range receipts {
			r, err := receiptTable.Must(tx, id)
			if err != nil {
				return err
			}
			if r.Signed.Receipt.Requester != key.A || r.Signed.Receipt.Worker != key.B {
				return protocol.Errorf(protocol.KindInvalid, "receipts", "receipt %s is not between %s and %s", id, key.A, key.B)
			}
			if r.Status != ReceiptSigned {
				continue
			}
			if _, err := moveReceipt(tx, id, ReceiptVouchered, 0, ReceiptSigned); err != nil {
				return err
			}
			total := r.Signed.Receipt.Fee().Total()
			rec.Covered.Add(&rec.Covered, &total)
		}
		if rec.Covered.Gt(&rec.Signed.Voucher.Cumulative) {
			return protocol.Errorf(protocol.KindInvalid, "cumulative", "%s does not cover the receipts, which come to %s",
				rec.Signed.Voucher.Cumulative.Dec(), rec.Covered.Dec())
		}
		return voucherTable.Put(tx, key, rec)
	})
}

// Voucher is what requester owes worker.
func (w *Worker) Voucher(requester, worker protocol.Account) (VoucherRecord, bool, error) {
	return voucherTable.Get(w.db, PairOf(requester, worker))
}

// Vouchers lists what every requester owes worker, by requester.
func (w *Worker) Vouchers(worker protocol.Account) ([]VoucherRecord, error) {
	var out []VoucherRecord
	err := voucherTable.Scan(w.db, func(k Pair[protocol.Account, protocol.Account], v VoucherRecord) error {
		if k.B == worker {
			out = append(out, v)
		}
		return nil
	})
	return out, err
}

func checkedTotal(f protocol.Fee) (uint256.Int, error) {
	var t uint256.Int
	if _, over := t.AddOverflow(&f.Compute, &f.Access); over {
		return t, errOverflow()
	}
	if _, over := t.AddOverflow(&t, &f.Markup); over {
		return t, errOverflow()
	}
	return t, nil
}

func errOverflow() error {
	return protocol.Errorf(protocol.KindInvalid, "fee", "does not fit in 256 bits")
}
