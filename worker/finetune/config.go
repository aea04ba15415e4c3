package finetune

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/openledger/openledger/worker/engine/optim"
)

// Targets are the projections that an adapter can have matrices on, by their
// PEFT names and in the order of a layer.
var Targets = []string{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}

// Schedules are the ways in which the learning rate falls after the warm-up.
var Schedules = []string{string(optim.Cosine), string(optim.Linear), string(optim.Constant)}

// Config of one fine-tune. The hyper-parameters mirror protocol.Hyper.
type Config struct {
	Rank         int
	Alpha        float32
	RSLoRA       bool     // scale by alpha/sqrt(rank) instead of alpha/rank
	Targets      []string // of Targets
	LearningRate float32  // peak, reached after the warm-up
	Schedule     string   // from there: "cosine" to a tenth, "linear" to nothing, or "constant"
	WarmupRatio  float32  // of all steps
	WeightDecay  float32
	ClipNorm     float32 // of the global gradient norm
	Epochs       int
	BatchSize    int      // examples of a batch
	Accumulation int      // batches per optimiser step; the same as a batch that much larger, bit for bit
	MaxLength    int      // tokens of an example; longer ones lose the tail of the answer
	Base         [32]byte // hash of the base model: a checkpoint over another one is not resumed
	Seed         uint64   // of the initial matrices and of the shuffling

	EvalRatio float32 // share of the records that is held out (see Split); 0 is none
	HeldOut   bool    // the examples that say so are held out, instead of a share
	EvalSteps int     // optimiser steps between two evaluations; 0 is an epoch
	Patience  int     // evaluations without a lower held-out loss before the training stops; 0 is never

	// PassTokens bounds the memory of a pass over the model: a batch is cut into passes of whole examples of about
	// that many tokens together. It does not change a bit of the result. 0 is as many as fit in PassBytes.
	PassTokens int

	// A checkpoint is saved every CheckpointSteps steps or CheckpointEvery,
	// whichever comes first; 0 is never.
	CheckpointSteps int
	CheckpointEvery time.Duration

	Logger *slog.Logger
}

// Defaults are what EnsureDefaults fills in: enough for the embedded base to recall
// a datanet of some hundred short records by heart, in about a minute on two cores.
func Defaults() Config {
	return Config{
		Rank:            16,
		Alpha:           64,
		Targets:         slices.Clone(Targets),
		LearningRate:    4e-3,
		Epochs:          40,
		BatchSize:       16,
		MaxLength:       512,
		WarmupRatio:     0.05,
		Schedule:        "cosine",
		Accumulation:    1,
		ClipNorm:        1,
		CheckpointEvery: 20 * time.Second,
	}
}

// DefaultAlpha scales an adapter's change by 4, whatever its rank.
func DefaultAlpha(rank int, rslora bool) float32 {
	if rslora {
		return 4 * float32(math.Sqrt(float64(rank)))
	}
	return 4 * float32(rank)
}

// EnsureDefaults fills unset fields. WeightDecay, WarmupRatio, Seed, PassTokens, CheckpointSteps
// and those of the evaluation keep their zero: it has a meaning.
func (c *Config) EnsureDefaults() {
	d := Defaults()
	if c.Rank == 0 {
		c.Rank = d.Rank
	}
	if c.Alpha == 0 {
		c.Alpha = DefaultAlpha(c.Rank, c.RSLoRA)
	}
	if len(c.Targets) == 0 {
		c.Targets = d.Targets
	}
	if c.LearningRate == 0 {
		c.LearningRate = d.LearningRate
	}
	if c.Epochs == 0 {
		c.Epochs = d.Epochs
	}
	if c.BatchSize == 0 {
		c.BatchSize = d.BatchSize
	}
	if c.MaxLength == 0 {
		c.MaxLength = d.MaxLength
	}
	if c.Schedule == "" {
		c.Schedule = d.Schedule
	}
	if c.Accumulation == 0 {
		c.Accumulation = d.Accumulation
	}
	if c.ClipNorm == 0 {
		c.ClipNorm = d.ClipNorm
	}
	if c.CheckpointEvery == 0 {
		c.CheckpointEvery = d.CheckpointEvery
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// FieldError names the bad hyper-parameter by its name in protocol.Hyper.
type FieldError struct {
	Field   string
	Message string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Message }

// Limits of hyper-parameters, so that a foreign order cannot exhaust a worker.
const (
	MaxRank      = 256
	MaxEpochs    = 1000
	MaxBatchSize = 1024 // of all batches of an optimiser step together
	MaxEvalRatio = 0.5
	MaxPatience  = 1000
)

// PassBytes is how much memory the activations of a pass may take when Config.PassTokens is unset.
const PassBytes = 1 << 30

// Validate reports the first bad field.
func (c *Config) Validate() error {
	bad := func(field, format string, args ...any) error {
		return &FieldError{Field: field, Message: fmt.Sprintf(format, args...)}
	}
	finite := func(v float32) bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }
	switch {
	case c.Rank < 1 || c.Rank > MaxRank:
		return bad("rank", "must lie between 1 and %d, got %d", MaxRank, c.Rank)
	case !(c.Alpha > 0) || !finite(c.Alpha):
		return bad("alpha", "must be a positive number, got %v", c.Alpha)
	case !(c.LearningRate > 0 && c.LearningRate <= 1):
		return bad("learning_rate", "must lie between 0 and 1, got %v", c.LearningRate)
	case !(c.WeightDecay >= 0 && c.WeightDecay <= 1):
		return bad("weight_decay", "must lie between 0 and 1, got %v", c.WeightDecay)
	case c.Epochs < 1 || c.Epochs > MaxEpochs:
		return bad("epochs", "must lie between 1 and %d, got %d", MaxEpochs, c.Epochs)
	case c.BatchSize < 1 || c.BatchSize > MaxBatchSize:
		return bad("batch_size", "must lie between 1 and %d, got %d", MaxBatchSize, c.BatchSize)
	case c.Accumulation < 1 || c.Accumulation > MaxBatchSize/c.BatchSize:
		return bad("accumulation", "must lie between 1 and %d with batch_size %d, got %d", MaxBatchSize/c.BatchSize, c.BatchSize, c.Accumulation)
	case !slices.Contains(Schedules, c.Schedule):
		return bad("schedule", "%q is not known; choose from %s", c.Schedule, strings.Join(Schedules, ", "))
	case !(c.EvalRatio >= 0 && c.EvalRatio <= MaxEvalRatio):
		return bad("eval_ratio", "must lie between 0 and %v, got %v", MaxEvalRatio, c.EvalRatio)
	case c.EvalSteps < 0 || (c.EvalSteps > 0 && c.EvalRatio == 0 && !c.HeldOut):
		return bad("eval_steps", "is %d: it must not be negative, and needs an eval_ratio or held_out", c.EvalSteps)
	case c.Patience < 0 || c.Patience > MaxPatience || (c.Patience > 0 && c.EvalRatio == 0 && !c.HeldOut):
		return bad("patience", "is %d: it must lie between 0 and %d, and needs an eval_ratio or held_out", c.Patience, MaxPatience)
	case c.HeldOut && c.EvalRatio != 0:
		return bad("held_out", "goes without an eval_ratio: hold out the records that say so, or a share of all")
	case c.PassTokens < 0:
		return errors.New("pass tokens must not be negative")
	case c.MaxLength < 2:
		return bad("max_length", "must be at least 2, got %d", c.MaxLength)
	case !(c.WarmupRatio >= 0 && c.WarmupRatio < 1):
		return bad("warmup_ratio", "must lie between 0 and 1, got %v", c.WarmupRatio)
	case !(c.ClipNorm >= 0) || !finite(c.ClipNorm):
		return bad("clip_norm", "must not be negative, got %v", c.ClipNorm)
	case c.CheckpointSteps < 0 || c.CheckpointEvery < 0:
		return errors.New("checkpoint intervals must not be negative")
	}
	for i, t := range c.Targets {
		if !slices.Contains(Targets, t) {
			return bad("targets", "%q is not a module; choose from %s", t, strings.Join(Targets, ", "))
		}
		if slices.Contains(c.Targets[:i], t) {
			return bad("targets", "%q is named twice", t)
		}
	}
	return nil
}
