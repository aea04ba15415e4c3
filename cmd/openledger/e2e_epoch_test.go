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
	sum := d.claimTogether(t, b, at())
	require.Equal(t, b.totals.Dec(), sum.Dec())
	for _, a := range b.accounts {
		balance, err := d.chain.Balance(t.Context(), a)
		require.NoError(t, err)
		old := before[a]
		balance.Sub(&balance, &old)
		require.Equal(t, b.payouts[a].Dec(), balance.Dec(), "%s has what it earned", a.Hex())
	}
	sum = d.claimTogether(t, b, at())
	require.True(t, sum.IsZero(), "claiming again pays nothing")
	sum = d.claimAll(t, b, d.home, requesterKey)
	require.True(t, sum.IsZero(), "claiming again pays nothing")
	var list struct {
		Distribution chain.Distribution `json:"distribution"`
	}
	run(t, &list, append([]string{"epoch", "list"}, at()...)...)
	require.Equal(t, b.totals.Dec(), list.Distribution.Paid.Dec())
}

// claimTogether claims for one account by itself, then for everybody and somebody to whom
// nothing is owed by one command, and gives the sum.
func (n *network) claimTogether(t testing.TB, b books, at []string) uint256.Int {
	t.Helper()
	type claimed struct {
		Account protocol.Account `json:"account"`
		Claimed string           `json:"claimed"`
	}
	var one, all struct {
		Accounts []claimed     `json:"accounts"`
		Claimed  string        `json:"claimed"`
		Tx       protocol.Hash `json:"tx"`
		Gas      uint64        `json:"gas_used"`
	}
	claim := func(more ...string) []string { return append(append([]string{"rewards", "claim"}, more...), at...) }
	stranger := protocol.Account{0x57}
	names := []string{stranger.Hex()}
	for _, a := range b.accounts {
		names = append(names, a.Hex())
	}
	refused(t, "are the same account", claim(append(names, names[1])...)...)
	refused(t, `no account "0x12"`, claim(append(names, "0x12")...)...)

	contract := n.info.Contracts.Settlement
	err := whyRefused(t.Context(), n.chain, []protocol.Account{stranger, contract}, protocol.Errorf(protocol.KindUnauthorized, "", "not escrow"))
	require.ErrorContains(t, err, "refuse money: "+contract.Hex()+": claim without", "of the two only a contract can have refused")

	run(t, &one, claim(names[1])...)
	run(t, &all, claim(names...)...)
	require.Len(t, one.Accounts, 1)
	require.Len(t, all.Accounts, len(names))
	require.Equal(t, claimed{stranger, "0"}, all.Accounts[0])
	require.Equal(t, claimed{b.accounts[0], "0"}, all.Accounts[1], "it has had its own")
	sum, err := uint256.FromDecimal(one.Claimed)
	require.NoError(t, err)
	for i, c := range all.Accounts[2:] {
		require.Equal(t, b.accounts[i+1], c.Account, "in the order in which they were named")
		v, err := uint256.FromDecimal(c.Claimed)
		require.NoError(t, err)
		sum.Add(sum, v)
	}
	parts, err := uint256.FromDecimal(all.Claimed)
	require.NoError(t, err)
	first, err := uint256.FromDecimal(one.Claimed)
	require.NoError(t, err)
	require.Equal(t, sum.Dec(), parts.Add(parts, first).Dec())
	if parts.IsZero() {
		require.Zero(t, all.Tx, "nothing is sent for nothing")
		require.Zero(t, all.Gas)
	}
	return *sum
}
