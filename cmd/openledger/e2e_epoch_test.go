package main

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/epoch"
)

// From the command line: answers are settled, an epoch is proposed of their batches, the
// whole network is killed, and the same command goes on. Then everybody's rewards come
// out of the epoch, to the wei, and a second claim pays nothing.
func TestEpochFromTheCommandLine(t *testing.T) {
	d := newDevnetProcess(t)
	for i := range 3 {
		_, err := d.stream(t.Context(), rambling(i, 12), nil)
		require.NoError(t, err)
	}
	eventually(t, time.Minute, "all receipts are settled and their windows over", func() error {
		open, err := d.unsettled(t.Context())
		if err != nil || open > 0 {
			return fmt.Errorf("%d receipts are not settled (%w)", open, err)
		}
		now, err := d.chain.Now(t.Context())
		require.NoError(t, err)
		for _, e := range d.audit(t).batches {
			if e.ClaimableAt > now {
				return fmt.Errorf("batch %d opens at %d", e.Nonce, e.ClaimableAt)
			}
		}
		return nil
	})
	b := d.audit(t)
	at := func() []string { return []string{"--as", requesterKey, "--home", d.home, "--api", d.api} }
	var p epoch.Progress
	run(t, &p, append([]string{"epoch", "propose"}, at()...)...)
	require.Equal(t, chain.EpochProposed, p.Epoch.Stage)
	require.Equal(t, b.totals.Dec(), p.Epoch.Amount.Dec())
	id := strconv.Itoa(int(p.Epoch.ID))

	d.proc.kill()
	d.again(t)
	var verified struct {
		OK bool `json:"ok"`
	}
	run(t, &verified, append([]string{"epoch", "verify", id}, at()...)...)
	require.True(t, verified.OK)
	run(t, &p, append([]string{"epoch", "propose", "--wait"}, at()...)...)
	require.Equal(t, chain.EpochFinalised, p.Epoch.Stage, p.Waits)
	var shown struct {
		Epoch   chain.Epoch       `json:"epoch"`
		Batches []chain.HeldBatch `json:"batches"`
	}
	run(t, &shown, append([]string{"epoch", "show", id}, at()...)...)
	require.Len(t, shown.Batches, len(b.batches))

	before := map[protocol.Account]uint256.Int{}
	for _, a := range b.accounts {
		balance, err := d.chain.Balance(t.Context(), a)
		require.NoError(t, err)
		before[a] = balance
	}
	sum := d.claimAll(t, b, d.home, requesterKey)
	require.Equal(t, b.totals.Dec(), sum.Dec())
	for _, a := range b.accounts {
		balance, err := d.chain.Balance(t.Context(), a)
		require.NoError(t, err)
		old := before[a]
		balance.Sub(&balance, &old)
		require.Equal(t, b.payouts[a].Dec(), balance.Dec(), "%s has what it earned", a.Hex())
	}
	sum = d.claimAll(t, b, d.home, requesterKey)
	require.True(t, sum.IsZero(), "claiming again pays nothing")
	var list struct {
		Distribution chain.Distribution `json:"distribution"`
	}
	run(t, &list, append([]string{"epoch", "list"}, at()...)...)
	require.Equal(t, b.totals.Dec(), list.Distribution.Paid.Dec())
}
