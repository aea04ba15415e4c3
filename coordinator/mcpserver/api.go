package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/openledger/openledger/protocol"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 4 << 20

// API is a coordinator's HTTP API as its caller may use it.
type API struct {
	URL  string // without a slash at its end
	Key  string // API key; empty for what needs none
	HTTP http.RoundTripper
}

// call sends a request; in and out are JSON, nil for none.
func (a *API) call(ctx context.Context, method, path string, in, out any) error {
	raw, err := a.send(ctx, method, path, in)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return protocol.Errorf(protocol.KindCorrupt, "", "%s %s: the answer is not what it should be: %w", method, path, err)
	}
	return nil
}

func (a *API) send(ctx context.Context, method, path string, in any) ([]byte, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.URL+path, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if a.Key != "" {
		req.Header.Set("Authorization", "Bearer "+a.Key)
	}
	res, err := a.HTTP.RoundTrip(req)
	if err != nil {
		return nil, protocol.Errorf(protocol.KindUnavailable, "", "the coordinator does not answer: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // read only
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, protocol.Errorf(protocol.KindUnavailable, "", "the coordinator's answer broke off: %w", err)
	}
	if len(raw) > maxAnswer {
		return nil, protocol.Errorf(protocol.KindInvalid, "", "the answer of %s %s is over %d bytes: ask for less", method, path, maxAnswer)
	}
	if res.StatusCode >= http.StatusBadRequest {
		return nil, refusal(res.StatusCode, raw)
	}
	return raw, nil
}

// refusal is an error in OpenAI's shape.
func refusal(status int, raw []byte) error {
	var out struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(raw, &out) == nil && out.Error.Message != "" {
		return fmt.Errorf("%s", out.Error.Message)
	}
	return fmt.Errorf("the coordinator answered %d: %.200s", status, raw)
}

// Own sends requests to a handler in this process. The handler serves them as requests of
// the one that made the outer request.
func Own(h http.Handler, outer *http.Request) http.RoundTripper { return own{h, outer.RemoteAddr} }

type own struct {
	handler http.Handler
	from    string
}

// RoundTrip serves one request.
func (o own) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RemoteAddr, in.RequestURI = o.from, r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	out := &answer{header: http.Header{}, status: http.StatusOK}
	o.handler.ServeHTTP(out, in)
	return &http.Response{StatusCode: out.status, Header: out.header, Body: io.NopCloser(&out.body), Request: r,
		Status: http.StatusText(out.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(out.body.Len())}, nil
}

// answer keeps a response, up to a byte over the bound.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.status = status }

func (a *answer) Write(b []byte) (int, error) {
	room := max(0, maxAnswer+1-a.body.Len())
	a.body.Write(b[:min(room, len(b))])
	return len(b), nil
}

// keyOf is the API key of a request.
func keyOf(r *http.Request) string {
	_, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(key)
}
