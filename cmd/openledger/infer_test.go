package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// What the flags of infer say is what the coordinator is asked, and what it answers is
// what is printed.
func TestInferSendsItsFlags(t *testing.T) {
	asked := make(chan map[string]any, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		var body map[string]any
		if err != nil || json.Unmarshal(raw, &body) != nil {
			http.Error(w, "not JSON", http.StatusBadRequest)
			return
		}
		asked <- body
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, `data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"[]"},"logprobs":{"content":[{"token":"[]","logprob":-0.5,"bytes":[91,93],"top_logprobs":[{"token":"{","logprob":-1,"bytes":[123]}]}]},"finish_reason":"stop"}]}`+"\n\n")
		fmt.Fprintf(w, `data: {"id":"x","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4,"fee":"9","receipt":"%s"}}`+"\n\ndata: [DONE]\n\n", protocol.Hash{7}.Hex())
	}))
	defer server.Close()
	home := t.TempDir()
	schema := filepath.Join(home, "schema.json")
	require.NoError(t, os.WriteFile(filepath.Join(home, "api.key"), []byte("ol-key"), 0o600))
	require.NoError(t, os.WriteFile(schema, []byte(`{"type": "array"}`), 0o600))
	at := []string{"--api", server.URL, "--home", home}

	var out answer
	run(t, &out, append([]string{"infer", "model", "prompt", "--temperature", "0.5", "--top-p", "0.9", "--top-k", "7", "--min-p", "0.25",
		"--repetition-penalty", "1.5", "--presence-penalty", "-0.5", "--frequency-penalty", "0.75", "--logit-bias", "12=-3.5,7=2", "--stop", "a,b",
		"--stop", "c", "--seed", "4", "--max-tokens", "9", "--schema", schema, "--logprobs", "1"}, at...)...)
	body := <-asked
	for field, want := range map[string]any{
		"temperature": 0.5, "top_p": 0.9, "top_k": 7.0, "min_p": 0.25, "repetition_penalty": 1.5, "presence_penalty": -0.5, "frequency_penalty": 0.75,
		"logit_bias": map[string]any{"12": -3.5, "7": 2.0}, "stop": []any{"a,b", "c"}, "seed": 4.0, "max_completion_tokens": 9.0,
		"logprobs": true, "top_logprobs": 1.0,
		"response_format": map[string]any{"type": "json_schema", "json_schema": map[string]any{"name": "schema", "strict": true, "schema": map[string]any{"type": "array"}}},
	} {
		require.Equal(t, want, body[field], field)
	}
	require.Equal(t, "[]", out.Text)
	require.Len(t, out.LogProbs, 1)
	require.Equal(t, "{", out.LogProbs[0].TopLogprobs[0].Token)

	run(t, nil, append([]string{"infer", "model", "prompt", "--json-object"}, at...)...)
	require.Equal(t, map[string]any{"type": "json_object"}, (<-asked)["response_format"])
	run(t, nil, append([]string{"infer", "model", "prompt"}, at...)...)
	body = <-asked
	require.NotContains(t, body, "response_format")
	require.NotContains(t, body, "logprobs")

	for words, flags := range map[string][]string{
		"one of them":      {"--json-object", "--schema", schema},
		"is not a number":  {"--logit-bias", "3=much"},
		"no such file":     {"--schema", filepath.Join(home, "none.json")},
		"api.key is not J": {"--schema", filepath.Join(home, "api.key")},
	} {
		refused(t, words, append(append([]string{"infer", "model", "prompt"}, flags...), at...)...)
	}
}
