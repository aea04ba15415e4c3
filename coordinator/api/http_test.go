package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

const chatBody = `{"model":"tiny","messages":[{"role":"user","content":"Hi"}]%s}`

func TestStreamFraming(t *testing.T) {
	s := &service{infer: func(_ context.Context, r Request, onText func(Delta) error) (Answer, error) {
		for _, text := range []string{"line\n\nbreak", "data: x", "é", "\u2028"} {
			if err := onText(Delta{Text: text}); err != nil {
				return Answer{}, err
			}
		}
		return answerTo(r, ""), nil
	}}
	status, header, body := send(t, "POST", serve(t, s, nil)+"/v1/chat/completions", fmt.Sprintf(chatBody, `,"stream":true`))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "text/event-stream", header.Get("Content-Type"))
	require.Equal(t, "no-store", header.Get("Cache-Control"))
	require.True(t, strings.HasSuffix(body, "data: [DONE]\n\n"))
	events := strings.Split(strings.TrimSuffix(body, "\n\n"), "\n\n")
	require.Len(t, events, 6, "four texts, the end, [DONE]: text never breaks an event")
	text := ""
	for _, e := range events[:4] {
		data, ok := strings.CutPrefix(e, "data: ")
		require.True(t, ok)
		require.NotContains(t, data, "\n")
		var chunk response
		require.NoError(t, json.Unmarshal([]byte(data), &chunk))
		text += *chunk.Choices[0].Delta.Content
	}
	require.Equal(t, "line\n\nbreakdata: xé\u2028", text)
}

func TestStreamErrorInTheMiddleIsAnEvent(t *testing.T) {
	for name, failure := range map[string]error{
		"worker lost": protocol.Errorf(protocol.KindUnavailable, "", "no worker is left"),
		"cancelled":   protocol.Errorf(protocol.KindCancelled, "", "stopping: %w", context.Canceled),
	} {
		t.Run(name, func(t *testing.T) {
			s := &service{infer: func(_ context.Context, _ Request, onText func(Delta) error) (Answer, error) {
				return Answer{}, errors.Join(onText(Delta{Text: "Slow "}), failure)
			}}
			url := serve(t, s, nil)
			status, _, body := send(t, "POST", url+"/v1/chat/completions", fmt.Sprintf(chatBody, `,"stream":true`))
			require.Equal(t, http.StatusOK, status)
			events := strings.Split(strings.TrimSpace(body), "\n\n")
			require.Len(t, events, 2)
			var e struct {
				Error apiError `json:"error"`
			}
			require.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(events[1], "data: ")), &e))
			require.Equal(t, string(protocol.KindOf(failure)), e.Error.Code)
			require.NotContains(t, body, "[DONE]", "a broken answer never looks whole")

			stream := official(url, testKey).Chat.Completions.NewStreaming(t.Context(), question())
			require.True(t, stream.Next())
			require.False(t, stream.Next())
			require.ErrorContains(t, stream.Err(), e.Error.Code)
		})
	}
}

func TestHangUpCancelsTheJob(t *testing.T) {
	for _, streaming := range []bool{true, false} {
		t.Run(fmt.Sprintf("stream=%v", streaming), func(t *testing.T) {
			running, ended := make(chan struct{}), make(chan error, 1)
			s := &service{infer: func(ctx context.Context, _ Request, onText func(Delta) error) (Answer, error) {
				err := onText(Delta{Text: "Slow "})
				close(running)
				select {
				case <-ctx.Done():
					ended <- ctx.Err()
				case <-time.After(time.Minute):
					ended <- errors.New("the job went on")
				}
				return Answer{}, errors.Join(err, ctx.Err())
			}}
			ctx, hangUp := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, serve(t, s, nil)+"/v1/chat/completions",
				strings.NewReader(fmt.Sprintf(chatBody, fmt.Sprintf(`,"stream":%v`, streaming))))
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer "+testKey)
			go func() {
				<-running
				hangUp()
			}()
			res, err := http.DefaultClient.Do(req)
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
			require.Error(t, err)
			require.ErrorIs(t, <-ended, context.Canceled)
		})
	}
}

func TestTextArrivesWhileTheJobRuns(t *testing.T) {
	goOn := make(chan struct{})
	s := &service{infer: func(_ context.Context, r Request, onText func(Delta) error) (Answer, error) {
		err := onText(Delta{Text: "first"})
		<-goOn
		return answerTo(r, "first"), err
	}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, serve(t, s, nil)+"/v1/chat/completions", strings.NewReader(fmt.Sprintf(chatBody, `,"stream":true`)))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+testKey)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	line, err := bufio.NewReader(res.Body).ReadString('\n')
	close(goOn)
	require.NoError(t, err)
	require.Contains(t, line, "first")
}

func TestBadRequestsNameTheirField(t *testing.T) {
	s := &service{}
	url := serve(t, s, func(c *Config) { c.MaxBody = 600 << 10 })
	big := strings.Repeat("a", protocol.MaxPromptBytes+1)
	for name, tt := range map[string]struct{ path, body, param string }{
		"empty body":                {"chat/completions", ``, "body"},
		"not JSON":                  {"chat/completions", `{"model":`, "body"},
		"a list":                    {"chat/completions", `[]`, "body"},
		"two values":                {"chat/completions", fmt.Sprintf(chatBody, ``) + `{}`, "body"},
		"too large":                 {"chat/completions", `{"model":"` + strings.Repeat("a", 700<<10) + `"}`, "body"},
		"no model":                  {"chat/completions", `{"messages":[{"role":"user","content":"Hi"}]}`, "model"},
		"no messages":               {"chat/completions", `{"model":"tiny"}`, "messages"},
		"role":                      {"chat/completions", `{"model":"tiny","messages":[{"role":"function","content":"x"}]}`, "messages"},
		"content missing":           {"chat/completions", `{"model":"tiny","messages":[{"role":"user"}]}`, "messages"},
		"content number":            {"chat/completions", `{"model":"tiny","messages":[{"role":"user","content":5}]}`, "messages"},
		"image":                     {"chat/completions", `{"model":"tiny","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}`, "messages"},
		"tool calls":                {"chat/completions", `{"model":"tiny","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]}]}`, "messages"},
		"messages too long":         {"chat/completions", `{"model":"tiny","messages":[{"role":"user","content":"` + big + `"}]}`, "messages"},
		"model type":                {"chat/completions", `{"model":5}`, "model"},
		"max_tokens type":           {"chat/completions", fmt.Sprintf(chatBody, `,"max_tokens":"5"`), "max_tokens"},
		"max_tokens zero":           {"chat/completions", fmt.Sprintf(chatBody, `,"max_tokens":0`), "max_tokens"},
		"max_tokens huge":           {"chat/completions", fmt.Sprintf(chatBody, `,"max_tokens":65537`), "max_tokens"},
		"max_completion":            {"chat/completions", fmt.Sprintf(chatBody, `,"max_completion_tokens":-1`), "max_completion_tokens"},
		"temperature":               {"chat/completions", fmt.Sprintf(chatBody, `,"temperature":2.1`), "temperature"},
		"temperature type":          {"chat/completions", fmt.Sprintf(chatBody, `,"temperature":"hot"`), "temperature"},
		"temperature range":         {"chat/completions", fmt.Sprintf(chatBody, `,"temperature":1e300`), "temperature"},
		"top_p":                     {"chat/completions", fmt.Sprintf(chatBody, `,"top_p":-0.1`), "top_p"},
		"top_k":                     {"chat/completions", fmt.Sprintf(chatBody, `,"top_k":-1`), "top_k"},
		"stop type":                 {"chat/completions", fmt.Sprintf(chatBody, `,"stop":5`), "stop"},
		"stop five":                 {"chat/completions", fmt.Sprintf(chatBody, `,"stop":["a","b","c","d","e"]`), "stop"},
		"stop empty":                {"chat/completions", fmt.Sprintf(chatBody, `,"stop":""`), "stop"},
		"n":                         {"chat/completions", fmt.Sprintf(chatBody, `,"n":2`), "n"},
		"tools":                     {"chat/completions", fmt.Sprintf(chatBody, `,"logit_bias":{"1":2},"tools":[{"type":"function"}]`), "tools"},
		"functions":                 {"chat/completions", fmt.Sprintf(chatBody, `,"functions":[{"name":"f"}]`), "functions"},
		"audio":                     {"chat/completions", fmt.Sprintf(chatBody, `,"audio":{"voice":"x"}`), "audio"},
		"logprobs":                  {"chat/completions", fmt.Sprintf(chatBody, `,"logprobs":3`), "logprobs"},
		"top_logprobs alone":        {"chat/completions", fmt.Sprintf(chatBody, `,"top_logprobs":3`), "top_logprobs"},
		"top_logprobs many":         {"chat/completions", fmt.Sprintf(chatBody, `,"logprobs":true,"top_logprobs":21`), "top_logprobs"},
		"top_logprobs type":         {"chat/completions", fmt.Sprintf(chatBody, `,"logprobs":true,"top_logprobs":"3"`), "top_logprobs"},
		"min_p":                     {"chat/completions", fmt.Sprintf(chatBody, `,"min_p":1.1`), "min_p"},
		"repetition_penalty":        {"chat/completions", fmt.Sprintf(chatBody, `,"repetition_penalty":0`), "repetition_penalty"},
		"logit_bias word":           {"chat/completions", fmt.Sprintf(chatBody, `,"logit_bias":{"the":2}`), "logit_bias"},
		"logit_bias spelling":       {"chat/completions", fmt.Sprintf(chatBody, `,"logit_bias":{"01":2}`), "logit_bias"},
		"logit_bias range":          {"chat/completions", fmt.Sprintf(chatBody, `,"logit_bias":{"1":101}`), "logit_bias"},
		"logit_bias type":           {"chat/completions", fmt.Sprintf(chatBody, `,"logit_bias":[1]`), "logit_bias"},
		"response_format type":      {"chat/completions", fmt.Sprintf(chatBody, `,"response_format":{"type":"xml"}`), "response_format"},
		"response_format word":      {"chat/completions", fmt.Sprintf(chatBody, `,"response_format":"json"`), "response_format"},
		"response_format no schema": {"chat/completions", fmt.Sprintf(chatBody, `,"response_format":{"type":"json_schema"}`), "response_format"},
		"response_format list":      {"chat/completions", fmt.Sprintf(chatBody, `,"response_format":{"type":"json_schema","json_schema":{"schema":[]}}`), "response_format"},
		"presence_penalty":          {"chat/completions", fmt.Sprintf(chatBody, `,"presence_penalty":2.1`), "presence_penalty"},
		"frequency_penalty":         {"chat/completions", fmt.Sprintf(chatBody, `,"frequency_penalty":-3`), "frequency_penalty"},
		"response_format big":       {"chat/completions", fmt.Sprintf(chatBody, `,"response_format":{"type":"json_schema","json_schema":{"schema":{"title":"`+strings.Repeat("x", protocol.MaxSchemaBytes)+`"}}}`), "response_format"},
		"completion logprobs":       {"completions", `{"model":"tiny","prompt":"a","logprobs":6}`, "logprobs"},
		"completion logprobs true":  {"completions", `{"model":"tiny","prompt":"a","logprobs":true}`, "logprobs"},
		"completion top_logprobs":   {"completions", `{"model":"tiny","prompt":"a","top_logprobs":1}`, "top_logprobs"},
		"completion prompts":        {"completions", `{"model":"tiny","prompt":["a","b"]}`, "prompt"},
		"completion tokens":         {"completions", `{"model":"tiny","prompt":[1,2]}`, "prompt"},
		"completion empty":          {"completions", `{"model":"tiny","prompt":""}`, "prompt"},
		"completion missing":        {"completions", `{"model":"tiny"}`, "prompt"},
		"completion long":           {"completions", `{"model":"tiny","prompt":"` + big + `"}`, "prompt"},
		"completion echo":           {"completions", `{"model":"tiny","prompt":"a","echo":true}`, "echo"},
		"completion suffix":         {"completions", `{"model":"tiny","prompt":"a","suffix":"b"}`, "suffix"},
		"completion best_of":        {"completions", `{"model":"tiny","prompt":"a","best_of":2}`, "best_of"},
	} {
		t.Run(name, func(t *testing.T) {
			status, header, body := send(t, "POST", url+"/v1/"+tt.path, tt.body)
			require.Equal(t, http.StatusBadRequest, status, body)
			require.Equal(t, "application/json", header.Get("Content-Type"))
			var e struct {
				Error apiError `json:"error"`
			}
			require.NoError(t, json.Unmarshal([]byte(body), &e))
			require.Equal(t, "invalid_request_error", e.Error.Type)
			require.NotNil(t, e.Error.Param, body)
			require.Equal(t, tt.param, *e.Error.Param)
			require.NotContains(t, body, "api.", "no Go type reaches a client")
			require.NotContains(t, body, "json:")
		})
	}
	require.Empty(t, s.requests(), "nothing of it was run")
}

func TestLenientWhereItChangesNothing(t *testing.T) {
	s := &service{}
	url := serve(t, s, nil)
	status, _, body := send(t, "POST", url+"/v1/chat/completions", `{"model":"tiny","user":"u","store":false,"metadata":{"a":"b"},"never_heard_of":[1],
		"tools":[],"tool_choice":"none","logprobs":false,"logit_bias":{},"response_format":{"type":"text"},"n":1,"presence_penalty":0,"stop":null,
		"messages":[{"role":"system","content":[{"type":"text","text":"Be "},{"type":"text","text":"brief."}]},{"role":"assistant","content":null},{"role":"user","name":"x","content":"Hi"}]}`)
	require.Equal(t, http.StatusOK, status, body)
	status, _, body = send(t, "POST", url+"/v1/chat/completions", fmt.Sprintf(chatBody, `,"stop":"END","max_tokens":9`))
	require.Equal(t, http.StatusOK, status, body)

	asked := s.requests()
	require.Equal(t, []protocol.Message{{Role: "system", Content: "Be brief."}, {Role: "assistant"}, {Role: "user", Content: "Hi"}}, asked[0].Messages)
	require.Empty(t, asked[0].Sampling.Stop)
	require.EqualValues(t, 1, asked[0].Sampling.Temperature, "OpenAI's default")
	require.Equal(t, []string{"END"}, asked[1].Sampling.Stop)
	require.Equal(t, 9, asked[1].Sampling.MaxTokens)
}

func TestIdempotencyKey(t *testing.T) {
	s := &service{}
	url := serve(t, s, nil) + "/v1/chat/completions"
	for _, key := range []string{"one", "one", "two", "", ""} {
		status, _, body := send(t, "POST", url, fmt.Sprintf(chatBody, ""), "Idempotency-Key", key)
		require.Equal(t, http.StatusOK, status, body)
	}
	asked := s.requests()
	require.Equal(t, asked[0], asked[1], "the same key is the same job, drawn seed included")
	ids := map[protocol.Hash]bool{}
	for _, r := range asked {
		ids[r.ID] = true
	}
	require.Len(t, ids, 4, "other keys and no keys are jobs of their own")
	require.NotEqual(t, asked[3].Sampling.Seed, asked[4].Sampling.Seed)
	for _, r := range asked {
		require.Equal(t, r.Sampling.Seed, uint64(float64(r.Sampling.Seed)), "JavaScript reads a drawn seed as it is")
		require.Less(t, r.Sampling.Seed, uint64(1<<53))
	}

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	require.NoError(t, err)
	req.Header.Set("Idempotency-Key", "one")
	other, err := requestID(req, &Caller{Account: owner})
	require.NoError(t, err)
	require.NotEqual(t, asked[0].ID, other, "a key means something to its tenant only")

	status, _, body := send(t, "POST", url, fmt.Sprintf(chatBody, ""), "Idempotency-Key", strings.Repeat("k", 257))
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, body, `"param":"Idempotency-Key"`)
}

// TestAmountsAreDecimalStrings walks every answer that holds an amount.
func TestAmountsAreDecimalStrings(t *testing.T) {
	url := serve(t, &service{}, nil)
	for path, want := range map[string]int{
		"/v1/models": 1, "/v1/models/fables": 1, "/api/v1/models": 1, "/api/v1/workers": 3,
		"/api/v1/receipts/" + hash.Hex(): 6, "/api/v1/batches": 1, "/api/v1/receipts/" + hash.Hex() + "/attribution": 2,
	} {
		status, _, body := send(t, "GET", url+path, "")
		require.Equal(t, http.StatusOK, status, "%s: %s", path, body)
		require.Equal(t, want, strings.Count(body, hugeText), "%s: %s", path, body)
	}
	status, _, body := send(t, "POST", url+"/api/v1/receipts/"+hash.Hex()+"/verify", "")
	require.Equal(t, http.StatusOK, status, body)
	_, _, body = send(t, "POST", url+"/v1/chat/completions", fmt.Sprintf(chatBody, ""))
	require.Equal(t, 1, strings.Count(body, `"fee":`+hugeText))
	_, _, body = send(t, "POST", url+"/v1/chat/completions", fmt.Sprintf(chatBody, `,"stream":true,"stream_options":{"include_usage":true}`))
	require.Equal(t, 1, strings.Count(body, `"fee":`+hugeText))
}

// A tag is a number of 64 bits, of which JavaScript's JSON.parse keeps 53.
func TestTagsOfAdaptersAreStrings(t *testing.T) {
	status, _, body := send(t, "GET", serve(t, &service{}, nil)+"/api/v1/workers", "")
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, `"adapters":[{"tag":"18446744073709551615","tier":1,"name":"fables","cid":"bafy"},{"tag":"9007199254740992","tier":0}]`)
	require.Equal(t, 1, strings.Count(body, `"adapters"`), "the announcement's own are hidden: %s", body)
}

// TestJSONRoundTrips sends every type that crosses the API through JSON and back.
func TestJSONRoundTrips(t *testing.T) {
	s := &service{}
	models, err := s.Models(t.Context())
	require.NoError(t, err)
	workers, err := s.Workers(t.Context())
	require.NoError(t, err)
	batches, err := s.Batches(t.Context())
	require.NoError(t, err)
	job := protocol.TrainingJob{ID: hash, Order: protocol.TrainingOrder{Owner: owner, Name: "fables", Access: huge}, Signature: []byte{1}}
	for _, v := range []any{models, workers, batches, s.view(), job, KeyRequest{Requester: owner, Label: "l", At: 5, Signature: hexBytes{0, 0xff}},
		CancelRequest{At: 1, Signature: hexBytes{1}}, protocol.Fee{Compute: huge}, protocol.Voucher{Cumulative: huge}} {
		raw, err := json.Marshal(addressable(v))
		require.NoError(t, err)
		back := reflect.New(reflect.TypeOf(v))
		require.NoError(t, json.Unmarshal(raw, back.Interface()), "%T: %s", v, raw)
		require.Equal(t, v, back.Elem().Interface(), "%T: %s", v, raw)
	}
	// These marshal themselves, however they are passed.
	for _, v := range []any{protocol.Price{Access: huge}, protocol.Fee{Access: huge}, job, job.Order, protocol.Receipt{Access: huge},
		protocol.SignedReceipt{Receipt: protocol.Receipt{Access: huge}}, protocol.Voucher{Cumulative: huge}, protocol.SignedVoucher{Voucher: protocol.Voucher{Cumulative: huge}}} {
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		require.Contains(t, string(raw), hugeText, "%T", v)
	}
}

func TestHexBytes(t *testing.T) {
	var b hexBytes
	require.NoError(t, json.Unmarshal([]byte(`"0x00ff"`), &b))
	require.Equal(t, hexBytes{0, 255}, b)
	for _, bad := range []string{`"00ff"`, `"0x0"`, `"0xzz"`, `5`} {
		require.Error(t, json.Unmarshal([]byte(bad), &b), bad)
	}
}

func TestBlocksAreNeverInterpreted(t *testing.T) {
	status, header, body := send(t, "GET", serve(t, &service{}, nil)+"/api/v1/blocks/"+hash.Hex(), "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "<script>alert(1)</script>", body)
	require.Equal(t, "application/octet-stream", header.Get("Content-Type"))
	require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
	require.Contains(t, header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Contains(t, header.Get("Content-Security-Policy"), "sandbox")
	require.Contains(t, header.Get("Content-Disposition"), "attachment")
}

func TestExportCAR(t *testing.T) {
	part := make([]byte, 64<<10)
	s := &service{}
	url := serve(t, s, nil) + "/api/v1/datanets/1/versions/1/car"

	s.exports(func(w io.Writer) error { _, err := w.Write(part); return err })
	status, header, body := send(t, "GET", url, "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, header.Get("Content-Type"), "application/vnd.ipld.car")
	require.Len(t, body, len(part))

	s.exports(func(io.Writer) error { return protocol.Errorf(protocol.KindNotFound, "version", "none") })
	status, header, body = send(t, "GET", url, "")
	require.Equal(t, http.StatusNotFound, status)
	require.Equal(t, "application/json", header.Get("Content-Type"))
	require.Contains(t, body, `"param":"version"`)

	for _, first := range []int{1, len(part)} {
		s.exports(func(w io.Writer) error {
			_, err := w.Write(part[:first])
			return errors.Join(err, errors.New("the disk is gone"))
		})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
		require.Error(t, err, "half an archive never looks like a whole one")
	}
}

// signedJob is the body of an order to train.
func signedJob(t *testing.T) string {
	t.Helper()
	job := protocol.TrainingJob{ID: hash, Signature: []byte{1}}
	job.Order = protocol.TrainingOrder{Owner: owner, Name: "n", Access: *uint256.NewInt(5)}
	body, err := json.Marshal(job)
	require.NoError(t, err)
	return string(body)
}

func TestOwnEndpoints(t *testing.T) {
	s := &service{}
	offered := `{"datanet":1,"record":"` + hash.Hex() + `","contributor":"` + owner.Hex() + `","license":"CC0-1.0","at":1}`
	url := serve(t, s, nil) + "/api/v1"
	for name, tt := range map[string]struct {
		method, path, body string
		status             int
		has                string
	}{
		"datanet":           {"GET", "/datanets/1", "", 200, `"fables"`},
		"no such datanet":   {"GET", "/datanets/2", "", 404, `"param":"datanet"`},
		"datanet id":        {"GET", "/datanets/x", "", 400, `"param":"id"`},
		"datanet id bound":  {"GET", "/datanets/18446744073709551616", "", 400, `"param":"id"`},
		"version bound":     {"GET", "/datanets/1/versions/4294967296/car", "", 400, `"param":"version"`},
		"status filter":     {"GET", "/datanets/1/contributions?status=pending", "", 200, `"title":"b"`},
		"contribute":        {"POST", "/datanets/1/contributions", `{"contribution":` + offered + `,"signature":"AQ==","bytes":"aGk="}`, 201, `"pending"`},
		"contribute other":  {"POST", "/datanets/2/contributions", `{"contribution":{"datanet":1}}`, 400, `"param":"datanet"`},
		"contribute base64": {"POST", "/datanets/1/contributions", `{"contribution":{"datanet":1},"bytes":"!"}`, 400, `"param":"bytes"`},
		"review other":      {"POST", "/datanets/2/reviews", `{"review":{"datanet":1}}`, 400, `"param":"datanet"`},
		"review":            {"POST", "/datanets/1/reviews", `{"review":{"datanet":1,"record":"` + hash.Hex() + `","status":"accepted","at":1},"signature":"AQ=="}`, 200, `"accepted"`},
		"build":             {"POST", "/datanets/1/versions", ``, 200, `"version":1`},
		"limit":             {"GET", "/receipts?limit=0", "", 400, `"param":"limit"`},
		"limit bound":       {"GET", "/receipts?limit=1001", "", 400, `"param":"limit"`},
		"receipt id":        {"GET", "/receipts/0xzz", "", 400, `"param":"id"`},
		"receipt short id":  {"GET", "/receipts/0xab", "", 400, `"param":"id"`},
		"train":             {"POST", "/training_jobs", signedJob(t), 202, `"queued"`},
		"train amount":      {"POST", "/training_jobs", `{"order":{"name":"n","access":"five"}}`, 400, `"param":"body"`},
		"cancel":            {"POST", "/training_jobs/" + hash.Hex() + "/cancel", `{"at":1,"signature":"0x01"}`, 200, `"succeeded"`},
		"cancel signature":  {"POST", "/training_jobs/" + hash.Hex() + "/cancel", `{"at":1,"signature":"01"}`, 400, `0x`},
		"key":               {"POST", "/keys", `{"requester":"` + owner.Hex() + `","label":"l","at":5,"signature":"0x01"}`, 201, `"ol-new"`},
		"key label":         {"POST", "/keys", `{"label":"` + strings.Repeat("l", 65) + `","signature":"0x01"}`, 400, `"param":"label"`},
		"nowhere":           {"GET", "/nowhere", "", 404, `docs/api.md`},
		"method":            {"DELETE", "/datanets/1", "", 404, `"param":"path"`},
		"ready":             {"GET", "/../../readyz", "", 200, `"ready"`},
		"alive":             {"GET", "/../../healthz", "", 200, `"ok"`},
	} {
		t.Run(name, func(t *testing.T) {
			status, header, body := send(t, tt.method, strings.Replace(url+tt.path, "/api/v1/../..", "", 1), tt.body)
			require.Equal(t, tt.status, status, body)
			require.Contains(t, body, tt.has)
			require.Equal(t, "application/json", header.Get("Content-Type"))
		})
	}
	require.Equal(t, []byte("hi"), s.contributed)
	require.Equal(t, *uint256.NewInt(5), s.started.Order.Access)
	require.Equal(t, owner, s.keyed.Requester)
	_, _, body := send(t, "GET", url+"/datanets/1/contributions?status=pending", "")
	require.NotContains(t, body, `"title":"a"`)
}

func TestReadyNeedsAWorker(t *testing.T) {
	s := &service{err: protocol.Errorf(protocol.KindUnavailable, "", "none")}
	status, header, _ := send(t, "GET", serve(t, s, nil)+"/readyz", "")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "1", header.Get("Retry-After"))
}

func TestSignedTextsNameWhatTheyAllow(t *testing.T) {
	r := KeyRequest{Requester: owner, Label: "laptop", At: 1}
	require.NotEqual(t, KeyRequestText("a", r), KeyRequestText("b", r), "a signature is good at one coordinator only")
	require.NotEqual(t, CancelText(hash, CancelRequest{At: 1}), CancelText(protocol.Hash{}, CancelRequest{At: 1}))
}

func TestConfig(t *testing.T) {
	_, err := New(Config{})
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
	require.ErrorContains(t, err, "inference")
	s := &service{}
	cfg := configOf(s)
	first, err := New(cfg)
	require.NoError(t, err)
	cfg.Listen = strings.TrimPrefix(first.URL(), "http://")
	_, err = New(cfg)
	require.Equal(t, protocol.KindUnavailable, protocol.KindOf(err))
	require.ErrorContains(t, err, "--listen")
	require.NoError(t, first.Close())
	require.NoError(t, first.Close())
	second, err := New(cfg)
	require.NoError(t, err, "a closed server frees its address")
	require.NoError(t, second.Close())
}

func FuzzCompletionRequest(f *testing.F) {
	for _, seed := range []string{
		fmt.Sprintf(chatBody, ""), fmt.Sprintf(chatBody, `,"stop":["a"],"seed":-5,"temperature":0.1,"top_p":1,"n":1`), `{"model":"m","prompt":["x"]}`,
		`{"model":"m","prompt":"x","stop":"y","tools":[]}`, `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"t"}]}]}`, `null`, `[]`, `{"max_tokens":1e9}`,
		fmt.Sprintf(chatBody, `,"tool_choice":"required","chat_template_kwargs":{"a":1},"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]`),
		`{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"x"}]}`, `{"stop":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, shape := range []shape{&chatShape{}, textShape{}} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/", strings.NewReader(string(body)))
			require.NoError(t, err)
			var in completionRequest
			var out Request
			err = readJSON(r, &in)
			if err == nil {
				err = in.unsupported()
			}
			if err == nil {
				out.Sampling, err = in.sampling(protocol.Hash{1})
			}
			if err == nil {
				err = shape.input(&in, &out)
			}
			if err != nil {
				var e *protocol.Error
				require.ErrorAs(t, err, &e)
				require.NotEmpty(t, e.Field, "%v", err)
				status, _ := errorBody(err)
				require.Equal(t, http.StatusBadRequest, status, "%v", err)
				continue
			}
			require.True(t, (len(out.Messages) == 0) != (out.Prompt == ""))
			require.LessOrEqual(t, len(out.Prompt), protocol.MaxPromptBytes)
			require.True(t, out.Sampling.MaxTokens >= 1 && out.Sampling.MaxTokens <= 1<<16)
			require.True(t, out.Sampling.Temperature >= 0 && out.Sampling.Temperature <= 2)
			require.True(t, out.Sampling.TopP >= 0 && out.Sampling.TopP <= 1)
		}
	})
}
