package main

import (
	"context"
	"fmt"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/settle"
)

// settle waits until the chain has drawn the fee of every answer.
func (m *demo) settle(ctx context.Context) error {
	for _, q := range m.asked {
		if q.err == nil {
			m.report.Inferences.Answered++
		}
	}
	bar := newBar(m.c.err, "settle", m.report.Inferences.Answered)
	defer bar.stop()
	return m.wait(ctx, 2*time.Minute, "the settlement of every receipt", func() (bool, error) {
		list, err := m.d.api.Receipts(ctx, 1000)
		if err != nil {
			return false, err
		}
		settled := 0
		for _, r := range list {
			if r.Settled {
				settled++
			}
		}
		bar.set(settled, "")
		m.report.Settlement.Receipts = settled
		return settled == m.report.Inferences.Answered, nil
	})
}

// claim recomputes every batch from its document and claims every leaf, each account
// for itself; those without a key here (treasury, public pool) are pushed their money by
// the deployer, which anybody may do.
func (m *demo) claim(ctx context.Context) error {
	reader := claims(m.d.api, m.info, m.d.chain.Client)
	owed := map[protocol.Account][]chain.Claim{}
	var order []protocol.Account
	var opens int64
	var gas uint64
	var results []*settle.Result
	_, err := m.d.chain.Client.EachBatch(ctx, protocol.Account{}, m.info.Contracts.FromBlock, 0, func(b chain.BatchEvent, ev chain.Event) error {
		r, err := reader.Batch(ctx, b)
		if err != nil {
			return err
		}
		results = append(results, r)
		tx, err := m.d.chain.Client.Receipt(ctx, ev.Tx)
		if err != nil {
			return err
		}
		gas += tx.GasUsed
		opens = max(opens, b.ClaimableAt)
		m.report.Settlement.Batches++
		m.report.allocated.Add(&m.report.allocated, &b.Total)
		for _, p := range r.Payouts {
			c, ok, err := r.Claim(p.Account)
			if err != nil || !ok {
				return fmt.Errorf("claim of %s: %w", p.Account, err)
			}
			if owed[p.Account] == nil {
				order = append(order, p.Account)
			}
			owed[p.Account] = append(owed[p.Account], c)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if n := m.report.Settlement.Receipts; n > 0 {
		m.report.Settlement.GasPerReceipt = gas / uint64(n)
	}
	m.report.results = results
	keys, err := m.keys()
	if err != nil {
		return err
	}
	if err := m.wait(ctx, time.Minute, "the end of the challenge windows", func() (bool, error) {
		now, err := m.d.chain.Client.Now(ctx)
		return now >= opens, err
	}); err != nil {
		return err
	}
	bar := newBar(m.c.err, "claim", len(order))
	defer bar.stop()
	for _, account := range order {
		key := keys[account]
		if key == nil {
			key = m.d.deployer
		}
		if _, err := m.d.chain.Client.As(key).ClaimMany(ctx, owed[account]); err != nil {
			return fmt.Errorf("claim of %s: %w", account, err)
		}
		bar.add()
	}
	m.report.Claims.Accounts = len(order)
	return m.countClaimed(ctx, results)
}

// countClaimed asks the chain what was really paid out.
func (m *demo) countClaimed(ctx context.Context, results []*settle.Result) error {
	for _, r := range results {
		b, err := m.d.chain.Client.Batch(ctx, r.Document.Manifest.Worker, r.Document.Manifest.Nonce)
		if err != nil {
			return err
		}
		m.report.claimed.Add(&m.report.claimed, &b.Claimed)
	}
	return nil
}

// keys are the accounts that claim for themselves.
func (m *demo) keys() (map[protocol.Account]*keystore.Key, error) {
	out := map[protocol.Account]*keystore.Key{}
	for _, key := range m.people {
		out[key.Account()] = key
	}
	delegator, err := m.d.wallet.Key(delegatorKey)
	if err != nil {
		return nil, err
	}
	out[delegator.Account()] = delegator
	for _, w := range m.workers {
		wallet, err := w.home.Wallet("", true)
		if err != nil {
			return nil, err
		}
		owner, err := wallet.Key(ownerKey)
		if err != nil {
			return nil, err
		}
		out[owner.Account()] = owner
	}
	return out, nil
}

// sampled is how many answers are computed again.
const sampled = 3

// check reads every answer's receipt and attribution, and runs some answers again.
func (m *demo) check(ctx context.Context) error {
	var answered []*question
	for _, q := range m.asked {
		if q.err != nil {
			continue
		}
		view, err := m.d.api.Receipt(ctx, q.answer.Receipt)
		if err != nil {
			return err
		}
		q.view = view
		fee := view.Receipt.Fee().Total()
		m.report.fees.Add(&m.report.fees, &fee)
		answered = append(answered, q)
	}
	for i := range min(sampled, len(answered)) {
		q := answered[i*(len(answered)-1)/max(sampled-1, 1)]
		audit, err := m.c.audit(m.cmd, q.view)
		if err != nil {
			return err
		}
		if !audit.OK {
			return protocol.Errorf(protocol.KindCorrupt, "receipt", "%s does not compute again: %+v", audit.Receipt, audit.Steps)
		}
		m.report.Verified++
	}
	return nil
}

// earned is what the settled batches pay to an account.
func (r *demoReport) earned(a protocol.Account) uint256.Int {
	var sum uint256.Int
	for _, res := range r.results {
		for _, p := range res.Payouts {
			if p.Account == a {
				sum.Add(&sum, &p.Amount)
			}
		}
	}
	return sum
}
