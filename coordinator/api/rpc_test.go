package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// nodeError is an error of a node, as go-ethereum's client gives it.
type nodeError struct{}

func (nodeError) Error() string  { return "execution reverted" }
func (nodeError) ErrorCode() int { return 3 }
func (nodeError) ErrorData() any { return "0x08c379a0" }

// CallRPC answers with what it is asked; eth_call reverts, and eth_gasPrice finds the node away.
func (s *service) CallRPC(_ context.Context, method string, params []json.RawMessage) (json.RawMessage, error) {
	switch method {
	case "eth_call":
		return nil, nodeError{}
	case "eth_gasPrice":
		return nil, errors.New("dial tcp 10.0.0.7:8545: connection refused")
	case "eth_blockNumber":
		return json.RawMessage(`"0x4e20"`), nil // 20,000
	case "eth_getTransactionReceipt":
		return json.RawMessage("null"), nil
	case "eth_getCode":
		return json.RawMessage(`"` + strings.Repeat("0", maxRPCAnswer) + `"`), nil
	}
	return json.Marshal(params)
}

func TestRPCProxy(t *testing.T) {
	url := serve(t, &service{}, nil) + "/api/v1/rpc"
	ask := func(body string) string {
		status, header, answer := send(t, "POST", url, body)
		require.Equal(t, http.StatusOK, status, answer)
		require.Equal(t, "application/json", header.Get("Content-Type"))
		return answer
	}
	require.JSONEq(t, `{"jsonrpc":"2.0","id":7,"result":["0xaa","latest"]}`, ask(`{"jsonrpc":"2.0","id":7,"method":"eth_getBalance","params":["0xaa","latest"]}`))
	require.JSONEq(t, `{"jsonrpc":"2.0","id":"a","result":null}`, ask(`{"jsonrpc":"2.0","id":"a","method":"eth_getTransactionReceipt","params":["0x1"]}`), "a result of null is a result")
	require.JSONEq(t, `{"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"execution reverted","data":"0x08c379a0"}}`,
		ask(`{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{}]}`), "the node's own errors come through with their data")
	require.NotContains(t, ask(`{"jsonrpc":"2.0","id":1,"method":"eth_gasPrice"}`), "10.0.0.7", "where the node is stays here")
	require.JSONEq(t, `[{"jsonrpc":"2.0","id":1,"result":["0x1"]},{"jsonrpc":"2.0","id":2,"error":{"code":3,"message":"execution reverted","data":"0x08c379a0"}}]`,
		ask(`[{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x1"]},{"jsonrpc":"2.0","method":"eth_chainId"},{"jsonrpc":"2.0","id":2,"method":"eth_call"}]`))
	status, _, body := send(t, "POST", url, `{"jsonrpc":"2.0","method":"eth_chainId"}`)
	require.Equal(t, http.StatusNoContent, status, body)

	filter := func(s string) string {
		return ask(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"eth_getLogs","params":[%s]}`, s))
	}
	for _, good := range []string{`{"address":"0xaa","fromBlock":"0x1","toBlock":"0x2710"}`, `{"address":["0xaa"],"fromBlock":"0x2711"}`,
		`{"address":"0xaa","fromBlock":"latest","toBlock":"latest"}`, `{"address":"0xaa","blockHash":"0x01"}`} {
		require.Contains(t, filter(good), `"result"`, good)
	}
	for name, tt := range map[string]struct {
		body string
		code int
	}{
		"not JSON":         {`{"jsonrpc"`, rpcParse},
		"empty":            {``, rpcParse},
		"empty batch":      {`[]`, rpcInvalid},
		"large batch":      {`[` + strings.Repeat(`{},`, maxRPCBatch) + `{}]`, rpcInvalid},
		"in a batch":       {`[1]`, rpcInvalid},
		"version":          {`{"id":1,"method":"eth_chainId"}`, rpcInvalid},
		"id":               {`{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}`, rpcInvalid},
		"params":           {`{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":{}}`, rpcInvalid},
		"many params":      {`{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[1,2,3,4,5]}`, rpcBadParams},
		"account of node":  {`{"jsonrpc":"2.0","id":1,"method":"eth_sendTransaction","params":[{}]}`, rpcNoMethod},
		"debug":            {`{"jsonrpc":"2.0","id":1,"method":"debug_traceTransaction","params":[]}`, rpcNoMethod},
		"admin":            {`{"jsonrpc":"2.0","id":1,"method":"admin_addPeer","params":[]}`, rpcNoMethod},
		"filters":          {`{"jsonrpc":"2.0","id":1,"method":"eth_newFilter","params":[]}`, rpcNoMethod},
		"node is away":     {`{"jsonrpc":"2.0","id":1,"method":"eth_gasPrice","params":[]}`, rpcInternal},
		"too large":        {`{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("x", maxRPCBody) + `"}`, rpcInvalid},
		"logs, no filter":  {`{"jsonrpc":"2.0","id":1,"method":"eth_getLogs","params":[]}`, rpcBadParams},
		"logs, no address": {`{"jsonrpc":"2.0","id":1,"method":"eth_getLogs","params":[{"fromBlock":"0x1","toBlock":"0x2"}]}`, rpcBadParams},
		"logs, addresses":  {`{"jsonrpc":"2.0","id":1,"method":"eth_getLogs","params":[{"address":["0x1"` + strings.Repeat(`,"0x1"`, maxLogAddrs) + `]}]}`, rpcBadParams},
		"logs, span":       {`{"jsonrpc":"2.0","id":1,"method":"eth_getLogs","params":[{"address":"0x1","fromBlock":"0x1","toBlock":"0x2711"}]}`, rpcBadParams},
		"logs, all":        {`{"jsonrpc":"2.0","id":1,"method":"eth_getLogs","params":[{"address":"0x1","fromBlock":"earliest"}]}`, rpcBadParams},
		"logs, number":     {`{"jsonrpc":"2.0","id":1,"method":"eth_getLogs","params":[{"address":"0x1","fromBlock":"17"}]}`, rpcBadParams},
		"logs, type":       {`{"jsonrpc":"2.0","id":1,"method":"eth_getLogs","params":[{"address":"0x1","fromBlock":17}]}`, rpcBadParams},
		"answer too large": {`{"jsonrpc":"2.0","id":1,"method":"eth_getCode"}`, rpcLimit},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, ask(tt.body), fmt.Sprintf(`"error":{"code":%d,"message":"`, tt.code))
		})
	}
}

func FuzzRPC(f *testing.F) {
	for _, seed := range []string{`{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{}]}`, `[{"jsonrpc":"2.0","id":"a","method":"eth_getLogs","params":[{"address":["0x1"]}]}]`, `[]`, `null`, `{"id":[]}`, `[null]`} {
		f.Add([]byte(seed))
	}
	s := &Server{cfg: Config{RPC: &service{}}}
	s.cfg.EnsureDefaults()
	f.Fuzz(func(t *testing.T, body []byte) {
		var one rpcRequest
		if code, _ := readRPC(body, &one); code != 0 {
			return
		}
		left := maxRPCAnswer
		a := s.callRPC(t.Context(), one, &left)
		require.True(t, (a.Result == nil) != (a.Error == nil), "%s", body)
		_, err := json.Marshal(a)
		require.NoError(t, err)
	})
}

// Drip funds whom it did not fund before.
func (s *service) Drip(_ context.Context, to protocol.Account) (Grant, error) {
	return Grant{Account: to, Amount: huge, TxHash: hash, NextAt: 1}, s.err
}

func TestFaucet(t *testing.T) {
	s := &service{}
	url := serve(t, s, nil) + "/api/v1/faucet"
	status, _, body := send(t, "POST", url, `{"account":"`+owner.Hex()+`"}`)
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, hugeText)
	for _, bad := range []string{``, `{}`, `{"account":"0x12"}`, `{"account":7}`} {
		status, _, _ = send(t, "POST", url, bad)
		require.Equal(t, http.StatusBadRequest, status, bad)
	}
	s.err = protocol.Errorf(protocol.KindBusy, "account", "it has been given some already")
	status, header, body := send(t, "POST", url, `{"account":"`+owner.Hex()+`"}`)
	require.Equal(t, http.StatusTooManyRequests, status)
	require.NotEmpty(t, header.Get("Retry-After"))
	require.Contains(t, body, `"param":"account"`)

	none := serve(t, s, func(c *Config) { c.Faucet = nil }) + "/api/v1/faucet"
	status, _, body = send(t, "POST", none, `{"account":"`+owner.Hex()+`"}`)
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, body, "no faucet")
}
