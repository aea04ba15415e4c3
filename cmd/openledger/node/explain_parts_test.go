package node

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// The parts are the answer to the letter, and each letter names the records whose spans
// have its token.
func TestAnswerIsCutWhereItsRecordsChange(t *testing.T) {
	base, err := OpenBase("")
	require.NoError(t, err)
	defer func() { require.NoError(t, base.Close()) }()
	tok := base.Tokenizer
	const text = "Grüße 🦊, the fox said"
	output := tok.Encode(text)
	a, b := protocol.Hash{1}, protocol.Hash{2}
	share := func(h protocol.Hash, start, length int) protocol.RecordShare {
		return protocol.RecordShare{Record: h, Spans: []protocol.Span{{Start: start, Length: length}}}
	}
	n := len(output)
	for name, tt := range map[string]struct {
		text   string
		shares []protocol.RecordShare
		parts  int
	}{
		"no record":               {text, nil, 1},
		"the whole":               {text, []protocol.RecordShare{share(a, 0, n)}, 1},
		"two that overlap":        {text, []protocol.RecordShare{share(a, 0, n-2), share(b, n-4, 4)}, 3},
		"cut off by a stop":       {strings.TrimSuffix(text, " said"), []protocol.RecordShare{share(a, n-1, 1), share(b, 0, n)}, 1},
		"beyond the last token":   {text, []protocol.RecordShare{share(a, n-1, 1000)}, 2},
		"every token by itself":   {text, []protocol.RecordShare{share(a, 3, 1), share(b, 4, 1)}, 0},
		"nothing of no token":     {text, []protocol.RecordShare{share(a, 2, 0)}, 0},
		"an answer without words": {"", []protocol.RecordShare{share(a, 0, 1)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			e := protocol.Evidence{Output: output, Text: tt.text, Attribution: protocol.Attribution{Shares: tt.shares}}
			parts, err := answerParts(tok, &e)
			require.NoError(t, err)
			if tt.parts > 0 {
				require.Len(t, parts, tt.parts)
			}
			whole := ""
			for _, p := range parts {
				whole += p.Text
			}
			require.Equal(t, tt.text, whole)
		})
	}
	e := protocol.Evidence{Output: output, Text: text, Attribution: protocol.Attribution{Shares: []protocol.RecordShare{share(a, 0, n-2), share(b, n-4, 4)}}}
	parts, err := answerParts(tok, &e)
	require.NoError(t, err)
	require.Equal(t, []protocol.Hash{a}, parts[0].Records)
	require.Equal(t, []protocol.Hash{a, b}, parts[1].Records)
	require.Equal(t, []protocol.Hash{b}, parts[2].Records)
	require.Equal(t, tok.Decode(output[n-4:n-2]), parts[1].Text)

	e.Text = "another text"
	_, err = answerParts(tok, &e)
	require.Equal(t, protocol.KindCorrupt, protocol.KindOf(err))
	var none []api.AnswerPart
	parts, err = answerParts(tok, &protocol.Evidence{Job: protocol.InferenceJob{Embedding: &protocol.EmbeddingJob{}}})
	require.NoError(t, err)
	require.Equal(t, none, parts)
}
