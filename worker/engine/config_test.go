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

func TestDefaultPageSizeIsTheSmallest(t *testing.T) {
	var c Config
	c.EnsureDefaults()
	require.Equal(t, 16, c.PageTokens)
}
