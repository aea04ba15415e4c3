package finetune

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/enginetest"
	"github.com/openledger/openledger/worker/engine/tokenizer"
)

func TestTemplate(t *testing.T) {
	fields := map[string]string{"title": "The Fox", "lesson": "Wait {here}."}
	for source, want := range map[string]string{
		"":                                  "",
		"What does \"{title}\" teach?":      "What does \"The Fox\" teach?",
		"{lesson}{ title }":                 "Wait {here}.The Fox",
		"{{title}} is literal: {{{title}}}": "{title} is literal: {The Fox}",
	} {
		tm, err := ParseTemplate(source)
		require.NoError(t, err, source)
		got, err := tm.Render(fields)
		require.NoError(t, err, source)
		require.Equal(t, want, got)
	}
	tm, err := ParseTemplate("{title} {moral} {title}")
	require.NoError(t, err)
	require.Equal(t, []string{"title", "moral"}, tm.Fields())
	_, err = tm.Render(fields)
	require.ErrorContains(t, err, `needs the field "moral", the record has only: lesson, title`)
	for _, source := range []string{"{title", "title}", "{}", "{a{b}}", "{a\nb}"} {
		_, err := ParseTemplate(source)
		require.Error(t, err, source)
	}
}

func TestConfigNamesTheBadField(t *testing.T) {
	c := Defaults()
	c.EnsureDefaults()
	require.NoError(t, c.Validate())
	c.Targets = []string{"q_proj", "mlp"}
	var fe *FieldError
	require.ErrorAs(t, c.Validate(), &fe)
	require.Equal(t, "targets", fe.Field)
}

// Templates come with orders, from anybody.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"", "{a}", "{{", "}}{", "{ a } and {b}", "{{{a}}}", "{a{b}}", "{\n}", "{}", "{\xff}", "é{ü}"} {
		f.Add(s)
	}
	double := strings.NewReplacer("{", "{{", "}", "}}")
	f.Fuzz(func(t *testing.T, s string) {
		if tm, err := ParseTemplate(s); err == nil {
			fields := map[string]string{}
			for _, name := range tm.Fields() {
				require.NotEmpty(t, name)
				fields[name] = "{" + name + "}"
			}
			_, err := tm.Render(fields)
			require.NoError(t, err)
		}
		// Any text is a template of itself once its braces are doubled.
		tm, err := ParseTemplate(double.Replace(s))
		require.NoError(t, err)
		require.Empty(t, tm.Fields())
		got, err := tm.Render(nil)
		require.NoError(t, err)
		require.Equal(t, s, got)
	})
}

// A record of a chat becomes the tokens that a request with the same messages is answered
// from: what is trained is what is served.
func TestChatsAreRenderedAsTheyAreServed(t *testing.T) {
	tok, err := enginetest.Tokenizer()
	require.NoError(t, err)
	r, err := NewRenderer(tok, ChatPrompt, "{answer}")
	require.NoError(t, err)
	turns := []tokenizer.Message{{Role: "system", Content: "Be brief."}, {Role: "user", Content: "Hi <|end|>"}, {Role: "assistant", Content: "Hello."}, {Role: "user", Content: "Who?"}}
	text := `[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi <|end|>"},{"role":"assistant","content":"Hello."},{"role":"user","content":"Who?"}]`
	e, err := r.Example([32]byte{1}, map[string]string{"messages": text, "answer": "Me."})
	require.NoError(t, err)
	want, err := tok.RenderChat(turns, true)
	require.NoError(t, err)
	require.Equal(t, want, e.Prompt)
	require.Equal(t, tok.Encode("Me."), e.Answer)

	for name, fields := range map[string]map[string]string{
		"no messages":  {"answer": "x"},
		"not a list":   {"messages": `{"role":"user"}`, "answer": "x"},
		"none":         {"messages": `[]`, "answer": "x"},
		"unknown role": {"messages": `[{"role":"pirate","content":"x"}]`, "answer": "x"},
		"more than it": {"messages": `[{"role":"user","content":"x"}] [1]`, "answer": "x"},
		"other fields": {"messages": `[{"role":"user","content":"x","tool_calls":[]}]`, "answer": "x"},
		"cut off":      {"messages": `[{"role":"user","content":"x`, "answer": "x"},
		"no answer":    {"messages": `[{"role":"user","content":"x"}]`},
		"empty answer": {"messages": `[{"role":"user","content":"x"}]`, "answer": ""},
	} {
		_, err := r.Example([32]byte{1}, fields)
		require.Error(t, err, name)
	}
}
