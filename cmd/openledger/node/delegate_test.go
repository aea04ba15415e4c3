package node_test

import (
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/datanet"
	"github.com/openledger/openledger/worker/finetune"
)

// A delegate's signature counts as its owner's under contributions, reviews and orders, for
// its scopes and as long as its authority lasts. Where a stake is in play, it does not.
func TestDelegatesSignForOwners(t *testing.T) {
	ctx := t.Context()
	owner, delegate := net.key(t, 100), net.key(t, 10)
	sender := net.chain.Client.As(owner)
	d, err := sender.CreateDatanet(ctx, protocol.Datanet{Owner: owner.Account(), Name: "delegated", License: "CC0-1.0"})
	require.NoError(t, err)
	may := func(scopes protocol.DelegateScopes) {
		_, err := sender.AuthorizeDelegate(ctx, delegate.Account(), scopes, time.Now().Add(time.Hour).Unix())
		require.NoError(t, err)
	}
	domain := wire.Domain{ChainID: net.chain.ChainID(), Contract: net.chain.Addresses.Datanets}
	n := 0
	record := func() datanet.Record {
		n++
		r, err := datanet.NewText(map[string]string{"lesson": time.Duration(n).String()})
		require.NoError(t, err)
		return r
	}
	contribute := func(r datanet.Record) error {
		sc, err := wire.SignContribution(domain, protocol.Contribution{Datanet: d.ID, Record: r.ID, Contributor: owner.Account(), License: d.License, At: time.Now().UnixMilli()}, delegate.ECDSA())
		require.NoError(t, err)
		_, err = net.coord.Contribute(ctx, sc, r.Canonical)
		return err
	}
	at := time.Now().UnixMilli()
	review := func(r datanet.Record, status protocol.ReviewStatus) error {
		at++
		sr, err := wire.SignReview(domain, protocol.Review{Datanet: d.ID, Record: r.ID, Status: status, Reason: "because", At: at}, delegate.ECDSA())
		require.NoError(t, err)
		_, err = net.coord.Review(ctx, sr)
		return err
	}
	refused := func(err error) {
		t.Helper()
		require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "%v", err)
	}
	first := record()
	refused(contribute(first))
	may(protocol.ScopePublish | protocol.ScopeTrain)
	refused(contribute(first))
	may(protocol.ScopeContribute)
	require.NoError(t, contribute(first))
	refused(review(first, protocol.ReviewAccepted))
	may(protocol.ScopePublish)
	require.NoError(t, review(first, protocol.ReviewAccepted))
	refused(review(first, protocol.ReviewAbusive))

	version, err := net.coord.BuildVersion(ctx, d.ID)
	require.NoError(t, err)
	_, err = sender.PublishVersion(ctx, version)
	require.NoError(t, err)
	on := taught{owner: owner, version: version}
	base := finetune.Defaults()
	job := net.order(t, on, "delegated", protocol.Hyper{Rank: 1, Alpha: 1, Epochs: 1, MaxLength: base.MaxLength, PromptTemplate: "?", AnswerTemplate: "{lesson}"})
	models := wire.Domain{ChainID: net.chain.ChainID(), Contract: net.chain.Addresses.Models}
	job.Signature, err = wire.SignTrainingOrder(models, job.Order, delegate.ECDSA())
	require.NoError(t, err)
	_, err = net.coord.StartTraining(ctx, job)
	refused(err)
	worker := net.worker(t, net.identity(t), func(s *node.WorkerSettings) { s.Trains = true })
	_, err = worker.Train(ctx, "", job, func(protocol.TrainingProgress) error { return nil })
	refused(err)

	may(protocol.ScopeContribute | protocol.ScopePublish)
	rules, err := net.chain.Client.ContributorRules(ctx)
	require.NoError(t, err)
	_, err = sender.RequireStake(ctx, d.ID, rules.MinRequirement)
	require.NoError(t, err)
	_, err = sender.StakeDatanet(ctx, d.ID, rules.MinRequirement)
	require.NoError(t, err)
	refused(contribute(record()))
	_, err = sender.RequireStake(ctx, d.ID, uint256.Int{})
	require.NoError(t, err)
	last := record()
	require.NoError(t, contribute(last))
	_, err = sender.RevokeDelegate(ctx, delegate.Account())
	require.NoError(t, err)
	refused(contribute(record()))
	refused(review(last, protocol.ReviewAccepted))
}
