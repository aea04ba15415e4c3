package wire

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// What a template is shown beside contents travels with the job, is part of what is signed,
// and of the evidence.
func TestToolsTravelWithTheJob(t *testing.T) {
	plain := sampleEvidence()
	e := sampleEvidence()
	e.Job.Messages = append([]protocol.Message(nil), e.Job.Messages...)
	e.Job.Messages[1].Fields = `{"tool_call_id":"a"}`
	e.Job.Tools, e.Job.TemplateArgs = `[{"type":"function"}]`, `{"enable_thinking":false}`
	back, err := InferenceJobFromPB(InferenceJobToPB(e.Job))
	require.NoError(t, err)
	require.Equal(t, e.Job, back)

	b, err := EncodeEvidence(e)
	require.NoError(t, err)
	decoded, err := DecodeEvidence(b)
	require.NoError(t, err)
	require.Equal(t, e.Job.Tools, decoded.Job.Tools)
	require.Equal(t, e.Job.TemplateArgs, decoded.Job.TemplateArgs)
	require.Equal(t, e.Job.Messages, decoded.Job.Messages)

	signed := map[protocol.Hash]bool{}
	for _, change := range []func(*protocol.InferenceJob){
		func(*protocol.InferenceJob) {}, func(j *protocol.InferenceJob) { j.Tools = e.Job.Tools },
		func(j *protocol.InferenceJob) { j.TemplateArgs = e.Job.TemplateArgs }, func(j *protocol.InferenceJob) { j.Messages = e.Job.Messages },
	} {
		j := plain.Job
		change(&j)
		data, err := JobData(Domain{ChainID: 1}, j, protocol.Account{1})
		require.NoError(t, err)
		digest, err := data.Digest()
		require.NoError(t, err)
		signed[digest] = true
	}
	require.Len(t, signed, 4, "each of them changes what is signed")

	job := e.Job
	job.Messages, job.Prompt = nil, "x"
	require.ErrorContains(t, CheckInferenceJob(job), "tools")
}
