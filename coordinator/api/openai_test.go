package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go"
	"github.com/openai/openai-go/option"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// official is the official client, pointed at the server and not retrying.
func official(url, key string) *openai.Client {
	c := openai.NewClient(option.WithBaseURL(url+"/v1/"), option.WithAPIKey(key), option.WithMaxRetries(0))
	return &c
}

func question() openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model: "fables", Messages: []openai.ChatCompletionMessageParamUnion{openai.DeveloperMessage("Be brief."), openai.UserMessage("The hare and the tortoise?")},
		Temperature: openai.Float(0.5), TopP: openai.Float(0.9), Seed: openai.Int(-1), MaxCompletionTokens: openai.Int(40),
		Stop: openai.ChatCompletionNewParamsStopUnion{OfStringArray: []string{"\n"}},
	}
}

func TestOfficialClientChat(t *testing.T) {
	s := &service{}
	c := official(serve(t, s, nil), testKey)
	res, err := c.Chat.Completions.New(t.Context(), question())
	require.NoError(t, err)
	require.Equal(t, "chat.completion", string(res.Object))
	require.Equal(t, "fables", res.Model)
	require.Len(t, res.Choices, 1)
	require.Equal(t, "Slow and steady.", res.Choices[0].Message.Content)
	require.EqualValues(t, "assistant", res.Choices[0].Message.Role)
	require.Equal(t, "stop", res.Choices[0].FinishReason)
	require.Equal(t, [3]int64{7, 3, 10}, [3]int64{res.Usage.PromptTokens, res.Usage.CompletionTokens, res.Usage.TotalTokens})

	asked := s.requests()[0]
	require.Equal(t, []protocol.Message{{Role: "system", Content: "Be brief."}, {Role: "user", Content: "The hare and the tortoise?"}}, asked.Messages)
	require.Equal(t, protocol.Sampling{Temperature: 0.5, TopP: 0.9, Seed: 1<<64 - 1, MaxTokens: 40, Stop: []string{"\n"}}, asked.Sampling)
	// What OpenLedger adds reaches clients that look for it, the fee without loss.
	require.Equal(t, hugeText, res.Usage.JSON.ExtraFields["fee"].Raw())
	require.Equal(t, `"`+asked.ID.Hex()+`"`, res.Usage.JSON.ExtraFields["receipt"].Raw())
}

func TestOfficialClientChatStream(t *testing.T) {
	c := official(serve(t, &service{}, nil), testKey)
	for _, includeUsage := range []bool{true, false} {
		params := question()
		params.StreamOptions.IncludeUsage = openai.Bool(includeUsage)
		stream := c.Chat.Completions.NewStreaming(t.Context(), params)
		var all openai.ChatCompletionAccumulator
		var chunks []openai.ChatCompletionChunk
		for stream.Next() {
			require.True(t, all.AddChunk(stream.Current()), "the official accumulator takes every chunk")
			chunks = append(chunks, stream.Current())
		}
		require.NoError(t, stream.Err())
		require.Equal(t, "Slow and steady.", all.Choices[0].Message.Content)
		require.Equal(t, "stop", all.Choices[0].FinishReason)
		require.EqualValues(t, "assistant", chunks[0].Choices[0].Delta.Role, "the first chunk says who speaks")
		for _, chunk := range chunks {
			require.Equal(t, chunks[0].ID, chunk.ID)
			require.Equal(t, chunks[0].Created, chunk.Created)
		}
		last := chunks[len(chunks)-1]
		if includeUsage {
			require.Empty(t, last.Choices, "usage comes by itself, at the end")
			require.EqualValues(t, 10, last.Usage.TotalTokens)
		} else {
			require.Zero(t, last.Usage.TotalTokens)
		}
	}
}

func TestOfficialClientCompletions(t *testing.T) {
	s := &service{}
	c := official(serve(t, s, nil), testKey)
	params := openai.CompletionNewParams{Model: "tiny", Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("Once")}, MaxTokens: openai.Int(5)}
	res, err := c.Completions.New(t.Context(), params)
	require.NoError(t, err)
	require.Equal(t, "Slow and steady.", res.Choices[0].Text)
	require.EqualValues(t, "text_completion", res.Object)
	require.EqualValues(t, 10, res.Usage.TotalTokens)
	require.Equal(t, "Once", s.requests()[0].Prompt)

	params.Prompt = openai.CompletionNewParamsPromptUnion{OfArrayOfStrings: []string{"Twice"}}
	stream := c.Completions.NewStreaming(t.Context(), params)
	text := ""
	for stream.Next() {
		text += stream.Current().Choices[0].Text
	}
	require.NoError(t, stream.Err())
	require.Equal(t, "Slow and steady.", text)
	require.Equal(t, "Twice", s.requests()[1].Prompt)
}

func TestOfficialClientModels(t *testing.T) {
	c := official(serve(t, &service{}, nil), testKey)
	page, err := c.Models.List(t.Context())
	require.NoError(t, err)
	require.Len(t, page.Data, 2)
	require.Equal(t, "fables", page.Data[1].ID)
	require.Contains(t, page.Data[1].RawJSON(), `"access":`+hugeText)
	one, err := c.Models.Get(t.Context(), page.Data[1].ID)
	require.NoError(t, err)
	require.Equal(t, owner.Hex(), one.OwnedBy)
	_, err = c.Models.Get(t.Context(), "nobody")
	require.Equal(t, refusal{404, "invalid_request_error", "model_not_found", "model"}, refused(t, err))
}

// refusal is what a program can branch on.
type refusal struct {
	status            int
	kind, code, param string
}

func refused(t *testing.T, err error) refusal {
	t.Helper()
	var e *openai.Error
	require.ErrorAs(t, err, &e)
	require.NotEmpty(t, e.Message)
	return refusal{e.StatusCode, e.Type, e.Code, e.Param}
}

func TestOfficialClientErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want refusal
	}{
		"invalid":     {protocol.Errorf(protocol.KindInvalid, "top_k", "no"), refusal{400, "invalid_request_error", "invalid", "top_k"}},
		"model":       {protocol.Errorf(protocol.KindNotFound, "model", "no"), refusal{404, "invalid_request_error", "model_not_found", "model"}},
		"escrow":      {protocol.Errorf(protocol.KindEscrow, "", "deposit"), refusal{402, "insufficient_quota", "insufficient_escrow", ""}},
		"busy":        {protocol.Errorf(protocol.KindBusy, "", "later"), refusal{429, "rate_limit_error", "busy", ""}},
		"unavailable": {protocol.Errorf(protocol.KindUnavailable, "", "no worker"), refusal{503, "service_unavailable", "unavailable", ""}},
		"deadline":    {protocol.Errorf(protocol.KindDeadline, "", "late"), refusal{504, "timeout", "deadline_exceeded", ""}},
		"exists":      {protocol.Errorf(protocol.KindExists, "Idempotency-Key", "other"), refusal{409, "invalid_request_error", "already_exists", "Idempotency-Key"}},
		"ours":        {errors.New("a defect"), refusal{500, "server_error", "internal", ""}},
		"unheard of":  {&protocol.Error{Kind: "new kind", Message: "from the future"}, refusal{500, "server_error", "internal", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &service{infer: func(context.Context, Request, func(Delta) error) (Answer, error) { return Answer{}, tt.err }}
			c := official(serve(t, s, nil), testKey)
			_, err := c.Chat.Completions.New(t.Context(), question())
			require.Equal(t, tt.want, refused(t, err))
			// An error before the first text has its status in a stream too.
			stream := c.Chat.Completions.NewStreaming(t.Context(), question())
			require.False(t, stream.Next())
			require.Equal(t, tt.want, refused(t, stream.Err()))
		})
	}
}

func TestKeyIsRequired(t *testing.T) {
	s := &service{}
	url := serve(t, s, nil)
	_, err := official(url, "ol-wrong").Chat.Completions.New(t.Context(), question())
	require.Equal(t, refusal{401, "authentication_error", "invalid_api_key", "api_key"}, refused(t, err))
	for _, path := range []string{"GET /v1/models", "GET /v1/models/tiny", "POST /v1/chat/completions", "POST /v1/completions"} {
		for _, auth := range []string{"", "Bearer ", "Bearer", "Basic " + testKey, testKey} {
			method, p, _ := strings.Cut(path, " ")
			status, header, body := send(t, method, url+p, "{}", "Authorization", auth)
			require.Equal(t, http.StatusUnauthorized, status, "%s with %q", path, auth)
			require.Equal(t, "Bearer", header.Get("WWW-Authenticate"))
			require.Contains(t, body, "invalid_api_key")
		}
	}
	require.Empty(t, s.requests(), "nothing was run")
	status, _, _ := send(t, "GET", url+"/v1/models", "", "Authorization", "bearer "+testKey)
	require.Equal(t, http.StatusOK, status, "the scheme's case does not matter")
}
