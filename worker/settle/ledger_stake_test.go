package settle

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	"github.com/openledger/openledger/protocol"
)

func mulDiv(a, b, c *big.Int, up bool) *big.Int {
	q, m := new(big.Int).DivMod(new(big.Int).Mul(a, b), c, new(big.Int))
	if up && m.Sign() != 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

// worth is what shares are worth, rounded down.
func (p *ledgerPool) worth(shares *big.Int) *big.Int {
	if shares == nil || shares.Sign() == 0 {
		return new(big.Int)
	}
	return mulDiv(shares, p.assets, p.all, false)
}

// put adds assets and gives their shares.
func (p *ledgerPool) put(v *big.Int) *big.Int {
	shares := v
	if p.all.Sign() != 0 {
		shares = mulDiv(v, p.all, p.assets, false)
	}
	p.assets.Add(p.assets, v)
	p.all.Add(p.all, shares)
	return shares
}

func (l *ledger) stakingCall(method string, from protocol.Account, value *big.Int, args []any) error {
	switch method {
	case "bond":
		l.stake(from, from, value)
	case "delegate":
		l.stake(args[0].(common.Address), from, value)
	case "unbond":
		return l.unbond(args[0].(common.Address), from, args[1].(*big.Int))
	case "withdraw":
		return l.withdraw(args[0].(*big.Int).Uint64(), from)
	case "slash":
		return l.slash(args[0].(common.Address), args[1].(*big.Int), args[2].(common.Address))
	case "collect":
		l.move(l.at.Staking, from, amount(l.proceeds, from))
		delete(l.proceeds, from)
	case "setUnbondingPeriod":
		l.unbonding = args[0].(uint64)
	case "unjail":
		worker := args[0].(common.Address)
		if until := l.jailed[worker]; until == 0 || l.now < until {
			return fmt.Errorf("leaves jail before its time")
		}
		delete(l.jailed, worker)
	case "register", "setMinimums", "grantRole", "renounceRole":
	default:
		return fmt.Errorf("is not in the ledger's book")
	}
	return nil
}

func (l *ledger) stake(worker, account protocol.Account, v *big.Int) {
	p := poolOf(l.pools, worker)
	shares := p.put(v)
	amount(p.shares, account).Add(amount(p.shares, account), shares)
}

func (l *ledger) unbond(worker, account protocol.Account, v *big.Int) error {
	p := poolOf(l.pools, worker)
	had := amount(p.shares, account)
	staked := p.worth(had)
	all := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))
	if v.Cmp(all) == 0 {
		v = staked
	}
	if v.Cmp(staked) > 0 {
		return fmt.Errorf("takes %s of %s", v, staked)
	}
	shares := new(big.Int).Set(had)
	if v.Cmp(staked) != 0 {
		shares = mulDiv(v, p.all, p.assets, true)
	}
	p.assets.Sub(p.assets, v)
	p.all.Sub(p.all, shares)
	had.Sub(had, shares)
	l.lastRequest++
	l.requests[l.lastRequest] = &ledgerRequest{account: account, worker: worker, shares: poolOf(l.leaving, worker).put(v), releaseAt: l.now + l.unbonding}
	return nil
}

func (l *ledger) withdraw(id uint64, account protocol.Account) error {
	r := l.requests[id]
	if r == nil || r.account != account || l.now < r.releaseAt {
		return fmt.Errorf("withdraws what is not its own, or too early")
	}
	p := poolOf(l.leaving, r.worker)
	v := p.worth(r.shares)
	p.assets.Sub(p.assets, v)
	p.all.Sub(p.all, r.shares)
	delete(l.requests, id)
	l.move(l.at.Staking, account, v)
	return nil
}

// slash takes from stake and unbonding stake in proportion. The runs never slash so
// much that a pool is closed.
func (l *ledger) slash(worker protocol.Account, v *big.Int, to protocol.Account) error {
	p, out := poolOf(l.pools, worker), poolOf(l.leaving, worker)
	all := new(big.Int).Add(p.assets, out.assets)
	if v.Cmp(all) >= 0 {
		return fmt.Errorf("takes everything: the ledger does not follow that far")
	}
	fromStake := mulDiv(v, p.assets, all, true)
	p.assets.Sub(p.assets, fromStake)
	out.assets.Sub(out.assets, new(big.Int).Sub(v, fromStake))
	amount(l.proceeds, to).Add(amount(l.proceeds, to), v)
	return nil
}
