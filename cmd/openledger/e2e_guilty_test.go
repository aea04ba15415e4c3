package main

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// guilt is a batch that pays for nothing, and how things stood when it was challenged.
type guilt struct {
	batch   chain.BatchRef
	dispute uint64
	bond    uint256.Int // of the challenge
	escrow  uint256.Int // of the requester, before the batch drew on it
	stake   uint256.Int // of the worker
}

// lie has the worker's owner settle a batch under the document of an honest one, with a root
// of its own making and a voucher for nothing, and has the requester challenge that.
func (v *validating) lie(t *testing.T, honest chain.BatchRef) (g guilt) {
	ctx := t.Context()
	g.batch = chain.BatchRef{Worker: honest.Worker, Nonce: honest.Nonce + 1}
	document, err := v.chain.Batch(ctx, honest.Worker, honest.Nonce)
	require.NoError(t, err)
	requester := v.accounts[requesterKey]
	g.escrow, err = v.chain.EscrowOf(ctx, requester)
	require.NoError(t, err)
	stake, err := v.chain.StakeOf(ctx, honest.Worker)
	require.NoError(t, err)
	require.True(t, stake.Delegated.IsZero())
	g.stake = stake.Own

	total := node.Open(1)
	cumulative, err := v.chain.DrawnOf(ctx, requester, honest.Worker)
	require.NoError(t, err)
	cumulative.Add(&cumulative, &total)
	voucher, err := wire.SignVoucher(wire.Domain{ChainID: v.chain.ChainID(), Contract: v.info.Contracts.Escrow}, protocol.Voucher{
		Requester: requester, Worker: honest.Worker, Cumulative: cumulative, Expires: time.Now().Add(365 * 24 * time.Hour).Unix(),
	}, v.secret(t, requesterKey).ECDSA())
	require.NoError(t, err)
	wallet, err := node.Home{Dir: v.homes[0]}.Wallet("", true)
	require.NoError(t, err)
	owner, err := wallet.Key(ownerKey)
	require.NoError(t, err)
	_, err = v.chain.As(owner).SubmitBatch(ctx, chain.Submission{
		Worker: g.batch.Worker, Nonce: g.batch.Nonce, Root: protocol.Hash{1}, Total: total, Count: 1, DataDigest: document.DataDigest,
		Vouchers: []protocol.SignedVoucher{voucher},
	})
	require.NoError(t, err)

	args := []string{g.batch.Worker.Hex(), fmt.Sprint(g.batch.Nonce)}
	tried := v.challenge(t, append(args, "--dry-run")...)
	require.True(t, tried.Finding.Guilty)
	require.Equal(t, protocol.ReasonArithmetic, tried.Finding.Reason, tried.Finding.Detail)
	require.False(t, tried.Sent)
	sent := v.challenge(t, args...)
	require.True(t, sent.Sent)
	require.NotZero(t, sent.Tx)
	g.dispute, g.bond = sent.Dispute, sent.Bond
	refused(t, "is disputed", v.challenging(args...)...)
	return g
}

// convicted waits for the verdict, and works out by hand who lost and who got how much.
func (v *validating) convicted(t *testing.T, g guilt, proc *service) {
	ctx := t.Context()
	eventually(t, 2*time.Minute, "the worker is convicted and the requester has its money back", func() error {
		b, err := v.chain.Batch(ctx, g.batch.Worker, g.batch.Nonce)
		if err == nil && !b.Refunded {
			err = fmt.Errorf("%s; %s", b.Status, lastLines(proc.log.String(), 3))
		}
		return err
	})
	var shown struct {
		Dispute   chain.Dispute `json:"dispute"`
		Committee []chain.Seat  `json:"committee"`
		Batch     chain.Batch   `json:"batch"`
	}
	run(t, &shown, "disputes", "show", fmt.Sprint(g.dispute), "--home", v.user, "--api", v.api)
	require.Equal(t, chain.DisputeGuilty, shown.Dispute.Status)
	require.Equal(t, protocol.ReasonArithmetic, shown.Dispute.Reason)
	require.Equal(t, v.accounts[requesterKey], shown.Dispute.Challenger)
	require.Equal(t, []chain.Seat{{Member: v.key, Vote: chain.VoteGuilty}}, shown.Committee)
	require.Equal(t, chain.BatchRejected, shown.Batch.Status)
	v.explored(t, g)

	rules, err := v.chain.DisputeRules(ctx)
	require.NoError(t, err)
	// The stake is far above what covers the worker's batches, so the governed part of it goes.
	slash := bpsOf(g.stake, rules.SlashBps)
	require.True(t, slash.Gt(&shown.Batch.Total))
	stake, err := v.chain.StakeOf(ctx, g.batch.Worker)
	require.NoError(t, err)
	require.Equal(t, new(uint256.Int).Sub(&g.stake, &slash).Dec(), stake.Own.Dec(), "the worker's bond")
	until, err := v.chain.Jail(ctx, g.batch.Worker)
	require.NoError(t, err)
	require.False(t, until.IsZero(), "the worker is in jail")
	escrow, err := v.chain.EscrowOf(ctx, v.accounts[requesterKey])
	require.NoError(t, err)
	require.Equal(t, g.escrow.Dec(), escrow.Dec(), "what the batch drew is back")

	reward, signers := bpsOf(slash, rules.ChallengerBps), bpsOf(slash, rules.SignersBps)
	back := new(uint256.Int).Add(&g.bond, &reward)
	rest := new(uint256.Int).Sub(&slash, &reward)
	rest.Sub(rest, &signers)
	for account, want := range map[protocol.Account]string{
		v.accounts[requesterKey]: back.Dec(), v.key: signers.Dec(), v.info.Contracts.Treasury: rest.Dec(), g.batch.Worker: "0",
	} {
		owed, err := v.chain.DisputeCredit(ctx, account)
		require.NoError(t, err)
		require.Equal(t, want, owed.Dec(), "what the dispute owes %s", account)
	}
	before, err := v.chain.Balance(ctx, v.accounts[requesterKey])
	require.NoError(t, err)
	run(t, nil, v.verb("collect", v.accounts[requesterKey].Hex())...)
	after, err := v.chain.Balance(ctx, v.accounts[requesterKey])
	require.NoError(t, err)
	require.Equal(t, back.Dec(), new(uint256.Int).Sub(&after, &before).Dec(), "bond and reward of the challenger")
	run(t, nil, v.verb("collect")...)
}

// explored asks the API for what the explorer shows of it.
func (v *validating) explored(t *testing.T, g guilt) {
	cl, err := client.New(v.api, "")
	require.NoError(t, err)
	ctx := t.Context()
	var all struct {
		Disputes []api.DisputeView `json:"disputes"`
	}
	require.NoError(t, cl.Call(ctx, http.MethodGet, "/api/v1/disputes", nil, &all))
	require.Equal(t, g.dispute, all.Disputes[0].ID)
	require.Equal(t, "guilty", all.Disputes[0].Status)
	var d api.DisputePage
	require.NoError(t, cl.Call(ctx, http.MethodGet, fmt.Sprintf("/api/v1/disputes/%d", g.dispute), nil, &d))
	require.Equal(t, []api.DisputeSeat{{Member: v.key, Vote: "guilty"}}, d.Seats)
	var what []string
	for _, s := range d.Steps {
		what = append(what, s.What)
		require.NotZero(t, s.At, "%s", s.What)
	}
	require.Equal(t, []string{"challenged", "drawn", "verdict", "slashed", "jailed", "resolved"}, what)
	require.Equal(t, g.bond.Dec(), d.Steps[0].Amount.Dec())
	require.Equal(t, d.Steps[3].Amount.Dec(), d.Steps[5].Amount.Dec(), "the slash as both contracts tell it")
	var b api.BatchPage
	require.NoError(t, cl.Call(ctx, http.MethodGet, fmt.Sprintf("/api/v1/batches/%s/%d", g.batch.Worker.Hex(), g.batch.Nonce), nil, &b))
	require.Equal(t, "rejected", b.Status)
	require.True(t, b.Refunded)
	require.Equal(t, g.dispute, b.Dispute)
}

// bpsOf is so many basis points of an amount, rounded down.
func bpsOf(v uint256.Int, bps uint16) uint256.Int {
	p := uint256.NewInt(uint64(bps))
	return *p.Mul(p, &v).Div(p, uint256.NewInt(10_000))
}
