package wire

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire/pb"
)

// shapedJob uses all of sampling.
func shapedJob() protocol.InferenceJob {
	j := sampleJob()
	j.Sampling = protocol.Sampling{
		Temperature: 0.5, TopK: 3, TopP: 0.9, MinP: 0.05, RepetitionPenalty: 1.1, PresencePenalty: -0.5, FrequencyPenalty: 0.25,
		LogitBias: []protocol.TokenBias{{Token: 0, Bias: -100}, {Token: 151_000, Bias: 0.5}}, Seed: 9, MaxTokens: 5, Stop: []string{"x"}, IgnoreEOS: true,
		Format: protocol.FormatJSONSchema, Schema: `{"type":"object"}`, LogProbs: true, TopLogProbs: 20,
	}
	return j
}

func TestShapedJobsComeBackAndAreSigned(t *testing.T) {
	want := shapedJob()
	got, err := InferenceJobFromPB(travels(t, InferenceJobToPB(want), &pb.InferenceJob{}))
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.True(t, want.Sampling.Equal(got.Sampling))

	evidence := sampleEvidence()
	evidence.Job.Sampling = want.Sampling
	b, err := EncodeEvidence(evidence)
	require.NoError(t, err)
	back, err := DecodeEvidence(b)
	require.NoError(t, err)
	require.Equal(t, evidence, back)

	// Every field is signed, and is part of what makes two requests the same.
	digest := func(j protocol.InferenceJob) protocol.Hash {
		data, err := JobData(Domain{ChainID: 5}, j, protocol.Account{7})
		require.NoError(t, err)
		h, err := data.Digest()
		require.NoError(t, err)
		return h
	}
	seen := map[protocol.Hash]string{digest(want): "unchanged"}
	for name, change := range map[string]func(*protocol.Sampling){
		"temperature": func(s *protocol.Sampling) { s.Temperature++ }, "top_k": func(s *protocol.Sampling) { s.TopK++ },
		"top_p": func(s *protocol.Sampling) { s.TopP = 0.8 }, "min_p": func(s *protocol.Sampling) { s.MinP = 0 },
		"repetition": func(s *protocol.Sampling) { s.RepetitionPenalty++ }, "presence": func(s *protocol.Sampling) { s.PresencePenalty++ },
		"frequency": func(s *protocol.Sampling) { s.FrequencyPenalty++ }, "seed": func(s *protocol.Sampling) { s.Seed++ },
		"bias":  func(s *protocol.Sampling) { s.LogitBias = []protocol.TokenBias{{Token: 0, Bias: -99}, s.LogitBias[1]} },
		"token": func(s *protocol.Sampling) { s.LogitBias = s.LogitBias[:1] }, "max": func(s *protocol.Sampling) { s.MaxTokens++ },
		"stop": func(s *protocol.Sampling) { s.Stop = []string{"y"} }, "eos": func(s *protocol.Sampling) { s.IgnoreEOS = false },
		"format": func(s *protocol.Sampling) { s.Format = "" }, "schema": func(s *protocol.Sampling) { s.Schema = "{}" },
		"logprobs": func(s *protocol.Sampling) { s.LogProbs = false }, "top_logprobs": func(s *protocol.Sampling) { s.TopLogProbs-- },
	} {
		j := shapedJob()
		change(&j.Sampling)
		require.False(t, j.Sampling.Equal(want.Sampling), name)
		require.Empty(t, seen[digest(j)], "%s is not signed", name)
		seen[digest(j)] = name
	}
}

func TestBadSamplingNamesItsField(t *testing.T) {
	nan := float32(math.NaN())
	for field, change := range map[string]func(*protocol.Sampling){
		"min_p": func(s *protocol.Sampling) { s.MinP = 1.5 }, "repetition_penalty": func(s *protocol.Sampling) { s.RepetitionPenalty = -1 },
		"presence_penalty": func(s *protocol.Sampling) { s.PresencePenalty = nan }, "frequency_penalty": func(s *protocol.Sampling) { s.FrequencyPenalty = 101 },
		"logit_bias": func(s *protocol.Sampling) { s.LogitBias[1].Token = 0 }, "format": func(s *protocol.Sampling) { s.Format = "xml" },
		"schema": func(s *protocol.Sampling) { s.Schema = "" }, "top_logprobs": func(s *protocol.Sampling) { s.LogProbs = false },
	} {
		j := shapedJob()
		change(&j.Sampling)
		requireField(t, "sampling."+field, CheckInferenceJob(j))
	}
	j := shapedJob()
	j.Sampling.LogitBias = make([]protocol.TokenBias, protocol.MaxLogitBias+1)
	requireField(t, "sampling.logit_bias", CheckInferenceJob(j))
	j = shapedJob()
	j.Sampling.Schema = string(make([]byte, protocol.MaxSchemaBytes+1))
	requireField(t, "sampling.schema", CheckInferenceJob(j))
}

func TestLogProbsComeBackAsTheyWent(t *testing.T) {
	want := []protocol.TokenLogProbs{
		{Chosen: protocol.LogProb{Token: 7, Bytes: []byte("\xe6\x97"), LogProb: -0.25}, Top: []protocol.LogProb{{Token: 2, LogProb: -0.125}, {Token: 7, Bytes: []byte("\xe6\x97"), LogProb: -0.25}}},
		{Chosen: protocol.LogProb{Token: 9, Bytes: []byte("a"), LogProb: -9999}},
	}
	chunk := travels(t, &pb.TokenChunk{Ids: []uint32{7, 9}, Logprobs: LogProbsToPB(want)}, &pb.TokenChunk{})
	got, err := LogProbsFromPB(chunk.GetLogprobs(), chunk.GetIds())
	require.NoError(t, err)
	require.Equal(t, want, got)

	for name, bad := range map[string][]protocol.TokenLogProbs{
		"too few":       want[:1],
		"of another":    {want[1], want[0]},
		"above 0":       {want[0], {Chosen: protocol.LogProb{Token: 9, LogProb: 0.5}}},
		"NaN":           {want[0], {Chosen: protocol.LogProb{Token: 9, LogProb: float32(math.NaN())}}},
		"infinite":      {want[0], {Chosen: protocol.LogProb{Token: 9, LogProb: float32(math.Inf(-1))}}},
		"too many":      {want[0], {Chosen: want[1].Chosen, Top: make([]protocol.LogProb, protocol.MaxTopLogProbs+1)}},
		"endless token": {want[0], {Chosen: protocol.LogProb{Token: 9, Bytes: make([]byte, maxTokenBytes+1)}}},
	} {
		_, err := LogProbsFromPB(LogProbsToPB(bad), []uint32{7, 9})
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), name)
	}
}
