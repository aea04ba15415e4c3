package devchain

import (
	"math/big"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

// deployed is one contract of a deployment: what to compile it from, where its address
// is kept, and what its constructor is given.
type deployed struct {
	name     string // in Addresses' JSON
	artifact string // in bindings.Artifacts
	at       *protocol.Account
	args     func() []byte
}

// contractsOf are the contracts of a deployment, each after those it refers to. It is
// the one list: deploying, its record and its verification go through it.
func contractsOf(o *chain.Addresses, n Params, admin protocol.Account) []deployed {
	return []deployed{
		{"treasury", "Treasury", &o.Treasury, func() []byte { return bindings.NewTreasury().PackConstructor(admin) }},
		{"fees", "FeeParameters", &o.Fees, func() []byte {
			return bindings.NewFeeParameters().PackConstructor(admin, o.Treasury, bindings.Shares(n.Fees))
		}},
		{"staking", "WorkerStaking", &o.Staking, func() []byte {
			return bindings.NewWorkerStaking().PackConstructor(admin, n.Staking.MinStake.ToBig(), n.Staking.MinDelegation.ToBig(), n.Staking.UnbondingSeconds, n.Staking.JailSeconds)
		}},
		{"escrow", "Escrow", &o.Escrow, func() []byte {
			return bindings.NewEscrow().PackConstructor(admin, n.Escrow.WithdrawalDelaySeconds)
		}},
		{"delegates", "DelegateRegistry", &o.Delegates, func() []byte { return nil }},
		{"datanets", "DatanetRegistry", &o.Datanets, func() []byte { return bindings.NewDatanetRegistry().PackConstructor(o.Delegates) }},
		{"models", "ModelRegistry", &o.Models, func() []byte {
			return bindings.NewModelRegistry().PackConstructor(admin, o.Datanets, bindings.LineageRules{
				RoyaltyBps: n.Lineage.MaxRoyaltyBps, TotalBps: n.Lineage.MaxTotalBps, Parents: n.Lineage.MaxParents, Depth: n.Lineage.MaxDepth,
			})
		}},
		{"settlement", "AttributionSettlement", &o.Settlement, func() []byte {
			return bindings.NewAttributionSettlement().PackConstructor(admin, o.Escrow, o.Staking, n.Settlement.ChallengeWindowSeconds, n.Settlement.CoverBps)
		}},
		{"validators", "ValidatorPool", &o.Validators, func() []byte {
			return bindings.NewValidatorPool().PackConstructor(admin, bindings.ValidatorRules{
				MinBond: n.Validators.MinBond.ToBig(), Unbonding: n.Validators.UnbondingSeconds,
			})
		}},
		{"epochs", "EpochDistributor", &o.Epochs, func() []byte {
			return bindings.NewEpochDistributor().PackConstructor(admin, o.Settlement, o.Fees, n.Epochs.Bond.ToBig(), n.Epochs.ChallengeWindowSeconds, n.Epochs.BuildWindowSeconds)
		}},
		{"disputes", "DisputeCommittee", &o.Disputes, func() []byte {
			d := n.Disputes
			return bindings.NewDisputeCommittee().PackConstructor(admin, o.Settlement, o.Epochs, o.Fees, o.Validators, d.ChallengeBond.ToBig(),
				bindings.CommitteeRules{Seats: d.Seats, QuorumBps: d.QuorumBps, Rounds: d.Rounds},
				bindings.PeriodRules{DrawDelay: d.DrawDelayBlocks, Drawing: d.DrawSeconds, Voting: d.VotingSeconds},
				bindings.PenaltyRules{SlashBps: d.SlashBps, ChallengerBps: d.ChallengerBps, SignersBps: d.SignersBps, AbsenceBps: d.AbsenceBps})
		}},
		{"agents", "AgentRegistry", &o.Agents, func() []byte {
			return bindings.NewAgentRegistry().PackConstructor(admin, n.Agents.MinStake.ToBig(), n.Agents.UnbondingSeconds)
		}},
		{"contributors", "ContributorStaking", &o.Contributors, func() []byte {
			k := n.Contributors
			return bindings.NewContributorStaking().PackConstructor(admin, o.Datanets, bindings.ContributorRules{
				MinRequirement: k.MinRequirement.ToBig(), MaxRequirement: k.MaxRequirement.ToBig(), SlashBps: k.SlashBps,
				UnstakeDelay: k.UnstakeDelaySeconds, AppealPeriod: k.AppealSeconds, DecisionPeriod: k.DecisionSeconds,
			})
		}},
		{"gopen", "GOPEN", &o.GOPEN, func() []byte { return nil }},
		{"timelock", "Timelock", &o.Timelock, func() []byte {
			return bindings.NewTimelock().PackConstructor(new(big.Int).SetUint64(n.Governance.TimelockSeconds), admin)
		}},
		{"governor", "OpenGovernor", &o.Governor, func() []byte {
			g := n.Governance
			return bindings.NewOpenGovernor().PackConstructor(o.GOPEN, o.Timelock, bindings.VotingRules{
				VotingDelay: new(big.Int).SetUint64(g.VotingDelaySeconds), VotingPeriod: uint32(g.VotingPeriodSeconds),
				ProposalThreshold: g.ProposalThreshold.ToBig(), QuorumPercent: big.NewInt(int64(g.QuorumPercent)),
			})
		}},
	}
}

// grant is a right that one contract has on another.
type grant struct {
	on   protocol.Account
	role chain.Role
	to   protocol.Account
}

// grantsOf are the rights over each other that the contracts need.
func grantsOf(o chain.Addresses) []grant {
	return []grant{
		{o.Escrow, chain.SettlementRole, o.Settlement},
		{o.Settlement, chain.DistributorRole, o.Epochs},
		{o.Settlement, chain.DisputeRole, o.Disputes},
		{o.Epochs, chain.DisputeRole, o.Disputes},
		{o.Staking, chain.SlasherRole, o.Disputes},
		{o.Validators, chain.CommitteeRole, o.Disputes},
		{o.Timelock, chain.ProposerRole, o.Governor},
		{o.Timelock, chain.CancellerRole, o.Governor},
	}
}
