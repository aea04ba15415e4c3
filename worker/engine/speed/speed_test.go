package speed

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/enginetest"
)

func measure(t *testing.T, c Config) (*Report, error) {
	t.Helper()
	m, done, err := enginetest.Model(1)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, done()) })
	c.Model, c.Threads, c.Slices, c.Slice = m, 1, 3, time.Millisecond
	return Measure(t.Context(), c)
}

// Every figure is there, positive, and hangs together with the others.
func TestMeasure(t *testing.T) {
	r, err := measure(t, Config{Slots: 4, Base: "b", Machine: "m", NetworkMbps: 8})
	require.NoError(t, err)
	require.Len(t, r.Prefill, 2)
	require.Len(t, r.Decode, 8, "batches 1, 4, 8 and 32, without and with adapters")
	for i, d := range r.Decode {
		require.Equal(t, i%2 == 1, d.Adapters)
		require.InEpsilon(t, float64(d.Batch)*1000/d.StepMS, d.TPS, 1e-9)
	}
	for _, x := range []float64{r.ReadGBs, r.GFLOPs, r.TrainTPS, r.Prefill[0].TPS, r.Prefill[1].TPS, r.Adapter.HostMS} {
		require.Positive(t, x)
	}
	a := r.Adapter
	require.Greater(t, a.DiskMS, a.HostMS, "reading and packing takes longer than packing")
	require.InEpsilon(t, a.DiskMS+float64(a.FileBytes)/1000, a.NetworkMS, 1e-9, "8 Mbit/s are 1,000 bytes a millisecond")
	c := r.CostModel
	require.Equal(t, [4]int{4, 16 << 10, 256, 1}, [4]int{c.Slots, c.KVTokens, c.ChunkTokens, 1})
	require.GreaterOrEqual(t, c.LoadMS[3], c.LoadMS[2])
	require.Positive(t, r.DecodeTPS())
	var table bytes.Buffer
	require.NoError(t, r.WriteTable(&table))
	require.Contains(t, table.String(), "decode, batch 32, context 256")
	raw, err := json.Marshal(r)
	require.NoError(t, err)
	var back Report
	require.NoError(t, json.Unmarshal(raw, &back))
	require.Equal(t, *r, back)
}

// A step that takes 2 ms and 0.5 ms per sequence is recognised.
func TestReport_Fit(t *testing.T) {
	var r Report
	for _, n := range []int{1, 8, 32} {
		r.Decode = append(r.Decode, Decode{Batch: n, StepMS: 99}, Decode{Batch: n, Adapters: true, StepMS: 2 + 0.5*float64(n)})
	}
	r.Adapter = Adapter{Bytes: 1000, HostMS: 0.2, DiskMS: 1.5, NetworkMS: 80}
	r.Prefill = []Prefill{{TPS: 900}, {TPS: 800, Adapter: true}}
	r.fit(&Config{Slots: 16, Chunk: 64, KVTokens: 4096, AdapterBytes: 50_000})
	require.InDelta(t, 2, r.CostModel.StepMS, 1e-9)
	require.InDelta(t, 0.5, r.CostModel.StepSeqMS, 1e-9)
	require.InDelta(t, 1600, r.DecodeTPS(), 1e-6)
	require.Equal(t, [4]int64{0, 1, 2, 80}, r.CostModel.LoadMS)
	require.Equal(t, 50, r.CostModel.DeviceAdapters)
	require.Equal(t, 800.0, r.CostModel.PrefillTPS)
}

func TestMeasure_StopsAndRefuses(t *testing.T) {
	_, err := Measure(t.Context(), Config{})
	require.ErrorContains(t, err, "model")
	for field, c := range map[string]Config{"context": {Context: 1 << 20}, "rank": {Rank: -1}, "slots": {Slots: -1}, "network": {NetworkMbps: -1}} {
		_, err := measure(t, c)
		require.ErrorContains(t, err, field)
	}
	m, done, err := enginetest.Model(1)
	require.NoError(t, err)
	defer func() { require.NoError(t, done()) }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Measure(ctx, Config{Model: m, Threads: 1})
	require.ErrorIs(t, err, context.Canceled)
}
