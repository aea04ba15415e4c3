package settle

import (
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
)

// epoch takes the making of an epoch one step on, or claims what epochs owe.
func (m *money) epoch() {
	ctx := m.t.Context()
	live, _, err := m.client.CurrentEpochs(ctx)
	require.NoError(m.t, err)
	if live == 0 {
		if m.chance(2) {
			m.claimEpochs(m.chance(2))
			return
		}
		if list := m.claimable(); len(list) > 0 {
			_, err = m.as(m.friend).OpenEpoch(ctx, m.params.Epochs.Bond, list[:1+m.rng.IntN(len(list))])
			m.did("open an epoch", err)
		}
		return
	}
	e, err := m.client.Epoch(ctx, live)
	require.NoError(m.t, err)
	m.makeEpoch(e, m.chance(10))
}

// makeEpoch takes an epoch one step on. A late proposer lets the time to commit pass.
func (m *money) makeEpoch(e chain.Epoch, late bool) {
	ctx := m.t.Context()
	_, now := m.chain.Head()
	switch e.Stage {
	case chain.EpochBuilding:
		switch {
		case now >= e.Deadline:
			_, err := m.as(m.admin).AbandonEpoch(ctx, e.ID)
			m.did("abandon an epoch", err)
		case late:
			m.advance(time.Duration(e.Deadline-now) * time.Second)
		case m.chance(3):
			if list := m.claimable(); len(list) > 0 {
				_, err := m.as(m.friend).AddToEpoch(ctx, e.ID, list)
				m.did("add to an epoch", err)
			}
		default:
			// What its batches had left has to stay what it is.
			m.check("before an epoch's root")
			_, err := m.as(m.friend).CommitEpoch(ctx, e.ID, m.tree(e.ID).Root(), protocol.Hash{1})
			m.did("commit an epoch", err)
			if m.chance(3) {
				_, _, err = m.as(m.admin).ChallengeEpoch(ctx, e.ID, 1, protocol.Hash{1})
				m.did("challenge an epoch", err)
			}
		}
	case chain.EpochProposed:
		if now < e.Deadline {
			m.advance(time.Duration(e.Deadline-now) * time.Second)
		}
		m.finalise(e)
	case chain.EpochDisputed: // until it is judged
	}
}

// claimable are batches of which something is left.
func (m *money) claimable() (out []chain.BatchRef) {
	ctx := m.t.Context()
	next, err := m.client.NextNonce(ctx, m.owner.Account())
	require.NoError(m.t, err)
	for n := m.batches; n < next; n++ {
		b, err := m.client.Batch(ctx, m.owner.Account(), n)
		require.NoError(m.t, err)
		if b.Status == chain.BatchClaimable && b.Claimed.Lt(&b.Total) {
			out = append(out, chain.BatchRef{Worker: m.owner.Account(), Nonce: n})
		}
	}
	return out
}

// tree is that of the newest finalised epoch, and what the epoch's batches have left.
func (m *money) tree(id uint32) *payout.CumulativeTree {
	ctx := m.t.Context()
	d, err := m.client.Distribution(ctx)
	require.NoError(m.t, err)
	held, err := m.client.EpochBatches(ctx, id)
	require.NoError(m.t, err)
	var shares []payout.Share
	for _, h := range held {
		b, err := m.client.Batch(ctx, h.Worker, h.Nonce)
		require.NoError(m.t, err)
		r, err := Recompute(ctx, m.blocks, b.DataDigest, m.checks())
		require.NoError(m.t, err)
		for i, p := range r.Payouts {
			claimed, err := m.client.IsClaimed(ctx, h.Worker, h.Nonce, uint32(i))
			require.NoError(m.t, err)
			if !claimed {
				shares = append(shares, payout.Share{Account: p.Account, Amount: p.Amount})
			}
		}
	}
	owed, err := payout.Aggregate(shares)
	require.NoError(m.t, err)
	payouts, err := payout.Accumulate(m.trees[d.Root], owed)
	require.NoError(m.t, err)
	t, err := payout.NewCumulativeTree(payouts)
	require.NoError(m.t, err)
	m.trees[t.Root()] = payouts
	return t
}

// finalise sweeps some of an epoch's batches, or all that are left.
func (m *money) finalise(e chain.Epoch) {
	ctx := m.t.Context()
	held, err := m.client.EpochBatches(ctx, e.ID)
	require.NoError(m.t, err)
	var list []chain.BatchRef
	for _, h := range held {
		b, err := m.client.Batch(ctx, h.Worker, h.Nonce)
		require.NoError(m.t, err)
		if b.Status != chain.BatchSwept {
			list = append(list, h.BatchRef)
		}
	}
	if len(list) > 1 && m.chance(2) {
		list = list[:len(list)/2]
	}
	_, err = m.as(m.admin).FinaliseEpoch(ctx, e.ID, list)
	m.did("finalise an epoch", err)
}

// claimEpochs claims what epochs owe to everybody, or to one account: each by itself, or
// all in one transaction. Who has had theirs is among them now and then.
func (m *money) claimEpochs(all bool) {
	ctx := m.t.Context()
	d, err := m.client.Distribution(ctx)
	require.NoError(m.t, err)
	payouts := m.trees[d.Root]
	if len(payouts) == 0 {
		return
	}
	t, err := payout.NewCumulativeTree(payouts)
	require.NoError(m.t, err)
	if !all {
		i := m.rng.IntN(len(payouts))
		payouts = payouts[i : i+1]
	}
	together := m.chance(2)
	var many []chain.EpochClaim
	due := map[protocol.Account]uint256.Int{}
	for _, p := range payouts {
		had, err := m.client.EpochsClaimed(ctx, p.Account)
		require.NoError(m.t, err)
		if had.Eq(&p.Amount) && !m.chance(10) {
			continue
		}
		cumulative, proof, ok := t.Proof(p.Account)
		require.True(m.t, ok)
		c := chain.EpochClaim{Account: p.Account, Cumulative: cumulative, Proof: proof}
		if together {
			many = append(many, c)
			if !had.Eq(&p.Amount) {
				due[p.Account] = *new(uint256.Int).Sub(&p.Amount, &had)
			}
			continue
		}
		_, err = m.as(m.admin).ClaimEpochs(ctx, c)
		if had.Eq(&p.Amount) {
			require.Error(m.t, err, "run %d: epochs paid %s twice", m.seed, p.Account)
		}
		m.did("claim from epochs", err)
	}
	if len(many) > 0 {
		m.claimEpochsTogether(many, due)
	}
}

// claimEpochsTogether pays nobody who is not due, and leaves nobody who is.
func (m *money) claimEpochsTogether(claims []chain.EpochClaim, due map[protocol.Account]uint256.Int) {
	ctx := m.t.Context()
	sent, err := m.as(m.admin).ClaimEpochsMany(ctx, claims)
	m.did("claim from epochs together", err)
	for _, tx := range sent {
		paid, err := m.client.EpochsPaid(tx)
		require.NoError(m.t, err)
		for _, p := range paid {
			want, ok := due[p.Account]
			require.True(m.t, ok, "run %d: epochs paid %s twice", m.seed, p.Account)
			require.Equal(m.t, want.Dec(), p.Amount.Dec(), "run %d: to %s", m.seed, p.Account)
			delete(due, p.Account)
		}
	}
	if err != nil {
		return
	}
	// A claim that a reorganisation took out may have come back before this one.
	for _, c := range claims {
		had, err := m.client.EpochsClaimed(ctx, c.Account)
		require.NoError(m.t, err)
		require.Equal(m.t, c.Cumulative.Dec(), had.Dec(), "run %d: %s", m.seed, c.Account)
	}
}

// endEpoch brings the epoch under way to its end.
func (m *money) endEpoch() {
	for range 100 {
		live, _, err := m.client.CurrentEpochs(m.t.Context())
		require.NoError(m.t, err)
		if live == 0 {
			return
		}
		e, err := m.client.Epoch(m.t.Context(), live)
		require.NoError(m.t, err)
		m.makeEpoch(e, false)
	}
	require.Fail(m.t, "an epoch does not end", "run %d", m.seed)
}
