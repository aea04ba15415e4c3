package devchain

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/supply"
	"github.com/openledger/openledger/protocol"
)

func tokenConfig(t *testing.T, tge int64) supply.Config {
	t.Helper()
	raw, err := os.ReadFile("../genesis/token.json")
	require.NoError(t, err)
	c, err := supply.Parse(raw)
	require.NoError(t, err)
	c.TGE = uint64(tge)
	return c
}

// Time is moved month by month: what the chain says circulates is what the
// configuration says, to the wei, and releasing pays exactly that.
func TestTokenCirculatesAsConfigured(t *testing.T) {
	c := start(t, Config{Fund: funds(1), MaxAhead: 100 * 365 * 24 * time.Hour})
	client := dial(t, c.RPC())
	d := TokenDeployment{File: filepath.Join(t.TempDir(), "token.json"), Config: tokenConfig(t, time.Now().Add(time.Hour).Unix()), Key: testKey(0)}
	at, err := DeployToken(t.Context(), client, d)
	require.NoError(t, err)
	require.Len(t, at.Vaults, 4, "liquidity is free at once")
	mine, err := client.TokenBalance(t.Context(), at.Token, d.Key.Account())
	require.NoError(t, err)
	require.True(t, mine.IsZero(), "the deployer holds none")

	for month := uint64(0); month <= d.Config.Months(); month++ {
		_, now := c.Head()
		require.NoError(t, c.AdvanceTime(time.Duration(int64(d.Config.At(month))-now)*time.Second))
		var free uint256.Int
		for i := range d.Config.Buckets {
			b := &d.Config.Buckets[i]
			if vault, ok := at.Vaults[b.Name]; ok {
				_, err := client.As(d.Key).ReleaseVault(t.Context(), at.Token, vault)
				require.NoError(t, err)
			}
			_, head, err := client.Head(t.Context())
			require.NoError(t, err)
			got, err := client.TokenBalance(t.Context(), at.Token, b.Beneficiary)
			require.NoError(t, err)
			want := d.Config.Free(b, uint64(head))
			require.Equal(t, want.Dec(), got.Dec(), "%s in month %d", b.Name, month)
			free.Add(&free, &got)
		}
		_, head, err := client.Head(t.Context())
		require.NoError(t, err)
		want := d.Config.Circulating(uint64(head))
		got, err := client.Circulating(t.Context(), at, uint64(head))
		require.NoError(t, err)
		require.Equal(t, want.Dec(), got.Dec(), "month %d", month)
		require.False(t, free.Gt(&got))
	}
	all, err := client.TokenSupply(t.Context(), at.Token)
	require.NoError(t, err)
	require.Equal(t, d.Config.Supply.Dec(), all.Dec())

	before, _ := c.Head()
	again, err := DeployToken(t.Context(), client, d)
	require.NoError(t, err)
	require.Equal(t, at, again)
	after, _ := c.Head()
	require.Equal(t, before, after, "nothing is sent when all is there")
}

// An interrupted deployment goes on with its vaults; a different one is refused.
func TestTokenDeploymentResumes(t *testing.T) {
	c := start(t, Config{Fund: funds(1)})
	client := dial(t, c.RPC())
	d := TokenDeployment{File: filepath.Join(t.TempDir(), "token.json"), Config: tokenConfig(t, 1_900_000_000), Key: testKey(0)}
	at, err := DeployToken(t.Context(), client, d)
	require.NoError(t, err)
	half := at
	half.Token = protocol.Account{}
	require.NoError(t, writeJSON(d.File, "token deployment", half))
	again, err := DeployToken(t.Context(), client, d)
	require.NoError(t, err)
	require.Equal(t, at.Vaults, again.Vaults)
	require.NotEqual(t, at.Token, again.Token)
	require.ErrorContains(t, CheckToken(t.Context(), client, tokenConfig(t, 1_900_000_001), again), "different deployments")
	delete(again.Vaults, "team")
	require.NoError(t, writeJSON(d.File, "token deployment", again))
	_, err = DeployToken(t.Context(), client, d)
	require.ErrorContains(t, err, "cannot be laid out again")
}
