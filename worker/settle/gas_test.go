package settle

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/store"
)

// Gas that a batch of five requesters may cost on the chain, all of its transaction, and
// a further requester in it, drawn before or not: the goals (docs/benchmarks.md), and for
// a worker's first batch what is measured and a little room.
const (
	maxFirstBatch = 370_000 // of requesters it never drew on
	maxBatch      = 300_000 // 300 for each of 1,000 receipts, 30 for each of 10,000
	maxRequester  = 40_000
)

// settleOnce serves n receipts of the payers, settles them in one batch and gives its gas.
func settleOnce(t *testing.T, w *world, s *Service, book *store.Worker, payers []*keystore.Key, n int) uint64 {
	t.Helper()
	for i := range n {
		w.serve(book, payers[i%len(payers)])
	}
	done, err := s.Flush(t.Context())
	require.NoError(t, err)
	require.Len(t, done, 1, "one batch")
	require.Len(t, done[0].Receipts, n)
	require.Len(t, done[0].Vouchers, len(payers))
	return done[0].GasUsed
}

// What a batch costs does not depend on its receipts, and little on their requesters;
// neither the first time a worker draws on them, nor later, when the slots are there.
func TestGasOfABatch(t *testing.T) {
	w := newWorld(t, 7)
	w.access = 1e16
	db := openStore(t, vfs.NewMem())
	defer func() { require.NoError(t, db.Close()) }()
	book := store.NewWorker(db)
	s := w.service(db, func(c *Config) { c.MaxReceipts = 1 << 20 })

	first := settleOnce(t, w, s, book, w.payers[:5], 1000)
	w.settledAll(book)
	next := func(payers int) uint64 {
		require.NoError(t, w.chain.AdvanceTime(10*time.Second)) // so that a batch is let go of, too
		return settleOnce(t, w, s, book, w.payers[:payers], 100)
	}
	next(5) // the first that lets go of another
	again, six, known := next(5), next(6), next(6)
	t.Logf("5 requesters: %d gas the first time, %d later; a sixth: %d the first time, %d later", first, again, six-again, known-again)
	require.LessOrEqual(t, first, uint64(maxFirstBatch))
	require.LessOrEqual(t, again, uint64(maxBatch))
	require.LessOrEqual(t, six-again, uint64(maxRequester))
	require.LessOrEqual(t, known-again, uint64(maxRequester))
}
