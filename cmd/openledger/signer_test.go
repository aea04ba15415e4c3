package main

import (
	"errors"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/devchain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/contracts/keystore/clef/cleftest"
	"github.com/openledger/openledger/protocol"
)

// A deployment whose key is nowhere but in an external signer: no key file is made, all
// transactions are the signer's account's.
func TestDeployThroughAnExternalSigner(t *testing.T) {
	key, err := keystore.Generate()
	require.NoError(t, err)
	external := &cleftest.Signer{Key: key}
	url := cleftest.Serve(t, external)
	dev, err := devchain.Open(devchain.Config{ChainID: 41455, Fund: map[protocol.Account]uint256.Int{key.Account(): node.Open(10)}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	home, dir := t.TempDir(), t.TempDir()
	out, err := inHome(t, home, "wallet", "list", "--signer", url)
	require.NoError(t, err)
	require.Contains(t, out, key.Account().Hex())
	out, err = inHome(t, home, "chain", "deploy", "--rpc", dev.RPC(), "--deployments", dir, "--hand-over", "--signer", url, "--as", key.Account().Hex())
	require.NoError(t, err, out)
	require.Contains(t, out, "waiting for the signer at http://127.0.0.1:")
	require.NoDirExists(t, home+"/keys")
	r, err := devchain.ReadRecord(dir + "/dev.json")
	require.NoError(t, err)
	require.Equal(t, key.Account(), r.Deployer)

	methods := map[string]bool{}
	for _, m := range external.Methods {
		if m != nil {
			methods[*m] = true
		}
	}
	require.Contains(t, methods, "grantRole(bytes32,address)", "the person sees what is called")

	external.Refuse = errors.New("request denied")
	_, err = inHome(t, home, "chain", "deploy", "--rpc", dev.RPC(), "--deployments", t.TempDir(), "--signer", url, "--as", key.Account().Hex())
	require.ErrorContains(t, err, "refused to sign a transaction: request denied")
	_, err = inHome(t, home, "chain", "deploy", "--rpc", dev.RPC(), "--signer", url)
	require.ErrorContains(t, err, "pass --as ADDRESS")
}

// What must have its key in this process says so, and why.
func TestWhatCannotBeSignedRemotely(t *testing.T) {
	known := map[string]bool{}
	for _, cmd := range newRoot(&cli{}).Commands() {
		known[cmd.CommandPath()] = true
		for _, sub := range cmd.Commands() {
			known[sub.CommandPath()] = true
		}
	}
	for path := range needsKey {
		require.Contains(t, known, path)
	}
	for _, args := range [][]string{{"worker", "run"}, {"coordinator", "run"}, {"chain", "run"}, {"devnet"}, {"demo"}, {"wallet", "create", "x"}} {
		_, err := inProcess(t, append(args, "--signer", "http://127.0.0.1:1")...)
		require.ErrorContains(t, err, "cannot sign through an external signer", args)
	}
}
