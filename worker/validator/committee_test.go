package validator

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// An honest batch that a hostile challenger accuses stands: its worker loses nothing and
// gets of the challenger's bond, and so do the members.
func TestHostileChallenger(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t)
	watchers := w.validators(4)
	x := w.worker()
	x.honest()
	for _, v := range watchers {
		require.NoError(t, v.Step(ctx))
		b, err := v.Journal().Batch(x.owner.Account(), 0)
		require.NoError(t, err)
		require.Equal(t, Valid, b.Status)
		require.Equal(t, 2, b.Finding.Rerun)
	}
	hostile := key(t, "hostile")
	bond, err := w.client.ChallengeBond(ctx, x.owner.Account(), 0)
	require.NoError(t, err)
	// What it shows the committee names a receipt and says that its output is wrong.
	mine, err := watchers[0].Journal().Batch(x.owner.Account(), 0)
	require.NoError(t, err)
	f := *mine.Finding
	f.Guilty, f.Reason, f.Receipt, f.Detail = true, output, protocol.Hash{1}, "it looks wrong"
	raw, err := json.Marshal(&ChallengeDocument{Format: ChallengeFormat, Finding: f})
	require.NoError(t, err)
	evidence, err := w.blocks.Put(ctx, raw)
	require.NoError(t, err)
	_, _, err = w.client.As(hostile).Challenge(ctx, x.owner.Account(), 0, output, evidence)
	require.NoError(t, err)

	d := w.decided(watchers, x, 0)
	require.Equal(t, chain.DisputeUpheld, d.Status)
	stake, err := w.client.StakeOf(ctx, x.owner.Account())
	require.NoError(t, err)
	require.Equal(t, open(1000), stake.Own, "nothing is slashed")
	jail, err := w.client.Jail(ctx, x.owner.Account())
	require.NoError(t, err)
	require.True(t, jail.IsZero())
	credit, err := w.client.DisputeCredit(ctx, x.owner.Account())
	require.NoError(t, err)
	require.False(t, credit.IsZero(), "the worker gets of the bond")
	lost, err := w.client.DisputeCredit(ctx, hostile.Account())
	require.NoError(t, err)
	require.True(t, lost.IsZero(), "the challenger does not")
	paid := credit
	for _, v := range watchers {
		got, err := w.client.DisputeCredit(ctx, v.key.Account())
		require.NoError(t, err)
		paid.Add(&paid, &got)
		is, err := w.client.Validator(ctx, v.key.Account())
		require.NoError(t, err)
		rules, err := w.client.ValidatorRules(ctx)
		require.NoError(t, err)
		require.Equal(t, bondOf(rules), is.Bond, "no honest validator loses anything")
	}
	require.Equal(t, bond.Dec(), paid.Dec(), "the bond is shared to the wei")

	b, err := w.client.Batch(ctx, x.owner.Account(), 0)
	require.NoError(t, err)
	require.Equal(t, chain.BatchPending, b.Status)
	require.NoError(t, w.chain.AdvanceTime(time.Duration(w.params.Settlement.ChallengeWindowSeconds+60)*time.Second))
	b, err = w.client.Batch(ctx, x.owner.Account(), 0)
	require.NoError(t, err)
	require.Equal(t, chain.BatchClaimable, b.Status)
}

// A member that lies is outvoted, whichever way it lies.
func TestAMinorityOfTheCommitteeLies(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t)
	watchers := w.validators(4)
	hostile := key(t, "hostile")
	for name, tt := range map[string]struct {
		lie
		want chain.DisputeStatus
	}{
		"about a liar":          {lie: lie{submit: func(s *chain.Submission) { s.Root[0]++ }}, want: chain.DisputeGuilty},
		"about an honest batch": {want: chain.DisputeUpheld},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			x := w.worker()
			x.settle(tt.lie, x.entry(w.plain, tt.lie))
			id, _, err := w.client.As(hostile).Challenge(ctx, x.owner.Account(), 0, arithmetic, protocol.Hash{})
			require.NoError(t, err)
			_, err = w.client.As(hostile).Draw(ctx, id)
			require.NoError(t, err)
			seats, err := w.client.Seats(ctx, id)
			require.NoError(t, err)
			var honest []*watcher
			for _, v := range watchers {
				if v.key.Account() != seats[0].Member {
					honest = append(honest, v)
					continue
				}
				d, err := w.client.Dispute(ctx, id)
				require.NoError(t, err)
				verdict := protocol.Verdict{Dispute: id, Worker: d.Worker, DataDigest: d.DataDigest, Guilty: tt.want == chain.DisputeUpheld}
				if verdict.Guilty {
					verdict.Reason = attribution
				}
				signed, err := wire.SignVerdict(w.domain(w.client.Addresses().Disputes), verdict, v.key.ECDSA())
				require.NoError(t, err)
				_, err = w.client.As(v.key).SubmitVerdict(ctx, signed)
				require.NoError(t, err)
			}
			d := w.decided(honest, x, 0)
			require.Equal(t, tt.want, d.Status)
			stake, err := w.client.StakeOf(ctx, x.owner.Account())
			require.NoError(t, err)
			bond := open(1000)
			require.Equal(t, tt.want == chain.DisputeGuilty, stake.Own.Lt(&bond))
		})
	}
	w.t = t
}

// A committee that does not vote is replaced, and when nobody does, the batch stands.
func TestNobodyVotes(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t)
	watchers := w.validators(4)
	x := w.worker()
	x.settle(lie{}, x.entry(w.plain, lie{}))
	hostile := key(t, "hostile")
	id, _, err := w.client.As(hostile).Challenge(ctx, x.owner.Account(), 0, output, protocol.Hash{})
	require.NoError(t, err)
	_, err = w.client.As(hostile).Draw(ctx, id)
	require.NoError(t, err)
	require.NoError(t, w.chain.AdvanceTime(time.Duration(w.params.Disputes.VotingSeconds+1)*time.Second))
	require.NoError(t, watchers[0].Step(ctx)) // ends the round
	d, err := w.client.Dispute(ctx, id)
	require.NoError(t, err)
	require.EqualValues(t, 1, d.Round)
	d = w.decided(watchers, x, 0)
	require.Equal(t, chain.DisputeUpheld, d.Status)
}

var errKilled = errors.New("killed")

// mortal is a validator that dies before every step once, on a disk that loses what was
// not synced, and comes back.
type mortal struct {
	*world
	key    *keystore.Key
	others []*watcher // take a turn whenever it has come through one
	fs     *vfs.MemFS
	rng    *rand.Rand
	killed map[string]int
}

// mortal joins the validators.
func (w *world) mortal(others []*watcher) *mortal {
	m := &mortal{world: w, key: key(w.t, "victim"), others: others, fs: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(7, 8)), killed: map[string]int{}}
	rules, err := w.client.ValidatorRules(w.t.Context())
	require.NoError(w.t, err)
	_, err = w.client.As(m.key).EnsureJoined(w.t.Context(), rules.MinBond)
	require.NoError(w.t, err)
	return m
}

// run takes steps, dying before every step once, until done says so.
func (m *mortal) run(done func() bool) {
	t := m.t
	t.Helper()
	var mu sync.Mutex // batches and epochs are judged side by side
	died := map[string]bool{}
	for range 40 {
		db := openStore(t, m.fs)
		s := m.service(db, m.key, func(c *Config) {
			c.step = func(at string) error {
				mu.Lock()
				defer mu.Unlock()
				if !died[at] {
					died[at] = true
					m.killed[at]++
					return errKilled
				}
				return nil
			}
		})
		err := s.Step(t.Context())
		crashed := m.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 30, RNG: m.rng})
		require.NoError(t, db.Close())
		m.fs = crashed
		if err != nil {
			require.ErrorIs(t, err, errKilled)
			continue
		}
		if done() {
			return
		}
		for _, v := range m.others {
			require.NoError(t, v.Step(t.Context()))
		}
	}
	require.Fail(t, "not done")
}

// journal opens what the last crash left.
func (m *mortal) journal(look func(*Journal)) {
	db := openStore(m.t, m.fs)
	defer func() { require.NoError(m.t, db.Close()) }()
	look(NewJournal(db))
}

// A validator that dies before any write or transaction goes on where it was: it
// challenges once, and signs one verdict.
func TestKilledAtAnyStep(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t)
	m := w.mortal(w.validators(4))
	hostile := key(t, "hostile")
	liar := w.worker()
	liar.settle(lie{}, liar.entry(w.plain, lie{submit: nil, signed: func(s *protocol.SignedReceipt) { *s = w.resign(*s, hostile) }}))
	m.run(func() bool {
		last, count, err := w.client.DisputeOf(ctx, liar.owner.Account(), 0)
		require.NoError(t, err)
		if last == 0 {
			return false
		}
		require.EqualValues(t, 1, count)
		d, err := w.client.Dispute(ctx, last)
		require.NoError(t, err)
		require.Equal(t, m.key.Account(), d.Challenger)
		b, err := w.client.Batch(ctx, liar.owner.Account(), 0)
		require.NoError(t, err)
		return d.Status == chain.DisputeGuilty && b.Refunded
	})
	// With three of five drawn it sits sooner or later.
	for i := 0; m.killed["send verdict"] == 0; i++ {
		require.Less(t, i, 12)
		x := w.worker()
		x.settle(lie{}, x.entry(w.plain, lie{}))
		m.run(func() (valid bool) {
			m.journal(func(j *Journal) {
				b, err := j.Batch(x.owner.Account(), 0)
				valid = err == nil && b.Status == Valid
			})
			return valid
		})
		_, _, err := w.client.As(hostile).Challenge(ctx, x.owner.Account(), 0, output, protocol.Hash{})
		require.NoError(t, err)
		m.run(func() bool {
			last, _, err := w.client.DisputeOf(ctx, x.owner.Account(), 0)
			require.NoError(t, err)
			d, err := w.client.Dispute(ctx, last)
			require.NoError(t, err)
			return d.Status == chain.DisputeUpheld
		})
	}
	for _, at := range []string{"ingest", "note guilty", "note challenging", "send challenge", "note challenged", "note valid", "draw", "note verdict", "send verdict"} {
		require.Positive(t, m.killed[at], at)
	}
	m.journal(func(j *Journal) {
		verdicts, err := j.Verdicts()
		require.NoError(t, err)
		require.NotEmpty(t, verdicts)
	})
}

// A batch that is not on the chain any more is not challenged; when one comes in its
// place, or it comes again in another block, that is judged.
func TestReorganisation(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t)
	v := w.validators(1)[0]
	x := w.worker()
	lost := BatchState{Worker: x.owner.Account(), DataDigest: protocol.Hash{1}, Status: Guilty, Finding: &Finding{Guilty: true, Reason: output}}
	require.NoError(t, v.Journal().ingest([]BatchState{lost}, 0))
	require.NoError(t, v.Step(ctx))
	b, err := v.Journal().Batch(x.owner.Account(), 0)
	require.NoError(t, err)
	require.Equal(t, Gone, b.Status)

	x.settle(lie{}, x.entry(w.plain, lie{}))
	require.NoError(t, v.Step(ctx))
	b, err = v.Journal().Batch(x.owner.Account(), 0)
	require.NoError(t, err)
	require.Equal(t, Valid, b.Status)
	require.Equal(t, x.digest, b.DataDigest)

	require.NoError(t, w.chain.Rewind(1))
	require.NoError(t, w.chain.AdvanceTime(time.Minute)) // a block: what was taken back is in it, or before
	require.NoError(t, v.Step(ctx))
	again, err := v.Journal().Batch(x.owner.Account(), 0)
	require.NoError(t, err)
	require.Equal(t, Valid, again.Status)
	count, err := w.client.DisputeCount(ctx)
	require.NoError(t, err)
	require.Zero(t, count)
}
