package api

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/openledger/openledger/protocol"
)

// samplingRequest holds the fields that say how tokens are drawn. min_p, top_k and
// repetition_penalty are not OpenAI's; other servers call them so.
type samplingRequest struct {
	MaxTokens           *int               `json:"max_tokens"`
	MaxCompletionTokens *int               `json:"max_completion_tokens"`
	Temperature         *float32           `json:"temperature"`
	TopP                *float32           `json:"top_p"`
	TopK                *int               `json:"top_k"`
	MinP                *float32           `json:"min_p"`
	RepetitionPenalty   *float32           `json:"repetition_penalty"`
	PresencePenalty     *float32           `json:"presence_penalty"`
	FrequencyPenalty    *float32           `json:"frequency_penalty"`
	LogitBias           map[string]float32 `json:"logit_bias"`
	Seed                *int64             `json:"seed"`
	Stop                stringList         `json:"stop"`
	ResponseFormat      *responseFormat    `json:"response_format"`
	LogProbs            json.RawMessage    `json:"logprobs"` // chat: true; completions: a number
	TopLogProbs         *int               `json:"top_logprobs"`
}

// responseFormat is what the answer must look like.
type responseFormat struct {
	Type       string `json:"type"`
	JSONSchema *struct {
		Schema json.RawMessage `json:"schema"`
	} `json:"json_schema"`
}

// maxTopCompletion is OpenAI's limit of logprobs in text completions.
const maxTopCompletion = 5

func invalid(field, format string, args ...any) error {
	return protocol.Errorf(protocol.KindInvalid, field, format, args...)
}

func (r *samplingRequest) sampling(id protocol.Hash) (protocol.Sampling, error) {
	s := protocol.Sampling{Temperature: 1, MaxTokens: defaultMaxTokens, Stop: r.Stop}
	for _, f := range []struct {
		name   string
		in     *float32
		out    *float32
		lo, hi float32
	}{
		{"temperature", r.Temperature, &s.Temperature, 0, 2},
		{"top_p", r.TopP, &s.TopP, 0, 1},
		{"min_p", r.MinP, &s.MinP, 0, 1},
		{"repetition_penalty", r.RepetitionPenalty, &s.RepetitionPenalty, 0.01, 100},
		{"presence_penalty", r.PresencePenalty, &s.PresencePenalty, -2, 2},
		{"frequency_penalty", r.FrequencyPenalty, &s.FrequencyPenalty, -2, 2},
	} {
		if f.in == nil {
			continue
		}
		if !(*f.in >= f.lo && *f.in <= f.hi) {
			return s, invalid(f.name, "it must be between %v and %v", f.lo, f.hi)
		}
		*f.out = *f.in
	}
	if s.RepetitionPenalty == 1 { // none: the job reads like one that does not mention it
		s.RepetitionPenalty = 0
	}
	if r.TopK != nil {
		s.TopK = *r.TopK
	}
	if s.TopK < 0 {
		return s, invalid("top_k", "it must not be negative")
	}
	maxField, maxTokens := "max_tokens", r.MaxTokens
	if r.MaxCompletionTokens != nil {
		maxField, maxTokens = "max_completion_tokens", r.MaxCompletionTokens
	}
	if maxTokens != nil {
		s.MaxTokens = *maxTokens
	}
	if s.MaxTokens < 1 || s.MaxTokens > 1<<16 {
		return s, invalid(maxField, "it must be between 1 and 65536")
	}
	if len(s.Stop) > 4 {
		return s, invalid("stop", "at most 4 stop strings")
	}
	for _, stop := range s.Stop {
		if stop == "" || len(stop) > 256 {
			return s, invalid("stop", "each stop string has 1 to 256 bytes")
		}
	}
	// Without a seed the request's ID is one: asked again, it draws the same tokens. Receipts
	// show it in JSON, whose numbers JavaScript reads exactly up to 2^53.
	s.Seed = binary.LittleEndian.Uint64(id[:8]) & (1<<53 - 1)
	if r.Seed != nil {
		s.Seed = uint64(*r.Seed)
	}
	if err := r.bias(&s); err != nil {
		return s, err
	}
	return s, r.format(&s)
}

// bias reads token ids, which JSON has as keys.
func (r *samplingRequest) bias(s *protocol.Sampling) error {
	if len(r.LogitBias) > protocol.MaxLogitBias {
		return invalid("logit_bias", "it names %d tokens, at most %d are allowed", len(r.LogitBias), protocol.MaxLogitBias)
	}
	for key, bias := range r.LogitBias {
		id, err := strconv.ParseUint(key, 10, 32)
		if err != nil || strconv.FormatUint(id, 10) != key {
			return invalid("logit_bias", "%q is not the number of a token", key)
		}
		if !(bias >= -100 && bias <= 100) {
			return invalid("logit_bias", "that of token %s must be between -100 and 100", key)
		}
		s.LogitBias = append(s.LogitBias, protocol.TokenBias{Token: uint32(id), Bias: bias})
	}
	slices.SortFunc(s.LogitBias, func(a, b protocol.TokenBias) int { return int(int64(a.Token) - int64(b.Token)) })
	return nil
}

// format reads response_format. What a schema may say only the worker knows, which
// compiles it.
func (r *samplingRequest) format(s *protocol.Sampling) error {
	if r.ResponseFormat == nil {
		return nil
	}
	switch f := r.ResponseFormat; f.Type {
	case "text":
	case "json_object":
		s.Format = protocol.FormatJSONObject
	case "json_schema":
		if f.JSONSchema == nil || len(f.JSONSchema.Schema) == 0 || f.JSONSchema.Schema[0] != '{' {
			return invalid("response_format", "json_schema.schema must be an object")
		}
		var text bytes.Buffer
		if err := json.Compact(&text, f.JSONSchema.Schema); err != nil {
			return invalid("response_format", "json_schema.schema: %w", err)
		}
		if text.Len() > protocol.MaxSchemaBytes {
			return invalid("response_format", "json_schema.schema has %d bytes, at most %d are allowed", text.Len(), protocol.MaxSchemaBytes)
		}
		s.Format, s.Schema = protocol.FormatJSONSchema, text.String()
	default:
		return invalid("response_format", `its type is %q: use "text", "json_object" or "json_schema"`, f.Type)
	}
	return nil
}

// chatLogProbs reads what a chat completion says of log-probabilities.
func (r *samplingRequest) chatLogProbs(s *protocol.Sampling) error {
	if len(r.LogProbs) > 0 && json.Unmarshal(r.LogProbs, &s.LogProbs) != nil {
		return invalid("logprobs", "it must be true or false")
	}
	if r.TopLogProbs == nil {
		return nil
	}
	s.TopLogProbs = *r.TopLogProbs
	switch {
	case s.TopLogProbs < 0 || s.TopLogProbs > protocol.MaxTopLogProbs:
		return invalid("top_logprobs", "it must be between 0 and %d", protocol.MaxTopLogProbs)
	case s.TopLogProbs > 0 && !s.LogProbs:
		return invalid("top_logprobs", "it needs logprobs to be true")
	}
	return nil
}

// textLogProbs reads what a text completion says of log-probabilities.
func (r *samplingRequest) textLogProbs(s *protocol.Sampling) error {
	var n *int
	switch {
	case r.TopLogProbs != nil:
		return invalid("top_logprobs", "it belongs to chat completions: say their number in logprobs")
	case len(r.LogProbs) > 0 && json.Unmarshal(r.LogProbs, &n) != nil:
		return invalid("logprobs", "it must be a number")
	case n == nil:
		return nil
	case *n < 0 || *n > maxTopCompletion:
		return invalid("logprobs", "it must be between 0 and %d", maxTopCompletion)
	}
	s.LogProbs, s.TopLogProbs = true, *n
	return nil
}
