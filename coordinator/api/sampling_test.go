package api

import (
	"context"
	"strings"
	"testing"

	"github.com/openai/openai-go"
	"github.com/openai/openai-go/packages/param"
	"github.com/openai/openai-go/shared"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// speak answers in three tokens, one of which is half a character, with log-probabilities.
func speak(_ context.Context, r Request, onText func(Delta) error) (Answer, error) {
	lp := func(token uint32, bytes string, p float32) protocol.LogProb {
		return protocol.LogProb{Token: token, Bytes: []byte(bytes), LogProb: p}
	}
	tokens := []protocol.TokenLogProbs{
		{Chosen: lp(7, "日", -0.5), Top: []protocol.LogProb{lp(7, "日", -0.5), lp(2, "", -1.25)}},
		{Chosen: lp(8, "\xe6\x9c", -0.125), Top: []protocol.LogProb{lp(8, "\xe6\x9c", -0.125), lp(9, "a", -9999)}},
		{Chosen: lp(5, "\xac", -2), Top: []protocol.LogProb{lp(6, "b", -1), lp(5, "\xac", -2)}},
	}
	for i, text := range []string{"日", "", "本"} {
		d := Delta{Text: text}
		if r.Sampling.LogProbs {
			d.LogProbs = []protocol.TokenLogProbs{{Chosen: tokens[i].Chosen, Top: tokens[i].Top[:min(2, r.Sampling.TopLogProbs)]}}
		}
		if err := onText(d); err != nil {
			return Answer{}, err
		}
	}
	return answerTo(r, "日本"), nil
}

func TestOfficialClientSampling(t *testing.T) {
	s := &service{}
	c := official(serve(t, s, nil), testKey)
	params := question()
	params.LogitBias = map[string]int64{"70": -100, "5": 3, "1024": 1}
	params.PresencePenalty, params.FrequencyPenalty = openai.Float(0.5), openai.Float(-1.5)
	params.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
		JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "n", Strict: openai.Bool(true),
			Schema: map[string]any{"type": "object", "properties": map[string]any{"a": map[string]any{"type": "integer"}}}},
	}}
	params.SetExtraFields(map[string]any{"min_p": 0.05, "repetition_penalty": 1.25, "top_k": 9})
	_, err := c.Chat.Completions.New(t.Context(), params)
	require.NoError(t, err)
	require.Equal(t, protocol.Sampling{
		Temperature: 0.5, TopP: 0.9, TopK: 9, MinP: 0.05, RepetitionPenalty: 1.25, PresencePenalty: 0.5, FrequencyPenalty: -1.5,
		LogitBias: []protocol.TokenBias{{Token: 5, Bias: 3}, {Token: 70, Bias: -100}, {Token: 1024, Bias: 1}}, Seed: 1<<64 - 1, MaxTokens: 40,
		Stop: []string{"\n"}, Format: protocol.FormatJSONSchema, Schema: `{"properties":{"a":{"type":"integer"}},"type":"object"}`,
	}, s.requests()[0].Sampling)

	params.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONObject: &shared.ResponseFormatJSONObjectParam{}}
	_, err = c.Chat.Completions.New(t.Context(), params)
	require.NoError(t, err)
	require.Equal(t, protocol.FormatJSONObject, s.requests()[1].Sampling.Format)
	params.SetExtraFields(map[string]any{"repetition_penalty": 1})
	params.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{OfText: &shared.ResponseFormatTextParam{}}
	_, err = c.Chat.Completions.New(t.Context(), params)
	require.NoError(t, err)
	require.Equal(t, protocol.FormatText, s.requests()[2].Sampling.Format)
	require.Zero(t, s.requests()[2].Sampling.RepetitionPenalty)
}

func TestOfficialClientLogProbs(t *testing.T) {
	c := official(serve(t, &service{infer: speak}, nil), testKey)
	params := question()
	params.Logprobs, params.TopLogprobs = openai.Bool(true), openai.Int(2)
	res, err := c.Chat.Completions.New(t.Context(), params)
	require.NoError(t, err)
	check := func(content []openai.ChatCompletionTokenLogprob) {
		t.Helper()
		require.Len(t, content, 3)
		require.Equal(t, "日", content[0].Token)
		require.EqualValues(t, []int64{0xe6, 0x97, 0xa5}, content[0].Bytes)
		require.InDelta(t, -0.5, content[0].Logprob, 0)
		require.Equal(t, "<token 2>", content[0].TopLogprobs[1].Token)
		require.Nil(t, content[0].TopLogprobs[1].Bytes)
		require.Equal(t, "\uFFFD", content[1].Token)
		require.EqualValues(t, []int64{0xe6, 0x9c}, content[1].Bytes, "the bytes of half a character are told")
		require.InDelta(t, -9999, content[1].TopLogprobs[1].Logprob, 0)
		require.Equal(t, "b", content[2].TopLogprobs[0].Token)
	}
	check(res.Choices[0].Logprobs.Content)

	stream := c.Chat.Completions.NewStreaming(t.Context(), params)
	var all []openai.ChatCompletionTokenLogprob
	var text strings.Builder
	for stream.Next() {
		for _, choice := range stream.Current().Choices {
			all = append(all, choice.Logprobs.Content...)
			text.WriteString(choice.Delta.Content)
		}
	}
	require.NoError(t, stream.Err())
	require.Equal(t, "日本", text.String())
	check(all)

	params.Logprobs, params.TopLogprobs = openai.Bool(false), param.Opt[int64]{}
	res, err = c.Chat.Completions.New(t.Context(), params)
	require.NoError(t, err)
	require.Equal(t, "null", res.Choices[0].JSON.Logprobs.Raw(), "null unless asked for")
}

func TestOfficialClientCompletionLogProbs(t *testing.T) {
	s := &service{infer: speak}
	c := official(serve(t, s, nil), testKey)
	params := openai.CompletionNewParams{Model: "tiny", Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("Once")}, Logprobs: openai.Int(2)}
	res, err := c.Completions.New(t.Context(), params)
	require.NoError(t, err)
	want := openai.CompletionChoiceLogprobs{
		Tokens: []string{"日", `bytes:\xe6\x9c`, `bytes:\xac`}, TokenLogprobs: []float64{-0.5, -0.125, -2}, TextOffset: []int64{0, 1, 2},
		TopLogprobs: []map[string]float64{{"日": -0.5, "<token 2>": -1.25}, {`bytes:\xe6\x9c`: -0.125, "a": -9999}, {"b": -1, `bytes:\xac`: -2}},
	}
	check := func(got openai.CompletionChoiceLogprobs) {
		t.Helper()
		require.Equal(t, want.Tokens, got.Tokens)
		require.Equal(t, want.TokenLogprobs, got.TokenLogprobs)
		require.Equal(t, want.TopLogprobs, got.TopLogprobs)
		require.Equal(t, want.TextOffset, got.TextOffset)
	}
	check(res.Choices[0].Logprobs)
	require.Equal(t, 2, s.requests()[0].Sampling.TopLogProbs)

	stream := c.Completions.NewStreaming(t.Context(), params)
	var got openai.CompletionChoiceLogprobs
	for stream.Next() {
		l := stream.Current().Choices[0].Logprobs
		got.Tokens, got.TokenLogprobs = append(got.Tokens, l.Tokens...), append(got.TokenLogprobs, l.TokenLogprobs...)
		got.TopLogprobs, got.TextOffset = append(got.TopLogprobs, l.TopLogprobs...), append(got.TextOffset, l.TextOffset...)
	}
	require.NoError(t, stream.Err())
	check(got)

	params.Logprobs = openai.Int(0)
	res, err = c.Completions.New(t.Context(), params)
	require.NoError(t, err)
	require.Len(t, res.Choices[0].Logprobs.TokenLogprobs, 3)
	require.Empty(t, res.Choices[0].Logprobs.TopLogprobs[0])
}
