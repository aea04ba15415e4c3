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
	MaxPerTenant int   // of them of one tenant; default a quarter of MaxWaiting
	MaxContext   int   // tokens of prompt and output together; default and maximum: the model's
	KVTokens     int   // capacity of the KV cache, all requests together
	PageTokens   int   // positions in one of its pages, a multiple of 16; default tensor.DefaultPageTokens. It changes no result
	PrefillChunk int   // prompt tokens computed in one step, all requests together
	AdapterBytes int64 // memory for resident adapters
	MemoryBytes  int64 // cap on base, KV cache and adapters together; 0: only their own. AdapterBytes defaults to what is left, at most 1 GiB

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
	if c.PageTokens == 0 {
		c.PageTokens = tensor.DefaultPageTokens
	}
	if c.PrefillChunk == 0 {
		c.PrefillChunk = 256
	}
	if c.MaxPerTenant == 0 {
		c.MaxPerTenant = max(1, c.MaxWaiting/4)
	}
	if c.AdapterBytes == 0 {
		c.AdapterBytes = 1 << 30
		if c.MemoryBytes > 0 && c.Model != nil {
			c.AdapterBytes = min(c.AdapterBytes, c.MemoryBytes-c.Model.Bytes()-c.kvBytes())
		}
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
	pages := tensor.CheckPageTokens(c.PageTokens)
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
	case pages != nil:
		return fmt.Errorf("engine: %w", pages)
	case c.KVTokens < c.PageTokens:
		return fmt.Errorf("engine: kv tokens must be at least a page (%d), got %d", c.PageTokens, c.KVTokens)
	case c.PrefillChunk < 1:
		return fmt.Errorf("engine: prefill chunk must be at least 1, got %d", c.PrefillChunk)
	case c.MaxPerTenant < 1:
		return fmt.Errorf("engine: max per tenant must be at least 1, got %d", c.MaxPerTenant)
	case c.MemoryBytes < 0:
		return fmt.Errorf("engine: memory bytes must not be negative, got %d", c.MemoryBytes)
	case c.MemoryBytes > 0 && c.Model.Bytes()+c.kvBytes()+max(c.AdapterBytes, 1) > c.MemoryBytes:
		return fmt.Errorf("engine: base %d, KV cache %d and adapters %d bytes do not fit into %d: lower kv tokens or adapter bytes, or allow more memory",
			c.Model.Bytes(), c.kvBytes(), max(c.AdapterBytes, 1), c.MemoryBytes)
	case c.AdapterBytes < 1:
		return fmt.Errorf("engine: adapter bytes must be positive, got %d", c.AdapterBytes)
	}
	return nil
}

// kvBytes is what the KV cache takes.
func (c *Config) kvBytes() int64 {
	return int64(c.KVTokens/c.PageTokens*c.PageTokens) * c.Model.Config().KVBytesPerToken()
}
