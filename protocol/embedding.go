package protocol

import "slices"

// EmbeddingAlgorithm says how a vector is made of an input: the mean of the hidden states
// after the final norm over all of its tokens, at length 1. Another way is another name.
const EmbeddingAlgorithm = "mean-l2-v1"

// Limits of one embedding job.
const (
	MaxEmbeddingInputs = 64
	MaxEmbeddingBytes  = 512 << 10 // of its vectors
)

// EmbeddingJob asks for the vectors of inputs instead of a completion.
type EmbeddingJob struct {
	Algorithm string `json:"algorithm"`
	// Dimensions is how many numbers a vector must have; 0: as many as the model's have.
	// They are never cut: no other number is served.
	Dimensions int              `json:"dimensions,omitempty"`
	Inputs     []EmbeddingInput `json:"inputs"`
}

// EmbeddingInput is text, to which the tokenizer adds its special tokens, or tokens as
// they are. Exactly one is set.
type EmbeddingInput struct {
	Text   string   `json:"text,omitempty"`
	Tokens []uint32 `json:"tokens,omitempty"`
}

// Equal says whether two jobs ask for the same; nil is no job.
func (e *EmbeddingJob) Equal(f *EmbeddingJob) bool {
	if e == nil || f == nil {
		return e == f
	}
	return e.Algorithm == f.Algorithm && e.Dimensions == f.Dimensions &&
		slices.EqualFunc(e.Inputs, f.Inputs, func(a, b EmbeddingInput) bool { return a.Text == b.Text && slices.Equal(a.Tokens, b.Tokens) })
}
