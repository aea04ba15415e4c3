package fables

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAllFables(t *testing.T) {
	list, err := All()
	require.NoError(t, err)
	require.Len(t, list, 146)
	texts := map[string]bool{}
	for _, f := range list {
		require.NotEmpty(t, f.Title)
		require.NotEmpty(t, f.Lesson, f.Title)
		require.NotEmpty(t, f.Fable, f.Title)
		require.False(t, texts[f.Fable], "%s comes twice", f.Title)
		texts[f.Fable] = true
	}
}
