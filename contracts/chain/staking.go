package chain

import (
	"context"
	"slices"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

var staking = bindings.NewWorkerStaking()

// StakeOf is all that is staked on a worker.
func (c *Client) StakeOf(ctx context.Context, worker protocol.Account) (s Stake, err error) {
	all, err := readAmount(ctx, c, "read a worker's stake", c.cfg.Addresses.Staking, staking.PackStakeOf(worker), staking.UnpackStakeOf)
	if err != nil {
		return s, err
	}
	s.Own, err = readAmount(ctx, c, "read a worker's bond", c.cfg.Addresses.Staking, staking.PackBondOf(worker), staking.UnpackBondOf)
	if err != nil {
		return s, err
	}
	if all.Gt(&s.Own) { // else a block came between the two reads
		s.Delegated.Sub(&all, &s.Own)
	}
	return s, nil
}

// StakedBy is what one account has staked on a worker. A worker's own bond is
// StakedBy(worker, worker).
func (c *Client) StakedBy(ctx context.Context, worker, account protocol.Account) (uint256.Int, error) {
	return readAmount(ctx, c, "read a stake", c.cfg.Addresses.Staking, staking.PackStakedBy(worker, account), staking.UnpackStakedBy)
}

// Stakers are all who stake on a worker, by account. Use At for a snapshot.
func (c *Client) Stakers(ctx context.Context, worker protocol.Account) ([]Staker, error) {
	const what = "read a worker's stakers"
	got, err := read(ctx, c, what, c.cfg.Addresses.Staking, staking.PackStakersOf(worker), staking.UnpackStakersOf)
	if err != nil {
		return nil, err
	}
	if len(got.Accounts) != len(got.Amounts) {
		return nil, protocol.Errorf(protocol.KindCorrupt, "", "%s: %d accounts and %d amounts", what, len(got.Accounts), len(got.Amounts))
	}
	out := make([]Staker, len(got.Accounts))
	for i, a := range got.Accounts {
		amount, err := toU256(got.Amounts[i])
		if err != nil {
			return nil, err
		}
		out[i] = Staker{Account: a, Amount: amount}
	}
	slices.SortFunc(out, func(a, b Staker) int { return a.Account.Cmp(b.Account) })
	return out, nil
}

// NodeKeyOf is a worker's registered node key; zero: none.
func (c *Client) NodeKeyOf(ctx context.Context, worker protocol.Account) (protocol.Account, error) {
	return read(ctx, c, "read a worker's node key", c.cfg.Addresses.Staking, staking.PackNodeKeyOf(worker), staking.UnpackNodeKeyOf)
}

// PayoutOf is where a worker's earnings go; zero: not registered.
func (c *Client) PayoutOf(ctx context.Context, worker protocol.Account) (protocol.Account, error) {
	return read(ctx, c, "read a worker's payout address", c.cfg.Addresses.Staking, staking.PackPayoutOf(worker), staking.UnpackPayoutOf)
}

// BindingOf is a worker's registered binding; its Owner is zero when there is none.
func (c *Client) BindingOf(ctx context.Context, worker protocol.Account) (protocol.Binding, error) {
	b, err := read(ctx, c, "read a worker's binding", c.cfg.Addresses.Staking, staking.PackBindingOf(worker), staking.UnpackBindingOf)
	if err != nil {
		return protocol.Binding{}, err
	}
	return protocol.Binding{
		Peer: protocol.PeerID(b.Peer), NodeKey: b.NodeKey, Owner: b.Owner, Payout: b.Payout,
		IssuedAt: int64(b.IssuedAt), Expires: int64(b.Expires),
	}, nil
}

// IsActive says whether a worker is registered, its binding lasts and its bond
// meets the minimum.
func (c *Client) IsActive(ctx context.Context, worker protocol.Account) (bool, error) {
	return read(ctx, c, "read a worker's state", c.cfg.Addresses.Staking, staking.PackIsActive(worker), staking.UnpackIsActive)
}

// Unbondings are an account's stakes on their way out.
func (c *Client) Unbondings(ctx context.Context, account protocol.Account) ([]Unbonding, error) {
	got, err := read(ctx, c, "read unbondings", c.cfg.Addresses.Staking, staking.PackUnbondingsOf(account), staking.UnpackUnbondingsOf)
	if err != nil {
		return nil, err
	}
	out := make([]Unbonding, len(got))
	for i, u := range got {
		out[i] = Unbonding{Worker: u.Worker, ReleaseAt: int64(u.ReleaseAt)}
		if out[i].ID, err = toU256(u.Id); err != nil {
			return nil, err
		}
		if out[i].Amount, err = toU256(u.Amount); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// StakingParams are the governed numbers of staking.
func (c *Client) StakingParams(ctx context.Context) (p StakingParams, err error) {
	at := c.cfg.Addresses.Staking
	if p.MinStake, err = readAmount(ctx, c, "read the minimum stake", at, staking.PackMinStake(), staking.UnpackMinStake); err != nil {
		return p, err
	}
	if p.MinDelegation, err = readAmount(ctx, c, "read the minimum delegation", at, staking.PackMinDelegation(), staking.UnpackMinDelegation); err != nil {
		return p, err
	}
	p.UnbondingSeconds, err = read(ctx, c, "read the unbonding period", at, staking.PackUnbondingPeriod(), staking.UnpackUnbondingPeriod)
	return p, err
}

// Bond adds to the sender's own stake as a worker.
func (s *Sender) Bond(ctx context.Context, amount uint256.Int) (Tx, error) {
	return s.Call(ctx, "bond", s.c.cfg.Addresses.Staking, amount, staking.PackBond())
}

// EnsureBond raises the sender's bond to an amount, if it is below: made again
// after an interruption it does not bond twice. It reports whether it sent
// anything.
func (s *Sender) EnsureBond(ctx context.Context, amount uint256.Int) (bool, error) {
	have, err := s.c.StakedBy(ctx, s.Account(), s.Account())
	if err != nil || !have.Lt(&amount) {
		return false, err
	}
	var rest uint256.Int
	rest.Sub(&amount, &have)
	_, err = s.Bond(ctx, rest)
	return err == nil, err
}

// Delegate adds to the sender's stake on a worker.
func (s *Sender) Delegate(ctx context.Context, worker protocol.Account, amount uint256.Int) (Tx, error) {
	return s.Call(ctx, "delegate", s.c.cfg.Addresses.Staking, amount, staking.PackDelegate(worker))
}

// Unbond starts taking the sender's stake off a worker (a worker names itself).
func (s *Sender) Unbond(ctx context.Context, worker protocol.Account, amount uint256.Int) (Tx, error) {
	return s.Call(ctx, "unbond", s.c.cfg.Addresses.Staking, uint256.Int{}, staking.PackUnbond(worker, big256(amount)))
}

// WithdrawStake pays out an unbonding whose period is over.
func (s *Sender) WithdrawStake(ctx context.Context, id uint256.Int) (Tx, error) {
	return s.Call(ctx, "withdraw stake", s.c.cfg.Addresses.Staking, uint256.Int{}, staking.PackWithdraw(big256(id)))
}

// RegisterBinding registers a worker's node key and payout address by its owner's
// signature. Anybody may send it.
func (s *Sender) RegisterBinding(ctx context.Context, b protocol.Binding, signature []byte) (Tx, error) {
	return s.Call(ctx, "register the worker's keys", s.c.cfg.Addresses.Staking, uint256.Int{}, staking.PackRegister(bindings.Binding{
		Peer: string(b.Peer), NodeKey: b.NodeKey, Owner: b.Owner, Payout: b.Payout,
		IssuedAt: uint64(b.IssuedAt), Expires: uint64(b.Expires),
	}, signature))
}
