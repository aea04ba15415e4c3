package devchain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Params are the numbers that a deployment begins with. They are in one file, such
// as contracts/genesis/dev.json.
type Params struct {
	Name       string           `json:"name"`
	ChainID    uint64           `json:"chain_id"`
	Fees       FeeParams        `json:"fees"`
	Staking    StakingParams    `json:"staking"`
	Escrow     EscrowParams     `json:"escrow"`
	Settlement SettlementParams `json:"settlement"`
	Validators ValidatorParams  `json:"validators"`
	Disputes   DisputeParams    `json:"disputes"`
	Epochs     EpochParams      `json:"epochs"`
	Agents     AgentParams      `json:"agents"`
	// Contributors are the rules of contributors' stakes.
	Contributors ContributorParams `json:"contributors"`
	Lineage      LineageParams     `json:"lineage"`
	Governance   GovernanceParams  `json:"governance"`
}

// FeeParams share a fee: basis points that add up to 10,000.
type FeeParams struct {
	PlatformBps      uint16 `json:"platform_bps"`
	OwnerPart        uint16 `json:"owner_part"`
	StakersPart      uint16 `json:"stakers_part"`
	ContributorsPart uint16 `json:"contributors_part"`
}

// StakingParams are the minimums and the wait of stake.
type StakingParams struct {
	MinStake         uint256.Int `json:"min_stake_wei"`
	MinDelegation    uint256.Int `json:"min_delegation_wei"`
	UnbondingSeconds uint64      `json:"unbonding_seconds"`
	JailSeconds      uint64      `json:"jail_seconds"`
}

// EscrowParams hold back withdrawals.
type EscrowParams struct {
	WithdrawalDelaySeconds uint64 `json:"withdrawal_delay_seconds"`
}

// SettlementParams are the window in which a batch can be challenged and how much a
// worker's stake covers.
type SettlementParams struct {
	ChallengeWindowSeconds uint64 `json:"challenge_window_seconds"`
	CoverBps               uint32 `json:"cover_bps"`
}

// ValidatorParams are what being a validator takes.
type ValidatorParams struct {
	MinBond          uint256.Int `json:"min_bond_wei"`
	UnbondingSeconds uint64      `json:"unbonding_seconds"`
}

// DisputeParams are the rules of disputes: what a challenge takes, who judges it for
// how long, and what the loser pays to whom.
type DisputeParams struct {
	ChallengeBond   uint256.Int `json:"challenge_bond_wei"`
	Seats           uint8       `json:"seats"`
	QuorumBps       uint16      `json:"quorum_bps"` // of the seats, more than half
	Rounds          uint8       `json:"rounds"`
	DrawDelayBlocks uint16      `json:"draw_delay_blocks"` // between a challenge and the seed's block
	DrawSeconds     uint64      `json:"draw_seconds"`
	VotingSeconds   uint64      `json:"voting_seconds"`
	SlashBps        uint16      `json:"slash_bps"`      // of a guilty worker's stake
	ChallengerBps   uint16      `json:"challenger_bps"` // of a slash
	SignersBps      uint16      `json:"signers_bps"`    // of a slash or a lost challenge's bond
	AbsenceBps      uint16      `json:"absence_bps"`    // of an absent member's bond
}

// EpochParams are what a proposer of an epoch puts at stake, how long its root can be
// disputed and how long it has to commit to one.
type EpochParams struct {
	Bond                   uint256.Int `json:"bond_wei"`
	ChallengeWindowSeconds uint64      `json:"challenge_window_seconds"`
	BuildWindowSeconds     uint64      `json:"build_window_seconds"`
}

// AgentParams are the least stake of an active agent and the wait of stake that leaves.
type AgentParams struct {
	MinStake         uint256.Int `json:"min_stake_wei"`
	UnbondingSeconds uint64      `json:"unbonding_seconds"`
}

// ContributorParams bound the stake that a datanet's owner may ask contributors for, and
// say what an abusive contribution costs.
type ContributorParams struct {
	MinRequirement      uint256.Int `json:"min_requirement_wei"`
	MaxRequirement      uint256.Int `json:"max_requirement_wei"`
	SlashBps            uint16      `json:"slash_bps"`
	UnstakeDelaySeconds uint64      `json:"unstake_delay_seconds"`
	AppealSeconds       uint64      `json:"appeal_seconds"`
	DecisionSeconds     uint64      `json:"decision_seconds"`
}

func (k *ContributorParams) validate() error {
	switch {
	case k.MinRequirement.IsZero() || k.MinRequirement.Gt(&k.MaxRequirement):
		return protocol.Errorf(protocol.KindInvalid, "contributors.min_requirement_wei", "is %s: it must lie between 1 and the maximum of %s", k.MinRequirement.Dec(), k.MaxRequirement.Dec())
	case k.SlashBps == 0 || k.SlashBps > 10_000:
		return protocol.Errorf(protocol.KindInvalid, "contributors.slash_bps", "is %d: it must lie between 1 and 10000", k.SlashBps)
	case k.AppealSeconds == 0 || k.AppealSeconds > k.UnstakeDelaySeconds:
		return protocol.Errorf(protocol.KindInvalid, "contributors.appeal_seconds", "is %d: it must lie between 1 and the unstaking delay of %d", k.AppealSeconds, k.UnstakeDelaySeconds)
	case k.DecisionSeconds == 0:
		return protocol.Errorf(protocol.KindInvalid, "contributors.decision_seconds", "is 0: no appeal could be decided")
	}
	return nil
}

// LineageParams bound how far adapters derive from others, and what the owners of these
// may ask for it.
type LineageParams struct {
	MaxRoyaltyBps uint16 `json:"max_royalty_bps"` // of one adapter
	MaxTotalBps   uint16 `json:"max_total_bps"`   // of an adapter's parents together
	MaxParents    uint8  `json:"max_parents"`
	MaxDepth      uint8  `json:"max_depth"`
}

func (l *LineageParams) validate() error {
	const mostParents, mostDepth = 32, 16
	switch {
	case l.MaxTotalBps >= 10_000:
		return protocol.Errorf(protocol.KindInvalid, "lineage.max_total_bps", "is %d: it must be less than 10000, so that the owner of a derived adapter keeps something", l.MaxTotalBps)
	case l.MaxRoyaltyBps > l.MaxTotalBps:
		return protocol.Errorf(protocol.KindInvalid, "lineage.max_royalty_bps", "is %d: more than all parents together may ask, %d", l.MaxRoyaltyBps, l.MaxTotalBps)
	case l.MaxParents > mostParents:
		return protocol.Errorf(protocol.KindInvalid, "lineage.max_parents", "is %d: at most %d", l.MaxParents, mostParents)
	case l.MaxDepth > mostDepth:
		return protocol.Errorf(protocol.KindInvalid, "lineage.max_depth", "is %d: at most %d", l.MaxDepth, mostDepth)
	}
	return nil
}

// GovernanceParams are the rules of voting and the delay before what was decided is
// done.
type GovernanceParams struct {
	VotingDelaySeconds  uint64      `json:"voting_delay_seconds"`
	VotingPeriodSeconds uint64      `json:"voting_period_seconds"`
	ProposalThreshold   uint256.Int `json:"proposal_threshold_wei"`
	QuorumPercent       uint8       `json:"quorum_percent"`
	TimelockSeconds     uint64      `json:"timelock_seconds"`
}

// maxParamsBytes bounds a parameters file.
const maxParamsBytes = 64 << 10

// ReadParams reads a parameters file.
func ReadParams(path string) (Params, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Params{}, fmt.Errorf("read deployment parameters: %w", err)
	}
	if info.Size() > maxParamsBytes {
		return Params{}, protocol.Errorf(protocol.KindInvalid, "parameters", "%s has %d bytes: at most %d", path, info.Size(), maxParamsBytes)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return Params{}, fmt.Errorf("read deployment parameters: %w", err)
	}
	return ParseParams(raw)
}

// ParseParams parses the contents of a parameters file and checks them.
func ParseParams(raw []byte) (Params, error) {
	var p Params
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return p, protocol.Errorf(protocol.KindInvalid, "parameters", "are not as expected: %w", err)
	}
	return p, p.Validate()
}

// Validate says which number is wrong.
func (p *Params) Validate() error {
	f := p.Fees
	sum := uint64(f.PlatformBps) + uint64(f.OwnerPart) + uint64(f.StakersPart) + uint64(f.ContributorsPart)
	switch {
	case p.ChainID == 0:
		return protocol.Errorf(protocol.KindInvalid, "chain_id", "is 0: give the chain's id")
	case sum != 10_000:
		return protocol.Errorf(protocol.KindInvalid, "fees", "add up to %d basis points, not to 10000", sum)
	case f.PlatformBps == 10_000:
		return protocol.Errorf(protocol.KindInvalid, "fees.platform_bps", "leaves nothing to anybody else")
	case p.Staking.MinStake.IsZero():
		return protocol.Errorf(protocol.KindInvalid, "staking.min_stake_wei", "is 0")
	case p.Staking.MinDelegation.IsZero():
		return protocol.Errorf(protocol.KindInvalid, "staking.min_delegation_wei", "is 0")
	case p.Settlement.CoverBps == 0:
		return protocol.Errorf(protocol.KindInvalid, "settlement.cover_bps", "is 0: no batch could be submitted")
	case p.Settlement.ChallengeWindowSeconds > p.Staking.UnbondingSeconds:
		return protocol.Errorf(protocol.KindInvalid, "settlement.challenge_window_seconds", "%d is longer than the unbonding period of %d: a worker could leave before it is challenged",
			p.Settlement.ChallengeWindowSeconds, p.Staking.UnbondingSeconds)
	case p.Epochs.Bond.BitLen() > 128:
		return protocol.Errorf(protocol.KindInvalid, "epochs.bond_wei", "has more than 128 bits")
	case p.Epochs.ChallengeWindowSeconds == 0 || p.Epochs.ChallengeWindowSeconds > math.MaxUint32:
		return protocol.Errorf(protocol.KindInvalid, "epochs.challenge_window_seconds", "is %d: it must lie between 1 and %d", p.Epochs.ChallengeWindowSeconds, math.MaxUint32)
	case p.Epochs.BuildWindowSeconds == 0 || p.Epochs.BuildWindowSeconds > math.MaxUint32:
		return protocol.Errorf(protocol.KindInvalid, "epochs.build_window_seconds", "is %d: it must lie between 1 and %d", p.Epochs.BuildWindowSeconds, math.MaxUint32)
	}
	if err := p.validateDisputes(); err != nil {
		return err
	}
	if err := p.Contributors.validate(); err != nil {
		return err
	}
	if err := p.Lineage.validate(); err != nil {
		return err
	}
	return p.Governance.validate()
}

// validateDisputes asks for what the contracts ask for, in words that name the field.
func (p *Params) validateDisputes() error {
	const maxSeats, maxRounds, maxDelay, whole = 32, 16, 256, 10_000
	d, v := p.Disputes, p.Validators
	between := func(field string, value, least, most uint64) error {
		if value < least || value > most {
			return protocol.Errorf(protocol.KindInvalid, field, "is %d: it must lie between %d and %d", value, least, most)
		}
		return nil
	}
	for _, err := range []error{
		between("disputes.seats", uint64(d.Seats), 1, maxSeats),
		between("disputes.quorum_bps", uint64(d.QuorumBps), whole/2+1, whole),
		between("disputes.rounds", uint64(d.Rounds), 1, maxRounds),
		between("disputes.draw_delay_blocks", uint64(d.DrawDelayBlocks), 1, maxDelay),
		between("disputes.draw_seconds", d.DrawSeconds, 1, math.MaxUint32),
		between("disputes.voting_seconds", d.VotingSeconds, 1, math.MaxUint32),
		between("disputes.slash_bps", uint64(d.SlashBps), 1, whole),
		between("disputes.challenger_bps + signers_bps", uint64(d.ChallengerBps)+uint64(d.SignersBps), 0, whole),
		between("disputes.absence_bps", uint64(d.AbsenceBps), 0, whole),
		between("validators.min_bond_wei, in bits", uint64(v.MinBond.BitLen()), 1, 128),
		between("disputes.challenge_bond_wei, in bits", uint64(d.ChallengeBond.BitLen()), 1, 128),
	} {
		if err != nil {
			return err
		}
	}
	longest := uint64(d.Rounds) * (d.DrawSeconds + d.VotingSeconds)
	switch {
	case p.Settlement.ChallengeWindowSeconds > math.MaxUint32 || p.Settlement.ChallengeWindowSeconds+longest > p.Staking.UnbondingSeconds:
		return protocol.Errorf(protocol.KindInvalid, "staking.unbonding_seconds", "%d is shorter than a challenge window of %d and a dispute of up to %d: a worker's stake could leave before the verdict",
			p.Staking.UnbondingSeconds, p.Settlement.ChallengeWindowSeconds, longest)
	case d.DrawSeconds+d.VotingSeconds > v.UnbondingSeconds:
		return protocol.Errorf(protocol.KindInvalid, "validators.unbonding_seconds", "%d is shorter than one round of %d", v.UnbondingSeconds, d.DrawSeconds+d.VotingSeconds)
	}
	return nil
}

func (g *GovernanceParams) validate() error {
	switch {
	case g.VotingDelaySeconds > math.MaxUint32:
		return protocol.Errorf(protocol.KindInvalid, "governance.voting_delay_seconds", "is %d: at most %d", g.VotingDelaySeconds, math.MaxUint32)
	case g.VotingPeriodSeconds == 0 || g.VotingPeriodSeconds > math.MaxUint32:
		return protocol.Errorf(protocol.KindInvalid, "governance.voting_period_seconds", "is %d: it must lie between 1 and %d", g.VotingPeriodSeconds, math.MaxUint32)
	case g.QuorumPercent == 0 || g.QuorumPercent > 100:
		return protocol.Errorf(protocol.KindInvalid, "governance.quorum_percent", "is %d: it must lie between 1 and 100", g.QuorumPercent)
	}
	return nil
}
