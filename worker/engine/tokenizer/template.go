package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/openledger/openledger/worker/engine/chat"
)

// ChatConfig is what a model's files say about its chats.
type ChatConfig struct {
	Template string // Jinja; empty: one of the formats in chat.go, by the tokens
	BOS, EOS string // as the template may write them
}

// jinjaChat is a tokenizer's chat template.
type jinjaChat struct {
	template *chat.Template
	bos, eos string
	control  map[uint32]bool // added tokens, not special, that the template writes
	stops    []uint32
}

// SetChat gives the tokenizer a model's chat template; before it is shared, as loading
// does. Its errors name what is wrong with the template.
func (t *Tokenizer) SetChat(c ChatConfig) error {
	t.jinja = nil
	if c.Template == "" {
		return nil
	}
	tmpl, err := chat.Parse(c.Template)
	if err != nil {
		return err
	}
	t.jinja = &jinjaChat{template: tmpl, bos: c.BOS, eos: c.EOS, control: map[uint32]bool{}}
	for _, list := range t.plain.byFirst {
		for _, a := range list {
			if tmpl.Mentions(a.text) {
				t.jinja.control[a.id] = true
			}
		}
	}
	t.jinja.stops = t.findStops()
	return nil
}

// findStops are the tokens that end an answer: what the template writes after one,
// the end-of-text token, and those of a known format.
func (t *Tokenizer) findStops() []uint32 {
	var out []uint32
	add := func(id uint32, ok bool) {
		if ok && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	const answer = "answer"
	in := &chat.Input{Messages: []chat.Message{{Role: "user", Content: "question"}, {Role: "assistant", Content: answer}}, BOS: t.jinja.bos, EOS: t.jinja.eos}
	if text, err := t.jinja.template.Render(in); err == nil { // a template may refuse this chat
		for _, m := range text.Marks() {
			if s := text.String(); m.Origin == chat.FromAssistant && s[m.Start:m.End] == answer {
				_, _, id, ok := t.added.find(s, m.End, nil)
				add(id, ok)
				break
			}
		}
	}
	if t.jinja.eos != "" {
		id, ok := t.vocab[t.jinja.eos]
		add(id, ok)
	}
	for _, s := range t.chat.stops {
		id, ok := t.vocab[s]
		add(id, ok)
	}
	return out
}

// ChatOptions are what a chat is rendered with, besides its messages. All but Prompt
// need a model with a template of its own.
type ChatOptions struct {
	Prompt bool                       // end where the assistant is to speak
	Tools  []json.RawMessage          // JSON schemas of functions
	Extra  map[string]json.RawMessage // variables of the template, such as enable_thinking
	Now    time.Time                  // what strftime_now tells; zero: it is not defined
}

// RenderMessages turns a chat into tokens. Errors name the message that is wrong, or
// give the template's own words (chat.RaisedError).
//
// Where it differs from transformers' apply_chat_template: a special token is taken
// only where the template wrote all of it, so a message that spells one gets the
// tokens of its characters; added tokens that are not special, but that the template
// writes, are not taken from messages other than the assistant's. With no such
// spellings in the messages the ids are the same.
func (t *Tokenizer) RenderMessages(messages []chat.Message, o ChatOptions) ([]uint32, error) {
	if t.jinja == nil {
		if o.Tools != nil || len(o.Extra) > 0 {
			return nil, errors.New("tools and chat_template_kwargs need a model with a chat template of its own; this one has none")
		}
		return t.renderBuiltin(messages, o.Prompt)
	}
	if o.Tools != nil && !t.jinja.template.Reads("tools") {
		return nil, errors.New("tools: this model's chat template does not know tools")
	}
	checked := slices.Clone(messages)
	for i := range checked {
		role, err := t.jinja.role(checked[i].Role)
		if err != nil {
			return nil, fmt.Errorf("messages[%d].role: %w", i, err)
		}
		checked[i].Role = role
	}
	text, err := t.jinja.template.Render(&chat.Input{
		Messages: checked, Tools: o.Tools, AddGenerationPrompt: o.Prompt, BOS: t.jinja.bos, EOS: t.jinja.eos, Extra: o.Extra, Now: o.Now,
	})
	var raised *chat.RaisedError
	if errors.As(err, &raised) {
		return nil, fmt.Errorf("the model's chat template refuses the messages: %w", err)
	}
	if err != nil {
		return nil, err
	}
	return t.encodeChat(text), nil
}

// role checks a role: it becomes a part of the template's text and may spell a token.
func (j *jinjaChat) role(role string) (string, error) {
	switch role {
	case "system", "user", "assistant":
		return role, nil
	case "developer":
		if j.template.Mentions(role) {
			return role, nil
		}
		return "system", nil // what it is called where there is no such role
	case "tool":
		if j.template.Mentions(role) {
			return role, nil
		}
		return "", errors.New("this model's chat template does not know the role \"tool\"")
	}
	return "", fmt.Errorf("%q is not system, developer, user, assistant or tool", clip(role))
}

// clip shortens what a user sent, for an error.
func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "..."
	}
	return s
}

// encodeChat tokenises a rendered chat.
func (t *Tokenizer) encodeChat(text chat.Text) []uint32 {
	marks := text.Marks()
	return t.encodeWhere(nil, text.String(), t.added, func(start, end int, id uint32) bool {
		special := t.pieces[id].special
		if !special && !t.jinja.control[id] {
			return true
		}
		i := sort.Search(len(marks), func(k int) bool { return marks[k].End > start })
		for ; i < len(marks) && marks[i].Start < end; i++ {
			if special || marks[i].Origin == chat.FromInput {
				return false
			}
		}
		return true
	})
}
