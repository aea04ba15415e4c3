// Package llama is the Llama family of decoder models over tensor.Backend: Llama 2 and 3, Mistral, Qwen 2, 2.5 and 3,
// SmolLM, and whatever else has that shape.
//
// A Model holds the weights. A Runner serves: it runs ragged batches of prefill chunks and decode steps, each sequence
// with its own adapter, over a paged key-value cache. A Trainer computes losses and gradients, by an adapter or by all
// parameters. Several runners and trainers may share a model that nobody is changing.
//
// Invariants: the logits of a token depend on the tokens before it, the adapter and the weights, and on nothing else:
// not on the batch, the chunking, the pages or the threads. The forward pass of a Trainer has the bits of a Runner.
//
// What it does not do: no files, no tokens to text, no sampling, no page allocation (the caller gives block tables).
package llama

import (
	"github.com/openledger/openledger/worker/engine/lora"
)

// WeightSource gives tensors by their Hugging Face name, row-major.
type WeightSource interface {
	Tensor(name string) (data []float32, shape []int, err error)
}

// LogitRows says for which of a sequence's rows logits are wanted.
type LogitRows int

// What Seq.Logits may ask for.
const (
	LogitsNone LogitRows = iota
	LogitsLast
	LogitsAll
)

// Seq is a sequence's part of a batch: a prefill chunk, or one token to decode.
type Seq struct {
	// Tokens to run now.
	Tokens []uint32
	// Pos is the position of the first of them, i.e. the number of tokens already in the cache.
	Pos int
	// Blocks are the pages of positions 0, KV.PageTokens, ...; they must cover Pos+len(Tokens). Pages that are written
	// must belong to this sequence alone.
	Blocks []int32
	// Adapter is nil for the bare base model.
	Adapter *lora.Packed
	// Logits says which rows' logits are wanted.
	Logits LogitRows
}

// Output of a step. Its slices are valid until the runner's next step.
type Output struct {
	// Logits has one row per row asked for, in the order of the batch.
	Logits []float32
	// First is, per sequence, the index of its first row of logits; sequence i has First[i+1]-First[i] rows.
	First []int
	// Hidden has the last hidden state (after the final norm) of every token of the batch.
	Hidden []float32
	// HiddenFirst is, per sequence, the index of its first row of Hidden.
	HiddenFirst []int
	// Vocab and Width are the lengths of a row of logits and of a hidden row.
	Vocab, Width int
}

// Row returns row r of the logits of sequence s.
func (o *Output) Row(s, r int) []float32 {
	i := o.First[s] + r
	return o.Logits[i*o.Vocab : (i+1)*o.Vocab]
}

// Example is one training sequence. Mask[i] says that token i is to be predicted (from the tokens before it); Mask[0]
// is ignored, since nothing comes before. A nil Mask means all tokens.
type Example struct {
	Tokens []uint32
	Mask   []bool
}

// Loss of a training batch.
type Loss struct {
	// Sum over the predicted tokens of -log p.
	Sum float64
	// Tokens is their number.
	Tokens int
	// PerExample has each example's sum and number. It is valid until the trainer's next call.
	PerExample []ExampleLoss
}

// ExampleLoss is one example's part.
type ExampleLoss struct {
	Sum    float64
	Tokens int
	// Right counts the tokens that the model itself would have chosen (the likeliest, the first of equals). Only Score
	// fills it in. Right == Tokens means that greedy decoding gives exactly these tokens.
	Right int
}

// Mean is the loss per predicted token.
func (l Loss) Mean() float64 {
	if l.Tokens == 0 {
		return 0
	}
	return l.Sum / float64(l.Tokens)
}

// GradOptions says what a training step differentiates by.
type GradOptions struct {
	// Adapter is applied in the forward pass; nil for the bare base.
	Adapter *lora.Adapter
	// AdapterGrads receives (adds up) the gradient by the adapter, if not nil.
	AdapterGrads *lora.Grads
	// Full adds up the gradient by the model's own parameters in Model.Params. The model must be trainable.
	Full bool
	// Scale multiplies the gradient of the summed loss. 0 means 1/Tokens, i.e. the gradient of the mean.
	Scale float32
}

// Param is one of a trainable model's parameters, under its Hugging Face name.
type Param struct {
	Name  string
	Shape []int
	Data  []float32
	Grad  []float32
}
