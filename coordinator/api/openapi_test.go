package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/stretchr/testify/require"
)

// description is openapi.yaml, and beside it a stricter copy: what an answer has must be
// declared there. Clients get the lenient one, so that answers can grow.
var description = sync.OnceValues(func() (both [2]*openapi3.T, err error) {
	openapi3filter.RegisterBodyDecoder("text/event-stream", openapi3filter.PlainBodyDecoder)
	openapi3filter.RegisterBodyDecoder("application/vnd.ipld.car", openapi3filter.FileBodyDecoder)
	for i := range both {
		if both[i], err = openapi3.NewLoader().LoadFromData(openAPI); err != nil {
			return both, err
		}
	}
	asked := map[*openapi3.Schema]bool{}
	for _, item := range both[1].Paths.Map() {
		for _, op := range item.Operations() {
			if op.RequestBody == nil {
				continue
			}
			for _, media := range op.RequestBody.Value.Content {
				visit(media.Schema, asked, func(*openapi3.Schema) {})
			}
		}
	}
	seen := map[*openapi3.Schema]bool{}
	closed := func(s *openapi3.Schema) {
		if no := false; !asked[s] && len(s.Properties) > 0 && s.AdditionalProperties.Schema == nil && s.AdditionalProperties.Has == nil {
			s.AdditionalProperties.Has = &no
		}
	}
	for _, item := range both[1].Paths.Map() {
		for _, op := range item.Operations() {
			for _, answer := range op.Responses.Map() {
				for _, media := range answer.Value.Content {
					visit(media.Schema, seen, closed)
				}
			}
		}
	}
	for _, s := range both[1].Components.Schemas { // what only events refer to
		visit(s, seen, closed)
	}
	return both, nil
})

// visit walks a schema and what it refers to, each once.
func visit(ref *openapi3.SchemaRef, seen map[*openapi3.Schema]bool, do func(*openapi3.Schema)) {
	if ref == nil || ref.Value == nil || seen[ref.Value] {
		return
	}
	s := ref.Value
	seen[s] = true
	do(s)
	visit(s.Items, seen, do)
	visit(s.AdditionalProperties.Schema, seen, do)
	for _, p := range s.Properties {
		visit(p, seen, do)
	}
	for _, list := range []openapi3.SchemaRefs{s.OneOf, s.AnyOf, s.AllOf} {
		for _, p := range list {
			visit(p, seen, do)
		}
	}
}

// described wraps a server for the tests. A request that succeeds must be one that
// openapi.yaml allows; every answer must be one that it declares, to the last field.
func described(t *testing.T, next http.Handler) http.Handler {
	docs, err := description()
	require.NoError(t, err)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		out := &recorded{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(out, r)
		if _, path, ok := strings.Cut(r.Pattern, " "); ok && r.Context().Err() == nil {
			if err := check(docs, path, r, body, out); err != nil {
				t.Errorf("%s %s: openapi.yaml says otherwise: %v", r.Method, r.URL, err)
			}
		}
	})
}

// recorded keeps what is answered.
type recorded struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recorded) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorded) Write(b []byte) (int, error) {
	r.body.Write(b)
	return r.ResponseWriter.Write(b)
}

// Unwrap lets the server flush and set deadlines.
func (r *recorded) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func check(docs [2]*openapi3.T, path string, r *http.Request, body []byte, out *recorded) error {
	params := map[string]string{}
	for _, part := range strings.Split(path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			name = strings.TrimSuffix(strings.TrimSuffix(name, "}"), "...")
			params[name] = r.PathValue(name)
		}
	}
	input := func(doc *openapi3.T) (*openapi3filter.RequestValidationInput, error) {
		item := doc.Paths.Value(described31(path))
		if item == nil || item.GetOperation(r.Method) == nil {
			return nil, fmt.Errorf("it does not have %s %s", r.Method, path)
		}
		req := r.Clone(context.Background())
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		if req.Header.Get("Content-Type") == "" || strings.HasPrefix(req.Header.Get("Content-Type"), "text/plain") {
			req.Header.Set("Content-Type", "application/json")
		}
		return &openapi3filter.RequestValidationInput{Request: req, PathParams: params, QueryParams: r.URL.Query(),
			Route:   &routers.Route{Spec: doc, Path: path, PathItem: item, Method: r.Method, Operation: item.GetOperation(r.Method)},
			Options: &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true}}, nil
	}
	in, err := input(docs[0])
	if err != nil {
		return err
	}
	told, _ := in.Route.Operation.Extensions["x-errors-in-body"].(bool) // with status 200
	if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil && out.status < http.StatusBadRequest && !told {
		return fmt.Errorf("the request was served: %w", err)
	}
	if in, err = input(docs[1]); err != nil {
		return err
	}
	answer := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: out.status, Header: out.Header(), Options: in.Options}
	if err := openapi3filter.ValidateResponse(context.Background(), answer.SetBodyBytes(out.body.Bytes())); err != nil {
		return fmt.Errorf("%w\n%s", err, out.body.String())
	}
	if strings.HasPrefix(out.Header().Get("Content-Type"), "text/event-stream") {
		return checkEvents(docs[1], in.Route.Operation, out)
	}
	return nil
}

// checkEvents checks the data of each event of a stream.
func checkEvents(doc *openapi3.T, op *openapi3.Operation, out *recorded) error {
	media := op.Responses.Status(out.status).Value.Content.Get("text/event-stream")
	ref, _ := media.Extensions["x-sse-data"].(map[string]any)
	name, _ := ref["$ref"].(string)
	schema := doc.Components.Schemas[strings.TrimPrefix(name, "#/components/schemas/")]
	if schema == nil {
		return fmt.Errorf("x-sse-data of %s names no schema", op.OperationID)
	}
	for _, line := range strings.Split(out.body.String(), "\n") {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(data), &v); err != nil {
			return err
		}
		if err := schema.Value.VisitJSON(v, openapi3.EnableJSONSchema2020(), openapi3.VisitAsResponse()); err != nil {
			return fmt.Errorf("event %s: %w", data, err)
		}
	}
	return nil
}

// described31 is a pattern of the mux as a path of OpenAPI.
func described31(pattern string) string { return strings.ReplaceAll(pattern, "...}", "}") }

func TestDescriptionIsValidOpenAPI(t *testing.T) {
	docs, err := description()
	require.NoError(t, err)
	require.True(t, docs[0].IsOpenAPI31OrLater())
	require.NoError(t, docs[0].Validate(t.Context(), openapi3.EnableExamplesValidation(), openapi3.EnableSchemaPatternValidation()))

	url := serve(t, &service{}, nil)
	status, header, body := send(t, "GET", url+"/api/openapi.json", "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "application/json", header.Get("Content-Type"))
	served, err := openapi3.NewLoader().LoadFromData([]byte(body))
	require.NoError(t, err)
	require.NoError(t, served.Validate(t.Context(), openapi3.EnableExamplesValidation()))
	_, _, body = send(t, "GET", url+"/api/openapi.yaml", "")
	require.Equal(t, string(openAPI), body)
}

// TestDescriptionAndTableAgree compares them both ways: every endpoint is described under
// its method, path, operation ID and scope, and nothing else is.
func TestDescriptionAndTableAgree(t *testing.T) {
	docs, err := description()
	require.NoError(t, err)
	s := &Server{cfg: Config{Training: &service{}, FineTuning: &service{}, Logger: slog.New(slog.DiscardHandler), Metrics: http.NotFoundHandler(), MCP: func(http.Handler) http.Handler { return http.NotFoundHandler() }}}
	served := map[string]string{}
	for _, e := range s.table() {
		served[e.method+" "+described31(e.pattern)] = e.operation + " " + string(e.scope)
	}
	said := map[string]string{}
	operations := map[string]bool{}
	for path, item := range docs[0].Paths.Map() {
		for method, op := range item.Operations() {
			scope := ""
			if op.Security != nil && len(*op.Security) > 0 {
				scope = strings.Join((*op.Security)[0]["apiKey"], ",")
			}
			said[method+" "+path] = op.OperationID + " " + scope
			require.False(t, operations[op.OperationID], "%s is there twice", op.OperationID)
			operations[op.OperationID] = true
			require.NotNil(t, op.Responses.Default(), "%s says nothing of errors", op.OperationID)
			require.NotEmpty(t, op.Summary, op.OperationID)
		}
	}
	require.Equal(t, said, served)
}
