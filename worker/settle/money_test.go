package settle

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
	"github.com/openledger/openledger/store"
)

// runsPerChain is how many runs go on the same chain, one after the other.
const runsPerChain = 20

// A few runs of random operations; more with -tags long.
func TestNoWeiIsLost(t *testing.T) { moneyRuns(t, 0, 4, 45) }

// moneyRuns makes runs first..first+n of random operations by requesters (who reserve, too),
// a worker, delegators, claimants, challengers, a committee that says anything, a proposer
// of epochs and the administrator, with crashes of worker and coordinator, and
// reorganisations of the chain. After each run the ledger's account of all money is
// compared with the chain, then everybody takes out what is theirs, and nothing may be
// left in any contract.
func moneyRuns(t *testing.T, first, n, operations int) {
	var m *money
	counts := map[string]int{}
	for seed := first; seed < first+n; seed++ {
		if (seed-first)%runsPerChain == 0 {
			if m != nil {
				m.close()
				t.Logf("%d runs: %v", seed-first, counts)
			}
			m = newMoney(t, counts)
		}
		m.run(uint64(seed), operations)
	}
	m.close()
	t.Logf("%d runs: %v", n, counts)
}

// money is the world of runs on one chain.
type money struct {
	*world
	rng    *rand.Rand
	counts map[string]int // operations by name, refused ones apart
	seed   uint64
	eth    *ethclient.Client
	ledger *ledger
	next   uint64 // block from which on the ledger has to replay
	signer types.Signer

	workerFS, booksFS *vfs.MemFS
	db, booksDB       *store.DB
	book              *store.Worker
	service           *Service
	pending           map[protocol.Hash]protocol.Account // accepted receipts whose voucher the worker has not, with requester
	abandoned         int                                // receipts that no coordinator accepted
	payees            map[protocol.Account]bool
	batches           uint64 // that earlier runs have checked
	validators        []*keystore.Key
	judged            uint64                            // disputes of earlier runs
	trees             map[protocol.Hash][]payout.Payout // of epochs, by root
}

func newMoney(t *testing.T, counts map[string]int) *money {
	w := newWorldFor(t, 3, 10*365*24*time.Hour)
	w.access, w.voucherLife = 1e17, 9*365*24*time.Hour
	m := &money{
		world: w, counts: counts, workerFS: vfs.NewCrashableMem(), booksFS: vfs.NewCrashableMem(),
		pending: map[protocol.Hash]protocol.Account{}, payees: map[protocol.Account]bool{},
		trees: map[protocol.Hash][]payout.Payout{}, rng: rand.New(rand.NewPCG(1, 1)),
	}
	var err error
	m.eth, err = ethclient.Dial(w.chain.RPC())
	require.NoError(t, err)
	at := w.client.Addresses()
	// The administrator slashes, too, without a dispute.
	require.NoError(t, w.client.As(w.admin).GrantRole(t.Context(), at.Staking, chain.SlasherRole, w.admin.Account()))
	native := map[protocol.Account]*big.Int{}
	for a, v := range w.funds {
		native[a] = v.ToBig()
	}
	for i := range 4 {
		v := key(t, fmt.Sprint("validator ", i))
		m.validators = append(m.validators, v)
		_, err = w.client.As(w.admin).Send(t.Context(), v.Account(), open(10_000))
		require.NoError(t, err)
	}
	m.ledger, err = newLedger(w.client.ChainID(), at, w.params, native)
	require.NoError(t, err)
	m.next = 1
	m.signer = types.LatestSignerForChainID(new(big.Int).SetUint64(w.client.ChainID()))
	m.open()
	return m
}

func (m *money) close() {
	require.NoError(m.t, errors.Join(m.db.Close(), m.booksDB.Close()))
	m.eth.Close()
}

// open starts worker and coordinator on what their disks hold.
func (m *money) open() {
	m.db = openStore(m.t, m.workerFS)
	m.book = store.NewWorker(m.db)
	var err error
	m.booksDB, err = store.Open(store.Config{Dir: "coordinator", FS: m.booksFS})
	require.NoError(m.t, err)
	m.books = store.NewCoordinator(m.booksDB)
	m.service = m.world.service(m.db, func(c *Config) {
		c.MaxReceipts = 10
		c.step = func(string) error {
			if m.chance(12) {
				return errKilled
			}
			return nil
		}
	})
}

// crash ends both processes: what they had not synced is gone, in part.
func (m *money) crash() {
	m.counts["crash"]++
	seed := rand.New(rand.NewPCG(m.rng.Uint64(), 3))
	worker := m.workerFS.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 40, RNG: seed})
	books := m.booksFS.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 40, RNG: seed})
	require.NoError(m.t, errors.Join(m.db.Close(), m.booksDB.Close()))
	m.workerFS, m.booksFS = worker, books
	m.open()
}

func (m *money) chance(oneIn int) bool { return m.rng.IntN(oneIn) == 0 }

func (m *money) as(k *keystore.Key) *chain.Sender { return m.client.As(k) }

// wei is up to n thousandths of an OPEN, to the wei.
func (m *money) wei(n uint64) uint256.Int {
	v := uint256.NewInt(m.rng.Uint64N(n) + 1)
	v.Mul(v, uint256.NewInt(1e15))
	return *v.AddUint64(v, m.rng.Uint64N(1e15))
}

// did counts an operation. That a contract refuses one is no fault: they are random.
func (m *money) did(name string, err error) {
	m.t.Helper()
	if err == nil {
		m.counts[name]++
		return
	}
	_, refused := chain.Refused(err)
	if !refused && protocol.KindOf(err) != protocol.KindExists {
		require.NoError(m.t, err, "run %d: %s", m.seed, name)
	}
	m.counts[name+" refused"]++
}

func (m *money) run(seed uint64, operations int) {
	m.seed, m.rng = seed, rand.New(rand.NewPCG(seed, 77))
	_, err := m.as(m.owner).EnsureBond(m.t.Context(), open(5000))
	require.NoError(m.t, err)
	for _, v := range m.validators {
		_, err = m.as(v).EnsureJoined(m.t.Context(), open(validatorBond))
		require.NoError(m.t, err)
	}
	for _, p := range m.payers {
		_, err = m.as(p).Deposit(m.t.Context(), m.wei(4000))
		require.NoError(m.t, err)
	}
	for range operations {
		m.step()
	}
	m.check("after the operations")
	m.leave()
	m.check("after all have left")
	at := m.client.Addresses()
	for name, a := range map[string]protocol.Account{"escrow": at.Escrow, "settlement": at.Settlement, "staking": at.Staking, "GOPEN": at.GOPEN, "epochs": at.Epochs, "disputes": at.Disputes} {
		left, err := m.client.Balance(m.t.Context(), a)
		require.NoError(m.t, err)
		require.True(m.t, left.IsZero(), "run %d: %s wei are stuck in %s", seed, left.Dec(), name)
	}
}

// equals compares what the ledger says with what the chain does.
type equals func(want *big.Int, got uint256.Int, err error, what string, of ...any)

// check replays what the chain has done since the last check and compares.
func (m *money) check(when string) {
	ctx := m.t.Context()
	head := m.quiet()
	for ; m.next <= head; m.next++ {
		block, err := m.eth.BlockByNumber(ctx, new(big.Int).SetUint64(m.next))
		require.NoError(m.t, err)
		for _, tx := range block.Transactions() {
			from, err := types.Sender(m.signer, tx)
			require.NoError(m.t, err)
			r, err := m.eth.TransactionReceipt(ctx, tx.Hash())
			require.NoError(m.t, err)
			require.NoError(m.t, m.ledger.transaction(block.Header(), from, tx, r), "run %d, %s", m.seed, when)
		}
	}
	why := fmt.Sprintf("run %d, %s", m.seed, when)
	var equal equals = func(want *big.Int, got uint256.Int, err error, what string, of ...any) {
		m.t.Helper()
		require.NoError(m.t, err)
		if want == nil {
			want = new(big.Int)
		}
		require.Equal(m.t, want.String(), got.Dec(), "%s: %s %v", why, what, of)
	}
	l, c := m.ledger, m.client.At(head)
	for a, want := range l.native {
		got, err := c.Balance(ctx, a)
		equal(want, got, err, "balance of", a)
	}
	sum, all := new(big.Int).Set(l.burnt), new(big.Int)
	for _, v := range l.native {
		sum.Add(sum, v)
	}
	for _, v := range m.funds {
		all.Add(all, v.ToBig())
	}
	require.Equal(m.t, all.String(), sum.String(), "%s: all accounts and the burnt base fees make up the genesis", why)

	worker := m.owner.Account()
	for _, p := range m.payers {
		got, err := c.EscrowOf(ctx, p.Account())
		equal(l.escrow[p.Account()], got, err, "escrow of", p.Account())
		got, err = c.DrawnOf(ctx, p.Account(), worker)
		equal(l.drawn[[2]protocol.Account{p.Account(), worker}], got, err, "drawn from", p.Account())
		for _, k := range []*keystore.Key{m.session, m.second} {
			s, err := c.SessionOf(ctx, p.Account(), k.Account())
			equal(l.sessions[[2]protocol.Account{p.Account(), k.Account()}].spent, s.Spent, err, "spent by a session key of", p.Account())
		}
		w, err := c.WithdrawalOf(ctx, p.Account())
		equal(l.withdrawals[p.Account()].amount, w.Amount, err, "withdrawal of", p.Account())
	}
	for _, k := range []*keystore.Key{m.owner, m.friend, m.model} {
		got, err := c.StakedBy(ctx, worker, k.Account())
		p := poolOf(l.pools, worker)
		equal(p.worth(p.shares[k.Account()]), got, err, "stake of", k.Account())
		list, err := c.Unbondings(ctx, k.Account())
		require.NoError(m.t, err)
		for _, u := range list {
			r := l.requests[u.ID.Uint64()]
			require.NotNil(m.t, r, why)
			equal(poolOf(l.leaving, worker).worth(r.shares), u.Amount, nil, "unbonding", u.ID.Dec())
		}
	}
	for n, b := range l.batches[worker] {
		if uint64(n) < m.batches {
			continue
		}
		got, err := c.Batch(ctx, worker, uint64(n))
		equal(b.total, got.Total, err, "total of batch", n)
		equal(b.paid, got.Claimed, err, "claimed of batch", n)
	}
	m.checkDisputes(head, equal)
	voice, err := c.VoiceOf(ctx, m.friend.Account())
	equal(l.votes[m.friend.Account()], voice.Balance, err, "GOPEN")
}

// quiet waits until the chain has put every transaction it knows in a block, and gives
// its height. After a reorganisation those given up come again by themselves.
func (m *money) quiet() uint64 {
	var head uint64
	require.Eventually(m.t, func() bool {
		var pool struct{ Pending, Queued string }
		require.NoError(m.t, m.eth.Client().Call(&pool, "txpool_status"))
		head, _ = m.chain.Head()
		return pool.Pending == "0x0" && pool.Queued == "0x0"
	}, time.Minute, 2*time.Millisecond, "run %d: transactions are left in the pool", m.seed)
	return head
}

var slashCall = bindings.NewWorkerStaking()
