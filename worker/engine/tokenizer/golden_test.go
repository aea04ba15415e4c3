package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const golden = "../testdata/tokenizers"

func load(t testing.TB, path string) *Tokenizer {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tk, err := Load(data)
	if err != nil {
		t.Fatal(err)
	}
	return tk
}

// The reference is Hugging Face tokenizers; see ../testdata/golden.py.
func TestMatchesReference(t *testing.T) {
	for _, name := range []string{"gpt2", "gpt2prefix", "llama3", "qwen2", "sentencepiece", "metaspace", "normalised", "words", "base"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(golden, name+".json")
			if name == "base" {
				path = "../base/tokenizer.json"
			}
			tk := load(t, path)
			data, err := os.ReadFile(filepath.Join(golden, name+".golden.json"))
			if err != nil {
				t.Fatal(err)
			}
			var cases []struct {
				Text         *string  // none: decode only
				IDs          []uint32 `json:"ids"`
				WithTemplate []uint32 `json:"with_template"`
				Decoded      string
			}
			if err := json.Unmarshal(data, &cases); err != nil {
				t.Fatal(err)
			}
			if len(cases) < 30 {
				t.Fatalf("only %d cases", len(cases))
			}
			for _, c := range cases {
				if c.Text != nil {
					ids := tk.EncodeSpecial(*c.Text)
					if !slices.Equal(ids, c.IDs) {
						t.Errorf("encode %q = %v, want %v", *c.Text, ids, c.IDs)
					}
					if got := tk.WithTemplate(ids); !slices.Equal(got, c.WithTemplate) {
						t.Errorf("with template %q = %v, want %v", *c.Text, got, c.WithTemplate)
					}
				}
				if tk.characterLevel && strings.ContainsRune(c.Decoded, utf8.RuneError) {
					continue // the reference gives up a whole run of bytes for one bad one; we keep what is good of it
				}
				if got := tk.Decode(c.IDs); got != c.Decoded {
					t.Errorf("decode %v = %q, want %q", c.IDs, got, c.Decoded)
				}
				checkStream(t, tk, c.IDs, c.Decoded)
			}
		})
	}
}

func checkStream(t *testing.T, tk *Tokenizer, ids []uint32, want string) {
	t.Helper()
	s := tk.NewStream()
	var b strings.Builder
	for _, id := range ids {
		part := s.Push(id)
		if !utf8.ValidString(part) {
			t.Errorf("stream emitted invalid UTF-8 %q", part)
		}
		b.WriteString(part)
	}
	b.WriteString(s.Flush())
	if got := b.String(); got != want {
		t.Errorf("stream %q, want %q", got, want)
	}
}
