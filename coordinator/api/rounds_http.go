package api

import (
	"context"
	"net/http"
	"time"

	"github.com/openledger/openledger/protocol"
)

// whole answers with one body.
func (c *chat) whole(ctx context.Context, w http.ResponseWriter, r Request, shape *chatShape, created int64) error {
	m := &message{Role: "assistant"}
	var logprobs []protocol.TokenLogProbs
	var ran []ToolRun
	c.out = sink{
		pieces: func(list []piece, l []protocol.TokenLogProbs) error {
			logprobs = append(logprobs, l...)
			for _, p := range list {
				m.add(p)
			}
			return nil
		},
		ran: func(t ToolRun) error {
			ran = append(ran, t)
			return nil
		},
	}
	a, err := c.answer(ctx, r, shape.use)
	if err != nil {
		return err
	}
	if err := c.settled(w.Header(), &c.by); err != nil {
		return err
	}
	if at := a.Receipt.Receipt.FinishedAt; at > 0 { // the same when the answer is repeated
		created = at / 1000
	}
	if m.Content == nil && len(m.ToolCalls) == 0 {
		m.Content = new(string)
	}
	for i := range m.ToolCalls {
		m.ToolCalls[i].Index = nil
	}
	m.cite(a)
	if len(ran) > 0 {
		if m.Ours == nil {
			m.Ours = &grounding{Citations: []Citation{}}
		}
		m.Ours.Tools = ran
	}
	return writeJSON(w, http.StatusOK, response{ID: shape.id(r), Object: "chat.completion", Created: created, Model: r.Model,
		Choices: []choice{{Message: m, LogProbs: shape.logprobs(logprobs), FinishReason: &a.FinishReason}}, Usage: newUsage(a)})
}

// add puts a piece of an answer to a message.
func (m *message) add(p piece) {
	switch {
	case p.call == nil:
		if m.Content == nil {
			m.Content = new(string)
		}
		*m.Content += p.text
	case p.call.ID == "": // more arguments
		m.ToolCalls[len(m.ToolCalls)-1].Function.Arguments += p.call.Function.Arguments
	default:
		m.ToolCalls = append(m.ToolCalls, *p.call)
	}
}

// stream sends the rounds as they come. A tool that was run is a chunk with an empty delta
// but for its member "openledger", which other clients pass over.
func (c *chat) stream(ctx context.Context, w http.ResponseWriter, r Request, shape *chatShape, created int64, includeUsage bool) error {
	e := newEventStream(w, &c.by)
	defer e.deadline(time.Time{})
	var at position
	chunk := func(m *message, finish *string) response {
		if !at.begun {
			m.Role, at.begun = "assistant", true
		}
		return response{ID: shape.id(r), Object: "chat.completion.chunk", Created: created, Model: r.Model, Choices: []choice{{Delta: m, FinishReason: finish}}}
	}
	c.out = sink{
		pieces: func(list []piece, l []protocol.TokenLogProbs) error {
			return e.all(shape.parts(r, created, list, l, &at))
		},
		ran: func(t ToolRun) error {
			return e.send(chunk(&message{Ours: &grounding{Citations: []Citation{}, Tools: []ToolRun{t}}}, nil))
		},
	}
	a, err := c.answer(ctx, r, shape.use)
	if err != nil {
		if e.started {
			defer c.trail(w, &c.by)
		}
		return e.fail(err)
	}
	var usage *response
	if includeUsage {
		u := shape.usageChunk(r, created, a)
		usage = &u
	}
	e.end([]response{chunk((&message{}).cite(a), &a.FinishReason)}, usage)
	c.trail(w, &c.by)
	return nil
}
