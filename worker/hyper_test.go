package worker

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/finetune"
)

// What a coordinator lets pass a worker's trainer takes, and what it refuses the trainer refuses for the same field.
func TestTrainerAndProtocolAgreeOnHyperParameters(t *testing.T) {
	require.Equal(t, finetune.Targets, protocol.HyperTargets)
	require.Equal(t, finetune.Schedules, protocol.HyperSchedules)
	require.Equal(t, finetune.ChatPrompt, protocol.ChatPromptTemplate)
	d := finetune.Defaults()
	require.Equal(t, protocol.Hyper{Rank: d.Rank, Alpha: d.Alpha, LearningRate: d.LearningRate, MaxLength: d.MaxLength, WarmupRatio: d.WarmupRatio},
		protocol.Hyper{Rank: protocol.DefaultRank, Alpha: 4 * protocol.DefaultRank, LearningRate: protocol.DefaultLearningRate, MaxLength: protocol.DefaultMaxLength, WarmupRatio: protocol.DefaultWarmupRatio})
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	with := func(change func(*protocol.Hyper)) protocol.Hyper {
		h := protocol.Hyper{EvalRatio: 0.1}
		change(&h)
		return h
	}
	var cases []protocol.Hyper
	for _, v := range []int{-1, 0, 1, 2, 64, 65, 256, 257, 1000, 1001, 1024, 1025, math.MaxInt32} {
		cases = append(cases, with(func(h *protocol.Hyper) { h.Rank = v }), with(func(h *protocol.Hyper) { h.Epochs = v }),
			with(func(h *protocol.Hyper) { h.BatchSize = v }), with(func(h *protocol.Hyper) { h.BatchSize, h.Accumulation = 16, v }),
			with(func(h *protocol.Hyper) { h.MaxLength = v }), with(func(h *protocol.Hyper) { h.EvalSteps = v }),
			with(func(h *protocol.Hyper) { h.EvalSteps, h.EvalRatio = v, 0 }), with(func(h *protocol.Hyper) { h.Patience = v }),
			with(func(h *protocol.Hyper) { h.Patience, h.EvalRatio = v, 0 }))
	}
	for _, v := range []float32{-0.1, 0, 0.25, 0.5, 0.51, 0.999, 1, 1.01, 1e30, nan, inf} {
		cases = append(cases, with(func(h *protocol.Hyper) { h.Alpha = v }), with(func(h *protocol.Hyper) { h.LearningRate = v }),
			with(func(h *protocol.Hyper) { h.WeightDecay = v }), with(func(h *protocol.Hyper) { h.WarmupRatio = v }),
			with(func(h *protocol.Hyper) { h.ClipNorm = v }), with(func(h *protocol.Hyper) { h.EvalRatio = v }))
	}
	for _, s := range []string{"", "cosine", "linear", "constant", "step"} {
		cases = append(cases, with(func(h *protocol.Hyper) { h.Schedule = s }))
	}
	for _, s := range [][]string{nil, {"q_proj"}, {"q_proj", "q_proj"}, {"lm_head"}} {
		cases = append(cases, with(func(h *protocol.Hyper) { h.Targets = s }))
	}
	refused := 0
	for _, h := range cases {
		cfg := hyper(h, &Worker{})
		cfg.EnsureDefaults()
		var want *finetune.FieldError
		err := cfg.Validate()
		if err == nil {
			require.NoError(t, h.Validate(), "%+v", h)
			continue
		}
		refused++
		require.ErrorAs(t, err, &want, "%+v", h)
		var got *protocol.Error
		require.ErrorAs(t, h.Validate(), &got, "%+v: %v", h, err)
		require.Equal(t, want.Field, strings.TrimPrefix(got.Field, "hyper."), "%+v", h)
	}
	require.Greater(t, refused, 40)
}
