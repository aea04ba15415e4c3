package node_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/coordinator"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// A faucet funds an account once a day, however often and at however many places at once
// it is asked, also across restarts and when the chain was away, and never more than its
// total.
func TestFaucetGivesOnce(t *testing.T) {
	key, err := keystore.Generate()
	require.NoError(t, err)
	_, err = net.chain.Client.As(net.deployer).Send(t.Context(), key.Account(), node.Open(10))
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "db")
	open := func(rpc string) (f *coordinator.Faucet, stop func()) {
		t.Helper()
		db, err := store.Open(store.Config{Dir: dir})
		require.NoError(t, err)
		client, err := chain.Dial(t.Context(), chain.Config{RPC: rpc})
		require.NoError(t, err)
		sender := client.As(key)
		require.NoError(t, sender.Keep(store.NewSendings(db)))
		f, err = coordinator.NewFaucet(coordinator.FaucetConfig{DB: db, Sender: sender, Amount: node.Open(1), Total: node.Open(2)})
		require.NoError(t, err)
		return f, func() {
			client.Close()
			require.NoError(t, db.Close())
		}
	}
	balance := func(a protocol.Account) uint256.Int {
		t.Helper()
		b, err := net.chain.Client.Balance(t.Context(), a)
		require.NoError(t, err)
		return b
	}
	f, stop := open(net.chain.RPC())
	fresh := func() protocol.Account {
		k, err := keystore.Generate()
		require.NoError(t, err)
		return k.Account()
	}
	first, second, third := fresh(), fresh(), fresh()
	var wg sync.WaitGroup
	given := make([]error, 8)
	for i := range given {
		wg.Go(func() { _, given[i] = f.Drip(t.Context(), first) })
	}
	wg.Wait()
	ok := 0
	for _, err := range given {
		if err == nil {
			ok++
			continue
		}
		require.Equal(t, protocol.KindBusy, protocol.KindOf(err))
		require.ErrorContains(t, err, "ask again at")
	}
	require.Equal(t, 1, ok)
	require.Equal(t, node.Open(1), balance(first))
	stop()

	// It is noted, and the process ends before anything is sent: the next one sends it.
	db, err := store.Open(store.Config{Dir: dir})
	require.NoError(t, err)
	_, err = store.NewCoordinator(db).Grant(second, node.Open(1), node.Open(2), 1)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	f, stop = open(net.chain.RPC())
	_, err = f.Drip(t.Context(), first)
	require.Equal(t, protocol.KindBusy, protocol.KindOf(err), "also after a restart")
	grant, err := f.Drip(t.Context(), second)
	require.NoError(t, err)
	require.Equal(t, node.Open(1), balance(second))
	stop()

	// It was sent, and the process ended before it noted that: it is not sent again.
	db, err = store.Open(store.Config{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, store.NewCoordinator(db).GrantSent(second, protocol.Hash{}))
	require.NoError(t, db.Close())
	f, stop = open(net.chain.RPC())
	again, err := f.Drip(t.Context(), second)
	require.NoError(t, err)
	require.Equal(t, grant.TxHash, again.TxHash)
	require.Equal(t, node.Open(1), balance(second))

	_, err = f.Drip(t.Context(), third)
	require.Equal(t, protocol.KindEscrow, protocol.KindOf(err), "two have got all that there is")
	zero := balance(third)
	require.True(t, zero.IsZero())
	stop()
}

// The API passes JSON-RPC on to the chain's node.
func TestRPCOfTheAPI(t *testing.T) {
	ask := func(method string, params ...any) (out struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
			Data    string `json:"data"`
		} `json:"error"`
	}) {
		t.Helper()
		body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
		require.NoError(t, err)
		res, err := http.Post(net.coord.API.URL()+"/api/v1/rpc", "application/json", bytes.NewReader(body))
		require.NoError(t, err)
		defer func() { require.NoError(t, res.Body.Close()) }()
		raw, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, &out), "%s", raw)
		return out
	}
	id := new(uint256.Int)
	require.NoError(t, json.Unmarshal(ask("eth_chainId").Result, id))
	require.Equal(t, net.chain.ChainID(), id.Uint64())
	require.Contains(t, string(ask("eth_getBlockByNumber", "latest", false).Result), `"baseFeePerGas"`)
	at := net.chain.Addresses
	require.NotEqual(t, `"0x"`, string(ask("eth_getCode", at.Escrow, "latest").Result))
	require.Contains(t, string(ask("eth_getLogs", map[string]any{"address": at.Escrow, "fromBlock": "0x0", "toBlock": "latest"}).Result), `"topics"`)
	// An account that requested nothing withdraws nothing.
	reverted := ask("eth_call", map[string]any{"to": at.Escrow, "data": hexutil.Encode(crypto.Keccak256([]byte("executeWithdrawal()"))[:4])}, "latest").Error
	require.NotNil(t, reverted)
	require.Contains(t, reverted.Message, "revert")
	require.Equal(t, "null", string(ask("eth_getTransactionReceipt", protocol.Hash{1}).Result))
	require.NotNil(t, ask("eth_sendRawTransaction", "0x01").Error, "the node refuses what is no transaction")
	var _ api.RPC = net.coord
}
