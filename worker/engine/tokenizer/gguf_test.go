package tokenizer

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func loadGGUF(t *testing.T, g GGUF) *Tokenizer {
	t.Helper()
	raw, err := g.JSON()
	require.NoError(t, err)
	tok, err := Load(raw)
	require.NoError(t, err)
	return tok
}

// Every tokenizer that can be said in GGUF's words is the same after it was.
func TestGGUF_ThereAndBackTokenisesTheSame(t *testing.T) {
	texts := []string{"", " ", "Hello, world! It's 1234 o'clock", "a  b\n\n  c\t", "naïve 日本語 👩‍👧 e\u0301", "<|special|>x", "the the theatre"}
	for _, name := range []string{"gpt2", "llama3", "qwen2", "sentencepiece"} {
		raw, err := os.ReadFile(filepath.Join("../testdata/tokenizers", name+".json"))
		require.NoError(t, err)
		want, err := Load(raw)
		require.NoError(t, err)
		g, err := ToGGUF(raw, want.VocabSize()+3, "<|bos|>", "")
		require.NoError(t, err, name)
		require.Len(t, g.Tokens, want.VocabSize()+3)
		got := loadGGUF(t, g)
		for _, s := range texts {
			require.Equal(t, want.WithTemplate(want.EncodeSpecial(s)), got.WithTemplate(got.EncodeSpecial(s)), "%s: %q", name, s)
			ids := want.Encode(s)
			require.Equal(t, ids, got.Encode(s), "%s: %q", name, s)
			require.Equal(t, want.Decode(ids), got.Decode(ids), "%s: %q", name, s)
		}
	}
}

func TestToGGUF_SaysWhatCannotBeSaid(t *testing.T) {
	raw, err := os.ReadFile("../testdata/tokenizers/gpt2prefix.json")
	require.NoError(t, err)
	_, err = ToGGUF(raw, 1000, "", "")
	require.ErrorContains(t, err, "add_prefix_space")
	_, err = ToGGUF(raw, 10, "", "")
	require.ErrorContains(t, err, "the model only 10")
}

func TestGGUF_BadDescriptionsAreNamed(t *testing.T) {
	bpe := func() GGUF {
		return GGUF{Model: "gpt2", Pre: "qwen2", Tokens: []string{"a", "b", "ab"}, Merges: []string{"a b"}, BOS: -1, EOS: -1, Unknown: -1}
	}
	for want, change := range map[string]func(*GGUF){
		"tokens":                 func(g *GGUF) { g.Tokens = nil },
		"token_type":             func(g *GGUF) { g.Types = []int32{1} },
		"token 1 has type 9":     func(g *GGUF) { g.Types = []int32{1, 9, 1} },
		`model: "bert"`:          func(g *GGUF) { g.Model = "bert" },
		`pre: "falcon"`:          func(g *GGUF) { g.Pre = "falcon" },
		"bos_token_id: 7 is not": func(g *GGUF) { g.BOS, g.AddBOS = 7, true },
		"scores: has 0 entries":  func(g *GGUF) { g.Model = "llama" },
	} {
		g := bpe()
		change(&g)
		_, err := g.JSON()
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "tokenizer.ggml.")
	}
	g := bpe()
	g.Merges = []string{"a c"}
	raw, err := g.JSON()
	require.NoError(t, err)
	_, err = Load(raw)
	require.ErrorContains(t, err, "not all of the three tokens")
}

func TestGGUF_SpecialTokensOfUsersAreOnlyText(t *testing.T) {
	g := BytesOnly(300)
	g.Tokens[290], g.Types[290] = "<|mine|>", typeUserDefined
	g.Tokens[291] = g.Tokens[292] // some files repeat the names of unused tokens
	tok := loadGGUF(t, g)
	require.Equal(t, []uint32{290}, tok.Encode("<|mine|>"), "what a user may write")
	require.Greater(t, len(tok.Encode("</s>")), 1, "what a user may not")
	require.Equal(t, []uint32{2}, tok.EncodeSpecial("</s>"))
	require.Equal(t, "Grüße", tok.Decode(tok.Encode("Grüße")))
}
