package api

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// embedder answers each input with the vector (length of its text, its number of tokens).
func embedder() *service {
	return &service{infer: func(_ context.Context, r Request, _ func(Delta) error) (Answer, error) {
		a := answerTo(r, "")
		a.Receipt.Receipt.OutputTokens = 0
		for _, in := range r.Embedding.Inputs {
			a.Vectors = append(a.Vectors, float32(len(in.Text)), float32(len(in.Tokens)))
		}
		return a, nil
	}}
}

func TestOfficialClientEmbeddings(t *testing.T) {
	s := embedder()
	c := official(serve(t, s, nil), testKey)
	one, err := c.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: "tiny", Input: openai.EmbeddingNewParamsInputUnion{OfString: openai.String("hen")}})
	require.NoError(t, err)
	require.EqualValues(t, "list", one.Object)
	require.Len(t, one.Data, 1)
	require.EqualValues(t, "embedding", one.Data[0].Object)
	require.Equal(t, []float64{3, 0}, one.Data[0].Embedding)
	require.EqualValues(t, 7, one.Usage.PromptTokens)
	require.EqualValues(t, 7, one.Usage.TotalTokens)
	require.Equal(t, hugeText, one.Usage.JSON.ExtraFields["fee"].Raw())
	asked := s.requests()[0]
	require.Equal(t, `"`+asked.ID.Hex()+`"`, one.Usage.JSON.ExtraFields["receipt"].Raw())
	require.Equal(t, &protocol.EmbeddingJob{Algorithm: protocol.EmbeddingAlgorithm, Inputs: []protocol.EmbeddingInput{{Text: "hen"}}}, asked.Embedding)

	tokens, err := c.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: "tiny", Dimensions: openai.Int(2),
		Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfTokenArrays: [][]int64{{1, 2, 3}, {4}}}})
	require.NoError(t, err)
	require.Equal(t, []float64{0, 1}, tokens.Data[1].Embedding)
	require.EqualValues(t, 1, tokens.Data[1].Index)
	require.Equal(t, 2, s.requests()[1].Embedding.Dimensions)
}

// More inputs than a job holds go as several jobs, whose IDs follow from the key: asked
// again they are the same.
func TestEmbeddings_ManyInputs_AreCutIntoJobs(t *testing.T) {
	s := embedder()
	url := serve(t, s, nil) + "/v1/embeddings"
	var list []string
	for i := range 70 {
		list = append(list, `"`+strings.Repeat("x", i+1)+`"`)
	}
	body := `{"model":"tiny","encoding_format":"base64","input":[` + strings.Join(list, ",") + `]}`
	var out struct {
		Data []struct {
			Index     int    `json:"index"`
			Embedding string `json:"embedding"`
		} `json:"data"`
		Usage struct {
			PromptTokens int             `json:"prompt_tokens"`
			Receipts     []protocol.Hash `json:"receipts"`
		} `json:"usage"`
	}
	var receipts []protocol.Hash
	for range 2 {
		status, _, answer := send(t, "POST", url, body, "Idempotency-Key", "seventy")
		require.Equal(t, http.StatusOK, status, answer)
		require.NoError(t, json.Unmarshal([]byte(answer), &out))
		require.Len(t, out.Data, 70)
		for i, d := range out.Data {
			raw, err := base64.StdEncoding.DecodeString(d.Embedding)
			require.NoError(t, err)
			require.Len(t, raw, 8)
			require.Equal(t, float32(i+1), math.Float32frombits(binary.LittleEndian.Uint32(raw)), "vectors come in the order of the inputs")
			require.Equal(t, i, d.Index)
		}
		require.Equal(t, 21, out.Usage.PromptTokens)
		require.Len(t, out.Usage.Receipts, 3)
		if receipts != nil {
			require.Equal(t, receipts, out.Usage.Receipts)
		}
		receipts = out.Usage.Receipts
	}
}

func TestEmbeddings_BadInput_NamesTheField(t *testing.T) {
	s := embedder()
	url := serve(t, s, nil) + "/v1/embeddings"
	for body, param := range map[string]string{
		`{"input":"x"}`:                                                      "model",
		`{"model":"tiny"}`:                                                   "input",
		`{"model":"tiny","input":[]}`:                                        "input",
		`{"model":"tiny","input":""}`:                                        "input",
		`{"model":"tiny","input":["a",""]}`:                                  "input",
		`{"model":"tiny","input":[[]]}`:                                      "input",
		`{"model":"tiny","input":[-1]}`:                                      "input",
		`{"model":"tiny","input":[1.5]}`:                                     "input",
		`{"model":"tiny","input":{"a":1}}`:                                   "input",
		`{"model":"tiny","input":"x","encoding_format":"int8"}`:              "encoding_format",
		`{"model":"tiny","input":"x","dimensions":0}`:                        "dimensions",
		`{"model":"tiny","input":["a"` + strings.Repeat(`,"a"`, 2048) + `]}`: "input",
		`{"model":"tiny","input":"` + strings.Repeat("a", protocol.MaxPromptBytes+1) + `"}`: "input",
	} {
		status, _, answer := send(t, "POST", url, body)
		require.Equal(t, http.StatusBadRequest, status, "%.80s", body)
		require.Contains(t, answer, fmt.Sprintf(`"param":%q`, param), "%.80s", body)
	}
	require.Empty(t, s.requests(), "nothing was asked of a worker")
}
