package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/sim"
	"github.com/openledger/openledger/worker/engine/speed"
)

// What a machine measures is what the simulator computes with.
func TestWorkerBench_IsTheSimulatorsCostModel(t *testing.T) {
	out, err := inProcess(t, "worker", "bench", "--json", "--slice", "1ms", "--context", "16", "--threads", "1")
	require.NoError(t, err)
	raw := []byte(out[jsonStart(out):])
	var r speed.Report
	require.NoError(t, json.Unmarshal(raw, &r))
	require.Equal(t, 1, r.Threads)
	require.Positive(t, r.DecodeTPS())
	c, err := sim.ParseCostModel(raw)
	require.NoError(t, err)
	require.Equal(t, r.CostModel.StepMS, c.StepMS)
	require.Equal(t, r.CostModel.LoadMS, c.LoadMS)

	file := filepath.Join(t.TempDir(), "bench.json")
	require.NoError(t, os.WriteFile(file, raw, 0o600))
	args := []string{"sim", "compare", "--requests", "50", "--speed", "1", "--policy", "affinity"}
	ours, err := inProcess(t, append(args, "--costs", file)...)
	require.NoError(t, err)
	others, err := inProcess(t, args...)
	require.NoError(t, err)
	require.NotEqual(t, others, ours, "the costs make no difference")
	_, err = inProcess(t, append(args, "--costs", file+"x")...)
	require.ErrorContains(t, err, "worker bench")
}

// jsonStart skips what went to standard error.
func jsonStart(s string) int {
	for i := range s {
		if s[i] == '{' {
			return i
		}
	}
	return len(s)
}
