package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"github.com/openledger/openledger/protocol"
)

// Limits of tools in a request.
const (
	maxTools        = 128
	maxTemplateArgs = 16 << 10
)

var toolName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// tool is one function that the model may call.
type tool struct {
	Type     string `json:"type"`
	Function struct {
		Name       string          `json:"name"`
		Parameters json.RawMessage `json:"parameters"`
	} `json:"function"`
}

// toolUse is what a request says of tools. Its zero value is a request without any.
type toolUse struct {
	names map[string]bool // that an answer may call; nil: text is text
	whole bool            // the answer is one call: {"name": …, "arguments": {…}}
	named string          // the answer is the arguments of this function
}

// toolCall is one call, or a part of one in a stream.
type toolCall struct {
	Index    *int     `json:"index,omitempty"` // in streams
	ID       string   `json:"id,omitempty"`
	Type     string   `json:"type,omitempty"`
	Function callPart `json:"function"`
}

type callPart struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"` // JSON as text
}

// callID names a call of a request, the same when the answer is repeated.
func callID(id protocol.Hash, n int) string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(id[:], uint64(n)))
	return "call_" + hex.EncodeToString(sum[:12])
}

// readTools reads tools and tool_choice. A choice that leaves the model none becomes a
// schema of the answer; with "none" the model is not told of the tools.
func (r *completionRequest) readTools(out *Request) (use toolUse, err error) {
	kind, name, err := r.toolChoice()
	if err != nil {
		return use, err
	}
	if !given(r.Tools) {
		if kind != "" && kind != "none" {
			return use, invalid("tool_choice", "there are no tools to choose from")
		}
		return use, nil
	}
	var list []tool
	if json.Unmarshal(r.Tools, &list) != nil || len(list) > maxTools {
		return use, invalid("tools", "it must be a list of at most %d functions: [{\"type\":\"function\",\"function\":{\"name\":…,\"parameters\":{…}}}]", maxTools)
	}
	names := map[string]bool{}
	for i := range list {
		f := &list[i].Function
		switch {
		case list[i].Type != "function":
			return use, invalid("tools", "the type of tools[%d] is %q: only \"function\" is supported", i, list[i].Type)
		case !toolName.MatchString(f.Name):
			return use, invalid("tools", "the name of tools[%d] is %q: it must be 1 to 64 letters, digits, underscores or dashes", i, f.Name)
		case names[f.Name]:
			return use, invalid("tools", "there are two functions called %q", f.Name)
		}
		names[f.Name] = true
		if !given(f.Parameters) {
			f.Parameters = json.RawMessage(`{"type":"object","properties":{}}`)
		}
		if f.Parameters[0] != '{' {
			return use, invalid("tools", "the parameters of %q must be a JSON Schema of an object", f.Name)
		}
	}
	if kind == "none" {
		return use, nil
	}
	if r.ResponseFormat != nil && r.ResponseFormat.Type != "text" {
		return use, invalid("response_format", "an answer of a given form calls no tools: leave it out, or set tool_choice to \"none\"")
	}
	var text bytes.Buffer
	if err := json.Compact(&text, r.Tools); err != nil {
		return use, invalid("tools", "%w", err)
	}
	out.Tools, use.names = text.String(), names
	var schema json.RawMessage
	switch {
	case kind == "required":
		use.whole = true
		schema, err = anyCall(list)
	case name != "":
		use.named = name
		for i := range list {
			if f := &list[i].Function; f.Name == name {
				schema = f.Parameters
			}
		}
		if schema == nil {
			return use, invalid("tool_choice", "there is no function %q among the tools", name)
		}
	default:
		return use, nil
	}
	if err != nil {
		return use, err
	}
	text.Reset()
	if err := json.Compact(&text, schema); err != nil {
		return use, invalid("tools", "%w", err)
	}
	if text.Len() > protocol.MaxSchemaBytes {
		return use, invalid("tools", "their parameters have %d bytes together, at most %d are allowed where a call is required", text.Len(), protocol.MaxSchemaBytes)
	}
	out.Sampling.Format, out.Sampling.Schema = protocol.FormatJSONSchema, text.String()
	return use, nil
}

// blame gives an error about a schema that was made of tools the field that the
// requester wrote.
func (r *completionRequest) blame(err error) error {
	var e *protocol.Error
	if given(r.Tools) && errors.As(err, &e) && e.Field == "response_format" {
		return invalid("tools", "their parameters cannot be required of an answer: %w", err)
	}
	return err
}

// toolChoice is "", "none", "auto" or "required", or the name of a function.
func (r *completionRequest) toolChoice() (kind, name string, err error) {
	if s := strings.TrimSpace(string(r.ToolChoice)); s == "" || s == "null" {
		return "", "", nil
	}
	if json.Unmarshal(r.ToolChoice, &kind) == nil {
		switch kind {
		case "none", "auto", "required":
			return kind, "", nil
		}
	}
	var one tool
	if json.Unmarshal(r.ToolChoice, &one) == nil && one.Type == "function" && one.Function.Name != "" {
		return "named", one.Function.Name, nil
	}
	return "", "", invalid("tool_choice", "it must be \"none\", \"auto\", \"required\", or {\"type\":\"function\",\"function\":{\"name\":…}}")
}

// anyCall is the schema of a call of any of the tools.
func anyCall(list []tool) (json.RawMessage, error) {
	type call struct {
		Type       string                     `json:"type"`
		Properties map[string]json.RawMessage `json:"properties"` // sorted: arguments, name
		Required   []string                   `json:"required"`
	}
	var calls []call
	for i := range list {
		f := &list[i].Function
		if bytes.Contains(f.Parameters, []byte(`"$ref"`)) {
			return nil, invalid("tools", "the parameters of %q use $ref, which works where tool_choice names the function", f.Name)
		}
		name, err := json.Marshal(map[string]string{"const": f.Name})
		if err != nil {
			return nil, err
		}
		calls = append(calls, call{Type: "object", Properties: map[string]json.RawMessage{"name": name, "arguments": f.Parameters}, Required: []string{"name", "arguments"}})
	}
	return json.Marshal(map[string]any{"anyOf": calls})
}

// templateArgs reads chat_template_kwargs.
func (r *completionRequest) templateArgs() (string, error) {
	if !given(r.ChatTemplateKwargs) {
		return "", nil
	}
	var text bytes.Buffer
	if err := json.Compact(&text, r.ChatTemplateKwargs); err != nil || text.Len() > maxTemplateArgs || text.Bytes()[0] != '{' {
		return "", invalid("chat_template_kwargs", "it must be an object of at most %d bytes", maxTemplateArgs)
	}
	return text.String(), nil
}

// fields are what a template may read of a message beside role and content. Arguments,
// which OpenAI writes as text, become the values that templates expect.
func (m *chatMessage) fields(at int) (string, error) {
	type function struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	}
	type call struct {
		ID       string   `json:"id,omitempty"`
		Type     string   `json:"type"`
		Function function `json:"function"`
	}
	var out struct {
		Name       string `json:"name,omitempty"`
		ToolCallID string `json:"tool_call_id,omitempty"`
		ToolCalls  []call `json:"tool_calls,omitempty"`
	}
	if given(m.ToolCalls) {
		if m.Role != "assistant" {
			return "", invalid("messages", "messages[%d] has tool_calls, which belong to the assistant", at)
		}
		if json.Unmarshal(m.ToolCalls, &out.ToolCalls) != nil || len(out.ToolCalls) > maxTools {
			return "", invalid("messages", "tool_calls of messages[%d] must be a list of at most %d calls", at, maxTools)
		}
		for i := range out.ToolCalls {
			c := &out.ToolCalls[i]
			c.Type = "function"
			var text string
			if json.Unmarshal(c.Function.Arguments, &text) == nil {
				c.Function.Arguments = json.RawMessage(text)
			}
			var compact bytes.Buffer
			if json.Compact(&compact, c.Function.Arguments) != nil || !strings.HasPrefix(compact.String(), "{") || !toolName.MatchString(c.Function.Name) {
				return "", invalid("messages", "tool_calls[%d] of messages[%d] needs a function with a name, and arguments that are a JSON object as text", i, at)
			}
			c.Function.Arguments = compact.Bytes()
		}
	}
	if m.Role == "tool" {
		out.ToolCallID, out.Name = m.ToolCallID, m.Name
		if len(out.ToolCallID) > 256 || len(out.Name) > 64 {
			return "", invalid("messages", "tool_call_id or name of messages[%d] is too long", at)
		}
	}
	raw, err := marshal(out)
	if err != nil || string(raw) == "{}" {
		return "", err
	}
	return string(raw), nil
}

// marshal is JSON as the requester would write it: without escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}
