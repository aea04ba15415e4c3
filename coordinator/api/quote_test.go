package api

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func (s *service) QuoteInference(_ context.Context, r Request, promptTokens int) (Quote, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r)
	return Quote{Kind: "inference", Model: r.Model, PromptTokens: promptTokens, MaxTokens: r.Sampling.MaxTokens, Cost: huge,
		Parts: []QuotePart{{Role: "worker", Account: &owner, Amount: huge}, {Role: "contributors"}}}, s.err
}

func (s *service) QuoteTraining(_ context.Context, _ uint64, _ uint32, h protocol.Hyper) (Quote, error) {
	return Quote{Kind: "training", Steps: h.Epochs}, s.err
}

// A quote takes a request in each of its forms, and names what is wrong with one.
func TestQuotes(t *testing.T) {
	s := &service{}
	url := serve(t, s, nil)
	ask := func(body string) (int, string) {
		status, _, answer := send(t, "POST", url+"/api/v1/quotes", body)
		return status, answer
	}
	for _, body := range []string{
		`{"kind":"inference","model":"tiny","prompt":"Once","max_tokens":3}`,
		`{"kind":"inference","model":"tiny","messages":[{"role":"user","content":"Hi"}],"max_tokens":3}`,
		`{"kind":"inference","model":"tiny","prompt_tokens":9,"max_tokens":3}`,
	} {
		status, answer := ask(body)
		require.Equal(t, http.StatusOK, status, answer)
		require.Contains(t, answer, `"cost":`+hugeText)
		require.Contains(t, answer, `"role":"worker","account":"0x00000000000000000000000000000000000000bb","amount":`+hugeText)
		require.Contains(t, answer, `{"role":"contributors","amount":"0"}`)
	}
	asked := s.requests()
	require.Equal(t, "Once", asked[0].Prompt)
	require.Equal(t, []protocol.Message{{Role: "user", Content: "Hi"}}, asked[1].Messages)
	require.Equal(t, 3, asked[2].Sampling.MaxTokens)
	status, answer := ask(`{"kind":"training","datanet":1,"hyper":{"epochs":4}}`)
	require.Equal(t, http.StatusOK, status, answer)
	require.Contains(t, answer, `"steps":4`)

	for body, param := range map[string]string{
		`{}`:                                  "kind",
		`{"kind":"gift"}`:                     "kind",
		`{"kind":"training"}`:                 "datanet",
		`{"kind":"inference","prompt":"a"}`:   "model",
		`{"kind":"inference","model":"tiny"}`: "prompt_tokens",
		`{"kind":"inference","model":"tiny","prompt":"a","prompt_tokens":1}`:                                      "prompt_tokens",
		`{"kind":"inference","model":"tiny","prompt_tokens":-1}`:                                                  "prompt_tokens",
		`{"kind":"inference","model":"tiny","prompt_tokens":"many"}`:                                              "prompt_tokens",
		`{"kind":"inference","model":"tiny","prompt":"a","max_tokens":0}`:                                         "max_tokens",
		`{"kind":"inference","model":"tiny","prompt":"a","max_tokens":"all"}`:                                     "max_tokens",
		`{"kind":"inference","model":"tiny","messages":"hello"}`:                                                  "messages",
		`{"kind":"inference","model":"tiny","prompt":"a","n":2}`:                                                  "n",
		`{"kind":"inference","model":"tiny","messages":[{"role":"user","content":"Hi"}],"retrieval":{"top_k":1}}`: "retrieval.datanet",
		`{"kind":"inference","model":"tiny","prompt":"a","retrieval":{"datanet":1}}`:                              "retrieval",
	} {
		status, answer := ask(body)
		require.Equal(t, http.StatusBadRequest, status, "%s: %s", body, answer)
		require.Contains(t, answer, `"param":"`+param+`"`, body)
	}
}

// What an answer reads and the rounds of an agent's tools are part of what is priced; the
// agent's servers are not asked for it.
func TestQuotesOfRetrievalAndTools(t *testing.T) {
	box := &tools{err: protocol.Errorf(protocol.KindUnavailable, "model", "it is down")}
	s := &service{box: box}
	url := serve(t, s, nil)
	for _, body := range []string{
		`{"kind":"inference","model":"tiny","messages":[{"role":"user","content":"Hi"}],"retrieval":{"datanet":1,"top_k":2}}`,
		`{"kind":"inference","model":"tiny","prompt_tokens":9,"retrieval":{"datanet":"fables"}}`,
		`{"kind":"inference","model":"agent/guide","messages":[{"role":"user","content":"Hi"}],"tool_choice":{"type":"function","function":{"name":"forecast"}}}`,
		`{"kind":"inference","model":"agent/guide","messages":[{"role":"user","content":"Hi"}],"tool_choice":"none"}`,
	} {
		status, _, answer := send(t, "POST", url+"/api/v1/quotes", body)
		require.Equal(t, http.StatusOK, status, "%s: %s", body, answer)
	}
	asked := s.requests()
	require.Equal(t, []Retrieve{{Datanet: "1", TopK: 2}}, asked[0].Retrieve)
	require.Equal(t, "fables", asked[1].Retrieve[0].Datanet)
	require.Equal(t, maxRounds+1, asked[2].Rounds)
	require.Zero(t, asked[3].Rounds, "an agent that is to call nothing answers in one")
	require.Equal(t, 2, box.closed)
}
