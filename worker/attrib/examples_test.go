package attrib

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// A record that an adapter knows in two ways is found by either.
func TestARecordIsFoundByEachOfItsExamples(t *testing.T) {
	rs, others := records(40), records(80)[40:]
	for i := range rs {
		rs[i].Also = []Example{{Prompt: others[i].Prompt, Answer: others[i].Answer}}
	}
	ix := build(t, 2, rs)
	q, err := ix.Querier(model(t, 2), adapter(t))
	require.NoError(t, err)
	for _, r := range rs {
		for _, e := range append([]Example{{Prompt: r.Prompt, Answer: r.Answer}}, r.Also...) {
			a, err := q.Query(t.Context(), e.Prompt, e.Answer)
			require.NoError(t, err)
			require.NotEmpty(t, a.Shares)
			require.Equal(t, r.ID, a.Shares[0].Record)
			require.Greater(t, a.Shares[0].Weight, uint64(protocol.WeightScale/2))
			require.NotEmpty(t, a.Shares[0].Spans, "both answers are searched")
		}
	}
}

// Examples beside the first change nothing for records that have none, and one answer is searched once.
func TestExamplesOfOneAnswer(t *testing.T) {
	rs := records(20)
	plain := build(t, 1, rs)
	want, err := plain.Query(t.Context(), model(t, 1), adapter(t), rs[0].Prompt, rs[0].Answer)
	require.NoError(t, err)
	for i := range rs {
		rs[i].Also = []Example{{Prompt: slices.Clone(rs[i].Prompt), Answer: slices.Clone(rs[i].Answer)}}
	}
	twice := build(t, 1, rs)
	raw, err := twice.MarshalBinary()
	require.NoError(t, err)
	twice, err = Open(raw)
	require.NoError(t, err)
	require.Equal(t, 2*plain.Len(), twice.Len())
	got, err := twice.Query(t.Context(), model(t, 1), adapter(t), rs[0].Prompt, rs[0].Answer)
	require.NoError(t, err)
	require.Equal(t, uint64(protocol.WeightScale), sum(got))
	require.Equal(t, want.Shares[0].Record, got.Shares[0].Record)
	require.Equal(t, want.Shares[0].Spans, got.Shares[0].Spans)
	for i, s := range got.Shares {
		for _, earlier := range got.Shares[:i] {
			require.NotEqual(t, earlier.Record, s.Record, "a record has one share")
		}
	}
	rs[3].Also[0].Answer = nil
	_, err = Build(t.Context(), BuildConfig{Dim: 256}, model(t, 1), adapter(t), rs)
	require.ErrorContains(t, err, "empty prompt or answer")
}
