package scheduler

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// A worker that has not computed anything yet states no speed. That is no reason to
// believe that its queue takes hours.
func TestAdmit_UnstatedSpeed_IsNotTakenForNone(t *testing.T) {
	s, err := New(Config{})
	require.NoError(t, err)
	base := protocol.Hash{1}
	Step(s, Announce{At: 1000, Announcement: protocol.Announcement{Peer: "w", Worker: protocol.Account{1}, Sequence: 1, IssuedAt: 1000,
		ExpiresAt: 100_000, Base: base, Profile: "cpu-f32-v1", Slots: 1}})
	submit := func(at int64, id byte) []Effect {
		return Step(s, Submit{At: at, Job: protocol.Hash{id}, Tenant: protocol.Account{9}, Base: base, PromptTokens: 100, MaxTokens: 50, Deadline: at + 60_000})
	}
	require.Equal(t, Dispatch, submit(1000, 1)[0].Kind)
	Step(s, Token{At: 1100, Job: protocol.Hash{1}, Worker: "w", Count: 1})
	Step(s, Done{At: 1500, Job: protocol.Hash{1}, Worker: "w"})
	for id := byte(2); id < 10; id++ {
		for _, e := range submit(1600, id) {
			require.NotEqual(t, Refuse, e.Kind, e.Reason)
		}
	}
}
