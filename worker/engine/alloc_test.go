//go:build !race

package engine

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/enginetest"
	"github.com/openledger/openledger/worker/engine/sample"
)

// The decode loop allocates nothing. (Tokens that are half a character make new
// strings when they are put together: the random model is kept from them here.)
func TestDecodeStepDoesNotAllocate(t *testing.T) {
	e := stopped(t, func(c *Config) { c.KVTokens, c.MaxBatch = 16*512, 16 })
	for i := range 3 {
		require.NoError(t, e.LoadAdapter(fmt.Sprintf("a%d", i), adapter(t, i)))
	}
	var bias []sample.Bias
	for id := range uint32(enginetest.Vocab) {
		text := e.cfg.Tokenizer.Decode([]uint32{id})
		if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) {
			bias = append(bias, sample.Bias{ID: id, Bias: -100})
		}
	}
	var jobs []*job
	for i := range 16 {
		j, err := e.prepare(Request{
			Prompt: []uint32{1, 2, uint32(i)}, Adapter: []string{"", "a0", "a1", "a2"}[i%4],
			Sampling: Sampling{MaxTokens: 400, IgnoreEOS: true, LogitBias: bias, Temperature: float32(i%2) * 0.8, TopK: 20, TopP: 0.9, Seed: 3},
		})
		require.NoError(t, err)
		require.NoError(t, e.submit(j))
		jobs = append(jobs, j)
	}
	l := &e.loop
	var buf []Token
	step := func() {
		l.collect()
		if l.dirty {
			l.reap()
			l.admit()
		}
		l.publish()
		if err := l.step(); err != nil {
			t.Fatal(err)
		}
		for _, j := range jobs { // what Generate does
			buf, _, _, _ = j.out.take(buf)
		}
	}
	for range 30 {
		step()
	}
	n := testing.AllocsPerRun(350, step)
	require.Len(t, l.running, 16, "the steady state did not last")
	require.Zero(t, n, "allocations in a step of 16 requests")
}
