package chain

import (
	"context"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

var escrow = bindings.NewEscrow()

// EscrowOf is what a requester's vouchers can draw on, money that waits for
// withdrawal included.
func (c *Client) EscrowOf(ctx context.Context, requester protocol.Account) (uint256.Int, error) {
	return readAmount(ctx, c, "read an escrow balance", c.cfg.Addresses.Escrow, escrow.PackBalanceOf(requester), escrow.UnpackBalanceOf)
}

// AvailableOf is EscrowOf without what waits for withdrawal: what new work may
// count on.
func (c *Client) AvailableOf(ctx context.Context, requester protocol.Account) (uint256.Int, error) {
	return readAmount(ctx, c, "read an escrow balance", c.cfg.Addresses.Escrow, escrow.PackAvailableOf(requester), escrow.UnpackAvailableOf)
}

// DrawnOf is what a worker has drawn from a requester's escrow so far.
func (c *Client) DrawnOf(ctx context.Context, requester, worker protocol.Account) (uint256.Int, error) {
	return readAmount(ctx, c, "read what was drawn", c.cfg.Addresses.Escrow, escrow.PackDrawnOf(requester, worker), escrow.UnpackDrawnOf)
}

// SessionOf is a session key's authorisation; Expires is 0 when there is none.
func (c *Client) SessionOf(ctx context.Context, requester, session protocol.Account) (out Session, err error) {
	s, err := read(ctx, c, "read a session", c.cfg.Addresses.Escrow, escrow.PackSessionOf(requester, session), escrow.UnpackSessionOf)
	if err != nil {
		return out, err
	}
	out.Expires = int64(s.Expiry)
	if out.Limit, err = toU256(s.Limit); err != nil {
		return out, err
	}
	out.Spent, err = toU256(s.Spent)
	return out, err
}

// WithdrawalOf is a requester's request for a withdrawal; zeros: none.
func (c *Client) WithdrawalOf(ctx context.Context, requester protocol.Account) (out Withdrawal, err error) {
	w, err := read(ctx, c, "read a withdrawal", c.cfg.Addresses.Escrow, escrow.PackWithdrawalOf(requester), escrow.UnpackWithdrawalOf)
	if err != nil {
		return out, err
	}
	out.ReleaseAt = int64(w.ReleaseAt)
	out.Amount, err = toU256(w.Amount)
	return out, err
}

// Deposit adds to the sender's escrow.
func (s *Sender) Deposit(ctx context.Context, amount uint256.Int) (Tx, error) {
	return s.Call(ctx, "deposit", s.c.cfg.Addresses.Escrow, amount, escrow.PackDeposit())
}

// DepositFor adds to somebody's escrow.
func (s *Sender) DepositFor(ctx context.Context, requester protocol.Account, amount uint256.Int) (Tx, error) {
	return s.Call(ctx, "deposit", s.c.cfg.Addresses.Escrow, amount, escrow.PackDepositFor(requester))
}

// Authorize lets a session key sign vouchers for the sender up to a limit over its
// whole life, until expiry (Unix seconds). Again raises the limit or prolongs the
// life.
func (s *Sender) Authorize(ctx context.Context, session protocol.Account, limit uint256.Int, expiry int64) (Tx, error) {
	if expiry <= 0 {
		return Tx{}, protocol.Errorf(protocol.KindInvalid, "expiry", "%d is no time in Unix seconds", expiry)
	}
	return s.Call(ctx, "authorise a session key", s.c.cfg.Addresses.Escrow, uint256.Int{}, escrow.PackAuthorize(session, big256(limit), uint64(expiry)))
}

// Revoke ends a session key's authorisation after the withdrawal delay.
func (s *Sender) Revoke(ctx context.Context, session protocol.Account) (Tx, error) {
	return s.Call(ctx, "revoke a session key", s.c.cfg.Addresses.Escrow, uint256.Int{}, escrow.PackRevoke(session))
}

// RequestWithdrawal asks to take money out of the sender's escrow.
func (s *Sender) RequestWithdrawal(ctx context.Context, amount uint256.Int) (Tx, error) {
	return s.Call(ctx, "request a withdrawal", s.c.cfg.Addresses.Escrow, uint256.Int{}, escrow.PackRequestWithdrawal(big256(amount)))
}

// CancelWithdrawal gives the request up.
func (s *Sender) CancelWithdrawal(ctx context.Context) (Tx, error) {
	return s.Call(ctx, "cancel a withdrawal", s.c.cfg.Addresses.Escrow, uint256.Int{}, escrow.PackCancelWithdrawal())
}

// ExecuteWithdrawal pays the request out once its delay is over.
func (s *Sender) ExecuteWithdrawal(ctx context.Context) (Tx, error) {
	return s.Call(ctx, "withdraw from escrow", s.c.cfg.Addresses.Escrow, uint256.Int{}, escrow.PackExecuteWithdrawal())
}
