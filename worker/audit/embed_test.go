package audit

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// embedding runs an embedding job as a worker does.
func (b *bench) embedding(t *testing.T, inputs ...protocol.EmbeddingInput) protocol.Evidence {
	t.Helper()
	job := protocol.InferenceJob{ID: protocol.Hash{7}, Requester: protocol.Account{2}, Base: b.Base, Price: protocol.Price{InputPer1K: *uint256.NewInt(1e15)},
		Embedding: &protocol.EmbeddingJob{Algorithm: protocol.EmbeddingAlgorithm, Inputs: inputs}}
	e := protocol.Evidence{Job: job, Profile: Profile, FinishedBy: "stop", Attribution: protocol.Attribution{Algorithm: NoAttribution, Pool: protocol.WeightScale}}
	var err error
	e.Prompt, err = Prompt(b.Tokenizer, job)
	require.NoError(t, err)
	e.Vectors, err = b.embed(t.Context(), job.Embedding)
	require.NoError(t, err)
	return e
}

// PyTorch pools transformers' hidden states to the same vectors (testdata/embeddings.py).
func TestEmbedding_OfTheBase_AgreesWithPyTorch(t *testing.T) {
	b := newBench(t)
	raw, err := os.ReadFile("testdata/embeddings.json")
	require.NoError(t, err)
	var golden []struct {
		Text   string    `json:"text"`
		Tokens []uint32  `json:"tokens"`
		Vector []float64 `json:"vector"`
	}
	require.NoError(t, json.Unmarshal(raw, &golden))
	require.NotEmpty(t, golden)
	for _, g := range golden {
		e := b.embedding(t, protocol.EmbeddingInput{Text: g.Text}, protocol.EmbeddingInput{Tokens: g.Tokens})
		require.Equal(t, slices.Concat(g.Tokens, g.Tokens), e.Prompt)
		width := len(g.Vector)
		require.Len(t, e.Vectors, 2*width)
		require.Equal(t, e.Vectors[:width], e.Vectors[width:], "text is its tokens")
		var square float64
		for i, v := range g.Vector {
			require.InDelta(t, v, e.Vectors[i], 1e-5, "%q number %d", g.Text, i)
			square += float64(e.Vectors[i]) * float64(e.Vectors[i])
		}
		require.InDelta(t, 1, math.Sqrt(square), 1e-6)
	}
}

func TestAudit_Embedding(t *testing.T) {
	b := newBench(t)
	for name, c := range map[string]struct {
		lie  func(*protocol.Evidence)
		want []string
	}{
		"honest":                  {func(*protocol.Evidence) {}, nil},
		"a number off by one bit": {func(e *protocol.Evidence) { e.Vectors[300] = math.Nextafter32(e.Vectors[300], 2) }, []string{StepOutput}},
		"swapped":                 {func(e *protocol.Evidence) { e.Vectors = slices.Concat(e.Vectors[256:], e.Vectors[:256]) }, []string{StepOutput}},
		"cut":                     {func(e *protocol.Evidence) { e.Vectors = slices.Concat(e.Vectors[:128], e.Vectors[256:384]) }, []string{StepOutput}},
		"unknown algorithm":       {func(e *protocol.Evidence) { e.Job.Embedding.Algorithm = "last-token" }, []string{StepOutput}},
		"of another text":         {func(e *protocol.Evidence) { e.Job.Embedding.Inputs[0].Text = "the cock" }, []string{StepPrompt}},
		"more tokens":             {func(e *protocol.Evidence) { e.Prompt = append(e.Prompt, 5) }, []string{StepPrompt}},
		"attributed": {func(e *protocol.Evidence) {
			e.Attribution.Shares = []protocol.RecordShare{{Record: protocol.Hash{1}, Contributor: protocol.Account{1}, Weight: protocol.WeightScale}}
			e.Attribution.Pool = 0
		}, []string{StepNone}},
	} {
		t.Run(name, func(t *testing.T) {
			e := b.embedding(t, protocol.EmbeddingInput{Text: "the hen"}, protocol.EmbeddingInput{Text: "an ox"})
			c.lie(&e)
			s := b.sign(t, e, func(r *protocol.Receipt) { r.OutputHash = wire.VectorsHash(e.Vectors) })
			r, err := b.Audit(t.Context(), s, e, nil)
			require.NoError(t, err)
			require.Equal(t, c.want, failed(r), "%+v", r)
		})
	}
}
