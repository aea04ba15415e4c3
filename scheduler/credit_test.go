package scheduler

import (
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// What is reserved for one worker pays for work there and nowhere else.
func TestAReserveIsSpentAtItsWorkerOnly(t *testing.T) {
	base := protocol.Hash{1}
	reserved, other := protocol.Account{1}, protocol.Account{2}
	for name, c := range map[string]struct {
		budget, access, credit, fee uint64
		at                          protocol.Account
		want                        protocol.PeerID // empty: nobody gets it
	}{
		"the reserve is needed":         {budget: 10, credit: 50, fee: 60, at: reserved, want: "dear"},
		"the reserve is of the other":   {budget: 10, credit: 5, fee: 15, at: other},
		"nothing but the reserve":       {credit: 60, fee: 60, at: reserved, want: "dear"},
		"the budget is below the price": {budget: 1, access: 5, credit: 60, fee: 60, at: reserved, want: "dear"},
		"not even with the reserve":     {budget: 10, credit: 49, fee: 59, at: reserved},
		"the quote is above all":        {budget: 10, credit: 50, fee: 61, at: reserved},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := New(Config{})
			require.NoError(t, err)
			for peer, w := range map[protocol.PeerID]struct {
				account protocol.Account
				ask     uint64
			}{"dear": {reserved, 60 - c.access}, "other": {other, 60}} {
				Step(s, Announce{At: 1000, Announcement: protocol.Announcement{
					Peer: peer, Worker: w.account, Sequence: 1, IssuedAt: 1000, ExpiresAt: 100_000, Base: base, Profile: "cpu-f32-v1", Slots: 1,
					Price: protocol.Price{OutputPer1K: *uint256.NewInt(w.ask * 1000)},
				}})
			}
			effects := Step(s, Submit{
				At: 1000, Job: protocol.Hash{3}, Tenant: protocol.Account{9}, Base: base, PromptTokens: 1, MaxTokens: 1, Deadline: 60_000,
				Budget: *uint256.NewInt(c.budget), EstimatedFee: *uint256.NewInt(c.fee), Access: *uint256.NewInt(c.access),
				Credits: []Credit{{Worker: c.at, Amount: *uint256.NewInt(c.credit)}},
			})
			if c.want == "" { // refused, or waiting for a cheaper worker
				for _, e := range effects {
					require.NotEqual(t, Dispatch, e.Kind)
				}
				return
			}
			require.NotEmpty(t, effects)
			require.Equal(t, Dispatch, effects[0].Kind, effects[0].Reason)
			require.Equal(t, c.want, effects[0].Worker)
		})
	}
	most := uint256.Int{}
	most.SetAllOne()
	e := Submit{Budget: most, Credits: []Credit{{Worker: reserved, Amount: *uint256.NewInt(1)}}}
	require.Equal(t, most, e.budgetAt(reserved), "no overflow")
}
