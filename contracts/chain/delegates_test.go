package chain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// A delegate acts in an owner's name within its scopes and its time, on a transaction of the
// owner or on its signature that somebody else brings; what it signed stays checkable when its
// authority has ended; a revocation ends it at once.
func TestDelegatesLife(t *testing.T) {
	ctx := t.Context()
	_, c := deployed(t)
	owner, session := key(t, "b"), key(t, "a")
	delegate := session.Account()
	sender, service := c.As(owner), c.As(session)

	none, err := c.DelegateOf(ctx, owner.Account(), delegate)
	require.NoError(t, err)
	require.Equal(t, chain.Delegate{Owner: owner.Account(), Delegate: delegate}, none)
	require.NoError(t, c.SpeaksFor(ctx, owner.Account(), owner.Account(), protocol.ScopeTrain))
	err = c.SpeaksFor(ctx, delegate, owner.Account(), protocol.ScopeTrain)
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err))
	_, err = service.CreateDatanetFor(ctx, owner.Account(), protocol.Datanet{Name: "chats", License: "CC0-1.0"})
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "%v", err)

	nonce, err := c.DelegationNonce(ctx, owner.Account())
	require.NoError(t, err)
	expiry := time.Now().Add(time.Hour).Unix()
	signed, err := wire.SignDelegation(wire.Domain{ChainID: c.ChainID(), Contract: c.Addresses().Delegates}, protocol.Delegation{
		Owner: owner.Account(), Delegate: delegate, Scopes: protocol.ScopeTrain | protocol.ScopePublish, Expiry: expiry, Nonce: nonce, Deadline: expiry,
	}, owner.ECDSA())
	require.NoError(t, err)
	forged := signed
	forged.Delegation.Scopes |= protocol.ScopeContribute
	_, err = service.AuthorizeDelegateFor(ctx, forged)
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "%v", err)
	_, err = service.AuthorizeDelegateFor(ctx, signed)
	require.NoError(t, err)
	_, err = service.AuthorizeDelegateFor(ctx, signed)
	require.Equal(t, protocol.KindStale, protocol.KindOf(err), "%v", err)
	require.NoError(t, c.SpeaksFor(ctx, delegate, owner.Account(), protocol.ScopeTrain|protocol.ScopePublish))
	require.Error(t, c.SpeaksFor(ctx, delegate, owner.Account(), protocol.ScopeContribute))

	d, err := service.CreateDatanetFor(ctx, owner.Account(), protocol.Datanet{Name: "chats", License: "CC0-1.0"})
	require.NoError(t, err)
	require.Equal(t, owner.Account(), d.Owner)
	v := protocol.Version{Datanet: d.ID, Number: 1, Root: firstManifest, License: "CC0-1.0", Records: 3}
	for range 2 { // the second finds it done
		_, err = service.PublishVersion(ctx, v)
		require.NoError(t, err)
	}

	g, err := c.DelegateOf(ctx, owner.Account(), delegate)
	require.NoError(t, err)
	require.Equal(t, expiry, g.Until)
	_, err = sender.RevokeDelegate(ctx, delegate)
	require.NoError(t, err)
	require.Error(t, c.SpeaksFor(ctx, delegate, owner.Account(), protocol.ScopeTrain))
	was, err := c.WasDelegate(ctx, owner.Account(), delegate, protocol.ScopeTrain, time.Unix(g.From, 0))
	require.NoError(t, err)
	require.Equal(t, ended(t, c, g), was, "what it signed then stands, unless it was ended in the same second")
	_, err = sender.RevokeDelegate(ctx, delegate)
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err), "%v", err)

	_, err = sender.AuthorizeDelegate(ctx, delegate, protocol.ScopeTrain, expiry)
	require.NoError(t, err)
	_, err = service.RenounceDelegate(ctx, owner.Account())
	require.NoError(t, err)
	require.Error(t, c.SpeaksFor(ctx, delegate, owner.Account(), protocol.ScopeTrain))
	_, err = sender.AuthorizeDelegate(ctx, delegate, 0, expiry)
	require.ErrorContains(t, err, "no scopes")
	_, err = sender.AuthorizeDelegate(ctx, delegate, protocol.ScopeTrain, 1)
	require.ErrorContains(t, err, "invalid expiry")
}

// ended says whether a grant's authority lasted for any time before it was ended.
func ended(t *testing.T, c *chain.Client, g chain.Delegate) bool {
	t.Helper()
	now, err := c.DelegateOf(t.Context(), g.Owner, g.Delegate)
	require.NoError(t, err)
	return now.Until > now.From
}
