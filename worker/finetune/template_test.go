package finetune

import (
	"testing"

	"github.com/stretchr/testify/require"
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
