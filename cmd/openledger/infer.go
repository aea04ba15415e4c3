package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/openai/openai-go"
	"github.com/openai/openai-go/option"
	"github.com/openai/openai-go/shared"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// sampling are the flags that infer and chat share.
type sampling struct {
	temperature float64
	topP        float64
	topK        int
	minP        float64
	repetition  float64
	presence    float64
	frequency   float64
	bias        map[string]string
	stop        []string
	maxTokens   int64
	seed        int64
	system      string
	jsonObject  bool
	schema      string // file
	logprobs    int
	retrieve    []string // datanets
	sources     int
	pay         bool
	max         string // OPEN
	payer       *client.Payer
}

func (s *sampling) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Float64Var(&s.temperature, "temperature", 0, "0 always takes the likeliest token")
	f.Float64Var(&s.topP, "top-p", 1, "draw from the likeliest tokens that make up this mass")
	f.IntVar(&s.topK, "top-k", 0, "draw from that many likeliest tokens; 0 from all")
	f.Float64Var(&s.minP, "min-p", 0, "drop tokens less likely than this share of the likeliest")
	f.Float64Var(&s.repetition, "repetition-penalty", 1, "divide the scores of tokens that occurred, prompt included")
	f.Float64Var(&s.presence, "presence-penalty", 0, "subtract from the scores of tokens in the answer, -2 to 2")
	f.Float64Var(&s.frequency, "frequency-penalty", 0, "the same for each time that they occur")
	f.StringToStringVar(&s.bias, "logit-bias", nil, "add to tokens' scores: ID=BIAS, separated by commas")
	f.StringArrayVar(&s.stop, "stop", nil, "end the answer before this text; may be given four times")
	f.BoolVar(&s.jsonObject, "json-object", false, "the answer is a JSON object")
	f.StringVar(&s.schema, "schema", "", "the answer is JSON that the schema in this file allows")
	f.IntVar(&s.logprobs, "logprobs", -1, "with --json: log-probabilities of each token and of so many likeliest ones")
	f.Int64Var(&s.maxTokens, "max-tokens", 128, "longest answer")
	f.Int64Var(&s.seed, "seed", 0, "seed of the drawing")
	f.StringVar(&s.system, "system", "", "system message")
	f.StringSliceVar(&s.retrieve, "retrieve", nil, "let the answer read these datanets, by number or name, and cite them")
	f.IntVar(&s.sources, "sources", 3, "with --retrieve: records of each datanet at most")
	f.BoolVar(&s.pay, "pay", false, "pay for each answer with a signature of --as, without an API key (HTTP 402)")
	f.StringVar(&s.max, "max", "1", "with --pay: OPEN that may be spent at most")
}

// answer is what infer prints.
type answer struct {
	Text    string        `json:"text"`
	Finish  string        `json:"finish_reason"`
	Prompt  int64         `json:"prompt_tokens"`
	Output  int64         `json:"completion_tokens"`
	Fee     string        `json:"fee"` // wei
	Receipt protocol.Hash `json:"receipt"`

	LogProbs []openai.ChatCompletionTokenLogprob `json:"logprobs,omitempty"`
	// What it read, and how that was found.
	Citations []api.Citation     `json:"citations,omitempty"`
	Retrieval []api.RetrievalUse `json:"retrieval,omitempty"`
}

// ask sends a chat to the coordinator with OpenAI's own client and streams the answer.
func (c *cli) ask(ctx context.Context, model string, s *sampling, messages []openai.ChatCompletionMessageParamUnion, onText func(string)) (answer, error) {
	options := []option.RequestOption{option.WithBaseURL(c.api + "/v1")}
	switch {
	case s.pay:
		if err := s.open(ctx, c); err != nil {
			return answer{}, err
		}
		options = append(options, option.WithAPIKey(api.NoKey), option.WithHTTPClient(&http.Client{Transport: s.payer}), option.WithMaxRetries(0)) // a retry would be paid anew
	case c.apiKey == "":
		return answer{}, protocol.Errorf(protocol.KindUnauthorized, "api key", "there is none: set $OPENLEDGER_API_KEY, or put it in the file api.key in the home; 'openledger coordinator key' issues one; or pay for each answer with --pay")
	default:
		options = append(options, option.WithAPIKey(c.apiKey), option.WithMaxRetries(1))
	}
	oa := openai.NewClient(options...)
	params, err := s.params(model, messages)
	if err != nil {
		return answer{}, err
	}
	stream := oa.Chat.Completions.NewStreaming(ctx, params)
	var a answer
	var text strings.Builder
	for stream.Next() {
		chunk := stream.Current()
		for _, choice := range chunk.Choices {
			text.WriteString(choice.Delta.Content)
			onText(choice.Delta.Content)
			a.LogProbs = append(a.LogProbs, choice.Logprobs.Content...)
			if choice.FinishReason != "" {
				a.Finish = choice.FinishReason
			}
			if raw := choice.Delta.JSON.ExtraFields["openledger"].Raw(); raw != "" {
				if err := json.Unmarshal([]byte(raw), &a); err != nil { // citations and retrieval
					return a, fmt.Errorf("citations in the answer: %w", err)
				}
			}
		}
		if u := chunk.Usage; u.TotalTokens > 0 {
			a.Prompt, a.Output = u.PromptTokens, u.CompletionTokens
			a.Fee = strings.Trim(u.JSON.ExtraFields["fee"].Raw(), `"`)
			if err := a.Receipt.UnmarshalText([]byte(strings.Trim(u.JSON.ExtraFields["receipt"].Raw(), `"`))); err != nil {
				return a, fmt.Errorf("receipt in the answer: %w", err)
			}
		}
	}
	a.Text = text.String()
	return a, c.whyNot(ctx, stream.Err())
}

// open makes the payer, once for all answers.
func (s *sampling) open(ctx context.Context, c *cli) error {
	if s.payer != nil {
		return nil
	}
	most, err := node.ParseOpen("max", s.max)
	if err != nil {
		return err
	}
	key, err := c.signer()
	if err != nil {
		return err
	}
	_, info, ch, err := c.network(ctx)
	if err != nil {
		return err
	}
	ch.Close()
	s.payer = &client.Payer{Signer: key, Domain: wire.Domain{ChainID: info.ChainID, Contract: info.Contracts.Escrow}, PayTo: info.SessionKey, Max: most, Next: http.DefaultTransport}
	return nil
}

// params are the request to OpenAI's client; what is not OpenAI's goes beside.
func (s *sampling) params(model string, messages []openai.ChatCompletionMessageParamUnion) (openai.ChatCompletionNewParams, error) {
	p := openai.ChatCompletionNewParams{
		Model: model, Messages: messages, Temperature: openai.Float(s.temperature), TopP: openai.Float(s.topP),
		MaxCompletionTokens: openai.Int(s.maxTokens), Seed: openai.Int(s.seed),
		PresencePenalty: openai.Float(s.presence), FrequencyPenalty: openai.Float(s.frequency),
		StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)},
	}
	ours := map[string]any{"top_k": s.topK, "min_p": s.minP, "repetition_penalty": s.repetition}
	if len(s.bias) > 0 {
		bias := map[string]float64{}
		for id, v := range s.bias {
			n, err := strconv.ParseFloat(v, 64)
			if err != nil {
				return p, protocol.Errorf(protocol.KindInvalid, "logit-bias", "%q is not a number: give ID=BIAS", v)
			}
			bias[id] = n
		}
		ours["logit_bias"] = bias // OpenAI's client has whole numbers only
	}
	if len(s.stop) > 0 {
		p.Stop.OfStringArray = s.stop
	}
	if s.logprobs >= 0 {
		p.Logprobs = openai.Bool(true)
		p.TopLogprobs = openai.Int(int64(s.logprobs))
	}
	switch {
	case s.schema != "" && s.jsonObject:
		return p, protocol.Errorf(protocol.KindInvalid, "schema", "it says more than --json-object: give one of them")
	case s.schema != "":
		schema, err := os.ReadFile(s.schema)
		if err != nil {
			return p, protocol.Errorf(protocol.KindInvalid, "schema", "%w", err)
		}
		if !json.Valid(schema) {
			return p, protocol.Errorf(protocol.KindInvalid, "schema", "%s is not JSON", s.schema)
		}
		p.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
			Name: "schema", Strict: openai.Bool(true), Schema: json.RawMessage(schema)}}
	case s.jsonObject:
		p.ResponseFormat.OfJSONObject = &shared.ResponseFormatJSONObjectParam{}
	}
	if len(s.retrieve) > 0 {
		ours["retrieval"] = retrievalOf(s.retrieve, s.sources)
	}
	p.SetExtraFields(ours)
	return p, nil
}

// retrievalOf is the member of a request that names the datanets that its answer reads.
func retrievalOf(datanets []string, sources int) (read []map[string]any) {
	for _, d := range datanets {
		one := map[string]any{"datanet": d, "top_k": sources}
		if id, err := strconv.ParseUint(d, 10, 64); err == nil {
			one["datanet"] = id
		}
		read = append(read, one)
	}
	return read
}

// whyNot says in our words why the API did not answer.
func (c *cli) whyNot(ctx context.Context, err error) error {
	var refused *openai.Error
	var unreachable *url.Error
	var ours *protocol.Error
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case errors.As(err, &ours): // of a payment
		return ours
	case errors.As(err, &refused) && refused.Message != "":
		return errors.New(refused.Message)
	case errors.As(err, &unreachable):
		return protocol.Errorf(protocol.KindUnavailable, "api", "no coordinator answers at %s (%w): is 'openledger devnet' running?", c.api, err)
	}
	return err
}

func chatOf(s sampling, turns ...openai.ChatCompletionMessageParamUnion) []openai.ChatCompletionMessageParamUnion {
	if s.system == "" {
		return turns
	}
	return append([]openai.ChatCompletionMessageParamUnion{openai.SystemMessage(s.system)}, turns...)
}

func newInfer(c *cli) *cobra.Command {
	var s sampling
	cmd := &cobra.Command{
		Use:   "infer MODEL PROMPT",
		Short: "Ask a model one question",
		Example: `  openledger infer fable-lessons 'What is the lesson of "The Frogs and the Ox"?'
  openledger infer fable-lessons 'What is the lesson of "The Old Lion"?' --json
  openledger infer openledger-tiny 'What is the lesson of the old lion?' --retrieve fables
  openledger infer openledger-tiny 'Once upon a time' --pay --max 0.01 --as bob`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := c.ask(cmd.Context(), args[0], &s, chatOf(s, openai.UserMessage(args[1])), func(t string) {
				if !c.json {
					fmt.Fprint(c.out, t)
				}
			})
			if err != nil {
				return err
			}
			return c.print(a, func(w io.Writer) {
				fmt.Fprintln(w)
				c.say("%s", a.footer())
			})
		},
	}
	s.flags(cmd)
	return cmd
}

func (a answer) footer() string {
	var cited strings.Builder
	for _, c := range a.Citations {
		fmt.Fprintf(&cited, "[%d] %s (datanet %d, version %d, record %s, weight %.1f %%)\n    %s\n", c.Number, c.Title, c.Datanet, c.Version, c.CID,
			float64(c.Weight)*100/protocol.WeightScale, strings.ReplaceAll(c.Excerpt, "\n", "\n    "))
	}
	for _, u := range a.Retrieval {
		if len(a.Citations) == 0 {
			fmt.Fprintf(&cited, "nothing was found in datanet %d\n", u.Datanet)
		}
		if u.Method == api.MethodBM25 && u.Embedded < u.Records {
			fmt.Fprintf(&cited, "found by words alone: %d of %d records of datanet %d have vectors ('openledger datanet embed %d')\n", u.Embedded, u.Records, u.Datanet, u.Datanet)
		}
	}
	fee := a.Fee
	if v, err := parseWei(a.Fee); err == nil {
		fee = node.FormatOpen(v) + " OPEN"
	}
	return cited.String() + fmt.Sprintf("[%d + %d tokens, %s, receipt %s]", a.Prompt, a.Output, fee, a.Receipt)
}

func newChat(c *cli) *cobra.Command {
	var s sampling
	cmd := &cobra.Command{
		Use:     "chat MODEL",
		Short:   "Talk to a model, turn by turn",
		Example: "  openledger chat fable-lessons\n  echo 'What is the lesson of \"The Old Lion\"?' | openledger chat fable-lessons",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			turns := chatOf(s)
			in := bufio.NewScanner(c.in)
			in.Buffer(nil, protocol.MaxPromptBytes)
			for {
				fmt.Fprint(c.err, "> ")
				if !in.Scan() {
					fmt.Fprintln(c.err)
					return in.Err()
				}
				line := strings.TrimSpace(in.Text())
				if line == "" {
					continue
				}
				turns = append(turns, openai.UserMessage(line))
				a, err := c.ask(cmd.Context(), args[0], &s, turns, func(t string) {
					if !c.json {
						fmt.Fprint(c.out, t)
					}
				})
				if err != nil {
					return err
				}
				turns = append(turns, openai.AssistantMessage(a.Text))
				if err := c.print(a, func(w io.Writer) {
					fmt.Fprintln(w)
					c.say("%s", a.footer())
				}); err != nil {
					return err
				}
			}
		},
	}
	s.flags(cmd)
	return cmd
}
