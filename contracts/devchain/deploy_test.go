package devchain

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

func params(t *testing.T) Params {
	t.Helper()
	p, err := ReadParams("../genesis/dev.json")
	require.NoError(t, err)
	return p
}

func TestDeployOnceAndFindAgain(t *testing.T) {
	dir := t.TempDir()
	d := Deployment{File: filepath.Join(dir, "deployments.json"), Params: params(t), Key: testKey(0)}
	c := start(t, Config{Dir: filepath.Join(dir, "chain"), ChainID: d.Params.ChainID, Fund: funds(1)})
	client := dial(t, c.RPC())
	a, err := Deploy(t.Context(), client, d)
	require.NoError(t, err)
	require.Empty(t, a.Missing())

	before, _ := c.Head()
	again, err := Deploy(t.Context(), client, d)
	require.NoError(t, err)
	require.Equal(t, a, again)
	require.NoError(t, c.Close())

	c = start(t, Config{Dir: filepath.Join(dir, "chain"), ChainID: d.Params.ChainID, Fund: funds(1)})
	client = dial(t, c.RPC())
	again, err = Deploy(t.Context(), client, d)
	require.NoError(t, err)
	require.Equal(t, a, again)
	after, _ := c.Head()
	require.Equal(t, before, after, "nothing is sent when all is there")

	f, err := client.With(a).FeeParams(t.Context())
	require.NoError(t, err)
	require.Equal(t, chain.FeeParams{PlatformBps: 1000, OwnerPart: 2000, StakersPart: 2000, ContributorsPart: 5000, Treasury: a.Treasury}, f)
}

// A file from a chain that is gone, or from a deployment that stopped half way,
// leads to a whole deployment.
func TestDeployMendsAStaleFile(t *testing.T) {
	dir := t.TempDir()
	d := Deployment{File: filepath.Join(dir, "deployments.json"), Params: params(t), Key: testKey(0)}
	c := start(t, Config{ChainID: d.Params.ChainID, Fund: funds(1)})
	client := dial(t, c.RPC())
	half := `{"chain_id": 41455, "block": 0, "treasury": "0x00000000000000000000000000000000000000aa"}`
	require.NoError(t, os.WriteFile(d.File, []byte(half), 0o600))
	a, err := Deploy(t.Context(), client, d)
	require.NoError(t, err)
	require.Empty(t, a.Missing())
	saved, err := ReadAddresses(d.File)
	require.NoError(t, err)
	require.Equal(t, a, saved)

	// The governor was deployed last: without it, the rest is used again.
	cut := a
	cut.Governor = protocol.Account{}
	p := deployer{d: d, out: Record{Addresses: cut}}
	require.NoError(t, p.save())
	again, err := Deploy(t.Context(), client, d)
	require.NoError(t, err)
	require.Equal(t, a.Escrow, again.Escrow)
	require.Equal(t, a.Settlement, again.Settlement)
	require.NotEqual(t, a.Governor, again.Governor)
}

func TestParamsAreChecked(t *testing.T) {
	raw, err := os.ReadFile("../genesis/dev.json")
	require.NoError(t, err)
	for _, c := range []struct{ from, to, field string }{
		{`"platform_bps": 1000`, `"platform_bps": 1001`, "fees"},
		{`"chain_id": 41455`, `"chain_id": 0`, "chain_id"},
		{`"unbonding_seconds": 604800`, `"unbonding_seconds": 1`, "challenge_window_seconds"},
		{`"unbonding_seconds": 604800`, `"unbonding_seconds": 3604`, "staking.unbonding_seconds"},
		{`"quorum_bps": 6000`, `"quorum_bps": 5000`, "disputes.quorum_bps"},
		{`"seats": 3`, `"seats": 33`, "disputes.seats"},
		{`"challenge_bond_wei": "100000000000000000000"`, `"challenge_bond_wei": "0"`, "disputes.challenge_bond_wei"},
		{`"signers_bps": 2000`, `"signers_bps": 7001`, "signers_bps"},
		{`"draw_delay_blocks": 1`, `"draw_delay_blocks": 0`, "draw_delay_blocks"},
		{`"cover_bps": 10000`, `"cover_bps": 0`, "cover_bps"},
		{`"build_window_seconds": 600`, `"build_window_seconds": 0`, "epochs.build_window_seconds"},
		{`"bond_wei": "100`, `"bond_wei": "1000000000000000000000100`, "epochs.bond_wei"},
		{`"quorum_percent": 5`, `"quorum_percent": 101`, "quorum_percent"},
		{`"voting_period_seconds": 604800`, `"voting_period_seconds": 0`, "voting_period_seconds"},
		{`"max_total_bps": 5000`, `"max_total_bps": 10000`, "lineage.max_total_bps"},
		{`"max_royalty_bps": 2000`, `"max_royalty_bps": 5001`, "lineage.max_royalty_bps"},
		{`"max_parents": 16`, `"max_parents": 33`, "lineage.max_parents"},
		{`"max_depth": 8`, `"max_depth": 17`, "lineage.max_depth"},
		{`"fees"`, `"fee"`, "parameters"},
	} {
		require.Contains(t, string(raw), c.from)
		_, err := ParseParams([]byte(strings.Replace(string(raw), c.from, c.to, 1)))
		require.ErrorContains(t, err, c.field)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
	}
}

func FuzzParseParams(f *testing.F) {
	raw, err := os.ReadFile("../genesis/dev.json")
	require.NoError(f, err)
	f.Add(raw)
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if p, err := ParseParams(raw); err == nil {
			require.NoError(t, p.Validate())
		}
	})
}

// After the hand-over only contracts hold roles, and doing it again sends nothing.
func TestHandOverLeavesNoRoleToAnAccount(t *testing.T) {
	d := Deployment{Params: params(t), Key: testKey(0)}
	c := start(t, Config{ChainID: d.Params.ChainID, Fund: funds(1)})
	client := dial(t, c.RPC())
	a, err := Deploy(t.Context(), client, d)
	require.NoError(t, err)
	client = client.With(a)
	external := func() (out []chain.RoleHolder) {
		roles, err := client.Roles(t.Context())
		require.NoError(t, err)
		for _, r := range roles {
			if !r.Contract {
				out = append(out, r)
			}
		}
		return out
	}
	require.Len(t, external(), 14, "twelve admins, a registrar, and everybody as executor")
	require.NoError(t, HandOver(t.Context(), client, d.Key))
	require.Equal(t, []chain.RoleHolder{{On: "timelock", Role: "executor"}}, external(), "everybody executes")
	before, _ := c.Head()
	require.NoError(t, HandOver(t.Context(), client, d.Key))
	after, _ := c.Head()
	require.Equal(t, before, after)
	_, err = client.As(d.Key).RegisterBase(t.Context(), protocol.Hash{1}, "base", "")
	require.Error(t, err)
}
