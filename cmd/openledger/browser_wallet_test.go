package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

// testWallet is the name of a wallet in the browser (EIP-6963, EIP-1193) whose one key the
// test has.
const testWallet = "Wallet of the test"

// announced is the wallet's script: it passes every request on to the test.
const announced = `(() => {
	const waiting = [];
	window.walletAnswers = (id, error, result) => error ? waiting[id].reject(new Error(error)) : waiting[id].resolve(result);
	const provider = {
		request: ({method, params = []}) => new Promise((resolve, reject) => {
			waiting.push({resolve, reject});
			askWallet(JSON.stringify({id: waiting.length - 1, method, params}));
		}),
		on() {},
		removeListener() {},
	};
	const detail = Object.freeze({info: {uuid: '350670db-19fa-4704-a166-e52e178b59d2', name: '` + testWallet + `', icon: 'data:,', rdns: 'test.wallet'}, provider});
	const announce = () => window.dispatchEvent(new CustomEvent('eip6963:announceProvider', {detail}));
	window.addEventListener('eip6963:requestProvider', announce);
	announce();
})()`

// wallet gives the pages that are opened from now on a wallet of one account.
func (b *browser) wallet(c *chain.Client, key chain.Key) {
	b.t.Helper()
	sender := c.As(key)
	b.mu.Lock()
	b.asked = func(payload string) {
		var call struct {
			ID     int               `json:"id"`
			Method string            `json:"method"`
			Params []json.RawMessage `json:"params"`
		}
		err := json.Unmarshal([]byte(payload), &call)
		var result any
		if err == nil {
			result, err = walletAnswer(b.ctx, c, sender, call.Method, call.Params)
		}
		problem := ""
		if err != nil {
			problem = err.Error()
		}
		// An error says that the page is gone, and who asked with it.
		_, _ = chromedp.Run(b.ctx, chromedp.Evaluate[bool](fmt.Sprintf("walletAnswers(%d, %s, %s), true", call.ID, quoted(problem), quoted(result))))
	}
	b.mu.Unlock()
	b.run("a wallet", func(ctx context.Context, _ *chromedp.Target) (none chromedp.Void, err error) {
		if _, err = chromedp.Call(ctx, runtime.AddBinding, runtime.AddBindingParams{Name: "askWallet"}); err != nil {
			return none, err
		}
		_, err = chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: announced})
		return none, err
	})
}

func walletAnswer(ctx context.Context, c *chain.Client, sender *chain.Sender, method string, params []json.RawMessage) (any, error) {
	switch method {
	case "eth_accounts", "eth_requestAccounts":
		return []protocol.Account{sender.Account()}, nil
	case "eth_sendTransaction":
		var tx struct {
			To    protocol.Account `json:"to"`
			Data  hexutil.Bytes    `json:"data"`
			Value *hexutil.Big     `json:"value"`
		}
		if err := json.Unmarshal(params[0], &tx); err != nil {
			return nil, err
		}
		var value uint256.Int
		if tx.Value != nil {
			value.SetFromBig(tx.Value.ToInt())
		}
		sent, err := sender.Call(ctx, "send what the page asks for", tx.To, value, tx.Data)
		return sent.Hash, err
	}
	return c.Raw(ctx, method, params)
}
