package wire

import (
	"strings"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// retrievalEvidence is of an answer that read two records of one datanet.
func retrievalEvidence() protocol.Evidence {
	e := sampleEvidence()
	e.Job.Retrieval = []protocol.Retrieval{{Datanet: 3, Version: 2, Root: protocol.Hash{9}, Price: *uint256.NewInt(11), Sources: []protocol.Source{
		{Record: protocol.Hash{1}, Contributor: protocol.Account{1}, Title: "t", Text: "one"}, {Record: protocol.Hash{2}, Contributor: protocol.Account{2}, Text: "two"}}}}
	e.Attribution.Retrieved = []protocol.RetrievedShares{{Algorithm: "context-ends-v1", Datanet: 3, Root: protocol.Hash{9}, Price: *uint256.NewInt(11), Pool: protocol.WeightScale - 5,
		Shares: []protocol.RecordShare{{Record: protocol.Hash{2}, Contributor: protocol.Account{2}, Weight: 5, Influence: 70}, {Record: protocol.Hash{1}, Contributor: protocol.Account{1}, Influence: -7}}}}
	return e
}

func TestRetrieval_OverTheWire_IsWhole(t *testing.T) {
	e := retrievalEvidence()
	b, err := EncodeEvidence(e)
	require.NoError(t, err)
	back, err := DecodeEvidence(b)
	require.NoError(t, err)
	require.Equal(t, e, back)
	plain, err := AttributionRoot(sampleAttribution())
	require.NoError(t, err)
	root, err := AttributionRoot(e.Attribution)
	require.NoError(t, err)
	require.NotEqual(t, plain, root, "the receipt commits to what was retrieved")

	signed := map[protocol.Hash]bool{}
	for _, change := range []func(*protocol.Retrieval){
		func(*protocol.Retrieval) {}, func(r *protocol.Retrieval) { r.Datanet++ }, func(r *protocol.Retrieval) { r.Version++ }, func(r *protocol.Retrieval) { r.Root[0]++ },
		func(r *protocol.Retrieval) { r.Price.SetUint64(1) }, func(r *protocol.Retrieval) { r.Sources[0].Text = "x" }, func(r *protocol.Retrieval) { r.Sources[0].Title = "x" },
		func(r *protocol.Retrieval) { r.Sources[1].Contributor[0]++ }, func(r *protocol.Retrieval) { r.Sources = r.Sources[:1] },
	} {
		job := retrievalEvidence().Job
		change(&job.Retrieval[0])
		data, err := JobData(Domain{ChainID: 1}, job, protocol.Account{1})
		require.NoError(t, err)
		digest, err := data.Digest()
		require.NoError(t, err)
		signed[digest] = true
	}
	require.Len(t, signed, 9, "each of them changes what is signed")
}

func TestRetrieval_Malformed_IsRefusedByName(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*protocol.Evidence, *protocol.Retrieval, *protocol.RetrievedShares)
		says   string
	}{
		"with a prompt": {func(e *protocol.Evidence, _ *protocol.Retrieval, _ *protocol.RetrievedShares) {
			e.Job.Messages, e.Job.Prompt = nil, "x"
		}, "retrieval"},
		"nobody asks": {func(e *protocol.Evidence, _ *protocol.Retrieval, _ *protocol.RetrievedShares) {
			e.Job.Messages = e.Job.Messages[:1]
		}, "retrieval"},
		"too many datanets": {func(e *protocol.Evidence, r *protocol.Retrieval, _ *protocol.RetrievedShares) {
			e.Job.Retrieval = append(e.Job.Retrieval, *r, *r, *r, *r)
		}, "retrieval"},
		"the same record": {func(_ *protocol.Evidence, r *protocol.Retrieval, _ *protocol.RetrievedShares) {
			r.Sources[1].Record = r.Sources[0].Record
		}, "sources[1].record"},
		"no sources": {func(_ *protocol.Evidence, r *protocol.Retrieval, _ *protocol.RetrievedShares) { r.Sources = nil }, "sources"},
		"empty text": {func(_ *protocol.Evidence, r *protocol.Retrieval, _ *protocol.RetrievedShares) { r.Sources[0].Text = "" }, "text"},
		"long text": {func(_ *protocol.Evidence, r *protocol.Retrieval, _ *protocol.RetrievedShares) {
			r.Sources[0].Text = strings.Repeat("x", protocol.MaxSourceBytes+1)
		}, "text"},
		"no datanet": {func(_ *protocol.Evidence, r *protocol.Retrieval, _ *protocol.RetrievedShares) { r.Datanet = 0 }, "datanet"},
		"dearer than the job": {func(e *protocol.Evidence, r *protocol.Retrieval, _ *protocol.RetrievedShares) {
			r.Price.AddUint64(&e.Job.Price.Access, 1)
		}, "price"},
		"weights do not add up": {func(_ *protocol.Evidence, _ *protocol.Retrieval, s *protocol.RetrievedShares) { s.Pool++ }, "pool"},
		"weights overflow":      {func(_ *protocol.Evidence, _ *protocol.Retrieval, s *protocol.RetrievedShares) { s.Pool = 1<<64 - 5 }, "pool"},
		"out of order": {func(_ *protocol.Evidence, _ *protocol.Retrieval, s *protocol.RetrievedShares) {
			s.Shares[0], s.Shares[1] = s.Shares[1], s.Shares[0]
		}, "weight"},
		"no algorithm": {func(_ *protocol.Evidence, _ *protocol.Retrieval, s *protocol.RetrievedShares) { s.Algorithm = "" }, "algorithm"},
	} {
		e := retrievalEvidence()
		c.change(&e, &e.Job.Retrieval[0], &e.Attribution.Retrieved[0])
		_, err := EncodeEvidence(e)
		require.ErrorContains(t, err, c.says, name)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), name)
	}
}
