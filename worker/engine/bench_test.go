package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/enginetest"
)

// One step of a full batch of mixed adapters, without the loop around it: what is
// left per token is the model's work.
func BenchmarkStep(b *testing.B) {
	m, closeModel, err := enginetest.Model(1)
	require.NoError(b, err)
	defer func() { require.NoError(b, closeModel()) }()
	tok, err := enginetest.Tokenizer()
	require.NoError(b, err)
	const batch = 16
	e, err := New(Config{Model: m, Tokenizer: tok, KVTokens: batch * 512, MaxBatch: batch})
	require.NoError(b, err)
	for i := range 3 {
		require.NoError(b, e.LoadAdapter(string(rune('a'+i)), adapter(b, i)))
	}
	fill := func() {
		for i := range batch {
			j, err := e.prepare(Request{Prompt: []uint32{1, 2, uint32(i)}, Adapter: []string{"", "a", "b", "c"}[i%4],
				Sampling: Sampling{MaxTokens: 500, IgnoreEOS: true}})
			require.NoError(b, err)
			require.NoError(b, e.submit(j))
		}
		e.loop.collect()
		e.loop.admit()
	}
	b.ReportAllocs()
	for b.Loop() {
		if len(e.loop.running) == 0 {
			b.StopTimer()
			fill()
			b.StartTimer()
		}
		require.NoError(b, e.loop.step())
	}
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "tok/s")
}
