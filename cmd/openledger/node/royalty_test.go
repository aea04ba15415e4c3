package node_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/worker"
	"github.com/openledger/openledger/worker/finetune"
	"github.com/openledger/openledger/worker/settle"
)

// Two people's adapters are merged by a third with the royalties they ask for; a question
// to the result pays all three to the wei. Orders that would get around that, or end in a
// refusal of the registry, are refused before any work is done.
func TestMergedAdapterPaysParents(t *testing.T) {
	id := net.identity(t)
	w := net.worker(t, id, func(s *node.WorkerSettings) { s.Trains = true })
	on := net.published(t)
	d := finetune.Defaults()
	m := protocol.Merge{Method: "cat"}
	var parents []worker.MergeParent
	owners := map[protocol.Hash]*keystore.Key{}
	bps := map[protocol.Hash]uint16{}
	for i := range 2 {
		owner := taught{owner: net.key(t, 0), version: on.version}
		h := protocol.Hyper{Rank: 2, Alpha: 4, Targets: d.Targets, LearningRate: d.LearningRate, Epochs: 1, BatchSize: 2, MaxLength: d.MaxLength,
			PromptTemplate: askLessonOf, AnswerTemplate: "{lesson}", Seed: uint64(net.n.Add(1))}
		job := net.ordered(t, owner, fmt.Sprintf("parent-%d", h.Seed), h, func(o *protocol.TrainingOrder) { o.RoyaltyBps = uint16(1000 + 500*i) })
		cid := net.done(t, job)
		registered, err := net.chain.Client.AdapterByName(t.Context(), owner.owner.Account(), job.Order.Name)
		require.NoError(t, err)
		require.Equal(t, uint16(1000+500*i), registered.RoyaltyBps)
		owners[registered.Digest], bps[registered.Digest] = owner.owner, registered.RoyaltyBps
		parents = append(parents, worker.MergeParent{Registered: registered, Manifest: protocol.AdapterManifest{Hyper: h, Order: job.Order}})
		m.Parents = append(m.Parents, protocol.MergeParent{Adapter: cid, Weight: 1})
	}
	h, _, err := worker.PlanMerge(m, 0, 0, parents)
	require.NoError(t, err)
	name := fmt.Sprintf("both-%d", net.n.Add(1))
	const access = 90e15
	for words, change := range map[string]func(*protocol.TrainingOrder){
		"the order names 0": func(o *protocol.TrainingOrder) { o.Parents = nil },
		"the order names 1": func(o *protocol.TrainingOrder) { o.Parents = o.Parents[:1] },
		"the order names 2": func(o *protocol.TrainingOrder) { o.Parents[0], o.Parents[1] = o.Parents[1], o.Parents[0] },
		"may ask for":       func(o *protocol.TrainingOrder) { o.RoyaltyBps = 10_000 },
		"the next one":      func(o *protocol.TrainingOrder) { o.Revision = 2 },
	} {
		job := net.ordered(t, on, name, h, change)
		_, err := net.coord.StartTraining(t.Context(), job)
		require.ErrorContains(t, err, words)
		_, err = w.Train(t.Context(), id.peer, job, func(protocol.TrainingProgress) error { return nil })
		require.Error(t, err, "nor does a worker do it for anybody else: %s", words)
	}
	job := net.ordered(t, on, name, h, func(o *protocol.TrainingOrder) { o.Access.SetUint64(access) })
	cid := net.done(t, job)
	again, err := net.coord.StartTraining(t.Context(), job)
	require.NoError(t, err)
	require.Equal(t, "succeeded", again.State, "the same order again is the same job, though its revision is taken")
	merged, err := net.chain.Client.AdapterRevision(t.Context(), on.owner.Account(), name, 1)
	require.NoError(t, err)
	require.Equal(t, cid, merged.CID)
	require.Len(t, merged.Parents, 2)

	r := request("The fox", 3)
	r.Model = name
	a, _, err := net.ask(t.Context(), net.requester(t, 1e18), r)
	require.NoError(t, err)
	require.Equal(t, merged.Digest, a.Receipt.Receipt.Adapter)
	require.Equal(t, *uint256.NewInt(access), a.Receipt.Receipt.Access)
	require.Eventually(t, func() bool {
		require.NoError(t, w.Settle(t.Context()))
		view, err := net.coord.Receipt(t.Context(), r.ID)
		return err == nil && view.Settled
	}, 30*time.Second, 100*time.Millisecond)

	web, err := client.New(net.coord.API.URL(), "")
	require.NoError(t, err)
	claims := &settle.Claims{Chain: net.chain.Client, Blocks: client.Blocks{Client: web}, Checks: settle.Checks{
		Receipt:         func(r protocol.SignedReceipt) error { return wire.VerifyReceipt(net.settlementDomain(), r) },
		AttributionRoot: wire.AttributionRoot,
	}}
	owed := map[protocol.Account]string{}
	_, err = net.chain.Client.EachBatch(t.Context(), w.owner.Account(), net.chain.Addresses.Block, 0, func(b chain.BatchEvent, _ chain.Event) error {
		res, err := claims.Batch(t.Context(), b)
		require.NoError(t, err)
		for _, p := range res.Payouts {
			owed[p.Account] = p.Amount.Dec()
		}
		return settle.Audit(t.Context(), net.chain.Client, res)
	})
	require.NoError(t, err)
	// 20/90 of the 81 finney that the platform leaves are the owners': 18 finney.
	for digest, owner := range owners {
		require.Equal(t, uint256.NewInt(18e15/10_000*uint64(bps[digest])).Dec(), owed[owner.Account()], "%d basis points", bps[digest])
		steps, err := net.chain.Client.RoyaltiesOf(t.Context(), merged.Digest)
		require.NoError(t, err)
		require.Contains(t, steps, chain.Royalty{Adapter: digest, Account: owner.Account(), Bps: bps[digest]})
	}
	require.NotEmpty(t, owed[on.owner.Account()])

	// The next revision answers by the name; the first one still does by its number.
	job = net.ordered(t, on, name, h, func(o *protocol.TrainingOrder) { o.Revision = 2; o.RoyaltyBps = 7 })
	next := net.done(t, job)
	list, err := net.coord.Models(t.Context())
	require.NoError(t, err)
	names := map[string]protocol.CID{}
	for _, x := range list {
		names[x.ID] = x.CID
	}
	require.Equal(t, next, names[name])
	require.Equal(t, cid, names[name+"@1"])
	for model, want := range map[string]protocol.CID{name: next, name + "@1": cid, name + "@2": next} {
		r := request("The fox", 1)
		r.Model = model
		a, _, err := net.ask(t.Context(), net.requester(t, 1e18), r)
		require.NoError(t, err, model)
		got, err := net.chain.Client.Adapter(t.Context(), a.Receipt.Receipt.Adapter)
		require.NoError(t, err)
		require.Equal(t, want, got.CID, model)
	}
}
