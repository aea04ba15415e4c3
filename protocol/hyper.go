package protocol

import (
	"math"
	"slices"
	"strings"
)

// Limits of hyper-parameters, so that an order cannot exhaust a worker.
const (
	MaxHyperRank      = 256
	MaxHyperEpochs    = 1000
	MaxHyperBatch     = 1024 // records of an optimiser step
	MaxHyperEvalRatio = 0.5
	MaxHyperPatience  = 1000
)

// HyperTargets are the projections that an adapter can have matrices on, HyperSchedules the
// ways in which the learning rate falls after the warm-up.
var (
	HyperTargets   = []string{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
	HyperSchedules = []string{"cosine", "linear", "constant"}
)

// HeldOutMark is what Hyper.HeldOut's field says of records that are held out.
const HeldOutMark = "validation"

// What the trainer takes where an order does not say.
const (
	DefaultRank         = 16
	DefaultLearningRate = 4e-3
	DefaultMaxLength    = 512
	DefaultWarmupRatio  = 0.05
)

// ChatPromptTemplate is the prompt template for records of chats: their field "messages" is
// a JSON list of {"role", "content"}, rendered as the turns of a request with these messages;
// their field "answer" is what the assistant says next.
const (
	ChatPromptTemplate = "{messages|chat}"
	ChatAnswerTemplate = "{answer}"
)

// Validate names the first hyper-parameter that no trainer would take, before anybody signs,
// queues or fetches anything. Zero means the trainer's default. A merge has rules of its own.
func (h Hyper) Validate() error {
	if h.Merge != nil {
		return nil
	}
	bad := func(field, format string, args ...any) error {
		return Errorf(KindInvalid, "hyper."+field, format, args...)
	}
	number := func(v float32) bool { return v >= 0 && !math.IsInf(float64(v), 1) }
	batch := max(h.BatchSize, 1)
	holds := h.EvalRatio != 0 || h.HeldOut != ""
	switch {
	case h.Rank < 0 || h.Rank > MaxHyperRank:
		return bad("rank", "must lie between 1 and %d, got %d", MaxHyperRank, h.Rank)
	case !number(h.Alpha):
		return bad("alpha", "must be a positive number, got %v", h.Alpha)
	case !(h.LearningRate >= 0 && h.LearningRate <= 1):
		return bad("learning_rate", "must lie between 0 and 1, got %v", h.LearningRate)
	case !(h.WeightDecay >= 0 && h.WeightDecay <= 1):
		return bad("weight_decay", "must lie between 0 and 1, got %v", h.WeightDecay)
	case h.Epochs < 0 || h.Epochs > MaxHyperEpochs:
		return bad("epochs", "must lie between 1 and %d, got %d", MaxHyperEpochs, h.Epochs)
	case h.BatchSize < 0 || h.BatchSize > MaxHyperBatch:
		return bad("batch_size", "must lie between 1 and %d, got %d", MaxHyperBatch, h.BatchSize)
	case h.Accumulation > 0 && h.BatchSize == 0:
		return bad("accumulation", "needs a batch_size")
	case h.Accumulation < 0 || h.Accumulation > MaxHyperBatch/batch:
		return bad("accumulation", "must lie between 1 and %d with batch_size %d, got %d", MaxHyperBatch/batch, batch, h.Accumulation)
	case h.MaxLength < 0 || h.MaxLength == 1:
		return bad("max_length", "must be at least 2, got %d", h.MaxLength)
	case !(h.WarmupRatio >= 0 && h.WarmupRatio < 1):
		return bad("warmup_ratio", "must lie between 0 and 1, got %v", h.WarmupRatio)
	case h.Schedule != "" && !slices.Contains(HyperSchedules, h.Schedule):
		return bad("schedule", "%q is not known; choose from %s", h.Schedule, strings.Join(HyperSchedules, ", "))
	case !number(h.ClipNorm):
		return bad("clip_norm", "must not be negative, got %v", h.ClipNorm)
	case !(h.EvalRatio >= 0 && h.EvalRatio <= MaxHyperEvalRatio):
		return bad("eval_ratio", "must lie between 0 and %v, got %v", MaxHyperEvalRatio, h.EvalRatio)
	case h.EvalSteps < 0 || (h.EvalSteps > 0 && !holds):
		return bad("eval_steps", "is %d: it must not be negative, and needs an eval_ratio or held_out", h.EvalSteps)
	case h.Patience < 0 || h.Patience > MaxHyperPatience || (h.Patience > 0 && !holds):
		return bad("patience", "is %d: it must lie between 0 and %d, and needs an eval_ratio or held_out", h.Patience, MaxHyperPatience)
	case h.HeldOut != "" && h.EvalRatio != 0:
		return bad("held_out", "goes without an eval_ratio: hold out the records that say so, or a share of all")
	case len(h.HeldOut) > MaxNameBytes:
		return bad("held_out", "has %d bytes, the name of a record's field has %d at most", len(h.HeldOut), MaxNameBytes)
	}
	for i, t := range h.Targets {
		if !slices.Contains(HyperTargets, t) {
			return bad("targets", "%q is not a module; choose from %s", t, strings.Join(HyperTargets, ", "))
		}
		if slices.Contains(h.Targets[:i], t) {
			return bad("targets", "%q is named twice", t)
		}
	}
	return nil
}
