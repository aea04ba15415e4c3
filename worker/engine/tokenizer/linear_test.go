package tokenizer

import (
	"strings"
	"testing"
	"time"
)

// Long input from a user must not take time out of proportion.
func TestLongInputsAreQuick(t *testing.T) {
	tk := base(t)
	const n = 60_000
	for name, unit := range map[string]string{
		"letters": "a", "spaces": " ", "newlines": "\n", "digits": "7", "signs": "!", "space and newline": " \n", "tabs and text": "\t\tx",
		"half a special token": "<|end", "invalid": "\xff", "wide": "\u3000", "words": "the cat ",
	} {
		text := strings.Repeat(unit, n/len(unit)) + "x"
		start := time.Now()
		ids := tk.Encode(text)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: %v for %d bytes", name, took, len(text))
		}
		var b strings.Builder
		for _, id := range ids {
			b.Write(tk.Bytes(id))
		}
		if b.String() != text {
			t.Errorf("%s: does not decode to itself", name)
		}
		t.Logf("%s: %d tokens in %v", name, len(ids), time.Since(start))
	}
}
