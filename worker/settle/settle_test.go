package settle

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
)

// The whole way of the money: escrow, receipts, vouchers, batches, claims. What the
// accounts receive is what the requesters paid, to the wei.
func TestFeesBecomePayoutsToTheWei(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t, 3)
	db := openStore(t, vfs.NewMem())
	defer func() { require.NoError(t, db.Close()) }()
	book := store.NewWorker(db)
	s := w.service(db, func(c *Config) { c.MaxReceipts = 25 })

	none, err := s.Flush(ctx)
	require.NoError(t, err)
	require.Empty(t, none, "nothing to settle, nothing sent")

	for i := range 60 {
		w.serve(book, w.payers[i%3])
	}
	batches, err := s.Flush(ctx)
	require.NoError(t, err)
	require.Len(t, batches, 3, "20 receipts of each of three requesters, at most 25 a batch")
	for i := range 10 {
		w.serve(book, w.payers[i%3])
	}
	_, err = s.Flush(ctx)
	require.NoError(t, err)
	require.Empty(t, s.Blocked())
	w.settledAll(book)

	// A batch that nobody can read is an error, or left out, but never in the way.
	lost := Claims{Chain: w.client, Blocks: &memoryBlocks{have: map[protocol.Hash][]byte{}}, Checks: w.checks()}
	_, _, err = lost.Earnings(ctx, w.payout, 0)
	require.Error(t, err)
	unreadable := 0
	lost.Unreadable = func(chain.BatchEvent, error) { unreadable++ }
	found, _, err := lost.Earnings(ctx, w.payout, 0)
	require.NoError(t, err)
	require.Empty(t, found)
	require.GreaterOrEqual(t, unreadable, 3)

	// Who is owed: everybody who appears as a leaf anywhere.
	claims := Claims{Chain: w.client, Blocks: w.blocks, Checks: w.checks()}
	owed := map[protocol.Account]*uint256.Int{}
	roles := map[payout.Role]bool{}
	_, err = w.client.EachBatch(ctx, protocol.Account{}, 0, 0, func(b chain.BatchEvent, _ chain.Event) error {
		r, err := claims.Batch(ctx, b)
		require.NoError(t, err)
		for _, p := range r.Payouts {
			if owed[p.Account] == nil {
				owed[p.Account] = new(uint256.Int)
			}
			owed[p.Account].Add(owed[p.Account], &p.Amount)
		}
		for _, shares := range r.Shares {
			for _, share := range shares {
				roles[share.Role] = true
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.Len(t, roles, 6, "platform, worker, owner, staker, contributor, pool")
	require.Contains(t, owed, w.datanet.Pool)
	require.Contains(t, owed, w.client.Addresses().Treasury)

	_, now := w.chain.Head()
	anyone := w.client.As(w.payers[0]) // pays the gas, gets nothing
	_, n, err := claims.Claim(ctx, anyone, w.payout, 0, now)
	require.NoError(t, err)
	require.Zero(t, n, "the challenge window is open")
	require.NoError(t, w.chain.AdvanceTime(10*time.Second))
	_, now = w.chain.Head()

	var received uint256.Int
	for account, want := range owed {
		before, err := w.client.Balance(ctx, account)
		require.NoError(t, err)
		paid, n, err := claims.Claim(ctx, anyone, account, 0, now)
		require.NoError(t, err)
		require.NotZero(t, n)
		require.Equal(t, want.Dec(), paid.Dec())
		after, err := w.client.Balance(ctx, account)
		require.NoError(t, err)
		var got uint256.Int
		got.Sub(&after, &before)
		require.Equal(t, want.Dec(), got.Dec(), "%s", account)
		received.Add(&received, &got)

		_, n, err = claims.Claim(ctx, anyone, account, 0, now)
		require.NoError(t, err)
		require.Zero(t, n, "nothing is paid twice")
	}
	require.Equal(t, w.fees.Dec(), received.Dec(), "sum of payouts == sum of fees")
	left, err := w.client.Balance(ctx, w.client.Addresses().Settlement)
	require.NoError(t, err)
	require.True(t, left.IsZero(), "no wei is left behind")
}

var errKilled = errors.New("killed")

// A process that ends between any two steps neither loses a receipt nor settles it
// twice: what was not synced to disk is gone, and a new process goes on.
func TestKilledBetweenAnyTwoSteps(t *testing.T) {
	w := newWorld(t, 2)
	fs := vfs.NewCrashableMem()
	rng := rand.New(rand.NewPCG(3, 4))
	for round, step := range []string{"publish", "write down", "send", "note", "send", "note"} {
		t.Run(fmt.Sprint(round, " before ", step), func(t *testing.T) {
			db := openStore(t, fs)
			book := store.NewWorker(db)
			for i := range 6 {
				w.serve(book, w.payers[i%2])
			}
			s := w.service(db, func(c *Config) {
				c.step = func(at string) error {
					if at == step {
						return errKilled
					}
					return nil
				}
			})
			_, err := s.Flush(t.Context())
			require.ErrorIs(t, err, errKilled)
			crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 30, RNG: rng})
			require.NoError(t, db.Close())
			fs = crashed

			db = openStore(t, fs)
			_, err = w.service(db, nil).Flush(t.Context())
			require.NoError(t, err)
			w.settledAll(store.NewWorker(db))
			require.NoError(t, db.Close())
		})
	}
}

// A process that dies while its transaction is on its way finds it on the chain.
func TestSentButNotHeardOf(t *testing.T) {
	w := newWorld(t, 1)
	db := openStore(t, vfs.NewMem())
	defer func() { require.NoError(t, db.Close()) }()
	book := store.NewWorker(db)
	w.serve(book, w.payers[0])
	s := w.service(db, func(c *Config) {
		c.step = func(at string) error {
			if at == "note" {
				return errKilled
			}
			return nil
		}
	})
	_, err := s.Flush(t.Context())
	require.ErrorIs(t, err, errKilled)
	last, _, err := book.LastBatch(w.owner.Account())
	require.NoError(t, err)
	require.Equal(t, store.BatchPrepared, last.Status)

	done, err := w.service(db, nil).Flush(t.Context())
	require.NoError(t, err)
	require.Len(t, done, 1)
	require.NotZero(t, done[0].Tx, "the transaction of the earlier run is found")
	w.settledAll(book)
}

// One requester's bad voucher does not hold up the others.
func TestOneBadVoucherDoesNotBlockTheRest(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t, 3)
	db := openStore(t, vfs.NewMem())
	defer func() { require.NoError(t, db.Close()) }()
	book := store.NewWorker(db)
	for i := range 6 {
		w.serve(book, w.payers[i%3])
	}
	// The second payer's newest voucher carries a signature that the chain refuses.
	bad := w.payers[1].Account()
	rec, ok, err := book.Voucher(bad, w.owner.Account())
	require.NoError(t, err)
	require.True(t, ok)
	forged := rec.Signed
	forged.Voucher.Expires++
	require.NoError(t, book.AcceptVoucher(forged))

	s := w.service(db, nil)
	batches, err := s.Flush(ctx)
	require.NoError(t, err)
	require.Len(t, batches, 2)
	require.Len(t, s.Blocked(), 1)
	require.Equal(t, bad, s.Blocked()[0].Requester)
	require.Contains(t, s.Blocked()[0].Reason, "unknown session") // whose signature it would be

	// A good voucher for the same sum mends it.
	good := rec.Signed.Voucher
	good.Expires += 2
	signed, err := wire.SignVoucher(w.domain(w.client.Addresses().Escrow), good, w.session.ECDSA())
	require.NoError(t, err)
	require.NoError(t, book.AcceptVoucher(signed))
	_, err = w.service(db, nil).Flush(ctx)
	require.NoError(t, err)
	w.settledAll(book)
}

// What cannot be drawn now is not sent, and the reason is told.
func TestReasonsToWait(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t, 1)
	payer := w.payers[0]
	for _, c := range []struct {
		name, reason string
		change       func(*Config, *store.VoucherRecord)
	}{
		{"voucher about to expire", "expired or is about to", func(c *Config, _ *store.VoucherRecord) { c.VoucherMargin = 48 * time.Hour }},
		{"voucher ahead of its receipts", "the receipts at hand come to", func(_ *Config, v *store.VoucherRecord) {
			v.Signed.Voucher.Cumulative.AddUint64(&v.Signed.Voucher.Cumulative, 5)
		}},
		{"unknown session key", "must authorise it anew", func(_ *Config, v *store.VoucherRecord) { v.Signed.Signer = protocol.Account{1} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := openStore(t, vfs.NewMem())
			defer func() { require.NoError(t, db.Close()) }()
			book := store.NewWorker(db)
			w.serve(book, payer)
			var reason string
			s := w.service(db, func(cfg *Config) {
				v, _, err := book.Voucher(payer.Account(), w.owner.Account())
				require.NoError(t, err)
				c.change(cfg, &v)
				list, err := book.Receipts(store.ReceiptVouchered, 0)
				require.NoError(t, err)
				// Earlier cases left receipts unsettled in stores that are gone.
				missing, err := w.client.DrawnOf(ctx, payer.Account(), w.owner.Account())
				require.NoError(t, err)
				require.True(t, missing.IsZero())
				s := &Service{cfg: *cfg, client: w.client, blocked: map[protocol.Account]Blocked{}}
				s.cfg.EnsureDefaults()
				if c.name != "voucher ahead of its receipts" {
					v.Signed.Voucher.Cumulative = list[0].Signed.Receipt.Fee().Total()
				}
				_, reason, err = s.group(ctx, v, []protocol.SignedReceipt{list[0].Signed}, time.Now().Unix())
				require.NoError(t, err)
			})
			require.NotNil(t, s)
			require.Contains(t, reason, c.reason)
		})
	}
}

// A batch that the stake does not cover waits for room.
func TestStakeCoversWhatWaits(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t, 1)
	db := openStore(t, vfs.NewMem())
	defer func() { require.NoError(t, db.Close()) }()
	book := store.NewWorker(db)
	s := w.service(db, nil)
	room, err := s.room(ctx)
	require.NoError(t, err)
	require.Equal(t, open(6234), room)
	w.serve(book, w.payers[0])
	_, err = s.Flush(ctx)
	require.NoError(t, err)
	less, err := s.room(ctx)
	require.NoError(t, err)
	var used uint256.Int
	used.Sub(&room, &less)
	require.Equal(t, w.fees, used)
	time.Sleep(time.Second)
	require.NoError(t, w.chain.AdvanceTime(10*time.Second))
	again, err := s.room(ctx)
	require.NoError(t, err)
	require.Equal(t, room, again, "the window is over")
}

// Run settles by itself and ends with its context.
func TestRunSettles(t *testing.T) {
	w := newWorld(t, 1)
	db := openStore(t, vfs.NewMem())
	defer func() { require.NoError(t, db.Close()) }()
	book := store.NewWorker(db)
	s := w.service(db, func(c *Config) { c.Every = time.Hour })
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	w.serve(book, w.payers[0])
	require.Eventually(t, func() bool {
		s.Poke()
		counts, err := book.CountReceipts()
		return err == nil && counts[store.ReceiptSettled] == 1
	}, time.Minute, 20*time.Millisecond)
	stop()
	require.NoError(t, <-done)
}

func TestAnotherProcessIsNoticed(t *testing.T) {
	w := newWorld(t, 1)
	one, two := openStore(t, vfs.NewMem()), openStore(t, vfs.NewMem())
	defer func() { require.NoError(t, errors.Join(one.Close(), two.Close())) }()
	w.serve(store.NewWorker(one), w.payers[0])
	_, err := w.service(one, nil).Flush(t.Context())
	require.NoError(t, err)
	w.serve(store.NewWorker(two), w.payers[0])
	_, err = w.service(two, nil).Flush(t.Context())
	require.NoError(t, err)
	_, err = w.service(one, nil).Flush(t.Context())
	require.Equal(t, protocol.KindStale, protocol.KindOf(err), "%v", err)
}

// Batches that the chain had and lost are sent again from the worker's records. One that
// the chain refuses now, since a requester's deposit is lost too, is taken apart with
// those after it, and the other requesters' receipts are settled anew.
func TestBatchesThatAReorganisationTook(t *testing.T) {
	ctx := t.Context()
	for name, deposits := range map[string]int{"all come again": 3, "one requester's deposit is gone": 2} {
		t.Run(name, func(t *testing.T) {
			before := newWorld(t, 3)
			db := openStore(t, vfs.NewMem())
			defer func() { require.NoError(t, db.Close()) }()
			book := store.NewWorker(db)
			for round := range 3 {
				for i := range 6 {
					before.serve(book, before.payers[(i+round)%(3-round/2)])
				}
				_, err := before.service(db, nil).Flush(ctx)
				require.NoError(t, err)
			}
			before.settledAll(book)

			// The same contracts at the same addresses, without any batch.
			after := newWorld(t, deposits)
			require.Equal(t, before.client.Addresses(), after.client.Addresses())
			after.blocks, after.atts = before.blocks, before.atts
			s := after.service(db, nil)
			_, err := s.Flush(ctx)
			require.NoError(t, err)
			counts, err := book.CountReceipts()
			require.NoError(t, err)
			if deposits == 3 {
				after.payers, after.served, after.fees, after.perUser = before.payers, before.served, before.fees, before.perUser
				after.settledAll(book)
				return
			}
			gone := before.payers[2].Account()
			require.Equal(t, map[store.ReceiptStatus]int{store.ReceiptSettled: 14, store.ReceiptVouchered: 4}, counts)
			require.Len(t, s.Blocked(), 1)
			require.Equal(t, gone, s.Blocked()[0].Requester)
			for _, p := range after.payers {
				drawn, err := after.client.DrawnOf(ctx, p.Account(), after.owner.Account())
				require.NoError(t, err)
				require.Equal(t, before.perUser[p.Account()].Dec(), drawn.Dec())
			}
		})
	}
}

// A batch that was taken apart, and whose transaction came through after all, is found on
// the chain and noted; whatever was made of its receipts meanwhile is given up.
func TestABatchThatCameAfterAll(t *testing.T) {
	for _, again := range []bool{false, true} {
		t.Run(fmt.Sprint("batched again ", again), func(t *testing.T) {
			ctx := t.Context()
			w := newWorld(t, 2)
			db := openStore(t, vfs.NewMem())
			defer func() { require.NoError(t, db.Close()) }()
			book := store.NewWorker(db)
			for range 2 {
				for i := range 4 {
					w.serve(book, w.payers[i%2])
				}
				_, err := w.service(db, nil).Flush(ctx)
				require.NoError(t, err)
			}
			require.NoError(t, book.ReopenBatch(w.owner.Account(), 1))
			require.NoError(t, book.DropBatch(w.owner.Account(), 1))
			if again {
				w.serve(book, w.payers[0])
				waiting, err := book.Receipts(store.ReceiptVouchered, 0)
				require.NoError(t, err)
				b := store.BatchRecord{Worker: w.owner.Account(), Nonce: 1, Root: protocol.Hash{1}}
				for _, r := range waiting {
					b.Receipts = append(b.Receipts, r.Signed.Receipt.ID)
					fee := r.Signed.Receipt.Fee().Total()
					b.Total.Add(&b.Total, &fee)
				}
				require.NoError(t, book.PrepareBatch(b))
			}
			_, err := w.service(db, nil).Flush(ctx)
			require.NoError(t, err)
			w.settledAll(book)
		})
	}
}
