package chain

import (
	"fmt"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Words say what a setting is for, to people.
type Words struct {
	About  string
	Fields []FieldWords // as Setting.Fields
	// Together is what the values have to fulfil beside their own bounds; empty: nothing.
	Together string

	broken func(v []uint256.Int) bool // that values do not fulfil it, where they show it by themselves
}

// FieldWords say what one value means, and between what its contract takes it.
type FieldWords struct {
	About    string
	Min, Max uint256.Int
}

// wholeBps is everything, in basis points.
const wholeBps = 10_000

// Words are the setting's; its bounds are those of the contract's code.
func (s Setting) Words() Words {
	w := settingWords()[s.Name]
	for i := range w.Fields {
		if w.Fields[i].Max.IsZero() { // only its width bounds it
			w.Fields[i].Max.SetAllOne()
			w.Fields[i].Max.Rsh(&w.Fields[i].Max, 256-s.Fields[i].Bits)
		}
	}
	return w
}

// Check says which value the contract would refuse whatever else holds.
func (s Setting) Check(values []uint256.Int) error {
	if len(values) != len(s.Fields) {
		return protocol.Errorf(protocol.KindInvalid, s.Name, "takes %d values, not %d", len(s.Fields), len(values))
	}
	w := s.Words()
	for i := range values {
		f, v := s.Fields[i], values[i]
		switch {
		case uint(v.BitLen()) > f.Bits:
			return protocol.Errorf(protocol.KindInvalid, s.Name, "%s of %s has more than %d bits", f.Name, v.Dec(), f.Bits)
		case v.Lt(&w.Fields[i].Min):
			return protocol.Errorf(protocol.KindInvalid, s.Name, "%s of %s is below %s", f.Name, v.Dec(), w.Fields[i].Min.Dec())
		case v.Gt(&w.Fields[i].Max):
			return protocol.Errorf(protocol.KindInvalid, s.Name, "%s of %s is above %s", f.Name, v.Dec(), w.Fields[i].Max.Dec())
		}
	}
	if w.broken != nil && w.broken(values) {
		return protocol.Errorf(protocol.KindInvalid, s.Name, "%s", w.Together)
	}
	return nil
}

func field(about string) FieldWords { return FieldWords{About: about} }

func positive(about string) FieldWords {
	return FieldWords{About: about, Min: *uint256.NewInt(1)}
}

func within(least, most uint64, about string) FieldWords {
	return FieldWords{About: about, Min: *uint256.NewInt(least), Max: *uint256.NewInt(most)}
}

func part(about string) FieldWords { return within(0, wholeBps, about) }

// sum adds values that are far below 2^256.
func sum(values ...uint256.Int) uint64 {
	var n uint256.Int
	for i := range values {
		n.Add(&n, &values[i])
	}
	return n.Uint64()
}

func settingWords() map[string]Words {
	one := func(about string, f FieldWords) Words { return Words{About: about, Fields: []FieldWords{f}} }
	return map[string]Words{
		"fees.shares": {
			About: "How an answer's fee is split. The treasury has its part of everything; the other parts are of an adapter's access price.",
			Fields: []FieldWords{
				within(0, wholeBps-1, "of the whole fee, to the treasury"), part("of the access price, to the adapter's owner"),
				part("of the access price, to those who stake on the worker"), part("of the access price, to the contributors of the records behind the answer"),
			},
			Together: fmt.Sprintf("the four parts have to add up to 100 %% (%d basis points)", wholeBps),
			broken:   func(v []uint256.Int) bool { return sum(v...) != wholeBps },
		},
		"fees.treasury": one("Where the treasury's part of every fee goes.", positive("the account that is paid")),
		"staking.minimums": {
			About:  "The least that a worker has to put at stake itself, and the least that others may stake on one.",
			Fields: []FieldWords{positive("of a worker's own"), positive("of one who stakes on a worker")},
		},
		"staking.unbonding":       one("How long stake waits from the order to take it out until it is free. Until then it can still be slashed.", field("from the order to the withdrawal")),
		"staking.jail":            one("How long a worker that was found guilty gets no work.", within(0, 1<<40-1, "from the verdict")),
		"escrow.withdrawal_delay": one("How long somebody who takes money out of the escrow waits, so that workers can settle what they did for it before.", field("from the order to the withdrawal")),
		"settlement.challenge_window": {
			About:    "How long anybody may challenge a batch of payments before they can be claimed.",
			Fields:   []FieldWords{field("from a batch to its claims")},
			Together: "it may not be longer than stake takes to be free (staking.unbonding), so that a liar can still be slashed",
		},
		"settlement.cover": one("How much a worker may have waiting in challenge windows, as a part of its stake.", positive("of the stake; 10000 is as much as the stake")),
		"epochs.bond":      one("What somebody who proposes the sums of an epoch puts at stake.", field("of a proposer")),
		"epochs.windows": {
			About:  "The time that an epoch's sums take.",
			Fields: []FieldWords{positive("in which the sums can be challenged"), positive("from opening an epoch to its sums")},
		},
		"agents.min_stake": one("What an agent's owner has to stake for it to be asked.", field("of an agent")),
		"agents.unbonding": one("How long an agent's stake waits from the order to take it out until it is free.", field("from the order to the withdrawal")),
		"contributors.rules": {
			About: "Datanets whose owner asks contributors for a stake: what may be asked, and what happens when a contribution is called abusive.",
			Fields: []FieldWords{
				positive("the least that an owner may ask for"), field("the most that an owner may ask for"), within(1, wholeBps, "of the stake, for one abusive contribution"),
				field("from the order to take stake out to its withdrawal"), positive("in which a contributor may appeal"), positive("in which governance decides an appeal"),
			},
			Together: "the least may not be above the most, and the time to appeal not longer than that to take stake out",
			broken:   func(v []uint256.Int) bool { return v[0].Gt(&v[1]) || v[4].Gt(&v[3]) },
		},
		"governance.voting_delay":       one("How long a proposal waits before its vote begins, for people to gather votes.", field("from the proposal to the vote")),
		"governance.voting_period":      one("How long votes are taken.", positive("of voting")),
		"governance.proposal_threshold": one("The votes that somebody needs to propose anything.", field("GOPEN delegated to the proposer")),
		"governance.quorum":             one("How many of all GOPEN have to vote for a proposal, or abstain, for it to count.", within(0, 100, "of all GOPEN")),
		"governance.timelock":           one("How long what was decided waits before it can be done.", field("from the decision")),
		"validators.rules": {
			About:  "What validators, who judge disputes, put at stake.",
			Fields: []FieldWords{positive("the least bond"), field("from leaving to the bond's withdrawal")},
		},
		"disputes.challenge_bond": one("What a challenger puts at stake; it is lost when the challenge is.", positive("of a challenge")),
		"disputes.committee": {
			About:    "The committee that judges a dispute.",
			Fields:   []FieldWords{within(1, 32, "of a committee"), within(wholeBps/2+1, wholeBps, "of the seats that have to agree"), within(1, 16, "before the batch stands undecided")},
			Together: "all rounds and the challenge window have to fit into the time that stake takes to be free (staking.unbonding)",
		},
		"disputes.periods": {
			About:    "The time that a dispute takes.",
			Fields:   []FieldWords{within(1, 256, "from the challenge to the block that the draw is made from"), positive("to draw a committee"), positive("to judge")},
			Together: "all rounds and the challenge window have to fit into the time that stake takes to be free (staking.unbonding), and a round into a validator's (validators.rules)",
		},
		"disputes.penalties": {
			About: "What a guilty worker loses and who gets it, and what a validator loses that does not judge.",
			Fields: []FieldWords{
				within(1, wholeBps, "of a guilty worker's stake"), part("of that, to the challenger"), part("of that, to those who judged"), part("of an absent validator's bond"),
			},
			Together: fmt.Sprintf("the challenger's and the judges' parts together may not be above 100 %% (%d basis points)", wholeBps),
			broken:   func(v []uint256.Int) bool { return sum(v[1], v[2]) > wholeBps },
		},
		"models.lineage": {
			About: "What adapters may ask of those that are derived from them, and how far back that goes.",
			Fields: []FieldWords{
				part("the most that one adapter asks for"), within(0, wholeBps-1, "the most that the parents of one ask for together"),
				within(0, 32, "parents of one adapter"), within(0, 16, "generations"),
			},
			Together: "one adapter's part may not be above that of all parents together",
			broken:   func(v []uint256.Int) bool { return v[0].Gt(&v[1]) },
		},
	}
}
