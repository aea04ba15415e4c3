package api

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func (s *service) Governance(context.Context) (Governance, error) {
	return Governance{Rules: VotingRules{VotingDelay: 1, VotingPeriod: 2, TimelockDelay: 3, QuorumPercent: 4, ProposalThreshold: huge}, Proposals: []Proposal{
		{ID: hash, Proposer: owner, Description: "A <b>lower</b> fee", State: "active", For: huge, Against: huge, Abstain: huge, Quorum: huge,
			Calls: []ProposedCall{{To: owner, Value: huge, Data: hexBytes{1}, Words: "fees.setShares(500)"}}},
		{State: "executed"},
	}}, s.err
}

func TestGovernance(t *testing.T) {
	status, _, body := send(t, "GET", serve(t, &service{}, nil)+"/api/v1/governance", "")
	require.Equal(t, http.StatusOK, status, body)
	require.Equal(t, 6, strings.Count(body, hugeText), "every amount is a decimal string: %s", body)
	require.Contains(t, body, `"data":"0x01"`)
	require.Contains(t, body, `"calls":[]`)
}
