package coordinator

import (
	"context"
	"time"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/scheduler"
)

// admit prices a job at the dearest worker's ask, checks that the requester's escrow
// covers it on top of what is promised and running, and reserves it.
func (c *Coordinator) admit(ctx context.Context, j *liveJob) (*scheduler.Submit, error) {
	promptTokens := estimateTokens(j.job)
	c.mu.Lock()
	var dearest protocol.Fee
	workers := c.state.Workers()
	for _, w := range workers {
		price := w.Announcement.Price
		price.Access = j.adapter.Access
		fee := price.FeeFor(promptTokens, j.job.Sampling.MaxTokens)
		total, most := fee.Total(), dearest.Total()
		if total.Gt(&most) {
			dearest = fee
		}
	}
	c.mu.Unlock()
	estimate := dearest.Total()

	free, err := c.spendable(ctx, j.job.Requester)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	reserved := c.reserved[j.job.Requester]
	left := sub(free, reserved)
	if left.Lt(&estimate) || left.IsZero() {
		return nil, protocol.Errorf(protocol.KindEscrow, "", "this request may cost %s wei, and %s wei of the escrow of %s are free: deposit more with 'openledger wallet deposit'",
			estimate.Dec(), left.Dec(), j.job.Requester.Hex())
	}
	c.reserved[j.job.Requester] = add(reserved, estimate)
	return &scheduler.Submit{
		At: now(), Job: j.job.ID, Tenant: j.job.Requester, Base: j.job.Base, Adapter: tagOf(j.adapter.Digest),
		PromptTokens: promptTokens, MaxTokens: j.job.Sampling.MaxTokens, Deadline: j.job.Deadline,
		Budget: left, EstimatedFee: estimate, Access: j.adapter.Access,
	}, nil
}

func (c *Coordinator) unreserve(requester protocol.Account, fee amount) {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := sub(c.reserved[requester], fee)
	if left.IsZero() {
		delete(c.reserved, requester)
	} else {
		c.reserved[requester] = left
	}
}

// spendable is what a requester's escrow covers beyond the vouchers already given,
// within what it allows this coordinator's session key. Promises are read before the
// balance, so that a settlement in between makes the answer too small, never too large.
func (c *Coordinator) spendable(ctx context.Context, requester protocol.Account) (amount, error) {
	vouchers, err := c.book.Cumulatives(requester)
	if err != nil {
		return amount{}, err
	}
	var promised amount
	for _, v := range vouchers {
		drawn, err := c.chain.DrawnOf(ctx, requester, v.Voucher.Worker)
		if err != nil {
			return amount{}, err
		}
		promised = add(promised, sub(v.Voucher.Cumulative, drawn))
	}
	session, err := c.chain.SessionOf(ctx, requester, c.SessionAccount())
	if err != nil {
		return amount{}, err
	}
	if session.Expires <= time.Now().Unix() {
		return amount{}, protocol.Errorf(protocol.KindEscrow, "", "%s has not authorised this coordinator's session key %s, or no longer: authorise it with 'openledger wallet deposit'",
			requester.Hex(), c.SessionAccount().Hex())
	}
	balance, err := c.chain.AvailableOf(ctx, requester)
	if err != nil {
		return amount{}, err
	}
	allowed := sub(session.Limit, session.Spent)
	if allowed.Lt(&balance) {
		balance = allowed
	}
	return sub(balance, promised), nil
}

// accept makes a checked receipt ours to pay: evidence and voucher are durable before
// the worker gets the voucher. A worker that can't be reached now asks for it later.
func (c *Coordinator) accept(ctx context.Context, worker protocol.PeerID, s protocol.SignedReceipt, e protocol.Evidence) error {
	encoded, err := wire.EncodeEvidence(e)
	if err != nil {
		return err
	}
	if _, err := c.ipfs.AddBlock(ctx, encoded); err != nil {
		return err
	}
	voucher, err := c.book.AcceptReceipt(s, now(), c.sign)
	if err != nil {
		return err
	}
	c.metrics.fees.Add(s.Receipt.Fee())
	if err := c.host.SendVoucher(ctx, worker, voucher, s.Receipt.ID); err != nil {
		c.log.Warn("voucher not delivered; the worker will ask for it", "worker", worker, "receipt", s.Receipt.ID, "err", err)
	}
	return nil
}

func (c *Coordinator) sign(v protocol.Voucher) (protocol.SignedVoucher, error) {
	v.Expires = time.Now().Add(c.cfg.VoucherLifetime).Unix()
	return wire.SignVoucher(c.escrowDomain, v, c.session)
}

// IssueVoucher gives a worker the voucher of a receipt that it holds. Only receipts
// whose answer reached the requester are paid for.
func (c *Coordinator) IssueVoucher(_ context.Context, from protocol.PeerID, s protocol.SignedReceipt) (protocol.SignedVoucher, error) {
	if err := wire.VerifyReceipt(c.settlementDomain, s); err != nil {
		return protocol.SignedVoucher{}, err
	}
	accepted, err := c.book.Accepted(s.Receipt.ID)
	if err != nil {
		return protocol.SignedVoucher{}, err
	}
	if accepted.Signed.Receipt != s.Receipt {
		return protocol.SignedVoucher{}, protocol.Errorf(protocol.KindExists, "id", "job %s was answered by %s", s.Receipt.ID, accepted.Signed.Receipt.Worker)
	}
	// The newest voucher covers this receipt and all before it.
	v, ok, err := c.book.Cumulative(s.Receipt.Requester, s.Receipt.Worker)
	if err != nil {
		return protocol.SignedVoucher{}, err
	}
	if !ok {
		return accepted.Voucher, nil
	}
	c.log.Info("voucher given again", "worker", from, "receipt", s.Receipt.ID)
	return v, nil
}

// estimateTokens bounds a prompt's tokens from above without a tokenizer: a token of
// byte-level BPE is at least one byte, and a chat template adds a few a message.
func estimateTokens(job protocol.InferenceJob) int {
	n := len(job.Prompt)
	for _, m := range job.Messages {
		n += len(m.Content) + 8
	}
	return n + 16
}

// tagOf names an adapter for the scheduler; the bare base has none.
func tagOf(digest protocol.Hash) uint64 {
	if digest == (protocol.Hash{}) {
		return 0
	}
	return protocol.AdapterTag(digest)
}
