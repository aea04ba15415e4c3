package engine

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/openledger/openledger/worker/engine/enginetest"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

func inputs(n int) [][]uint32 {
	r := rand.New(rand.NewPCG(5, 9))
	out := make([][]uint32, n)
	for i := range out {
		out[i] = make([]uint32, 1+r.IntN(90))
		for j := range out[i] {
			out[i][j] = r.Uint32N(enginetest.Vocab)
		}
	}
	return out
}

// pooled is the definition, one input at a time over a runner of its own.
func pooled(t *testing.T, geometry llama.Config, in [][]uint32) [][]float32 {
	t.Helper()
	m, closeModel, err := enginetest.ModelOf(geometry, cpu.Config{Threads: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, closeModel()) }()
	out := make([][]float32, len(in))
	for i, tokens := range in {
		kv, err := m.NewKV(8, 64)
		require.NoError(t, err)
		got, err := m.NewRunner(kv).Forward([]llama.Seq{{Tokens: tokens, Blocks: []int32{0, 1, 2, 3, 4, 5, 6, 7}}})
		require.NoError(t, err)
		mean := make([]float64, got.Width)
		for row := range len(tokens) {
			for k := range mean {
				mean[k] += float64(got.Hidden[row*got.Width+k])
			}
		}
		var square float64
		for k := range mean {
			mean[k] /= float64(len(tokens))
			square += mean[k] * mean[k]
		}
		out[i] = make([]float32, len(mean))
		for k := range mean {
			out[i][k] = float32(mean[k] / math.Sqrt(square))
		}
		kv.Free()
	}
	return out
}

// The bits of a vector depend on its input only: not on the batch, on completions beside
// it, on chunks, threads, or on what the prefix cache holds.
func TestEmbed_InAnyBatch_IsTheSameBits(t *testing.T) {
	for name, geometry := range map[string]llama.Config{"llama": enginetest.ModelConfig(), "windowed": enginetest.WindowedConfig()} {
		t.Run(name, func(t *testing.T) {
			in := inputs(12)
			want := pooled(t, geometry, in)
			e := startOf(t, geometry, cpu.Config{Threads: 2}, func(c *Config) { c.PrefillChunk = 7; c.MaxBatch = 5 })
			// A completion of an input's tokens fills the prefix cache with them.
			_, err := e.Generate(t.Context(), Request{Prompt: in[3], Sampling: Sampling{MaxTokens: 4}}, nil)
			require.NoError(t, err)
			var g errgroup.Group
			for _, r := range requests(6) {
				g.Go(func() error { _, err := e.Generate(t.Context(), r, nil); return err })
			}
			for range 2 {
				g.Go(func() error {
					got, err := e.Embed(t.Context(), EmbedRequest{Inputs: in})
					if err == nil {
						require.Equal(t, want, got)
					}
					return err
				})
			}
			require.NoError(t, g.Wait())
			letsGo(t, e)
		})
	}
}

func TestEmbed_BadInput_NamesIt(t *testing.T) {
	e := start(t, 1, nil)
	for name, c := range map[string]struct {
		in   [][]uint32
		is   error
		says string
	}{
		"empty":      {[][]uint32{{1}, {}}, ErrInvalid, "input[1]"},
		"vocabulary": {[][]uint32{{enginetest.Vocab}}, ErrInvalid, "input[0]"},
		"too long":   {[][]uint32{make([]uint32, 513)}, ErrTooLarge, "cut the text"},
	} {
		_, err := e.Embed(t.Context(), EmbedRequest{Inputs: c.in})
		require.ErrorIs(t, err, c.is, name)
		require.ErrorContains(t, err, c.says, name)
	}
	got, err := e.Embed(t.Context(), EmbedRequest{})
	require.NoError(t, err)
	require.Empty(t, got)
}

// What does not fit into the queue leaves nothing of itself behind.
func TestEmbed_QueueTooShort_RefusesAllAndServesOn(t *testing.T) {
	e := start(t, 1, func(c *Config) { c.MaxWaiting, c.MaxPerTenant = 4, 4; c.MaxBatch = 1 })
	if _, err := e.Embed(t.Context(), EmbedRequest{Inputs: inputs(500)}); err != nil { // else the loop was faster
		require.ErrorIs(t, err, ErrBusy)
	}
	letsGo(t, e)
	_, err := e.Embed(t.Context(), EmbedRequest{Inputs: inputs(3)})
	require.NoError(t, err)
}

// letsGo waits until nothing waits, runs or holds memory.
func letsGo(t *testing.T, e *Engine) {
	t.Helper()
	require.Eventually(t, func() bool {
		s := e.Stats()
		return s.Waiting == 0 && s.Running == 0 && s.FreeKV == s.TotalKV
	}, time.Minute, time.Millisecond)
}
