package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/devchain"
	"github.com/openledger/openledger/protocol"
)

func TestTokenSupplyOnTheCommandLine(t *testing.T) {
	out, err := inProcess(t, "token", "supply", "--at", "12", "--json")
	require.NoError(t, err)
	var v struct {
		Months []struct {
			Month       uint64 `json:"month"`
			Circulating string `json:"circulating_wei"`
		} `json:"months"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &v))
	require.Len(t, v.Months, 1)
	require.Equal(t, "328400000000000000000000000", v.Months[0].Circulating)

	_, err = inProcess(t, "token", "supply", "--at", "-1")
	require.ErrorContains(t, err, "month -1")
	_, err = inProcess(t, "token", "vaults")
	require.ErrorContains(t, err, "deploy the token first")
}

// A value that 'gov params' prints is one that --set reads.
func TestSettingsReadWhatTheyPrint(t *testing.T) {
	at := chain.Addresses{Fees: protocol.Account{1}}
	for _, s := range chain.Settings() {
		for i, f := range s.Fields {
			for _, n := range []string{"1", "86400", "1000000000000000000", "12345678901234567"} {
				want, err := parseSetting(s.Name, chain.UnitBps, n)
				require.NoError(t, err)
				text, _ := formatSetting(f.Unit, &want)
				got, err := parseSetting(s.Name, f.Unit, text)
				require.NoError(t, err, "%s %d %s", s.Name, i, text)
				require.Equal(t, want, got, text)
			}
		}
	}
	_, err := parseSet(at, "fees.shares=500,4000,500")
	require.ErrorContains(t, err, "fees.shares=PLATFORM,OWNER,STAKERS,CONTRIBUTORS")
	_, err = parseSet(at, "fees.share=1")
	require.ErrorContains(t, err, "there is no parameter")
	_, err = parseSet(at, "staking.unbonding=soon")
	require.ErrorContains(t, err, `"soon" is no seconds`)
	_, err = parseCall("0x1:00")
	require.Error(t, err)
	_, err = parseGrant(at, "0x52908400098527886E0F7030069857D2E4169EE7", "")
	require.ErrorContains(t, err, "ACCOUNT=AMOUNT")
}

// Deployed from the command line, the vaults agree with the schedule.
func TestTokenDeployedFromTheCommandLine(t *testing.T) {
	home := t.TempDir()
	h := node.Home{Dir: home}
	w, err := h.Wallet("", true)
	require.NoError(t, err)
	key, err := w.Create("deployer")
	require.NoError(t, err)
	dev, err := devchain.Open(devchain.Config{Fund: map[protocol.Account]uint256.Int{key.Account(): node.Open(10)}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	token := func(args ...string) (string, error) {
		return inHome(t, home, append([]string{"token"}, append(args, "--rpc", dev.RPC())...)...)
	}
	_, err = token("deploy", "--as", "deployer")
	require.NoError(t, err)
	out, err := token("supply", "--check", "--at", "30")
	require.NoError(t, err)
	require.Contains(t, out, "the vaults on the chain say the same")
	out, err = token("verify", "--json")
	require.NoError(t, err)
	var verified struct {
		OK     bool             `json:"ok"`
		Checks []devchain.Check `json:"checks"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &verified))
	require.True(t, verified.OK)
	require.Len(t, verified.Checks, 10, "code of the token and four vaults, four schedules, the supply")

	// Two vaults that changed places, and an address that is none.
	at, err := devchain.ReadTokenAddresses(h.Path(tokenFile))
	require.NoError(t, err)
	at.Vaults["team"], at.Vaults["investors"] = at.Vaults["investors"], at.Vaults["team"]
	swapped := filepath.Join(home, "swapped.json")
	write := func() {
		raw, err := json.Marshal(at)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(swapped, raw, 0o600))
	}
	write()
	_, err = token("verify", "--deployment", swapped)
	require.ErrorContains(t, err, "2 of 10 checks failed")
	at.Token = key.Account()
	write()
	_, err = token("verify", "--deployment", swapped)
	require.ErrorContains(t, err, "there is no contract here")

	foreign, err := devchain.Open(devchain.Config{ChainID: 77, Fund: map[protocol.Account]uint256.Int{key.Account(): node.Open(10)}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, foreign.Close()) })
	_, err = inHome(t, home, "token", "deploy", "--as", "deployer", "--rpc", foreign.RPC())
	require.ErrorContains(t, err, "nobody has a key to the built-in beneficiaries")
	number, _ := foreign.Head()
	require.Zero(t, number, "nothing is sent")
}
