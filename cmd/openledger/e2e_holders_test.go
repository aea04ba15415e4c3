package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/contracts/keystore/clef/cleftest"
	"github.com/openledger/openledger/protocol"
)

// holders does with money, stake and votes what their verbs offer, on the chain of the
// running network.
func (s *separate) holders(t *testing.T) {
	worker := light(t, s.homes[0], ownerKey)[ownerKey].Hex()

	run(t, nil, s.verb("stake", "delegate", worker, "5", "--as", "alice")...)
	var stake stakeView
	run(t, &stake, s.verb("stake", "show", worker)...)
	require.True(t, stake.Active)
	require.Equal(t, node.Open(5), stake.Stake.Delegated)
	refused(t, "below minimum delegation", s.verb("stake", "delegate", worker, "0.5", "--as", "bob")...)
	refused(t, "has no stake on its way out", s.verb("stake", "withdraw", "--as", "alice")...)
	run(t, nil, s.verb("stake", "unbond", worker, "5", "--as", "alice")...)
	run(t, &stake, s.verb("stake", "show", "alice")...)
	require.Len(t, stake.Unbondings, 1)
	refused(t, "nothing is free before", s.verb("stake", "withdraw", "--as", "alice")...)

	var before, after escrowView
	run(t, &before, s.verb("escrow", "show", "requester")...)
	require.NotZero(t, before.Session.Expires)
	run(t, nil, s.verb("escrow", "withdraw", "1", "--as", "requester")...)
	run(t, &after, s.verb("escrow", "show", "requester")...)
	require.Equal(t, node.Open(1), after.Withdrawal.Amount)
	require.True(t, after.Available.Lt(before.Available))
	refused(t, "withdrawal", s.verb("escrow", "finish", "--as", "requester")...)
	run(t, nil, s.verb("escrow", "cancel", "--as", "requester")...)
	after = escrowView{}
	run(t, &after, s.verb("escrow", "show", "requester")...)
	require.Nil(t, after.Withdrawal)
	other := s.accounts["bob"].Hex()
	run(t, nil, s.verb("escrow", "authorize", "3", "--key", other, "--lasts", "1h", "--as", "requester")...)
	run(t, nil, s.verb("escrow", "revoke", "--key", other, "--as", "requester")...)

	s.reserves(t, worker)

	run(t, nil, s.verb("adapter", "price", "lessons", "0.02", "--as", "owner")...)
	a, err := s.chain.AdapterByName(t.Context(), s.accounts["owner"], "lessons")
	require.NoError(t, err)
	require.Equal(t, "20000000000000000", a.Access.Dec())
	run(t, nil, s.verb("adapter", "price", "lessons", "0.01", "--as", "owner")...)
	refused(t, "owns no adapter", s.verb("adapter", "price", "lessons", "0", "--as", "bob")...)

	run(t, nil, s.verb("gov", "wrap", "10", "--as", "alice")...)
	run(t, nil, s.verb("gov", "delegate", "bob", "--as", "alice")...)
	var voice chain.Voice
	run(t, &voice, s.verb("gov", "votes", "bob")...)
	require.Equal(t, node.Open(10), voice.Votes)
	refused(t, "insufficient proposer votes", s.verb("gov", "propose", "mine", "--grant", other+"=1", "--as", "bob")...)
	run(t, nil, s.verb("gov", "unwrap", "10", "--as", "alice")...)
	var roles struct {
		Roles []chain.RoleHolder `json:"roles"`
	}
	run(t, &roles, s.verb("gov", "roles")...)
	require.Contains(t, roles.Roles, chain.RoleHolder{On: "timelock", Role: chain.ExecutorRole})
	run(t, nil, s.verb("gov", "params")...)
	run(t, nil, s.verb("gov", "list")...)
	var disputed struct {
		Disputes []chain.Dispute `json:"disputes"`
	}
	run(t, &disputed, s.verb("disputes", "list")...)
	require.Empty(t, disputed.Disputes)
	refused(t, "there is no dispute 1", s.verb("disputes", "show", "1")...)
	s.coldOwner(t)
}

// coldOwner stakes for a worker whose owner's key is in an external signer: the statement
// that binds the worker's keys is signed there, and so is what moves the stake.
func (s *separate) coldOwner(t *testing.T) {
	cold, err := keystore.Generate()
	require.NoError(t, err)
	url, owner := cleftest.Serve(t, &cleftest.Signer{Key: cold}), cold.Account().Hex()
	home := t.TempDir()
	light(t, home, nodeKey)
	run(t, nil, s.verb("wallet", "send", owner, "20", "--as", "bob")...)
	run(t, nil, s.verb("wallet", "deposit", "1", "--signer", url, "--as", owner)...)
	var opening protocol.SignedOpening
	run(t, &opening, s.verb("escrow", "open", "1", "--reserve", s.accounts["bob"].Hex()+"=1", "--sign", "--signer", url, "--as", owner)...)
	require.Len(t, opening.Signature, 65, "a statement with a list in it")
	refused(t, "needs", s.initArgs(home, "--signer", url, "--as", owner)...)
	run(t, nil, s.verb("wallet", "send", owner, "200", "--as", "owner")...)
	run(t, nil, s.verb("wallet", "send", owner, "300", "--as", "alice")...)
	run(t, nil, s.verb("wallet", "send", owner, "300", "--as", "poor")...)
	run(t, nil, s.verb("wallet", "send", owner, "300", "--as", "bob")...)
	run(t, nil, s.initArgs(home, "--signer", url, "--as", owner)...)
	var stake stakeView
	run(t, &stake, s.verb("stake", "show", owner)...)
	require.True(t, stake.Active)
	w, err := node.Home{Dir: home}.Wallet("", true)
	require.NoError(t, err)
	local, err := w.Accounts()
	require.NoError(t, err)
	require.NotContains(t, local, cold.Account())
	require.Len(t, local, 1, "the node key alone")
	run(t, nil, s.verb("stake", "unbond", owner, "1000", "--signer", url, "--as", owner)...)
}

// reserves sets escrow aside for the worker, and brings an account in that has no money.
func (s *separate) reserves(t *testing.T, worker string) {
	run(t, nil, s.verb("escrow", "reserve", worker, "1", "--as", "requester")...)
	refused(t, "insufficient escrow", s.verb("escrow", "reserve", "alice", "1000000", "--as", "requester")...)
	refused(t, "do not fit into the escrow", s.verb("escrow", "reserve", "alice", "100000000", "--as", "requester")...)
	var released struct {
		Reserve chain.Reserve `json:"reserve"`
	}
	run(t, &released, s.verb("escrow", "release", worker, "--as", "requester")...)
	require.Equal(t, node.Open(1), released.Reserve.Amount, "until the delay is over")
	require.NotZero(t, released.Reserve.LowersAt)
	refused(t, "still reserved", s.verb("escrow", "release", worker, "--as", "requester")...)
	run(t, nil, s.verb("escrow", "reserve", worker, "1", "--as", "requester")...)
	var v escrowView
	run(t, &v, s.verb("escrow", "show", "requester")...)
	require.Len(t, v.Reserves, 1)
	require.Equal(t, node.Open(1), v.Reserves[0].Amount)
	require.Zero(t, v.Reserves[0].LowersAt)

	var poor accountView
	run(t, &poor, s.verb("wallet", "create", "newcomer")...)
	var signed protocol.SignedOpening
	run(t, &signed, s.verb("escrow", "open", "3", "--reserve", worker+"=2", "--sign", "--as", "newcomer")...)
	file := filepath.Join(t.TempDir(), "opening.json")
	raw, err := json.Marshal(&signed)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, raw, 0o600))
	refused(t, "takes no amount", s.verb("escrow", "open", "3", "--relay", file, "--as", "alice")...)
	refused(t, "is missing", s.verb("escrow", "open", "--as", "alice")...)
	refused(t, "is not WORKER=AMOUNT", s.verb("escrow", "open", "3", "--reserve", "2", "--as", "alice")...)
	run(t, nil, s.verb("escrow", "open", "--relay", file, "--as", "alice")...)
	refused(t, "nonce", s.verb("escrow", "open", "--relay", file, "--as", "alice")...)
	v = escrowView{}
	run(t, &v, s.verb("escrow", "show", "newcomer")...)
	require.Equal(t, node.Open(3), *v.Held)
	require.Equal(t, node.Open(1), *v.Available)
	require.Equal(t, node.Open(2), v.Reserves[0].Amount)
	require.Equal(t, node.Open(3), v.Session.Limit)
	run(t, nil, s.verb("escrow", "open", "1", "--limit", "9", "--as", "alice")...)
}
