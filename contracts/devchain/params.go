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
	Epochs     EpochParams      `json:"epochs"`
	Governance GovernanceParams `json:"governance"`
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

// EpochParams are what a proposer of an epoch puts at stake, how long its root can be
// disputed and how long it has to commit to one.
type EpochParams struct {
	Bond                   uint256.Int `json:"bond_wei"`
	ChallengeWindowSeconds uint64      `json:"challenge_window_seconds"`
	BuildWindowSeconds     uint64      `json:"build_window_seconds"`
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
	return p.Governance.validate()
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
