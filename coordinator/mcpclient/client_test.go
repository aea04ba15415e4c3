package mcpclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

type city struct {
	City string `json:"city" jsonschema:"where"`
}

// weather is a tool server, with what it saw of its callers.
type weather struct {
	*httptest.Server
	release chan struct{} // lets "slow" end

	mu      sync.Mutex
	headers []http.Header
	ids     []any
}

func newWeather(t *testing.T) *weather {
	t.Helper()
	w := &weather{release: make(chan struct{})}
	s := mcp.NewServer(&mcp.Implementation{Name: "weather", Version: "1"}, nil)
	say := func(name string, do func(context.Context, *mcp.CallToolRequest) *mcp.CallToolResult) {
		mcp.AddTool(s, &mcp.Tool{Name: name, Description: "Tells " + name}, func(ctx context.Context, r *mcp.CallToolRequest, _ city) (*mcp.CallToolResult, any, error) {
			return do(ctx, r), nil, nil
		})
	}
	text := func(s string) *mcp.CallToolResult {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}
	}
	say("forecast", func(_ context.Context, r *mcp.CallToolRequest) *mcp.CallToolResult {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ids = append(w.ids, r.Params.Meta["openledger/call"])
		return text("sun in " + string(r.Params.Arguments))
	})
	say("picture", func(context.Context, *mcp.CallToolRequest) *mcp.CallToolResult {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.ImageContent{Data: []byte("x"), MIMEType: "image/png"}}, StructuredContent: map[string]any{"sky": "blue"}}
	})
	say("storm", func(context.Context, *mcp.CallToolRequest) *mcp.CallToolResult {
		return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: "it is too windy"}}}
	})
	say("long", func(context.Context, *mcp.CallToolRequest) *mcp.CallToolResult {
		return text(strings.Repeat("é", maxResult))
	})
	say("flood", func(context.Context, *mcp.CallToolRequest) *mcp.CallToolResult {
		return text(strings.Repeat("x", 2*maxBody))
	})
	say("slow", func(ctx context.Context, _ *mcp.CallToolRequest) *mcp.CallToolResult {
		<-w.release
		return text("late")
	})
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil)
	w.Server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.headers = append(w.headers, r.Header.Clone())
		w.mu.Unlock()
		handler.ServeHTTP(out, r)
	}))
	t.Cleanup(w.Close)
	t.Cleanup(func() { close(w.release) })
	return w
}

func client(t *testing.T, hosts ...string) *Client {
	t.Helper()
	c, err := New(Config{Hosts: hosts, Version: "test"})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func box(t *testing.T, c *Client, servers ...Server) *Toolbox {
	t.Helper()
	b := c.Toolbox(servers)
	t.Cleanup(b.Close)
	return b
}

func names(t *testing.T, list []json.RawMessage) (out []string) {
	t.Helper()
	for _, raw := range list {
		var f struct {
			Type     string `json:"type"`
			Function struct {
				Name       string          `json:"name"`
				Parameters json.RawMessage `json:"parameters"`
			} `json:"function"`
		}
		require.NoError(t, json.Unmarshal(raw, &f))
		require.Equal(t, "function", f.Type)
		require.Contains(t, string(f.Function.Parameters), `"city"`)
		out = append(out, f.Function.Name)
	}
	return out
}

func TestToolsAreListedAndCalled(t *testing.T) {
	w := newWeather(t)
	c := client(t, "127.0.0.1")
	all := box(t, c, Server{URL: w.URL})
	list, err := all.Functions(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"flood", "forecast", "long", "picture", "slow", "storm"}, names(t, list))
	b := box(t, c, Server{URL: w.URL, Tools: []string{"storm", "forecast"}})
	list, err = b.Functions(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"forecast", "storm"}, names(t, list))

	for _, call := range []struct {
		box        *Toolbox
		tool, want string
		failed     bool
	}{
		{b, "forecast", `sun in {"city":"Graz"}`, false},
		{b, "storm", "error: it is too windy", true},
		{b, "picture", `error: there is no tool "picture"`, true}, // it is not allowed
		{all, "picture", "{\"sky\":\"blue\"}\n[1 parts that are no text are left out]", false},
	} {
		text, failed := call.box.Call(t.Context(), call.tool, json.RawMessage(`{"city":"Graz"}`), "call_7")
		require.Equal(t, call.want, text)
		require.Equal(t, call.failed, failed)
	}
	text, failed := all.Call(t.Context(), "long", json.RawMessage(`{"city":"x"}`), "")
	require.False(t, failed)
	require.LessOrEqual(t, len(text), maxResult)
	require.Contains(t, text, fmt.Sprintf("[cut: this is the beginning of %d bytes]", 2*maxResult))
	text, failed = all.Call(t.Context(), "forecast", json.RawMessage(`{"town":"x"}`), "")
	require.True(t, failed, "the server does not take these arguments: %s", text)
	require.Equal(t, []any{"call_7"}, w.ids)
	for _, h := range w.headers {
		require.Empty(t, h.Get("Authorization"))
		require.Empty(t, h.Get("Cookie"))
	}
}

// A server that gives too much or nothing costs its call, not the request, and the next
// call is served.
func TestBadAnswersAreErrorsForTheModel(t *testing.T) {
	w := newWeather(t)
	c := client(t, "127.0.0.1")
	b := box(t, c, Server{URL: w.URL})
	text, failed := b.Call(t.Context(), "flood", json.RawMessage(`{"city":"x"}`), "")
	require.True(t, failed)
	require.Contains(t, text, "over 1048576 bytes")
	c.callTimeout = 50 * time.Millisecond
	text, failed = b.Call(t.Context(), "slow", json.RawMessage(`{"city":"x"}`), "")
	require.True(t, failed)
	require.Contains(t, text, "does not answer in time")
	c.callTimeout = time.Minute
	text, failed = b.Call(t.Context(), "forecast", json.RawMessage(`{"city":"Graz"}`), "")
	require.False(t, failed, text)
}

// raw is a server that answers each method with a given result.
func raw(t *testing.T, results map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
		}
		if json.NewDecoder(r.Body).Decode(&in) != nil || in.ID == nil {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, in.ID, results[in.Method])
	}))
	t.Cleanup(s.Close)
	return s.URL
}

const hello = `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"x","version":"1"}}`

func TestListsThatCannotBeUsedSayWhy(t *testing.T) {
	w := newWeather(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	many := `{"tools":[`
	for i := range maxTools + 1 {
		many += fmt.Sprintf(`{"name":"t%d","inputSchema":{"type":"object"}},`, i)
	}
	tools := func(list string) []Server {
		return []Server{{URL: raw(t, map[string]string{"initialize": hello, "tools/list": list})}}
	}
	for words, servers := range map[string][]Server{
		"connection refused":                {{URL: gone.URL}},
		`has no tool "snow"`:                {{URL: w.URL, Tools: []string{"snow"}}},
		`it has a tool "flood", as`:         {{URL: w.URL}, {URL: w.URL + "/again"}},
		"cannot be used":                    {{URL: raw(t, nil)}},
		"list of tools has no end":          tools(`{"tools":[],"nextCursor":"x"}`),
		"over 64 tools":                     tools(strings.TrimSuffix(many, ",") + `]}`),
		"its schema is not that of":         tools(`{"tools":[{"name":"liar","inputSchema":{"type":"array"}}]}`),
		"tool liar: its schema":             tools(`{"tools":[{"name":"liar","inputSchema":7}]}`),
		"16384 are allowed":                 tools(`{"tools":[{"name":"liar","description":"` + strings.Repeat("x", maxFunction) + `","inputSchema":{}}]}`),
		"the agent's tool server 127.0.0.1": tools(`[]`),
	} {
		_, err := box(t, client(t, "127.0.0.1"), servers...).Functions(t.Context())
		require.Equal(t, protocol.KindUnavailable, protocol.KindOf(err), "%s: %v", words, err)
		require.ErrorContains(t, err, words)
		text, failed := box(t, client(t, "127.0.0.1"), servers...).Call(t.Context(), "t0", json.RawMessage(`{}`), "")
		require.True(t, failed, text)
	}
	list, err := box(t, client(t, "127.0.0.1"), tools(`{"tools":[{"name":"a b","inputSchema":{}},{"name":"","inputSchema":{}},null]}`)...).Functions(t.Context())
	require.NoError(t, err)
	require.Empty(t, list, "a tool that no model can name is not shown")
}
