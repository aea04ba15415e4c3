//go:build long

package node_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// A coordinator that goes away at any point of a fine-tuning job goes on with it when it is
// back, without a second datanet, version or training: it is stopped and started again at
// each of the job's steps.
func TestFineTuneGoesOnAfterRestarts(t *testing.T) {
	net.published(t)
	session, err := keystore.Generate()
	require.NoError(t, err)
	_, err = net.chain.Client.As(net.deployer).Send(t.Context(), session.Account(), node.Open(10))
	require.NoError(t, err)
	owner := net.requester(t, 1e18)
	require.NoError(t, node.EnsureDelegate(t.Context(), net.chain.Client, owner, session.Account()))
	net.worker(t, net.identity(t), func(s *node.WorkerSettings) { s.Trains = true })
	home := node.Home{Dir: t.TempDir()}
	run := func(do func(*node.Coordinator)) {
		t.Helper()
		ctx, stop := context.WithCancel(context.Background())
		c, err := node.OpenCoordinator(ctx, node.CoordinatorConfig{Home: home, RPC: net.chain.RPC(), Addresses: net.chain.Addresses, API: "127.0.0.1:0",
			Peer: node.PeerConfig{Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Bootstrap: net.coord.Addrs()}, Base: net.base, SessionKey: session, Logger: logger("second")})
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		defer func() {
			stop()
			require.NoError(t, errors.Join(<-done, c.Close()))
		}()
		do(c)
	}
	before, err := net.chain.Client.Datanets(t.Context())
	require.NoError(t, err)
	var id string
	run(func(c *node.Coordinator) {
		var f api.File
		require.Eventually(t, func() bool { // until it runs
			f, err = upload(t.Context(), c, owner, idOf(owner, 1), chats)
			require.NoError(t, err)
			request := tuneRequest(f.ID)
			request.ID = idOf(owner, 2)
			var job api.FineTune
			job, err = c.CreateFineTune(t.Context(), owner.Account(), request)
			id = job.ID
			return protocol.KindOf(err) != protocol.KindUnavailable
		}, time.Minute, time.Millisecond)
		require.NoError(t, err)
	})
	for _, reached := range []func(api.FineTune) bool{
		func(j api.FineTune) bool { return j.Datanet != 0 },
		func(j api.FineTune) bool { return j.Version != 0 },
		func(j api.FineTune) bool { return j.Training != protocol.Hash{} },
		func(j api.FineTune) bool { return j.Status == "running" },
		func(j api.FineTune) bool { return !j.FinishedAt.IsZero() },
		func(j api.FineTune) bool { return !j.FinishedAt.IsZero() }, // that it is over stays so
	} {
		run(func(c *node.Coordinator) {
			require.Eventually(t, func() bool {
				job, _, err := c.FineTune(t.Context(), owner.Account(), id)
				require.NoError(t, err)
				return reached(job) || !job.FinishedAt.IsZero()
			}, 3*time.Minute, time.Millisecond)
		})
	}
	run(func(c *node.Coordinator) {
		job, events, err := c.FineTune(t.Context(), owner.Account(), id)
		require.NoError(t, err)
		require.Equal(t, "succeeded", job.Status, "%+v", job.Error)
		require.Equal(t, 1, count(events, "The job has successfully completed"))
		files, err := c.Files(t.Context(), owner.Account())
		require.NoError(t, err)
		require.Len(t, files, 2, "the training file and one file of metrics")
	})
	after, err := net.chain.Client.Datanets(t.Context())
	require.NoError(t, err)
	mine := slices.DeleteFunc(after[len(before):], func(d protocol.Datanet) bool { return d.Owner != owner.Account() })
	require.Len(t, mine, 1)
	versions, err := net.chain.Client.Versions(t.Context(), mine[0].ID)
	require.NoError(t, err)
	require.Len(t, versions, 1)
	adapters, err := net.chain.Client.Adapters(t.Context())
	require.NoError(t, err)
	require.Len(t, slices.DeleteFunc(adapters, func(a chain.Adapter) bool { return a.Owner != owner.Account() }), 1)
}

func count(events []api.TuneEvent, message string) (n int) {
	for _, e := range events {
		if e.Message == message {
			n++
		}
	}
	return n
}
