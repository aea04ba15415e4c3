package node_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
)

// An answer that is asked for again under its Idempotency-Key is the same byte for byte,
// with its log-probabilities, also when no worker is left to compute anything.
func TestRepeatedAnswerIsTheSameBytes(t *testing.T) {
	w := net.worker(t, net.identity(t))
	key := net.apiKey(t, net.requester(t, 1e18))
	ask := func(path, id string, body map[string]any) []byte {
		t.Helper()
		raw, err := json.Marshal(body)
		require.NoError(t, err)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, net.coord.API.URL()+path, bytes.NewReader(raw))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+key)
		req.Header.Set("Idempotency-Key", id)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		out, err := io.ReadAll(res.Body)
		require.NoError(t, errors.Join(err, res.Body.Close()))
		require.Equal(t, http.StatusOK, res.StatusCode, "%s", out)
		return out
	}
	text := map[string]any{"model": node.BaseName, "prompt": "Once upon a time", "max_tokens": 24, "logprobs": 2}
	chat := map[string]any{"model": node.BaseName, "messages": []map[string]string{{"role": "user", "content": "A fox?"}}, "max_tokens": 24, "logprobs": true, "top_logprobs": 3}
	first, second := ask("/v1/completions", "text", text), ask("/v1/chat/completions", "chat", chat)
	require.Contains(t, string(first), `"token_logprobs":[`)
	require.Contains(t, string(second), `"top_logprobs":[{`)
	require.NoError(t, w.stop())
	require.Equal(t, string(first), string(ask("/v1/completions", "text", text)))
	require.Equal(t, string(second), string(ask("/v1/chat/completions", "chat", chat)))
}
