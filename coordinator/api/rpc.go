package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/openledger/openledger/protocol"
)

// RPC asks a node of the chain.
type RPC interface {
	// CallRPC gives the node's result as it is. An error of the node's own has a method
	// ErrorCode() int, and maybe ErrorData() any.
	CallRPC(ctx context.Context, method string, params []json.RawMessage) (json.RawMessage, error)
}

// Limits of the proxy.
const (
	maxRPCBody   = 512 << 10
	maxRPCBatch  = 100
	maxRPCParams = 4
	maxRPCAnswer = 8 << 20 // of all answers of one request together
	maxLogBlocks = 10_000
	maxLogAddrs  = 32
	rpcTimeout   = 20 * time.Second
)

// rpcMethods are those that a page needs to read its contracts and to send what its
// user signed. None of them costs the node more than a bounded call, none has a key.
var rpcMethods = map[string]bool{
	"eth_chainId": true, "eth_blockNumber": true, "eth_getBlockByNumber": true, "eth_getBlockByHash": true, "eth_getLogs": true,
	"eth_call": true, "eth_estimateGas": true, "eth_gasPrice": true, "eth_maxPriorityFeePerGas": true, "eth_feeHistory": true,
	"eth_getBalance": true, "eth_getCode": true, "eth_getTransactionCount": true, "eth_getTransactionByHash": true, "eth_getTransactionReceipt": true,
	"eth_sendRawTransaction": true,
}

// Codes of JSON-RPC 2.0 (https://www.jsonrpc.org/specification#error_object), and of
// EIP-1474 for a limit.
const (
	rpcParse     = -32700
	rpcInvalid   = -32600
	rpcNoMethod  = -32601
	rpcBadParams = -32602
	rpcInternal  = -32603
	rpcLimit     = -32005
)

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

type rpcRequest struct {
	Version string            `json:"jsonrpc"`
	ID      json.RawMessage   `json:"id"` // a number, a string or null; absent in a notification
	Method  string            `json:"method"`
	Params  []json.RawMessage `json:"params"`
}

// rpcAnswer has either a result or an error.
type rpcAnswer struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *rpcError       `json:"error,omitempty"`
}

var rpcNull = json.RawMessage("null")

// rpc serves POST /api/v1/rpc. What goes wrong is told in JSON-RPC's shape, with 200.
func (s *Server) rpc(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), rpcTimeout)
	defer cancel()
	refuse := func(code int, message string) error {
		return writeJSON(w, http.StatusOK, rpcAnswer{Version: "2.0", ID: rpcNull, Error: &rpcError{Code: code, Message: message}})
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return refuse(rpcInvalid, "the body can't be read, or is larger than "+strconv.Itoa(maxRPCBody)+" bytes")
	}
	left := maxRPCAnswer
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '[' {
		var one rpcRequest
		if code, message := readRPC(body, &one); code != 0 {
			return refuse(code, message)
		}
		return answerRPC(w, s.callRPC(ctx, one, &left), one.ID != nil)
	}
	var many []json.RawMessage
	if json.Unmarshal(body, &many) != nil {
		return refuse(rpcParse, "the body is not valid JSON")
	}
	if len(many) == 0 || len(many) > maxRPCBatch {
		return refuse(rpcInvalid, "a batch has 1 to "+strconv.Itoa(maxRPCBatch)+" requests")
	}
	answers := []rpcAnswer{}
	for _, raw := range many {
		var one rpcRequest
		if code, message := readRPC(raw, &one); code != 0 {
			answers = append(answers, rpcAnswer{Version: "2.0", ID: rpcNull, Error: &rpcError{Code: code, Message: message}})
			continue
		}
		if a := s.callRPC(ctx, one, &left); one.ID != nil {
			answers = append(answers, a)
		}
	}
	return answerRPC(w, answers, len(answers) > 0)
}

// answerRPC writes what is to be answered; notifications are not.
func answerRPC(w http.ResponseWriter, v any, wanted bool) error {
	if !wanted {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return writeJSON(w, http.StatusOK, v)
}

// readRPC reads one request; code is not 0 for what is none.
func readRPC(raw []byte, out *rpcRequest) (code int, message string) {
	if !json.Valid(raw) {
		return rpcParse, "the body is not valid JSON"
	}
	if json.Unmarshal(raw, out) != nil || out.Version != "2.0" || out.Method == "" {
		return rpcInvalid, `a request is {"jsonrpc":"2.0","id":1,"method":"eth_…","params":[…]}`
	}
	if len(out.ID) > 0 && (out.ID[0] == '{' || out.ID[0] == '[' || len(out.ID) > 256) {
		return rpcInvalid, "an id is a number or a string of up to 256 bytes"
	}
	return 0, ""
}

// callRPC carries one request out. left is how much may still be answered.
func (s *Server) callRPC(ctx context.Context, in rpcRequest, left *int) rpcAnswer {
	out := rpcAnswer{Version: "2.0", ID: in.ID}
	fail := func(code int, message string) rpcAnswer {
		out.Error = &rpcError{Code: code, Message: message}
		return out
	}
	if !rpcMethods[in.Method] {
		return fail(rpcNoMethod, strconv.Quote(in.Method[:min(len(in.Method), 64)])+" is not offered here: use a node of the chain itself")
	}
	if len(in.Params) > maxRPCParams {
		return fail(rpcBadParams, "there are more than "+strconv.Itoa(maxRPCParams)+" parameters")
	}
	if in.Method == "eth_getLogs" {
		if err := s.boundLogs(ctx, in.Params); err != nil {
			return fail(rpcBadParams, err.Error())
		}
	}
	result, err := s.cfg.RPC.CallRPC(ctx, in.Method, in.Params)
	var coded interface{ ErrorCode() int }
	var detailed interface{ ErrorData() any }
	switch {
	case errors.As(err, &coded):
		out.Error = &rpcError{Code: coded.ErrorCode(), Message: err.Error()}
		if errors.As(err, &detailed) {
			out.Error.Data = detailed.ErrorData()
		}
		return out
	case err != nil:
		// The node's address and how it failed are not for strangers.
		s.cfg.Logger.Warn("the chain's node did not answer", "method", in.Method, "err", err)
		return fail(rpcInternal, "the chain's node does not answer: try again in a moment")
	}
	if *left -= len(result); *left < 0 {
		return fail(rpcLimit, "the answers are larger than "+strconv.Itoa(maxRPCAnswer)+" bytes together: ask for less")
	}
	if out.Result = result; len(result) == 0 {
		out.Result = rpcNull
	}
	return out
}

// boundLogs refuses a query for events that could make the node read too much.
func (s *Server) boundLogs(ctx context.Context, params []json.RawMessage) error {
	bad := func(format string, args ...any) error {
		return protocol.Errorf(protocol.KindInvalid, "eth_getLogs", format, args...)
	}
	var f struct {
		Address   json.RawMessage `json:"address"`
		FromBlock string          `json:"fromBlock"`
		ToBlock   string          `json:"toBlock"`
		BlockHash string          `json:"blockHash"`
	}
	if len(params) != 1 || json.Unmarshal(params[0], &f) != nil {
		return bad("it takes one filter object, with blocks as text")
	}
	var one string
	var many []string
	if json.Unmarshal(f.Address, &one) != nil && json.Unmarshal(f.Address, &many) != nil || one == "" && len(many) == 0 || len(many) > maxLogAddrs {
		return bad("name the contract, or up to %d, in address", maxLogAddrs)
	}
	if f.BlockHash != "" {
		return nil
	}
	var head uint64
	if !isHex(f.FromBlock) || !isHex(f.ToBlock) {
		raw, err := s.cfg.RPC.CallRPC(ctx, "eth_blockNumber", nil)
		var text string
		if err == nil {
			err = json.Unmarshal(raw, &text)
		}
		if err == nil {
			head, err = strconv.ParseUint(strings.TrimPrefix(text, "0x"), 16, 64)
		}
		if err != nil {
			return bad("the chain's node does not say how far it is: try again in a moment")
		}
	}
	at := func(name, s string) (uint64, error) {
		switch s {
		case "", "latest", "pending":
			return head, nil
		case "earliest":
			return 0, nil
		}
		n, err := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 64)
		if err != nil || !isHex(s) {
			return 0, bad("%s must be a number like 0x1b4, latest or earliest", name)
		}
		return n, nil
	}
	from, err := at("fromBlock", f.FromBlock)
	if err != nil {
		return err
	}
	to, err := at("toBlock", f.ToBlock)
	if err != nil {
		return err
	}
	if to >= from && to-from >= maxLogBlocks {
		return bad("it may span %d blocks, not %d: ask in parts", maxLogBlocks, to-from+1)
	}
	return nil
}

func isHex(s string) bool { return strings.HasPrefix(s, "0x") }
