package tokenizer

import (
	"encoding/json"
	"strings"
	"unicode"
)

// lowercase maps character by character, as the reference does: a final sigma is not
// told from another.
func lowercase(s string) string {
	if !strings.ContainsRune(s, 'İ') {
		return strings.Map(unicode.ToLower, s)
	}
	var b strings.Builder
	for _, r := range s {
		if r == 'İ' { // the only character with two in lower case
			b.WriteString("i\u0307")
			continue
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// loadStrip reads the Strip normaliser.
func loadStrip(raw json.RawMessage) (func(string) string, error) {
	n := struct {
		Left  bool `json:"strip_left"`
		Right bool `json:"strip_right"`
	}{true, true}
	if err := json.Unmarshal(raw, &n); err != nil {
		return nil, bad("normalizer", "%w", err)
	}
	return func(s string) string {
		if n.Left {
			s = strings.TrimLeft(s, whitespace)
		}
		if n.Right {
			s = strings.TrimRight(s, whitespace)
		}
		return s
	}, nil
}
