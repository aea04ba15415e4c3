package protocol

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHyperNamesTheBadField(t *testing.T) {
	require.NoError(t, Hyper{}.Validate(), "unset is the trainer's default")
	good := Hyper{Rank: 16, Alpha: 64, Targets: HyperTargets, LearningRate: 4e-3, Epochs: 40, BatchSize: 16, Accumulation: 64, MaxLength: 512,
		Schedule: "linear", EvalRatio: 0.5, EvalSteps: 10, Patience: 3}
	require.NoError(t, good.Validate())
	nan := float32(math.NaN())
	for field, change := range map[string]func(*Hyper){
		"rank":          func(h *Hyper) { h.Rank = 257 },
		"alpha":         func(h *Hyper) { h.Alpha = nan },
		"targets":       func(h *Hyper) { h.Targets = []string{"q_proj", "q_proj"} },
		"learning_rate": func(h *Hyper) { h.LearningRate = nan },
		"weight_decay":  func(h *Hyper) { h.WeightDecay = 1.5 },
		"epochs":        func(h *Hyper) { h.Epochs = -1 },
		"batch_size":    func(h *Hyper) { h.BatchSize = 2000 },
		"accumulation":  func(h *Hyper) { h.Accumulation = 65 },
		"max_length":    func(h *Hyper) { h.MaxLength = 1 },
		"warmup_ratio":  func(h *Hyper) { h.WarmupRatio = 1 },
		"schedule":      func(h *Hyper) { h.Schedule = "steps" },
		"clip_norm":     func(h *Hyper) { h.ClipNorm = float32(math.Inf(1)) },
		"eval_ratio":    func(h *Hyper) { h.EvalRatio = 0.6 },
		"eval_steps":    func(h *Hyper) { h.EvalRatio = 0 },
		"patience":      func(h *Hyper) { h.EvalRatio, h.EvalSteps = 0, 0 },
		"held_out":      func(h *Hyper) { h.HeldOut = "split" },
	} {
		h := good
		change(&h)
		var e *Error
		require.ErrorAs(t, h.Validate(), &e, field)
		require.Equal(t, "hyper."+field, e.Field)
		require.Equal(t, KindInvalid, e.Kind)
	}
}
