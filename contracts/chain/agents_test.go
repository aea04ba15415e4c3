package chain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

const (
	firstManifest  = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
	secondManifest = "bafkreidrpw6ra6ktzorrdrrocwd4sr2lchrdktm7cibeprlyh2f3hdu2fe"
)

func agentOrder(t *testing.T, c *chain.Client, owner *keystore.Key, o protocol.AgentOrder) (protocol.AgentOrder, []byte) {
	t.Helper()
	o.Owner, o.Deadline = owner.Account(), time.Now().Unix()+3600
	signature, err := wire.SignAgentOrder(wire.Domain{ChainID: c.ChainID(), Contract: c.Addresses().Agents}, o, owner.ECDSA())
	require.NoError(t, err)
	return o, signature
}

// An agent is registered by its owner's signature whoever sends it, gets versions, changes
// hands in two steps with its stake, and its stake leaves after the delay. What was done
// is not done twice.
func TestAgentsLife(t *testing.T) {
	ctx := t.Context()
	dev, c := deployed(t)
	owner, other := key(t, "b"), key(t, "a")
	relay := c.As(other)
	minimum, err := c.AgentMinStake(ctx)
	require.NoError(t, err)

	o, signature := agentOrder(t, c, owner, protocol.AgentOrder{Version: 1, Name: "poet", Manifest: firstManifest, Price: coins(1)})
	forged := o
	forged.Price = coins(2)
	_, _, err = relay.PublishAgent(ctx, forged, signature, minimum)
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "%v", err)
	_, id, err := relay.PublishAgent(ctx, o, signature, minimum)
	require.NoError(t, err)
	require.Equal(t, uint64(1), id)
	tx, id, err := relay.PublishAgent(ctx, o, signature, minimum)
	require.NoError(t, err)
	require.Equal(t, uint64(1), id)
	require.Zero(t, tx.Block, "nothing is sent again")
	a, err := c.Agent(ctx, id)
	require.NoError(t, err)
	require.True(t, a.Active)
	require.Equal(t, minimum, a.Stake)
	require.Equal(t, coins(1), a.Price)
	require.Equal(t, protocol.CID(firstManifest), a.Manifest)

	o, signature = agentOrder(t, c, owner, protocol.AgentOrder{Agent: id, Version: 2, Name: "poet", Manifest: secondManifest, Price: coins(3)})
	for range 2 {
		_, _, err = c.As(owner).PublishAgent(ctx, o, signature, coins(0))
		require.NoError(t, err)
	}
	a, err = c.Agent(ctx, id)
	require.NoError(t, err)
	require.Equal(t, uint32(2), a.Version)
	require.Equal(t, coins(3), a.Price)
	v, err := c.AgentVersion(ctx, id, 1)
	require.NoError(t, err)
	require.Equal(t, coins(1), v.Price)
	other2, signature := agentOrder(t, c, owner, protocol.AgentOrder{Agent: id, Version: 2, Name: "poet", Manifest: firstManifest})
	_, _, err = c.As(owner).PublishAgent(ctx, other2, signature, coins(0))
	require.Equal(t, protocol.KindExists, protocol.KindOf(err), "another manifest is not the same again")
	_, _, err = relay.PublishAgent(ctx, protocol.AgentOrder{Deadline: -1}, nil, coins(0))
	require.ErrorContains(t, err, "deadline")

	_, err = c.As(owner).OfferAgent(ctx, id, other.Account())
	require.NoError(t, err)
	_, err = relay.SetAgentActive(ctx, id, false)
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "%v", err)
	_, err = relay.AcceptAgent(ctx, id)
	require.NoError(t, err)
	_, err = c.AgentByName(ctx, owner.Account(), "poet")
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))
	_, err = relay.StakeAgent(ctx, id, coins(1))
	require.NoError(t, err)
	_, err = relay.UnstakeAgent(ctx, id, coins(2))
	require.ErrorContains(t, err, "below minimum stake")
	_, err = relay.SetAgentActive(ctx, id, false)
	require.NoError(t, err)
	_, err = relay.UnstakeAgent(ctx, id, coins(2))
	require.NoError(t, err)
	_, err = relay.WithdrawAgent(ctx, id)
	require.Equal(t, protocol.KindBusy, protocol.KindOf(err), "%v", err)
	require.NoError(t, dev.AdvanceTime(8*24*time.Hour))
	_, err = relay.WithdrawAgent(ctx, id)
	require.NoError(t, err)
	list, err := c.Agents(ctx)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, other.Account(), list[0].Owner)
	require.False(t, list[0].Active)
	require.True(t, list[0].Leaving.IsZero())
	_, err = c.Agent(ctx, 9)
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))
}

// An abusive contribution sets a share of the stake aside: without an appeal the pool gets
// it, and not the owner; with an appeal that nobody decides it comes back.
func TestContributorsStakeOnChain(t *testing.T) {
	ctx := t.Context()
	dev, c := deployed(t)
	owner, alice := key(t, "a"), key(t, "b")
	rules, err := c.ContributorRules(ctx)
	require.NoError(t, err)
	d, err := c.As(owner).CreateDatanet(ctx, protocol.Datanet{Name: "fables", License: "CC0-1.0"})
	require.NoError(t, err)
	_, err = c.As(alice).RequireStake(ctx, d.ID, coins(4))
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "%v", err)
	_, err = c.As(owner).RequireStake(ctx, d.ID, coins(4))
	require.NoError(t, err)
	s, err := c.ContributorStake(ctx, d.ID, alice.Account())
	require.NoError(t, err)
	require.Equal(t, coins(4), s.Missing())
	_, err = c.As(alice).StakeDatanet(ctx, d.ID, coins(4))
	require.NoError(t, err)

	domain := wire.Domain{ChainID: c.ChainID(), Contract: c.Addresses().Datanets}
	accuse := func(record byte) chain.AbuseCase {
		k, err := wire.SignContribution(domain, protocol.Contribution{Datanet: d.ID, Record: protocol.Hash{record}, Contributor: alice.Account(), License: "CC0-1.0", At: 1}, alice.ECDSA())
		require.NoError(t, err)
		r, err := wire.SignReview(domain, protocol.Review{Datanet: d.ID, Record: protocol.Hash{record}, Status: protocol.ReviewAbusive, Reason: "spam", At: 2}, owner.ECDSA())
		require.NoError(t, err)
		_, opened, err := c.As(owner).Accuse(ctx, r, k)
		require.NoError(t, err)
		_, again, err := c.As(owner).Accuse(ctx, r, k)
		require.NoError(t, err)
		require.Equal(t, opened, again, "one case a contribution")
		return opened
	}
	first := accuse(1)
	require.Equal(t, chain.CaseOpen, first.State)
	require.Equal(t, uint16(5000), rules.SlashBps)
	require.Equal(t, coins(2), first.Amount)
	second := accuse(2)
	require.Equal(t, coins(1), second.Amount, "a share of what is left")
	s, err = c.ContributorStake(ctx, d.ID, alice.Account())
	require.NoError(t, err)
	require.Equal(t, coins(1), s.Staked)

	_, err = c.As(alice).Appeal(ctx, second.ID, "a fable")
	require.NoError(t, err)
	_, err = c.As(alice).DecideCase(ctx, second.ID, false)
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "%v", err)
	_, err = c.As(owner).ResolveCase(ctx, first.ID)
	require.Equal(t, protocol.KindBusy, protocol.KindOf(err), "%v", err)
	require.NoError(t, dev.AdvanceTime(time.Duration(rules.DecisionPeriod+60)*time.Second))
	for _, id := range []uint64{first.ID, second.ID} {
		_, err = c.As(owner).ResolveCase(ctx, id)
		require.NoError(t, err)
	}
	cases, err := c.AbuseCases(ctx, d.ID)
	require.NoError(t, err)
	require.Equal(t, chain.CaseTaken, cases[0].State)
	require.Equal(t, chain.CaseReturned, cases[1].State)
	none, err := c.AbuseCases(ctx, d.ID+1)
	require.NoError(t, err)
	require.Empty(t, none)
	pool, err := c.Balance(ctx, d.Pool)
	require.NoError(t, err)
	require.Equal(t, coins(2), pool)

	_, err = c.As(alice).UnstakeDatanet(ctx, d.ID, coins(2))
	require.NoError(t, err)
	_, err = c.As(alice).WithdrawDatanet(ctx, d.ID)
	require.Equal(t, protocol.KindBusy, protocol.KindOf(err), "%v", err)
	require.NoError(t, dev.AdvanceTime(time.Duration(rules.UnstakeDelay+60)*time.Second))
	_, err = c.As(alice).WithdrawDatanet(ctx, d.ID)
	require.NoError(t, err)
	held, err := c.Balance(ctx, c.Addresses().Contributors)
	require.NoError(t, err)
	require.True(t, held.IsZero(), "nothing is stuck")
	_, _, err = c.As(owner).Accuse(ctx, protocol.SignedReview{Review: protocol.Review{At: -1}}, protocol.SignedContribution{})
	require.ErrorContains(t, err, "before 1970")
}
