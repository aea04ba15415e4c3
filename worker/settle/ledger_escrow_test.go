package settle

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

// ledgerTab is what a requester set aside for a worker.
type ledgerTab struct {
	reserved, target *big.Int
	lowersAt         uint64 // 0: it is not being lowered
}

func (l *ledger) escrowCall(method string, from protocol.Account, value *big.Int, args []any) error {
	switch method {
	case "deposit":
		amount(l.escrow, from).Add(amount(l.escrow, from), value)
	case "depositFor":
		to := args[0].(common.Address)
		amount(l.escrow, to).Add(amount(l.escrow, to), value)
	case "authorize":
		k := [2]protocol.Account{from, args[0].(common.Address)}
		s := l.sessions[k]
		if s == nil {
			s = &ledgerSession{spent: new(big.Int)}
			l.sessions[k] = s
		}
		s.limit, s.expiry = args[1].(*big.Int), args[2].(uint64)
	case "revoke":
		s := l.sessions[[2]protocol.Account{from, args[0].(common.Address)}]
		if end := l.now + l.delay; end < s.expiry {
			s.expiry = end
		}
	case "requestWithdrawal":
		l.withdrawals[from] = ledgerWithdrawal{args[0].(*big.Int), l.now + l.delay}
	case "cancelWithdrawal":
		delete(l.withdrawals, from)
	case "executeWithdrawal":
		w, ok := l.withdrawals[from]
		if !ok || l.now < w.releaseAt {
			return fmt.Errorf("was executed before its time")
		}
		delete(l.withdrawals, from)
		paid := w.amount
		if have := amount(l.escrow, from); paid.Cmp(have) > 0 {
			paid = new(big.Int).Set(have)
		}
		if free := l.freeOf(from); paid.Cmp(free) > 0 { // the rest stays requested
			l.withdrawals[from] = ledgerWithdrawal{new(big.Int).Sub(paid, free), w.releaseAt}
			paid = free
		}
		amount(l.escrow, from).Sub(amount(l.escrow, from), paid)
		l.move(l.at.Escrow, from, paid)
	case "reserve":
		return l.reserve(from, args[0].(common.Address), args[1].(*big.Int))
	case "release":
		if tab := l.tab(args[0].(common.Address), args[1].(common.Address)); tab.lowersAt == 0 || l.now < tab.lowersAt {
			return fmt.Errorf("frees a reserve before its time")
		}
		l.settleTab(args[0].(common.Address), args[1].(common.Address))
	case "setWithdrawalDelay":
		l.delay = args[0].(uint64)
	case "grantRole", "renounceRole":
	default:
		return fmt.Errorf("is not in the ledger's book")
	}
	return nil
}

// refund puts what a rejected batch drew back, once.
func (l *ledger) refund(worker protocol.Account, nonce uint64, draws []bindings.Draw) error {
	b := l.batchAt(worker, nonce)
	if b == nil || !b.rejected || b.refunded {
		return fmt.Errorf("refunds a batch that was not rejected, or twice")
	}
	b.refunded = true
	if len(draws) != len(b.draws) {
		return fmt.Errorf("refunds %d draws of %d", len(draws), len(b.draws))
	}
	for i, d := range b.draws {
		if draws[i].Requester != d.Requester || draws[i].Amount.Cmp(d.Amount) != 0 {
			return fmt.Errorf("refunds %s wei to %s, who paid %s", draws[i].Amount, draws[i].Requester, d.Amount)
		}
		amount(l.escrow, d.Requester).Add(amount(l.escrow, d.Requester), d.Amount)
		l.move(l.at.Settlement, l.at.Escrow, d.Amount)
	}
	return nil
}

func (l *ledger) tab(requester, worker protocol.Account) *ledgerTab {
	k := [2]protocol.Account{requester, worker}
	if l.tabs[k] == nil {
		l.tabs[k] = &ledgerTab{reserved: new(big.Int), target: new(big.Int)}
	}
	return l.tabs[k]
}

// freeOf is what a requester has reserved for nobody.
func (l *ledger) freeOf(requester protocol.Account) *big.Int {
	free := new(big.Int).Set(amount(l.escrow, requester))
	for k, tab := range l.tabs {
		if k[0] == requester {
			free.Sub(free, tab.reserved)
		}
	}
	return free
}

// settleTab lets a lowered reserve count whose time has come.
func (l *ledger) settleTab(requester, worker protocol.Account) {
	tab := l.tab(requester, worker)
	if tab.lowersAt == 0 || l.now < tab.lowersAt {
		return
	}
	if tab.target.Cmp(tab.reserved) < 0 {
		tab.reserved = tab.target
	}
	tab.target, tab.lowersAt = new(big.Int), 0
}

func (l *ledger) reserve(requester, worker protocol.Account, v *big.Int) error {
	l.settleTab(requester, worker)
	tab := l.tab(requester, worker)
	more := new(big.Int).Sub(v, tab.reserved)
	if more.Sign() < 0 {
		tab.target, tab.lowersAt = v, l.now+l.delay
		return nil
	}
	if more.Cmp(l.freeOf(requester)) > 0 {
		return fmt.Errorf("reserves more than is free")
	}
	tab.reserved, tab.target, tab.lowersAt = v, new(big.Int), 0
	return nil
}
