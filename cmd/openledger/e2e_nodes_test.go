package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/genesis"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
)

// place is a chain with the contracts on it.
type place struct {
	RPC        string `json:"rpc"`
	Deployment string `json:"deployment"`
}

// ledger makes a chain with the contracts on it, whose deployer, in the home's wallet, has
// all the money of the test.
type ledger func(t *testing.T, home string, deployer protocol.Account) place

// chosenLedger is the embedded chain, or with $OPENLEDGER_TEST_RPC any node:
// $OPENLEDGER_TEST_KEY then is the secret of an account that has 10,000 OPEN there.
func chosenLedger() ledger {
	rpc := os.Getenv("OPENLEDGER_TEST_RPC")
	if rpc == "" {
		return embedded
	}
	return func(t *testing.T, home string, deployer protocol.Account) place {
		secret, err := crypto.HexToECDSA(os.Getenv("OPENLEDGER_TEST_KEY"))
		require.NoError(t, err, "OPENLEDGER_TEST_KEY has 64 hexadecimal digits")
		c, err := chain.Dial(t.Context(), chain.Config{RPC: rpc})
		require.NoError(t, err)
		t.Cleanup(c.Close)
		_, err = c.As(keystore.FromECDSA(secret)).Send(t.Context(), deployer, node.Open(9_000))
		require.NoError(t, err)
		return deployed(t, home, rpc)
	}
}

// embedded is the chain of 'chain run'.
func embedded(t *testing.T, home string, _ protocol.Account) (p place) {
	start(t, &p, "chain", "run", "--home", home, "--listen", "127.0.0.1:0")
	return p
}

// deployed puts the contracts on a node's chain, as an operator does, and checks them.
// Their parameters are those of development networks, with changes.
func deployed(t *testing.T, home, rpc string, changes ...func(params map[string]any)) place {
	t.Helper()
	c, err := chain.Dial(t.Context(), chain.Config{RPC: rpc})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	var params map[string]any
	require.NoError(t, json.Unmarshal(genesis.Dev, &params))
	params["chain_id"], params["name"] = c.ChainID(), "tested"
	for _, change := range changes {
		change(params)
	}
	raw, err := json.Marshal(params)
	require.NoError(t, err)
	file := writeFile(t, home, "params.json", string(raw))
	p := place{RPC: rpc}
	run(t, &p, "chain", "deploy", "--home", home, "--rpc", rpc, "--params", file, "--deployments", filepath.Join(home, "deployments"), "--as", deployerKey)
	run(t, nil, "chain", "verify", "--rpc", rpc, "--deployment", p.Deployment)
	return p
}
