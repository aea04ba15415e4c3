// Package pretrain makes the tiny base: it trains a tokenizer and then all
// parameters of a small Llama-shaped model, from scratch, on the embedded corpus.
//
// Invariants: the weights are a function of the configuration (seed, token budget,
// shape) and of the numeric profile alone, whatever the number of threads; a run
// that was killed at any moment and resumed gives the same bits as one that was
// not; a checkpoint replaces the one before it atomically.
//
// It does not fine-tune (worker/finetune does, with the same optimiser) and it does
// not download anything.
package pretrain

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/openledger/openledger/worker/engine/model/llama"
)

// Config of a pretraining run.
type Config struct {
	Dir    string // where checkpoints and the finished model go
	Resume bool   // continue from Dir's checkpoint; without it, an existing one is an error

	// Tokens is the budget of the whole run, in steps of BatchTokens; since a batch
	// ends with a whole document, about a tenth more is seen. Until the final decay
	// of the learning rate begins, a run may be resumed with another budget.
	Tokens      int64   // default 3,500,000, as shipped
	BatchTokens int     // tokens of a step, about; default 1024
	Seed        uint64  // default 1, as shipped
	LR          float64 // peak learning rate; default 1.2e-3
	WeightDecay float64 // default 0.1
	Warmup      int     // steps; default 100, or a tenth of a run of less than 200 steps
	Model       llama.Config

	CheckpointEvery int // steps; default 200
	EvalEvery       int // steps; default 500
	Threads         int // 0: all processors

	StopAfter time.Duration // stop cleanly, with a checkpoint, after this long; 0 is never

	Progress func(Progress) // called after every step; may be nil
	Logger   *slog.Logger
}

// Progress of a run.
type Progress struct {
	Step, Steps    int
	Tokens, Budget int64
	Loss           float64 // of this step
	Smooth         float64 // exponential mean
	LR, GradNorm   float64
	TokensPerSec   float64
	ETA            time.Duration
	HeldOut        []HeldOut // after an evaluation
}

// HeldOut is the loss on the held-out documents of one source.
type HeldOut struct {
	Source      string  `json:"source"`
	Documents   int     `json:"documents"`
	Tokens      int     `json:"tokens"`
	Loss        float64 `json:"loss"`          // nats per token
	BitsPerByte float64 `json:"bits_per_byte"` // of the text
}

// DefaultModel is the shape of the shipped base.
func DefaultModel() llama.Config {
	return llama.Config{
		ModelType: "llama", VocabSize: 2048, HiddenSize: 256, IntermediateSize: 704, Layers: 4, Heads: 8, KVHeads: 4, HeadDim: 32,
		MaxPositions: 1024, RMSEps: 1e-5, RopeTheta: 10000, TieEmbeddings: true,
	}
}

// EnsureDefaults fills unset fields.
func (c *Config) EnsureDefaults() {
	if c.Tokens == 0 {
		c.Tokens = 3_500_000
	}
	if c.Seed == 0 {
		c.Seed = 1
	}
	if c.BatchTokens == 0 {
		c.BatchTokens = 1024
	}
	if c.LR == 0 {
		c.LR = 1.2e-3
	}
	if c.WeightDecay == 0 {
		c.WeightDecay = 0.1
	}
	if c.Warmup == 0 {
		c.Warmup = 100
		if c.steps() < 2*c.Warmup {
			c.Warmup = c.steps() / 10
		}
	}
	if c.Model.VocabSize == 0 {
		c.Model = DefaultModel()
	}
	if c.CheckpointEvery == 0 {
		c.CheckpointEvery = 200
	}
	if c.EvalEvery == 0 {
		c.EvalEvery = 500
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// decay is the number of steps of the final decay: the last fifth.
func (c *Config) decay() int { return c.steps() / 5 }

// steps of the whole run.
func (c *Config) steps() int {
	return int((c.Tokens + int64(c.BatchTokens) - 1) / int64(c.BatchTokens))
}

// Validate reports the first bad field.
func (c *Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("pretrain: no output folder given")
	case c.BatchTokens < c.Model.MaxPositions || c.BatchTokens > 1<<20:
		return fmt.Errorf("pretrain: batch of %d tokens must hold at least one document of %d", c.BatchTokens, c.Model.MaxPositions)
	case c.Tokens < int64(c.BatchTokens):
		return fmt.Errorf("pretrain: token budget %d is less than one batch of %d", c.Tokens, c.BatchTokens)
	case c.CheckpointEvery < 1 || c.EvalEvery < 1 || c.Threads < 0 || c.StopAfter < 0:
		return errors.New("pretrain: checkpoint and evaluation intervals must be positive")
	}
	if err := c.Model.Validate(); err != nil {
		return fmt.Errorf("pretrain: model: %w", err)
	}
	return nil
}
