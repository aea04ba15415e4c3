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
}

func newUsage(a Answer) *usage {
	r := a.Receipt.Receipt
	return &usage{
		PromptTokens: r.PromptTokens, CompletionTokens: r.OutputTokens, TotalTokens: r.PromptTokens + r.OutputTokens,
		Fee: r.Fee().Total(), Receipt: r.ID,
	}
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
	Role    string  `json:"role,omitempty"`
	Content *string `json:"content,omitempty"`
}

// shape is how chat and text completions differ on the wire.
type shape interface {
	input(in *completionRequest, out *Request) error
	whole(r Request, created int64, a Answer, l []protocol.TokenLogProbs) response
	chunk(r Request, created int64, d Delta, at *position) response
	last(r Request, created int64, a Answer) response
	usageChunk(r Request, created int64, a Answer) response
}

// position is how far a stream has come.
type position struct {
	begun  bool
	offset int // characters of tokens whose log-probabilities were sent
}

type chatShape struct{}

func (chatShape) input(in *completionRequest, out *Request) error {
	var err error
	if out.Messages, err = in.chat(); err != nil {
		return err
	}
	return in.chatLogProbs(&out.Sampling)
}

// logprobs are null if they were not asked for, or if there are none, as in a repeated answer.
func (chatShape) logprobs(l []protocol.TokenLogProbs) any {
	if len(l) == 0 {
		return nil
	}
	return newChatLogProbs(l)
}

func (chatShape) id(r Request) string { return "chatcmpl-" + r.ID.Hex()[2:34] }

func (c chatShape) whole(r Request, created int64, a Answer, l []protocol.TokenLogProbs) response {
	return response{
		ID: c.id(r), Object: "chat.completion", Created: created, Model: r.Model,
		Choices: []choice{{Message: &message{Role: "assistant", Content: &a.Text}, LogProbs: c.logprobs(l), FinishReason: &a.FinishReason}},
		Usage:   newUsage(a),
	}
}

func (c chatShape) chunk(r Request, created int64, d Delta, at *position) response {
	m := &message{Content: &d.Text}
	if !at.begun {
		m.Role, at.begun = "assistant", true
	}
	return response{ID: c.id(r), Object: "chat.completion.chunk", Created: created, Model: r.Model,
		Choices: []choice{{Delta: m, LogProbs: c.logprobs(d.LogProbs)}}}
}

func (c chatShape) last(r Request, created int64, a Answer) response {
	return response{ID: c.id(r), Object: "chat.completion.chunk", Created: created, Model: r.Model,
		Choices: []choice{{Delta: &message{}, FinishReason: &a.FinishReason}}}
}

func (c chatShape) usageChunk(r Request, created int64, a Answer) response {
	return response{ID: c.id(r), Object: "chat.completion.chunk", Created: created, Model: r.Model, Choices: []choice{}, Usage: newUsage(a)}
}

type textShape struct{}

func (textShape) input(in *completionRequest, out *Request) error {
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

func (t textShape) chunk(r Request, created int64, d Delta, at *position) response {
	return response{ID: t.id(r), Object: "text_completion", Created: created, Model: r.Model,
		Choices: []choice{{Text: &d.Text, LogProbs: t.logprobs(d.LogProbs, at)}}}
}

func (t textShape) last(r Request, created int64, a Answer) response {
	none := ""
	return response{ID: t.id(r), Object: "text_completion", Created: created, Model: r.Model,
		Choices: []choice{{Text: &none, FinishReason: &a.FinishReason}}}
}

func (t textShape) usageChunk(r Request, created int64, a Answer) response {
	return response{ID: t.id(r), Object: "text_completion", Created: created, Model: r.Model, Choices: []choice{}, Usage: newUsage(a)}
}
