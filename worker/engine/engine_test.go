package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/openledger/openledger/worker/engine/enginetest"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

// start runs an engine over the test model with three adapters of mixed ranks,
// "a0".."a2", until the test ends.
func start(t *testing.T, threads int, change func(*Config)) *Engine {
	t.Helper()
	return startOf(t, enginetest.ModelConfig(), cpu.Config{Threads: threads}, change)
}

func startOf(t *testing.T, geometry llama.Config, machine cpu.Config, change func(*Config)) *Engine {
	t.Helper()
	m, closeModel, err := enginetest.ModelOf(geometry, machine)
	require.NoError(t, err)
	tok, err := enginetest.Tokenizer()
	require.NoError(t, err)
	cfg := Config{Model: m, Tokenizer: tok, KVTokens: 4096, MaxBatch: 8, PrefillChunk: 32}
	if change != nil {
		change(&cfg)
	}
	e, err := New(cfg)
	require.NoError(t, err)
	for i := range 3 {
		require.NoError(t, e.LoadAdapter(fmt.Sprintf("a%d", i), adapter(t, i)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error { return e.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		require.NoError(t, g.Wait())
		require.NoError(t, closeModel())
	})
	return e
}

func adapter(t testing.TB, i int) *lora.Adapter {
	t.Helper()
	var targets []lora.Module
	if i == 1 {
		targets = []lora.Module{lora.QProj, lora.DownProj}
	}
	a, err := enginetest.Adapter(enginetest.ModelConfig(), []int{4, 8, 3}[i], uint64(100+i), targets...)
	require.NoError(t, err)
	return a
}

// requests are of mixed adapters, lengths and sampling.
func requests(n int) []Request {
	r := rand.New(rand.NewPCG(21, 4))
	out := make([]Request, n)
	for i := range out {
		prompt := make([]uint32, 1+r.IntN(70))
		for j := range prompt {
			prompt[j] = r.Uint32N(enginetest.Vocab)
		}
		out[i] = Request{
			ID: fmt.Sprint(i), Prompt: prompt, Adapter: []string{"", "a0", "a1", "a2"}[i%4],
			Sampling: Sampling{MaxTokens: 1 + r.IntN(40), Seed: uint64(i), IgnoreEOS: i%3 == 0},
		}
		if i%2 == 1 {
			out[i].Sampling.Temperature = 0.9
			out[i].Sampling.TopK = 40
		}
		if i%5 == 4 {
			out[i].Sampling.Stop = []string{"e", "the"}
		}
	}
	return out
}

func alone(t *testing.T, reqs []Request) []Result {
	t.Helper()
	return aloneOf(t, enginetest.ModelConfig(), reqs)
}

func aloneOf(t *testing.T, geometry llama.Config, reqs []Request) []Result {
	t.Helper()
	e := startOf(t, geometry, cpu.Config{Threads: 1}, func(c *Config) { c.MaxBatch = 1; c.PrefillChunk = 512 })
	out := make([]Result, len(reqs))
	for i, r := range reqs {
		var err error
		out[i], err = e.Generate(t.Context(), r, nil)
		require.NoError(t, err)
	}
	return out
}

func together(t *testing.T, e *Engine, reqs []Request) []Result {
	t.Helper()
	out := make([]Result, len(reqs))
	var g errgroup.Group
	for i, r := range reqs {
		g.Go(func() (err error) {
			var text string
			var tokens []uint32
			out[i], err = e.Generate(t.Context(), r, func(tok Token) error {
				text += tok.Text
				if !tok.TextOnly {
					tokens = append(tokens, tok.ID)
				}
				return nil
			})
			if err == nil && (text != out[i].Text || fmt.Sprint(tokens) != fmt.Sprint(out[i].Tokens)) {
				return fmt.Errorf("streamed %q %v, result %q %v", text, tokens, out[i].Text, out[i].Tokens)
			}
			return err
		})
	}
	require.NoError(t, g.Wait())
	return out
}

func TestResultsDoNotDependOnTheBatch(t *testing.T) {
	reqs := requests(24)
	want := alone(t, reqs)
	different := map[string]bool{}
	for _, r := range want {
		different[fmt.Sprint(r.Tokens)] = true
	}
	require.Greater(t, len(different), 12, "the test model must say different things")
	for _, c := range []struct{ threads, batch, chunk, kv int }{{2, 32, 64, 8192}, {3, 5, 7, 512}, {1, 3, 1, 256}} {
		e := start(t, c.threads, func(cfg *Config) { cfg.MaxBatch, cfg.PrefillChunk, cfg.KVTokens = c.batch, c.chunk, c.kv })
		require.Equal(t, want, together(t, e, reqs), "%+v", c)
		// Once more: now prefixes come from the cache.
		require.Equal(t, want, together(t, e, reqs), "%+v, warm", c)
		idle(t, e)
		if c.kv == 8192 {
			require.Positive(t, e.Stats().PrefixHits)
		}
	}
}

func TestResultsDoNotDependOnPinnedThreads(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("threads are pinned on Linux only")
	}
	reqs := requests(12)
	e := startOf(t, enginetest.ModelConfig(), cpu.Config{Pin: true, SpreadAll: true}, nil) // on all processors
	require.Equal(t, alone(t, reqs), together(t, e, reqs))
	idle(t, e)
}

// idle waits until the loop has told that nothing is held any more.
func idle(t *testing.T, e *Engine) {
	t.Helper()
	require.Eventually(t, func() bool {
		s := e.Stats()
		return s.Running == 0 && s.Waiting == 0 && s.FreeKV == s.TotalKV
	}, time.Minute, time.Millisecond)
}

func TestResumeContinuesExactly(t *testing.T) {
	reqs := requests(8)
	want := alone(t, reqs)
	e := start(t, 2, nil)
	for i, r := range reqs {
		for cut := range len(want[i].Tokens) + 1 {
			var before string // what the first worker delivered with these tokens
			text := textStream{stream: e.cfg.Tokenizer.NewStream(), stops: r.Sampling.Stop}
			for _, id := range want[i].Tokens[:cut] {
				s, _ := text.push(id)
				before += s
			}
			r.Resume = want[i].Tokens[:cut]
			got, err := e.Generate(t.Context(), r, func(tok Token) error {
				before += tok.Text
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, want[i], got, "request %d cut at %d", i, cut)
			if cut < len(want[i].Tokens) {
				require.Equal(t, want[i].Text, before, "request %d cut at %d", i, cut)
			}
		}
	}
}

func TestCancelAtAnyToken(t *testing.T) {
	e := start(t, 2, nil)
	reqs := requests(12)
	want := alone(t, reqs)
	var g errgroup.Group
	for i, r := range reqs {
		g.Go(func() error {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			n := 0
			got, err := e.Generate(ctx, r, func(Token) error {
				if n++; i%2 == 0 && n == i/2 {
					cancel()
				}
				return nil
			})
			switch {
			case errors.Is(err, context.Canceled):
				if len(got.Tokens) > len(want[i].Tokens) || fmt.Sprint(got.Tokens) != fmt.Sprint(want[i].Tokens[:len(got.Tokens)]) {
					return fmt.Errorf("request %d: %v is not the beginning of %v", i, got.Tokens, want[i].Tokens)
				}
				return nil
			case err == nil && fmt.Sprint(got) != fmt.Sprint(want[i]):
				return fmt.Errorf("request %d: %v, want %v", i, got, want[i])
			}
			return err
		})
	}
	require.NoError(t, g.Wait())
	idle(t, e)
	stop := errors.New("enough")
	_, err := e.Generate(t.Context(), reqs[0], func(Token) error { return stop })
	require.ErrorIs(t, err, stop)
}

func TestWhatCannotFitIsRefused(t *testing.T) {
	e := start(t, 1, func(c *Config) { c.KVTokens = 64; c.MaxWaiting = 1 })
	gen := func(prompt, output int, adapter string) error {
		_, err := e.Generate(t.Context(), Request{Prompt: make([]uint32, prompt), Adapter: adapter, Sampling: Sampling{MaxTokens: output, IgnoreEOS: true}}, nil)
		return err
	}
	require.NoError(t, gen(32, 32, ""))
	require.ErrorIs(t, gen(64, 1, ""), ErrTooLarge)
	require.ErrorIs(t, gen(33, 32, ""), ErrTooLarge)
	require.ErrorIs(t, gen(600, 1, ""), ErrTooLarge)
	require.ErrorIs(t, gen(0, 1, ""), ErrInvalid)
	require.ErrorIs(t, gen(1, 0, ""), ErrInvalid)
	require.ErrorIs(t, gen(1, 1, "nobody"), ErrUnknownAdapter)
	_, err := e.Generate(t.Context(), Request{Prompt: []uint32{1 << 20}, Sampling: Sampling{MaxTokens: 1}}, nil)
	require.ErrorIs(t, err, ErrInvalid)
}

func TestContextEndsWithLength(t *testing.T) {
	e := start(t, 1, func(c *Config) { c.MaxContext = 40 })
	r, err := e.Generate(t.Context(), Request{Prompt: make([]uint32, 30), Sampling: Sampling{MaxTokens: 100, IgnoreEOS: true}}, nil)
	require.NoError(t, err)
	require.Len(t, r.Tokens, 10)
	require.Equal(t, FinishLength, r.FinishReason)
}

func TestAdaptersComeAndGoWhileServing(t *testing.T) {
	size := int64(4 * (len(adapter(t, 0).Flat) + len(adapter(t, 1).Flat) + len(adapter(t, 2).Flat)))
	e := start(t, 2, func(c *Config) { c.AdapterBytes = 2 * size })
	require.Equal(t, []string{"a2", "a1", "a0"}, e.Resident())

	// Held by a request: it cannot be dropped.
	held := &job{req: Request{Adapter: "a1"}}
	require.NoError(t, e.adapters.want(held))
	require.ErrorIs(t, e.Unload("a1"), ErrAdapterInUse)
	// New adapters push the unused ones out, the oldest first, never a1.
	for i := range 40 {
		require.NoError(t, e.LoadAdapter(fmt.Sprintf("new%d", i), adapter(t, i%3)))
		require.Contains(t, e.Resident(), "a1")
		require.LessOrEqual(t, e.Stats().AdapterBytes, 2*size)
	}
	require.NotContains(t, e.Resident(), "a0")
	e.adapters.release(held)
	require.NoError(t, e.Unload("a1"))
	require.ErrorIs(t, e.Unload("a1"), ErrUnknownAdapter)
}

func TestANameReusedForOtherContentDoesNotSeeOldKV(t *testing.T) {
	e := start(t, 1, nil)
	r := requests(3)[2]
	r.Prompt = append(r.Prompt, make([]uint32, 64)...)
	r.Adapter = "name"
	var want []Result
	for i := range 2 {
		r.Adapter = fmt.Sprintf("a%d", i)
		w, err := e.Generate(t.Context(), r, nil)
		require.NoError(t, err)
		want = append(want, w)
	}
	r.Adapter = "name"
	for i := range 2 {
		require.NoError(t, e.LoadAdapter("name", adapter(t, i)))
		got, err := e.Generate(t.Context(), r, nil)
		require.NoError(t, err)
		require.Equal(t, want[i], got)
		require.Eventually(t, func() bool { return e.Unload("name") == nil }, time.Minute, time.Millisecond)
	}
}

func TestRequestsEndWithTheEngine(t *testing.T) {
	m, closeModel, err := enginetest.Model(1)
	require.NoError(t, err)
	tok, err := enginetest.Tokenizer()
	require.NoError(t, err)
	reg := prometheus.NewRegistry()
	e, err := New(Config{Model: m, Tokenizer: tok, KVTokens: 1024, MaxBatch: 2, Registerer: reg})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var g errgroup.Group
	var once sync.Once
	for range 5 {
		g.Go(func() error {
			_, err := e.Generate(t.Context(), Request{Prompt: []uint32{1}, Sampling: Sampling{MaxTokens: 500, IgnoreEOS: true}},
				func(Token) error { once.Do(cancel); return nil })
			if !errors.Is(err, ErrClosed) {
				return fmt.Errorf("ended with %w", err)
			}
			return nil
		})
	}
	require.NoError(t, e.Run(ctx))
	require.NoError(t, g.Wait())
	_, err = e.Generate(t.Context(), Request{Prompt: []uint32{1}, Sampling: Sampling{MaxTokens: 1}}, nil)
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, closeModel())

	found := map[string]bool{}
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		found[f.GetName()] = true
	}
	for _, name := range []string{
		"openledger_requests_running", "openledger_requests_waiting", "openledger_lora_info", "openledger_kv_cache_usage_ratio",
		"openledger_prefix_cache_queries_total", "openledger_prefix_cache_hits_total", "openledger_time_to_first_token_seconds",
		"openledger_time_per_output_token_seconds", "openledger_e2e_request_latency_seconds", "openledger_request_queue_time_seconds",
	} {
		require.True(t, found[name], name)
	}
}
