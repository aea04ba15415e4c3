package chain

import (
	"context"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

var contributors = bindings.NewContributorStaking()

// ContributorRules are the governed rules of contributors' stakes: wei, basis points,
// seconds.
type ContributorRules struct {
	MinRequirement uint256.Int `json:"min_requirement"`
	MaxRequirement uint256.Int `json:"max_requirement"`
	SlashBps       uint16      `json:"slash_bps"`
	UnstakeDelay   uint64      `json:"unstake_delay"`
	AppealPeriod   uint64      `json:"appeal_period"`
	DecisionPeriod uint64      `json:"decision_period"`
}

// ContributorStake is what a contributor has staked on a datanet, in wei.
type ContributorStake struct {
	Datanet     uint64           `json:"datanet"`
	Contributor protocol.Account `json:"contributor"`
	Required    uint256.Int      `json:"required"` // by the datanet's owner, for new contributions
	Staked      uint256.Int      `json:"staked"`
	Leaving     uint256.Int      `json:"leaving"`
	ReleaseAt   int64            `json:"release_at"` // of what leaves, Unix seconds
}

// Missing is what the contributor has to stake before it may contribute.
func (s ContributorStake) Missing() (out uint256.Int) {
	if s.Staked.Lt(&s.Required) {
		out.Sub(&s.Required, &s.Staked)
	}
	return out
}

// CaseState is where a case of an abusive contribution stands.
type CaseState string

// States of a case, in the contract's order.
const (
	CaseOpen     CaseState = "open" // the contributor may appeal
	CaseAppealed CaseState = "appealed"
	CaseTaken    CaseState = "taken"    // the datanet's pool has the share
	CaseReturned CaseState = "returned" // the contributor has it
)

var caseStates = []CaseState{"", CaseOpen, CaseAppealed, CaseTaken, CaseReturned}

// AbuseCase is the case of one abusive contribution.
type AbuseCase struct {
	ID          uint64           `json:"id"`
	State       CaseState        `json:"state"`
	Datanet     uint64           `json:"datanet"`
	Contributor protocol.Account `json:"contributor"`
	Record      protocol.Hash    `json:"record"`
	Amount      uint256.Int      `json:"amount"` // set aside, wei
	Until       int64            `json:"until"`  // end of the period for an appeal or its decision, Unix seconds
}

// ContributorRules reads the governed rules.
func (c *Client) ContributorRules(ctx context.Context) (out ContributorRules, err error) {
	r, err := read(ctx, c, "read the rules of contributors' stakes", c.cfg.Addresses.Contributors, contributors.PackRules(), contributors.UnpackRules)
	if err != nil {
		return out, err
	}
	out = ContributorRules{SlashBps: r.SlashBps, UnstakeDelay: r.UnstakeDelay, AppealPeriod: r.AppealPeriod, DecisionPeriod: r.DecisionPeriod}
	if out.MinRequirement, err = toU256(r.MinRequirement); err != nil {
		return out, err
	}
	out.MaxRequirement, err = toU256(r.MaxRequirement)
	return out, err
}

// StakeRequired is the stake that a datanet asks contributors for; 0: none.
func (c *Client) StakeRequired(ctx context.Context, datanet uint64) (uint256.Int, error) {
	return readAmount(ctx, c, "read a datanet's required stake", c.cfg.Addresses.Contributors, contributors.PackRequirementOf(datanet), contributors.UnpackRequirementOf)
}

// ContributorStake is what a contributor has staked on a datanet, and what it asks for.
func (c *Client) ContributorStake(ctx context.Context, datanet uint64, contributor protocol.Account) (out ContributorStake, err error) {
	out.Datanet, out.Contributor = datanet, contributor
	if out.Required, err = c.StakeRequired(ctx, datanet); err != nil {
		return out, err
	}
	s, err := read(ctx, c, "read a contributor's stake", c.cfg.Addresses.Contributors, contributors.PackStakeOf(datanet, contributor), contributors.UnpackStakeOf)
	if err != nil {
		return out, err
	}
	out.ReleaseAt = int64(s.ReleaseAt)
	if out.Leaving, err = toU256(s.Leaving); err != nil {
		return out, err
	}
	out.Staked, err = toU256(s.Staked)
	return out, err
}

// AbuseCase is a case by its id, or an error of kind not_found.
func (c *Client) AbuseCase(ctx context.Context, id uint64) (AbuseCase, error) {
	k, err := read(ctx, c, "read a case", c.cfg.Addresses.Contributors, contributors.PackCaseOf(id), contributors.UnpackCaseOf)
	if err != nil {
		return AbuseCase{}, err
	}
	if int(k.State) >= len(caseStates) {
		return AbuseCase{}, protocol.Errorf(protocol.KindCorrupt, "state", "case %d has the unknown state %d", id, k.State)
	}
	amount, err := toU256(k.Amount)
	return AbuseCase{ID: id, State: caseStates[k.State], Datanet: k.Datanet, Contributor: k.Contributor, Record: k.Record, Amount: amount, Until: int64(k.Until)}, err
}

// AbuseCases lists the cases of a datanet, or of all when it is 0, by id.
func (c *Client) AbuseCases(ctx context.Context, datanet uint64) ([]AbuseCase, error) {
	n, err := read(ctx, c, "count the cases", c.cfg.Addresses.Contributors, contributors.PackCaseCount(), contributors.UnpackCaseCount)
	if err != nil {
		return nil, err
	}
	var out []AbuseCase
	for id := range n {
		k, err := c.AbuseCase(ctx, id+1)
		if err != nil {
			return nil, err
		}
		if datanet == 0 || k.Datanet == datanet {
			out = append(out, k)
		}
	}
	return out, nil
}

// RequireStake asks contributors to the sender's datanet for a stake; 0: for none.
func (s *Sender) RequireStake(ctx context.Context, datanet uint64, amount uint256.Int) (Tx, error) {
	return s.Call(ctx, "ask contributors for a stake", s.c.cfg.Addresses.Contributors, uint256.Int{}, contributors.PackSetRequirement(datanet, big256(amount)))
}

// StakeDatanet adds to the sender's stake as a contributor.
func (s *Sender) StakeDatanet(ctx context.Context, datanet uint64, amount uint256.Int) (Tx, error) {
	return s.Call(ctx, "stake on a datanet", s.c.cfg.Addresses.Contributors, amount, contributors.PackStake(datanet))
}

// UnstakeDatanet starts taking the sender's stake out.
func (s *Sender) UnstakeDatanet(ctx context.Context, datanet uint64, amount uint256.Int) (Tx, error) {
	return s.Call(ctx, "unstake from a datanet", s.c.cfg.Addresses.Contributors, uint256.Int{}, contributors.PackUnstake(datanet, big256(amount)))
}

// WithdrawDatanet pays the sender its stake whose wait is over.
func (s *Sender) WithdrawDatanet(ctx context.Context, datanet uint64) (Tx, error) {
	return s.Call(ctx, "withdraw a contributor's stake", s.c.cfg.Addresses.Contributors, uint256.Int{}, contributors.PackWithdraw(datanet))
}

// Accuse brings a contribution that its datanet's owner rejected as abusive. It gives the
// case; the same again gives the same.
func (s *Sender) Accuse(ctx context.Context, r protocol.SignedReview, k protocol.SignedContribution) (Tx, AbuseCase, error) {
	if r.Review.At < 0 || k.Contribution.At < 0 {
		return Tx{}, AbuseCase{}, protocol.Errorf(protocol.KindInvalid, "at", "is before 1970")
	}
	at := s.c.cfg.Addresses.Contributors
	tx, err := s.Call(ctx, "accuse a contributor", at, uint256.Int{}, contributors.PackAccuse(bindings.Review{
		Datanet: r.Review.Datanet, Record: r.Review.Record, Status: string(r.Review.Status), Reason: r.Review.Reason, At: uint64(r.Review.At),
	}, r.Signature, bindings.Contribution{
		Datanet: k.Contribution.Datanet, Record: k.Contribution.Record, Contributor: k.Contribution.Contributor,
		License: k.Contribution.License, At: uint64(k.Contribution.At),
	}, k.Signature))
	if refused, ok := Refused(err); ok && refused.Name == "CaseExists" && len(refused.Args) == 1 {
		if id, ok := refused.Args[0].(uint64); ok {
			have, err := s.c.AbuseCase(ctx, id)
			return Tx{}, have, err
		}
	}
	if err != nil {
		return tx, AbuseCase{}, err
	}
	for _, l := range tx.Logs {
		if l.Address != at {
			continue
		}
		if ev, err := contributors.UnpackAccusedEvent(l); err == nil {
			made, err := s.c.AbuseCase(ctx, ev.Id)
			return tx, made, err
		}
	}
	return tx, AbuseCase{}, protocol.Errorf(protocol.KindCorrupt, "", "accuse a contributor: transaction %s has no event", tx.Hash)
}

// Appeal contests a case against the sender.
func (s *Sender) Appeal(ctx context.Context, id uint64, reason string) (Tx, error) {
	return s.Call(ctx, "appeal", s.c.cfg.Addresses.Contributors, uint256.Int{}, contributors.PackAppeal(id, reason))
}

// DecideCase decides an appeal. It needs the dispute role.
func (s *Sender) DecideCase(ctx context.Context, id uint64, abusive bool) (Tx, error) {
	return s.Call(ctx, "decide an appeal", s.c.cfg.Addresses.Contributors, uint256.Int{}, contributors.PackDecide(id, abusive))
}

// ResolveCase ends a case whose period is over.
func (s *Sender) ResolveCase(ctx context.Context, id uint64) (Tx, error) {
	return s.Call(ctx, "end a case", s.c.cfg.Addresses.Contributors, uint256.Int{}, contributors.PackResolve(id))
}

// DecideCaseAction is the call by which governance decides an appeal.
func DecideCaseAction(at Addresses, id uint64, abusive bool) Action {
	return Action{To: at.Contributors, Data: contributors.PackDecide(id, abusive)}
}

// SlashAgentAction is the call by which governance slashes an agent, in favour of the
// treasury.
func SlashAgentAction(at Addresses, id uint64, amount uint256.Int, reason string) Action {
	return Action{To: at.Agents, Data: agents.PackSlash(id, big256(amount), at.Treasury, reason)}
}
