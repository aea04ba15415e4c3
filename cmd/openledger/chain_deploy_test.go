package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/devchain"
	"github.com/openledger/openledger/protocol"
)

// A deployment from the command line leaves a file that verifies, and a file that says
// anything else ends 'chain verify' with an error.
func TestChainDeployedAndVerifiedOnTheCommandLine(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	w, err := node.Home{Dir: home}.Wallet("", true)
	require.NoError(t, err)
	key, err := w.Create("admin")
	require.NoError(t, err)
	dev, err := devchain.Open(devchain.Config{ChainID: 41455, Fund: map[protocol.Account]uint256.Int{key.Account(): node.Open(10)}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	out, err := inHome(t, home, "chain", "deploy", "--as", "admin", "--rpc", dev.RPC(), "--deployments", dir, "--hand-over", "--json")
	require.NoError(t, err, out)
	var done struct {
		Deployment string `json:"deployment"`
		HandedOver bool   `json:"handed_over"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &done))
	require.True(t, done.HandedOver)
	require.Equal(t, dir, filepath.Dir(done.Deployment))

	verify := func(file string) (ok bool, err error) {
		out, err := inHome(t, home, "chain", "verify", "--rpc", dev.RPC(), "--deployment", file, "--json")
		var v struct {
			OK     bool             `json:"ok"`
			Checks []devchain.Check `json:"checks"`
		}
		if jerr := json.Unmarshal([]byte(out), &v); jerr != nil {
			return false, err
		}
		require.NotEmpty(t, v.Checks)
		return v.OK, err
	}
	ok, err := verify(done.Deployment)
	require.NoError(t, err)
	require.True(t, ok)

	r, err := devchain.ReadRecord(done.Deployment)
	require.NoError(t, err)
	r.Escrow, r.Staking = r.Staking, r.Escrow
	swapped := filepath.Join(dir, "swapped.json")
	require.NoError(t, devchain.WriteRecord(swapped, r))
	ok, err = verify(swapped)
	require.ErrorContains(t, err, "checks failed")
	require.False(t, ok)

	raw, err := os.ReadFile(done.Deployment)
	require.NoError(t, err)
	other := filepath.Join(dir, "other.json")
	require.NoError(t, os.WriteFile(other, []byte(strings.Replace(string(raw), `"chain_id": 41455`, `"chain_id": 1`, 1)), 0o600))
	_, err = verify(other)
	require.ErrorContains(t, err, "is of chain 1")
}
