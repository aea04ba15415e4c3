package chat

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type goldenInput struct {
	Conversations [][]json.RawMessage
	Tools         [][]json.RawMessage
	Variables     []map[string]json.RawMessage
	Now           time.Time
}

func goldenCases(t testing.TB) goldenInput {
	t.Helper()
	var in goldenInput
	if err := json.Unmarshal(read(t, "input.json"), &in); err != nil {
		t.Fatal(err)
	}
	return in
}

func messages(t testing.TB, raw []json.RawMessage) []Message {
	t.Helper()
	var out []Message
	for _, m := range raw {
		var role struct{ Role string }
		if err := json.Unmarshal(m, &role); err != nil {
			t.Fatal(err)
		}
		out = append(out, Message{Role: role.Role, Fields: m})
	}
	return out
}

// The reference is transformers' own Jinja environment; see testdata/golden.py.
func TestTemplatesRenderAsTransformersDoes(t *testing.T) {
	in := goldenCases(t)
	for _, name := range []string{"llama2", "llama3", "mistral", "qwen25", "qwen3", "smollm2", "chatml", "openledger", "language"} {
		t.Run(name, func(t *testing.T) {
			tmpl, err := Parse(string(read(t, name+".jinja")))
			if err != nil {
				t.Fatal(err)
			}
			var golden struct {
				Texts []json.RawMessage
				Cases [][5]int
			}
			if err := json.Unmarshal(read(t, name+".golden.json"), &golden); err != nil {
				t.Fatal(err)
			}
			rendered := 0
			for _, c := range golden.Cases {
				got, err := tmpl.Render(&Input{
					Messages: messages(t, in.Conversations[c[0]]), Tools: in.Tools[c[1]], AddGenerationPrompt: c[2] == 1,
					Extra: in.Variables[c[3]], BOS: "<s>", EOS: "</s>", Now: in.Now,
				})
				raw := golden.Texts[c[4]]
				var want string
				if json.Unmarshal(raw, &want) == nil {
					rendered++
					if err != nil || got.String() != want {
						t.Fatalf("case %v:\n got %q, error %v\nwant %q", c, got, err, want)
					}
					continue
				}
				var fails struct{ Raised, Error string }
				if err := json.Unmarshal(raw, &fails); err != nil {
					t.Fatal(err)
				}
				var raised *RaisedError
				switch isRaised := errors.As(err, &raised); {
				case err == nil:
					t.Errorf("case %v: rendered %q; the reference fails: %s", c, got, raw)
				case isRaised != (fails.Error == ""):
					t.Errorf("case %v: error %v, the reference fails with %s", c, err, raw)
				case isRaised && raised.Message != fails.Raised:
					t.Errorf("case %v: raised %q, want %q", c, raised.Message, fails.Raised)
				case !isRaised && !strings.Contains(err.Error(), "line "):
					t.Errorf("case %v: error %v names no line", c, err)
				}
			}
			if rendered < 60 {
				t.Errorf("only %d cases render", rendered)
			}
		})
	}
}
