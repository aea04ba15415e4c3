package store

import (
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func wei(n uint64) uint256.Int { return *uint256.NewInt(n) }

func accept(t *testing.T, c *Coordinator, r protocol.SignedReceipt, at int64) {
	t.Helper()
	_, err := c.AcceptReceipt(r, at, func(v protocol.Voucher) (protocol.SignedVoucher, error) {
		return protocol.SignedVoucher{Voucher: v}, nil
	})
	require.NoError(t, err)
}

// Every accepted receipt is in the sums once, also one that was accepted before there
// were sums, and the newest hours are those asked for.
func TestSumsOfReceipts(t *testing.T) {
	c := NewCoordinator(openMem(t))
	const hour = 3_600_000
	for i := range byte(3) {
		r := receipt(i, alice, 10)
		r.Receipt.PromptTokens, r.Receipt.OutputTokens, r.Receipt.Markup = 5, 2, wei(4)
		accept(t, c, r, int64(i)*hour+7)
		accept(t, c, r, int64(i)*hour+7) // the same again is nothing new
		if i == 0 {                      // as a database of an earlier version has it
			require.NoError(t, c.db.Update(func(tx *Tx) error {
				for _, h := range []int64{everything, 0} {
					if err := tallyTable.Delete(tx, h); err != nil {
						return err
					}
				}
				return nil
			}))
		}
	}
	s, err := c.Sums(hour + hour/2)
	require.NoError(t, err)
	require.Equal(t, Tally{Requests: 3, PromptTokens: 15, OutputTokens: 6, Compute: wei(27), Access: wei(3), Markup: wei(12)}, s.Answers)
	require.Equal(t, Tally{Requests: 2, PromptTokens: 10, OutputTokens: 4, Compute: wei(18), Access: wei(2), Markup: wei(8)}, s.Recent, "from the beginning of the hour")
}

// A batch counts once, as it was noted last: before and after its document is read, when
// another takes its place, and not at all when a dispute rejects it.
func TestSumsOfBatches(t *testing.T) {
	c := NewCoordinator(openMem(t))
	const hour = 3_600
	put := func(b SettledBatch, fresh bool) Settled {
		t.Helper()
		is, err := c.PutSettled(b)
		require.NoError(t, err)
		require.Equal(t, fresh, is)
		s, err := c.Sums(2 * hour * 1000)
		require.NoError(t, err)
		if b.At >= 2*hour {
			require.Equal(t, s.Settlements, s.RecentSettlements)
		}
		return s.Settlements
	}
	b := SettledBatch{Worker: worker, Nonce: 0, Document: protocol.Hash{1}, At: 2 * hour, Total: wei(100)}
	require.Equal(t, Settled{Batches: 1, Amount: wei(100)}, put(b, true))
	unread, err := c.UnreadBatches()
	require.NoError(t, err)
	require.Len(t, unread, 1)

	b.Receipts, b.Paid = []protocol.Hash{{7}, {8}}, []Paid{{"platform", wei(10)}, {"worker", wei(90)}}
	whole := Settled{Batches: 1, Receipts: 2, Amount: wei(100), Paid: b.Paid}
	require.Equal(t, whole, put(b, false))
	require.Equal(t, whole, put(b, false), "again changes nothing")
	of, ok, err := c.BatchOf(protocol.Hash{8})
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, BatchID{worker, 0}, of)
	if unread, err = c.UnreadBatches(); true {
		require.NoError(t, err)
		require.Empty(t, unread)
	}

	b.Rejected = true
	none := Settled{Paid: []Paid{{"platform", wei(0)}, {"worker", wei(0)}}}
	require.Equal(t, none, put(b, false))
	other := b
	other.Rejected, other.Document, other.Receipts = false, protocol.Hash{2}, []protocol.Hash{{8}}
	require.Equal(t, Settled{Batches: 1, Receipts: 1, Amount: wei(100), Paid: b.Paid}, put(other, true))
	_, ok, err = c.BatchOf(protocol.Hash{7})
	require.NoError(t, err)
	require.False(t, ok, "the chain went back behind the batch that had it")

	old := SettledBatch{Worker: worker, Nonce: 1, Document: protocol.Hash{3}, At: hour, Total: wei(5), Paid: []Paid{{"worker", wei(5)}}}
	require.Equal(t, Settled{Batches: 2, Receipts: 1, Amount: wei(105), Paid: []Paid{{"platform", wei(10)}, {"worker", wei(95)}}}, put(old, true))
	s, err := c.Sums(2 * hour * 1000)
	require.NoError(t, err)
	require.EqualValues(t, 1, s.RecentSettlements.Batches, "the hour before is not asked for")
}
