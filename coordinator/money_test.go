package coordinator

import (
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func TestQuote(t *testing.T) {
	for name, c := range map[string]struct {
		fees []uint64
		left uint64
		want uint64
	}{
		"no worker":                                  {nil, 10, 0},
		"the dearest of like asks":                   {[]uint64{3, 1, 2}, 10, 3},
		"an absurd ask makes nothing unaffordable":   {[]uint64{1 << 62, 2, 3}, 10, 3},
		"one dear worker is not the measure":         {[]uint64{1, 2, 9}, 100, 2},
		"a tight escrow still buys the cheaper ones": {[]uint64{3, 5, 4}, 4, 4},
		"nothing is affordable: say the least":       {[]uint64{5, 4}, 3, 4},
		"free workers":                               {[]uint64{0, 0}, 1, 0},
	} {
		var fees []amount
		for _, f := range c.fees {
			fees = append(fees, *uint256.NewInt(f))
		}
		got := quote(fees, *uint256.NewInt(c.left))
		require.Equal(t, c.want, got.Uint64(), name)
	}
}

func TestSameRequest(t *testing.T) {
	job := protocol.InferenceJob{Adapter: "a", Messages: []protocol.Message{{Role: "user", Content: "hello"}},
		Sampling: protocol.Sampling{MaxTokens: 4, Stop: []string{"x"}}, Resume: []uint32{1}, Deadline: 5, Sources: []string{"s"}}
	evidence := func() protocol.InferenceJob {
		e := job
		e.Messages, e.Sampling.Stop = append([]protocol.Message(nil), job.Messages...), append([]string(nil), job.Sampling.Stop...)
		e.Resume, e.Deadline, e.Sources = nil, 0, nil
		return e
	}
	require.True(t, sameRequest(evidence(), job))
	for name, change := range map[string]func(*protocol.InferenceJob){
		"message": func(e *protocol.InferenceJob) { e.Messages[0].Content = "bye" },
		"prompt":  func(e *protocol.InferenceJob) { e.Prompt = "bye" },
		"adapter": func(e *protocol.InferenceJob) { e.Adapter = "b" },
		"price":   func(e *protocol.InferenceJob) { e.Price.InputPer1K = *uint256.NewInt(1) },
		"tokens":  func(e *protocol.InferenceJob) { e.Sampling.MaxTokens++ },
		"stop":    func(e *protocol.InferenceJob) { e.Sampling.Stop[0] = "y" },
		"seed":    func(e *protocol.InferenceJob) { e.Sampling.Seed++ },
	} {
		e := evidence()
		change(&e)
		require.False(t, sameRequest(e, job), name)
	}
}

// A reserve pays for what is promised to its worker first; only what it does not cover
// weighs on the rest, and no reserve is open to others.
func TestReservesCoverTheirWorkersPromises(t *testing.T) {
	a, b, x := protocol.Account{1}, protocol.Account{2}, protocol.Account{3}
	n := func(v uint64) amount { return *uint256.NewInt(v) }
	open, credits := cover(n(100), map[protocol.Account]amount{a: n(50), b: n(20)}, map[protocol.Account]amount{a: n(30), b: n(35), x: n(10)})
	require.Equal(t, n(100-15-10), open)
	require.Equal(t, map[protocol.Account]amount{a: n(20)}, credits)
	f := funds{allowed: n(90), open: open, credits: credits}
	require.Equal(t, n(90), f.at(a), "the session's limit holds for all")
	require.Equal(t, n(75), f.at(b))
	require.Equal(t, n(75), f.at(x))

	open, credits = cover(n(5), map[protocol.Account]amount{a: n(50)}, map[protocol.Account]amount{x: n(10)})
	require.True(t, open.IsZero())
	require.Equal(t, n(50), funds{allowed: n(100), credits: credits}.at(a), "others' promises do not touch it")
}
