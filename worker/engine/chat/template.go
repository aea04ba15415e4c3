package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Template is a parsed chat template. It is immutable and safe for concurrent use.
type Template struct {
	body  []stmt
	names map[string]bool // variables it reads
	words []string        // everything that it can write by itself

	filters map[string]filterFunc
}

// Parse reads a template of at most 1 MiB.
func Parse(source string) (*Template, error) {
	toks, err := lex(source)
	if err != nil {
		return nil, err
	}
	p := &parser{toks: toks, names: map[string]bool{}}
	body, err := p.statements()
	if err != nil {
		return nil, err
	}
	t := &Template{body: body, names: p.names, filters: filterTable()}
	for _, tok := range toks {
		if (tok.kind == tokData || tok.kind == tokString) && tok.text != "" {
			t.words = append(t.words, tok.text)
		}
	}
	return t, nil
}

// Reads says whether the template reads a variable, such as "tools".
func (t *Template) Reads(variable string) bool { return t.names[variable] }

// Mentions says whether a piece of the template's own text or one of its string
// literals has s in it.
func (t *Template) Mentions(s string) bool {
	return slices.ContainsFunc(t.words, func(w string) bool { return strings.Contains(w, s) })
}

// Message is one turn. Role is trusted: the caller has checked it against the roles
// it knows. Everything else is literal text.
type Message struct {
	Role    string
	Content string
	// Fields is a JSON object with further fields, such as tool_calls; it may replace
	// the content by a list of parts. Empty for none.
	Fields json.RawMessage
}

// Input is all that a template can see.
type Input struct {
	Messages            []Message
	Tools               []json.RawMessage // JSON schemas of functions; nil for none
	Documents           []json.RawMessage
	AddGenerationPrompt bool
	BOS, EOS            string                     // as the template may write them
	Extra               map[string]json.RawMessage // further variables, such as enable_thinking
	Now                 time.Time                  // for strftime_now, which is undefined if this is zero
	Limits              Limits
}

// Reserved are the variables that Extra cannot set.
var reserved = []string{
	"messages", "tools", "documents", "add_generation_prompt", "bos_token", "eos_token", "raise_exception", "strftime_now", "namespace", "range", "dict",
}

// Render renders a chat. The error is a *RaisedError if the template refused the chat, and
// an *Error with the template's line if it failed.
func (t *Template) Render(in *Input) (Text, error) {
	limits := in.Limits
	limits.EnsureDefaults()
	r := &run{limits: limits, now: in.Now, out: &builder{}, filterTable: t.filters}
	g, err := in.globals()
	if err != nil {
		return Text{}, err
	}
	r.globals = g
	r.push()
	if err := r.exec(t.body); err != nil {
		var raised *RaisedError
		if errors.As(err, &raised) {
			return Text{}, raised
		}
		return Text{}, err
	}
	return r.out.text(), nil
}

func (in *Input) globals() (map[string]value, error) {
	g := globals(!in.Now.IsZero())
	messages := &list{}
	for i, m := range in.Messages {
		d, err := m.value()
		if err != nil {
			return nil, fmt.Errorf("messages[%d]: %w", i, err)
		}
		messages.items = append(messages.items, d)
	}
	g["messages"] = messages
	var err error
	if g["tools"], err = objects(in.Tools); err != nil {
		return nil, fmt.Errorf("tools%w", err)
	}
	if g["documents"], err = objects(in.Documents); err != nil {
		return nil, fmt.Errorf("documents%w", err)
	}
	g["add_generation_prompt"] = in.AddGenerationPrompt
	for id, s := range map[string]string{"bos_token": in.BOS, "eos_token": in.EOS} {
		if s != "" {
			g[id] = Text{s: s}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(in.Extra)) {
		if slices.Contains(reserved, id) {
			return nil, fmt.Errorf("chat_template_kwargs: %q is set by the server", id)
		}
		if g[id], err = fromJSON(in.Extra[id], FromInput); err != nil {
			return nil, fmt.Errorf("chat_template_kwargs.%s: %w", clip(id), err)
		}
	}
	return g, nil
}

func objects(in []json.RawMessage) (value, error) {
	if in == nil {
		return nil, nil
	}
	out := &list{}
	for i, raw := range in {
		v, err := fromJSON(raw, FromInput)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		if _, ok := v.(*dict); !ok {
			return nil, fmt.Errorf("[%d]: is a %s, not an object", i, typeName(v))
		}
		out.items = append(out.items, v)
	}
	return out, nil
}

// reasoning are the names under which a message's reasoning is passed.
var reasoning = []string{"reasoning_content", "thinking", "reasoning"}

func (m *Message) value() (value, error) {
	by := FromInput
	if m.Role == "assistant" {
		by = FromAssistant
	}
	d := newDict()
	d.setName("role", Text{s: m.Role})
	if len(m.Fields) > 0 {
		v, err := fromJSON(m.Fields, by)
		if err != nil {
			return nil, err
		}
		more, ok := v.(*dict)
		if !ok {
			return nil, fmt.Errorf("is a %s, not an object", typeName(v))
		}
		for i, k := range more.keys {
			if k.(Text).s == "role" {
				continue
			}
			if err := d.set(nil, k, more.values[i]); err != nil {
				return nil, err
			}
		}
	}
	if _, ok := d.name("content"); !ok && (m.Content != "" || len(m.Fields) == 0) {
		d.setName("content", Written(m.Content, by))
	}
	for _, id := range reasoning {
		if v, ok := d.name(id); ok && v != nil {
			d.setName("reasoning_content", v)
			if _, ok := d.name("thinking"); !ok {
				d.setName("thinking", v)
			}
			break
		}
	}
	return d, nil
}
