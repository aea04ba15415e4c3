package settle

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

// ledgerEpoch is an epoch of the distributor.
type ledgerEpoch struct {
	proposer       protocol.Account
	stage          string // building, proposed, disputed; then done or dropped
	bond           *big.Int
	deadline       uint64
	upheld         bool
	batches        map[ledgerRef]*big.Int // with what each had left
	swept          int
	amount, inside *big.Int // of its batches; of those that were swept
}

func (l *ledger) batchAt(worker protocol.Account, nonce uint64) *ledgerBatch {
	if nonce >= uint64(len(l.batches[worker])) {
		return nil
	}
	return l.batches[worker][nonce]
}

func (l *ledger) epochsCall(method string, from protocol.Account, value *big.Int, args []any) error {
	switch method {
	case "open":
		if l.live != 0 || value.Cmp(l.epochBond) != 0 {
			return fmt.Errorf("opens an epoch beside another, or for %s wei", value)
		}
		l.lastEpoch++
		l.live = l.lastEpoch
		l.epochs[l.live] = &ledgerEpoch{
			proposer: from, stage: "building", bond: value, deadline: l.now + l.buildWindow,
			batches: map[ledgerRef]*big.Int{}, amount: new(big.Int), inside: new(big.Int),
		}
		return l.holdBatches(l.live, args[0])
	case "add":
		if e := l.epochs[args[0].(uint32)]; e == nil || e.stage != "building" || e.proposer != from || l.now >= e.deadline {
			return fmt.Errorf("adds to an epoch that is not its own to build")
		}
		return l.holdBatches(args[0].(uint32), args[1])
	case "commit":
		e := l.epochs[args[0].(uint32)]
		if e == nil || e.stage != "building" || e.proposer != from || l.now >= e.deadline {
			return fmt.Errorf("commits an epoch that is not its own to build")
		}
		e.stage, e.deadline = "proposed", l.now+l.epochWindow
	case "abandon":
		e := l.epochs[args[0].(uint32)]
		if e == nil || e.stage != "building" || l.now < e.deadline {
			return fmt.Errorf("drops an epoch that has time")
		}
		t := l.disputes.treasury
		amount(l.epochCredits, t).Add(amount(l.epochCredits, t), e.bond)
		l.dropEpoch(args[0].(uint32))
	case "finalise":
		return l.finalise(args[0].(uint32), args[1])
	case "claim":
		paid, err := l.claimEpochs(args[0].(common.Address), args[1].(*big.Int))
		if err == nil && !paid {
			err = fmt.Errorf("epochs pay %s nothing", args[0])
		}
		return err
	case "claimMany":
		for _, c := range *abi.ConvertType(args[0], new([]bindings.EpochClaim)).(*[]bindings.EpochClaim) {
			if _, err := l.claimEpochs(c.Account, c.Cumulative); err != nil {
				return err
			}
		}
	case "collect":
		a := args[0].(common.Address)
		l.move(l.at.Epochs, a, amount(l.epochCredits, a))
		delete(l.epochCredits, a)
	case "grantRole", "renounceRole":
	default:
		return fmt.Errorf("is not in the ledger's book")
	}
	return nil
}

func (l *ledger) refsIn(arg any) (out []ledgerRef) {
	for _, r := range *abi.ConvertType(arg, new([]bindings.BatchRef)).(*[]bindings.BatchRef) {
		out = append(out, ledgerRef{r.Worker, r.Nonce})
	}
	return out
}

func (l *ledger) holdBatches(id uint32, arg any) error {
	e := l.epochs[id]
	for _, ref := range l.refsIn(arg) {
		b := l.batchAt(ref.subject, ref.nonce)
		if b == nil || b.disputed || b.rejected || l.now < b.claimableAt {
			return fmt.Errorf("holds a batch that is not claimable")
		}
		left := new(big.Int).Sub(b.total, b.paid)
		if e.batches[ref] != nil || left.Sign() == 0 {
			continue
		}
		b.held = true
		e.batches[ref] = left
		e.amount.Add(e.amount, left)
	}
	return nil
}

func (l *ledger) finalise(id uint32, arg any) error {
	e := l.epochs[id]
	if e == nil || e.stage != "proposed" || l.now < e.deadline {
		return fmt.Errorf("finalises an epoch that is not due")
	}
	for _, ref := range l.refsIn(arg) {
		b := l.batchAt(ref.subject, ref.nonce)
		left := e.batches[ref]
		if b == nil || left == nil || b.swept {
			return fmt.Errorf("sweeps a batch that the epoch does not hold, or twice")
		}
		b.swept, b.paid = true, b.total
		e.swept++
		e.inside.Add(e.inside, left)
		l.move(l.at.Settlement, l.at.Epochs, left)
	}
	if e.swept == len(e.batches) {
		e.stage, l.live = "done", 0
		l.distributable.Add(l.distributable, e.inside)
		amount(l.epochCredits, e.proposer).Add(amount(l.epochCredits, e.proposer), e.bond)
	}
	return nil
}

// claimEpochs pays what an account has not had; false if it has had all of it.
func (l *ledger) claimEpochs(account protocol.Account, cumulative *big.Int) (bool, error) {
	due := new(big.Int).Sub(cumulative, amount(l.epochClaimed, account))
	if due.Sign() <= 0 {
		return false, nil
	}
	if l.distributable.Cmp(due) < 0 {
		return false, fmt.Errorf("pays %s wei of %s that epochs brought", due, l.distributable)
	}
	amount(l.epochClaimed, account).Set(cumulative)
	l.distributable.Sub(l.distributable, due)
	l.move(l.at.Epochs, account, due)
	return true, nil
}

// dropEpoch lets the batches of an epoch go. None of them was swept.
func (l *ledger) dropEpoch(id uint32) {
	e := l.epochs[id]
	e.stage, l.live = "dropped", 0
	for ref := range e.batches {
		l.batchAt(ref.subject, ref.nonce).held = false
	}
}
