package api

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func (s *service) BatchPage(_ context.Context, worker protocol.Account, nonce uint64) (BatchPage, error) {
	v := BatchPage{BatchView: BatchView{Worker: worker, Nonce: nonce, Total: huge}, Status: "pending", Claimed: huge}
	if nonce > 0 {
		v.Tx, v.Block, v.Read, v.Receipts, v.Paid = &hash, 7, true, []protocol.Hash{hash}, []PaidTo{{"worker", huge}}
	}
	return v, s.err
}

// DisputeList has three disputes.
func (s *service) DisputeList(_ context.Context, below uint64, limit int) (out []DisputeView, err error) {
	if below == 0 {
		below = 4
	}
	for id := below - 1; id > 0 && len(out) < limit; id-- {
		out = append(out, DisputeView{ID: id, Worker: owner, Challenger: tenant, Bond: huge, Reason: protocol.ReasonOutput, ReasonText: "output", Status: "waiting"})
	}
	return out, s.err
}

func (s *service) DisputePage(ctx context.Context, id uint64) (DisputePage, error) {
	all, err := s.DisputeList(ctx, id+1, 1)
	if len(all) == 0 {
		return DisputePage{}, protocol.Errorf(protocol.KindNotFound, "dispute", "there is no dispute %d", id)
	}
	v := DisputePage{DisputeView: all[0]}
	if id > 1 {
		v.Status, v.Quorum, v.Seats = "guilty", 1, []DisputeSeat{{owner, "guilty"}, {tenant, "none"}}
		v.Steps = []DisputeStep{
			{What: "challenged", Account: &tenant, Reason: protocol.ReasonOutput, Amount: &huge},
			{What: "drawn", Round: 1, Members: []protocol.Account{owner, tenant}},
			{What: "verdict", Account: &owner, Reason: protocol.ReasonTokens, Vote: "guilty"},
			{What: "slashed", Account: &owner, Reason: protocol.ReasonTokens, Amount: &huge},
			{What: "jailed", Account: &owner, Reason: protocol.ReasonTokens, Until: 9},
			{What: "resolved", Reason: protocol.ReasonTokens, Amount: &huge, Outcome: "guilty"},
		}
	}
	return v, err
}

func TestBatchPage(t *testing.T) {
	url := serve(t, &service{}, nil) + "/api/v1/batches/"
	status, _, body := send(t, "GET", url+owner.Hex()+"/1", "")
	require.Equal(t, http.StatusOK, status, body)
	require.Equal(t, 3, strings.Count(body, hugeText), "every amount is a decimal string: %s", body)
	status, _, body = send(t, "GET", url+owner.Hex()+"/0", "")
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, `"receipts":[],"paid":[]`, "what is not known is not null")
	require.NotContains(t, body, `"tx"`)
	for _, bad := range []string{"me/1", owner.Hex() + "/-1", owner.Hex() + "/x", owner.Hex() + "/18446744073709551616"} {
		status, _, body = send(t, "GET", url+bad, "")
		require.Equal(t, http.StatusBadRequest, status, "%s: %s", bad, body)
	}
}

// Disputes come from the newest, page by page until there are no more.
func TestDisputes(t *testing.T) {
	url := serve(t, &service{}, nil) + "/api/v1/disputes"
	for query, want := range map[string]string{"?limit=2": `"next":"2"`, "?limit=2&cursor=2": `"next":""`, "": `"next":""`, "?cursor=1": `"disputes":[],"next":""`} {
		status, _, body := send(t, "GET", url+query, "")
		require.Equal(t, http.StatusOK, status, body)
		require.Contains(t, body, want, query)
	}
	for _, bad := range []string{"?limit=101", "?limit=0", "?cursor=0", "?cursor=x", "/x"} {
		status, _, body := send(t, "GET", url+bad, "")
		require.Equal(t, http.StatusBadRequest, status, "%s: %s", bad, body)
	}
	status, _, body := send(t, "GET", url+"/3", "")
	require.Equal(t, http.StatusOK, status, body)
	require.Equal(t, 4, strings.Count(body, hugeText), body)
	status, _, body = send(t, "GET", url+"/1", "")
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, `"seats":[],"steps":[]`)
	status, _, body = send(t, "GET", url+"/0", "")
	require.Equal(t, http.StatusNotFound, status, body)
}
