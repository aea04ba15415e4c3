package pretrain

import (
	"fmt"

	"github.com/openledger/openledger/worker/engine/base/corpus"
	"github.com/openledger/openledger/worker/engine/tokenizer"
)

// TrainTokenizer learns the base's tokenizer from the training part of the corpus
// and of generated documents, and returns a tokenizer.json.
func TrainTokenizer(c *corpus.Corpus, vocab int, seed, generated uint64) ([]byte, error) {
	tr, err := tokenizer.NewTrainer(tokenizer.TrainConfig{VocabSize: vocab})
	if err != nil {
		return nil, err
	}
	add := func(d corpus.Doc) {
		if d.Text != "" {
			tr.Add(d.Text)
		}
		for _, t := range d.Chat {
			tr.Add(t.Content)
		}
	}
	for _, d := range c.Train {
		add(d)
	}
	for i := range generated {
		add(corpus.Generate(seed, i))
	}
	return tr.Train()
}

// tokens of a document: a beginning-of-text token, the text or the turns, and an
// end token.
func tokens(t *tokenizer.Tokenizer, d corpus.Doc) ([]uint32, error) {
	if len(d.Chat) > 0 {
		messages := make([]tokenizer.Message, len(d.Chat))
		for i, u := range d.Chat {
			messages[i] = tokenizer.Message{Role: u.Role, Content: u.Content}
		}
		return t.RenderChat(messages, false)
	}
	end, ok := t.ID(tokenizer.TokenEnd)
	if !ok {
		return nil, fmt.Errorf("pretrain: the tokenizer has no %s token", tokenizer.TokenEnd)
	}
	return append(t.WithTemplate(t.Encode(d.Text)), end), nil
}
