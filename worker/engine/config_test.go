package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/enginetest"
)

func TestConfigNamesABadPageSize(t *testing.T) {
	m, closeModel, err := enginetest.Model(1)
	require.NoError(t, err)
	defer func() { require.NoError(t, closeModel()) }()
	tok, err := enginetest.Tokenizer()
	require.NoError(t, err)
	for _, n := range []int{-16, 1, 15, 17, 24, 1040, 1 << 40} {
		_, err := New(Config{Model: m, Tokenizer: tok, PageTokens: n})
		require.ErrorContains(t, err, "page tokens is")
		require.ErrorContains(t, err, "multiple of 16 up to 1024")
	}
	_, err = New(Config{Model: m, Tokenizer: tok, PageTokens: 128, KVTokens: 100})
	require.ErrorContains(t, err, "at least a page (128)")
	e, err := New(Config{Model: m, Tokenizer: tok, PageTokens: 64, KVTokens: 200})
	require.NoError(t, err)
	require.Equal(t, 192, e.Stats().TotalKV, "whole pages only")
}

func TestDefaultPageSize(t *testing.T) {
	var c Config
	c.EnsureDefaults()
	require.Equal(t, 64, c.PageTokens)
}

// With pages of the default size a common beginning is shared as far as whole pages go, and the last prompt token is
// computed always.
func TestWhatDefaultPagesShare(t *testing.T) {
	for _, c := range []struct{ shared, prompt, hits uint64 }{{40, 100, 0}, {64, 100, 64}, {100, 140, 64}, {130, 140, 128}, {128, 128, 64}} {
		e := start(t, 1, nil)
		prompt := make([]uint32, c.prompt)
		for i := range prompt {
			prompt[i] = uint32(i*7+1) % enginetest.Vocab
		}
		generate := func() {
			_, err := e.Generate(t.Context(), Request{Prompt: prompt, Sampling: Sampling{MaxTokens: 1}}, nil)
			require.NoError(t, err)
			idle(t, e)
		}
		generate()
		for i := c.shared; i < c.prompt; i++ {
			prompt[i] = (prompt[i] + 1) % enginetest.Vocab
		}
		generate()
		require.Equal(t, c.hits, e.Stats().PrefixHits, "%+v", c)
	}
}
