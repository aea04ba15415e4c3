package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/openledger/openledger/worker/engine/sample"
)

// schemas that a random model can end within a few hundred tokens.
var schemas = []string{
	`{"type":"object","properties":{"name":{"type":"string","maxLength":12},"age":{"type":"integer","minimum":0,"maximum":150},"tags":{"type":"array","items":{"enum":["a","b","é"]},"maxItems":3}},"required":["name","age","tags"],"additionalProperties":false}`,
	`{"anyOf":[{"type":"array","items":{"type":"number"},"minItems":1,"maxItems":2},{"type":"string","pattern":"^[a-z]{2,5}$"}]}`,
	`{"type":"object","properties":{"who":{"$ref":"#/$defs/p"}},"required":["who"],"$defs":{"p":{"type":"object","properties":{"id":{"type":"string","format":"uuid"},"ok":{"type":["boolean","null"]}},"required":["id"]}}}`,
}

// shaped requests use every part of sampling.
func shaped(n int) []Request {
	out := requests(n)
	for i := range out {
		s := &out[i].Sampling
		s.MinP = []float32{0, 0.02}[i%2]
		s.RepetitionPenalty = []float32{0, 1.2, 0.9}[i%3]
		s.PresencePenalty, s.FrequencyPenalty = []float32{0, 0.3}[i/2%2], []float32{0, -0.1}[i/3%2]
		if i%4 == 1 {
			s.LogitBias = []sample.Bias{{ID: 5, Bias: 3}, {ID: 70, Bias: -4}, {ID: 300, Bias: 2}}
		}
		s.LogProbs, s.TopLogProbs = i%2 == 0, i%5
		if !s.LogProbs {
			s.TopLogProbs = 0
		}
		if i%3 < 2 {
			s.Stop = nil
			s.MaxTokens = 400
			s.Format = Format{JSON: true, Schema: schemas[i%len(schemas)]}
		}
	}
	return out
}

// full is a result with the log-probabilities of its tokens.
type full struct {
	Result
	LogProbs []LogProbs
}

func generate(t testing.TB, e *Engine, r Request) (full, error) {
	t.Helper()
	var f full
	var err error
	f.Result, err = e.Generate(t.Context(), r, func(tok Token) error {
		if (tok.LogProbs != nil) != (r.Sampling.LogProbs && !tok.TextOnly) {
			return errors.New("log-probabilities come with tokens, and when they are asked for")
		}
		if tok.LogProbs != nil {
			if tok.LogProbs.Chosen.ID != tok.ID || len(tok.LogProbs.Top) != r.Sampling.TopLogProbs {
				return fmt.Errorf("token %d has log-probabilities %+v", tok.ID, tok.LogProbs)
			}
			f.LogProbs = append(f.LogProbs, *tok.LogProbs)
		}
		return nil
	})
	return f, err
}

func checkDocument(t testing.TB, schema, text string) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("s.json", doc))
	s, err := c.Compile("s.json")
	require.NoError(t, err)
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err, text)
	require.NoError(t, s.Validate(v), text)
}

// A random model under a schema writes documents of it; the tokens and the bits of
// log-probabilities depend neither on the batch nor on where the request was resumed.
func TestShapedOutputs(t *testing.T) {
	reqs := shaped(18)
	one := start(t, 1, func(c *Config) { c.MaxBatch = 1; c.PrefillChunk = 512; c.KVTokens = 8192 })
	want := make([]full, len(reqs))
	documents := 0
	for i, r := range reqs {
		var err error
		want[i], err = generate(t, one, r)
		require.NoError(t, err)
		if f := r.Sampling.Format; f.JSON && want[i].FinishReason == FinishStop {
			checkDocument(t, f.Schema, want[i].Text)
			documents++
		}
	}
	require.GreaterOrEqual(t, documents, 9)

	e := start(t, 2, func(c *Config) { c.MaxBatch, c.PrefillChunk, c.KVTokens = 16, 20, 16384 })
	got := make([]full, len(reqs))
	var g errgroup.Group
	for i, r := range reqs {
		g.Go(func() (err error) {
			got[i], err = generate(t, e, r)
			return err
		})
		g.Go(func() error { // beside them, what is wrong is refused
			bad := r
			bad.Sampling.Format = Format{JSON: true, Schema: `{"type":"object","properties":{"x":{"not":{}}}}`}
			_, err := e.Generate(t.Context(), bad, nil)
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "/properties/x") || !strings.Contains(err.Error(), `"not"`) {
				return fmt.Errorf("refused with %w", err)
			}
			return nil
		})
	}
	require.NoError(t, g.Wait())
	require.Equal(t, want, got)

	for i, r := range reqs {
		for _, cut := range []int{1, len(want[i].Tokens) / 2, len(want[i].Tokens)} {
			if cut > len(want[i].Tokens) {
				continue
			}
			r.Resume = want[i].Tokens[:cut]
			rest, err := generate(t, e, r)
			require.NoError(t, err)
			require.Equal(t, want[i].Result, rest.Result, "request %d cut at %d", i, cut)
			if r.Sampling.LogProbs && cut < len(want[i].LogProbs) {
				require.Equal(t, want[i].LogProbs[cut:], rest.LogProbs)
			}
		}
	}
	idle(t, e)
}

func TestJSONObject(t *testing.T) {
	e := start(t, 1, nil)
	ended := 0
	for i := range 30 {
		r := Request{Prompt: []uint32{uint32(i)}, Sampling: Sampling{Temperature: 0.7, TopK: 8, Seed: uint64(i), MaxTokens: 400, Format: Format{JSON: true}, IgnoreEOS: i%2 == 0}}
		got, err := e.Generate(t.Context(), r, nil)
		require.NoError(t, err)
		if got.FinishReason == FinishStop {
			var object map[string]any
			require.NoError(t, json.Unmarshal([]byte(got.Text), &object), got.Text)
			ended++
		} else {
			require.Len(t, got.Tokens, 400)
		}
	}
	require.Positive(t, ended)
}

// What the log-probabilities say is what greedy decoding does, and they sum to 1.
func TestLogProbsAreThoseOfTheModel(t *testing.T) {
	e := start(t, 1, nil)
	got, err := generate(t, e, Request{Prompt: []uint32{3, 1, 4}, Sampling: Sampling{MaxTokens: 12, IgnoreEOS: true, LogProbs: true, TopLogProbs: 20}})
	require.NoError(t, err)
	require.Len(t, got.LogProbs, 12)
	for i, lp := range got.LogProbs {
		require.Equal(t, got.Tokens[i], lp.Top[0].ID, "greedy takes the likeliest")
		require.Equal(t, lp.Chosen, lp.Top[0])
		var sum float64
		for k, p := range lp.Top {
			sum += math.Exp(float64(p.LogProb))
			require.True(t, k == 0 || p.LogProb <= lp.Top[k-1].LogProb)
		}
		require.Less(t, sum, 1.0)
		require.Greater(t, sum, 20.0/384)
	}
}

func TestBadShapes(t *testing.T) {
	e := start(t, 1, nil)
	for name, s := range map[string]Sampling{
		"min_p":              {MinP: 2},
		"repetition_penalty": {RepetitionPenalty: -1},
		"frequency_penalty":  {FrequencyPenalty: float32(math.NaN())},
		"logit_bias":         {LogitBias: []sample.Bias{{ID: 3}, {ID: 3}}},
		"top_logprobs":       {TopLogProbs: 3},
		"format":             {Format: Format{Schema: "{}"}},
		"finite":             {Format: Format{JSON: true, Schema: `{"type":"integer","minimum":3,"maximum":2}`}},
	} {
		s.MaxTokens = 1
		_, err := e.Generate(t.Context(), Request{Prompt: []uint32{1}, Sampling: s}, nil)
		require.ErrorIs(t, err, ErrInvalid, name)
		require.ErrorContains(t, err, name)
	}
	// Tokens that another worker says it delivered, but that the schema does not allow.
	s := Sampling{MaxTokens: 9, Format: Format{JSON: true}}
	_, err := e.Generate(t.Context(), Request{Prompt: []uint32{1}, Resume: e.cfg.Tokenizer.Encode("the"), Sampling: s}, nil)
	require.ErrorIs(t, err, ErrInvalid)
	idle(t, e)
}

// Penalties know every token of the output, those of another worker included.
func TestPenaltiesSeeTheWholeOutput(t *testing.T) {
	e := start(t, 1, nil)
	r := Request{Prompt: []uint32{3, 1, 4}, Sampling: Sampling{MaxTokens: 60, IgnoreEOS: true, PresencePenalty: 90}}
	plain := r
	plain.Sampling.PresencePenalty = 0
	loops, err := e.Generate(t.Context(), plain, nil)
	require.NoError(t, err)
	require.Less(t, len(distinct(loops.Tokens)), 60, "without a penalty the model repeats itself")
	got, err := e.Generate(t.Context(), r, nil)
	require.NoError(t, err)
	require.Len(t, distinct(got.Tokens), 60, "with a high one it does not")
	r.Resume = loops.Tokens[:20]
	got, err = e.Generate(t.Context(), r, nil)
	require.NoError(t, err)
	for _, id := range got.Tokens[20:] {
		require.NotContains(t, r.Resume, id)
	}
	r = Request{Prompt: loops.Tokens, Sampling: Sampling{MaxTokens: 1, IgnoreEOS: true, RepetitionPenalty: 100}}
	got, err = e.Generate(t.Context(), r, nil)
	require.NoError(t, err)
	require.NotContains(t, r.Prompt, got.Tokens[0], "the repetition penalty counts the prompt")
}

func distinct(ids []uint32) map[uint32]bool {
	out := map[uint32]bool{}
	for _, id := range ids {
		out[id] = true
	}
	return out
}
