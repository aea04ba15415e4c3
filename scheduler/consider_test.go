package scheduler

import (
	"fmt"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openledger/openledger/protocol"
)

// Considering a job changes nothing, and names the worker that the same job then gets.
func TestConsider_NamesWhoGetsTheJob(t *testing.T) {
	base := protocol.Hash{1}
	rapid.Check(t, func(t *rapid.T) {
		s, err := New(Config{})
		require.NoError(t, err)
		require.Nil(t, Consider(s, Submit{Base: base}), "nobody serves it")
		workers := rapid.IntRange(1, 5).Draw(t, "workers")
		for i := range workers {
			a := protocol.Announcement{Peer: protocol.PeerID(fmt.Sprintf("w%d", i)), Sequence: 1, IssuedAt: 1000, ExpiresAt: 100_000, Base: base,
				Slots: rapid.IntRange(1, 3).Draw(t, "slots"), DecodeTPS: float32(rapid.IntRange(1, 99).Draw(t, "tps")), Trains: rapid.Bool().Draw(t, "trains"),
				Price: protocol.Price{OutputPer1K: *uint256.NewInt(rapid.Uint64Range(0, 9).Draw(t, "price") * 1000)}}
			if tag := rapid.Uint64Range(0, 3).Draw(t, "holds"); tag != 0 {
				a.Adapters = []protocol.ResidentAdapter{{Tag: tag, Tier: protocol.Tier(rapid.IntRange(0, 2).Draw(t, "tier"))}}
			}
			Step(s, Announce{At: 1000, Announcement: a})
		}
		for i := range rapid.IntRange(1, 12).Draw(t, "jobs") {
			e := Submit{At: 1000, Job: protocol.Hash{byte(i + 1)}, Tenant: protocol.Account{9}, Base: base, Adapter: rapid.Uint64Range(0, 4).Draw(t, "adapter"),
				PromptTokens: 10, MaxTokens: rapid.IntRange(1, 99).Draw(t, "max"), Budget: *uint256.NewInt(1e9)}
			before := s.Hash()
			list := Consider(s, e)
			require.Equal(t, before, s.Hash(), "it changes nothing")
			require.Len(t, list, workers)
			var chosen, got protocol.PeerID
			for _, y := range list {
				require.NotEmpty(t, y.Reason)
				if y.Chosen {
					require.Empty(t, chosen, "only one is chosen")
					chosen = y.Worker
				}
			}
			for _, out := range Step(s, e) {
				if out.Kind == Dispatch && out.Job == e.Job {
					got = out.Worker
				}
			}
			if got != "" {
				require.Equal(t, got, chosen)
			}
		}
	})
}
