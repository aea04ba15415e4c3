package node_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
)

// validator is one that runs until the test ends.
func (n *network) validator(t *testing.T) *node.Validator {
	t.Helper()
	home := node.Home{Dir: filepath.Join(t.TempDir(), "validator")}
	require.NoError(t, home.Make())
	require.NoError(t, node.WriteJSON(home.Path(node.ValidatorFile), node.ValidatorSettings{RPC: n.chain.RPC(), Addresses: n.chain.Addresses,
		Bootstrap: n.coord.Addrs(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Metrics: "127.0.0.1:0", Threads: 1}))
	v, err := node.OpenValidator(t.Context(), home, n.key(t, 10), logger("validator"))
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- v.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, errors.Join(<-done, v.Close()))
	})
	return v
}

// A validator judges a real worker's batch by what the network gives it, and keeps that:
// it judges it again when the worker is gone.
func TestValidatorJudgesARealBatch(t *testing.T) {
	w := net.worker(t, net.identity(t))
	who := net.requester(t, 1e18)
	for range 2 {
		_, _, err := net.ask(t.Context(), who, request("The fox said", 6))
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { // vouchers come a moment after the answers
		require.NoError(t, w.Settle(t.Context()))
		n, err := net.chain.Client.NextNonce(t.Context(), w.owner.Account())
		require.NoError(t, err)
		return n > 0
	}, time.Minute, 10*time.Millisecond)
	v := net.validator(t)
	f, err := v.Check(t.Context(), w.owner.Account(), 0)
	require.NoError(t, err)
	require.False(t, f.Guilty, "%s: %s", f.Reason, f.Detail)
	require.Empty(t, f.Unable)
	require.Positive(t, f.Receipts)
	require.Equal(t, 1, f.Rerun)

	require.NoError(t, w.stop())
	again, err := v.Check(t.Context(), w.owner.Account(), 0)
	require.NoError(t, err)
	require.Equal(t, f, again)

	require.NoError(t, v.Step(t.Context()))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+v.MetricsAddr()+"/healthz", nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)
}
