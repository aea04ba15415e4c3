package p2p

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

func (n *node) order(t *testing.T, requester *node, action protocol.AdapterAction) protocol.AdapterOrder {
	t.Helper()
	o, err := wire.SignAdapterOrder(domain, protocol.AdapterOrder{
		Requester: requester.account(), Adapter: "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", Action: action,
		Deadline: time.Now().Add(patience).UnixMilli(),
	}, n.account(), requester.owner)
	require.NoError(t, err)
	return o
}

func TestAdapterOrders(t *testing.T) {
	over(t, func(t *testing.T, requester, worker *node) {
		loading, ended := make(chan struct{}, 1), make(chan error, 1)
		worker.HandleJobs(handler{adapter: func(ctx context.Context, o protocol.AdapterOrder) (protocol.AdapterState, error) {
			signer, err := wire.AdapterOrderSigner(domain, o, worker.account())
			if err != nil || signer != requester.account() {
				return protocol.AdapterState{}, protocol.Errorf(protocol.KindUnauthorized, "authorization", "not by the requester: %w", err)
			}
			switch o.Action {
			case protocol.AdapterPin:
				time.Sleep(500 * time.Millisecond) // longer than a heartbeat
				return protocol.AdapterState{Tier: protocol.TierDevice, Pinned: true}, nil
			case protocol.AdapterLoad:
				loading <- struct{}{}
				<-ctx.Done()
				ended <- ctx.Err()
				return protocol.AdapterState{}, ctx.Err()
			}
			return protocol.AdapterState{}, protocol.Errorf(protocol.KindBusy, "adapter", "it serves 3 requests")
		}})
		state, err := requester.OrderAdapter(t.Context(), worker.ID(), worker.order(t, requester, protocol.AdapterPin))
		require.NoError(t, err)
		require.Equal(t, protocol.AdapterState{Tier: protocol.TierDevice, Pinned: true}, state)

		_, err = requester.OrderAdapter(t.Context(), worker.ID(), worker.order(t, requester, protocol.AdapterUnload))
		requireKind(t, protocol.KindBusy, err)
		require.ErrorContains(t, err, "3 requests")

		// A load is cancelled at the worker when nobody waits for it any more.
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			<-loading
			cancel()
		}()
		_, err = requester.OrderAdapter(ctx, worker.ID(), worker.order(t, requester, protocol.AdapterLoad))
		requireKind(t, protocol.KindCancelled, err)
		select {
		case err := <-ended:
			require.ErrorIs(t, err, context.Canceled)
		case <-time.After(patience):
			t.Fatal("the worker still loads")
		}

		void := worker.order(t, requester, protocol.AdapterLoad)
		void.Deadline = time.Now().Add(-time.Second).UnixMilli()
		_, err = requester.OrderAdapter(t.Context(), worker.ID(), void)
		requireKind(t, protocol.KindDeadline, err)
		bad := worker.order(t, requester, "erase")
		_, err = requester.OrderAdapter(t.Context(), worker.ID(), bad)
		requireKind(t, protocol.KindInvalid, err)
	})
}
