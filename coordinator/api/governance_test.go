package api

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func (s *service) Governance(context.Context) (Governance, error) {
	return Governance{Time: 1700000000, Rules: VotingRules{VotingDelay: 1, VotingPeriod: 2, TimelockDelay: 3, QuorumPercent: 4, ProposalThreshold: huge}, Proposals: []Proposal{
		{ID: hash, Proposer: owner, Description: "A <b>lower</b> fee", State: "active", For: huge, Against: huge, Abstain: huge, Quorum: huge,
			Calls: []ProposedCall{{To: owner, Value: huge, Data: hexBytes{1}, Words: "fees.setShares(500)"}}},
		{State: "executed"},
	}}, s.err
}

func (s *service) Settings(context.Context) ([]GovernedSetting, error) {
	return []GovernedSetting{{Name: "fees.treasury", Contract: owner, About: "Where it goes", Together: "fits", Fields: []GovernedField{
		{Name: "account", Unit: "account", About: "who", Value: huge, Min: huge, Max: huge, Bounded: true},
	}}}, s.err
}

func (s *service) SettingCall(_ context.Context, name string, values []uint256.Int) (SettingCall, error) {
	if name != "fees.shares" {
		return SettingCall{}, protocol.Errorf(protocol.KindNotFound, "name", "there is none")
	}
	return SettingCall{Call: ProposedCall{To: owner, Value: huge, Data: hexBytes{byte(len(values))}, Words: values[0].Dec()}, Tried: true, Refused: "no"}, s.err
}

func TestSettings(t *testing.T) {
	base := serve(t, &service{}, nil) + "/api/v1/governance/settings"
	status, _, body := send(t, "GET", base, "")
	require.Equal(t, http.StatusOK, status, body)
	require.Equal(t, 3, strings.Count(body, hugeText), "every number is a decimal string: %s", body)
	status, _, body = send(t, "GET", base+"/fees.shares/call?values=7,"+huge.Dec(), "")
	require.Equal(t, http.StatusOK, status, body)
	require.JSONEq(t, `{"call":{"to":"`+owner.Hex()+`","value":`+hugeText+`,"data":"0x02","words":"7"},"tried":true,"refused":"no"}`, body)
	for path, param := range map[string]string{
		"/none/call?values=7": "name", "/fees.shares/call": "values", "/fees.shares/call?values=1,-2": "values",
		"/fees.shares/call?values=" + strings.Repeat("1,", 20) + "1": "values", "/fees.shares/call?values=1" + strings.Repeat("0", 90): "values",
	} {
		status, _, body = send(t, "GET", base+path, "")
		require.Contains(t, []int{http.StatusBadRequest, http.StatusNotFound}, status, body)
		require.Contains(t, body, `"param":"`+param+`"`, path)
	}
}

func TestGovernance(t *testing.T) {
	status, _, body := send(t, "GET", serve(t, &service{}, nil)+"/api/v1/governance", "")
	require.Equal(t, http.StatusOK, status, body)
	require.Equal(t, 6, strings.Count(body, hugeText), "every amount is a decimal string: %s", body)
	require.Contains(t, body, `"data":"0x01"`)
	require.Contains(t, body, `"calls":[]`)
}
