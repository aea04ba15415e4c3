package node_test

import (
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/datanet"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/finetune"
)

// askLessonOf is how adapters of published are taught.
const askLessonOf = `What is the lesson of "{title}"?`

// askLesson is what adapters of published are asked.
const askLesson = `What is the lesson of "The Fox and the Crow"?`

// taught is a datanet version that adapters can be trained on, and who owns it.
type taught struct {
	owner   *keystore.Key
	version protocol.Version
}

var registerBase sync.Once

// published makes a datanet of two records of its own, and registers the base.
func (n *network) published(t *testing.T) taught {
	t.Helper()
	return n.publishedOf(t, map[string]string{"The Fox and the Crow": "Flatterers are not to be trusted.", "The Lion and the Mouse": "A kindness is never wasted."})
}

// publishedOf is published with these lessons by their titles. Who makes vectors of them
// takes lessons of its own: a vector is that of its text, in whatever datanet.
func (n *network) publishedOf(t *testing.T, lessons map[string]string) taught {
	t.Helper()
	registerBase.Do(func() {
		_, err := n.chain.Client.As(n.deployer).RegisterBase(t.Context(), n.base, "tiny", "embedded:tiny")
		require.NoError(t, err)
	})
	owner := n.key(t, 100)
	sender := n.chain.Client.As(owner)
	d, err := sender.CreateDatanet(t.Context(), protocol.Datanet{Owner: owner.Account(), Name: fmt.Sprintf("lessons-%d", n.n.Add(1)), License: "CC0-1.0"})
	require.NoError(t, err)
	domain := wire.Domain{ChainID: n.chain.ChainID(), Contract: n.chain.Addresses.Datanets}
	for title, lesson := range lessons {
		r, err := datanet.NewText(map[string]string{"title": title, "lesson": lesson})
		require.NoError(t, err)
		sc, err := wire.SignContribution(domain, protocol.Contribution{Datanet: d.ID, Record: r.ID, Contributor: owner.Account(), License: d.License, At: time.Now().UnixMilli()}, owner.ECDSA())
		require.NoError(t, err)
		_, err = n.coord.Contribute(t.Context(), sc, r.Canonical)
		require.NoError(t, err)
		review, err := wire.SignReview(domain, protocol.Review{Datanet: d.ID, Record: r.ID, Status: protocol.ReviewAccepted, At: time.Now().UnixMilli()}, owner.ECDSA())
		require.NoError(t, err)
		_, err = n.coord.Review(t.Context(), review)
		require.NoError(t, err)
	}
	v, err := n.coord.BuildVersion(t.Context(), d.ID)
	require.NoError(t, err)
	_, err = sender.PublishVersion(t.Context(), v)
	require.NoError(t, err)
	return taught{owner: owner, version: v}
}

// trained has an adapter made by a worker that trains, and gives its name and CID. The
// adapter knows nothing much: it is trained for a step or two.
func (n *network) trained(t *testing.T, on taught) (string, protocol.CID) {
	t.Helper()
	d := finetune.Defaults()
	h := protocol.Hyper{Rank: 4, Alpha: 16, Targets: d.Targets, LearningRate: d.LearningRate, Epochs: 1, BatchSize: 2, MaxLength: d.MaxLength,
		PromptTemplate: askLessonOf, AnswerTemplate: "{lesson}", Seed: uint64(n.n.Add(1))}
	job := n.order(t, on, fmt.Sprintf("adapter-%d", h.Seed), h)
	return job.Order.Name, n.done(t, job)
}

// order is a signed training order over a datanet version.
func (n *network) order(t *testing.T, on taught, name string, h protocol.Hyper) protocol.TrainingJob {
	t.Helper()
	return n.ordered(t, on, name, h, func(*protocol.TrainingOrder) {})
}

// orderFor is order for another base.
func (n *network) orderFor(t *testing.T, on taught, name string, h protocol.Hyper, base protocol.Hash) protocol.TrainingJob {
	t.Helper()
	return n.ordered(t, on, name, h, func(o *protocol.TrainingOrder) { o.Base = base })
}

// ordered is an order with a change, signed.
func (n *network) ordered(t *testing.T, on taught, name string, h protocol.Hyper, change func(*protocol.TrainingOrder)) protocol.TrainingJob {
	t.Helper()
	hash, err := wire.HyperHash(h)
	require.NoError(t, err)
	parents, err := ipfs.Digests(h.Parents())
	require.NoError(t, err)
	job := protocol.TrainingJob{Hyper: h, Order: protocol.TrainingOrder{Name: name, Revision: 1, Parents: parents, Datanet: on.version.Datanet, Version: on.version.Number,
		Root: on.version.Root, Owner: on.owner.Account(), Base: n.base, HyperHash: hash, Deadline: time.Now().Add(time.Hour).Unix()}}
	for _, b := range []*protocol.Hash{&job.ID, &job.Order.Nonce} {
		_, err := rand.Read(b[:])
		require.NoError(t, err)
	}
	change(&job.Order)
	job.Signature, err = wire.SignTrainingOrder(wire.Domain{ChainID: n.chain.ChainID(), Contract: n.chain.Addresses.Models}, job.Order, on.owner.ECDSA())
	require.NoError(t, err)
	return job
}

// done has the network carry out an order.
func (n *network) done(t *testing.T, job protocol.TrainingJob) protocol.CID {
	t.Helper()
	status, err := n.coord.StartTraining(t.Context(), job)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		status, err = n.coord.TrainingJob(t.Context(), job.ID)
		require.NoError(t, err)
		require.NotContains(t, []string{"failed", "cancelled"}, status.State, status.Error)
		return status.State == "succeeded"
	}, 2*time.Minute, 50*time.Millisecond)
	return status.Result.Adapter
}
