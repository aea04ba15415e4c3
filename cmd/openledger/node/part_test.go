package node_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// A requester that hangs up just before the receipt gets nothing for nothing: what was
// delivered has its receipt and its voucher, and the escrow is free of the rest.
func TestHangUpPaysForWhatWasDelivered(t *testing.T) {
	w := net.worker(t, net.identity(t))
	who := net.requester(t, 1e18)
	r := request("An endless tale", 900)
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	var text strings.Builder
	_, err := net.coord.Infer(ctx, api.Caller{Account: who.Account()}, r, func(d api.Delta) error {
		text.WriteString(d.Text)
		if text.Len() > 40 {
			hangUp()
		}
		return nil
	})
	require.Equal(t, protocol.KindCancelled, protocol.KindOf(err), "%v", err)

	part, err := net.coord.Receipt(t.Context(), r.ID)
	require.NoError(t, err)
	require.Equal(t, w.owner.Account(), part.Receipt.Worker)
	if len(part.Evidence.Output) < 900 { // or it was done before it heard of it
		require.Equal(t, protocol.FinishedCancelled, part.Evidence.FinishedBy)
	}
	require.True(t, strings.HasPrefix(part.Evidence.Text, text.String()), "%q, %q", part.Evidence.Text, text.String())
	require.Equal(t, part.Evidence.Job.Price.FeeFor(len(part.Evidence.Prompt), len(part.Evidence.Output)), part.Receipt.Fee())

	require.Eventually(t, func() bool {
		require.NoError(t, w.Settle(t.Context()))
		part, err = net.coord.Receipt(t.Context(), r.ID)
		return err == nil && part.Settled
	}, time.Minute, 100*time.Millisecond)

	again, _, err := net.ask(t.Context(), who, r)
	require.NoError(t, err, "the key's answer is what was delivered")
	require.Equal(t, api.Answer{Receipt: part.SignedReceipt, Text: part.Evidence.Text, FinishReason: part.Evidence.FinishedBy}, again)
}
