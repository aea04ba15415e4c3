package engine

import (
	"fmt"
	"slices"
	"sync"

	"github.com/openledger/openledger/worker/engine/grammar"
	"github.com/openledger/openledger/worker/engine/tokenizer"
)

// maxFormats is how many formats keep what was computed for them.
const maxFormats = 16

// formats are the formats in use, with the masks that are known already.
type formats struct {
	vocab func() *grammar.Vocabulary

	mu   sync.Mutex
	used []format // the one used last comes last
}

type format struct {
	Format
	constraint *grammar.Constraint
}

func newFormats(t *tokenizer.Tokenizer, vocab int, stops []uint32) *formats {
	return &formats{vocab: sync.OnceValue(func() *grammar.Vocabulary {
		return grammar.NewVocabulary(min(vocab, t.VocabSize()), t.Bytes, stops)
	})}
}

// matcher starts an output of a format; nil for plain text.
func (f *formats) matcher(of Format) (*grammar.Matcher, error) {
	if !of.JSON {
		return nil, nil
	}
	constraint := f.find(of)
	if constraint == nil {
		g := grammar.Any()
		if of.Schema != "" {
			var err error
			if g, err = grammar.Compile([]byte(of.Schema)); err != nil {
				return nil, fmt.Errorf("%w: sampling.format: %w", ErrInvalid, err)
			}
		}
		constraint = f.add(of, grammar.Constrain(g, f.vocab()))
	}
	m, err := constraint.NewMatcher()
	if err != nil {
		return nil, fmt.Errorf("%w: sampling.format: %w", ErrInvalid, err)
	}
	return m, nil
}

func (f *formats) find(of Format) *grammar.Constraint {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.used, func(k format) bool { return k.Format == of })
	if i < 0 {
		return nil
	}
	k := f.used[i]
	f.used = append(slices.Delete(f.used, i, i+1), k)
	return k.constraint
}

// add keeps a constraint, or gives the one that another request added meanwhile.
func (f *formats) add(of Format, c *grammar.Constraint) *grammar.Constraint {
	if other := f.find(of); other != nil {
		return other
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.used) == maxFormats {
		f.used = slices.Delete(f.used, 0, 1)
	}
	f.used = append(f.used, format{of, c})
	return c
}
