package settle

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/contracts/devchain"
	"github.com/openledger/openledger/protocol"
)

// ledgerDisputes is the ledger's account of the committee and of its validators.
type ledgerDisputes struct {
	rules      devchain.DisputeParams
	unbonding  uint64 // of validators
	all        []*ledgerDispute
	challenged map[ledgerRef]uint // how often
	credits    map[protocol.Account]*big.Int
	bonds      map[protocol.Account]*big.Int // of validators
	leaves     map[protocol.Account]uint64   // when the bond of who left is free
	seats      map[protocol.Account]int
	treasury   protocol.Account
}

// ledgerRef is a batch, or an epoch of the distributor.
type ledgerRef struct {
	subject protocol.Account
	nonce   uint64
}

type ledgerDispute struct {
	ledgerRef
	challenger protocol.Account
	bond       *big.Int
	open       bool
	round      uint8
	deadline   uint64
	members    map[protocol.Account]string // what each said; empty while the dispute waits for its draw
}

func newLedgerDisputes(p devchain.Params, treasury protocol.Account) ledgerDisputes {
	return ledgerDisputes{
		rules: p.Disputes, unbonding: p.Validators.UnbondingSeconds, challenged: map[ledgerRef]uint{}, treasury: treasury,
		credits: map[protocol.Account]*big.Int{}, bonds: map[protocol.Account]*big.Int{}, leaves: map[protocol.Account]uint64{},
		seats: map[protocol.Account]int{},
	}
}

func bps(v *big.Int, n uint16) *big.Int {
	return mulDiv(v, new(big.Int).SetUint64(uint64(n)), big.NewInt(10_000), false)
}

func (d *ledgerDisputes) credit(a protocol.Account, v *big.Int) {
	amount(d.credits, a).Add(amount(d.credits, a), v)
}

func (l *ledger) committeeCall(method string, from protocol.Account, value *big.Int, args []any) error {
	switch method {
	case "challenge":
		b := l.batchAt(args[0].(common.Address), args[1].(uint64))
		if b == nil || b.disputed || b.rejected || l.now >= b.claimableAt {
			return fmt.Errorf("challenges a batch that is not in its window")
		}
		b.disputed, b.frozenAt = true, l.now
		l.setAside(args[0].(common.Address), args[1].(uint64))
		return l.challenge(ledgerRef{args[0].(common.Address), args[1].(uint64)}, from, value)
	case "challengeEpoch":
		e := l.epochs[args[0].(uint32)]
		if e == nil || e.stage != "proposed" || e.upheld || l.now >= e.deadline {
			return fmt.Errorf("challenges an epoch that is not in its window")
		}
		e.stage = "disputed"
		return l.challenge(ledgerRef{l.at.Epochs, uint64(args[0].(uint32))}, from, value)
	case "draw":
		return l.drawCommittee(l.dispute(args[0]))
	case "submitVerdicts":
		return l.verdicts(l.dispute(args[0]), args[1].(bool), args[3].([]common.Address))
	case "advance":
		return l.advanceDispute(l.dispute(args[0]))
	case "collect":
		a := args[0].(common.Address)
		l.move(l.at.Disputes, a, amount(l.disputes.credits, a))
		delete(l.disputes.credits, a)
	case "setPenalties":
		p := abi.ConvertType(args[0], new(bindings.PenaltyRules)).(*bindings.PenaltyRules)
		r := &l.disputes.rules
		r.SlashBps, r.ChallengerBps, r.SignersBps, r.AbsenceBps = p.SlashBps, p.ChallengerBps, p.SignersBps, p.AbsenceBps
	case "grantRole", "renounceRole":
	default:
		return fmt.Errorf("is not in the ledger's book")
	}
	return nil
}

// dispute is an open dispute, or nil.
func (l *ledger) dispute(id any) *ledgerDispute {
	n := id.(uint64)
	if n == 0 || n > uint64(len(l.disputes.all)) || !l.disputes.all[n-1].open {
		return nil
	}
	return l.disputes.all[n-1]
}

func (l *ledger) challenge(ref ledgerRef, from protocol.Account, value *big.Int) error {
	bond := new(big.Int).Lsh(l.disputes.rules.ChallengeBond.ToBig(), l.disputes.challenged[ref])
	if value.Cmp(bond) != 0 {
		return fmt.Errorf("challenges for %s wei, the bond is %s", value, bond)
	}
	l.disputes.challenged[ref]++
	l.disputes.all = append(l.disputes.all, &ledgerDispute{
		ledgerRef: ref, challenger: from, bond: bond, open: true, deadline: l.now + l.disputes.rules.DrawSeconds,
	})
	return nil
}

// drawCommittee reads from the event who was drawn: that is chance.
func (l *ledger) drawCommittee(d *ledgerDispute) error {
	if d == nil || len(d.members) != 0 || l.now > d.deadline {
		return fmt.Errorf("draws for a dispute that does not wait for it")
	}
	for _, log := range l.logs {
		if log.Address != l.at.Disputes || log.Topics[0] != l.abis[l.at.Disputes].Events["Drawn"].ID {
			continue
		}
		e, err := bindings.NewDisputeCommittee().UnpackDrawnEvent(log)
		if err != nil {
			return err
		}
		d.members = map[protocol.Account]string{}
		for _, m := range e.Members {
			if amount(l.disputes.bonds, m).Sign() == 0 || m == d.challenger || m == d.subject {
				return fmt.Errorf("draws %s, who has no bond or is a party", m)
			}
			d.members[m] = ""
			l.disputes.seats[m]++
		}
		if len(d.members) != int(l.disputes.rules.Seats) {
			return fmt.Errorf("draws %d members", len(d.members))
		}
		d.deadline = l.now + l.disputes.rules.VotingSeconds
	}
	return nil // or another block was chosen for the seed
}

func (l *ledger) verdicts(d *ledgerDispute, guilty bool, signers []common.Address) error {
	if d == nil || l.now > d.deadline {
		return fmt.Errorf("judges what is not to be judged")
	}
	said := map[bool]string{true: "guilty", false: "upheld"}[guilty]
	for _, s := range signers {
		if vote, seated := d.members[s]; !seated {
			return fmt.Errorf("counts the verdict of %s, who has no seat", s)
		} else if vote == "" {
			d.members[s] = said
		}
	}
	var agree []protocol.Account
	for m, vote := range d.members {
		if vote == said {
			agree = append(agree, m)
		}
	}
	r := l.disputes.rules
	if len(agree)*10_000 < int(r.Seats)*int(r.QuorumBps) {
		return nil
	}
	l.rise(d)
	if guilty {
		return l.convict(d, agree)
	}
	rest := l.share(bps(d.bond, r.SignersBps), agree)
	l.disputes.credit(l.accused(d), rest.Sub(d.bond, rest))
	return l.stands(d, true)
}

// share credits an amount evenly to accounts and gives what was credited.
func (l *ledger) share(v *big.Int, among []protocol.Account) *big.Int {
	each := new(big.Int).Div(v, big.NewInt(int64(len(among))))
	for _, a := range among {
		l.disputes.credit(a, each)
	}
	return each.Mul(each, big.NewInt(int64(len(among))))
}

func (l *ledger) rise(d *ledgerDispute) {
	for m := range d.members {
		l.disputes.seats[m]--
	}
}

func (l *ledger) accused(d *ledgerDispute) protocol.Account {
	if d.subject == l.at.Epochs {
		return l.epochs[uint32(d.nonce)].proposer
	}
	return d.subject
}

// stands ends a dispute without a guilty verdict.
func (l *ledger) stands(d *ledgerDispute, upheld bool) error {
	d.open = false
	if d.subject != l.at.Epochs {
		b := l.batchAt(d.subject, d.nonce)
		b.disputed = false
		b.claimableAt += l.now - b.frozenAt
		l.release(d.subject, releasesAtOnce)
		return nil
	}
	e := l.epochs[uint32(d.nonce)]
	if upheld {
		e.stage, e.upheld = "proposed", true
		return nil
	}
	amount(l.epochCredits, e.proposer).Add(amount(l.epochCredits, e.proposer), e.bond)
	l.dropEpoch(uint32(d.nonce))
	return nil
}

// convict works out what a conviction takes, compares that with the event, and shares it.
func (l *ledger) convict(d *ledgerDispute, agree []protocol.Account) error {
	d.open = false
	r := l.disputes.rules
	var taken *big.Int
	isEpoch := d.subject == l.at.Epochs
	if isEpoch {
		taken = l.epochs[uint32(d.nonce)].bond
		l.move(l.at.Epochs, l.at.Disputes, taken)
		l.dropEpoch(uint32(d.nonce))
	} else {
		taken = l.rejectBatch(d)
	}
	said, err := l.slashed()
	if err != nil {
		return err
	}
	if said.Cmp(taken) != 0 {
		return fmt.Errorf("takes %s wei where stake and parameters say %s", said, taken)
	}
	if !isEpoch {
		if taken.Sign() != 0 {
			if err := l.slash(d.subject, taken, l.at.Disputes); err != nil {
				return err
			}
			l.move(l.at.Staking, l.at.Disputes, amount(l.proceeds, l.at.Disputes))
			delete(l.proceeds, l.at.Disputes)
		}
		l.jailed[d.subject] = l.now + l.jailTerm
	}
	forChallenger := bps(taken, r.ChallengerBps)
	paid := l.share(bps(taken, r.SignersBps), agree)
	l.disputes.credit(d.challenger, new(big.Int).Add(d.bond, forChallenger))
	rest := new(big.Int).Sub(taken, forChallenger)
	l.disputes.credit(l.disputes.treasury, rest.Sub(rest, paid))
	return nil
}

func (l *ledger) advanceDispute(d *ledgerDispute) error {
	if d == nil || l.now <= d.deadline {
		return fmt.Errorf("advances a dispute before its time")
	}
	l.rise(d)
	for m, vote := range d.members {
		if vote != "" {
			continue
		}
		taken := bps(amount(l.disputes.bonds, m), l.disputes.rules.AbsenceBps)
		amount(l.disputes.bonds, m).Sub(amount(l.disputes.bonds, m), taken)
		l.move(l.at.Validators, l.at.Disputes, taken)
		l.disputes.credit(l.disputes.treasury, taken)
	}
	d.members = nil
	d.deadline = l.now + l.disputes.rules.DrawSeconds
	if d.round++; d.round < l.disputes.rules.Rounds {
		return nil
	}
	l.disputes.credit(d.challenger, d.bond)
	return l.stands(d, false)
}

func (l *ledger) validatorCall(method string, from protocol.Account, value *big.Int) error {
	switch method {
	case "join":
		amount(l.disputes.bonds, from).Add(amount(l.disputes.bonds, from), value)
		delete(l.disputes.leaves, from)
	case "leave":
		l.disputes.leaves[from] = l.now + l.disputes.unbonding
	case "withdraw":
		free, left := l.disputes.leaves[from]
		if !left || l.now < free || l.disputes.seats[from] != 0 {
			return fmt.Errorf("takes a bond that is bound")
		}
		l.move(l.at.Validators, from, amount(l.disputes.bonds, from))
		delete(l.disputes.bonds, from)
		delete(l.disputes.leaves, from)
	case "grantRole", "renounceRole":
	default:
		return fmt.Errorf("is not in the ledger's book")
	}
	return nil
}
