package api

import (
	"encoding/json"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// usage is OpenAI's usage with what OpenLedger adds: the fee and the receipt.
type usage struct {
	PromptTokens     uint32        `json:"prompt_tokens"`
	CompletionTokens uint32        `json:"completion_tokens"`
	TotalTokens      uint32        `json:"total_tokens"`
	Fee              uint256.Int   `json:"fee"` // wei
	Receipt          protocol.Hash `json:"receipt"`
	// Receipts are those of all rounds of an agent that has tools of its own, which the
	// numbers add up; Receipt is the last.
	Receipts []protocol.Hash `json:"receipts,omitempty"`
}

func newUsage(a Answer) *usage {
	u := &usage{Receipt: a.Receipt.Receipt.ID}
	all := a.Rounds
	if len(all) == 0 {
		all = []protocol.SignedReceipt{a.Receipt}
	}
	for i := range all {
		r := &all[i].Receipt
		fee := r.Fee().Total()
		u.PromptTokens += r.PromptTokens
		u.CompletionTokens += r.OutputTokens
		u.Fee.Add(&u.Fee, &fee)
		if len(a.Rounds) > 0 {
			u.Receipts = append(u.Receipts, r.ID)
		}
	}
	u.TotalTokens = u.PromptTokens + u.CompletionTokens
	return u
}

// modelObject is OpenAI's model with its provenance.
type modelObject struct {
	ID      string           `json:"id"`
	Object  string           `json:"object"`
	Created int64            `json:"created"`
	OwnedBy protocol.Account `json:"owned_by"`
	Model   Model            `json:"openledger"`
}

func newModelObject(m Model) modelObject {
	return modelObject{ID: m.ID, Object: "model", Created: m.Created, OwnedBy: m.Owner, Model: m}
}

// response is the body of a completion or of one chunk of it.
type response struct {
	ID      string   `json:"id"`
	Object  string   `json:"object"`
	Created int64    `json:"created"`
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
	Usage   *usage   `json:"usage,omitempty"`
}

type choice struct {
	Index        int      `json:"index"`
	Message      *message `json:"message,omitempty"`
	Delta        *message `json:"delta,omitempty"`
	Text         *string  `json:"text,omitempty"`
	LogProbs     any      `json:"logprobs"` // null unless asked for
	FinishReason *string  `json:"finish_reason"`
}

type message struct {
	Role      string     `json:"role,omitempty"`
	Content   *string    `json:"content,omitempty"`
	ToolCalls []toolCall `json:"tool_calls,omitempty"`
	// What the answer read: in a stream, with the chunk that ends it.
	Annotations []annotation `json:"annotations,omitempty"`
	Ours        *grounding   `json:"openledger,omitempty"`
}

// shape is how chat and text completions differ on the wire.
type shape interface {
	input(in *completionRequest, out *Request) error
	whole(r Request, created int64, a Answer, l []protocol.TokenLogProbs) response
	chunks(r Request, created int64, d Delta, at *position) []response
	last(r Request, created int64, a Answer, at *position) []response
	usageChunk(r Request, created int64, a Answer) response
}

// position is how far a stream has come.
type position struct {
	begun  bool
	offset int // characters of tokens whose log-probabilities were sent
}

// chatShape is that of one request.
type chatShape struct {
	use    toolUse
	parser *toolParser // of the stream
}

func (c *chatShape) input(in *completionRequest, out *Request) error {
	var err error
	if out.Messages, err = in.chat(); err != nil {
		return err
	}
	if out.Retrieve, err = in.retrieve(); err != nil {
		return err
	}
	if c.use, err = in.readTools(out); err != nil {
		return err
	}
	if out.TemplateArgs, err = in.templateArgs(); err != nil {
		return err
	}
	c.parser = newToolParser(c.use, out.ID)
	return in.chatLogProbs(&out.Sampling)
}

// finish is OpenAI's reason: a function that the request named is no reason of its own.
func (c *chatShape) finish(a Answer, calls int) *string {
	if calls > 0 && c.use.named == "" && a.FinishReason == "stop" {
		a.FinishReason = "tool_calls"
	}
	return &a.FinishReason
}

// logprobs are null if they were not asked for, or if there are none.
func (*chatShape) logprobs(l []protocol.TokenLogProbs) any {
	if len(l) == 0 {
		return nil
	}
	return newChatLogProbs(l)
}

func (*chatShape) id(r Request) string { return "chatcmpl-" + r.ID.Hex()[2:34] }

func (c *chatShape) whole(r Request, created int64, a Answer, l []protocol.TokenLogProbs) response {
	m := &message{Role: "assistant"}
	p := newToolParser(c.use, r.ID)
	for _, part := range append(p.push(a.Text), p.end()...) {
		if part.call != nil {
			part.call.Index = nil
			m.ToolCalls = append(m.ToolCalls, *part.call)
			continue
		}
		if m.Content == nil {
			m.Content = new(string)
		}
		*m.Content += part.text
	}
	if m.Content == nil && len(m.ToolCalls) == 0 {
		m.Content = new(string)
	}
	return response{
		ID: c.id(r), Object: "chat.completion", Created: created, Model: r.Model,
		Choices: []choice{{Message: m.cite(a), LogProbs: c.logprobs(l), FinishReason: c.finish(a, len(m.ToolCalls))}},
		Usage:   newUsage(a),
	}
}

// parts makes a chunk of each piece; log-probabilities go with the first.
func (c *chatShape) parts(r Request, created int64, pieces []piece, l []protocol.TokenLogProbs, at *position) []response {
	if len(pieces) == 0 && len(l) > 0 {
		pieces = []piece{{}}
	}
	var out []response
	for _, p := range pieces {
		m := &message{Content: &p.text}
		if p.call != nil {
			m = &message{ToolCalls: []toolCall{*p.call}}
		}
		if !at.begun {
			m.Role, at.begun = "assistant", true
		}
		out = append(out, response{ID: c.id(r), Object: "chat.completion.chunk", Created: created, Model: r.Model,
			Choices: []choice{{Delta: m, LogProbs: c.logprobs(l)}}})
		l = nil
	}
	return out
}

func (c *chatShape) chunks(r Request, created int64, d Delta, at *position) []response {
	return c.parts(r, created, c.parser.push(d.Text), d.LogProbs, at)
}

func (c *chatShape) last(r Request, created int64, a Answer, at *position) []response {
	out := c.parts(r, created, c.parser.end(), nil, at)
	return append(out, response{ID: c.id(r), Object: "chat.completion.chunk", Created: created, Model: r.Model,
		Choices: []choice{{Delta: (&message{}).cite(a), FinishReason: c.finish(a, c.parser.calls)}}})
}

func (c *chatShape) usageChunk(r Request, created int64, a Answer) response {
	return response{ID: c.id(r), Object: "chat.completion.chunk", Created: created, Model: r.Model, Choices: []choice{}, Usage: newUsage(a)}
}

type textShape struct{}

func (textShape) input(in *completionRequest, out *Request) error {
	for name, raw := range map[string]json.RawMessage{"retrieval": in.Retrieval, "tools": in.Tools, "chat_template_kwargs": in.ChatTemplateKwargs} {
		if given(raw) {
			return invalid(name, "it belongs to chat completions")
		}
	}
	var many []string
	if err := json.Unmarshal(in.Prompt, &out.Prompt); err != nil {
		if json.Unmarshal(in.Prompt, &many) != nil || len(many) != 1 {
			return protocol.Errorf(protocol.KindInvalid, "prompt", "it must be one string")
		}
		out.Prompt = many[0]
	}
	if out.Prompt == "" {
		return protocol.Errorf(protocol.KindInvalid, "prompt", "it is empty")
	}
	if len(out.Prompt) > protocol.MaxPromptBytes {
		return protocol.Errorf(protocol.KindInvalid, "prompt", "it is longer than %d bytes", protocol.MaxPromptBytes)
	}
	return in.textLogProbs(&out.Sampling)
}

func (textShape) logprobs(l []protocol.TokenLogProbs, at *position) any {
	if len(l) == 0 {
		return nil
	}
	var out *textLogProbs
	out, at.offset = newTextLogProbs(l, at.offset)
	return out
}

func (textShape) id(r Request) string { return "cmpl-" + r.ID.Hex()[2:34] }

func (t textShape) whole(r Request, created int64, a Answer, l []protocol.TokenLogProbs) response {
	return response{ID: t.id(r), Object: "text_completion", Created: created, Model: r.Model,
		Choices: []choice{{Text: &a.Text, LogProbs: t.logprobs(l, &position{}), FinishReason: &a.FinishReason}}, Usage: newUsage(a)}
}

func (t textShape) chunks(r Request, created int64, d Delta, at *position) []response {
	return []response{{ID: t.id(r), Object: "text_completion", Created: created, Model: r.Model,
		Choices: []choice{{Text: &d.Text, LogProbs: t.logprobs(d.LogProbs, at)}}}}
}

func (t textShape) last(r Request, created int64, a Answer, _ *position) []response {
	none := ""
	return []response{{ID: t.id(r), Object: "text_completion", Created: created, Model: r.Model,
		Choices: []choice{{Text: &none, FinishReason: &a.FinishReason}}}}
}

func (t textShape) usageChunk(r Request, created int64, a Answer) response {
	return response{ID: t.id(r), Object: "text_completion", Created: created, Model: r.Model, Choices: []choice{}, Usage: newUsage(a)}
}
