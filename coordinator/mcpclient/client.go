package mcpclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/openledger/openledger/protocol"
)

// Limits of what a server may say and take.
const (
	listTimeout = 10 * time.Second // to connect and to list its tools
	callTimeout = 20 * time.Second // one call
	maxTools    = 64               // of one server
	maxPages    = 16               // of its list
	maxFunction = 16 << 10         // bytes that the model is shown of one tool
	maxResult   = 16 << 10         // bytes that the model is given of one result
)

// Config says what is allowed.
type Config struct {
	// Hosts, with or without a port, may be reached by plain http and at private addresses.
	Hosts []string
	// Version of this program, which servers are told.
	Version string
}

// Client makes toolboxes. They share their connections.
type Client struct {
	guard   *guard
	version string

	listTimeout, callTimeout time.Duration
}

// New makes a client. Close lets go of its idle connections.
func New(cfg Config) (*Client, error) {
	g, err := newGuard(cfg.Hosts)
	if err != nil {
		return nil, err
	}
	return &Client{guard: g, version: cfg.Version,
		listTimeout: listTimeout, callTimeout: callTimeout}, nil
}

// Close lets go of idle connections.
func (c *Client) Close() { c.guard.next.CloseIdleConnections() }

// Server is a tool server.
type Server struct {
	URL   string
	Tools []string // that may be called; none: all
}

// Toolbox has the tools of some servers, for one request. It connects when it is first
// asked for something.
type Toolbox struct {
	client  *Client
	mu      sync.Mutex // one call at a time
	servers []*session
	where   map[string]*session
}

// session is a server with what was found out about it.
type session struct {
	Server
	live *mcp.ClientSession
	over atomic.Bool // an answer was too long
}

// Toolbox makes one. Close it.
func (c *Client) Toolbox(servers []Server) *Toolbox {
	t := &Toolbox{client: c}
	for _, s := range servers {
		t.servers = append(t.servers, &session{Server: s})
	}
	return t
}

// Close ends the sessions.
func (t *Toolbox) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.servers {
		s.close()
	}
}

func (s *session) close() {
	if s.live != nil {
		_ = s.live.Close() // the server may be gone: nothing is lost
		s.live = nil
	}
}

// Functions are the tools that may be called, in OpenAI's form. An error names the server.
func (t *Toolbox) Functions(ctx context.Context) ([]json.RawMessage, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.list(ctx)
}

func (t *Toolbox) list(ctx context.Context) ([]json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, t.client.listTimeout)
	defer cancel()
	var out []json.RawMessage
	t.where = map[string]*session{}
	for _, s := range t.servers {
		tools, err := t.client.tools(ctx, s)
		if err != nil {
			return nil, err
		}
		for _, one := range tools {
			if at := t.where[one.name]; at != nil {
				return nil, s.fault(protocol.KindUnavailable, "it has a tool %q, as %s has: the agent's owner names in its manifest which one to use", one.name, at.host())
			}
			t.where[one.name] = s
			out = append(out, one.function)
		}
	}
	return out, nil
}

// host is how errors call a server: a URL's path or query may be long.
func (s *session) host() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return "?"
	}
	return u.Host
}

func (s *session) fault(kind protocol.Kind, format string, args ...any) error {
	return protocol.Errorf(kind, "model", "the agent's tool server %s cannot be used: %w", s.host(), fmt.Errorf(format, args...))
}

// connect opens a session, if there is none.
func (c *Client) connect(ctx context.Context, s *session) error {
	if s.live != nil {
		return nil
	}
	// No capabilities: a server can ask this client for nothing.
	client := mcp.NewClient(&mcp.Implementation{Name: "openledger", Version: c.version}, &mcp.ClientOptions{Capabilities: &mcp.ClientCapabilities{}})
	transport := &http.Client{Transport: bounding{c.guard, &s.over}, CheckRedirect: checkRedirect}
	live, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: s.URL, HTTPClient: transport, MaxRetries: -1, DisableStandaloneSSE: true}, nil)
	if err != nil {
		return s.refused(ctx, err)
	}
	s.live = live
	return nil
}

// refused says in plain words why a server gave nothing.
func (s *session) refused(ctx context.Context, err error) error {
	switch {
	case s.over.Swap(false):
		return s.fault(protocol.KindUnavailable, "its answer is over %d bytes", maxBody)
	case isForbidden(err):
		return s.fault(protocol.KindInvalid, "%w", err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return s.fault(protocol.KindUnavailable, "it does not answer in time")
	}
	return s.fault(protocol.KindUnavailable, "%s", clip(err.Error(), 300))
}

// listed is a tool as the model is shown it.
type listed struct {
	name     string
	function json.RawMessage
}

// fit are the names that OpenAI's API allows functions.
var fit = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// tools lists those of a server that may be called.
func (c *Client) tools(ctx context.Context, s *session) ([]listed, error) {
	if err := c.connect(ctx, s); err != nil {
		return nil, err
	}
	var out []listed
	seen := map[string]bool{}
	params := &mcp.ListToolsParams{}
	for page := 0; ; page++ {
		if page == maxPages {
			return nil, s.fault(protocol.KindUnavailable, "its list of tools has no end")
		}
		res, err := s.live.ListTools(ctx, params)
		if err != nil {
			s.close()
			return nil, s.refused(ctx, err)
		}
		for _, tool := range res.Tools {
			if tool == nil || seen[tool.Name] || len(s.Tools) == 0 && !fit.MatchString(tool.Name) || len(s.Tools) > 0 && !slices.Contains(s.Tools, tool.Name) {
				continue // what cannot be called by its name is not shown
			}
			seen[tool.Name] = true
			f, err := function(tool)
			if err != nil {
				return nil, s.fault(protocol.KindUnavailable, "its tool %s: %w", tool.Name, err)
			}
			if out = append(out, listed{tool.Name, f}); len(out) > maxTools {
				return nil, s.fault(protocol.KindUnavailable, "it has over %d tools: the agent's owner names in its manifest which to use", maxTools)
			}
		}
		if params.Cursor = res.NextCursor; params.Cursor == "" {
			break
		}
	}
	for _, name := range s.Tools {
		if !seen[name] {
			return nil, s.fault(protocol.KindUnavailable, "it has no tool %q, which the agent's manifest names", name)
		}
	}
	return out, nil
}

// function is a tool in OpenAI's form.
func function(tool *mcp.Tool) (json.RawMessage, error) {
	schema, ok := tool.InputSchema.(map[string]any)
	if !ok || schema["type"] != nil && schema["type"] != "object" {
		return nil, errors.New("its schema is not that of an object")
	}
	type body struct {
		Name        string         `json:"name"`
		Description string         `json:"description,omitempty"`
		Parameters  map[string]any `json:"parameters"`
	}
	raw, err := json.Marshal(struct {
		Type     string `json:"type"`
		Function body   `json:"function"`
	}{"function", body{tool.Name, tool.Description, schema}})
	if err != nil {
		return nil, err
	}
	if len(raw) > maxFunction {
		return nil, fmt.Errorf("its description and schema have %d bytes, %d are allowed", len(raw), maxFunction)
	}
	return raw, nil
}

// Call runs a tool. The text is for the model: what the tool gave, or an error, for which
// failed is set; id names the call to the server, which may see to it that a call which
// comes again takes effect once.
func (t *Toolbox) Call(ctx context.Context, name string, arguments json.RawMessage, id string) (text string, failed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, t.client.callTimeout)
	defer cancel()
	res, err := t.call(ctx, name, arguments, id)
	if err != nil {
		return clip("error: "+err.Error(), maxResult), true
	}
	if text = render(res); res.IsError {
		text = "error: " + text
	}
	return cut(text), res.IsError
}

func (t *Toolbox) call(ctx context.Context, name string, arguments json.RawMessage, id string) (*mcp.CallToolResult, error) {
	if t.where == nil {
		if _, err := t.list(ctx); err != nil {
			return nil, err
		}
	}
	s := t.where[name]
	if s == nil {
		return nil, fmt.Errorf("there is no tool %q", name)
	}
	if err := t.client.connect(ctx, s); err != nil {
		return nil, err
	}
	res, err := s.live.CallTool(ctx, &mcp.CallToolParams{Meta: mcp.Meta{"openledger/call": id}, Name: name, Arguments: arguments})
	if err != nil {
		s.close() // it may be of no more use: the next call connects anew
		return nil, s.refused(ctx, err)
	}
	return res, nil
}

// render is the text of a result, else its structured content; the rest is not for a model
// that reads text.
func render(r *mcp.CallToolResult) string {
	var parts []string
	left := 0
	for _, c := range r.Content {
		if text, ok := c.(*mcp.TextContent); ok {
			parts = append(parts, text.Text)
		} else {
			left++
		}
	}
	if len(parts) == 0 && r.StructuredContent != nil {
		if raw, err := json.Marshal(r.StructuredContent); err == nil {
			parts = append(parts, string(raw))
		}
	}
	if left > 0 {
		parts = append(parts, fmt.Sprintf("[%d parts that are no text are left out]", left))
	}
	return strings.Join(parts, "\n")
}

// cut bounds a result, and says so in it.
func cut(text string) string {
	if text = strings.ToValidUTF8(text, "\ufffd"); len(text) <= maxResult {
		return text
	}
	const room = 80
	return clip(text, maxResult-room) + fmt.Sprintf("\n[cut: this is the beginning of %d bytes]", len(text))
}

// clip is the beginning of a text, of whole letters.
func clip(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}
