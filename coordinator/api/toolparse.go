package api

import (
	"encoding/json"
	"strings"

	"github.com/openledger/openledger/protocol"
)

// The tags of Hermes and Qwen.
const (
	callBegins = "<tool_call>"
	callEnds   = "</tool_call>"
)

const space = " \t\r\n"

// toolParser tells an answer's calls from its text as it comes, in the forms that the
// supported families' templates teach:
//
//   - Hermes and Qwen: {"name": …, "arguments": {…}} between <tool_call> and </tool_call>,
//     any number of them, after text or without;
//   - Llama 3.1, Mistral: the whole answer is such an object (with parameters in place of
//     arguments), several with semicolons between, or a list of them.
//
// What is no whole call of a function that was offered stays text. However an answer is
// cut into pieces, the same text and the same calls come out.
type toolParser struct {
	use   toolUse
	id    protocol.Hash // of the request
	calls int

	held  string // not decided yet
	begun bool   // something other than space has come
	bare  bool   // it may all be calls without tags
	after bool   // a call came last: space before what follows means nothing
}

// piece is a part of an answer: text, or a call.
type piece struct {
	text string
	call *toolCall
}

func newToolParser(use toolUse, id protocol.Hash) *toolParser {
	return &toolParser{use: use, id: id, bare: use.whole}
}

// push takes text and gives what is certain now.
func (p *toolParser) push(text string) []piece {
	if text == "" {
		return nil
	}
	switch {
	case p.use.named != "": // a schema holds: what comes are the arguments
		if p.calls == 0 {
			return []piece{{call: p.call(p.use.named, text)}}
		}
		zero := 0
		return []piece{{call: &toolCall{Index: &zero, Function: callPart{Arguments: text}}}}
	case p.use.names == nil:
		return []piece{{text: text}}
	}
	p.held += text
	if !p.begun {
		first := strings.TrimLeft(p.held, space)
		if first == "" {
			return nil
		}
		p.begun = true
		p.bare = p.bare || first[0] == '{' || first[0] == '['
	}
	if p.bare {
		return nil
	}
	return p.tagged()
}

// tagged takes out of held what is decided, in the form with tags.
func (p *toolParser) tagged() []piece {
	var out []piece
	for {
		start := strings.Index(p.held, callBegins)
		if start < 0 {
			text := p.held[:len(p.held)-undecided(p.held, callBegins)]
			p.held = p.held[len(text):]
			return append(out, p.say(text)...)
		}
		length := strings.Index(p.held[start:], callEnds)
		if length < 0 {
			text := strings.TrimRight(p.held[:start], space)
			p.held = p.held[len(text):]
			return append(out, p.say(text)...)
		}
		end := start + length + len(callEnds)
		calls, ok := p.parse(p.held[start+len(callBegins) : start+length])
		if ok {
			out = append(append(out, p.say(strings.TrimRight(p.held[:start], space))...), calls...)
			p.after = true
		} else {
			out = append(out, p.say(p.held[:end])...)
		}
		p.held = p.held[end:]
	}
}

// say gives text, if there is any.
func (p *toolParser) say(text string) []piece {
	if p.after {
		text = strings.TrimLeft(text, space)
	}
	if text == "" {
		return nil
	}
	p.after = false
	return []piece{{text: text}}
}

// end gives what is left when the answer is over.
func (p *toolParser) end() []piece {
	held := p.held
	p.held = ""
	if held == "" || p.use.named != "" {
		return nil
	}
	if p.bare {
		if calls, ok := p.parse(held); ok {
			return calls
		}
	}
	return p.say(held)
}

// parse reads calls and nothing else.
func (p *toolParser) parse(text string) ([]piece, bool) {
	type call struct {
		Name       string          `json:"name"`
		Arguments  json.RawMessage `json:"arguments"`
		Parameters json.RawMessage `json:"parameters"`
	}
	var list []call
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "[") {
		if json.Unmarshal([]byte(text), &list) != nil {
			return nil, false
		}
	} else {
		for rest := text; ; {
			d := json.NewDecoder(strings.NewReader(rest))
			var c call
			if d.Decode(&c) != nil || len(list) == maxTools {
				return nil, false
			}
			list = append(list, c)
			if rest = strings.TrimSpace(rest[d.InputOffset():]); rest == "" {
				break
			}
			var more bool
			if rest, more = strings.CutPrefix(rest, ";"); !more {
				return nil, false
			}
			if rest = strings.TrimSpace(rest); rest == "" {
				break
			}
		}
	}
	arguments := make([]string, len(list))
	for i, c := range list {
		args := c.Arguments
		if args == nil {
			args = c.Parameters
		}
		var fields map[string]json.RawMessage
		if !p.use.names[c.Name] || args != nil && json.Unmarshal(args, &fields) != nil {
			return nil, false
		}
		if arguments[i] = "{}"; fields != nil {
			arguments[i] = string(args)
		}
	}
	out := make([]piece, len(list))
	for i, c := range list {
		out[i].call = p.call(c.Name, arguments[i])
	}
	return out, len(out) > 0
}

func (p *toolParser) call(name, arguments string) *toolCall {
	n := p.calls
	p.calls++
	return &toolCall{Index: &n, ID: callID(p.id, n), Type: "function", Function: callPart{Name: name, Arguments: arguments}}
}

// endsLike is how many bytes at the end of s could begin tag.
func endsLike(s, tag string) int {
	for n := min(len(tag)-1, len(s)); n > 0; n-- {
		if strings.HasSuffix(s, tag[:n]) {
			return n
		}
	}
	return 0
}

// undecided is how many bytes at the end of s are the beginning of tag, maybe, and the
// space before it, which is left out before a call.
func undecided(s, tag string) int {
	return len(s) - len(strings.TrimRight(s[:len(s)-endsLike(s, tag)], space))
}
