package chain

import (
	"context"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

// Unit says what a number of a setting means.
type Unit string

// The units of settings.
const (
	UnitBps     Unit = "basis points"
	UnitSeconds Unit = "seconds"
	UnitWei     Unit = "wei"
	UnitPercent Unit = "percent"
	UnitAccount Unit = "account"
	UnitBlocks  Unit = "blocks"
	UnitCount   Unit = "number"
)

// Setting is a governed parameter: what a proposal can change. Its values, one for each
// field, are numbers; an account is its 160 bits.
type Setting struct {
	Name   string
	Fields []Field

	on   func(Addresses) protocol.Account
	read func(context.Context, *Client) ([]*big.Int, error)
	pack func([]*big.Int) ([]byte, error)
}

// Field is one value of a setting.
type Field struct {
	Name string `json:"name"`
	Unit Unit   `json:"unit"`
	Bits uint   `json:"bits"` // how many the contract holds
}

// Values reads what the setting is now.
func (s Setting) Values(ctx context.Context, c *Client) ([]uint256.Int, error) {
	raw, err := s.read(ctx, c)
	if err != nil {
		return nil, err
	}
	out := make([]uint256.Int, len(raw))
	for i, v := range raw {
		if out[i], err = toU256(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Action is the call that sets the values. What only other parameters or roles rule out,
// [Client.Try] tells.
func (s Setting) Action(at Addresses, values []uint256.Int) (Action, error) {
	if err := s.Check(values); err != nil {
		return Action{}, err
	}
	raw := make([]*big.Int, len(values))
	for i := range values {
		raw[i] = values[i].ToBig()
	}
	data, err := s.pack(raw)
	if err != nil {
		return Action{}, protocol.Errorf(protocol.KindInvalid, s.Name, "%w", err)
	}
	return Action{To: s.on(at), Data: data}, nil
}

// On is the contract that the setting is a parameter of.
func (s Setting) On(at Addresses) protocol.Account { return s.on(at) }

// Trial is what the chain says of an action of the timelock, as if it were executed now.
type Trial struct {
	Tried   bool   // not so of the governor's own settings, which it takes only in the course of a proposal
	Refused string // why it would be refused; empty: it would be done
	Denied  bool   // it is refused because the timelock does not administer the contract
}

// Try has the chain try an action of the timelock. Nothing is changed by it.
func (c *Client) Try(ctx context.Context, a Action) (Trial, error) {
	at := c.cfg.Addresses
	if a.To == at.Governor {
		return Trial{}, nil
	}
	_, err := c.eth.CallContract(ctx, ethereum.CallMsg{From: at.Timelock, To: &a.To, Value: a.Value.ToBig(), Data: a.Data}, c.block)
	err = c.explain("try the call", err)
	if r, ok := Refused(err); ok {
		return Trial{Tried: true, Refused: r.Error(), Denied: r.Name == "AccessControlUnauthorizedAccount"}, nil
	}
	if err != nil && protocol.KindOf(err) == protocol.KindInvalid { // without a typed error
		return Trial{Tried: true, Refused: err.Error()}, nil
	}
	return Trial{Tried: true}, err
}

// GrantAction pays from the treasury.
func GrantAction(at Addresses, to protocol.Account, amount uint256.Int, memo string) Action {
	return Action{To: at.Treasury, Data: access.PackGrant(to, amount.ToBig(), memo)}
}

// Settings are all governed parameters.
func Settings() []Setting { return slices.Concat(disputeSettings(), lineageSettings(), settings()) }

func settings() []Setting {
	seconds := func(bits uint) []Field { return []Field{{"seconds", UnitSeconds, bits}} }
	return []Setting{
		{
			Name: "fees.shares", on: func(a Addresses) protocol.Account { return a.Fees },
			Fields: []Field{{"platform", UnitBps, 16}, {"owner", UnitBps, 16}, {"stakers", UnitBps, 16}, {"contributors", UnitBps, 16}},
			read: func(ctx context.Context, c *Client) ([]*big.Int, error) {
				p, err := c.FeeParams(ctx)
				return []*big.Int{number(p.PlatformBps), number(p.OwnerPart), number(p.StakersPart), number(p.ContributorsPart)}, err
			},
			pack: func(v []*big.Int) ([]byte, error) {
				return fees.TryPackSetShares(bindings.Shares{
					PlatformBps: uint16(v[0].Uint64()), OwnerPart: uint16(v[1].Uint64()), StakersPart: uint16(v[2].Uint64()), ContributorsPart: uint16(v[3].Uint64()),
				})
			},
		},
		{
			Name: "fees.treasury", Fields: []Field{{"account", UnitAccount, 160}}, on: func(a Addresses) protocol.Account { return a.Fees },
			read: func(ctx context.Context, c *Client) ([]*big.Int, error) {
				p, err := c.FeeParams(ctx)
				return []*big.Int{new(big.Int).SetBytes(p.Treasury[:])}, err
			},
			pack: func(v []*big.Int) ([]byte, error) { return fees.TryPackSetTreasury(common.BigToAddress(v[0])) },
		},
		{
			Name: "staking.minimums", Fields: []Field{{"bond", UnitWei, 256}, {"delegation", UnitWei, 256}},
			on:   func(a Addresses) protocol.Account { return a.Staking },
			read: numbers(func(a Addresses) protocol.Account { return a.Staking }, staking.PackMinStake(), staking.PackMinDelegation()),
			pack: func(v []*big.Int) ([]byte, error) { return staking.TryPackSetMinimums(v[0], v[1]) },
		},
		{
			Name: "staking.unbonding", Fields: seconds(64), on: func(a Addresses) protocol.Account { return a.Staking },
			read: numbers(func(a Addresses) protocol.Account { return a.Staking }, staking.PackUnbondingPeriod()),
			pack: func(v []*big.Int) ([]byte, error) { return staking.TryPackSetUnbondingPeriod(v[0].Uint64()) },
		},
		{
			Name: "staking.jail", Fields: seconds(64), on: func(a Addresses) protocol.Account { return a.Staking },
			read: numbers(func(a Addresses) protocol.Account { return a.Staking }, staking.PackJailTerm()),
			pack: func(v []*big.Int) ([]byte, error) { return staking.TryPackSetJailTerm(v[0].Uint64()) },
		},
		{
			Name: "escrow.withdrawal_delay", Fields: seconds(64), on: func(a Addresses) protocol.Account { return a.Escrow },
			read: numbers(func(a Addresses) protocol.Account { return a.Escrow }, escrow.PackWithdrawalDelay()),
			pack: func(v []*big.Int) ([]byte, error) { return escrow.TryPackSetWithdrawalDelay(v[0].Uint64()) },
		},
		{
			Name: "settlement.challenge_window", Fields: seconds(64), on: func(a Addresses) protocol.Account { return a.Settlement },
			read: numbers(func(a Addresses) protocol.Account { return a.Settlement }, settlement.PackChallengeWindow()),
			pack: func(v []*big.Int) ([]byte, error) { return settlement.TryPackSetChallengeWindow(v[0].Uint64()) },
		},
		{
			Name: "settlement.cover", Fields: []Field{{"cover", UnitBps, 32}}, on: func(a Addresses) protocol.Account { return a.Settlement },
			read: numbers(func(a Addresses) protocol.Account { return a.Settlement }, settlement.PackCoverBps()),
			pack: func(v []*big.Int) ([]byte, error) { return settlement.TryPackSetCover(uint32(v[0].Uint64())) },
		},
		{
			Name: "epochs.bond", Fields: []Field{{"bond", UnitWei, 128}}, on: ofEpochs, read: numbers(ofEpochs, epochs.PackBond()),
			pack: func(v []*big.Int) ([]byte, error) { return epochs.TryPackSetBond(v[0]) },
		},
		{
			Name: "epochs.windows", Fields: []Field{{"challenge", UnitSeconds, 64}, {"build", UnitSeconds, 64}}, on: ofEpochs,
			read: numbers(ofEpochs, epochs.PackChallengeWindow(), epochs.PackBuildWindow()),
			pack: func(v []*big.Int) ([]byte, error) { return epochs.TryPackSetWindows(v[0].Uint64(), v[1].Uint64()) },
		},
		{
			Name: "agents.min_stake", Fields: []Field{{"stake", UnitWei, 256}}, on: ofAgents, read: numbers(ofAgents, agents.PackMinStake()),
			pack: func(v []*big.Int) ([]byte, error) { return agents.TryPackSetMinStake(v[0]) },
		},
		{
			Name: "agents.unbonding", Fields: seconds(64), on: ofAgents, read: numbers(ofAgents, agents.PackUnbondingPeriod()),
			pack: func(v []*big.Int) ([]byte, error) { return agents.TryPackSetUnbondingPeriod(v[0].Uint64()) },
		},
		{
			Name: "contributors.rules", on: func(a Addresses) protocol.Account { return a.Contributors },
			Fields: []Field{
				{"min_requirement", UnitWei, 256}, {"max_requirement", UnitWei, 256}, {"slash", UnitBps, 16},
				{"unstake_delay", UnitSeconds, 64}, {"appeal", UnitSeconds, 64}, {"decision", UnitSeconds, 64},
			},
			read: func(ctx context.Context, c *Client) ([]*big.Int, error) {
				r, err := c.ContributorRules(ctx)
				return []*big.Int{big256(r.MinRequirement), big256(r.MaxRequirement), number(uint64(r.SlashBps)),
					number(r.UnstakeDelay), number(r.AppealPeriod), number(r.DecisionPeriod)}, err
			},
			pack: func(v []*big.Int) ([]byte, error) {
				return contributors.TryPackSetRules(bindings.ContributorRules{
					MinRequirement: v[0], MaxRequirement: v[1], SlashBps: uint16(v[2].Uint64()),
					UnstakeDelay: v[3].Uint64(), AppealPeriod: v[4].Uint64(), DecisionPeriod: v[5].Uint64(),
				})
			},
		},
		{
			Name: "governance.voting_delay", Fields: seconds(48), on: ofGovernor, read: numbers(ofGovernor, governor.PackVotingDelay()),
			pack: func(v []*big.Int) ([]byte, error) { return governor.TryPackSetVotingDelay(v[0]) },
		},
		{
			Name: "governance.voting_period", Fields: seconds(32), on: ofGovernor, read: numbers(ofGovernor, governor.PackVotingPeriod()),
			pack: func(v []*big.Int) ([]byte, error) { return governor.TryPackSetVotingPeriod(uint32(v[0].Uint64())) },
		},
		{
			Name: "governance.proposal_threshold", Fields: []Field{{"votes", UnitWei, 256}}, on: ofGovernor, read: numbers(ofGovernor, governor.PackProposalThreshold()),
			pack: func(v []*big.Int) ([]byte, error) { return governor.TryPackSetProposalThreshold(v[0]) },
		},
		{
			Name: "governance.quorum", Fields: []Field{{"quorum", UnitPercent, 256}}, on: ofGovernor, read: numbers(ofGovernor, governor.PackQuorumNumerator0()),
			pack: func(v []*big.Int) ([]byte, error) { return governor.TryPackUpdateQuorumNumerator(v[0]) },
		},
		{
			Name: "governance.timelock", Fields: seconds(256), on: func(a Addresses) protocol.Account { return a.Timelock },
			read: numbers(func(a Addresses) protocol.Account { return a.Timelock }, timelock.PackGetMinDelay()),
			pack: func(v []*big.Int) ([]byte, error) { return timelock.TryPackUpdateDelay(v[0]) },
		},
	}
}

func ofEpochs(a Addresses) protocol.Account { return a.Epochs }

func ofAgents(a Addresses) protocol.Account { return a.Agents }

func ofGovernor(a Addresses) protocol.Account { return a.Governor }

func number(v uint64) *big.Int { return new(big.Int).SetUint64(v) }

// numbers reads functions that each answer with one number.
func numbers(on func(Addresses) protocol.Account, calls ...[]byte) func(context.Context, *Client) ([]*big.Int, error) {
	return func(ctx context.Context, c *Client) ([]*big.Int, error) {
		out := make([]*big.Int, len(calls))
		for i, data := range calls {
			v, err := read(ctx, c, "read a governed parameter", on(c.cfg.Addresses), data, governor.UnpackVotingDelay)
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, nil
	}
}
