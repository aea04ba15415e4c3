// Package enginetest makes small real models and tokenizers for tests of the
// engine and of what is built on it: random weights, a trained vocabulary of a
// few hundred tokens. Everything is a function of its arguments.
//
// It is for tests only.
package enginetest

import (
	"fmt"
	"strings"

	"github.com/openledger/openledger/worker/engine/tokenizer"
)

// Vocab is the size of the tokenizer's vocabulary.
const Vocab = 384

const text = `The wolf and the crane met by the river. The fox looked at the grapes, and said
that they were sour. A lion slept in the forest; a mouse ran over his nose. Slow and steady wins the
race. Do not count your chickens before they are hatched. Who will bell the cat? What does the fable teach?`

// Tokenizer is a byte-level BPE with the project's chat format.
func Tokenizer() (*tokenizer.Tokenizer, error) {
	t, err := tokenizer.NewTrainer(tokenizer.TrainConfig{VocabSize: Vocab})
	if err != nil {
		return nil, err
	}
	t.Add(strings.Repeat(text+" ", 3))
	b, err := t.Train()
	if err != nil {
		return nil, fmt.Errorf("enginetest: %w", err)
	}
	return tokenizer.Load(b)
}
