package devchain

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

// go-ethereum takes every 32nd block for final and soon moves the blocks up to it into
// files that are only ever appended to. A chain taken back below them goes on like any
// other: its transactions get into blocks again, and so does a new one.
func TestRewindBelowFinalBlocks(t *testing.T) {
	dir, to := t.TempDir(), common.Address{0xcc}
	c := start(t, Config{Dir: dir, Fund: funds(1), MaxAhead: time.Hour})
	client := dial(t, c.RPC())
	for range 70 {
		_, err := client.As(testKey(0)).Send(t.Context(), to, *uint256.NewInt(1))
		require.NoError(t, err)
	}
	require.NoError(t, c.Close())

	// The files are looked after at the start, and once a minute.
	c = start(t, Config{Dir: dir, Fund: funds(1), MaxAhead: time.Hour})
	require.Eventually(t, func() bool {
		kept, err := c.eth.ChainDb().Ancients()
		return err == nil && kept == 65
	}, time.Minute, time.Millisecond)
	client = dial(t, c.RPC())
	for _, left := range []uint64{66, 65, 64, 63, 40, 0} {
		number, _ := c.Head()
		require.NoError(t, c.Rewind(number-left))
		_, err := client.As(testKey(0)).Send(t.Context(), to, *uint256.NewInt(1))
		require.NoError(t, err, "from block %d", left)
	}
	b, err := client.Balance(t.Context(), to)
	require.NoError(t, err)
	require.Equal(t, uint64(76), b.Uint64())
}

// Once a chain was taken back, what its blocks held is in the pool: who asks sees that
// something is yet to come.
func TestRewoundTransactionsArePending(t *testing.T) {
	c := start(t, Config{Fund: funds(8), MaxAhead: time.Hour})
	client := dial(t, c.RPC())
	eth, err := ethclient.Dial(c.RPC())
	require.NoError(t, err)
	t.Cleanup(eth.Close)
	for round := range 20 {
		for i := range 3 {
			_, err := client.As(testKey(i)).Send(t.Context(), common.Address{0xcc}, *uint256.NewInt(1))
			require.NoError(t, err)
		}
		require.NoError(t, c.Rewind(3))
		require.Eventually(t, func() bool {
			pending, queued := c.eth.TxPool().Stats()
			return pending+queued == 0
		}, time.Minute, time.Millisecond)
		for i := range 3 {
			n, err := eth.NonceAt(t.Context(), testKey(i).Account(), nil)
			require.NoError(t, err)
			require.Equal(t, uint64(round+1), n, "round %d: nothing is pending, and it is in no block", round)
		}
	}
}
