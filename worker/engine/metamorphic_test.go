package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/openledger/openledger/worker/engine/enginetest"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

// The invariants of serving, whatever the arrangement:
//   - a request gives the same tokens, bit for bit, alone on one thread and in any
//     batch, chunking, KV size, page size, number of threads, order of arrival and tenancy, with
//     others cancelled at any token, with its prefix in the cache or evicted; also
//     where a layer sees a sliding window only;
//   - adapters whose prompts are the same do not see each other's KV, also while they
//     are loaded, evicted and loaded again under memory pressure;
//   - when all is over nothing is held: no KV, no adapter, no place in the queue.
func TestAnyArrangementGivesTheSameTokens(t *testing.T) {
	tried, one := 0, arrangement(t)
	rapid.Check(t, func(r *rapid.T) {
		if tried++; tried <= 30 || t.Failed() { // the long tests try more
			one(r)
		}
	})
}

// arrangement tries one.
func arrangement(t *testing.T) func(*rapid.T) {
	reqs := sharedPrompts(30)
	geometries := []llama.Config{enginetest.ModelConfig(), enginetest.WindowedConfig()}
	wants := [][]Result{alone(t, reqs), aloneOf(t, geometries[1], reqs)}
	require.NotEqual(t, wants[0], wants[1])
	weights := map[string]*lora.Adapter{}
	largest := int64(0)
	for i := range 3 {
		a := adapter(t, i)
		weights[fmt.Sprintf("a%d", i)] = a
		largest = max(largest, lora.PackedBytes(a))
	}
	return func(r *rapid.T) {
		which := rapid.IntRange(0, 1).Draw(r, "windowed")
		want := wants[which]
		m, closeModel, err := enginetest.ModelOf(geometries[which], cpu.Config{Threads: rapid.IntRange(1, 3).Draw(r, "threads")})
		require.NoError(r, err)
		tok, err := enginetest.Tokenizer()
		require.NoError(r, err)
		page := rapid.SampledFrom([]int{16, 32, 48, 64, 128}).Draw(r, "page")
		pages := func(tokens int) int { return (tokens + page - 1) / page * page }
		cfg := Config{
			Model: m, Tokenizer: tok,
			MaxBatch:     rapid.SampledFrom([]int{1, 2, 5, 16, 64}).Draw(r, "batch"),
			PrefillChunk: rapid.SampledFrom([]int{1, 2, 7, 15, 16, 17, 33, 64, 512}).Draw(r, "chunk"),
			KVTokens:     pages(rapid.SampledFrom([]int{192, 256, 400, 1024, 8192}).Draw(r, "kv")),
			PageTokens:   page,
			AdapterBytes: largest * rapid.Int64Range(1, 3).Draw(r, "adapters"), // from thrashing to all resident
			MaxPerTenant: 1024,
		}
		e, err := New(cfg)
		require.NoError(r, err)
		ctx, cancel := context.WithCancel(context.Background())
		var loop errgroup.Group
		loop.Go(func() error { return e.Run(ctx) })

		seed := rapid.Uint64().Draw(r, "order")
		rng := rand.New(rand.NewPCG(seed, 1))
		type run struct{ request, cancelAt int }
		var all []run
		for range 2 { // the second half finds prefixes, or what eviction left of them
			for _, i := range rng.Perm(len(reqs)) {
				all = append(all, run{i, -1})
				if rng.IntN(4) == 0 {
					all = append(all, run{rng.IntN(len(reqs)), rng.IntN(12)})
				}
			}
		}
		var g errgroup.Group
		g.SetLimit(1 + rng.IntN(40))
		for _, a := range all {
			req := reqs[a.request]
			req.Tenant = fmt.Sprint(rng.IntN(4))
			req.Weights = weights[req.Adapter]
			g.Go(func() error {
				ctx, stop := context.WithCancel(context.Background())
				defer stop()
				if a.cancelAt == 0 {
					go stop() // in the queue, in its prompt, or nowhere
				}
				n := 0
				got, err := e.Generate(ctx, req, func(Token) error {
					if n++; n == a.cancelAt {
						stop()
					}
					return nil
				})
				w := want[a.request]
				switch {
				case errors.Is(err, context.Canceled) && a.cancelAt >= 0:
					if len(got.Tokens) > len(w.Tokens) || fmt.Sprint(got.Tokens) != fmt.Sprint(w.Tokens[:len(got.Tokens)]) {
						return fmt.Errorf("request %d, cancelled: %v is not the beginning of %v", a.request, got.Tokens, w.Tokens)
					}
				case err != nil:
					return fmt.Errorf("request %d: %w", a.request, err)
				case fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", w):
					return fmt.Errorf("request %d of adapter %q: %v, want %v", a.request, req.Adapter, got, w)
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			r.Fatal(err)
		}
		cancel()
		require.NoError(r, loop.Wait())
		kv := e.loop.kv.Stats()
		if kv.Used != 0 || kv.Sequences != 0 || kv.Free+kv.Cached != kv.Pages {
			r.Fatalf("KV is held when all is over: %+v", kv)
		}
		if s := e.Stats(); s.Waiting != 0 || s.Tier.Held != 0 || s.Tier.Bytes != 0 || len(e.waitingBy) != 0 || e.waitingCost != 0 || e.loop.queue.n != 0 {
			r.Fatalf("something is held when all is over: %+v", s)
		}
		require.NoError(r, closeModel())
	}
}

// sharedPrompts are requests whose prompts begin alike, under different adapters.
func sharedPrompts(n int) []Request {
	r := rand.New(rand.NewPCG(5, 6))
	prefix := make([]uint32, 96)
	for i := range prefix {
		prefix[i] = r.Uint32N(enginetest.Vocab)
	}
	out := requests(n)
	for i := range out {
		shared := r.IntN(len(prefix) + 1)
		out[i].Prompt = append(append([]uint32(nil), prefix[:shared]...), out[i].Prompt[:min(len(out[i].Prompt), 20)]...)
		if i >= 8 && i%3 == 0 { // exactly the prompt of another adapter's request
			out[i].Prompt = out[i-5].Prompt
		}
	}
	return out
}
