package settle

import (
	"math/big"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// validatorBond is what each validator puts in at least.
const validatorBond = 2000

// reserve sets money aside for the worker or for another one, lowers that, or frees it.
// It leaves what vouchers that are not drawn need: for more the worker would not serve.
func (m *money) reserve(payer *keystore.Key) {
	ctx := m.t.Context()
	worker := []protocol.Account{m.owner.Account(), m.friend.Account()}[m.rng.IntN(2)]
	have, err := m.client.ReserveOf(ctx, payer.Account(), worker)
	require.NoError(m.t, err)
	switch {
	case have.LowersAt != 0 && m.chance(2):
		_, err = m.as(m.admin).ReleaseReserve(ctx, payer.Account(), worker)
		m.did("release a reserve", err)
	case !have.Amount.IsZero() && m.chance(2):
		var less uint256.Int
		if !m.chance(3) {
			less.Rsh(&have.Amount, 1)
		}
		_, err = m.as(payer).Reserve(ctx, worker, less)
		m.did("lower a reserve", err)
	default:
		free, err := m.client.AvailableOf(ctx, payer.Account())
		require.NoError(m.t, err)
		due := m.due(payer.Account())
		if more := m.wei(2000); !free.Lt(due.Add(&due, &more)) {
			_, err = m.as(payer).Reserve(ctx, worker, *more.Add(&more, &have.Amount))
			m.did("reserve", err)
		}
	}
}

// openDispute is the dispute that is not decided, if there is one.
func (m *money) openDispute() (chain.Dispute, bool) {
	list, err := m.client.Disputes(m.t.Context(), m.judged+1)
	require.NoError(m.t, err)
	for _, d := range list {
		if d.Status.Open() {
			return d, true
		}
	}
	return chain.Dispute{}, false
}

// dispute challenges a batch in its window, or takes the dispute that is open one step
// on: reorganisations bring it back to any of them.
func (m *money) dispute() {
	ctx := m.t.Context()
	if d, open := m.openDispute(); open {
		m.judge(d)
		return
	}
	next, err := m.client.NextNonce(ctx, m.owner.Account())
	require.NoError(m.t, err)
	for n := next; n > max(m.batches, next-min(next, 4)); n-- {
		b, err := m.client.Batch(ctx, m.owner.Account(), n-1)
		require.NoError(m.t, err)
		if b.Status == chain.BatchPending {
			_, _, err = m.as(m.admin).Challenge(ctx, m.owner.Account(), n-1, protocol.DisputeReason(1+m.rng.IntN(7)), protocol.Hash{1})
			m.did("challenge", err)
			return
		}
	}
}

// judge takes a dispute one step on.
func (m *money) judge(d chain.Dispute) {
	ctx := m.t.Context()
	_, now := m.chain.Head()
	switch {
	case now > d.Deadline:
		_, err := m.as(m.friend).Advance(ctx, d.ID)
		m.did("advance a dispute", err)
	case m.chance(8): // nobody comes
		m.advance(time.Duration(d.Deadline-now+1) * time.Second)
	case d.Status == chain.DisputeWaiting:
		_, err := m.as(m.friend).Send(ctx, m.friend.Account(), uint256.Int{}) // a block
		require.NoError(m.t, err)
		_, err = m.as(m.friend).Draw(ctx, d.ID)
		m.did("draw a committee", err)
	default:
		m.vote(d)
	}
}

// vote brings the verdicts of some of a committee's members.
func (m *money) vote(d chain.Dispute) {
	ctx := m.t.Context()
	seats, err := m.client.Seats(ctx, d.ID)
	require.NoError(m.t, err)
	v := protocol.Verdict{Dispute: d.ID, Worker: d.Worker, Nonce: d.Nonce, DataDigest: d.DataDigest}
	if v.Guilty = m.chance(2); v.Guilty {
		v.Reason = protocol.DisputeReason(1 + m.rng.IntN(7))
	}
	var list []protocol.SignedVerdict
	for _, s := range seats {
		if s.Vote != chain.VoteNone || m.chance(4) {
			continue
		}
		signed, err := wire.SignVerdict(m.domain(m.client.Addresses().Disputes), v, m.validator(s.Member).ECDSA())
		require.NoError(m.t, err)
		list = append(list, signed)
	}
	if len(list) == 0 {
		return
	}
	_, err = m.as(m.friend).SubmitVerdict(ctx, list...)
	m.did("verdict", err)
	if now, err := m.client.Dispute(ctx, d.ID); err == nil && !now.Status.Open() {
		m.counts["dispute "+string(now.Status)]++
	}
}

func (m *money) validator(a protocol.Account) *keystore.Key {
	for _, k := range m.validators {
		if k.Account() == a {
			return k
		}
	}
	require.Fail(m.t, "a stranger sits in the committee", "%s", a)
	return nil
}

// refunds refunds the batches that were rejected. What requesters got back they may
// spend, so it has to stay: these blocks are not given up.
func (m *money) refunds() {
	ctx := m.t.Context()
	next, err := m.client.NextNonce(ctx, m.owner.Account())
	require.NoError(m.t, err)
	for n := m.batches; n < next; n++ {
		b, err := m.client.Batch(ctx, m.owner.Account(), n)
		require.NoError(m.t, err)
		if b.Status != chain.BatchRejected || b.Refunded {
			continue
		}
		_, err = m.as(m.friend).Refund(ctx, m.owner.Account(), n)
		m.did("refund", err)
		_, err = m.as(m.friend).Refund(ctx, m.owner.Account(), n)
		require.Error(m.t, err, "run %d: batch %d was refunded twice", m.seed, n)
		m.check("after a refund")
	}
}

// rehabilitate ends what is disputed and has a worker that was convicted come back.
func (m *money) rehabilitate() {
	ctx := m.t.Context()
	for range 100 {
		d, undecided := m.openDispute()
		if !undecided {
			break
		}
		m.judge(d)
	}
	_, undecided := m.openDispute()
	require.False(m.t, undecided, "run %d: a dispute does not end", m.seed)
	until, err := m.client.Jail(ctx, m.owner.Account())
	require.NoError(m.t, err)
	if until.IsZero() {
		return
	}
	if _, now := m.chain.Head(); until.Unix() > now {
		m.advance(time.Duration(until.Unix()-now) * time.Second)
	}
	_, err = m.as(m.owner).Unjail(ctx, m.owner.Account())
	m.did("leave jail", err)
	_, err = m.as(m.owner).EnsureBond(ctx, open(5000))
	require.NoError(m.t, err)
}

// collectAll pays out what disputes and epochs have credited.
func (m *money) collectAll() {
	ctx := m.t.Context()
	for _, a := range m.creditors() {
		owed, err := m.client.DisputeCredit(ctx, a)
		require.NoError(m.t, err)
		if !owed.IsZero() {
			_, err = m.as(m.admin).CollectDisputes(ctx, a)
			require.NoError(m.t, err)
		}
		owed, err = m.client.EpochCredit(ctx, a)
		require.NoError(m.t, err)
		if !owed.IsZero() {
			_, err = m.as(m.admin).CollectBonds(ctx, a)
			require.NoError(m.t, err)
		}
	}
}

// creditors are whom disputes and epochs may owe something.
func (m *money) creditors() []protocol.Account {
	out := []protocol.Account{m.owner.Account(), m.friend.Account(), m.admin.Account(), m.client.Addresses().Treasury}
	for _, v := range m.validators {
		out = append(out, v.Account())
	}
	return out
}

// checkDisputes compares reserves, credits and bonds with the ledger.
func (m *money) checkDisputes(head uint64, equal equals) {
	ctx, l, c := m.t.Context(), m.ledger, m.client.At(head)
	for _, p := range m.payers {
		got, err := c.ReservedOf(ctx, p.Account())
		equal(new(big.Int).Sub(amount(l.escrow, p.Account()), l.freeOf(p.Account())), got, err, "reserved by", p.Account())
	}
	for _, v := range m.validators {
		got, err := c.Validator(ctx, v.Account())
		equal(l.disputes.bonds[v.Account()], got.Bond, err, "bond of", v.Account())
	}
	for _, a := range m.creditors() {
		got, err := c.DisputeCredit(ctx, a)
		equal(l.disputes.credits[a], got, err, "what disputes owe", a)
		got, err = c.EpochCredit(ctx, a)
		equal(l.epochCredits[a], got, err, "what epochs owe", a)
	}
}
