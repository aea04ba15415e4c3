package events

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/devchain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// world is a real chain with the real contracts.
type world struct {
	t     *testing.T
	chain *devchain.Chain
	at    chain.Addresses
	key   *keystore.Key
	made  uint64 // deposits
}

func newWorld(t *testing.T) *world {
	t.Helper()
	raw, err := crypto.ToECDSA(crypto.Keccak256([]byte("events test")))
	require.NoError(t, err)
	w := &world{t: t, key: keystore.FromECDSA(raw)}
	params, err := devchain.ReadParams("../genesis/dev.json")
	require.NoError(t, err)
	var rich uint256.Int
	rich.Lsh(uint256.NewInt(1), 100)
	w.chain, err = devchain.Open(devchain.Config{ChainID: params.ChainID, Fund: map[protocol.Account]uint256.Int{w.key.Account(): rich}, MaxAhead: 24 * time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.chain.Close()) })
	c := w.client()
	w.at, err = devchain.Deploy(t.Context(), c, devchain.Deployment{Params: params, Key: w.key})
	require.NoError(t, err)
	return w
}

// client is a fresh connection, which remembers no nonces of another branch.
func (w *world) client() *chain.Client {
	w.t.Helper()
	c, err := chain.Dial(w.t.Context(), chain.Config{RPC: w.chain.RPC(), Addresses: w.at, PollEvery: 2 * time.Millisecond})
	require.NoError(w.t, err)
	w.t.Cleanup(c.Close)
	return c
}

// deposit makes n blocks with an event each, every amount another.
func (w *world) deposit(n int) {
	w.t.Helper()
	c := w.client()
	for range n {
		w.made++
		_, err := c.As(w.key).Deposit(w.t.Context(), *uint256.NewInt(1e15 + w.made))
		require.NoError(w.t, err)
	}
}

func open(t *testing.T, fs vfs.FS) *store.DB {
	t.Helper()
	db, err := store.Open(store.Config{Dir: "db", FS: fs})
	require.NoError(t, err)
	return db
}

func memory(t *testing.T) *store.DB {
	t.Helper()
	db := open(t, vfs.NewMem())
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func index(t *testing.T, db *store.DB, source Source, change func(*Config)) *Index {
	t.Helper()
	cfg := Config{DB: db, Chain: source}
	if change != nil {
		change(&cfg)
	}
	x, err := New(cfg)
	require.NoError(t, err)
	return x
}

// same requires that the index has what the chain has now, event by event.
func (w *world) same(x *Index) {
	w.t.Helper()
	var want, got []chain.Event
	c := w.client()
	_, err := c.Events(w.t.Context(), 0, 0, func(e chain.Event) error {
		want = append(want, e)
		return nil
	})
	require.NoError(w.t, err)
	require.NoError(w.t, x.Each(0, 1<<62, func(e chain.Event) error {
		got = append(got, e)
		return nil
	}))
	require.NotEmpty(w.t, want)
	require.Equal(w.t, want, got)
	var byTopic []chain.Event
	require.NoError(w.t, x.EachOf(depositedEvent(w.t, x), chain.Topic(w.key.Account()), func(e chain.Event) error {
		byTopic = append(byTopic, e)
		return nil
	}))
	var deposits []chain.Event
	for _, e := range want {
		if e.Deposited != nil {
			deposits = append(deposits, e)
		}
	}
	require.Equal(w.t, deposits, byTopic)
	head, err := c.Newest(w.t.Context())
	require.NoError(w.t, err)
	tip, ok, err := x.Tip()
	require.NoError(w.t, err)
	require.True(w.t, ok)
	require.Equal(w.t, head, tip)
	// What is kept is one branch.
	require.NoError(w.t, blockTable.Scan(x.cfg.DB, func(n uint64, b chain.BlockRef) error {
		now, err := c.BlockAt(w.t.Context(), n)
		require.NoError(w.t, err)
		require.Equal(w.t, now, b)
		return nil
	}))
}

// depositedEvent is the id of the escrow's event, as one has it.
func depositedEvent(t *testing.T, x *Index) (id protocol.Hash) {
	t.Helper()
	require.NoError(t, x.EachLog(0, 1<<62, func(l chain.Log) error {
		if e, ok, err := x.cfg.Chain.Decode(l); err != nil || !ok || e.Deposited == nil {
			return err
		}
		id = l.Topics[0]
		return store.ErrStop
	}))
	return id
}

func catchUp(t *testing.T, x *Index) Progress {
	t.Helper()
	p, err := x.Sync(t.Context())
	require.NoError(t, err)
	return p
}

// A reorganisation of every depth up to 12 is rolled back and read again, whether the
// new branch is shorter, as long or longer.
func TestReorganisations(t *testing.T) {
	w := newWorld(t)
	w.deposit(14)
	x := index(t, memory(t), w.client(), nil)
	catchUp(t, x)
	w.same(x)
	for depth := uint64(1); depth <= 12; depth++ {
		for _, grows := range []int{-1, 0, 1} {
			n := int(depth) + grows
			if n == 0 {
				continue
			}
			require.NoError(t, w.chain.Rewind(depth))
			w.deposit(n)
			p := catchUp(t, x)
			require.Equal(t, depth, p.RolledBack, "depth %d, %+d blocks", depth, grows)
			w.same(x)
			if grows < 0 { // back to the old height
				w.deposit(1)
				catchUp(t, x)
			}
		}
	}
}

// A branch that leaves ours too long ago is refused, and nothing is forgotten.
func TestTooDeep(t *testing.T) {
	w := newWorld(t)
	w.deposit(8)
	x := index(t, memory(t), w.client(), func(c *Config) { c.Depth = 3 })
	catchUp(t, x)
	before := x.count(t)
	require.NoError(t, w.chain.Rewind(4))
	w.deposit(5)
	_, err := x.Sync(t.Context())
	require.Equal(t, protocol.KindCorrupt, protocol.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "more than 3 blocks ago")
	require.Equal(t, before, x.count(t))
}

func (x *Index) count(t *testing.T) (n int) {
	t.Helper()
	require.NoError(t, x.EachLog(0, 1<<62, func(chain.Log) error {
		n++
		return nil
	}))
	return n
}

// watched lets tests get between the index and the chain.
type watched struct {
	Source
	newest  func(chain.BlockRef) chain.BlockRef
	logsIn  func(from, to uint64) error
	logsOf  func(protocol.Hash)
	widest  uint64
	queries int
}

func (s *watched) Newest(ctx context.Context) (chain.BlockRef, error) {
	b, err := s.Source.Newest(ctx)
	if s.newest != nil {
		b = s.newest(b)
	}
	return b, err
}

func (s *watched) LogsIn(ctx context.Context, from, to uint64) ([]chain.Log, error) {
	s.queries++
	if s.logsIn != nil {
		if err := s.logsIn(from, to); err != nil {
			return nil, err
		}
	}
	s.widest = max(s.widest, to-from+1)
	return s.Source.LogsIn(ctx, from, to)
}

func (s *watched) LogsOf(ctx context.Context, h protocol.Hash) ([]chain.Log, error) {
	if s.logsOf != nil {
		s.logsOf(h)
	}
	return s.Source.LogsOf(ctx, h)
}

// What came while nobody looked is read in bounded ranges, and a node that wants them
// narrower gets them narrower.
func TestGapAndBoundedRanges(t *testing.T) {
	w := newWorld(t)
	db := memory(t)
	w.deposit(2)
	catchUp(t, index(t, db, w.client(), nil))
	w.deposit(40)
	s := &watched{Source: w.client()}
	x := index(t, db, s, func(c *Config) { c.Range = 9 })
	catchUp(t, x)
	w.same(x)
	require.EqualValues(t, 9, s.widest)

	fresh := &watched{Source: w.client(), logsIn: func(from, to uint64) error {
		if to-from+1 > 5 {
			return protocol.Errorf(protocol.KindInvalid, "", "query returned more than 5 blocks")
		}
		return nil
	}}
	y := index(t, memory(t), fresh, nil)
	catchUp(t, y)
	w.same(y)
	require.LessOrEqual(t, fresh.widest, uint64(5))

	// A node that lags, behind a balancer, does not unsettle the index.
	s.newest = func(b chain.BlockRef) chain.BlockRef {
		old, err := w.client().BlockAt(t.Context(), b.Number-20)
		require.NoError(t, err)
		return old
	}
	require.Zero(t, catchUp(t, x).RolledBack)
	w.same(x)
}

// A reorganisation in the middle of reading is noticed.
func TestChangesWhileItIsRead(t *testing.T) {
	w := newWorld(t)
	w.deposit(6)
	turns := 0
	s := &watched{Source: w.client()}
	s.logsOf = func(protocol.Hash) {
		if turns++; turns%3 == 0 && turns < 12 {
			require.NoError(t, w.chain.Rewind(4))
			w.deposit(4)
		}
	}
	x := index(t, memory(t), s, nil)
	catchUp(t, x)
	w.same(x)
}

var errKilled = errors.New("killed")

// A process that ends before any write, having lost what was not synced, goes on to the
// same index; reorganisations and a change of the contracts included.
func TestKilledAtAnyWrite(t *testing.T) {
	w := newWorld(t)
	w.deposit(15)
	rng := rand.New(rand.NewPCG(5, 6))
	fs := vfs.NewCrashableMem()
	kills := 0
	for round := range 3 {
		for after := 0; ; after++ {
			db := open(t, fs)
			writes := 0
			x := index(t, db, w.client(), func(c *Config) {
				c.Range, c.Depth = 7, 8
				c.step = func(string) error {
					if writes++; writes > after%4 {
						return errKilled
					}
					return nil
				}
			})
			_, err := x.Sync(t.Context())
			crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 30, RNG: rng})
			if err == nil {
				w.same(x)
				require.NoError(t, db.Close())
				break
			}
			require.ErrorIs(t, err, errKilled)
			require.NoError(t, db.Close())
			fs = crashed
			kills++
			require.Less(t, kills, 500)
		}
		switch round {
		case 0:
			require.NoError(t, w.chain.Rewind(6))
			w.deposit(7)
		case 1: // the index of other contracts is wiped and read anew
			db := open(t, fs)
			require.NoError(t, db.Update(func(tx *store.Tx) error {
				return identityTable.Put(tx, identityKey, protocol.Hash{1})
			}))
			require.NoError(t, db.Close())
		}
	}
	require.Greater(t, kills, 10)
}

// Run follows the chain and tells who waits.
func TestRun(t *testing.T) {
	w := newWorld(t)
	x := index(t, memory(t), w.client(), func(c *Config) { c.Every = time.Millisecond })
	changed := x.Changed()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	<-changed
	w.deposit(1)
	deposits := func() (n int) {
		require.NoError(t, x.Each(0, 1<<62, func(e chain.Event) error {
			if e.Deposited != nil {
				n++
			}
			return nil
		}))
		return n
	}
	for {
		changed := x.Changed()
		if deposits() == 1 {
			break
		}
		<-changed
	}
	stop()
	require.NoError(t, <-done)
	require.Positive(t, x.Last().Tip)
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]Config{
		"events.db": {}, "events.chain": {DB: memory(t)}, "events.every": {DB: memory(t), Chain: &watched{}, Every: -1},
		"events.depth, range": {DB: memory(t), Chain: &watched{}, Depth: 1 << 20},
	} {
		_, err := New(c)
		require.ErrorContains(t, err, name, fmt.Sprint(c))
	}
}
