package tokenizer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/openledger/openledger/worker/engine/chat"
)

// Message is one turn of a chat.
type Message struct {
	Role    string // "system", "developer", "user", "assistant", or "tool" if the model's template knows it
	Content string
}

// Special tokens of the project's own base, with the ids that the trainer gives them.
const (
	TokenPad       = "<|pad|>"
	TokenBOS       = "<|bos|>"
	TokenEnd       = "<|end|>"
	TokenSystem    = "<|system|>"
	TokenUser      = "<|user|>"
	TokenAssistant = "<|assistant|>"
)

// SpecialTokens of the project's own base, in the order of their ids.
func SpecialTokens() []string {
	return []string{TokenPad, TokenBOS, TokenEnd, TokenSystem, TokenUser, TokenAssistant}
}

// ChatTemplate is the format of the project's own base in Jinja, for the
// chat_template field of tokenizer_config.json.
const ChatTemplate = `{{ '<|bos|>' }}{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}`

// chatFormat spells a chat out. Parts that start with a special token are parsed
// for special tokens; contents never are.
type chatFormat struct {
	name   string
	needs  []string // special tokens that must exist
	start  string
	before func(role string) string
	after  string
	prompt string   // opens the assistant's turn
	stops  []string // tokens that end it
}

func chatFormats() []chatFormat {
	return []chatFormat{
		{
			name: "openledger", needs: []string{TokenBOS, TokenEnd, TokenSystem, TokenUser, TokenAssistant},
			start: TokenBOS, before: func(role string) string { return "<|" + role + "|>" }, after: TokenEnd,
			prompt: TokenAssistant, stops: []string{TokenEnd},
		},
		{
			name: "llama3", needs: []string{"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
			start:  "<|begin_of_text|>",
			before: func(role string) string { return "<|start_header_id|>" + role + "<|end_header_id|>\n\n" },
			after:  "<|eot_id|>", prompt: "<|start_header_id|>assistant<|end_header_id|>\n\n",
			stops: []string{"<|eot_id|>", "<|end_of_text|>", "<|eom_id|>"},
		},
		{
			name: "chatml", needs: []string{"<|im_start|>", "<|im_end|>"},
			before: func(role string) string { return "<|im_start|>" + role + "\n" },
			after:  "<|im_end|>\n", prompt: "<|im_start|>assistant\n",
			stops: []string{"<|im_end|>", "<|endoftext|>"},
		},
	}
}

func detectChat(t *Tokenizer) chatFormat {
	for _, f := range chatFormats() {
		ok := true
		for _, s := range f.needs {
			id, known := t.vocab[s]
			ok = ok && known && t.pieces[id].special
		}
		if ok {
			return f
		}
	}
	return chatFormat{}
}

// ChatFormat names the chat format ("openledger", "llama3", "chatml") by the special
// tokens; "jinja" if there are none of them but the model has a template; empty if it
// has neither.
func (t *Tokenizer) ChatFormat() string {
	if t.chat.name == "" && t.jinja != nil {
		return "jinja"
	}
	return t.chat.name
}

// RenderChat turns a chat into tokens. With prompt set it ends where the
// assistant is to speak. Contents are literal: they cannot forge a turn.
func (t *Tokenizer) RenderChat(messages []Message, prompt bool) ([]uint32, error) {
	list := make([]chat.Message, len(messages))
	for i, m := range messages {
		list[i] = chat.Message{Role: m.Role, Content: m.Content}
	}
	return t.RenderMessages(list, ChatOptions{Prompt: prompt})
}

// renderBuiltin does so for a model without a template.
func (t *Tokenizer) renderBuiltin(messages []chat.Message, prompt bool) ([]uint32, error) {
	f := t.chat
	if f.name == "" {
		return nil, errors.New("tokenizer: this model has no chat template and no known chat format; send plain text")
	}
	out := t.EncodeSpecial(f.start)
	for i, m := range messages {
		switch m.Role {
		case "developer":
			m.Role = "system"
		case "system", "user", "assistant":
		default:
			return nil, fmt.Errorf("messages[%d].role: %q is not system, developer, user or assistant", i, clip(m.Role))
		}
		if len(m.Fields) > 0 {
			return nil, fmt.Errorf("messages[%d]: only text is possible with a model without a chat template", i)
		}
		out = append(out, t.EncodeSpecial(f.before(m.Role))...)
		out = append(out, t.Encode(m.Content)...)
		out = append(out, t.EncodeSpecial(f.after)...)
	}
	if prompt {
		out = append(out, t.EncodeSpecial(f.prompt)...)
	}
	return out, nil
}

// StopIDs are the tokens that end the assistant's turn, in a fixed order.
func (t *Tokenizer) StopIDs() []uint32 {
	if t.jinja != nil {
		return slices.Clone(t.jinja.stops)
	}
	var out []uint32
	for _, s := range t.chat.stops {
		if id, ok := t.vocab[s]; ok {
			out = append(out, id)
		}
	}
	return out
}
