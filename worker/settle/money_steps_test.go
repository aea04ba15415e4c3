package settle

import (
	"errors"
	"slices"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// step is one random operation.
func (m *money) step() {
	ctx := m.t.Context()
	payer := m.payers[m.rng.IntN(len(m.payers))]
	staker := []*keystore.Key{m.friend, m.model}[m.rng.IntN(2)]
	worker := m.owner.Account()
	switch m.rng.IntN(31) {
	case 0, 1:
		_, err := m.as(payer).Deposit(ctx, m.wei(5000))
		m.did("deposit", err)
	case 2, 3, 4, 5:
		m.job(payer)
	case 6, 7, 8:
		m.settle()
		if m.chance(3) {
			m.dispute() // while the window is open
		}
	case 9:
		m.crash()
	case 10, 11:
		m.claim()
	case 12:
		have, err := m.client.StakedBy(ctx, worker, staker.Account())
		require.NoError(m.t, err)
		if have.IsZero() || m.chance(3) {
			_, err := m.as(staker).Delegate(ctx, worker, m.wei(20_000))
			m.did("delegate", err)
		} else {
			_, err := m.as(staker).Unbond(ctx, worker, m.wei(10_000))
			m.did("unbond", err)
		}
	case 13:
		list, err := m.client.Unbondings(ctx, staker.Account())
		require.NoError(m.t, err)
		if len(list) > 0 {
			if m.chance(2) {
				m.advance(9 * 24 * time.Hour)
			}
			_, err = m.as(staker).WithdrawStake(ctx, list[0].ID)
			m.did("withdraw stake", err)
		}
	case 14:
		if m.chance(3) {
			v := m.wei(30_000)
			_, err := m.as(m.admin).Call(ctx, "slash", m.client.Addresses().Staking, uint256.Int{}, slashCall.PackSlash(worker, v.ToBig(), m.admin.Account(), 1, 1))
			m.did("slash", err)
		}
	case 15, 20:
		m.withdrawal(payer)
	case 16:
		if m.chance(2) {
			_, err := m.as(m.friend).WrapVotes(ctx, m.wei(9000))
			m.did("wrap", err)
		} else {
			_, err := m.as(m.friend).UnwrapVotes(ctx, m.wei(4000))
			m.did("unwrap", err)
		}
	case 17:
		m.parameter()
	case 18:
		m.advance(time.Duration(1+m.rng.IntN(100_000)) * time.Second)
	case 19:
		m.rewind()
	case 21:
		m.reserve(payer)
	case 22, 23, 24, 25:
		m.dispute()
	case 26:
		m.refunds()
	case 27, 28, 29:
		for range 1 + m.rng.IntN(4) {
			m.epoch()
		}
	case 30:
		m.did("authorize", m.authorize(payer, m.anySession()))
	}
}

// anySession is one of the two keys that sign for every requester.
func (m *money) anySession() *keystore.Key {
	if m.chance(3) {
		return m.second
	}
	return m.session
}

// job serves one job, if the requester can pay it; the process may end between any two
// of its steps.
func (m *money) job(payer *keystore.Key) {
	have, err := m.client.AvailableOf(m.t.Context(), payer.Account())
	require.NoError(m.t, err)
	own, err := m.client.ReserveOf(m.t.Context(), payer.Account(), m.owner.Account())
	require.NoError(m.t, err)
	if own.LowersAt != 0 && own.Target.Lt(&own.Amount) {
		own.Amount = own.Target
	}
	have.Add(&have, &own.Amount)
	open := m.due(payer.Account())
	if need := open.AddUint64(&open, 3e17); have.Lt(need) {
		m.counts["job not taken"]++
		return
	}
	signed := m.sign(payer)
	if m.chance(15) {
		m.crash() // the receipt never came to the disk
		return
	}
	require.NoError(m.t, m.book.AddReceipt(signed))
	if m.chance(15) {
		m.crash()
		m.abandoned++ // the coordinator gives the job to somebody else
		return
	}
	voucher := m.acceptBy(m.anySession(), signed)
	m.owes(signed.Receipt)
	m.pending[signed.Receipt.ID] = payer.Account()
	m.counts["job"]++
	if m.chance(15) {
		m.crash()
		return
	}
	require.NoError(m.t, m.book.AcceptVoucher(voucher, signed.Receipt.ID))
	delete(m.pending, signed.Receipt.ID)
}

// due is what a requester owes by vouchers that are not drawn.
func (m *money) due(requester protocol.Account) uint256.Int {
	var sum uint256.Int
	v, ok, err := m.books.Cumulative(requester, m.owner.Account())
	require.NoError(m.t, err)
	if !ok {
		return sum
	}
	drawn, err := m.client.DrawnOf(m.t.Context(), requester, m.owner.Account())
	require.NoError(m.t, err)
	sum.Sub(&v.Voucher.Cumulative, &drawn)
	return sum
}

// collectVouchers asks the coordinator for the vouchers that a crash kept from the worker.
func (m *money) collectVouchers() {
	ids := make([]protocol.Hash, 0, len(m.pending))
	for id := range m.pending {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, protocol.Hash.Cmp)
	for _, id := range ids {
		v, ok, err := m.books.Cumulative(m.pending[id], m.owner.Account())
		require.NoError(m.t, err)
		require.True(m.t, ok, "the coordinator lost a voucher")
		require.NoError(m.t, m.book.AcceptVoucher(v, id))
		delete(m.pending, id)
	}
}

// settle sends what is ready; the process may end at any step of it.
func (m *money) settle() {
	m.collectVouchers()
	var err error
	require.Eventually(m.t, func() bool {
		_, err = m.service.Flush(m.t.Context())
		return protocol.KindOf(err) != protocol.KindBusy
	}, time.Minute, 5*time.Millisecond)
	if errors.Is(err, errKilled) {
		m.counts["killed while settling"]++
		m.crash()
		return
	}
	m.did("settle", err)
}

// settleAll brings every accepted receipt to the chain.
func (m *money) settleAll() {
	for range 200 {
		m.settle()
		left, err := m.book.Receipts(store.ReceiptVouchered, 0)
		require.NoError(m.t, err)
		batched, err := m.book.Receipts(store.ReceiptBatched, 0)
		require.NoError(m.t, err)
		if len(left)+len(batched)+len(m.pending) == 0 {
			return
		}
		// The stake may cover no more than what waits in windows and disputes.
		m.rehabilitate()
		m.advance(time.Hour)
	}
	require.Fail(m.t, "receipts cannot be settled", "run %d: %v", m.seed, m.service.Blocked())
}

func (m *money) claims() *Claims {
	return &Claims{Chain: m.client, Blocks: m.blocks, Checks: m.checks()}
}

// claim claims what some account is owed, for whoever it is, and may do it twice.
func (m *money) claim() {
	ctx := m.t.Context()
	together := m.chance(2)
	if !m.chance(4) {
		window, err := m.client.ChallengeWindow(ctx)
		require.NoError(m.t, err)
		m.advance(time.Duration(window+1) * time.Second)
	}
	head, now := m.chain.Head()
	from := head - min(head, 200)
	everybody := append([]protocol.Account{m.payout, m.model.Account(), m.friend.Account(), m.owner.Account(), m.datanet.Pool, m.client.Addresses().Treasury}, m.people...)
	who := everybody[m.rng.IntN(len(everybody))]
	if together {
		_, n, err := m.claims().Claim(ctx, m.as(m.admin), who, from, now)
		m.did("claim many", err)
		m.counts["claims in it"] += n
		return
	}
	earnings, _, err := m.claims().Earnings(ctx, who, from)
	require.NoError(m.t, err)
	for _, e := range earnings {
		if e.ClaimableAt > now && !m.chance(5) || e.Claimed && !m.chance(5) {
			continue
		}
		_, err := m.as(m.admin).Claim(ctx, e.Claim)
		if e.Claimed {
			require.Error(m.t, err, "a payout was paid twice")
		}
		m.did("claim", err)
	}
}

func (m *money) withdrawal(payer *keystore.Key) {
	ctx := m.t.Context()
	w, err := m.client.WithdrawalOf(ctx, payer.Account())
	require.NoError(m.t, err)
	switch {
	case w.Amount.IsZero():
		_, err = m.as(payer).RequestWithdrawal(ctx, m.wei(3000))
		m.did("request withdrawal", err)
	case m.chance(4):
		_, err = m.as(payer).CancelWithdrawal(ctx)
		m.did("cancel withdrawal", err)
	default:
		m.settleAll() // an honest worker draws within the delay
		if !m.chance(4) {
			m.advance(60 * time.Hour)
		}
		_, err = m.as(payer).ExecuteWithdrawal(ctx)
		m.did("execute withdrawal", err)
	}
}

// parameter changes one governed number.
func (m *money) parameter() {
	ctx := m.t.Context()
	n := func(from, to int) uint256.Int { return *uint256.NewInt(uint64(from + m.rng.IntN(to-from))) }
	choices := []struct {
		name   string
		values []uint256.Int
	}{
		{"escrow.withdrawal_delay", []uint256.Int{n(3600, 200_000)}},
		{"settlement.challenge_window", []uint256.Int{n(1, 3600)}},
		{"settlement.cover", []uint256.Int{n(5000, 15_000)}},
		{"settlement.cover", []uint256.Int{n(2, 20)}}, // what waits then bounds slashes, too
		{"staking.unbonding", []uint256.Int{n(4000, 700_000)}},
		{"fees.shares", []uint256.Int{n(500, 501), n(2500, 2501), n(1500, 1501), n(5500, 5501)}},
		{"fees.shares", []uint256.Int{n(1000, 1001), n(2000, 2001), n(2000, 2001), n(5000, 5001)}},
		{"disputes.penalties", []uint256.Int{n(1, 100), n(0, 5000), n(0, 5000), n(0, 2000)}},
		{"disputes.penalties", []uint256.Int{n(100, 9900), n(0, 5000), n(0, 5000), n(0, 2000)}},
	}
	c := choices[m.rng.IntN(len(choices))]
	i := slices.IndexFunc(chain.Settings(), func(s chain.Setting) bool { return s.Name == c.name })
	require.GreaterOrEqual(m.t, i, 0, c.name)
	a, err := chain.Settings()[i].Action(m.client.Addresses(), c.values)
	require.NoError(m.t, err)
	_, err = m.as(m.admin).Call(ctx, "change "+c.name, a.To, a.Value, a.Data)
	m.did("parameter", err)
}

func (m *money) advance(d time.Duration) {
	require.Eventually(m.t, func() bool {
		m.quiet()
		err := m.chain.AdvanceTime(d)
		if err != nil {
			require.Equal(m.t, protocol.KindBusy, protocol.KindOf(err), "%v", err)
		}
		return err == nil
	}, time.Minute, time.Millisecond)
	m.counts["advance"]++
}

// rewind gives up newest blocks, down to those that the ledger has replayed; their
// transactions come again in other blocks, at other times, where some will fail.
func (m *money) rewind() {
	deepest := uint64(1 + m.rng.IntN(12))
	require.Eventually(m.t, func() bool { // what a node's pool says may be a moment old
		head := m.quiet()
		if head < m.next {
			return true
		}
		err := m.chain.Rewind(min(deepest, head-m.next+1))
		if err != nil {
			require.Equal(m.t, protocol.KindBusy, protocol.KindOf(err), "%v", err)
		}
		return err == nil
	}, time.Minute, time.Millisecond)
	m.counts["reorganisation"]++
	m.quiet()
}

// leave has everybody take out what is theirs.
func (m *money) leave() {
	ctx, t := m.t.Context(), m.t
	ok := func(_ chain.Tx, err error) { t.Helper(); require.NoError(t, err, "run %d", m.seed) }
	m.rehabilitate()
	m.settleAll()
	m.refunds()
	m.advance(2 * time.Hour) // the longest window
	m.endEpoch()
	m.claimAll()
	m.claimEpochs(true)
	m.collectAll()
	for _, p := range m.payers {
		left, err := m.client.EscrowOf(ctx, p.Account())
		require.NoError(t, err)
		if !left.IsZero() {
			ok(m.as(p).RequestWithdrawal(ctx, left))
		}
		for _, w := range []protocol.Account{m.owner.Account(), m.friend.Account()} {
			r, err := m.client.ReserveOf(ctx, p.Account(), w)
			require.NoError(t, err)
			if !r.Amount.IsZero() {
				ok(m.as(p).Reserve(ctx, w, uint256.Int{}))
			}
		}
	}
	worker := m.owner.Account()
	stakers := []*keystore.Key{m.friend, m.model, m.owner}
	var all uint256.Int
	all.SetAllOne()
	for _, k := range stakers {
		have, err := m.client.StakedBy(ctx, worker, k.Account())
		require.NoError(t, err)
		if !have.IsZero() {
			ok(m.as(k).Unbond(ctx, worker, all))
		}
	}
	m.advance(9 * 24 * time.Hour)
	for _, p := range m.payers {
		for _, w := range []protocol.Account{m.owner.Account(), m.friend.Account()} {
			r, err := m.client.ReserveOf(ctx, p.Account(), w)
			require.NoError(t, err)
			if r.LowersAt != 0 {
				ok(m.as(m.admin).ReleaseReserve(ctx, p.Account(), w))
			}
		}
		w, err := m.client.WithdrawalOf(ctx, p.Account())
		require.NoError(t, err)
		if !w.Amount.IsZero() {
			ok(m.as(p).ExecuteWithdrawal(ctx))
		}
	}
	for _, k := range stakers {
		list, err := m.client.Unbondings(ctx, k.Account())
		require.NoError(t, err)
		for _, u := range list {
			ok(m.as(k).WithdrawStake(ctx, u.ID))
		}
	}
	if owed := m.ledgerProceeds(); !owed.IsZero() {
		ok(m.as(m.admin).Call(ctx, "collect", m.client.Addresses().Staking, uint256.Int{}, slashCall.PackCollect()))
	}
	voice, err := m.client.VoiceOf(ctx, m.friend.Account())
	require.NoError(t, err)
	if !voice.Balance.IsZero() {
		ok(m.as(m.friend).UnwrapVotes(ctx, voice.Balance))
	}
	m.audit()
}

func (m *money) ledgerProceeds() uint256.Int {
	out, err := m.client.View(m.t.Context(), "read proceeds", m.client.Addresses().Staking, slashCall.PackProceedsOf(m.admin.Account()))
	require.NoError(m.t, err)
	return *new(uint256.Int).SetBytes(out)
}

// claimAll claims every payout of the batches that no earlier run has claimed.
func (m *money) claimAll() {
	ctx := m.t.Context()
	next, err := m.client.NextNonce(ctx, m.owner.Account())
	require.NoError(m.t, err)
	var due []chain.Claim
	for n := m.batches; n < next; n++ {
		b, err := m.client.Batch(ctx, m.owner.Account(), n)
		require.NoError(m.t, err)
		if b.Status == chain.BatchRejected {
			continue
		}
		r, err := Recompute(ctx, m.blocks, b.DataDigest, m.checks())
		require.NoError(m.t, err)
		require.Equal(m.t, b.Root, r.Root)
		for _, p := range r.Payouts {
			c, found, err := r.Claim(p.Account)
			require.NoError(m.t, err)
			require.True(m.t, found)
			due = append(due, c)
		}
	}
	if len(due) > 0 {
		_, err = m.as(m.admin).ClaimMany(ctx, due)
		require.NoError(m.t, err)
	}
}

// audit compares the worker's and the coordinator's books with the chain: every receipt
// that the coordinator accepted is settled once, and each requester paid their fees.
func (m *money) audit() {
	ctx := m.t.Context()
	counts, err := m.book.CountReceipts()
	require.NoError(m.t, err)
	next, err := m.client.NextNonce(ctx, m.owner.Account())
	require.NoError(m.t, err)
	records, err := m.book.Batches(m.owner.Account())
	require.NoError(m.t, err)
	require.Len(m.t, records, int(next), "run %d", m.seed)
	seen := map[protocol.Hash]bool{}
	for _, b := range records {
		require.Equal(m.t, store.BatchSettled, b.Status)
		for _, id := range b.Receipts {
			require.False(m.t, seen[id], "run %d: receipt %s is settled twice", m.seed, id)
			seen[id] = true
		}
	}
	require.Len(m.t, seen, counts[store.ReceiptSettled])
	require.Zero(m.t, counts[store.ReceiptVouchered]+counts[store.ReceiptBatched])
	require.Equal(m.t, m.abandoned, counts[store.ReceiptSigned], "run %d: receipts that nobody accepted", m.seed)
	for _, p := range m.payers {
		drawn, err := m.client.DrawnOf(ctx, p.Account(), m.owner.Account())
		require.NoError(m.t, err)
		require.Equal(m.t, m.perUser[p.Account()].Dec(), drawn.Dec(), "run %d: %s paid its fees", m.seed, p.Account())
	}
	m.batches = next
}
