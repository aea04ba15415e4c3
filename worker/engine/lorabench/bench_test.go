package lorabench

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/lora"
)

func tiny(t *testing.T, values string) Shape {
	t.Helper()
	s, err := NewShape("small", values, values, []int{8, 4}, []lora.Module{lora.QProj, lora.OProj, lora.DownProj})
	require.NoError(t, err)
	s.Config.Layers, s.Config.MaxPositions = 1, 128
	return s
}

// A quantised base serves every request too.
func TestRun_QuantisedBase(t *testing.T) {
	s := tiny(t, "bf16")
	s.Base = "q8_0"
	r, err := Run(t.Context(), Config{Shape: s, Workload: Workload{Rate: 100, Seconds: 0.12, MinLen: 4, MaxLen: 20}, Adapters: []int{0, 5}, Runs: 1, Threads: 2})
	require.NoError(t, err)
	for _, row := range r.Rows {
		require.Equal(t, row.Runs[0].Requests, row.Runs[0].Done)
	}
}

// Every request of every row is served in full, whatever serves it, and the report says so.
func TestRun_ServesEveryRequest(t *testing.T) {
	r, err := Run(t.Context(), Config{Shape: tiny(t, "bf16"), Workload: Workload{Rate: 100, Seconds: 0.12, MinLen: 4, MaxLen: 20},
		Adapters: []int{0, 1, 5, 100, 2000}, Swap: 4, Cold: 2, Runs: 2, Threads: 2})
	require.NoError(t, err)
	require.Len(t, r.Rows, 6)
	for _, row := range r.Rows {
		require.Len(t, row.Runs, 2)
		for _, o := range row.Runs {
			require.Equal(t, 12, o.Requests)
			require.Equal(t, 12, o.Done, row.Name)
			require.Equal(t, 1.0, o.Attained)
			require.Positive(t, o.TTFTP50)
		}
	}
	require.Greater(t, r.Rows[5].Merges[0], 1)
	require.LessOrEqual(t, r.Memory.Ratio, 1.1, "2000 adapters take %d bytes, their files %d", r.Memory.Resident, r.Memory.Files)
	require.GreaterOrEqual(t, r.Cold.ColdTTFT.Median, r.Cold.Read.Median)
	var table, js bytes.Buffer
	require.NoError(t, r.WriteTable(&table))
	require.Contains(t, table.String(), "n = 2000 over n = 5")
	require.NoError(t, r.WriteJSON(&js))
	require.True(t, json.Valid(js.Bytes()))
}

// Adapters in four bytes a value take no more than their files either.
func TestLoadMeasured_F32(t *testing.T) {
	rig, err := NewRig(RigConfig{Shape: tiny(t, "f32"), Threads: 1, MaxBatch: 2, KVTokens: 256, AdapterBytes: 1 << 30})
	require.NoError(t, err)
	defer func() { require.NoError(t, rig.Close()) }()
	m, err := rig.LoadMeasured(400)
	require.NoError(t, err)
	require.LessOrEqual(t, m.Ratio, 1.1)
	require.Greater(t, m.Ratio, 0.9, "the measurement missed memory")
}

// What is merged goes away again without a trace.
func TestMerger_LeavesTheBaseAsItWas(t *testing.T) {
	s := tiny(t, "bf16")
	rig, err := NewRig(RigConfig{Shape: s, Threads: 1, MaxBatch: 2, KVTokens: 256, AdapterBytes: 1 << 20})
	require.NoError(t, err)
	defer func() { require.NoError(t, rig.Close()) }()
	m, err := rig.NewMerger(2)
	require.NoError(t, err)
	before, err := rig.Model.Rows(0, lora.QProj)
	require.NoError(t, err)
	require.NoError(t, m.Merge(1))
	merged, err := rig.Model.Rows(0, lora.QProj)
	require.NoError(t, err)
	p := m.adapters[1].Pair(0, lora.QProj)
	for i := range merged {
		o, k := i/p.Shape.In, i%p.Shape.In
		want := float64(before[i])
		for r := range p.Rank {
			want += float64(p.Scale) * float64(p.B[o*p.Rank+r]) * float64(p.A[r*p.Shape.In+k])
		}
		require.InDelta(t, want, merged[i], 0.01*(1+want*want))
	}
	require.NotEqual(t, before, merged)
	require.NoError(t, m.Merge(-1))
	after, err := rig.Model.Rows(0, lora.QProj)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// A run that is cut off counts what was done by then.
func TestOutcome_CountsWhatIsDone(t *testing.T) {
	o := outcome([]request{
		{Arrival: Arrival{At: 1, Prompt: 3, Output: 5}, first: 2 * time.Second, end: 4 * time.Second},
		{Arrival: Arrival{At: 1}, first: 8 * time.Second},
		{Arrival: Arrival{At: 2}},
	})
	require.Equal(t, Outcome{Requests: 3, Done: 1, Seconds: 4, Throughput: 0.25, Tokens: 2, TTFTP50: 7, TTFTP99: 7, Attained: 1.0 / 3}, o)
}

func TestConfig_NamesTheBadField(t *testing.T) {
	s := tiny(t, "f32")
	for field, c := range map[string]Config{
		"adapters": {Shape: s, Workload: Workload{MinLen: 4, MaxLen: 20}}, "runs": {Shape: s, Adapters: []int{1}, Runs: -1, Workload: Workload{MinLen: 4, MaxLen: 20}},
		"positions": {Shape: s, Adapters: []int{1}}, "max batch": {Shape: s, Adapters: []int{1}, MaxBatch: -1, Workload: Workload{MinLen: 4, MaxLen: 20}},
	} {
		_, err := Run(t.Context(), c)
		require.ErrorContains(t, err, field)
	}
	s.Base = "q8_0"
	require.ErrorContains(t, (&Config{Shape: s, Adapters: []int{1}, Runs: 1, MaxBatch: 1, Limit: 1, Swap: 1}).Validate(), "swap")
	for field, p := range map[string]Peft{
		"mode": {Python: "python3", Mode: "both", Type: "f32", Adapters: 1}, "type": {Python: "python3", Mode: "merge", Type: "int3", Adapters: 1},
		"rank": {Python: "python3", Mode: "merge", Type: "f32", Adapters: 1},
	} {
		require.ErrorContains(t, (&Config{Shape: s, Adapters: []int{1}, Runs: 1, MaxBatch: 1, Limit: 1, Peft: p}).Validate(), field)
	}
	_, err := NewShape("huge", "f32", "f32", []int{1}, []lora.Module{lora.QProj})
	require.ErrorContains(t, err, "shape")
	_, err = NewShape("small", "q4_0", "f32", []int{1}, []lora.Module{lora.QProj})
	require.ErrorContains(t, err, "base")
	_, err = NewShape("small", "f32", "int3", []int{1}, []lora.Module{lora.QProj})
	require.ErrorContains(t, err, "values")
}
