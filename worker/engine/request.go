package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/sample"
)

// Errors that a caller branches on. They come wrapped, with the way out.
var (
	// ErrTooLarge: the request can never fit into this engine.
	ErrTooLarge = errors.New("request does not fit")
	// ErrUnknownAdapter: the adapter is not resident; LoadAdapter it first.
	ErrUnknownAdapter = errors.New("adapter is not resident")
	// ErrAdapterInUse: a running or waiting request pins the adapter.
	ErrAdapterInUse = errors.New("adapter is in use")
	// ErrAdapterMemory: the adapter does not fit beside the pinned ones.
	ErrAdapterMemory = errors.New("no memory for the adapter")
	// ErrBusy: the queue is full, for this tenant or for all, or so long that the deadline would pass in it.
	ErrBusy = errors.New("too many requests are waiting")
	// ErrDeadline: the deadline passed before the first token.
	ErrDeadline = errors.New("deadline passed in the queue")
	// ErrClosed: the engine is not running.
	ErrClosed = errors.New("engine is not running")
	// ErrInvalid: a field of the request is out of range.
	ErrInvalid = errors.New("invalid request")
)

// Sampling fixes how tokens are drawn; see protocol.Sampling, which it mirrors, and
// package sample, which says what each field does and in which order.
// Temperature 0 is greedy.
type Sampling struct {
	Temperature       float32
	TopK              int           // 0: no limit
	TopP              float32       // 0: no limit
	MinP              float32       // 0: no limit
	RepetitionPenalty float32       // 0 or 1: none
	FrequencyPenalty  float32       // 0: none
	PresencePenalty   float32       // 0: none
	LogitBias         []sample.Bias // by ascending id
	Seed              uint64
	MaxTokens         int      // output tokens in all, resumed ones included; at least 1
	Stop              []string // the output ends before the first of these
	IgnoreEOS         bool     // without a Format, which says itself when an output is complete
	Format            Format
	LogProbs          bool // tell each token's log-probability
	TopLogProbs       int  // and those of this many likeliest ones
}

// Format constrains the output. The zero value is plain text.
type Format struct {
	JSON   bool   // the output is one JSON value
	Schema string // that this JSON Schema allows; empty: any object
}

// LogProbs are the log-probabilities at one position, as package sample defines them.
type LogProbs struct {
	Chosen sample.LogProb
	Top    []sample.LogProb // the likeliest first
}

// Request asks for one completion.
type Request struct {
	ID       string   // for logs; need not be unique
	Prompt   []uint32 // after the chat template
	Resume   []uint32 // output tokens delivered before: continue after them, exactly
	Adapter  string   // key of an adapter; empty: the bare base
	Sampling Sampling

	Tenant   string        // fairness is between tenants; the empty name is one of them
	Weights  *lora.Adapter // of Adapter, to be made resident when its turn comes; nil: it is resident already
	Deadline time.Time     // of the first token: later, waiting has been in vain; zero: none
}

// Token is one streamed output token. Text is what became readable with it: it
// may be empty (half of a character, or the possible beginning of a stop
// string) or carry what earlier tokens held back.
//
// TextOnly marks text that was held back until the end-of-text token, which is
// itself not part of the output: it comes last and has no ID.
type Token struct {
	ID       uint32
	Text     string
	TextOnly bool
	LogProbs *LogProbs // nil unless asked for
}

// Why a completion ended.
const (
	FinishStop   = "stop"   // end-of-text token or stop string
	FinishLength = "length" // MaxTokens or the model's context is used up
)

// Result is one finished completion. Tokens include resumed ones, but not an
// end-of-text token; they include those of a stop string, Text does not.
type Result struct {
	Tokens       []uint32
	Text         string
	FinishReason string
	PromptTokens int
}

// Stats is a snapshot of the engine's load.
type Stats struct {
	Running      int // requests in the batch
	Waiting      int // requests not admitted yet
	Slots        int // requests it will batch at once
	FreeKV       int // tokens of KV cache not reserved
	TotalKV      int
	Adapters     int                 // on the device
	AdapterBytes int64               // loads under way included
	Tier         lora.ResidencyStats // of the device
	DecodeTPS    float64             // recent output tokens per second, all requests together

	PrefixQueries, PrefixHits uint64 // prompt tokens looked up, and found, in the prefix cache
}

// Limits of a request's sampling fields.
const (
	maxStops     = 16
	maxStopBytes = 256
)

func (s *Sampling) validate() error {
	bad := func(field, format string, args ...any) error {
		return fmt.Errorf("%w: sampling.%s %s", ErrInvalid, field, fmt.Sprintf(format, args...))
	}
	switch {
	case s.MaxTokens < 1:
		return bad("max_tokens", "must be at least 1, got %d", s.MaxTokens)
	case len(s.Stop) > maxStops:
		return bad("stop", "holds %d strings, at most %d are allowed", len(s.Stop), maxStops)
	case s.TopLogProbs < 0 || s.TopLogProbs > sample.MaxTopLogProbs:
		return bad("top_logprobs", "must lie between 0 and %d, got %d", sample.MaxTopLogProbs, s.TopLogProbs)
	case s.TopLogProbs > 0 && !s.LogProbs:
		return bad("top_logprobs", "needs logprobs")
	case s.Format.Schema != "" && !s.Format.JSON:
		return bad("format", "has a schema, so it must be JSON")
	}
	for _, stop := range s.Stop {
		if stop == "" || len(stop) > maxStopBytes {
			return bad("stop", "strings must have 1 to %d bytes", maxStopBytes)
		}
	}
	return nil
}

// params are the fields that the sampler reads and checks.
func (s *Sampling) params() sample.Params {
	return sample.Params{
		Temperature: s.Temperature, TopK: s.TopK, TopP: s.TopP, MinP: s.MinP, RepetitionPenalty: s.RepetitionPenalty,
		FrequencyPenalty: s.FrequencyPenalty, PresencePenalty: s.PresencePenalty, LogitBias: s.LogitBias, Seed: s.Seed,
	}
}
