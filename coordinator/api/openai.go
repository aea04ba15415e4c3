package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/openledger/openledger/protocol"
)

// completionRequest holds the fields of OpenAI's chat and text completion requests
// that this server honours, and those that would change the answer and are refused.
type completionRequest struct {
	samplingRequest
	Model         string          `json:"model"`
	Messages      []chatMessage   `json:"messages"`
	Prompt        json.RawMessage `json:"prompt"`
	Stream        bool            `json:"stream"`
	StreamOptions *struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	N *int `json:"n"`

	Tools              json.RawMessage `json:"tools"`
	ToolChoice         json.RawMessage `json:"tool_choice"`
	ChatTemplateKwargs json.RawMessage `json:"chat_template_kwargs"`
	Retrieval          json.RawMessage `json:"retrieval"`

	Functions json.RawMessage `json:"functions"`
	Audio     json.RawMessage `json:"audio"`
	Echo      bool            `json:"echo"`
	Suffix    string          `json:"suffix"`
	BestOf    *int            `json:"best_of"`
}

// chatMessage accepts content as a string or as a list of text parts.
type chatMessage struct {
	Role      string          `json:"role"`
	Content   json.RawMessage `json:"content"`
	ToolCalls json.RawMessage `json:"tool_calls"`

	// Of tools' answers.
	ToolCallID string `json:"tool_call_id"`
	Name       string `json:"name"`
}

// stringList accepts one string or a list.
type stringList []string

// UnmarshalJSON accepts "a", ["a","b"] and null.
func (l *stringList) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		if string(b) != "null" {
			*l = stringList{one}
		}
		return nil
	}
	if json.Unmarshal(b, (*[]string)(l)) != nil {
		return protocol.Errorf(protocol.KindInvalid, "stop", "it must be a string or a list of strings")
	}
	return nil
}

// defaultMaxTokens bounds answers when the request does not.
const defaultMaxTokens = 256

// given says whether an optional field asks for anything.
func given(raw json.RawMessage) bool {
	s := strings.TrimSpace(string(raw))
	return s != "" && s != "null" && s != "false" && s != "[]" && s != "{}"
}

func (r *completionRequest) unsupported() error {
	for _, f := range []struct {
		name string
		raw  json.RawMessage
	}{
		{"functions", r.Functions}, {"audio", r.Audio},
	} {
		if given(f.raw) {
			return protocol.Errorf(protocol.KindInvalid, f.name, "this server does not support it: leave it out")
		}
	}
	switch {
	case r.N != nil && *r.N != 1:
		return protocol.Errorf(protocol.KindInvalid, "n", "only 1 is supported: send the request again for another answer")
	case r.BestOf != nil && *r.BestOf != 1:
		return protocol.Errorf(protocol.KindInvalid, "best_of", "only 1 is supported")
	case r.Echo:
		return protocol.Errorf(protocol.KindInvalid, "echo", "only false is supported")
	case r.Suffix != "":
		return protocol.Errorf(protocol.KindInvalid, "suffix", "it is not supported: leave it out")
	}
	return nil
}

func (r *completionRequest) chat() ([]protocol.Message, error) {
	if len(r.Messages) == 0 {
		return nil, protocol.Errorf(protocol.KindInvalid, "messages", "there must be at least one message")
	}
	out := make([]protocol.Message, len(r.Messages))
	size := 0
	for i, m := range r.Messages {
		fields, err := m.fields(i)
		if err != nil {
			return nil, err
		}
		text := ""
		if given(m.Content) || !given(m.ToolCalls) { // a message that calls may say nothing
			if text, err = contentText(m.Content); err != nil {
				return nil, err
			}
		}
		role := m.Role
		if role == "developer" {
			role = "system"
		}
		switch role {
		case "system", "user", "assistant", "tool":
		default:
			return nil, protocol.Errorf(protocol.KindInvalid, "messages", "role %q is unknown: use system, user, assistant or tool", m.Role)
		}
		out[i] = protocol.Message{Role: role, Content: text, Fields: fields}
		if size += len(text) + len(fields); size > protocol.MaxPromptBytes {
			return nil, protocol.Errorf(protocol.KindInvalid, "messages", "they are longer than %d bytes", protocol.MaxPromptBytes)
		}
	}
	return out, nil
}

func contentText(raw json.RawMessage) (string, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return "", protocol.Errorf(protocol.KindInvalid, "messages", "content must be a string or a list of text parts")
	}
	var b strings.Builder
	for _, p := range parts {
		if p.Type != "text" {
			return "", protocol.Errorf(protocol.KindInvalid, "messages", "content part %q is not supported: send text", p.Type)
		}
		b.WriteString(p.Text)
	}
	return b.String(), nil
}

func (s *Server) chatCompletions(w http.ResponseWriter, r *http.Request, by Caller) error {
	return s.complete(w, r, by, &chatShape{})
}

func (s *Server) completions(w http.ResponseWriter, r *http.Request, by Caller) error {
	return s.complete(w, r, by, textShape{})
}

func (s *Server) complete(w http.ResponseWriter, r *http.Request, by Caller, shape shape) error {
	var in completionRequest
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if in.Model == "" {
		return protocol.Errorf(protocol.KindInvalid, "model", "name an adapter, its CID, an agent, or the base model; GET /v1/models lists them")
	}
	if err := in.unsupported(); err != nil {
		return err
	}
	req := Request{Model: in.Model}
	var err error
	if req.ID, err = requestID(r, &by); err != nil {
		return err
	}
	again := r.Header.Get("Idempotency-Key") != "" || by.tab != nil && by.tab.paid != nil
	var own *ownTools
	if strings.HasPrefix(in.Model, AgentPrefix) {
		if _, chat := shape.(*chatShape); !chat {
			return invalid("model", "%s is an agent, and agents take part in chats: use POST /v1/chat/completions", in.Model)
		}
		a, err := s.cfg.Agents.Agent(r.Context(), in.Model)
		if err != nil {
			return err
		}
		if a.Servers != nil {
			defer a.Servers.Close()
			if err := by.mayAsk(in.Model); err != nil {
				return err
			}
		}
		if err := s.payRounds(r, &by, in, &a, req); err != nil {
			return err
		}
		if own, err = s.ownTools(r.Context(), by, &in, &a, req.ID, again); err != nil {
			return err
		}
		var servers []json.RawMessage
		if own != nil {
			servers = own.functions
		}
		if err := in.ask(&a, servers); err != nil {
			return err
		}
		req.Agent = &a
	}
	if req.Sampling, err = in.sampling(req.ID); err != nil {
		return err
	}
	if err := shape.input(&in, &req); err != nil {
		return err
	}
	if err := s.pay(r, &by, req); err != nil {
		return err
	}
	created := time.Now().Unix()
	if c, ok := shape.(*chatShape); ok && own != nil {
		rounds := &chat{Server: s, by: by, own: own, id: req.ID, again: again}
		if in.Stream {
			return in.blame(rounds.stream(r.Context(), w, req, c, created, in.StreamOptions != nil && in.StreamOptions.IncludeUsage))
		}
		return in.blame(rounds.whole(r.Context(), w, req, c, created))
	}
	if in.Stream {
		includeUsage := in.StreamOptions != nil && in.StreamOptions.IncludeUsage
		return in.blame(s.stream(r.Context(), w, by, req, shape, created, includeUsage))
	}
	var logprobs []protocol.TokenLogProbs
	answer, err := s.cfg.Inference.Infer(r.Context(), by, req, func(d Delta) error {
		logprobs = append(logprobs, d.LogProbs...)
		return nil
	})
	if err != nil {
		return in.blame(err)
	}
	if at := answer.Receipt.Receipt.FinishedAt; at > 0 { // the same when the answer is repeated
		created = at / 1000
	}
	if err := s.settled(w.Header(), &by); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, shape.whole(req, created, answer, logprobs))
}

// requestID derives the job's ID from the Idempotency-Key header, so that a client
// that asks again after a lost connection pays once; without the header it is random. A
// request that is paid for itself has the payment's: one payment, one answer.
func requestID(r *http.Request, by *Caller) (protocol.Hash, error) {
	if by.tab != nil && by.tab.paid != nil {
		return by.tab.paid.signed.Payment.ID(), nil
	}
	key := r.Header.Get("Idempotency-Key")
	if len(key) > 256 {
		return protocol.Hash{}, protocol.Errorf(protocol.KindInvalid, "Idempotency-Key", "it is longer than 256 bytes")
	}
	if key != "" {
		return sha256.Sum256(append(by.Account.Bytes(), key...)), nil
	}
	var id protocol.Hash
	_, err := rand.Read(id[:])
	return id, err
}

// writeTimeout is how long a client may take nothing of a stream.
const writeTimeout = 30 * time.Second

// eventStream sends server-sent events. Headers go out with the first, so that an error
// before it still has its HTTP status.
type eventStream struct {
	w       http.ResponseWriter
	by      *Caller
	out     *http.ResponseController
	started bool
}

func newEventStream(w http.ResponseWriter, by *Caller) *eventStream {
	return &eventStream{w: w, by: by, out: http.NewResponseController(w)}
}

// deadline bounds writing: a client that stops reading must not hold its job, and its
// money, for ever.
func (e *eventStream) deadline(at time.Time) { _ = e.out.SetWriteDeadline(at) } // an error means that there is no connection to bound

func (e *eventStream) send(v any) error {
	if !e.started {
		e.started = true
		e.w.Header().Set("Content-Type", "text/event-stream")
		e.w.Header().Set("Cache-Control", "no-store")
		e.by.tab.promise(e.w.Header())
		e.w.WriteHeader(http.StatusOK)
	}
	body, err := json.Marshal(addressable(v))
	if err != nil {
		return err
	}
	e.deadline(time.Now().Add(writeTimeout))
	if _, err := e.w.Write([]byte("data: " + string(body) + "\n\n")); err != nil {
		return err
	}
	return e.out.Flush()
}

func (e *eventStream) all(list []response) error {
	for _, r := range list {
		if err := e.send(r); err != nil {
			return err
		}
	}
	return nil
}

// fail ends a stream with an error: as an event, or as any request's if none was sent.
func (e *eventStream) fail(err error) error {
	if !e.started {
		return err
	}
	_, body := errorBody(err)
	_ = e.send(map[string]apiError{"error": body}) // an error means that the client hung up: nobody to tell
	return nil
}

// end ends a stream with an answer.
func (e *eventStream) end(last []response, usage *response) {
	err := e.all(last)
	if err == nil && usage != nil {
		err = e.send(*usage)
	}
	if err == nil { // an error means that the client hung up after its answer: nobody to tell
		_, _ = e.w.Write([]byte("data: [DONE]\n\n"))
	}
}

// stream sends an answer as it comes.
func (s *Server) stream(ctx context.Context, w http.ResponseWriter, by Caller, req Request, shape shape, created int64, includeUsage bool) error {
	e := newEventStream(w, &by)
	defer e.deadline(time.Time{})
	var at position
	answer, err := s.cfg.Inference.Infer(ctx, by, req, func(d Delta) error {
		return e.all(shape.chunks(req, created, d, &at))
	})
	if err != nil {
		if e.started {
			defer s.trail(w, &by)
		}
		return e.fail(err)
	}
	var usage *response
	if includeUsage {
		chunk := shape.usageChunk(req, created, answer)
		usage = &chunk
	}
	e.end(shape.last(req, created, answer, &at), usage)
	s.trail(w, &by)
	return nil
}

func (s *Server) listModels(w http.ResponseWriter, r *http.Request, _ Caller) error {
	models, err := s.cfg.Inference.Models(r.Context())
	if err != nil {
		return err
	}
	data := make([]modelObject, len(models))
	for i, m := range models {
		data[i] = newModelObject(m)
	}
	return writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": data})
}

func (s *Server) getModel(w http.ResponseWriter, r *http.Request, _ Caller) error {
	models, err := s.cfg.Inference.Models(r.Context())
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	for _, m := range models {
		if m.Called(id) {
			return writeJSON(w, http.StatusOK, newModelObject(m))
		}
	}
	return protocol.Errorf(protocol.KindNotFound, "model", "there is no model %q; GET /v1/models lists them", id)
}
