package node_test

import (
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// keyAction signs a request about API keys.
func keyAction(t *testing.T, who *keystore.Key, action string, id protocol.Hash) api.SignedRequest {
	t.Helper()
	r := api.SignedRequest{At: time.Now().UnixMilli()}
	var err error
	r.Signature, err = crypto.Sign(accounts.TextHash([]byte(api.KeyActionText(peerOf(t), action, who.Account(), id, r.At))), who.ECDSA())
	require.NoError(t, err)
	return r
}

// A key with a budget spends all that fits into it and nothing beyond, also when many ask
// at once; what it spent is what the receipts say; another secret does not reset it.
func TestBudgetOfAKeyIsExact(t *testing.T) {
	net.worker(t, net.identity(t))
	who := net.requester(t, 5e18)
	budget := uint256.NewInt(4e14)
	r := api.KeyRequest{Requester: who.Account(), Label: "budget", At: time.Now().UnixMilli(), KeyLimits: api.KeyLimits{Scopes: []api.Scope{api.ScopeInference}, Budget: budget}}
	var err error
	r.Signature, err = crypto.Sign(accounts.TextHash([]byte(api.KeyRequestText(peerOf(t), r))), who.ECDSA())
	require.NoError(t, err)
	widened := r
	widened.Budget = nil
	_, err = net.coord.IssueKey(t.Context(), widened)
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "who overhears the request can't ask for more")
	key, err := net.coord.IssueKey(t.Context(), r)
	require.NoError(t, err)
	_, err = net.coord.IssueKey(t.Context(), r)
	require.Equal(t, protocol.KindExists, protocol.KindOf(err), "nor for another")

	ask := func(secret string) (int, string) {
		res, err := net.post(t.Context(), secret, "/v1/completions", map[string]any{"model": node.BaseName, "prompt": "A fox", "max_tokens": 8, "temperature": 0})
		if err != nil {
			return 0, err.Error()
		}
		raw, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		return res.StatusCode, string(raw)
	}
	var mu sync.Mutex
	served, over := 0, 0
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 400 {
				status, body := ask(key.Secret)
				mu.Lock()
				switch status {
				case http.StatusOK:
					served++
				case http.StatusPaymentRequired:
					over++
				default:
					t.Errorf("%d: %s", status, body)
				}
				mu.Unlock()
				if status != http.StatusOK {
					return
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, 4, over, "%d were served: everybody comes to the end of the budget", served)
	require.Positive(t, served)
	status, body := ask(key.Secret)
	require.Equal(t, http.StatusPaymentRequired, status)
	require.Contains(t, body, "budget")
	require.Contains(t, body, "max_tokens")

	var paid uint256.Int
	receipts, err := net.coord.Receipts(t.Context(), 1000)
	require.NoError(t, err)
	n := 0
	for _, v := range receipts {
		if v.Receipt.Requester == who.Account() {
			fee := v.Receipt.Fee().Total()
			paid.Add(&paid, &fee)
			n++
		}
	}
	require.Equal(t, served, n)
	keys, err := net.coord.Keys(t.Context(), who.Account(), keyAction(t, who, api.ActionList, protocol.Hash{}))
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.Equal(t, paid, keys[0].Spent)
	require.False(t, keys[0].Spent.Gt(budget))

	rows, err := net.coord.UsageOf(t.Context(), api.Caller{Key: key.ID}, 2)
	require.NoError(t, err)
	var used uint256.Int
	requests := uint64(0)
	for _, row := range rows {
		require.Equal(t, node.BaseName, row.Model)
		used.Add(&used, &row.Fee)
		requests += row.Requests
	}
	require.Equal(t, paid, used)
	require.EqualValues(t, served, requests)

	stranger := net.key(t, 0)
	t.Run("usage of the account", func(t *testing.T) {
		other := net.apiKey(t, who)
		res, err := net.post(t.Context(), other, "/v1/completions", map[string]any{"model": node.BaseName, "prompt": "A hen", "max_tokens": 2})
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusOK, res.StatusCode)
		all, count := net.feesOf(t, who.Account())
		list := keyAction(t, who, api.ActionList, protocol.Hash{})
		rows, err := net.coord.AccountUsage(t.Context(), who.Account(), list, 2)
		require.NoError(t, err)
		var sum uint256.Int
		requests, labels := uint64(0), map[string]bool{}
		for _, r := range rows {
			sum.Add(&sum, &r.Fee)
			requests += r.Requests
			labels[r.Label] = true
		}
		require.Equal(t, all.Dec(), sum.Dec(), "all keys' receipts, to the wei")
		require.EqualValues(t, count, requests)
		require.Len(t, labels, 2)
		require.True(t, labels["budget"])
		_, err = net.coord.AccountUsage(t.Context(), who.Account(), keyAction(t, stranger, api.ActionList, protocol.Hash{}), 2)
		require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "nobody else sees it")
	})
	_, err = net.coord.RotateKey(t.Context(), key.ID, keyAction(t, stranger, api.ActionRotate, key.ID))
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err))
	signed := keyAction(t, who, api.ActionRotate, key.ID)
	next, err := net.coord.RotateKey(t.Context(), key.ID, signed)
	require.NoError(t, err)
	_, err = net.coord.RotateKey(t.Context(), key.ID, signed)
	require.Equal(t, protocol.KindExists, protocol.KindOf(err))
	status, _ = ask(key.Secret)
	require.Equal(t, http.StatusUnauthorized, status)
	status, _ = ask(next.Secret)
	require.Equal(t, http.StatusPaymentRequired, status)
	_, err = net.coord.RevokeKey(t.Context(), key.ID, keyAction(t, who, api.ActionRevoke, key.ID))
	require.NoError(t, err)
	status, _ = ask(next.Secret)
	require.Equal(t, http.StatusUnauthorized, status)
}
