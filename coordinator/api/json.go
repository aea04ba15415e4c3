package api

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/openledger/openledger/protocol"
)

// hexBytes is a byte string as 0x-prefixed hex in JSON.
type hexBytes []byte

// MarshalText renders 0x-prefixed hex.
func (b hexBytes) MarshalText() ([]byte, error) { return []byte("0x" + hex.EncodeToString(b)), nil }

// UnmarshalText parses 0x-prefixed hex.
func (b *hexBytes) UnmarshalText(text []byte) error {
	s, ok := strings.CutPrefix(string(text), "0x")
	if !ok {
		return errors.New("hex must begin with 0x")
	}
	v, err := hex.DecodeString(s)
	*b = v
	return err
}

// addressable gives a pointer to a copy of v: amounts (uint256.Int) write themselves
// as decimal strings only where they can be addressed.
func addressable(v any) any {
	p := reflect.New(reflect.TypeOf(v))
	p.Elem().Set(reflect.ValueOf(v))
	return p.Interface()
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(addressable(v))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // an error means that the client hung up: there is nobody to tell
	return nil
}

// list is l, and [] in JSON where it is nil: a listing is never null.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

func readJSON(r *http.Request, v any) error {
	dec := json.NewDecoder(r.Body)
	err := dec.Decode(v)
	if err == nil {
		if _, extra := dec.Token(); extra == io.EOF {
			return nil
		}
		return protocol.Errorf(protocol.KindInvalid, "body", "there is more than one JSON value in it")
	}
	var tooLarge *http.MaxBytesError
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var ours *protocol.Error
	switch {
	case errors.As(err, &tooLarge):
		return protocol.Errorf(protocol.KindInvalid, "body", "it is larger than %d bytes", tooLarge.Limit)
	case errors.As(err, &wrongType):
		field := strings.TrimPrefix(strings.TrimPrefix(wrongType.Field, "completionRequest."), "samplingRequest.") // they are embedded: clients do not see them
		if field == "" {
			field = "body"
		}
		return protocol.Errorf(protocol.KindInvalid, field, "it must be %s, not %s", jsonWord(wrongType.Type), wrongType.Value)
	case errors.As(err, &ours):
		return ours
	case errors.Is(err, io.EOF):
		return protocol.Errorf(protocol.KindInvalid, "body", "it is empty: send JSON")
	case errors.As(err, &syntax), errors.Is(err, io.ErrUnexpectedEOF):
		return protocol.Errorf(protocol.KindInvalid, "body", "it is not valid JSON: %w", err)
	default:
		return protocol.Errorf(protocol.KindInvalid, "body", "it can't be read: %w", err)
	}
}

// jsonWord says in JSON's words what a Go type is read from.
func jsonWord(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return jsonWord(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number in range"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return "a string"
		}
		return "a list"
	}
	return "a string"
}

// apiError is OpenAI's error shape.
type apiError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    string  `json:"code"`
}

// statuses maps each kind of error to HTTP and to OpenAI's error types.
var statuses = map[protocol.Kind]struct {
	status int
	kind   string
}{
	protocol.KindInvalid:      {http.StatusBadRequest, "invalid_request_error"},
	protocol.KindCorrupt:      {http.StatusBadRequest, "invalid_request_error"},
	protocol.KindTooLarge:     {http.StatusRequestEntityTooLarge, "invalid_request_error"},
	protocol.KindNotFound:     {http.StatusNotFound, "invalid_request_error"},
	protocol.KindExists:       {http.StatusConflict, "invalid_request_error"},
	protocol.KindStale:        {http.StatusConflict, "invalid_request_error"},
	protocol.KindUnauthorized: {http.StatusUnauthorized, "authentication_error"},
	protocol.KindForbidden:    {http.StatusForbidden, "permission_error"},
	protocol.KindEscrow:       {http.StatusPaymentRequired, "insufficient_quota"},
	protocol.KindBusy:         {http.StatusTooManyRequests, "rate_limit_error"},
	protocol.KindUnavailable:  {http.StatusServiceUnavailable, "service_unavailable"},
	protocol.KindDeadline:     {http.StatusGatewayTimeout, "timeout"},
	protocol.KindCancelled:    {499, "cancelled"},
	protocol.KindInternal:     {http.StatusInternalServerError, "server_error"},
}

func errorBody(err error) (int, apiError) {
	kind := protocol.KindOf(err)
	at, known := statuses[kind]
	if !known {
		kind, at = protocol.KindInternal, statuses[protocol.KindInternal]
	}
	body := apiError{Message: err.Error(), Type: at.kind, Code: string(kind)}
	var e *protocol.Error
	if errors.As(err, &e) && e.Field != "" {
		body.Param = &e.Field
	}
	if kind == protocol.KindUnauthorized {
		body.Code = "invalid_api_key"
	}
	if kind == protocol.KindNotFound && body.Param != nil && *body.Param == "model" {
		body.Code = "model_not_found"
	}
	if r := (*statusError)(nil); errors.As(err, &r) {
		body.Type, body.Code = r.kind, r.code
		return r.status, body
	}
	return at.status, body
}

func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	status, body := errorBody(err)
	if status >= http.StatusInternalServerError {
		s.cfg.Logger.Error("request failed", "request", w.Header().Get(requestIDHeader), "method", r.Method, "path", r.URL.Path, "err", err)
	}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		after := int64(1)
		if r := (*statusError)(nil); errors.As(err, &r) && r.after > 0 {
			after = int64(math.Ceil(r.after.Seconds()))
		}
		w.Header().Set("Retry-After", strconv.FormatInt(after, 10))
	}
	if u := (*unpaid)(nil); errors.As(err, &u) {
		u.tell(w.Header())
		body.Type, body.Code = "payment_required", "payment_required"
		if u.reason != "" {
			body.Code = u.reason
		}
		_ = writeJSON(w, http.StatusPaymentRequired, unpaidBody{Error: body, Version: u.terms.Version, Resource: u.terms.Resource, Accepts: u.terms.Accepts})
		return
	}
	_ = writeJSON(w, status, map[string]apiError{"error": body})
}

func pathUint(r *http.Request, name string, bits int) (uint64, error) {
	n, err := strconv.ParseUint(r.PathValue(name), 10, bits)
	if err != nil {
		return 0, protocol.Errorf(protocol.KindInvalid, name, "%q is not a whole number", r.PathValue(name))
	}
	return n, nil
}

func pathHash(r *http.Request, name string) (protocol.Hash, error) {
	raw := strings.TrimPrefix(r.PathValue(name), "0x")
	b, err := hex.DecodeString(raw)
	if err != nil || len(b) != common.HashLength {
		return protocol.Hash{}, protocol.Errorf(protocol.KindInvalid, name, "%q is not a 32-byte hash in hex", r.PathValue(name))
	}
	return common.BytesToHash(b), nil
}
