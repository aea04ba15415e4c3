package node_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker"
	"github.com/openledger/openledger/worker/finetune"
)

// A merge that is stopped in any of its phases leaves nothing on the chain and the worker free for the next job; the
// same order again, also to the worker started anew, ends in one registered adapter, and once more in the same answer.
func TestMergeStoppedInAnyPhase(t *testing.T) {
	id := net.identity(t)
	trains := func(s *node.WorkerSettings) { s.Trains = true }
	w := net.worker(t, id, trains)
	on := net.published(t)
	d := finetune.Defaults()
	m := protocol.Merge{Method: "cat"}
	var parents []worker.MergeParent
	for i := range 2 {
		h := protocol.Hyper{Rank: 2, Alpha: 4, Targets: d.Targets, LearningRate: d.LearningRate, Epochs: 1, BatchSize: 2, MaxLength: d.MaxLength,
			PromptTemplate: askLessonOf, AnswerTemplate: "{lesson}", Seed: uint64(net.n.Add(1))}
		job := net.order(t, on, fmt.Sprintf("parent-%d", h.Seed), h)
		cid := net.done(t, job)
		registered, err := net.chain.Client.AdapterByName(t.Context(), on.owner.Account(), job.Order.Name)
		require.NoError(t, err)
		parents = append(parents, worker.MergeParent{Registered: registered, Manifest: protocol.AdapterManifest{Hyper: h, Order: job.Order}})
		m.Parents = append(m.Parents, protocol.MergeParent{Adapter: cid, Weight: float64(i + 1)})
	}
	h, lineage, err := worker.PlanMerge(m, 0, 0, parents)
	require.NoError(t, err)
	require.Equal(t, on.version.Number, lineage.Version)
	name := fmt.Sprintf("merged-%d", net.n.Add(1))
	job := net.order(t, on, name, h)
	job.Sources = net.coord.Addrs()

	before, err := net.chain.Client.AdapterCount(t.Context())
	require.NoError(t, err)
	for _, phase := range []string{"fetch", "merge", "index", "publish", "register"} {
		ctx, cancel := context.WithCancel(t.Context())
		reached := false
		_, err := w.Train(ctx, id.peer, job, func(p protocol.TrainingProgress) error {
			if p.Phase == phase {
				reached = true
				cancel()
			}
			return nil
		})
		cancel()
		require.True(t, reached, phase)
		require.Equal(t, protocol.KindCancelled, protocol.KindOf(err), "%s: %v", phase, err)
		count, err := net.chain.Client.AdapterCount(t.Context())
		require.NoError(t, err)
		require.Equal(t, before, count, "nothing is registered when it stops in phase %s", phase)
	}

	require.NoError(t, w.stop())
	net.listed(t, id.peer, false)
	w = net.worker(t, id, trains)
	quiet := func(protocol.TrainingProgress) error { return nil }
	result, err := w.Train(t.Context(), id.peer, job, quiet)
	require.NoError(t, err)
	registered, err := net.chain.Client.AdapterByName(t.Context(), on.owner.Account(), name)
	require.NoError(t, err)
	require.Equal(t, result.Adapter, registered.CID)
	require.Equal(t, 2, result.Records)
	again, err := w.Train(t.Context(), id.peer, job, quiet)
	require.NoError(t, err)
	require.Equal(t, result, again)
	count, err := net.chain.Client.AdapterCount(t.Context())
	require.NoError(t, err)
	require.Equal(t, before+1, count, "registered once")
}
