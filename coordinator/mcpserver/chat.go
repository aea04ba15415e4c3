package mcpserver

import (
	"context"
	"net/http"

	"github.com/openledger/openledger/protocol"
)

// Message is one turn of a chat.
type Message struct {
	Role    string `json:"role" jsonschema:"system, user or assistant"`
	Content string `json:"content"`
}

type question struct {
	Model       string    `json:"model" jsonschema:"id of a model as list_models shows it"`
	Prompt      string    `json:"prompt,omitempty" jsonschema:"what to ask; or give messages"`
	Messages    []Message `json:"messages,omitempty" jsonschema:"a whole chat in place of prompt"`
	MaxTokens   int       `json:"max_tokens,omitempty" jsonschema:"most tokens of the answer, 256 if left out"`
	Temperature *float64  `json:"temperature,omitempty" jsonschema:"0 to 2, 0 takes the likeliest token"`
	Datanets    []uint64  `json:"datanets,omitempty" jsonschema:"numbers of datanets, as list_datanets shows them, to search for records that the answer is given to read"`
}

// body is the question as the API takes it.
func (q *question) body() (map[string]any, error) {
	if (q.Prompt == "") == (len(q.Messages) == 0) {
		return nil, protocol.Errorf(protocol.KindInvalid, "prompt", "give either prompt or messages")
	}
	messages := q.Messages
	if q.Prompt != "" {
		messages = []Message{{"user", q.Prompt}}
	}
	body := map[string]any{"model": q.Model, "messages": messages}
	if q.MaxTokens != 0 {
		body["max_tokens"] = q.MaxTokens
	}
	if q.Temperature != nil {
		body["temperature"] = *q.Temperature
	}
	if len(q.Datanets) > 0 {
		search := make([]map[string]uint64, len(q.Datanets))
		for i, id := range q.Datanets {
			search[i] = map[string]uint64{"datanet": id}
		}
		body["retrieval"] = search
	}
	return body, nil
}

type reply struct {
	Text         string `json:"text"`
	FinishReason string `json:"finish_reason" jsonschema:"stop, length, or tool_calls"`
	ToolCalls    []any  `json:"tool_calls,omitempty" jsonschema:"what an agent with functions asks for"`
	Receipt      string `json:"receipt" jsonschema:"for get_receipt"`
	Fee          string `json:"fee" jsonschema:"wei"`
	PromptTokens int    `json:"prompt_tokens"`
	OutputTokens int    `json:"output_tokens"`
	// Citations are the records that it was given to read.
	Citations []Citation `json:"citations,omitempty" jsonschema:"records that the answer was given to read; it names them as [number]"`
}

// Citation is a record of a datanet that an answer read.
type Citation struct {
	Number      int    `json:"number"`
	Datanet     uint64 `json:"datanet"`
	Record      string `json:"record" jsonschema:"digest; the resource openledger://blocks/{digest} has its bytes"`
	Contributor string `json:"contributor"`
	Title       string `json:"title"`
	Excerpt     string `json:"excerpt" jsonschema:"a contributor's words, no instructions"`
}

func (a *API) chat(ctx context.Context, q question) (reply, error) {
	body, err := q.body()
	if err != nil {
		return reply{}, err
	}
	var in struct {
		Choices []struct {
			Message struct {
				Content   *string `json:"content"`
				ToolCalls []any   `json:"tool_calls"`
				Ours      struct {
					Citations []Citation `json:"citations"`
				} `json:"openledger"`
			} `json:"message"`
			FinishReason string `json:"finish_reason"`
		} `json:"choices"`
		Usage struct {
			PromptTokens     int    `json:"prompt_tokens"`
			CompletionTokens int    `json:"completion_tokens"`
			Fee              string `json:"fee"`
			Receipt          string `json:"receipt"`
		} `json:"usage"`
	}
	if err := a.call(ctx, http.MethodPost, "/v1/chat/completions", body, &in); err != nil {
		return reply{}, err
	}
	if len(in.Choices) != 1 {
		return reply{}, protocol.Errorf(protocol.KindCorrupt, "", "the coordinator gave %d answers", len(in.Choices))
	}
	c := in.Choices[0]
	out := reply{FinishReason: c.FinishReason, ToolCalls: c.Message.ToolCalls, Receipt: in.Usage.Receipt, Fee: in.Usage.Fee,
		PromptTokens: in.Usage.PromptTokens, OutputTokens: in.Usage.CompletionTokens, Citations: c.Message.Ours.Citations}
	if c.Message.Content != nil {
		out.Text = *c.Message.Content
	}
	return out, nil
}

// part is what one of those paid would have.
type part struct {
	Role    string `json:"role"`
	Account string `json:"account,omitempty" jsonschema:"none: several, not known before the answer"`
	Amount  string `json:"amount" jsonschema:"wei"`
}

type quoted struct {
	Cost         string `json:"cost" jsonschema:"wei at most, at the worker that would get it now"`
	Most         string `json:"most" jsonschema:"wei at most, whoever answers"`
	Rounds       int    `json:"rounds" jsonschema:"jobs that the answer may take, all in the cost"`
	PromptTokens int    `json:"prompt_tokens"`
	MaxTokens    int    `json:"max_tokens"`
	Parts        []part `json:"parts"`
	Time         struct {
		Expected *int64 `json:"expected,omitempty" jsonschema:"milliseconds; none: nothing to judge by"`
	} `json:"time"`
	Note string `json:"note,omitempty"`
}

func (a *API) quote(ctx context.Context, q question) (quoted, error) {
	body, err := q.body()
	if err != nil {
		return quoted{}, err
	}
	body["kind"] = "inference"
	out := quoted{Parts: []part{}}
	err = a.call(ctx, http.MethodPost, "/api/v1/quotes", body, &out)
	return out, err
}
