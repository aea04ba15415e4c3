package coordinator

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/scheduler"
	"github.com/openledger/openledger/store"
)

// voucherTimeout bounds the delivery of one voucher.
const voucherTimeout = 15 * time.Second

// askSpread is how many times the median ask a worker may ask and still be chosen: one
// worker with an absurd price must not make every request look unaffordable.
const askSpread = 4

// admit prices a job at the dearest acceptable worker's ask, checks that the requester's
// escrow covers it on top of what is promised and running, and reserves it.
func (c *Coordinator) admit(ctx context.Context, j *liveJob) (*scheduler.Submit, error) {
	// No reservation of this account ends between reading what it has promised and
	// reading its reservations: a fee that moves from one to the other counts.
	turn := &c.admission[j.job.Requester[len(j.job.Requester)-1]]
	turn.Lock()
	defer turn.Unlock()
	free, err := c.spendable(ctx, j.job.Requester)
	if err != nil {
		return nil, err
	}
	keyLeft, limited, err := c.budgetOf(j.by)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	reserved := c.reserved[j.job.Requester]
	most := sub(free.at(protocol.Account{}), reserved)
	budget, credits := most, []scheduler.Credit(nil)
	var fees []amount
	for _, w := range c.state.Workers() {
		price := w.Announcement.Price
		price.Access, price.Markup = j.job.Price.Access, j.job.Price.Markup
		fees = append(fees, price.FeeFor(j.prompt, j.job.Sampling.MaxTokens).Total())
		if len(free.credits) == 0 {
			continue
		}
		left := sub(free.at(w.Announcement.Worker), reserved)
		if more := sub(left, budget); !more.IsZero() {
			credits = append(credits, scheduler.Credit{Worker: w.Announcement.Worker, Amount: more})
		}
		if left.Gt(&most) {
			most = left
		}
	}
	left := most
	keyLeft = sub(keyLeft, c.keyReserved[j.by.Key])
	if limited = limited && keyLeft.Lt(&left); limited {
		left = keyLeft
		if keyLeft.Lt(&budget) {
			budget = keyLeft
		}
	}
	estimate := quote(fees, left)
	if limited && (left.Lt(&estimate) || left.IsZero()) {
		return nil, overBudget(&j.by, estimate, left)
	}
	if left.Lt(&estimate) || left.IsZero() {
		return nil, protocol.Errorf(protocol.KindEscrow, "", "this request may cost %s wei, and %s wei of the escrow of %s are free: deposit more with 'openledger wallet deposit'",
			estimate.Dec(), left.Dec(), j.job.Requester.Hex())
	}
	c.reserved[j.job.Requester] = add(reserved, estimate)
	j.reserved = estimate
	if j.by.Budget != nil || j.by.BudgetPerDay != nil {
		if j.budgeted = estimate; len(fees) == 0 { // nobody knows what the worker that comes will ask
			j.budgeted, credits = budget, nil
		}
		c.keyReserved[j.by.Key] = add(c.keyReserved[j.by.Key], j.budgeted)
	}
	// A dearer worker that comes later would exceed the reservation.
	if len(fees) != 0 {
		if !budget.Lt(&estimate) {
			budget, credits = estimate, nil
		}
		for i := range credits {
			if rest := sub(estimate, budget); credits[i].Amount.Gt(&rest) {
				credits[i].Amount = rest
			}
		}
	}
	return &scheduler.Submit{
		At: now(), Job: j.job.ID, Tenant: j.job.Requester, Base: j.job.Base, Adapter: tagOf(j.adapter.Digest),
		PromptTokens: j.prompt, PromptLeast: 1, MaxTokens: j.job.Sampling.MaxTokens, Deadline: j.job.Deadline,
		Budget: budget, Credits: credits, EstimatedFee: estimate, Access: add(j.job.Price.Access, j.job.Price.Markup),
	}, nil
}

// quote is the most that an acceptable worker asks: within askSpread of the median and
// within what is left. When none is, it is the least that any asks.
func quote(fees []amount, left amount) amount {
	if len(fees) == 0 {
		return amount{}
	}
	slices.SortFunc(fees, func(a, b amount) int { return a.Cmp(&b) })
	var limit amount
	if _, over := limit.MulOverflow(&fees[(len(fees)-1)/2], uint256.NewInt(askSpread)); over || left.Lt(&limit) {
		limit = left
	}
	most := fees[0]
	for _, f := range fees {
		if !f.Gt(&limit) {
			most = f
		}
	}
	return most
}

// topUp raises a job's reservation to what the worker that gets it asks; c.mu is held.
func (c *Coordinator) topUp(j *liveJob, price protocol.Price) {
	fee := price.FeeFor(j.prompt, j.job.Sampling.MaxTokens).Total()
	if more := sub(fee, j.reserved); !more.IsZero() {
		c.reserved[j.job.Requester] = add(c.reserved[j.job.Requester], more)
		j.reserved = fee
	}
}

// unreserve ends a job's reservation. What it cost is promised by now.
func (c *Coordinator) unreserve(j *liveJob) {
	turn := &c.admission[j.job.Requester[len(j.job.Requester)-1]]
	turn.Lock()
	defer turn.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	left := sub(c.reserved[j.job.Requester], j.reserved)
	if left.IsZero() {
		delete(c.reserved, j.job.Requester)
	} else {
		c.reserved[j.job.Requester] = left
	}
	j.reserved = amount{}
	if j.budgeted.IsZero() {
		return
	}
	if left := sub(c.keyReserved[j.by.Key], j.budgeted); left.IsZero() {
		delete(c.keyReserved, j.by.Key)
	} else {
		c.keyReserved[j.by.Key] = left
	}
	j.budgeted = amount{}
}

// funds are what a requester may spend on new answers: at any worker, and at those for
// which it has reserved.
type funds struct {
	allowed amount // by the session key's limit, in all
	open    amount // at any worker
	credits map[protocol.Account]amount
}

// at is what may be spent at a worker: its credit and what is open.
func (f funds) at(worker protocol.Account) amount {
	out := add(f.open, f.credits[worker])
	if f.allowed.Lt(&out) {
		return f.allowed
	}
	return out
}

// spendable is what a requester's escrow covers beyond the vouchers already given,
// within what it allows this coordinator's session key. A reserve pays for what is
// promised to its worker first. Promises are read before the balance, so that a
// settlement in between makes the answer too small, never too large.
func (c *Coordinator) spendable(ctx context.Context, requester protocol.Account) (funds, error) {
	vouchers, err := c.book.Cumulatives(requester)
	if err != nil {
		return funds{}, err
	}
	var promised amount
	promises := make(map[protocol.Account]amount, len(vouchers))
	for _, v := range vouchers {
		drawn, err := c.chain.DrawnOf(ctx, requester, v.Voucher.Worker)
		if err != nil {
			return funds{}, err
		}
		undrawn := sub(v.Voucher.Cumulative, drawn)
		promised = add(promised, undrawn)
		promises[v.Voucher.Worker] = add(promises[v.Voucher.Worker], undrawn)
	}
	session, err := c.chain.SessionOf(ctx, requester, c.SessionAccount())
	if err != nil {
		return funds{}, err
	}
	if session.Expires <= time.Now().Unix() {
		return funds{}, protocol.Errorf(protocol.KindEscrow, "", "%s has not authorised this coordinator's session key %s, or no longer: authorise it with 'openledger wallet deposit'",
			requester.Hex(), c.SessionAccount().Hex())
	}
	has, err := c.chain.FundsOf(ctx, requester)
	if err != nil {
		return funds{}, err
	}
	out := funds{allowed: sub(sub(session.Limit, session.Spent), promised), open: has.Available}
	if has.Reserved.IsZero() {
		out.open = sub(out.open, promised)
		return out, nil
	}
	reserves := make(map[protocol.Account]amount)
	for _, w := range c.workerAccounts(promises) {
		r, err := c.chain.ReserveOf(ctx, requester, w)
		if err != nil {
			return funds{}, err
		}
		reserves[w] = r.Lasting()
	}
	out.open, out.credits = cover(has.Available, reserves, promises)
	return out, nil
}

// cover takes what is promised to each worker from its reserve, and what is left of the
// promise from what is open to all. It gives what then is open, and left of the reserves.
func cover(available amount, reserves, promises map[protocol.Account]amount) (open amount, credits map[protocol.Account]amount) {
	open, credits = available, make(map[protocol.Account]amount)
	for w, r := range reserves {
		if rest := sub(r, promises[w]); !rest.IsZero() {
			credits[w] = rest
		}
	}
	for w, p := range promises {
		open = sub(open, sub(p, reserves[w]))
	}
	return open, credits
}

// workerAccounts are the owners of the workers heard of lately, and those with promises.
func (c *Coordinator) workerAccounts(promises map[protocol.Account]amount) []protocol.Account {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := maps.Clone(promises)
	for _, w := range c.state.Workers() {
		all[w.Announcement.Worker] = amount{}
	}
	return slices.SortedFunc(maps.Keys(all), protocol.Account.Cmp)
}

// accept makes a checked receipt ours to pay: evidence and voucher are durable before
// the worker gets the voucher. The voucher travels on its own: a worker that takes it
// slowly holds nobody up, and one that can't be reached now asks for it later.
func (c *Coordinator) accept(ctx context.Context, worker protocol.PeerID, s protocol.SignedReceipt, e protocol.Evidence, by *api.Caller, model string, logprobs []protocol.TokenLogProbs) error {
	encoded, err := wire.EncodeEvidence(e)
	if err != nil {
		return err
	}
	if _, err := c.ipfs.AddBlock(ctx, encoded); err != nil {
		return err
	}
	voucher, err := c.book.AcceptAnswer(s, store.Bill{Key: by.Key, Model: model}, logprobs, now(), c.sign)
	if err != nil {
		return err
	}
	c.metrics.fees.Add(s.Receipt.Fee())
	c.tellReceipt(&s.Receipt)
	if by.Paid {
		c.metrics.paid.Add(s.Receipt.Fee())
	}
	c.tasks.Go(func() error {
		if err := c.earn(c.running, s.Receipt, e.Attribution); err != nil {
			c.log.Warn("earnings not added up; they will be later", "receipt", s.Receipt.ID, "err", err)
		}
		return nil
	})
	c.tasks.Go(func() error {
		ctx, cancel := context.WithTimeout(c.running, voucherTimeout)
		defer cancel()
		if err := c.host.SendVoucher(ctx, worker, voucher, s.Receipt.ID); err != nil {
			c.log.Warn("voucher not delivered; the worker will ask for it", "worker", worker, "receipt", s.Receipt.ID, "err", err)
		}
		return nil
	})
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

// What stands around each source in a prompt, and before those of a datanet, in tokens at most.
const aroundSource, beforeSources = 64, 256

// estimateTokens bounds a prompt's tokens from above without a tokenizer: a token of
// byte-level BPE is at least one byte, and a chat template adds a few a message.
func estimateTokens(job protocol.InferenceJob) int {
	n := len(job.Prompt)
	if job.Embedding != nil {
		for _, in := range job.Embedding.Inputs {
			n += len(in.Text) + len(in.Tokens) + 8
		}
	}
	for i := range job.Retrieval {
		for _, s := range job.Retrieval[i].Sources { // with what stands around each, and before them
			n += len(s.Title) + len(s.Text) + aroundSource
		}
		n += beforeSources
	}
	for _, m := range job.Messages {
		n += len(m.Content) + 8
		if m.Fields != "" {
			n += 2*len(m.Fields) + 64
		}
	}
	if job.Tools != "" { // written out with spaces, and with what the template says of them
		n += 2*len(job.Tools) + 2048
	}
	if job.TemplateArgs != "" { // may choose another system prompt
		n += 2*len(job.TemplateArgs) + 1024
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
