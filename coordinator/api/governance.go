package api

import (
	"context"
	"net/http"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Governing says what is proposed and how it is voted on, and what can be proposed.
type Governing interface {
	Governance(ctx context.Context) (Governance, error)
	Settings(ctx context.Context) ([]GovernedSetting, error)
	// SettingCall is the call that gives a setting other values, an error of kind invalid
	// where its contract never takes them, and of kind not_found where there is no such setting.
	SettingCall(ctx context.Context, name string, values []uint256.Int) (SettingCall, error)
}

// Governance is the rules of votes and all proposals, the oldest first.
type Governance struct {
	// Time is that of the newest block, in Unix seconds: what counts for votes and deadlines.
	Time      int64       `json:"time"`
	Rules     VotingRules `json:"rules"`
	Proposals []Proposal  `json:"proposals"`
}

// VotingRules hold now. Times are seconds.
type VotingRules struct {
	VotingDelay       uint64      `json:"voting_delay_seconds"`
	VotingPeriod      uint64      `json:"voting_period_seconds"`
	TimelockDelay     uint64      `json:"timelock_seconds"`
	QuorumPercent     uint64      `json:"quorum_percent"`
	ProposalThreshold uint256.Int `json:"proposal_threshold"` // GOPEN, in wei
}

// Proposal is a proposal with its votes (GOPEN, in wei). Times are Unix seconds.
type Proposal struct {
	ID           protocol.Hash    `json:"id"`
	Proposer     protocol.Account `json:"proposer"`
	Description  string           `json:"description"`
	State        string           `json:"state"` // chain.ProposalState
	VoteStart    int64            `json:"vote_start"`
	VoteEnd      int64            `json:"vote_end"`
	ExecutableAt int64            `json:"executable_at,omitempty"` // once queued
	For          uint256.Int      `json:"for"`
	Against      uint256.Int      `json:"against"`
	Abstain      uint256.Int      `json:"abstain"`
	Quorum       uint256.Int      `json:"quorum"` // 0 until the vote starts
	Calls        []ProposedCall   `json:"calls"`
}

// ProposedCall is one call that a proposal makes. Words say it where the contract is the
// network's own.
type ProposedCall struct {
	To    protocol.Account `json:"to"`
	Value uint256.Int      `json:"value"` // wei
	Data  hexBytes         `json:"data"`
	Words string           `json:"words,omitempty"`
}

// governance serves GET /api/v1/governance.
func (s *Server) governance(w http.ResponseWriter, r *http.Request) error {
	v, err := s.cfg.Governing.Governance(r.Context())
	if err != nil {
		return err
	}
	v.Proposals = append([]Proposal{}, v.Proposals...)
	for i := range v.Proposals {
		v.Proposals[i].Calls = list(v.Proposals[i].Calls)
	}
	return writeJSON(w, http.StatusOK, v)
}
