package protocol

import "slices"

// Sampling fixes how tokens are drawn. Temperature 0 is greedy. The same
// Sampling, prompt, model and numeric profile give the same tokens. What each field does,
// and in which order, is written down in worker/engine/sample.
type Sampling struct {
	Temperature       float32     `json:"temperature"`
	TopK              int         `json:"top_k,omitempty"`              // 0: no limit
	TopP              float32     `json:"top_p,omitempty"`              // 0: no limit
	MinP              float32     `json:"min_p,omitempty"`              // 0: no limit
	RepetitionPenalty float32     `json:"repetition_penalty,omitempty"` // 0 or 1: none
	PresencePenalty   float32     `json:"presence_penalty,omitempty"`
	FrequencyPenalty  float32     `json:"frequency_penalty,omitempty"`
	LogitBias         []TokenBias `json:"logit_bias,omitempty"` // by ascending token
	Seed              uint64      `json:"seed"`
	MaxTokens         int         `json:"max_tokens"`
	Stop              []string    `json:"stop,omitempty"`
	IgnoreEOS         bool        `json:"ignore_eos,omitempty"`
	Format            Format      `json:"format,omitempty"`
	Schema            string      `json:"schema,omitempty"`       // of FormatJSONSchema: a JSON Schema as text
	LogProbs          bool        `json:"logprobs,omitempty"`     // tell each token's log-probability
	TopLogProbs       int         `json:"top_logprobs,omitempty"` // and those of this many likeliest ones
}

// TokenBias is added to one token's logit.
type TokenBias struct {
	Token uint32  `json:"token"`
	Bias  float32 `json:"bias"`
}

// Format is what an output must look like.
type Format string

// The formats.
const (
	FormatText       Format = ""
	FormatJSONObject Format = "json_object"
	FormatJSONSchema Format = "json_schema"
)

// Limits of sampling.
const (
	MaxTopLogProbs = 20
	MaxLogitBias   = 1024
	MaxSchemaBytes = 64 << 10
)

// Equal says whether two samplings ask for the same.
func (s Sampling) Equal(o Sampling) bool {
	if !slices.Equal(s.Stop, o.Stop) || !slices.Equal(s.LogitBias, o.LogitBias) {
		return false
	}
	return s.Temperature == o.Temperature && s.TopK == o.TopK && s.TopP == o.TopP && s.MinP == o.MinP &&
		s.RepetitionPenalty == o.RepetitionPenalty && s.PresencePenalty == o.PresencePenalty && s.FrequencyPenalty == o.FrequencyPenalty &&
		s.Seed == o.Seed && s.MaxTokens == o.MaxTokens && s.IgnoreEOS == o.IgnoreEOS && s.Format == o.Format && s.Schema == o.Schema &&
		s.LogProbs == o.LogProbs && s.TopLogProbs == o.TopLogProbs
}

// LogProb is a token with the natural logarithm of its probability under the model
// itself: before penalties, bias, format, temperature and filters. One that is as good
// as impossible has -9999.
type LogProb struct {
	Token   uint32
	Bytes   []byte // what the token spells: maybe half a character, nothing if it is a special one
	LogProb float32
}

// TokenLogProbs are the log-probabilities at one position of the output.
type TokenLogProbs struct {
	Chosen LogProb
	Top    []LogProb // the likeliest first
}
