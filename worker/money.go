package worker

import (
	"context"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
)

// badDebt is how old a receipt without a voucher is when it no longer counts against
// its requester: connections break, and a job that moved to another worker is paid
// there. So this worker risks its credit once in that time for each requester.
const badDebt = 24 * time.Hour

// owed is what a requester's signed but unvouchered receipts of late come to.
func (w *Worker) owed(requester protocol.Account) (uint256.Int, error) {
	var sum uint256.Int
	list, err := w.book.Receipts(store.ReceiptSigned, 0)
	for _, r := range list {
		if r.Signed.Receipt.Requester == requester && time.Since(time.UnixMilli(r.Signed.Receipt.FinishedAt)) < badDebt {
			fee := r.Signed.Receipt.Fee().Total()
			sum.Add(&sum, &fee)
		}
	}
	return sum, err
}

// checkCredit refuses work that the requester could not pay, or that would take it
// over the credit that this worker gives. The job in question runs already.
func (w *Worker) checkCredit(ctx context.Context, requester protocol.Account) error {
	owed, err := w.owed(requester)
	if err != nil {
		return err
	}
	running := w.jobs.of(requester)
	open := owed
	open.Add(&open, &running)
	if open.Gt(&w.cfg.Credit) {
		return protocol.Errorf(protocol.KindBusy, "", "this requester would owe %s wei without a voucher, this worker's credit is %s: send vouchers for earlier receipts", open.Dec(), w.cfg.Credit.Dec())
	}
	undrawn, balance, err := w.escrowOf(ctx, requester)
	if err != nil {
		return err
	}
	open.Add(&open, &undrawn)
	if open.Gt(&balance) {
		return protocol.Errorf(protocol.KindEscrow, "", "the requester's escrow holds %s wei for this worker, %s are promised or running: deposit more, or reserve for this worker", balance.Dec(), open.Dec())
	}
	return nil
}

// escrowOf gives what vouchers to this worker have not drawn yet, and what of the escrow
// it could draw: not what is reserved for others, but all of its own reserve.
func (w *Worker) escrowOf(ctx context.Context, requester protocol.Account) (undrawn, balance uint256.Int, err error) {
	v, ok, err := w.book.Voucher(requester, w.Owner())
	if err != nil {
		return undrawn, balance, err
	}
	if ok {
		drawn, err := w.chain.DrawnOf(ctx, requester, w.Owner())
		if err != nil {
			return undrawn, balance, err
		}
		if v.Signed.Voucher.Cumulative.Gt(&drawn) {
			undrawn.Sub(&v.Signed.Voucher.Cumulative, &drawn)
		}
	}
	balance, err = w.chain.DrawableBy(ctx, requester, w.Owner())
	return undrawn, balance, err
}

// checkAuthorization makes sure that the requester wants this job from this worker:
// nobody else may run up debts in its name, or read its answers.
func (w *Worker) checkAuthorization(ctx context.Context, job protocol.InferenceJob) error {
	if len(job.Authorization) == 0 {
		return protocol.Errorf(protocol.KindUnauthorized, "authorization", "it is missing: the requester or its session key signs every job")
	}
	signer, err := wire.JobSigner(w.escrowDomain, job, w.Owner())
	if err != nil {
		return err
	}
	return w.speaksFor(ctx, signer, job.Requester)
}

// speaksFor makes sure that what signer signed is the requester's word: its own, or
// that of a session key of its escrow.
func (w *Worker) speaksFor(ctx context.Context, signer, requester protocol.Account) error {
	if signer == requester {
		return nil
	}
	session, err := w.chain.SessionOf(ctx, requester, signer)
	if err != nil {
		return err
	}
	if session.Expires <= time.Now().Unix() {
		return protocol.Errorf(protocol.KindUnauthorized, "authorization", "%s may not ask in the name of %s: it has no session in the escrow, or the signature is of another job", signer.Hex(), requester.Hex())
	}
	return nil
}

// Voucher takes the voucher for a receipt, if it can be drawn.
func (w *Worker) Voucher(ctx context.Context, _ protocol.PeerID, v protocol.SignedVoucher, receipt protocol.Hash) error {
	if err := wire.VerifyVoucher(w.escrowDomain, v); err != nil {
		return err
	}
	if v.Voucher.Worker != w.Owner() {
		return protocol.Errorf(protocol.KindInvalid, "worker", "the voucher is for %s", v.Voucher.Worker.Hex())
	}
	if v.Voucher.Expires <= time.Now().Add(time.Hour).Unix() {
		return protocol.Errorf(protocol.KindInvalid, "expires", "the voucher ends too soon to be settled: give it at least an hour")
	}
	drawn, err := w.chain.DrawnOf(ctx, v.Voucher.Requester, w.Owner())
	if err != nil {
		return err
	}
	if v.Signer != v.Voucher.Requester {
		session, err := w.chain.SessionOf(ctx, v.Voucher.Requester, v.Signer)
		if err != nil {
			return err
		}
		if session.Expires <= time.Now().Unix() {
			return protocol.Errorf(protocol.KindUnauthorized, "signer", "%s has not authorised %s to sign vouchers", v.Voucher.Requester.Hex(), v.Signer.Hex())
		}
		var limit uint256.Int // what this voucher may add up to, if no other worker draws
		limit.Sub(&session.Limit, &session.Spent)
		limit.Add(&limit, &drawn)
		if session.Spent.Gt(&session.Limit) || v.Voucher.Cumulative.Gt(&limit) {
			return protocol.Errorf(protocol.KindEscrow, "cumulative", "%s wei are more than %s may still spend for %s: authorise more with 'openledger wallet deposit'", v.Voucher.Cumulative.Dec(), v.Signer.Hex(), v.Voucher.Requester.Hex())
		}
	}
	balance, err := w.chain.DrawableBy(ctx, v.Voucher.Requester, w.Owner())
	if err != nil {
		return err
	}
	var covered uint256.Int
	covered.Add(&drawn, &balance)
	if v.Voucher.Cumulative.Gt(&covered) {
		return protocol.Errorf(protocol.KindEscrow, "cumulative", "%s wei are more than the escrow covers (%s drawn, %s left that are not reserved for others)", v.Voucher.Cumulative.Dec(), drawn.Dec(), balance.Dec())
	}
	return w.book.AcceptVoucher(v, receipt)
}

// collectVouchers asks for the vouchers that did not arrive: the connection broke, or
// one side restarted in between. What nobody gives is asked for less and less often,
// so that it keeps none of the others waiting.
func (w *Worker) collectVouchers(ctx context.Context) error {
	const (
		patience = 3 * time.Second // vouchers usually follow at once
		every    = 2 * time.Second
		slowest  = 10 * time.Minute
	)
	type attempt struct {
		at   time.Time
		wait time.Duration
	}
	next := map[protocol.Hash]attempt{}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
		list, err := w.book.Receipts(store.ReceiptSigned, 0)
		if err != nil {
			return err
		}
		waiting := make(map[protocol.Hash]attempt, len(next))
		for _, r := range list {
			id := r.Signed.Receipt.ID
			a := next[id]
			if time.Since(time.UnixMilli(r.Signed.Receipt.FinishedAt)) < patience || ctx.Err() != nil {
				continue
			}
			if time.Now().Before(a.at) {
				waiting[id] = a
				continue
			}
			if err := w.collect(ctx, r.Signed); err != nil {
				w.log.Debug("no voucher for a receipt", "receipt", id, "err", err)
				a.wait = min(max(2*a.wait, every), slowest)
				a.at = time.Now().Add(a.wait)
				waiting[id] = a
			}
		}
		next = waiting
	}
}

func (w *Worker) collect(ctx context.Context, r protocol.SignedReceipt) error {
	err := error(protocol.Errorf(protocol.KindUnavailable, "", "no coordinator is connected"))
	for _, p := range w.host.Peers() {
		ask, cancel := context.WithTimeout(ctx, 5*time.Second)
		var v protocol.SignedVoucher
		v, err = w.host.RequestVoucher(ask, p, r)
		cancel()
		if err == nil {
			return w.Voucher(ctx, p, v, r.Receipt.ID)
		}
	}
	return err
}
