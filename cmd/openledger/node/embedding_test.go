package node_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// embedding is a new request for vectors.
func embedding(inputs ...protocol.EmbeddingInput) api.Request {
	r := request("", 0)
	r.Sampling = protocol.Sampling{}
	r.Embedding = &protocol.EmbeddingJob{Algorithm: protocol.EmbeddingAlgorithm, Inputs: inputs}
	return r
}

// An embedding takes the way of any other job: routed, signed for, paid by its tokens,
// settled, and computed again by a validator.
func TestEmbeddingIsPaidSettledAndJudged(t *testing.T) {
	w := net.worker(t, net.identity(t))
	who := net.requester(t, 1e18)
	r := embedding(protocol.EmbeddingInput{Text: "The hen and the fox"}, protocol.EmbeddingInput{Tokens: []uint32{1, 299, 278}})
	a, text, err := net.ask(t.Context(), who, r)
	require.NoError(t, err)
	require.Empty(t, text)
	require.Len(t, a.Vectors, 2*256)
	got := a.Receipt.Receipt
	require.NoError(t, wire.VerifyReceipt(net.settlementDomain(), a.Receipt))
	require.Equal(t, wire.VectorsHash(a.Vectors), got.OutputHash, "the receipt commits to the vectors")
	require.Zero(t, got.OutputTokens)
	require.Equal(t, price.FeeFor(int(got.PromptTokens), 0), got.Fee())

	again, _, err := net.ask(t.Context(), who, r)
	require.NoError(t, err)
	require.Equal(t, a, again, "asked again: the same vectors and receipt")
	alone, _, err := net.ask(t.Context(), who, embedding(r.Embedding.Inputs[1]))
	require.NoError(t, err)
	require.Equal(t, a.Vectors[256:], alone.Vectors, "another job, the same bits")

	other := r
	other.Embedding = embedding(protocol.EmbeddingInput{Text: "The ox"}).Embedding
	_, _, err = net.ask(t.Context(), who, other)
	require.Equal(t, protocol.KindExists, protocol.KindOf(err), "%v", err)

	require.Eventually(t, func() bool { // vouchers come a moment after the answers
		require.NoError(t, w.Settle(t.Context()))
		n, err := net.chain.Client.NextNonce(t.Context(), w.owner.Account())
		require.NoError(t, err)
		return n > 0
	}, time.Minute, 10*time.Millisecond)
	f, err := net.validator(t).Check(t.Context(), w.owner.Account(), 0)
	require.NoError(t, err)
	require.False(t, f.Guilty, "%s: %s", f.Reason, f.Detail)
	require.Empty(t, f.Unable)
	require.Positive(t, f.Rerun)
}

func TestEmbeddingThatCannotBeIsRefusedByName(t *testing.T) {
	net.worker(t, net.identity(t))
	who := net.requester(t, 1e18)
	cut := embedding(protocol.EmbeddingInput{Text: "x"})
	cut.Embedding.Dimensions = 128
	long := embedding(protocol.EmbeddingInput{Tokens: make([]uint32, 2000)})
	unknown := embedding(protocol.EmbeddingInput{Tokens: []uint32{1 << 30}})
	for field, r := range map[string]api.Request{"dimensions": cut, "input": long} {
		_, _, err := net.ask(t.Context(), who, r)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), "%v", err)
		var typed *protocol.Error
		require.ErrorAs(t, err, &typed)
		require.Equal(t, field, typed.Field)
	}
	_, _, err := net.ask(t.Context(), who, unknown)
	require.ErrorContains(t, err, "knows 2048 tokens")
	_, _, err = net.ask(t.Context(), who, request("still there", 2))
	require.NoError(t, err, node.BaseName)
}
