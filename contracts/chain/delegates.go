package chain

import (
	"context"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

var delegates = bindings.NewDelegateRegistry()

// Delegate is what a delegate may do in an owner's name, by its newest authorisation.
type Delegate struct {
	Owner    protocol.Account        `json:"owner"`
	Delegate protocol.Account        `json:"delegate"`
	Scopes   protocol.DelegateScopes `json:"scopes"`
	From     int64                   `json:"from"`  // Unix seconds
	Until    int64                   `json:"until"` // Unix seconds, not included; a revocation moves it
}

// DelegateOf is the newest authorisation of a delegate; zeros when there is none.
func (c *Client) DelegateOf(ctx context.Context, owner, delegate protocol.Account) (Delegate, error) {
	g, err := read(ctx, c, "read a delegate", c.cfg.Addresses.Delegates, delegates.PackGrantOf(owner, delegate), delegates.UnpackGrantOf)
	return Delegate{Owner: owner, Delegate: delegate, Scopes: protocol.DelegateScopes(g.Scopes), From: int64(g.From), Until: int64(g.Until)}, err
}

// IsDelegate says whether a delegate may act for an owner now, for all of the scopes. Its
// clock is that of the newest block.
func (c *Client) IsDelegate(ctx context.Context, owner, delegate protocol.Account, scopes protocol.DelegateScopes) (bool, error) {
	return read(ctx, c, "read a delegate", c.cfg.Addresses.Delegates, delegates.PackIsDelegate(owner, delegate, uint32(scopes)), delegates.UnpackIsDelegate)
}

// WasDelegate says whether a delegate could act for an owner at a time, for all of the
// scopes: what it signed then can be checked after its authority has ended.
func (c *Client) WasDelegate(ctx context.Context, owner, delegate protocol.Account, scopes protocol.DelegateScopes, at time.Time) (bool, error) {
	if at.Unix() < 0 {
		return false, nil
	}
	return read(ctx, c, "read a delegate", c.cfg.Addresses.Delegates, delegates.PackWasDelegate(owner, delegate, uint32(scopes), uint64(at.Unix())), delegates.UnpackWasDelegate)
}

// SpeaksFor refuses a signer that is neither the owner nor its delegate with the scopes now.
func (c *Client) SpeaksFor(ctx context.Context, signer, owner protocol.Account, scopes protocol.DelegateScopes) error {
	if signer == owner && owner != (protocol.Account{}) {
		return nil
	}
	ok, err := c.IsDelegate(ctx, owner, signer, scopes)
	if err != nil {
		return err
	}
	if ok { // by the newest block's clock, and that block may be long past
		g, err := c.DelegateOf(ctx, owner, signer)
		if err != nil || g.Until > time.Now().Unix() {
			return err
		}
	}
	return protocol.Errorf(protocol.KindUnauthorized, "signature", "it is by %s, which is neither %s nor its delegate for %q: 'openledger delegate authorize' makes it one", signer.Hex(), owner.Hex(), scopes)
}

// DelegationNonce is the nonce of the next delegation that an owner signs.
func (c *Client) DelegationNonce(ctx context.Context, owner protocol.Account) (uint256.Int, error) {
	return readAmount(ctx, c, "read a nonce", c.cfg.Addresses.Delegates, delegates.PackNonces(owner), delegates.UnpackNonces)
}

// AuthorizeDelegate lets a delegate act in the sender's name until a time (Unix seconds), in
// place of what it was authorised for before.
func (s *Sender) AuthorizeDelegate(ctx context.Context, delegate protocol.Account, scopes protocol.DelegateScopes, expiry int64) (Tx, error) {
	if expiry < 0 {
		return Tx{}, protocol.Errorf(protocol.KindInvalid, "expiry", "%d is no time in Unix seconds", expiry)
	}
	return s.Call(ctx, "authorise a delegate", s.c.cfg.Addresses.Delegates, uint256.Int{}, delegates.PackAuthorize(delegate, uint32(scopes), uint64(expiry)))
}

// AuthorizeDelegateFor brings an owner's signed delegation. The same again, after an
// interruption, is an error of kind stale: its nonce is used.
func (s *Sender) AuthorizeDelegateFor(ctx context.Context, d protocol.SignedDelegation) (Tx, error) {
	g := d.Delegation
	if g.Expiry < 0 || g.Deadline < 0 {
		return Tx{}, protocol.Errorf(protocol.KindInvalid, "expiry, deadline", "%d and %d must be times in Unix seconds", g.Expiry, g.Deadline)
	}
	return s.Call(ctx, "authorise a delegate for another", s.c.cfg.Addresses.Delegates, uint256.Int{}, delegates.PackAuthorizeFor(bindings.Delegation{
		Owner: g.Owner, Delegate: g.Delegate, Scopes: uint32(g.Scopes), Expiry: uint64(g.Expiry), Nonce: big256(g.Nonce), Deadline: uint64(g.Deadline),
	}, d.Signature))
}

// RevokeDelegate ends a delegate's authority of the sender at once.
func (s *Sender) RevokeDelegate(ctx context.Context, delegate protocol.Account) (Tx, error) {
	return s.Call(ctx, "revoke a delegate", s.c.cfg.Addresses.Delegates, uint256.Int{}, delegates.PackRevoke(delegate))
}

// RenounceDelegate ends the sender's own authority of an owner.
func (s *Sender) RenounceDelegate(ctx context.Context, owner protocol.Account) (Tx, error) {
	return s.Call(ctx, "renounce a delegation", s.c.cfg.Addresses.Delegates, uint256.Int{}, delegates.PackRenounce(owner))
}
