package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/openledger/openledger/protocol"
)

// Limits of a request whose agent has tools of its own.
const (
	maxRounds      = 8 // that call tools; another one may follow, which is offered none
	maxCallsATurn  = 8
	maxToolTime    = time.Minute // of all calls
	maxToolResults = 64 << 10    // bytes of all results
	leastResult    = 250         // bytes that are left of a result when the prompt is too long
)

// Toolbox has an agent's own tools, which run on the servers that its manifest names. What
// they give is untrusted text, bounded, and nothing of the requester's goes to them but the
// arguments that the model wrote.
type Toolbox interface {
	// Functions are the tools in OpenAI's form.
	Functions(ctx context.Context) ([]json.RawMessage, error)
	// Call runs one. An error is text for the model, with failed set. id names the call,
	// and is the same when a request is repeated.
	Call(ctx context.Context, name string, arguments json.RawMessage, id string) (text string, failed bool)
	Close()
}

// ToolRun is a call of one of an agent's own tools that was run here.
type ToolRun struct {
	Round     int           `json:"round"` // that called it, from 1
	Receipt   protocol.Hash `json:"receipt"`
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	Arguments string        `json:"arguments"` // JSON as text, by the model
	Result    string        `json:"result"`    // untrusted, as the model was given it
	Failed    bool          `json:"failed"`
}

// ownTools are those of one request's agent.
type ownTools struct {
	box       Toolbox
	functions []json.RawMessage
	names     map[string]bool
}

// priced makes a request one whose price can be told: of an agent that has tools on servers,
// that of as many rounds as there may be. The servers are asked nothing: a round is priced at
// the longest prompt that the model takes.
func (r *completionRequest) priced(a *Agent, out *Request) error {
	kind, _, err := r.toolChoice()
	if err != nil {
		return err
	}
	if a.Servers != nil && kind != "none" {
		out.Rounds, r.ToolChoice = maxRounds+1, nil // it may name one of the servers' tools
	}
	out.Agent = a
	return r.ask(a, nil)
}

// payRounds has a request paid whose agent has tools of its own, before its servers are
// asked for anything.
func (s *Server) payRounds(r *http.Request, by *Caller, in completionRequest, a *Agent, req Request) error {
	if by.tab == nil || a.Servers == nil {
		return nil
	}
	err := in.priced(a, &req)
	if err != nil || req.Rounds == 0 {
		return err
	}
	if req.Sampling, err = in.sampling(req.ID); err != nil {
		return err
	}
	if err := (&chatShape{}).input(&in, &req); err != nil {
		return err
	}
	return s.pay(r, by, req)
}

// ownTools finds out what tools an agent has on servers; nil for none. A request that was
// begun before under its idempotency key is shown the tools that it was shown then.
func (s *Server) ownTools(ctx context.Context, by Caller, r *completionRequest, a *Agent, id protocol.Hash, again bool) (*ownTools, error) {
	kind, _, err := r.toolChoice()
	if err != nil || a.Servers == nil || kind == "none" {
		return nil, err
	}
	own := &ownTools{box: a.Servers, names: map[string]bool{}}
	found := false
	if again {
		if own.functions, found, err = s.shownBefore(ctx, by, r, a, id); err != nil {
			return nil, err
		}
	}
	if !found {
		if own.functions, err = own.box.Functions(ctx); err != nil {
			return nil, err
		}
	}
	for _, raw := range own.functions {
		var f tool
		if err := json.Unmarshal(raw, &f); err != nil {
			return nil, err
		}
		own.names[f.Function.Name] = true
	}
	return own, nil
}

// shownBefore takes the servers' functions out of the job that answered first: they stand
// between those of the manifest and the requester's.
func (s *Server) shownBefore(ctx context.Context, by Caller, r *completionRequest, a *Agent, id protocol.Hash) ([]json.RawMessage, bool, error) {
	v, found, err := s.answered(ctx, by, id)
	if !found || err != nil || v.Evidence.Job.Tools == "" {
		return nil, false, err
	}
	first, last, shown := countOf(a.Tools), countOf(r.Tools), []json.RawMessage{}
	if err := json.Unmarshal([]byte(v.Evidence.Job.Tools), &shown); err != nil {
		return nil, false, err
	}
	if len(shown) < first+last { // another request, which is told so later
		return nil, false, nil
	}
	return shown[first : len(shown)-last], true, nil
}

// countOf is how many functions a list has; 0 of what is none, which is refused elsewhere.
func countOf(tools json.RawMessage) int {
	var list []json.RawMessage
	if json.Unmarshal(tools, &list) != nil {
		return 0
	}
	return len(list)
}

// answered finds the receipt of a job that the caller asked for.
func (s *Server) answered(ctx context.Context, by Caller, id protocol.Hash) (ReceiptView, bool, error) {
	v, err := s.cfg.Ledger.Receipt(ctx, id)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return v, false, nil
	}
	return v, err == nil && v.Receipt.Requester == by.Account, err
}

// sink takes an answer as it comes.
type sink struct {
	pieces func([]piece, []protocol.TokenLogProbs) error
	ran    func(ToolRun) error
}

// chat is one request that is answered in rounds: while the model calls tools of its
// agent's own, they are run and it is asked again with what they gave. Each round is a job
// of its own, paid and with a receipt.
type chat struct {
	*Server
	by    Caller
	own   *ownTools
	id    protocol.Hash // of the request, and of its first round
	again bool          // it may have been begun before
	out   sink

	rounds  []protocol.SignedReceipt
	results int // bytes
	until   time.Time
	shown   int // calls that are the requester's
	asked   int // messages of the request, before what came of tools
}

// turn is what one round says.
type turn struct {
	text string
	own  []toolCall // of the agent's tools
}

// answer runs the rounds. Its text is that of all of them; the last one's receipt is the
// answer's, all are in Rounds.
func (c *chat) answer(ctx context.Context, r Request, use toolUse) (Answer, error) {
	said := ""
	c.until, c.asked = time.Now().Add(maxToolTime), len(r.Messages)
	budget := r.Sampling.MaxTokens // of all rounds together
	for {
		a, t, err := c.round(ctx, r, use)
		if err != nil {
			return Answer{}, c.broken(err)
		}
		c.rounds = append(c.rounds, a.Receipt)
		c.by.tab.paidFor(c.rounds)
		said += t.text
		budget -= int(a.Receipt.Receipt.OutputTokens)
		// A turn that calls its requester, too, is the requester's: it answers the request.
		if len(t.own) == 0 || c.shown > 0 || a.FinishReason == protocol.FinishedCancelled {
			a.Text, a.Rounds = said, c.rounds
			if c.shown > 0 && use.named == "" && a.FinishReason == "stop" {
				a.FinishReason = "tool_calls"
			}
			return a, nil
		}
		next, err := c.next(ctx, r, a, t)
		if err != nil {
			return Answer{}, c.broken(err)
		}
		if budget < 1 {
			a.Text, a.Rounds, a.FinishReason = said, c.rounds, "length"
			return a, nil
		}
		if said != "" && !strings.HasSuffix(said, "\n") {
			said += "\n"
			if err := c.out.pieces([]piece{{text: "\n"}}, nil); err != nil {
				return Answer{}, c.broken(err)
			}
		}
		// A tool that the request names is called once; then the model is free.
		use = toolUse{names: use.names}
		next.Sampling.Format, next.Sampling.Schema, next.Sampling.MaxTokens = protocol.FormatText, "", budget
		if len(c.rounds) == maxRounds {
			next.Tools, use = "", toolUse{}
		}
		r = next
	}
}

// round is one job. Where its prompt is too long with what tools gave, they are cut.
func (c *chat) round(ctx context.Context, r Request, use toolUse) (Answer, turn, error) {
	most := maxToolResults
	for {
		var t turn
		p := newToolParser(use, r.ID)
		take := func(pieces []piece, l []protocol.TokenLogProbs) error {
			return c.out.pieces(c.sort(&t, use, pieces), l)
		}
		a, err := c.cfg.Inference.Infer(ctx, c.by, r, func(d Delta) error { return take(p.push(d.Text), d.LogProbs) })
		var e *protocol.Error
		if errors.As(err, &e) && e.Kind == protocol.KindInvalid && e.Field == "messages" && len(c.rounds) > 0 {
			if shorter, ok := cutResults(r.Messages, c.asked, &most); ok {
				r.Messages = shorter
				continue
			}
		}
		if err == nil {
			err = take(p.end(), nil)
		}
		return a, t, err
	}
}

// sort keeps the calls of the agent's tools, and gives what is for the requester.
func (c *chat) sort(t *turn, use toolUse, pieces []piece) (out []piece) {
	for _, p := range pieces {
		switch {
		case p.call == nil:
			t.text += p.text
			out = append(out, p)
		case use.named != "" && c.own.names[use.named] && len(t.own) > 0: // its arguments come in parts
			t.own[0].Function.Arguments += p.call.Function.Arguments
		case c.own.names[p.call.Function.Name]:
			t.own = append(t.own, *p.call)
		default:
			if p.call.ID != "" {
				c.shown++
			}
			at := c.shown - 1
			p.call.Index = &at
			out = append(out, p)
		}
	}
	return out
}

// next runs a turn's calls and gives the request of the next round. What was run before the
// request came again is not run once more.
func (c *chat) next(ctx context.Context, r Request, a Answer, t turn) (Request, error) {
	n := len(c.rounds)
	next := r
	next.ID = sha256.Sum256(fmt.Appendf(c.id[:], "/round/%d", n))
	messages, err := c.saidBefore(ctx, r, t, next.ID)
	if err != nil {
		return next, err
	}
	if messages == nil {
		calls, err := json.Marshal(t.own)
		if err != nil {
			return next, err
		}
		fields, err := (&chatMessage{Role: "assistant", ToolCalls: calls}).fields(len(r.Messages))
		if err != nil {
			return next, invalid("max_tokens", "the answer ended inside a call of %s: allow more tokens", t.own[0].Function.Name)
		}
		messages = append(slices.Clone(r.Messages), protocol.Message{Role: "assistant", Content: t.text, Fields: fields})
		for i, call := range t.own {
			text, failed := c.run(ctx, i, call)
			if err := ctx.Err(); err != nil {
				return next, protocol.Errorf(protocol.KindCancelled, "", "the request ended while a tool ran: %w", err)
			}
			if failed && !strings.HasPrefix(text, errorMark) {
				text = errorMark + text
			}
			fields, err := (&chatMessage{Role: "tool", ToolCallID: call.ID, Name: call.Function.Name}).fields(0)
			if err != nil {
				return next, err
			}
			messages = append(messages, protocol.Message{Role: "tool", Content: text, Fields: fields})
		}
	}
	next.Messages = messages
	for i, m := range messages[len(messages)-len(t.own):] {
		f := t.own[i].Function
		if err := c.out.ran(ToolRun{Round: n, Receipt: a.Receipt.Receipt.ID, ID: t.own[i].ID, Name: f.Name, Arguments: f.Arguments,
			Result: m.Content, Failed: strings.HasPrefix(m.Content, errorMark)}); err != nil {
			return next, err
		}
	}
	return next, nil
}

// errorMark begins what a model is told of a call that failed.
const errorMark = "error: "

// run runs one call, within what the request may take of tools.
func (c *chat) run(ctx context.Context, place int, call toolCall) (text string, failed bool) {
	switch {
	case place >= maxCallsATurn:
		return fmt.Sprintf(errorMark+"it was not run: at most %d calls are run at a time", maxCallsATurn), true
	case !time.Now().Before(c.until):
		return fmt.Sprintf(errorMark+"it was not run: the %s that a request's tools may take are over", maxToolTime), true
	case c.results >= maxToolResults:
		return fmt.Sprintf(errorMark+"it was not run: a request's tools have given %d bytes already", c.results), true
	}
	ctx, cancel := context.WithDeadline(ctx, c.until)
	defer cancel()
	text, failed = c.own.box.Call(ctx, call.Function.Name, json.RawMessage(call.Function.Arguments), call.ID)
	c.results += len(text)
	return text, failed
}

// saidBefore gives the messages of a round that was answered before; nil if it was not, or
// if it followed another turn.
func (c *chat) saidBefore(ctx context.Context, r Request, t turn, id protocol.Hash) ([]protocol.Message, error) {
	if !c.again {
		return nil, nil
	}
	v, found, err := c.answered(ctx, c.by, id)
	if err != nil || !found {
		return nil, err
	}
	m := v.Evidence.Job.Messages
	if len(m) != len(r.Messages)+1+len(t.own) || m[len(r.Messages)].Content != t.text {
		return nil, nil
	}
	return m, nil
}

// cutResults halves what tools may have given together, in the messages from one on, until
// that is less than they gave; ok is false when too little would be left.
func cutResults(messages []protocol.Message, from int, most *int) (_ []protocol.Message, ok bool) {
	n := 0
	for _, m := range messages[from:] {
		if m.Role == "tool" {
			n++
		}
	}
	messages = slices.Clone(messages)
	for *most/2 >= leastResult && !ok && n > 0 {
		*most /= 2
		for i := range messages[from:] {
			if m, each := &messages[from+i], *most/n; m.Role == "tool" && len(m.Content) > each {
				m.Content, ok = strings.ToValidUTF8(m.Content[:each], ""), true
			}
		}
	}
	return messages, ok
}

// broken says with an error which rounds are paid.
func (c *chat) broken(err error) error {
	if len(c.rounds) == 0 {
		return err
	}
	u := newUsage(Answer{Receipt: c.rounds[len(c.rounds)-1], Rounds: c.rounds})
	ids := make([]string, len(u.Receipts))
	for i, id := range u.Receipts {
		ids[i] = id.Hex()
	}
	return fmt.Errorf("%w (%d rounds of the answer are made and paid with %s wei: receipts %s)", err, len(ids), u.Fee.Dec(), strings.Join(ids, ", "))
}
