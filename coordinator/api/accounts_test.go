package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func (s *service) Account(_ context.Context, a protocol.Account) (AccountView, error) {
	return AccountView{Account: a, Balance: huge, Nonce: 7, Escrow: EscrowView{Held: huge, Available: huge, Limit: huge, Spent: huge, Expires: 9},
		Stake: StakeView{Own: huge, Delegated: huge}, Owed: Owed{Earned: huge, Claimed: huge, Claimable: huge, Waiting: huge}}, s.err
}

func (s *service) Earnings(_ context.Context, a protocol.Account) (Earnings, error) {
	one := Earning{
		Claim:  Claim{Worker: owner, Nonce: 4, Index: 2, Account: a, Amount: huge, Proof: []ProofNode{{Hash: hash, Sum: huge}}},
		Shares: []EarningShare{{Receipt: hash, Datanet: 3, Role: "contributor", Record: hash, Amount: huge, At: 5}},
		Status: "claimable", Due: true,
	}
	return Earnings{Account: a, Owed: Owed{Earned: huge, Claimed: huge, Claimable: huge, Waiting: huge},
		Earnings: []Earning{one, {Status: "pending"}}, Epochs: EpochOwed{Epoch: 1, Cumulative: huge, Claimed: huge, Due: huge}}, s.err
}

func TestAccounts(t *testing.T) {
	url := serve(t, &service{}, nil) + "/api/v1/accounts/"
	for path, amounts := range map[string]int{owner.Hex(): 11, owner.Hex() + "/earnings": 10} {
		status, _, body := send(t, "GET", url+path, "")
		require.Equal(t, http.StatusOK, status, body)
		require.Equal(t, amounts, strings.Count(body, hugeText), "every amount is a decimal string: %s", body)
		var v struct {
			Account protocol.Account `json:"account"`
		}
		require.NoError(t, json.Unmarshal([]byte(body), &v))
		require.Equal(t, owner, v.Account)
	}
	for _, bad := range []string{"0x12", "alice", "0x00000000000000000000000000000000000000zz"} {
		for _, of := range []string{"", "/earnings"} {
			status, _, body := send(t, "GET", url+bad+of, "")
			require.Equal(t, http.StatusBadRequest, status, body)
			require.Contains(t, body, `"param":"address"`)
		}
	}
}
