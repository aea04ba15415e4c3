package engine

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/enginetest"
)

// Whatever the tokens are cut into: text before the first stop string, nothing
// of it, and no text late or lost.
func TestStopStringsAcrossTokens(t *testing.T) {
	tok, err := enginetest.Tokenizer()
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(8, 8))
	for range 500 {
		var b strings.Builder
		for range r.IntN(30) {
			b.WriteString([]string{"a", "b", "ab", "é", "日本", " the", "\n"}[r.IntN(7)])
		}
		whole := b.String()
		var stops []string
		for range r.IntN(3) {
			stops = append(stops, []string{"aab", "日", "\n\n", "the a", "éé"}[r.IntN(5)])
		}
		want, stopped := whole, false
		for _, s := range stops {
			if i := strings.Index(whole, s); i >= 0 && i < len(want) {
				want, stopped = whole[:i], true
			}
		}
		s := textStream{stream: tok.NewStream(), stops: stops}
		var streamed string
		var hit bool
		for _, id := range tok.Encode(whole) {
			var text string
			text, hit = s.push(id)
			streamed += text
			if hit {
				break
			}
		}
		if !hit {
			var rest string
			rest, hit = s.flush()
			streamed += rest
		}
		require.Equal(t, stopped, hit, "%q stops %q", whole, stops)
		require.Equal(t, want, streamed, "%q stops %q", whole, stops)
		require.Equal(t, streamed, s.text.String())
	}
}
