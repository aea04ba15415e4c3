package wire

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func embeddingEvidence() protocol.Evidence {
	e := sampleEvidence()
	e.Job.Adapter, e.Job.Messages, e.Job.Sampling = "", nil, protocol.Sampling{}
	e.Job.Embedding = &protocol.EmbeddingJob{Algorithm: protocol.EmbeddingAlgorithm, Dimensions: 2,
		Inputs: []protocol.EmbeddingInput{{Text: "hen"}, {Tokens: []uint32{7, 8}}}}
	e.Output, e.Text, e.Attribution = nil, "", protocol.Attribution{Algorithm: "none", Pool: protocol.WeightScale}
	e.Vectors = []float32{1, 0, 0.6, -0.8}
	return e
}

// An embedding travels, is signed and is hashed with its inputs; the receipt's output hash
// commits to the vectors.
func TestEmbedding_OverTheWire_IsWhole(t *testing.T) {
	e := embeddingEvidence()
	b, err := EncodeEvidence(e)
	require.NoError(t, err)
	back, err := DecodeEvidence(b)
	require.NoError(t, err)
	require.Equal(t, e, back)

	root, err := AttributionRoot(e.Attribution)
	require.NoError(t, err)
	digest, err := EvidenceDigest(e)
	require.NoError(t, err)
	fee := e.Job.Price.FeeFor(len(e.Prompt), 0)
	r := protocol.Receipt{ID: e.Job.ID, Requester: e.Job.Requester, Base: e.Job.Base, PromptTokens: 3, Compute: fee.Compute, Access: fee.Access,
		OutputHash: VectorsHash(e.Vectors), AttributionRoot: root, Evidence: digest}
	require.NoError(t, CheckReceipt(r, e))
	r.OutputHash = OutputHash(nil)
	require.ErrorContains(t, CheckReceipt(r, e), "output_hash")

	signed := map[protocol.Hash]bool{}
	for _, change := range []func(*protocol.EmbeddingJob){
		func(*protocol.EmbeddingJob) {}, func(j *protocol.EmbeddingJob) { j.Dimensions = 0 }, func(j *protocol.EmbeddingJob) { j.Algorithm = "x" },
		func(j *protocol.EmbeddingJob) { j.Inputs[0].Text = "ox" }, func(j *protocol.EmbeddingJob) { j.Inputs[1].Tokens[0]++ },
	} {
		job := embeddingEvidence().Job
		change(job.Embedding)
		data, err := JobData(Domain{ChainID: 1}, job, protocol.Account{1})
		require.NoError(t, err)
		digest, err := data.Digest()
		require.NoError(t, err)
		signed[digest] = true
	}
	require.Len(t, signed, 5, "each of them changes what is signed")
}

func TestEmbedding_Malformed_IsRefusedByName(t *testing.T) {
	many := make([]protocol.EmbeddingInput, protocol.MaxEmbeddingInputs+1)
	for i := range many {
		many[i].Text = "x"
	}
	for name, c := range map[string]struct {
		change func(*protocol.Evidence)
		says   string
	}{
		"with a prompt":   {func(e *protocol.Evidence) { e.Job.Prompt = "x" }, "job.embedding"},
		"with sampling":   {func(e *protocol.Evidence) { e.Job.Sampling.MaxTokens = 1 }, "job.embedding"},
		"with an adapter": {func(e *protocol.Evidence) { e.Job.Adapter = sampleCID }, "job.embedding"},
		"no inputs":       {func(e *protocol.Evidence) { e.Job.Embedding.Inputs = nil }, "embedding.inputs"},
		"too many inputs": {func(e *protocol.Evidence) { e.Job.Embedding.Inputs = many }, "embedding.inputs"},
		"an empty input":  {func(e *protocol.Evidence) { e.Job.Embedding.Inputs[0].Text = "" }, "inputs[0]"},
		"text and tokens": {func(e *protocol.Evidence) { e.Job.Embedding.Inputs[0].Tokens = []uint32{1} }, "inputs[0]"},
		"too long": {func(e *protocol.Evidence) {
			e.Job.Embedding.Inputs[0].Text = string(make([]byte, protocol.MaxPromptBytes+1))
		}, "embedding.inputs"},
		"no vectors":        {func(e *protocol.Evidence) { e.Vectors = nil }, "vectors"},
		"a number too few":  {func(e *protocol.Evidence) { e.Vectors = e.Vectors[:3] }, "vectors"},
		"other dimensions":  {func(e *protocol.Evidence) { e.Vectors = append(e.Vectors, 0, 0) }, "vectors"},
		"not a number":      {func(e *protocol.Evidence) { e.Vectors[2] = float32(math.NaN()) }, "vectors"},
		"with output":       {func(e *protocol.Evidence) { e.Output = []uint32{1} }, "output"},
		"vectors of a chat": {func(e *protocol.Evidence) { *e = sampleEvidence(); e.Vectors = []float32{1} }, "vectors"},
	} {
		e := embeddingEvidence()
		c.change(&e)
		_, err := EncodeEvidence(e)
		require.ErrorContains(t, err, c.says, name)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), name)
	}
}
