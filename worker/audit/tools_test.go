package audit

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/engine/base"
	"github.com/openledger/openledger/worker/engine/tokenizer"
)

// Tools, calls, their answers and further variables of a job reach the model through its
// own chat template; a template that cannot show them refuses the job.
func TestPromptShowsToolsAsTheTemplateWritesThem(t *testing.T) {
	bundle, err := base.Open()
	require.NoError(t, err)
	defer func() { require.NoError(t, errors.Join(bundle.Close())) }()
	job := protocol.InferenceJob{Tools: `[{"type":"function","function":{"name":"weather","parameters":{"type":"object"}}}]`, Messages: []protocol.Message{
		{Role: "user", Content: "Sun?"},
		{Role: "assistant", Fields: `{"tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":{"city":"Rom"}}}]}`},
		{Role: "tool", Content: "rain", Fields: `{"name":"weather","tool_call_id":"c1"}`},
	}}
	for family, want := range map[string][]string{
		"qwen25": {`{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}`, "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Rom\"}}\n</tool_call>", "<tool_response>\nrain\n</tool_response>"},
		"qwen3":  {"<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Rom\"}}\n</tool_call>", "<tool_response>\nrain\n</tool_response>"},
		"llama3": {`{"name": "weather", "parameters": {"city": "Rom"}}`, "rain"},
	} {
		t.Run(family, func(t *testing.T) {
			source, err := os.ReadFile(filepath.Join("..", "engine", "chat", "testdata", family+".jinja"))
			require.NoError(t, err)
			require.NoError(t, bundle.Tokenizer.SetChat(tokenizer.ChatConfig{Template: string(source)}))
			ids, err := Prompt(bundle.Tokenizer, job)
			require.NoError(t, err)
			text := bundle.Tokenizer.Decode(ids)
			for _, w := range want {
				require.Contains(t, text, w)
			}
			without := job
			without.Tools = ""
			other, err := Prompt(bundle.Tokenizer, without)
			require.NoError(t, err)
			require.NotEqual(t, ids, other)
		})
	}
	source, err := os.ReadFile(filepath.Join("..", "engine", "chat", "testdata", "qwen3.jinja"))
	require.NoError(t, err)
	require.NoError(t, bundle.Tokenizer.SetChat(tokenizer.ChatConfig{Template: string(source)}))
	chat := protocol.InferenceJob{Messages: job.Messages[:1]}
	thinks, err := Prompt(bundle.Tokenizer, chat)
	require.NoError(t, err)
	chat.TemplateArgs = `{"enable_thinking":false}`
	quiet, err := Prompt(bundle.Tokenizer, chat)
	require.NoError(t, err)
	require.NotEqual(t, thinks, quiet)
	require.Contains(t, bundle.Tokenizer.Decode(quiet), "</think>")

	require.NoError(t, bundle.Tokenizer.SetChat(tokenizer.ChatConfig{Template: tokenizer.ChatTemplate}))
	for _, refused := range []struct {
		job  protocol.InferenceJob
		says string
	}{
		{protocol.InferenceJob{Messages: job.Messages[:1], Tools: job.Tools}, "chat template does not know tools"},
		{protocol.InferenceJob{Messages: job.Messages}, `messages[2].role: this model's chat template does not know the role "tool"`},
		{protocol.InferenceJob{Messages: job.Messages[:1], TemplateArgs: `{"messages":[]}`}, "chat_template_kwargs"},
	} {
		_, err := Prompt(bundle.Tokenizer, refused.job)
		require.ErrorContains(t, err, refused.says)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
	}
}
