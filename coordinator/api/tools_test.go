package api

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

const (
	weather = `{"type":"function","function":{"name":"weather","description":"today's","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}`
	clock   = `{"type":"function","function":{"name":"clock"}}`
)

// parsed is what an answer comes to: text, and calls as name(arguments).
func parsed(p *toolParser, pieces []string) (text string, calls []string) {
	var all []piece
	for _, s := range pieces {
		all = append(all, p.push(s)...)
	}
	for _, x := range append(all, p.end()...) {
		switch {
		case x.call == nil:
			text += x.text
		case x.call.ID == "":
			calls[len(calls)-1] += x.call.Function.Arguments
		default:
			calls = append(calls, x.call.Function.Name+x.call.Function.Arguments)
		}
	}
	return text, calls
}

// Calls are told from text in the forms of the families, whole and however the answer is
// cut; what is no call of an offered function stays as it is.
func TestToolCallsAreFoundHoweverAnAnswerIsCut(t *testing.T) {
	offered := map[string]bool{"weather": true, "clock": true}
	for name, c := range map[string]struct {
		use    toolUse
		answer string
		text   string
		calls  []string
	}{
		"hermes":        {answer: "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Rom\"}}\n</tool_call>", calls: []string{`weather{"city": "Rom"}`}},
		"after text":    {answer: "Let me see.\n\n<tool_call>{\"name\":\"clock\",\"arguments\":{}}</tool_call>\n", text: "Let me see.", calls: []string{"clock{}"}},
		"two and text":  {answer: "<tool_call>{\"name\":\"clock\"}</tool_call>\n<tool_call>{\"name\":\"weather\",\"arguments\":{\"city\":\"<é>\"}}</tool_call>\n Well then", text: "Well then", calls: []string{"clock{}", `weather{"city":"<é>"}`}},
		"llama":         {answer: `{"name": "weather", "parameters": {"city": "Rom"}}`, calls: []string{`weather{"city": "Rom"}`}},
		"llama, typed":  {answer: ` {"type": "function", "name": "clock", "parameters": {}} `, calls: []string{"clock{}"}},
		"llama, two":    {answer: `{"name": "clock", "parameters": {}}; {"name": "weather", "parameters": {"city": "a;b"}}`, calls: []string{"clock{}", `weather{"city": "a;b"}`}},
		"mistral":       {answer: `[{"name": "clock", "arguments": {}}, {"name": "weather", "arguments": {"city": "x"}}]`, calls: []string{"clock{}", `weather{"city": "x"}`}},
		"plain":         {answer: "It is 5 < 6, <b>really</b>. <tool", text: "It is 5 < 6, <b>really</b>. <tool"},
		"space kept":    {answer: "  a \n b  ", text: "  a \n b  "},
		"only space":    {answer: " \n", text: " \n"},
		"other JSON":    {answer: `{"name": "Rome", "population": 3}`, text: `{"name": "Rome", "population": 3}`},
		"half a call":   {answer: `ok <tool_call>{"name":"clock","argu`, text: `ok <tool_call>{"name":"clock","argu`},
		"not offered":   {answer: "x <tool_call>{\"name\":\"rm\",\"arguments\":{}}</tool_call> y", text: "x <tool_call>{\"name\":\"rm\",\"arguments\":{}}</tool_call> y"},
		"no object":     {answer: `{"name":"clock","arguments":[1]}`, text: `{"name":"clock","arguments":[1]}`},
		"required":      {use: toolUse{whole: true}, answer: `{"arguments":{"city":"x"},"name":"weather"}`, calls: []string{`weather{"city":"x"}`}},
		"required, cut": {use: toolUse{whole: true}, answer: `{"arguments":{"city":"x`, text: `{"arguments":{"city":"x`},
		"named":         {use: toolUse{named: "weather"}, answer: `{"city": "Rom"}`, calls: []string{`weather{"city": "Rom"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			c.use.names = offered
			text, calls := parsed(newToolParser(c.use, hash), []string{c.answer})
			require.Equal(t, c.text, text)
			require.Equal(t, c.calls, calls)
			r := rand.New(rand.NewPCG(1, 2))
			for range 300 {
				var pieces []string
				for rest := c.answer; rest != ""; {
					n := 1 + r.IntN(len(rest))
					if r.IntN(2) == 0 {
						n = min(n, 3)
					}
					pieces, rest = append(pieces, rest[:n]), rest[n:]
				}
				text, calls := parsed(newToolParser(c.use, hash), pieces)
				require.Equal(t, c.text, text, "%q", pieces)
				require.Equal(t, c.calls, calls, "%q", pieces)
			}
		})
	}
	text, calls := parsed(newToolParser(toolUse{}, hash), []string{`{"name":"clock"}`})
	require.Equal(t, `{"name":"clock"}`, text, "without tools text is text")
	require.Empty(t, calls)
}

func answers(pieces ...string) *service {
	return &service{infer: func(_ context.Context, r Request, onText func(Delta) error) (Answer, error) {
		for _, p := range pieces {
			if err := onText(Delta{Text: p}); err != nil {
				return Answer{}, err
			}
		}
		return answerTo(r, strings.Join(pieces, "")), nil
	}}
}

// What a request says of tools reaches the worker as the template is to read it, and a
// required choice as a schema.
func TestToolsReachTheWorker(t *testing.T) {
	for name, c := range map[string]struct {
		choice, schema string
		told           bool
	}{
		"default":              {"", "", true},
		"auto":                 {`"auto"`, "", true},
		"none":                 {`"none"`, "", false},
		"named":                {`{"type":"function","function":{"name":"weather"}}`, `{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`, true},
		"named, no parameters": {`{"type":"function","function":{"name":"clock"}}`, `{"type":"object","properties":{}}`, true},
		"required": {`"required"`, `{"anyOf":[{"type":"object","properties":{"arguments":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]},"name":{"const":"weather"}},"required":["name","arguments"]},` +
			`{"type":"object","properties":{"arguments":{"type":"object","properties":{}},"name":{"const":"clock"}},"required":["name","arguments"]}]}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := answers("Hi")
			extra := `,"chat_template_kwargs": {"enable_thinking": false},"tools": [` + weather + `, ` + clock + `]`
			if c.choice != "" {
				extra += `,"tool_choice":` + c.choice
			}
			status, _, body := send(t, "POST", serve(t, s, nil)+"/v1/chat/completions", fmt.Sprintf(chatBody, extra))
			require.Equal(t, http.StatusOK, status, body)
			r := s.requests()[0]
			require.Equal(t, `{"enable_thinking":false}`, r.TemplateArgs)
			require.Equal(t, c.schema, r.Sampling.Schema)
			require.Equal(t, c.schema != "", r.Sampling.Format == protocol.FormatJSONSchema)
			want := ""
			if c.told {
				want = "[" + weather + "," + clock + "]"
			}
			require.Equal(t, want, r.Tools)
		})
	}
	s := answers("Hi")
	status, _, body := send(t, "POST", serve(t, s, nil)+"/v1/chat/completions", `{"model":"tiny","messages":[{"role":"user","content":"?"},
		{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":"{\"city\": \"<Rom>\"}"}}]},
		{"role":"tool","tool_call_id":"c1","name":"weather","content":"sun"}]}`)
	require.Equal(t, http.StatusOK, status, body)
	require.Equal(t, []protocol.Message{{Role: "user", Content: "?"},
		{Role: "assistant", Fields: `{"tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":{"city":"<Rom>"}}}]}`},
		{Role: "tool", Content: "sun", Fields: `{"name":"weather","tool_call_id":"c1"}`}}, s.requests()[0].Messages)
}

func TestBadToolsAreNamed(t *testing.T) {
	tools := `,"tools":[` + weather + `]`
	for name, c := range map[string]struct{ path, body, param string }{
		"no list":            {"chat/completions", fmt.Sprintf(chatBody, `,"tools":"weather"`), "tools"},
		"another type":       {"chat/completions", fmt.Sprintf(chatBody, `,"tools":[{"type":"browser"}]`), "tools"},
		"no name":            {"chat/completions", fmt.Sprintf(chatBody, `,"tools":[{"type":"function","function":{}}]`), "tools"},
		"an odd name":        {"chat/completions", fmt.Sprintf(chatBody, `,"tools":[{"type":"function","function":{"name":"a b"}}]`), "tools"},
		"twice":              {"chat/completions", fmt.Sprintf(chatBody, `,"tools":[`+clock+`,`+clock+`]`), "tools"},
		"odd parameters":     {"chat/completions", fmt.Sprintf(chatBody, `,"tools":[{"type":"function","function":{"name":"f","parameters":[1]}}]`), "tools"},
		"odd choice":         {"chat/completions", fmt.Sprintf(chatBody, tools+`,"tool_choice":"any"`), "tool_choice"},
		"unknown choice":     {"chat/completions", fmt.Sprintf(chatBody, tools+`,"tool_choice":{"type":"function","function":{"name":"clock"}}`), "tool_choice"},
		"choice of nothing":  {"chat/completions", fmt.Sprintf(chatBody, `,"tool_choice":"required"`), "tool_choice"},
		"a form as well":     {"chat/completions", fmt.Sprintf(chatBody, tools+`,"response_format":{"type":"json_object"}`), "response_format"},
		"a reference":        {"chat/completions", fmt.Sprintf(chatBody, `,"tool_choice":"required","tools":[{"type":"function","function":{"name":"f","parameters":{"$ref":"#/$defs/a"}}}]`), "tools"},
		"template arguments": {"chat/completions", fmt.Sprintf(chatBody, `,"chat_template_kwargs":[1]`), "chat_template_kwargs"},
		"text completion":    {"completions", `{"model":"tiny","prompt":"x"` + tools + `}`, "tools"},
		"a user's call":      {"chat/completions", `{"model":"tiny","messages":[{"role":"user","content":"x","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}]}`, "messages"},
		"no arguments":       {"chat/completions", `{"model":"tiny","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"x"}}]}]}`, "messages"},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, body := send(t, "POST", serve(t, answers("x"), nil)+"/v1/"+c.path, c.body)
			require.Equal(t, http.StatusBadRequest, status, body)
			var e struct {
				Error apiError `json:"error"`
			}
			require.NoError(t, json.Unmarshal([]byte(body), &e))
			require.NotNil(t, e.Error.Param, body)
			require.Equal(t, c.param, *e.Error.Param, body)
		})
	}
	s := &service{infer: func(context.Context, Request, func(Delta) error) (Answer, error) {
		return Answer{}, protocol.Errorf(protocol.KindInvalid, "response_format", "schema at /properties/a: no")
	}}
	status, _, body := send(t, "POST", serve(t, s, nil)+"/v1/chat/completions", fmt.Sprintf(chatBody, tools+`,"tool_choice":"required"`))
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, body, `"param":"tools"`)
	require.Contains(t, body, "/properties/a", "it says where in the parameters")
}

// A call reaches the requester in OpenAI's shape, whole and streamed, and its client reads it.
func TestToolCallsInOpenAIsShape(t *testing.T) {
	const call = `<tool_call>{"name":"weather","arguments":{"city":"Rom"}}</tool_call>`
	tools := `,"tools":[` + weather + `]`
	url := serve(t, answers("I look", ".\n", call[:9], call[9:30], call[30:]), nil)
	status, _, body := send(t, "POST", url+"/v1/chat/completions", fmt.Sprintf(chatBody, tools), "Idempotency-Key", "k")
	require.Equal(t, http.StatusOK, status, body)
	var whole struct {
		Choices []struct {
			Message struct {
				Content   *string         `json:"content"`
				ToolCalls json.RawMessage `json:"tool_calls"`
			} `json:"message"`
			FinishReason string `json:"finish_reason"`
		} `json:"choices"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &whole))
	id := callID(mustID(t, "k"), 0)
	require.JSONEq(t, `[{"id":"`+id+`","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rom\"}"}}]`, string(whole.Choices[0].Message.ToolCalls))
	require.Equal(t, "I look.", *whole.Choices[0].Message.Content)
	require.Equal(t, "tool_calls", whole.Choices[0].FinishReason)

	_, _, body = send(t, "POST", url+"/v1/chat/completions", fmt.Sprintf(chatBody, tools+`,"stream":true`), "Idempotency-Key", "k")
	var deltas []string
	for e := range strings.SplitSeq(strings.TrimSuffix(body, "\n\ndata: [DONE]\n\n"), "\n\n") {
		var chunk struct {
			Choices []struct {
				Delta        json.RawMessage `json:"delta"`
				FinishReason *string         `json:"finish_reason"`
			} `json:"choices"`
		}
		require.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(e, "data: ")), &chunk), e)
		deltas = append(deltas, string(chunk.Choices[0].Delta))
	}
	require.Equal(t, []string{`{"role":"assistant","content":"I look"}`, `{"content":"."}`,
		`{"tool_calls":[{"index":0,"id":"` + id + `","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rom\"}"}}]}`, `{}`}, deltas)
	require.Contains(t, body, `"finish_reason":"tool_calls"`)

	// The arguments of a named function come as they are generated.
	url = serve(t, answers(`{"ci`, `ty":"R`, `om"}`), nil)
	_, _, body = send(t, "POST", url+"/v1/chat/completions", fmt.Sprintf(chatBody, tools+`,"stream":true,"tool_choice":{"type":"function","function":{"name":"weather"}}`))
	require.Equal(t, 3, strings.Count(body, `"tool_calls":[{"index":0`))
	require.Equal(t, 1, strings.Count(body, `"name":"weather"`))
	require.Contains(t, body, `{"tool_calls":[{"index":0,"function":{"arguments":"ty\":\"R"}}]}`)
	require.Contains(t, body, `"finish_reason":"stop"`)

	_, _, body = send(t, "POST", url+"/v1/chat/completions", fmt.Sprintf(chatBody, ""))
	require.NotContains(t, body, "tool_calls", "without tools JSON is text")
}

func mustID(t *testing.T, key string) protocol.Hash {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/", nil)
	require.NoError(t, err)
	r.Header.Set("Idempotency-Key", key)
	id, err := requestID(r, &Caller{Account: tenant})
	require.NoError(t, err)
	return id
}
