package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/openai/openai-go"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// tools is a toolbox with one tool, which echoes.
type tools struct {
	mu     sync.Mutex
	err    error
	result string // in place of the echo
	calls  []string
	closed int
}

func (b *tools) Functions(context.Context) ([]json.RawMessage, error) {
	return []json.RawMessage{json.RawMessage(`{"type":"function","function":{"name":"forecast","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}`)}, b.err
}

func (b *tools) Call(_ context.Context, name string, arguments json.RawMessage, id string) (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, fmt.Sprintf("%s %s %t", name, arguments, strings.HasPrefix(id, "call_")))
	if b.result != "" {
		return b.result, false
	}
	return "sun: " + string(arguments), strings.Contains(string(arguments), "storm")
}

func (b *tools) Close() { b.closed++ }

// guide is a coordinator whose agent has a tool; each round says the next text, the last
// one for ever.
func guide(box *tools, say ...string) *service {
	s := &service{box: box}
	round := 0
	s.infer = func(_ context.Context, r Request, onText func(Delta) error) (Answer, error) {
		text := say[min(round, len(say)-1)]
		round++
		half := len(text) / 2
		for _, t := range []string{text[:half], text[half:]} {
			if err := onText(Delta{Text: t}); err != nil {
				return Answer{}, err
			}
		}
		return answerTo(r, text), nil
	}
	return s
}

func toolCallOf(name, city string) string {
	return fmt.Sprintf(`<tool_call>{"name":%q,"arguments":{"city":%q}}</tool_call>`, name, city)
}

const (
	asksGuide = `{"model":"agent/guide","messages":[{"role":"user","content":"Graz?"}],"max_tokens":100%s}`
	ownTool   = `{"type":"function","function":{"name":"book","parameters":{"type":"object","properties":{}}}}`
)

type said struct {
	Choices []struct {
		Message struct {
			Content   *string    `json:"content"`
			ToolCalls []toolCall `json:"tool_calls"`
			Ours      struct {
				Tools []ToolRun `json:"tools"`
			} `json:"openledger"`
		} `json:"message"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage usage `json:"usage"`
}

func (s *said) text() string {
	if c := s.Choices[0].Message.Content; c != nil {
		return *c
	}
	return ""
}

func asked(t *testing.T, url, more string, header ...string) *said {
	t.Helper()
	status, _, body := send(t, "POST", url+"/v1/chat/completions", fmt.Sprintf(asksGuide, more), header...)
	require.Equal(t, http.StatusOK, status, body)
	var out said
	require.NoError(t, json.Unmarshal([]byte(body), &out))
	require.Len(t, out.Choices, 1)
	return &out
}

// What the model asks of its agent's tools is run, and it is asked again with what they
// gave; usage adds the rounds up and names the receipts of all.
func TestRounds_ToolsAreRunAndPaid(t *testing.T) {
	box := &tools{}
	s := guide(box, "I look. "+toolCallOf("forecast", "Graz")+toolCallOf("forecast", "storm"), "Sunny.")
	out := asked(t, serve(t, s, nil), "")
	require.Equal(t, "I look.\nSunny.", out.text())
	require.Equal(t, "stop", out.Choices[0].FinishReason)
	require.Empty(t, out.Choices[0].Message.ToolCalls, "the requester has nothing to run")
	require.Equal(t, []string{`forecast {"city":"Graz"} true`, `forecast {"city":"storm"} true`}, box.calls)
	require.Equal(t, 1, box.closed)

	require.Len(t, s.asked, 2)
	first, second := s.asked[0], s.asked[1]
	require.NotEqual(t, first.ID, second.ID)
	require.Contains(t, first.Tools, `"forecast"`)
	require.Equal(t, first.Tools, second.Tools)
	require.Equal(t, uint64(8), second.Agent.ID)
	require.Equal(t, 97, second.Sampling.MaxTokens, "max_tokens is for all rounds: one took 3")
	m := second.Messages
	require.Equal(t, first.Messages, m[:2])
	require.Equal(t, "assistant I look.", m[2].Role+" "+m[2].Content)
	runs := out.Choices[0].Message.Ours.Tools
	require.Equal(t, `{"tool_calls":[{"id":"`+runs[0].ID+`","type":"function","function":{"name":"forecast","arguments":{"city":"Graz"}}},{"id":"`+runs[1].ID+
		`","type":"function","function":{"name":"forecast","arguments":{"city":"storm"}}}]}`, m[2].Fields)
	require.Equal(t, protocol.Message{Role: "tool", Content: `sun: {"city":"Graz"}`, Fields: `{"name":"forecast","tool_call_id":"` + runs[0].ID + `"}`}, m[3])
	require.Equal(t, `error: sun: {"city":"storm"}`, m[4].Content)
	require.Equal(t, ToolRun{Round: 1, Receipt: first.ID, ID: runs[0].ID, Name: "forecast", Arguments: `{"city":"Graz"}`, Result: m[3].Content}, runs[0])
	require.True(t, runs[1].Failed)

	require.Equal(t, []protocol.Hash{first.ID, second.ID}, out.Usage.Receipts)
	require.Equal(t, second.ID, out.Usage.Receipt)
	sum := huge
	sum.Add(&sum, &huge)
	require.Equal(t, sum, out.Usage.Fee)
	require.Equal(t, uint32(20), out.Usage.TotalTokens)
}

// OpenAI's client reads a stream with tool rounds; who looks finds the tools in it.
func TestRounds_Stream(t *testing.T) {
	url := serve(t, guide(&tools{}, "I look. "+toolCallOf("forecast", "Graz"), "Sunny."), nil)
	p := question()
	p.Model = "agent/guide"
	p.StreamOptions.IncludeUsage = openai.Bool(true)
	stream := official(url, testKey).Chat.Completions.NewStreaming(t.Context(), p)
	text, reason := "", ""
	var tokens int64
	for stream.Next() {
		chunk := stream.Current()
		for _, c := range chunk.Choices {
			text += c.Delta.Content
			reason += c.FinishReason
			require.Empty(t, c.Delta.ToolCalls)
		}
		tokens = chunk.Usage.TotalTokens
	}
	require.NoError(t, stream.Err())
	require.Equal(t, "I look.\nSunny. stop 20", fmt.Sprintf("%s %s %d", text, reason, tokens))

	status, _, body := send(t, "POST", serve(t, guide(&tools{}, toolCallOf("forecast", "Graz"), "Sunny."), nil)+"/v1/chat/completions", fmt.Sprintf(asksGuide, `,"stream":true`))
	require.Equal(t, http.StatusOK, status)
	var runs []string
	for lines := bufio.NewScanner(strings.NewReader(body)); lines.Scan(); {
		if strings.Contains(lines.Text(), `"tools":[`) {
			runs = append(runs, lines.Text())
		}
	}
	require.Len(t, runs, 1)
	require.Contains(t, runs[0], `"delta":{"role":"assistant","openledger":{"citations":[],"tools":[{"round":1,"receipt":"0x`)
	require.True(t, strings.HasSuffix(body, "data: [DONE]\n\n"))
}

// A call of a function of the requester's goes to the requester, whatever else the turn
// calls; nothing is run then.
func TestRounds_TheRequestersFunctionsAreItsOwn(t *testing.T) {
	box := &tools{}
	for _, turn := range []string{toolCallOf("book", "x"), toolCallOf("forecast", "Graz") + toolCallOf("book", "x")} {
		out := asked(t, serve(t, guide(box, turn, "never"), nil), `,"tools":[`+ownTool+`]`)
		require.Equal(t, "tool_calls", out.Choices[0].FinishReason)
		require.Len(t, out.Choices[0].Message.ToolCalls, 1)
		require.Equal(t, "book", out.Choices[0].Message.ToolCalls[0].Function.Name)
		require.Len(t, out.Usage.Receipts, 1)
	}
	require.Empty(t, box.calls)
	out := asked(t, serve(t, guide(box, toolCallOf("forecast", "Graz"), toolCallOf("book", "x")), nil), `,"tools":[`+ownTool+`]`)
	require.Len(t, box.calls, 1)
	require.Equal(t, "book", out.Choices[0].Message.ToolCalls[0].Function.Name)
	require.Len(t, out.Usage.Receipts, 2)

	_, _, body := send(t, "POST", serve(t, guide(box, "x"), nil)+"/v1/chat/completions", fmt.Sprintf(asksGuide, `,"tools":[`+strings.Replace(ownTool, "book", "forecast", 1)+`]`))
	require.Contains(t, body, "two functions called")
}

// A tool that the request asks for is called once; then the model is free to answer.
func TestRounds_ToolChoice(t *testing.T) {
	box := &tools{}
	for choice, turn := range map[string]string{
		`"required"`: `{"name":"forecast","arguments":{"city":"Graz"}}`,
		`{"type":"function","function":{"name":"forecast"}}`: `{"city":"Graz"}`,
	} {
		s := guide(box, turn, "Sunny.")
		out := asked(t, serve(t, s, nil), `,"tool_choice":`+choice)
		require.Equal(t, "Sunny.", out.text())
		require.Equal(t, "stop", out.Choices[0].FinishReason)
		require.NotEmpty(t, s.asked[0].Sampling.Schema)
		require.Empty(t, s.asked[1].Sampling.Schema)
		require.Equal(t, protocol.FormatText, s.asked[1].Sampling.Format)
		require.Equal(t, `sun: {"city":"Graz"}`, s.asked[1].Messages[3].Content)
	}
	s := guide(&tools{err: protocol.Errorf(protocol.KindUnavailable, "model", "it is down")}, "Hello.")
	url := serve(t, s, nil)
	require.Equal(t, "Hello.", asked(t, url, `,"tool_choice":"none"`).text())
	require.Empty(t, s.asked[0].Tools)
	status, _, body := send(t, "POST", url+"/v1/chat/completions", fmt.Sprintf(asksGuide, ""))
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, "it is down")
	require.Len(t, s.asked, 1, "nothing is asked, and paid, of an agent whose tools are away")
	status, _, body = send(t, "POST", serve(t, guide(box, `{"city":"Gr`), nil)+"/v1/chat/completions", fmt.Sprintf(asksGuide, `,"tool_choice":{"type":"function","function":{"name":"forecast"}}`))
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, body, "allow more tokens")
	require.Contains(t, body, "are made and paid")
}

// A model that calls tools for ever gets an end: of rounds, of tokens, of what tools give.
func TestRounds_AreBounded(t *testing.T) {
	box := &tools{}
	s := guide(box, "Again. "+toolCallOf("forecast", "Graz"))
	out := asked(t, serve(t, s, nil), "")
	require.Len(t, s.asked, maxRounds+1)
	require.Empty(t, s.asked[maxRounds].Tools, "the last round is offered no tool")
	require.Len(t, out.Usage.Receipts, maxRounds+1)
	require.Len(t, box.calls, maxRounds)
	require.Contains(t, out.text(), "<tool_call>", "what it says then is text")

	out = asked(t, serve(t, guide(box, toolCallOf("forecast", "Graz")), nil), `,"max_completion_tokens":5`)
	require.Len(t, out.Usage.Receipts, 2)
	require.Equal(t, "length", out.Choices[0].FinishReason)

	box = &tools{result: strings.Repeat("x", maxToolResults/4)}
	s = guide(box, strings.Repeat(toolCallOf("forecast", "Graz"), maxCallsATurn+1), "Enough.")
	out = asked(t, serve(t, s, nil), "")
	runs := out.Choices[0].Message.Ours.Tools
	require.Len(t, box.calls, 4, "the rest would be too much to read")
	require.Contains(t, runs[4].Result, "bytes already")
	require.Contains(t, runs[maxCallsATurn].Result, "at most 8 calls")
}

// Where the prompt is too long with what tools gave, the model is given less of it.
func TestRounds_LongResultsAreCut(t *testing.T) {
	s := guide(&tools{result: strings.Repeat("é", 5000)}, toolCallOf("forecast", "Graz"), "Sunny.")
	answer := s.infer
	s.infer = func(ctx context.Context, r Request, onText func(Delta) error) (Answer, error) {
		if last := r.Messages[len(r.Messages)-1]; len(last.Content) > 2100 {
			return Answer{}, protocol.Errorf(protocol.KindInvalid, "messages", "too long")
		}
		return answer(ctx, r, onText)
	}
	out := asked(t, serve(t, s, nil), "")
	require.Equal(t, "Sunny.", out.text())
	last := s.asked[len(s.asked)-1]
	require.Len(t, last.Messages[3].Content, 2048)
}

// When a round fails, those before it are paid, and the error says so, in a stream too.
func TestRounds_AnErrorInTheMiddleSaysWhatIsPaid(t *testing.T) {
	for _, stream := range []string{"", `,"stream":true`} {
		s := guide(&tools{}, toolCallOf("forecast", "Graz"))
		answer := s.infer
		s.infer = func(ctx context.Context, r Request, onText func(Delta) error) (Answer, error) {
			if len(r.Messages) > 2 {
				return Answer{}, protocol.Errorf(protocol.KindEscrow, "api_key", "its budget is used up")
			}
			return answer(ctx, r, onText)
		}
		status, _, body := send(t, "POST", serve(t, s, nil)+"/v1/chat/completions", fmt.Sprintf(asksGuide, stream))
		require.Contains(t, body, "its budget is used up (1 rounds of the answer are made and paid with "+huge.Dec()+" wei: receipts "+s.asked[0].ID.Hex()+")")
		require.Contains(t, body, `"code":"insufficient_escrow"`)
		if stream == "" {
			require.Equal(t, http.StatusPaymentRequired, status)
		}
		require.NotContains(t, body, "[DONE]")
	}
}

// The same request again runs no tool again and asks no server what it has.
func TestRounds_TheSameRequestAgain(t *testing.T) {
	box := &tools{}
	turn := "I look. " + toolCallOf("forecast", "Graz")
	s := guide(box, turn, "Sunny.")
	url := serve(t, s, nil)
	first := asked(t, url, "", "Idempotency-Key", "k")
	s.kept = map[protocol.Hash]ReceiptView{}
	for _, r := range s.requests() {
		v := ReceiptView{SignedReceipt: answerTo(r, "").Receipt}
		v.Evidence.Job.Tools, v.Evidence.Job.Messages = r.Tools, r.Messages
		s.kept[r.ID] = v
	}
	box.err, box.result = protocol.Errorf(protocol.KindUnavailable, "", "it is down"), "rain"
	texts := []string{turn, "Sunny."}
	s.infer = func(_ context.Context, r Request, onText func(Delta) error) (Answer, error) {
		text := texts[0]
		texts = texts[1:]
		return answerTo(r, text), onText(Delta{Text: text})
	}
	again := asked(t, url, "", "Idempotency-Key", "k")
	require.Equal(t, first, again)
	require.Len(t, box.calls, 1)
	all := s.requests()
	require.True(t, slices.EqualFunc(all[:2], all[2:], func(x, y Request) bool {
		return x.ID == y.ID && x.Tools == y.Tools && slices.Equal(x.Messages, y.Messages)
	}))
}
