package engine

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openledger/openledger/worker/engine/enginetest"
)

// Whatever tokens come, bytes that are half a character or none at all included: the
// text ends before a stop string, holds none, and nothing else is lost or late.
func TestStopStringsInAnyTokens(t *testing.T) {
	tok, err := enginetest.Tokenizer()
	require.NoError(t, err)
	// Tokens of single bytes that make up, and cut up, a few characters.
	var some []uint32
	for id := range uint32(enginetest.Vocab) {
		if b := tok.Bytes(id); len(b) == 1 && strings.Contains("ab é日本😀", string(rune(b[0]))) || len(b) == 1 && b[0] >= 0x80 && strings.IndexByte("é日本😀\u0085", b[0]) >= 0 || len(b) > 1 && len(b) < 3 {
			some = append(some, id)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var ids []uint32
		for range rapid.IntRange(0, 25).Draw(t, "n") {
			if rapid.IntRange(0, 2).Draw(t, "whole") == 0 {
				ids = append(ids, rapid.SampledFrom(some).Draw(t, "id"))
			} else {
				ids = append(ids, tok.Encode(rapid.SampledFrom([]string{"é", "日本", "😀", "a", "ab", "b "}).Draw(t, "text"))...)
			}
		}
		stops := rapid.SliceOfN(rapid.SampledFrom([]string{"é", "日", "本日", "😀a", "ab", "b a", "\uFFFD", "a\uFFFD", "éé日"}), 0, 3).Draw(t, "stops")
		s := textStream{stream: tok.NewStream(), stops: stops}
		var text strings.Builder
		hit, fed := false, 0
		for _, id := range ids {
			var more string
			more, hit = s.push(id)
			text.WriteString(more)
			if fed++; hit {
				break
			}
		}
		if !hit {
			var more string
			more, hit = s.flush()
			text.WriteString(more)
		}
		got, whole := text.String(), tok.Decode(ids)
		if got != s.text.String() {
			t.Fatalf("streamed %q, kept %q", got, s.text.String())
		}
		rest, ok := strings.CutPrefix(whole, got)
		if !ok {
			t.Fatalf("%q is not the beginning of %q", got, whole)
		}
		ends := false
		for _, stop := range stops {
			if strings.Contains(got, stop) {
				t.Fatalf("%q holds the stop string %q", got, stop)
			}
			ends = ends || strings.HasPrefix(rest, stop)
		}
		if hit != ends || !hit && rest != "" {
			t.Fatalf("stopped %v before %q of %q, stops %q", hit, rest, whole, stops)
		}
		// It stops as soon as the stop string is there: without the last token it is not.
		if hit && fed < len(ids) {
			earlier := tok.Decode(ids[:fed-1])
			for _, stop := range stops {
				if strings.HasPrefix(strings.TrimPrefix(earlier, got), stop) && !strings.HasSuffix(earlier, "\uFFFD") {
					t.Fatalf("%q was there a token earlier in %q", stop, earlier)
				}
			}
		}
	})
}
