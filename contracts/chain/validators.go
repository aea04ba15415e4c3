package chain

import (
	"context"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

var validators = bindings.NewValidatorPool()

// Validator is who may be drawn into committees.
type Validator struct {
	Account   protocol.Account `json:"account"`
	Bond      uint256.Int      `json:"bond"`
	ReleaseAt int64            `json:"release_at"` // Unix seconds: when its bond is free; 0 while it serves
	Seats     uint32           `json:"seats"`      // in how many undecided committees it sits
}

// ValidatorRules are what being a validator takes.
type ValidatorRules struct {
	MinBond          uint256.Int `json:"min_bond"`
	UnbondingSeconds uint64      `json:"unbonding_seconds"`
}

// Validator is an account as a validator; its bond is zero if it is none.
func (c *Client) Validator(ctx context.Context, account protocol.Account) (Validator, error) {
	v, err := read(ctx, c, "read a validator", c.cfg.Addresses.Validators, validators.PackValidatorOf(account), validators.UnpackValidatorOf)
	if err != nil {
		return Validator{}, err
	}
	out := Validator{Account: account, ReleaseAt: int64(v.ReleaseAt), Seats: v.Seats}
	out.Bond, err = toU256(v.Bond)
	return out, err
}

// ValidatorRules are what being a validator takes now.
func (c *Client) ValidatorRules(ctx context.Context) (ValidatorRules, error) {
	r, err := read(ctx, c, "read the rules of validators", c.cfg.Addresses.Validators, validators.PackRules(), validators.UnpackRules)
	if err != nil {
		return ValidatorRules{}, err
	}
	out := ValidatorRules{UnbondingSeconds: r.Unbonding}
	out.MinBond, err = toU256(r.MinBond)
	return out, err
}

// Join adds to the sender's bond as a validator.
func (s *Sender) Join(ctx context.Context, bond uint256.Int) (Tx, error) {
	return s.Call(ctx, "join the validators", s.c.cfg.Addresses.Validators, bond, validators.PackJoin())
}

// EnsureJoined raises the sender's bond as a validator to an amount, if it is below or
// the sender was leaving: made again after an interruption it does not bond twice. It
// reports whether it sent anything.
func (s *Sender) EnsureJoined(ctx context.Context, bond uint256.Int) (bool, error) {
	have, err := s.c.Validator(ctx, s.Account())
	if err != nil {
		return false, err
	}
	rest := *uint256.NewInt(1) // coming back takes a wei at least
	if have.Bond.Lt(&bond) {
		rest.Sub(&bond, &have.Bond)
	} else if have.ReleaseAt == 0 {
		return false, nil
	}
	_, err = s.Join(ctx, rest)
	return err == nil, err
}

// Leave ends the sender's service: it is drawn no more, and its bond is free after the
// unbonding period.
func (s *Sender) Leave(ctx context.Context) (Tx, error) {
	return s.Call(ctx, "leave the validators", s.c.cfg.Addresses.Validators, uint256.Int{}, validators.PackLeave())
}

// WithdrawBond pays the sender the bond of a service that it left.
func (s *Sender) WithdrawBond(ctx context.Context) (Tx, error) {
	return s.Call(ctx, "withdraw a validator's bond", s.c.cfg.Addresses.Validators, uint256.Int{}, validators.PackWithdraw())
}
