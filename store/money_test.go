package store

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

var (
	alice  = protocol.Account{1}
	bob    = protocol.Account{2}
	worker = protocol.Account{9}
)

func receipt(n byte, requester protocol.Account, fee uint64) protocol.SignedReceipt {
	return protocol.SignedReceipt{
		Receipt: protocol.Receipt{
			ID: protocol.Hash{n}, Requester: requester, Worker: worker, Compute: *uint256.NewInt(fee - 1),
			Access: *uint256.NewInt(1), FinishedAt: int64(n),
		},
		Signature: []byte{n},
	}
}

func voucher(requester protocol.Account, cumulative uint64) protocol.SignedVoucher {
	return protocol.SignedVoucher{Voucher: protocol.Voucher{
		Requester: requester, Worker: worker, Cumulative: *uint256.NewInt(cumulative), Expires: 100,
	}}
}

func statuses(t *testing.T, w *Worker) map[ReceiptStatus]int {
	t.Helper()
	n, err := w.CountReceipts()
	require.NoError(t, err)
	return n
}

func TestReceiptFromSignedToSettled(t *testing.T) {
	w := NewWorker(openMem(t))
	for i := byte(1); i <= 4; i++ {
		require.NoError(t, w.AddReceipt(receipt(i, alice, 10)))
		require.NoError(t, w.AddReceipt(receipt(i, alice, 10)), "again is nothing new")
	}
	err := w.AddReceipt(receipt(1, alice, 11))
	require.Equal(t, protocol.KindExists, protocol.KindOf(err))

	// Vouchers overtake each other.
	require.NoError(t, w.AcceptVoucher(voucher(alice, 20), protocol.Hash{2}))
	v, _, err := w.Voucher(alice, worker)
	require.NoError(t, err)
	require.EqualValues(t, 10, v.Covered.Uint64())
	require.NoError(t, w.AcceptVoucher(voucher(alice, 10), protocol.Hash{1}))
	v, _, err = w.Voucher(alice, worker)
	require.NoError(t, err)
	require.EqualValues(t, 20, v.Signed.Voucher.Cumulative.Uint64(), "the greater voucher stays")
	require.True(t, v.Covered.Eq(&v.Signed.Voucher.Cumulative))
	require.NoError(t, w.AcceptVoucher(voucher(alice, 20), protocol.Hash{1}, protocol.Hash{2}), "again is nothing new")

	err = w.AcceptVoucher(voucher(alice, 29), protocol.Hash{3})
	require.ErrorContains(t, err, "does not cover")
	require.Equal(t, map[ReceiptStatus]int{ReceiptSigned: 2, ReceiptVouchered: 2}, statuses(t, w), "a refused voucher changes nothing")
	err = w.AcceptVoucher(voucher(bob, 100), protocol.Hash{3})
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))

	batch := BatchRecord{Worker: worker, Nonce: 7, Total: *uint256.NewInt(20), Receipts: []protocol.Hash{{1}, {2}}}
	bad := batch
	bad.Receipts = []protocol.Hash{{1}, {3}}
	require.Equal(t, protocol.KindStale, protocol.KindOf(w.PrepareBatch(bad)), "3 has no voucher")
	bad = batch
	bad.Total = *uint256.NewInt(21)
	require.ErrorContains(t, w.PrepareBatch(bad), "total")
	require.Equal(t, map[ReceiptStatus]int{ReceiptSigned: 2, ReceiptVouchered: 2}, statuses(t, w))

	require.NoError(t, w.PrepareBatch(batch))
	require.Equal(t, map[ReceiptStatus]int{ReceiptSigned: 2, ReceiptBatched: 2}, statuses(t, w))
	again := batch
	again.Nonce = 8
	require.Error(t, w.PrepareBatch(again), "a receipt is in one batch only")
	again.Nonce = 7
	require.Equal(t, protocol.KindStale, protocol.KindOf(w.PrepareBatch(again)))

	require.NoError(t, w.DropBatch(worker, 7))
	require.Equal(t, map[ReceiptStatus]int{ReceiptSigned: 2, ReceiptVouchered: 2}, statuses(t, w))
	require.NoError(t, w.PrepareBatch(batch))

	require.NoError(t, w.MarkSubmitted(worker, 7, protocol.Hash{0xaa}, 50))
	for range 2 {
		require.NoError(t, w.MarkSettled(worker, 7, protocol.Hash{0xaa}, 3, 90_000, 60))
	}
	require.Equal(t, map[ReceiptStatus]int{ReceiptSigned: 2, ReceiptSettled: 2}, statuses(t, w))
	require.Equal(t, protocol.KindStale, protocol.KindOf(w.DropBatch(worker, 7)))
	got, err := w.Receipt(protocol.Hash{1})
	require.NoError(t, err)
	require.EqualValues(t, 7, got.Nonce)
	last, ok, err := w.LastBatch(worker)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, BatchSettled, last.Status)
	require.EqualValues(t, 90_000, last.GasUsed)
	list, err := w.Receipts(ReceiptSettled, 0)
	require.NoError(t, err)
	require.Len(t, list, 2)
	vs, err := w.Vouchers(worker)
	require.NoError(t, err)
	require.Len(t, vs, 1)
	require.EqualValues(t, 20, vs[0].Batched.Uint64())

	// The chain loses the batch: it can be sent again, or its receipts go into another.
	require.Equal(t, protocol.KindStale, protocol.KindOf(w.ReopenBatch(worker, 6)))
	for range 2 {
		require.NoError(t, w.ReopenBatch(worker, 7))
		require.Equal(t, map[ReceiptStatus]int{ReceiptSigned: 2, ReceiptBatched: 2}, statuses(t, w))
	}
	last, _, err = w.LastBatch(worker)
	require.NoError(t, err)
	require.Equal(t, BatchPrepared, last.Status)
	require.Zero(t, last.Tx)
	require.NoError(t, w.DropBatch(worker, 7))
	require.Equal(t, map[ReceiptStatus]int{ReceiptSigned: 2, ReceiptVouchered: 2}, statuses(t, w))
}

func signAs(t *testing.T) func(protocol.Voucher) (protocol.SignedVoucher, error) {
	t.Helper()
	return func(v protocol.Voucher) (protocol.SignedVoucher, error) {
		v.Expires = 100
		return protocol.SignedVoucher{Voucher: v, Signature: []byte("s")}, nil
	}
}

func TestOneReceiptPerJobIsEverAccepted(t *testing.T) {
	db := openMem(t)
	c := NewCoordinator(db)
	var group sync.WaitGroup
	for n := range byte(20) {
		for range 3 { // each is sent three times at once
			group.Go(func() {
				if _, err := c.AcceptReceipt(receipt(n+1, alice, 10), int64(n), signAs(t)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	v, ok, err := c.Cumulative(alice, worker)
	require.NoError(t, err)
	require.True(t, ok)
	require.EqualValues(t, 200, v.Voucher.Cumulative.Uint64())

	first, err := c.Accepted(protocol.Hash{1})
	require.NoError(t, err)
	again, err := c.AcceptReceipt(receipt(1, alice, 10), 99, signAs(t))
	require.NoError(t, err)
	require.Equal(t, first.Voucher, again)
	_, err = c.AcceptReceipt(receipt(1, alice, 11), 99, signAs(t))
	require.Equal(t, protocol.KindExists, protocol.KindOf(err))

	// A refused signature leaves nothing.
	refuse := protocol.Errorf(protocol.KindEscrow, "escrow", "is used up: deposit more")
	_, err = c.AcceptReceipt(receipt(50, alice, 10), 99, func(protocol.Voucher) (protocol.SignedVoucher, error) {
		return protocol.SignedVoucher{}, refuse
	})
	require.Equal(t, protocol.KindEscrow, protocol.KindOf(err))
	_, err = c.Accepted(protocol.Hash{50})
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))
	_, err = c.AcceptReceipt(receipt(50, alice, 10), 99, func(v protocol.Voucher) (protocol.SignedVoucher, error) {
		v.Cumulative = *uint256.NewInt(1 << 40)
		return protocol.SignedVoucher{Voucher: v}, nil
	})
	require.Error(t, err, "the signer cannot change the amount")

	newest, err := c.AcceptedReceipts(5, nil)
	require.NoError(t, err)
	require.Len(t, newest, 5)
	require.EqualValues(t, 19, newest[0].At)
	all, err := c.Cumulatives(alice)
	require.NoError(t, err)
	require.Len(t, all, 1)
}

func TestFeeOverflowIsRefused(t *testing.T) {
	c := NewCoordinator(openMem(t))
	r := receipt(1, alice, 10)
	r.Receipt.Compute = *new(uint256.Int).SetAllOne()
	_, err := c.AcceptReceipt(r, 1, signAs(t))
	require.ErrorContains(t, err, "256 bits")
}

// Money survives a crash at any moment: the cumulative voucher is always exactly
// the sum of the accepted receipts, and no receipt that was confirmed is missing.
func TestCrashKeepsMoneyConsistent(t *testing.T) {
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 2))
		fs := vfs.NewCrashableMem()
		db := open(t, fs)
		confirmed := map[byte]uint64{}
		next := byte(1)
		for range 5 {
			c, w := NewCoordinator(db), NewWorker(db)
			for range 1 + rng.IntN(6) {
				fee := uint64(2 + rng.IntN(100))
				r := receipt(next, alice, fee)
				require.NoError(t, w.AddReceipt(r))
				v, err := c.AcceptReceipt(r, int64(next), signAs(t))
				require.NoError(t, err)
				require.NoError(t, w.AcceptVoucher(v, r.Receipt.ID))
				confirmed[next] = fee
				next++
			}
			crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			require.NoError(t, db.Close())
			fs = crashed
			db = open(t, fs)

			var sum, want uint64
			for _, fee := range confirmed {
				want += fee
			}
			accepted, err := NewCoordinator(db).AcceptedReceipts(0, nil)
			require.NoError(t, err)
			for _, a := range accepted {
				total := a.Signed.Receipt.Fee().Total()
				sum += total.Uint64()
			}
			require.Equal(t, want, sum)
			v, _, err := NewCoordinator(db).Cumulative(alice, worker)
			require.NoError(t, err)
			require.Equal(t, want, v.Voucher.Cumulative.Uint64())
			vr, _, err := NewWorker(db).Voucher(alice, worker)
			require.NoError(t, err)
			require.Equal(t, want, vr.Covered.Uint64())
			require.Equal(t, map[ReceiptStatus]int{ReceiptVouchered: len(confirmed)}, statuses(t, NewWorker(db)))
		}
		require.NoError(t, db.Close())
	}
}

func TestSequenceOnlyGrows(t *testing.T) {
	fs := vfs.NewCrashableMem()
	db := open(t, fs)
	var last uint64
	for i := range 5 {
		n, err := NewWorker(db).NextSequence("peer", uint64(i))
		require.NoError(t, err)
		require.Greater(t, n, last)
		last = n
		crashed := fs.CrashClone(vfs.CrashCloneCfg{})
		require.NoError(t, db.Close())
		fs = crashed
		db = open(t, fs)
	}
	n, err := NewWorker(db).NextSequence("peer", 1000)
	require.NoError(t, err)
	require.EqualValues(t, 1000, n)
	require.NoError(t, db.Close())
}

func TestTrainingSurvivesAndDropsItsCheckpoint(t *testing.T) {
	w := NewWorker(openMem(t))
	job := protocol.Hash{5}
	rec := TrainingRecord{Job: protocol.TrainingJob{ID: job}, Status: JobRunning}
	require.NoError(t, w.PutTraining(rec))
	require.NoError(t, w.PutCheckpoint(job, 10, make([]byte, 6<<20)))
	require.NoError(t, w.PutCheckpoint(job, 20, []byte("state")))
	step, state, ok, err := w.Checkpoint(job)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, 20, step)
	require.Equal(t, []byte("state"), state)
	open, err := w.Trainings(true)
	require.NoError(t, err)
	require.Len(t, open, 1)
	rec.Status = JobDone
	require.NoError(t, w.PutTraining(rec))
	_, _, ok, err = w.Checkpoint(job)
	require.NoError(t, err)
	require.False(t, ok)
	open, err = w.Trainings(true)
	require.NoError(t, err)
	require.Empty(t, open)
}

func TestAPIKeys(t *testing.T) {
	c := NewCoordinator(openMem(t))
	k := APIKey{Hash: HashAPIKey("sk-secret"), Name: "demo", Requester: alice}
	require.NoError(t, c.AddKey(k))
	require.Equal(t, protocol.KindExists, protocol.KindOf(c.AddKey(k)))
	got, err := c.Key("sk-secret", 1)
	require.NoError(t, err)
	k.ID = k.Hash // as before keys had IDs of their own
	require.Equal(t, k, got)
	_, err = c.Key("sk-wrong", 1)
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err))
	require.NoError(t, c.RevokeKey(k.Hash, 5))
	_, err = c.Key("sk-secret", 1)
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err))
	keys, err := c.Keys()
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.EqualValues(t, 5, keys[0].RevokedAt)
}

func TestJobsAndCatalog(t *testing.T) {
	db := openMem(t)
	c := NewCoordinator(db)
	for i := byte(1); i <= 3; i++ {
		require.NoError(t, c.PutJob(JobRecord{ID: protocol.Hash{i}, Kind: "infer", Status: JobRunning, CreatedAt: int64(i)}))
	}
	require.NoError(t, c.PutJob(JobRecord{ID: protocol.Hash{2}, Kind: "infer", Status: JobDone, CreatedAt: 99, UpdatedAt: 4}))
	jobs, err := c.Jobs(0, nil)
	require.NoError(t, err)
	require.Len(t, jobs, 3)
	require.Equal(t, protocol.Hash{3}, jobs[0].ID)
	require.EqualValues(t, 2, jobs[1].CreatedAt)
	jobs, err = c.Jobs(1, func(j *JobRecord) bool { return j.Status == JobDone })
	require.NoError(t, err)
	require.Equal(t, protocol.Hash{2}, jobs[0].ID)
	_, err = c.Job(protocol.Hash{77})
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))

	cat := NewCatalog(db)
	require.NoError(t, cat.PutAdapter(AdapterRecord{CID: "bafya", Owner: alice, Name: "lessons"}))
	a, err := cat.AdapterByName(alice, "lessons")
	require.NoError(t, err)
	require.EqualValues(t, "bafya", a.CID)
	require.NoError(t, cat.PutDatanet(protocol.Datanet{ID: 1, Name: "fables"}))
	require.NoError(t, cat.PutVersion(protocol.Version{Datanet: 1, Number: 1, Root: "bafyr"}))
	vs, err := cat.Versions(1)
	require.NoError(t, err)
	require.Len(t, vs, 1)
	_, err = cat.Datanet(2)
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))
	require.False(t, errors.Is(err, ErrStop))
}
