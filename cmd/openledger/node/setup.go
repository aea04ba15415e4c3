package node

import (
	"context"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
)

// Open is whole OPEN in wei.
func Open(whole uint64) uint256.Int {
	var v uint256.Int
	v.Mul(uint256.NewInt(whole), uint256.NewInt(1e18))
	return v
}

// gasMoney is what a key that only sends transactions should have.
var gasMoney = Open(1)

// renewBefore is how long before its end a binding is renewed on the chain.
const renewBefore = 60 * 24 * time.Hour

// EndsSoon says that a binding is due to be renewed.
func EndsSoon(b protocol.SignedBinding) bool {
	return b.Binding.Expires < time.Now().Add(renewBefore).UnixMilli()
}

// EnsureWorker puts a worker on the chain: bond, binding, and gas for the node key.
// What is there already is left alone.
func EnsureWorker(ctx context.Context, client *chain.Client, owner keystore.Signer, nodeKey protocol.Account, b protocol.SignedBinding, stake uint256.Int) error {
	sender := client.As(owner)
	if _, err := sender.EnsureBond(ctx, stake); err != nil {
		return err
	}
	registered, err := client.BindingOf(ctx, owner.Account())
	if err != nil && protocol.KindOf(err) != protocol.KindNotFound {
		return err
	}
	if registered.Peer != b.Binding.Peer || registered.NodeKey != b.Binding.NodeKey || registered.Payout != b.Binding.Payout ||
		EndsSoon(protocol.SignedBinding{Binding: registered}) && registered.Expires < b.Binding.Expires {
		if _, err := sender.RegisterBinding(ctx, b.Binding, b.Signature); err != nil {
			return err
		}
	}
	return ensureGas(ctx, client, owner, nodeKey)
}

// ensureGas tops an account up so that it can pay for transactions.
func ensureGas(ctx context.Context, client *chain.Client, from keystore.Signer, to protocol.Account) error {
	have, err := client.Balance(ctx, to)
	if err != nil {
		return err
	}
	var half uint256.Int
	half.Rsh(&gasMoney, 1)
	if !have.Lt(&half) {
		return nil
	}
	_, err = client.As(from).Send(ctx, to, gasMoney)
	return err
}

// EnsureRequester fills a requester's escrow up to an amount when less than half of
// it is left, and lets a coordinator's session key spend it for a year.
func EnsureRequester(ctx context.Context, client *chain.Client, requester *keystore.Key, deposit uint256.Int, session protocol.Account) error {
	sender := client.As(requester)
	var half uint256.Int
	half.Rsh(&deposit, 1)
	have, err := client.EscrowOf(ctx, requester.Account())
	if err != nil {
		return err
	}
	if have.Lt(&half) {
		var more uint256.Int
		more.Sub(&deposit, &have)
		if _, err := sender.Deposit(ctx, more); err != nil {
			return err
		}
	}
	s, err := client.SessionOf(ctx, requester.Account(), session)
	if err != nil {
		return err
	}
	var left uint256.Int
	if s.Limit.Gt(&s.Spent) {
		left.Sub(&s.Limit, &s.Spent)
	}
	if s.Expires > time.Now().AddDate(0, 1, 0).Unix() && !left.Lt(&half) {
		return nil
	}
	limit := deposit
	limit.Add(&limit, &s.Spent)
	_, err = sender.Authorize(ctx, session, limit, time.Now().AddDate(1, 0, 0).Unix())
	return err
}

// EnsureDelegate lets a coordinator's session key order trainings, publish datanets and
// contribute in a requester's name for half a year, unless it may for another month.
func EnsureDelegate(ctx context.Context, client *chain.Client, requester keystore.Signer, session protocol.Account) error {
	scopes := protocol.ScopeTrain | protocol.ScopePublish | protocol.ScopeContribute
	has, err := client.DelegateOf(ctx, requester.Account(), session)
	if err != nil {
		return err
	}
	if has.Scopes.Has(scopes) && has.Until > time.Now().AddDate(0, 1, 0).Unix() {
		return nil
	}
	_, err = client.As(requester).AuthorizeDelegate(ctx, session, scopes, time.Now().AddDate(0, 6, 0).Unix())
	return err
}
