package node

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/speed"
)

// A worker states what was measured with its own settings, and nothing else.
func TestBench_IsWhatTheWorkerStates(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	home := Home{Dir: t.TempDir()}
	m, err := OpenModel(1)
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	quick := speed.Config{Slice: time.Millisecond, Slices: 1, Context: 16}

	quick.Threads = 1
	_, err = Bench(t.Context(), home, quick)
	require.NoError(t, err)
	require.NoFileExists(t, home.Path(BenchFile), "this is no worker's home")

	s := WorkerSettings{Threads: 1, MaxBatch: 4}
	require.NoError(t, WriteJSON(home.Path(WorkerFile), s))
	require.Zero(t, statedTPS(home, &s, m, log))
	quick.Threads = 0
	r, err := Bench(t.Context(), home, quick)
	require.NoError(t, err)
	require.Equal(t, [2]int{1, 4}, [2]int{r.Threads, r.CostModel.Slots}, "the worker's settings")
	var kept WorkerSettings
	require.NoError(t, ReadJSON(home.Path(WorkerFile), &kept))
	s.MemoryBytes = r.MemoryBytes
	require.Equal(t, s, kept, "worker.json says how much memory that takes, and nothing else has changed")
	require.Equal(t, m.Model.Bytes()+128<<20+16<<10*m.Model.Config().KVBytesPerToken(), r.MemoryBytes, "base, adapters and KV cache")
	require.InEpsilon(t, r.DecodeTPS(), statedTPS(home, &s, m, log), 1e-9)

	for name, other := range map[string]WorkerSettings{"threads": {Threads: 2, MaxBatch: 4}, "slots": {Threads: 1, MaxBatch: 5}} {
		require.Zero(t, statedTPS(home, &other, m, log), name)
	}
	r.Base = "another"
	require.NoError(t, WriteJSON(home.Path(BenchFile), r))
	require.Zero(t, statedTPS(home, &s, m, log), "base")
}

func TestCheckThreads_RefusesWhatCannotBePinned(t *testing.T) {
	require.NoError(t, CheckThreads(&WorkerSettings{Threads: 1024}), "they take turns")
	err := CheckThreads(&WorkerSettings{Threads: 1024, PinThreads: true})
	require.ErrorContains(t, err, "threads")
	require.ErrorContains(t, err, "pin")
	require.Error(t, CheckThreads(&WorkerSettings{Threads: -1}))
}
