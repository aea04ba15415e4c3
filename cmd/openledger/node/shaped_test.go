package node_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

const listSchema = `{"type":"array","items":{"type":"string","minLength":10,"maxLength":20},"minItems":12,"maxItems":12}`

// shapedRequest uses penalties, bias, a schema and log-probabilities.
func shapedRequest() api.Request {
	r := request("The fox and the grapes", 400)
	r.Sampling = protocol.Sampling{Temperature: 0.9, TopK: 50, MinP: 0.01, RepetitionPenalty: 1.1, FrequencyPenalty: 0.2, PresencePenalty: 0.1,
		LogitBias: []protocol.TokenBias{{Token: 300, Bias: -3}, {Token: 400, Bias: 1}}, Seed: 7, MaxTokens: 400,
		Format: protocol.FormatJSONSchema, Schema: listSchema, LogProbs: true, TopLogProbs: 2}
	return r
}

// An answer of a given shape that moves to another worker in the middle goes on as if
// nothing had happened: the document is whole, and so are its log-probabilities.
func TestShapedAnswersMoveToAnotherWorker(t *testing.T) {
	byPeer := map[protocol.PeerID]*running{}
	for range 2 {
		w := net.worker(t, net.identity(t))
		byPeer[w.peer] = w
	}
	who := net.requester(t, 1e18)
	ask := func(r api.Request, each func(chunks int)) (a api.Answer, text string, l []protocol.TokenLogProbs) {
		chunks := 0
		a, err := net.coord.Infer(t.Context(), api.Caller{Account: who.Account()}, r, func(d api.Delta) error {
			text += d.Text
			l = append(l, d.LogProbs...)
			chunks++
			each(chunks)
			return nil
		})
		require.NoError(t, err)
		require.Len(t, l, int(a.Receipt.Receipt.OutputTokens), "one for each token")
		return a, text, l
	}
	_, want, logprobs := ask(shapedRequest(), func(int) {})
	var list []string
	require.NoError(t, json.Unmarshal([]byte(want), &list), want)
	require.Len(t, list, 12)

	killed := make(chan error, 1)
	a, text, l := ask(shapedRequest(), func(chunks int) {
		if chunks != 10 {
			return
		}
		busiest, n := net.coord.Busiest()
		victim := byPeer[busiest]
		if n == 0 || victim == nil {
			killed <- errors.New("no worker of this test runs the job")
			return
		}
		go func() { killed <- victim.stop() }()
	})
	require.NoError(t, <-killed)
	require.Equal(t, want, text)
	require.Equal(t, logprobs, l)
	require.Equal(t, "stop", a.FinishReason)
}

func TestBadSchemaIsTheRequestersFault(t *testing.T) {
	net.worker(t, net.identity(t))
	who := net.requester(t, 1e18)
	r := shapedRequest()
	r.Sampling.Schema = `{"type":"object","properties":{"a":{"type":"array","items":{"type":"integer","multipleOf":2}}}}`
	_, _, err := net.ask(t.Context(), who, r)
	var e *protocol.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, protocol.KindInvalid, e.Kind)
	require.Equal(t, "response_format", e.Field)
	require.ErrorContains(t, err, "/properties/a/items")
	require.ErrorContains(t, err, "multipleOf")
	_, _, err = net.ask(t.Context(), who, request("The fox", 3))
	require.NoError(t, err, "the worker serves on, and nobody holds it against it")
}
