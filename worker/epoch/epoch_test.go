package epoch

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

// goalGas is the most that a claim may cost.
const goalGas = 90_000

// manyWorkers settles with so many workers in three epochs; a contributor then claims
// all of it in one transaction.
func manyWorkers(t *testing.T, workers int) {
	w := newWorld(t, workers)
	rng := rand.New(rand.NewPCG(1, 1))
	for round := range 3 {
		for i := range w.workers {
			if i%3 == round || round == 2 {
				w.settle(i, rng)
			}
		}
		w.pass()
		e := w.epoch()
		_, err := w.builder().Verify(t.Context(), e.ID)
		require.NoError(t, err, "anybody computes the same epoch")
	}
	for _, account := range w.people {
		owed := w.owed[account]
		o, tx := w.claimEpochs(account)
		require.Equal(t, owed.Dec(), o.Due.Dec())
		// Making the account costs 25,000 of these, as any first payment to it does. Few accounts make the proof short.
		require.LessOrEqual(t, tx.GasUsed, uint64(goalGas))
		t.Logf("%d workers, %d batches, 3 epochs: claim of a new account %d gas", workers, len(w.batches), tx.GasUsed)
	}
	w.everybodyHasTheirs()

	// Accounts that exist: a first payment of the contract to them was made.
	before := *w.owed[w.people[0]]
	w.settle(0, rng)
	w.pass()
	w.epoch()
	o, tx := w.claimEpochs(w.people[0])
	var want uint256.Int
	want.Sub(w.owed[w.people[0]], &before)
	require.Equal(t, want.Dec(), o.Due.Dec(), "only what is new")
	require.LessOrEqual(t, tx.GasUsed, uint64(goalGas))
	t.Logf("a further claim of an account: %d gas", tx.GasUsed)
}

func TestOneClaimForManyWorkersAndEpochs(t *testing.T) { manyWorkers(t, 12) }

// One transaction pays everybody what the epochs owe, for less than each would pay alone.
func TestOneTransactionForManyAccounts(t *testing.T) {
	w := newWorld(t, 12)
	rng := rand.New(rand.NewPCG(8, 8))
	for i := range w.workers {
		w.settle(i, rng)
	}
	w.pass()
	w.epoch()
	owed, err := w.builder().OwedTo(t.Context(), w.people)
	require.NoError(t, err)
	first, _ := w.claimEpochs(w.people[2]) // somebody was quicker
	claims := make([]chain.EpochClaim, len(owed))
	for i, o := range owed {
		require.Equal(t, w.owed[o.Account].Dec(), o.Due.Dec())
		claims[i] = o.Claim()
	}
	require.Equal(t, owed[2], first)
	sent, err := w.client.As(w.helper).ClaimEpochsMany(t.Context(), claims)
	require.NoError(t, err)
	require.Len(t, sent, 1)
	paid, err := w.client.EpochsPaid(sent[0])
	require.NoError(t, err)
	require.Len(t, paid, len(claims)-1)
	each := sent[0].GasUsed / uint64(len(paid))
	require.LessOrEqual(t, each, uint64(goalGas))
	t.Logf("%d claims of new accounts in one transaction: %d gas each", len(paid), each)
	w.everybodyHasTheirs()
}

// Whatever batches go into which epochs, and whatever is claimed singly in between,
// everybody gets the same: what all batches owe.
func TestAnyInterleavingPaysTheSame(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newWorld(t, 3)
			plan, rng := rand.New(rand.NewPCG(7, 7)), rand.New(rand.NewPCG(seed, 3)) // the same batches each time
			for range 8 {
				w.settle(plan.IntN(3), plan)
				if rng.IntN(2) == 0 {
					w.pass()
				}
				switch rng.IntN(4) {
				case 0:
					p, err := w.service(nil).Advance(t.Context())
					require.NoError(t, err, p.Waits)
				case 1:
					w.claimEpochs(w.people[rng.IntN(len(w.people))])
				default:
					on, err := w.client.Batches(t.Context())
					require.NoError(t, err)
					which := rng.IntN(len(w.batches))
					_, now, err := w.client.Head(t.Context())
					require.NoError(t, err)
					if on[which].ClaimableAt <= now {
						w.claimSingly(which, w.people[rng.IntN(len(w.people))])
					}
				}
			}
			for range 2 { // the one under way, then the rest
				w.pass()
				p, err := w.service(nil).Advance(t.Context())
				require.NoError(t, err)
				if p.Epoch.Stage == chain.EpochProposed {
					w.pass()
					_, err := w.service(nil).Advance(t.Context())
					require.NoError(t, err)
				}
			}
			for i, account := range w.people {
				for b := range w.batches { // single claims of swept batches pay nothing more
					if i%2 == 0 {
						w.claimSingly(b, account)
					}
				}
				if w.owed[account] != nil {
					w.claimEpochs(account)
				}
			}
			w.everybodyHasTheirs()
		})
	}
}

var errKilled = errors.New("killed")

// Killed before any of its steps, the next process goes on from what is on the chain,
// and the money comes out the same.
func TestKilledBetweenStepsGoesOn(t *testing.T) {
	w := newWorld(t, 2)
	rng := rand.New(rand.NewPCG(2, 2))
	for _, at := range []string{"open", "add", "publish", "commit", "committed", "sweep"} {
		t.Run(at, func(t *testing.T) {
			w.settle(0, rng)
			w.settle(1, rng)
			w.pass()
			killed := false
			die := func(c *Config) {
				c.step = func(step string) error {
					switch {
					case step == "open" && at == "add": // one more batch is due while it is built
						w.settle(0, rng)
						w.pass()
					case step == at && !killed:
						killed = true
						return errKilled
					}
					return nil
				}
			}
			for range 6 {
				p, err := w.service(die).Advance(t.Context())
				if err != nil {
					require.ErrorIs(t, err, errKilled)
					continue
				}
				if p.Epoch.Stage == chain.EpochFinalised {
					break
				}
				w.pass()
			}
			require.True(t, killed, "there is no step %q", at)
			live, _, err := w.client.CurrentEpochs(t.Context())
			require.NoError(t, err)
			require.Zero(t, live)
			p, err := w.service(nil).Advance(t.Context())
			require.NoError(t, err)
			if p.Epoch.Stage == chain.EpochProposed { // what came while it was built
				w.pass()
				_, err = w.service(nil).Advance(t.Context())
				require.NoError(t, err)
			}
			for account := range w.owed {
				w.claimEpochs(account)
			}
			w.everybodyHasTheirs()
		})
	}
	credit, err := w.client.EpochCredit(t.Context(), w.helper.Account())
	require.NoError(t, err)
	_, err = w.client.As(w.helper).CollectBonds(t.Context(), w.helper.Account())
	require.NoError(t, err)
	bonds := coins(100)
	require.Zero(t, new(uint256.Int).Mod(&credit, &bonds).Uint64(), "every bond came back")
	require.False(t, credit.IsZero())
}

// A wrong root is seen by whoever computes the epoch.
func TestVerifySeesAWrongRoot(t *testing.T) {
	w := newWorld(t, 1)
	rng := rand.New(rand.NewPCG(3, 3))
	w.settle(0, rng)
	w.pass()
	s := w.client.As(w.helper)
	_, err := s.OpenEpoch(t.Context(), coins(100), []chain.BatchRef{{Worker: w.workers[0].Account()}})
	require.NoError(t, err)
	id, _, err := w.client.CurrentEpochs(t.Context())
	require.NoError(t, err)
	_, err = w.builder().Verify(t.Context(), id)
	require.Equal(t, protocol.KindBusy, protocol.KindOf(err), "%v", err)
	r, err := w.builder().Compute(t.Context(), id)
	require.NoError(t, err)
	digest, err := r.Document.Publish(t.Context(), w.blocks)
	require.NoError(t, err)
	_, err = s.CommitEpoch(t.Context(), id, protocol.Hash{1}, digest)
	require.NoError(t, err)
	_, err = w.builder().Verify(t.Context(), id)
	require.Equal(t, protocol.KindCorrupt, protocol.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "its batches come to")
}

// An epoch whose document is lost is computed anew; a batch whose document is lost stays
// out of epochs and can be claimed singly.
func TestLostDocuments(t *testing.T) {
	w := newWorld(t, 2)
	rng := rand.New(rand.NewPCG(4, 4))
	w.settle(0, rng)
	w.pass()
	e := w.epoch()
	w.blocks.drop(e.Document)
	w.settle(0, rng)
	w.settle(1, rng)
	on, err := w.client.Batches(t.Context())
	require.NoError(t, err)
	w.blocks.drop(on[2].DataDigest)
	w.pass()
	e = w.epoch()
	require.Equal(t, uint32(1), e.Batches)
	for account := range w.owed {
		w.claimSingly(2, account)
		w.claimEpochs(account)
	}
	w.everybodyHasTheirs()
}

// An epoch that its proposer left is dropped when its time is over, by whoever looks;
// its batches go into the next one.
func TestAbandonedEpochIsDropped(t *testing.T) {
	w := newWorld(t, 1)
	rng := rand.New(rand.NewPCG(5, 5))
	w.settle(0, rng)
	w.pass()
	other := w.client.As(w.payer)
	_, err := other.OpenEpoch(t.Context(), coins(100), []chain.BatchRef{{Worker: w.workers[0].Account()}})
	require.NoError(t, err)
	p, err := w.service(nil).Advance(t.Context())
	require.NoError(t, err)
	require.Contains(t, p.Waits, "another proposer")
	require.NoError(t, w.chain.AdvanceTime(601*time.Second))
	e := w.epoch()
	require.Equal(t, w.helper.Account(), e.Proposer)
	for account := range w.owed {
		w.claimEpochs(account)
	}
	w.everybodyHasTheirs()
	all, err := w.client.Epochs(t.Context())
	require.NoError(t, err)
	require.Equal(t, chain.EpochAbandoned, all[0].Stage)
	_, err = w.builder().Compute(t.Context(), all[0].ID)
	require.ErrorContains(t, err, "abandoned")
}

// It waits for enough batches, for enough money, and for its interval.
func TestWaitsForEnough(t *testing.T) {
	w := newWorld(t, 1)
	rng := rand.New(rand.NewPCG(6, 6))
	w.settle(0, rng)
	for _, change := range []func(*Config){
		func(c *Config) { c.MinBatches = 2 },
		func(c *Config) { c.MinAmount = coins(100) },
		nil, // its window is open
	} {
		p, err := w.service(change).Advance(t.Context())
		require.NoError(t, err)
		require.Contains(t, p.Waits, "too few")
		require.Zero(t, p.Epoch.ID)
	}
	w.pass()
	w.epoch()
	w.settle(0, rng)
	w.pass()
	p, err := w.service(func(c *Config) { c.Interval = 100 * time.Hour }).Advance(t.Context())
	require.NoError(t, err)
	require.Contains(t, p.Waits, "due at")
}
