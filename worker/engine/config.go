package engine

import (
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/tensor"
	"github.com/openledger/openledger/worker/engine/tokenizer"
)

// Config of an engine.
type Config struct {
	Model     *llama.Model         // the base; its backend decides on threads
	Tokenizer *tokenizer.Tokenizer // for stop strings and streamed text
	StopIDs   []uint32             // tokens that end an output; default Tokenizer.StopIDs

	MaxBatch     int   // requests in one step
	MaxWaiting   int   // requests in the queue
	MaxContext   int   // tokens of prompt and output together; default and maximum: the model's
	KVTokens     int   // capacity of the KV cache, all requests together
	PrefillChunk int   // prompt tokens computed in one step, all requests together
	AdapterBytes int64 // memory for resident adapters

	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil: metrics are kept to oneself
}

// EnsureDefaults fills unset fields.
func (c *Config) EnsureDefaults() {
	if c.MaxBatch == 0 {
		c.MaxBatch = 32
	}
	if c.MaxWaiting == 0 {
		c.MaxWaiting = 1024
	}
	if c.KVTokens == 0 {
		c.KVTokens = 32 << 10
	}
	if c.PrefillChunk == 0 {
		c.PrefillChunk = 256
	}
	if c.AdapterBytes == 0 {
		c.AdapterBytes = 1 << 30
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Tokenizer != nil && c.StopIDs == nil {
		c.StopIDs = c.Tokenizer.StopIDs()
	}
}

// Validate reports the first bad field.
func (c *Config) Validate() error {
	switch {
	case c.Model == nil:
		return fmt.Errorf("engine: model is missing")
	case c.Tokenizer == nil:
		return fmt.Errorf("engine: tokenizer is missing")
	case c.MaxBatch < 1 || c.MaxBatch > 4096:
		return fmt.Errorf("engine: max batch must lie between 1 and 4096, got %d", c.MaxBatch)
	case c.MaxWaiting < 1:
		return fmt.Errorf("engine: max waiting must be at least 1, got %d", c.MaxWaiting)
	case c.MaxContext < 0:
		return fmt.Errorf("engine: max context must not be negative, got %d", c.MaxContext)
	case c.KVTokens < tensor.PageTokens:
		return fmt.Errorf("engine: kv tokens must be at least a page (%d), got %d", tensor.PageTokens, c.KVTokens)
	case c.PrefillChunk < 1:
		return fmt.Errorf("engine: prefill chunk must be at least 1, got %d", c.PrefillChunk)
	case c.AdapterBytes < 0:
		return fmt.Errorf("engine: adapter bytes must not be negative, got %d", c.AdapterBytes)
	}
	return nil
}
