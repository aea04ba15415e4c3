package chain

import (
	"context"
	"maps"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

var escrow = bindings.NewEscrow()

// EscrowOf is all that a requester has in escrow: reserves and money that waits for
// withdrawal included.
func (c *Client) EscrowOf(ctx context.Context, requester protocol.Account) (uint256.Int, error) {
	return readAmount(ctx, c, "read an escrow balance", c.cfg.Addresses.Escrow, escrow.PackBalanceOf(requester), escrow.UnpackBalanceOf)
}

// AvailableOf is EscrowOf without reserves and without what waits for withdrawal: what
// new work of any worker may count on.
func (c *Client) AvailableOf(ctx context.Context, requester protocol.Account) (uint256.Int, error) {
	return readAmount(ctx, c, "read an escrow balance", c.cfg.Addresses.Escrow, escrow.PackAvailableOf(requester), escrow.UnpackAvailableOf)
}

// FundsOf is what a requester has in escrow and how much of it is free for new work.
func (c *Client) FundsOf(ctx context.Context, requester protocol.Account) (out Funds, err error) {
	if out.Balance, err = c.EscrowOf(ctx, requester); err != nil {
		return out, err
	}
	if out.Available, err = c.AvailableOf(ctx, requester); err != nil {
		return out, err
	}
	out.Reserved, err = c.ReservedOf(ctx, requester)
	return out, err
}

// ReservedOf is what a requester has set aside for single workers, all together.
func (c *Client) ReservedOf(ctx context.Context, requester protocol.Account) (uint256.Int, error) {
	return readAmount(ctx, c, "read escrow reserves", c.cfg.Addresses.Escrow, escrow.PackReservedOf(requester), escrow.UnpackReservedOf)
}

// ReserveOf is what a requester has set aside for one worker.
func (c *Client) ReserveOf(ctx context.Context, requester, worker protocol.Account) (out Reserve, err error) {
	r, err := read(ctx, c.now(), "read an escrow reserve", c.cfg.Addresses.Escrow, escrow.PackReserveOf(requester, worker), escrow.UnpackReserveOf)
	if err != nil {
		return out, err
	}
	out.Worker, out.LowersAt = worker, int64(r.LowersAt)
	if out.Target, err = toU256(r.Target); err != nil {
		return out, err
	}
	out.Amount, err = toU256(r.Amount)
	return out, err
}

// DrawableBy is what a worker could draw from a requester's escrow now: all but the
// reserves of others. Money that waits for withdrawal is included.
func (c *Client) DrawableBy(ctx context.Context, requester, worker protocol.Account) (uint256.Int, error) {
	return readAmount(ctx, c, "read an escrow balance", c.cfg.Addresses.Escrow, escrow.PackDrawableBy(requester, worker), escrow.UnpackDrawableBy)
}

// Reserves are a requester's reserves that are not empty, by worker.
func (c *Client) Reserves(ctx context.Context, requester protocol.Account) ([]Reserve, error) {
	seen := map[protocol.Account]bool{}
	topics := [][]common.Hash{{eventID(&bindings.EscrowMetaData, "Reserved")}, {common.BytesToHash(requester[:])}}
	if _, err := c.rawLogs(ctx, 0, 0, []common.Address{c.cfg.Addresses.Escrow}, topics, func(l *types.Log) error {
		ev, err := escrow.UnpackReservedEvent(l)
		if err != nil {
			return protocol.Errorf(protocol.KindCorrupt, "", "event %d of block %d: %w", l.Index, l.BlockNumber, err)
		}
		seen[ev.Worker] = true
		return nil
	}); err != nil {
		return nil, err
	}
	var out []Reserve
	for _, w := range slices.SortedFunc(maps.Keys(seen), protocol.Account.Cmp) {
		r, err := c.ReserveOf(ctx, requester, w)
		if err != nil {
			return nil, err
		}
		if !r.Amount.IsZero() {
			out = append(out, r)
		}
	}
	return out, nil
}

// EscrowNonce is the nonce of a requester's next signed opening.
func (c *Client) EscrowNonce(ctx context.Context, requester protocol.Account) (uint256.Int, error) {
	return readAmount(ctx, c, "read an escrow nonce", c.cfg.Addresses.Escrow, escrow.PackNonces(requester), escrow.UnpackNonces)
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

// The bits that the escrow has for a requester's balance, the sum of its reserves, and
// what a session key may spend.
const (
	balanceBits = 96
	reserveBits = 80
	limitBits   = 88
)

// fits makes sure that an amount is below 2^bits wei.
func fits(field string, amount uint256.Int, bits int) error {
	if amount.BitLen() <= bits {
		return nil
	}
	most := map[int]string{balanceBits: "79 billion", reserveBits: "1.2 million", limitBits: "309 million"}[bits]
	return protocol.Errorf(protocol.KindInvalid, field, "%s wei do not fit into the escrow, which takes less than 2^%d (%s OPEN)", amount.Dec(), bits, most)
}

// Deposit adds to the sender's escrow.
func (s *Sender) Deposit(ctx context.Context, amount uint256.Int) (Tx, error) {
	if err := fits("amount", amount, balanceBits); err != nil {
		return Tx{}, err
	}
	return s.Call(ctx, "deposit", s.c.cfg.Addresses.Escrow, amount, escrow.PackDeposit())
}

// DepositFor adds to somebody's escrow.
func (s *Sender) DepositFor(ctx context.Context, requester protocol.Account, amount uint256.Int) (Tx, error) {
	if err := fits("amount", amount, balanceBits); err != nil {
		return Tx{}, err
	}
	return s.Call(ctx, "deposit", s.c.cfg.Addresses.Escrow, amount, escrow.PackDepositFor(requester))
}

// Authorize lets a session key sign vouchers for the sender up to a limit over its
// whole life, until expiry (Unix seconds). Again raises the limit or prolongs the
// life.
func (s *Sender) Authorize(ctx context.Context, session protocol.Account, limit uint256.Int, expiry int64) (Tx, error) {
	if expiry <= 0 {
		return Tx{}, protocol.Errorf(protocol.KindInvalid, "expiry", "%d is no time in Unix seconds", expiry)
	}
	if err := fits("limit", limit, limitBits); err != nil {
		return Tx{}, err
	}
	return s.Call(ctx, "authorise a session key", s.c.cfg.Addresses.Escrow, uint256.Int{}, escrow.PackAuthorize(session, big256(limit), uint64(expiry)))
}

// OpenEscrow deposits, authorises a session key and reserves for workers, in one
// transaction and all for the sender. The opening's requester, nonce and deadline are not
// looked at.
func (s *Sender) OpenEscrow(ctx context.Context, o protocol.Opening) (Tx, error) {
	raw, err := openingOf(o)
	if err != nil {
		return Tx{}, err
	}
	return s.Call(ctx, "open an escrow", s.c.cfg.Addresses.Escrow, o.Amount, escrow.PackOpen(raw.Session, raw.Limit, raw.Expiry, raw.Workers, raw.Amounts))
}

// OpenEscrowFor does the same for a requester that signed for it; the sender pays the
// deposit.
func (s *Sender) OpenEscrowFor(ctx context.Context, o protocol.SignedOpening) (Tx, error) {
	raw, err := openingOf(o.Opening)
	if err != nil {
		return Tx{}, err
	}
	return s.Call(ctx, "open an escrow for another", s.c.cfg.Addresses.Escrow, o.Opening.Amount, escrow.PackOpenFor(raw, o.Signature))
}

// CheckOpening makes sure that the escrow could take an opening: before it is signed.
func CheckOpening(o protocol.Opening) error {
	_, err := openingOf(o)
	return err
}

func openingOf(o protocol.Opening) (bindings.Opening, error) {
	switch {
	case o.Expiry <= 0:
		return bindings.Opening{}, protocol.Errorf(protocol.KindInvalid, "expiry", "%d is no time in Unix seconds", o.Expiry)
	case o.Deadline < 0:
		return bindings.Opening{}, protocol.Errorf(protocol.KindInvalid, "deadline", "%d is no time in Unix seconds", o.Deadline)
	case len(o.Reserves) > protocol.MaxReserves:
		return bindings.Opening{}, protocol.Errorf(protocol.KindInvalid, "reserves", "are %d: at most %d at once, more with 'openledger escrow reserve'", len(o.Reserves), protocol.MaxReserves)
	}
	if err := fits("limit", o.Limit, limitBits); err != nil {
		return bindings.Opening{}, err
	}
	if err := fits("amount", o.Amount, balanceBits); err != nil {
		return bindings.Opening{}, err
	}
	out := bindings.Opening{
		Requester: o.Requester, Session: o.Session, Limit: big256(o.Limit), Expiry: uint64(o.Expiry), Amount: big256(o.Amount),
		Nonce: big256(o.Nonce), Deadline: uint64(o.Deadline),
	}
	for _, r := range o.Reserves {
		if err := fits("reserves", r.Amount, reserveBits); err != nil {
			return bindings.Opening{}, err
		}
		out.Workers, out.Amounts = append(out.Workers, r.Worker), append(out.Amounts, big256(r.Amount))
	}
	return out, nil
}

// Reserve sets aside an amount of the sender's escrow for one worker. More than before
// counts at once, less after the withdrawal delay.
func (s *Sender) Reserve(ctx context.Context, worker protocol.Account, amount uint256.Int) (Tx, error) {
	if err := fits("amount", amount, reserveBits); err != nil {
		return Tx{}, err
	}
	return s.Call(ctx, "reserve for a worker", s.c.cfg.Addresses.Escrow, uint256.Int{}, escrow.PackReserve(worker, big256(amount)))
}

// ReleaseReserve frees what a requester's reserve was lowered by, once the delay is over.
func (s *Sender) ReleaseReserve(ctx context.Context, requester, worker protocol.Account) (Tx, error) {
	return s.Call(ctx, "release a reserve", s.c.cfg.Addresses.Escrow, uint256.Int{}, escrow.PackRelease(requester, worker))
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
