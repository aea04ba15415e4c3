package store

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openledger/openledger/protocol"
)

var (
	testTable = NewTable(9001, "test", StringKey[string](), Bytes())
	testPairs = NewTable(9002, "pairs", PairKey(Int64Key(), StringKey[string]()), Counter())
)

func open(t *testing.T, fs vfs.FS) *DB {
	t.Helper()
	db, err := Open(Config{Dir: "db", FS: fs})
	require.NoError(t, err)
	return db
}

func openMem(t *testing.T) *DB {
	t.Helper()
	db := open(t, vfs.NewMem())
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestConfigNamesTheField(t *testing.T) {
	_, err := Open(Config{})
	require.ErrorContains(t, err, "Dir")
	_, err = Open(Config{Dir: "x", MemTableBytes: 5})
	require.ErrorContains(t, err, "MemTableBytes")
}

func TestSecondOpenSaysInUse(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(Config{Dir: dir})
	require.NoError(t, err)
	_, err = Open(Config{Dir: dir})
	require.ErrorIs(t, err, ErrLocked)
	require.Equal(t, protocol.KindBusy, protocol.KindOf(err))
	require.NoError(t, db.Close())
	db, err = Open(Config{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	db := openMem(t)
	boom := errors.New("boom")
	err := db.Update(func(tx *Tx) error {
		require.NoError(t, testTable.Put(tx, "a", []byte("1")))
		v, ok, err := testTable.Get(tx, "a")
		require.NoError(t, err)
		require.True(t, ok, "a transaction reads its own writes")
		require.Equal(t, []byte("1"), v)
		return boom
	})
	require.ErrorIs(t, err, boom)
	ok, err := testTable.Has(db, "a")
	require.NoError(t, err)
	require.False(t, ok)

	require.NoError(t, db.Update(func(tx *Tx) error { return testTable.Insert(tx, "a", []byte("1")) }))
	err = db.Update(func(tx *Tx) error { return testTable.Insert(tx, "a", []byte("2")) })
	require.Equal(t, protocol.KindExists, protocol.KindOf(err))
	_, err = testTable.Must(db, "b")
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))
}

func TestScans(t *testing.T) {
	db := openMem(t)
	require.NoError(t, db.Update(func(tx *Tx) error {
		for _, at := range []int64{-2, 5, 0, 1 << 40} {
			for _, s := range []string{"b", "", "a\x00", "a"} {
				if err := testPairs.Put(tx, PairOf(at, s), uint64(len(s))); err != nil {
					return err
				}
			}
		}
		return testTable.Put(tx, "other", nil)
	}))
	var got []string
	var ats []int64
	require.NoError(t, testPairs.Scan(db, func(k Pair[int64, string], v uint64) error {
		require.EqualValues(t, len(k.B), v)
		if k.A == 0 {
			got = append(got, k.B)
		}
		ats = append(ats, k.A)
		return nil
	}))
	require.Equal(t, []string{"", "a", "a\x00", "b"}, got)
	require.True(t, slices.IsSorted(ats))
	require.Len(t, ats, 16)

	got = nil
	require.NoError(t, ScanFirstReverse(db, testPairs, Int64Key(), 5, func(s string, _ uint64) error {
		got = append(got, s)
		if len(got) == 3 {
			return ErrStop
		}
		return nil
	}))
	require.Equal(t, []string{"b", "a\x00", "a"}, got)

	n := 0
	require.NoError(t, testPairs.ScanRange(db, PairOf(int64(0), "a"), PairOf(int64(5), "a"), func(Pair[int64, string], uint64) error {
		n++
		return nil
	}))
	require.Equal(t, 4, n, "a, a\\0, b of 0 and the empty name of 5")

	k, _, ok, err := testPairs.Last(db)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, PairOf(int64(1<<40), "b"), k)
}

func TestWriteLazyCannotRead(t *testing.T) {
	db := openMem(t)
	err := db.WriteLazy(func(tx *Tx) error {
		_, _, err := testTable.Get(tx, "a")
		return err
	})
	require.Error(t, err)
	require.NoError(t, db.WriteLazy(func(tx *Tx) error { return testTable.Put(tx, "a", []byte("1")) }))
	ok, err := testTable.Has(db, "a")
	require.NoError(t, err)
	require.True(t, ok)
}

// The order of encoded keys is the order of keys, and encodings chain.
func TestKeyOrder(t *testing.T) {
	codec := PairKey(StringKey[string](), PairKey(Int64Key(), Uint64Key()))
	type key = Pair[string, Pair[int64, uint64]]
	gen := rapid.Custom(func(t *rapid.T) key {
		s := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0xff, 'a'}), 0, 4).Draw(t, "s")
		return PairOf(string(s), PairOf(rapid.Int64().Draw(t, "i"), rapid.Uint64().Draw(t, "u")))
	})
	compare := func(a, b key) int {
		if c := strings.Compare(a.A, b.A); c != 0 {
			return c
		}
		if a.B.A != b.B.A {
			return map[bool]int{true: -1, false: 1}[a.B.A < b.B.A]
		}
		return bytes.Compare(Uint64Key().Append(nil, a.B.B), Uint64Key().Append(nil, b.B.B))
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		ea, eb := codec.Append(nil, a), codec.Append(nil, b)
		if bytes.Compare(ea, eb) != compare(a, b) {
			t.Fatalf("order of %v and %v", a, b)
		}
		back, rest, err := codec.Parse(append(ea, 7))
		if err != nil || back != a || !bytes.Equal(rest, []byte{7}) {
			t.Fatalf("%v came back as %v, rest %x, %v", a, back, rest, err)
		}
	})
}

func FuzzStringKeyParse(f *testing.F) {
	f.Add([]byte("a\x00\xffb\x00\x01rest"))
	f.Add([]byte{0})
	f.Add([]byte{0, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		k, rest, err := StringKey[string]().Parse(b)
		if err != nil {
			return
		}
		if again := append(StringKey[string]().Append(nil, k), rest...); !bytes.Equal(again, b) {
			t.Fatalf("%x came back as %x", b, again)
		}
	})
}

// Whatever a crash takes, it takes whole transactions from the end, and never one
// that Update has confirmed.
func TestCrashLosesNoConfirmedTransaction(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		fs := vfs.NewCrashableMem()
		db := open(t, fs)
		var confirmed, last uint64
		for round := range 4 {
			for range 1 + rng.IntN(30) {
				last++
				write := func(tx *Tx) error {
					// Both halves of a transaction carry its number; the first is large, so
					// that write buffers are flushed on the way.
					if err := testTable.Put(tx, "left", bytes.Repeat([]byte{byte(last)}, rng.IntN(60_000)+1)); err != nil {
						return err
					}
					return testPairs.Put(tx, PairOf(int64(0), "n"), last)
				}
				if rng.IntN(3) == 0 {
					require.NoError(t, db.WriteLazy(write))
				} else {
					require.NoError(t, db.Update(write))
					confirmed = last
				}
			}
			crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			require.NoError(t, db.Close())
			fs = crashed
			db = open(t, fs)
			n, _, err := testPairs.Get(db, PairOf(int64(0), "n"))
			require.NoError(t, err)
			require.GreaterOrEqual(t, n, confirmed, "seed %d round %d", seed, round)
			left, ok, err := testTable.Get(db, "left")
			require.NoError(t, err)
			require.Equal(t, n > 0, ok)
			if ok {
				require.Equal(t, byte(n), left[0], "half a transaction: seed %d round %d", seed, round)
			}
			last, confirmed = n, n
		}
		require.NoError(t, db.Close())
	}
}

func TestSyncKeepsLazyWrites(t *testing.T) {
	fs := vfs.NewCrashableMem()
	db := open(t, fs)
	require.NoError(t, db.WriteLazy(func(tx *Tx) error { return testTable.Put(tx, "a", []byte("1")) }))
	require.NoError(t, db.Sync())
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	require.NoError(t, db.Close())
	db = open(t, crashed)
	ok, err := testTable.Has(db, "a")
	require.NoError(t, err)
	require.True(t, ok)
	require.NoError(t, db.Close())
}

// The journal of transactions is on disk once a call returns, and is read back whole.
func TestSendingsSurviveACrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	db := open(t, fs)
	j := NewSendings(db)
	require.NoError(t, j.PutSending("a", []byte{1}))
	require.NoError(t, j.PutSending("b", []byte{2}))
	require.NoError(t, j.DeleteSending("a"))
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	require.NoError(t, db.Close())
	db = open(t, crashed)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	got, err := NewSendings(db).Sendings()
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"b": {2}}, got)
}
