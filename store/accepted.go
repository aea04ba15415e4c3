package store

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/protocol"
)

// AcceptedReceipt is a receipt that a coordinator has promised to pay.
type AcceptedReceipt struct {
	Signed  protocol.SignedReceipt `json:"signed"`
	Voucher protocol.SignedVoucher `json:"voucher"` // given for it
	At      int64                  `json:"at"`
}

// AcceptReceipt accepts a receipt, once per job ID, and raises the cumulative
// voucher of its requester and worker by its fee, in one step. sign gets the
// voucher to sign, without Expires, and may refuse it. The same receipt again
// gets the voucher that it got before; another receipt for the same job is
// refused with kind already_exists. The caller has verified the receipt.
func (c *Coordinator) AcceptReceipt(r protocol.SignedReceipt, at int64, sign func(protocol.Voucher) (protocol.SignedVoucher, error)) (protocol.SignedVoucher, error) {
	return c.AcceptAnswer(r, Bill{}, nil, at, sign)
}

// AcceptAnswer is AcceptReceipt of an answer with log-probabilities, which are kept for
// when it is asked for again. They are the worker's word: the receipt does not sign them.
// The answer is counted to whom the bill names.
func (c *Coordinator) AcceptAnswer(r protocol.SignedReceipt, bill Bill, logprobs []protocol.TokenLogProbs, at int64, sign func(protocol.Voucher) (protocol.SignedVoucher, error)) (protocol.SignedVoucher, error) {
	var out protocol.SignedVoucher
	err := c.db.Update(func(tx *Tx) error {
		id := r.Receipt.ID
		old, ok, err := acceptedTable.Get(tx, id)
		if err != nil {
			return err
		}
		if ok {
			if old.Signed.Receipt != r.Receipt {
				return protocol.Errorf(protocol.KindExists, "id", "job %s has been paid to %s by another receipt", id, old.Signed.Receipt.Worker)
			}
			out = old.Voucher
			return nil
		}
		key := PairOf(r.Receipt.Requester, r.Receipt.Worker)
		last, _, err := cumulativeTable.Get(tx, key)
		if err != nil {
			return err
		}
		next := protocol.Voucher{Requester: key.A, Worker: key.B}
		fee, err := checkedTotal(r.Receipt.Fee())
		if err != nil {
			return err
		}
		if _, over := next.Cumulative.AddOverflow(&last.Voucher.Cumulative, &fee); over {
			return errOverflow()
		}
		if out, err = sign(next); err != nil {
			return err
		}
		if out.Voucher.Requester != key.A || out.Voucher.Worker != key.B || !out.Voucher.Cumulative.Eq(&next.Cumulative) {
			return errors.New("store: accept receipt: the signed voucher is not the one asked for")
		}
		if err := cumulativeTable.Put(tx, key, out); err != nil {
			return err
		}
		if err := count(tx, bill, &r.Receipt, &fee, at); err != nil {
			return err
		}
		if len(logprobs) > 0 {
			if err := logProbTable.Put(tx, id, logprobs); err != nil {
				return err
			}
		}
		if err := acceptedByTime.Put(tx, PairOf(at, id), Mark{}); err != nil {
			return err
		}
		return acceptedTable.Put(tx, id, AcceptedReceipt{Signed: r, Voucher: out, At: at})
	})
	if err != nil {
		return protocol.SignedVoucher{}, fmt.Errorf("accept receipt: %w", err)
	}
	return out, nil
}

// Accepted gives the receipt accepted for a job, or an error of kind not_found.
func (c *Coordinator) Accepted(id protocol.Hash) (AcceptedReceipt, error) {
	return acceptedTable.Must(c.db, id)
}

// LogProbs are those of a job's accepted answer, nil if it has none.
func (c *Coordinator) LogProbs(id protocol.Hash) ([]protocol.TokenLogProbs, error) {
	l, _, err := logProbTable.Get(c.db, id)
	return l, err
}

// AcceptedReceipts lists accepted receipts from the newest; keep (nil: all)
// chooses. Limit 0 means all.
func (c *Coordinator) AcceptedReceipts(limit int, keep func(*AcceptedReceipt) bool) ([]AcceptedReceipt, error) {
	var out []AcceptedReceipt
	err := acceptedByTime.ScanReverse(c.db, func(k Pair[int64, protocol.Hash], _ Mark) error {
		rec, err := acceptedTable.Must(c.db, k.B)
		if err != nil {
			return err
		}
		if keep == nil || keep(&rec) {
			out = append(out, rec)
		}
		if limit > 0 && len(out) >= limit {
			return ErrStop
		}
		return nil
	})
	return out, err
}

// Cumulative is the newest voucher given to worker for requester.
func (c *Coordinator) Cumulative(requester, worker protocol.Account) (protocol.SignedVoucher, bool, error) {
	return cumulativeTable.Get(c.db, PairOf(requester, worker))
}

// Cumulatives lists the newest vouchers of one requester, by worker: together
// they are what the requester has spent.
func (c *Coordinator) Cumulatives(requester protocol.Account) ([]protocol.SignedVoucher, error) {
	var out []protocol.SignedVoucher
	err := ScanFirst(c.db, cumulativeTable, AccountKey(), requester, func(_ protocol.Account, v protocol.SignedVoucher) error {
		out = append(out, v)
		return nil
	})
	return out, err
}
