package engine

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/enginetest"
	"github.com/openledger/openledger/worker/engine/kvcache"
	"github.com/openledger/openledger/worker/engine/lora"
)

// stopped makes an engine whose loop the test turns by hand.
func stopped(t *testing.T, change func(*Config)) *Engine {
	t.Helper()
	m, closeModel, err := enginetest.Model(1)
	require.NoError(t, err)
	tok, err := enginetest.Tokenizer()
	require.NoError(t, err)
	cfg := Config{Model: m, Tokenizer: tok, KVTokens: 4096, MaxBatch: 4}
	if change != nil {
		change(&cfg)
	}
	e, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		require.NoError(t, e.Run(ctx))
		require.NoError(t, closeModel())
	})
	return e
}

func ask(t *testing.T, e *Engine, tenant string, prompt, output int, more ...func(*Request)) *job {
	t.Helper()
	r := Request{Tenant: tenant, Prompt: make([]uint32, prompt), Sampling: Sampling{MaxTokens: output, IgnoreEOS: true}}
	for i := range r.Prompt {
		r.Prompt[i] = uint32(len(tenant)+i*i) % enginetest.Vocab
	}
	for _, f := range more {
		f(&r)
	}
	j, err := e.prepare(r)
	require.NoError(t, err)
	require.NoError(t, e.submit(j))
	return j
}

func with(key string, a *lora.Adapter) func(*Request) {
	return func(r *Request) { r.Adapter, r.Weights = key, a }
}

// turn is one round of Run.
func turn(t *testing.T, e *Engine) {
	t.Helper()
	l := &e.loop
	e.adapters.tasks.Wait() // what is being packed is there for the next round
	l.collect()
	l.reap()
	l.admit()
	l.publish()
	if len(l.running) > 0 {
		require.NoError(t, l.step())
	}
}

// A tenant that floods the queue delays another by what is running, not by what it
// has waiting.
func TestFloodDoesNotStarveAnotherTenant(t *testing.T) {
	e := stopped(t, func(c *Config) { c.MaxBatch, c.MaxWaiting, c.MaxPerTenant = 2, 500, 300 })
	var flood []*job
	for range 200 {
		flood = append(flood, ask(t, e, "flood", 20, 10))
	}
	for range 30 {
		turn(t, e)
	}
	quiet := []*job{ask(t, e, "quiet", 20, 10), ask(t, e, "quiet", 20, 10), ask(t, e, "quiet", 20, 10)}
	ended := func(jobs []*job) (n int) {
		for _, j := range jobs {
			if j.ended {
				n++
			}
		}
		return n
	}
	before := ended(flood)
	for ended(quiet) < 3 {
		turn(t, e)
		require.Less(t, ended(flood)-before, 10, "the quiet tenant's %d of 3 came behind the flood", ended(quiet))
	}
	for ended(flood) < 200 {
		turn(t, e)
	}
	require.Zero(t, e.Stats().Waiting)
}

func TestQueueIsBoundedPerTenantAndInAll(t *testing.T) {
	e := stopped(t, func(c *Config) { c.MaxWaiting, c.MaxPerTenant = 5, 3 })
	for range 3 {
		ask(t, e, "a", 1, 1)
	}
	refused := func(tenant, why string) {
		t.Helper()
		_, err := e.Generate(t.Context(), Request{Tenant: tenant, Prompt: []uint32{1}, Sampling: Sampling{MaxTokens: 1}}, nil)
		require.ErrorIs(t, err, ErrBusy)
		require.ErrorContains(t, err, why)
	}
	refused("a", "3 of this tenant")
	ask(t, e, "b", 1, 1)
	ask(t, e, "b", 1, 1)
	refused("b", "5 of 5")
	turn(t, e)
	ask(t, e, "a", 1, 1)
}

// A request that needs most of the KV cache lets others pass while it can't run, but
// only as many as fill a batch.
func TestBigRequestIsNeitherStarvedNorInTheWay(t *testing.T) {
	e := stopped(t, func(c *Config) { c.KVTokens, c.MaxBatch = 256, 3 })
	small := []*job{ask(t, e, "s", 10, 22), ask(t, e, "s", 10, 22)}
	turn(t, e)
	big := ask(t, e, "big", 100, 140)
	passed := 0
	for n := 0; !big.ended; n++ {
		require.Less(t, n, 600, "the big request starves")
		for e.waitingBy["s"].jobs < 2 { // there is always more of the others
			small = append(small, ask(t, e, "s", 10, 22))
		}
		turn(t, e)
		if big.admitted.IsZero() {
			passed = 0
			for _, j := range small[2:] {
				if !j.admitted.IsZero() {
					passed++
				}
			}
		}
	}
	require.Positive(t, passed, "nobody passed although they fitted")
	require.LessOrEqual(t, passed, 2*e.cfg.MaxBatch)
}

// The device has room for one adapter, and its users never run out: another
// adapter's turn comes all the same, and requests of the bare base are not held up.
func TestAdapterThatWaitsForMemoryIsNotStarved(t *testing.T) {
	a, b := adapter(t, 0), adapter(t, 1)
	e := stopped(t, func(c *Config) { c.AdapterBytes, c.MaxBatch = max(lora.PackedBytes(a), lora.PackedBytes(b)), 3 })
	ask(t, e, "a", 10, 8, with("a", a))
	turn(t, e)
	turn(t, e)
	waits := ask(t, e, "b", 10, 8, with("b", b))
	var others []*job
	admitted := func() (n int) {
		for _, j := range others {
			if !j.admitted.IsZero() {
				n++
			}
		}
		return n
	}
	base := 0
	for n := 0; !waits.ended; n++ {
		require.Less(t, n, 300, "the other adapter starves")
		for e.waitingBy["a"].jobs < 2 {
			ask(t, e, "a", 10, 8, with("a", a))
		}
		others = append(others, ask(t, e, "base", 4, 2))
		before, kept := admitted(), e.loop.reserved == waits
		turn(t, e)
		if kept && e.loop.reserved == waits {
			base += admitted() - before
		}
		require.LessOrEqual(t, e.Stats().Tier.Bytes, e.cfg.AdapterBytes)
	}
	require.Positive(t, base, "requests of the base were held up")
	require.NotEqual(t, waits.seq, reservedSeq(e))
}

func TestAdapterTooLargeIsRefusedWithNumbers(t *testing.T) {
	a := adapter(t, 0)
	e := stopped(t, func(c *Config) { c.AdapterBytes = 1000 })
	j := ask(t, e, "a", 10, 8, with("a", a))
	turn(t, e)
	_, ended, _, err := j.out.take(nil)
	require.True(t, ended)
	require.ErrorIs(t, err, ErrAdapterMemory)
	require.ErrorContains(t, err, fmt.Sprint(lora.PackedBytes(a)))
	require.ErrorContains(t, err, "1000")
}

func TestMemoryCapHoldsForTheSum(t *testing.T) {
	m, closeModel, err := enginetest.Model(1)
	require.NoError(t, err)
	defer func() { require.NoError(t, closeModel()) }()
	tok, err := enginetest.Tokenizer()
	require.NoError(t, err)
	cfg := Config{Model: m, Tokenizer: tok, KVTokens: 1024}
	cfg.EnsureDefaults()
	kv := cfg.kvBytes()
	_, err = New(Config{Model: m, Tokenizer: tok, KVTokens: 1024, AdapterBytes: 1 << 20, MemoryBytes: m.Bytes() + kv + 1<<20 - 1})
	require.ErrorContains(t, err, fmt.Sprint(m.Bytes()))
	e, err := New(Config{Model: m, Tokenizer: tok, KVTokens: 1024, MemoryBytes: m.Bytes() + kv + 1<<20})
	require.NoError(t, err)
	require.EqualValues(t, 1<<20, e.cfg.AdapterBytes, "adapters get what is left")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, e.Run(ctx))
}

// Many requests for one adapter that is not there load it once.
func TestAdapterIsLoadedOnce(t *testing.T) {
	e := start(t, 1, nil)
	a := adapter(t, 1)
	before := e.Stats().Tier.Loads
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			r := Request{Prompt: []uint32{1, 2, 3}, Adapter: "fresh", Weights: a, Sampling: Sampling{MaxTokens: 4}}
			if _, err := e.Generate(context.Background(), r, nil); err != nil {
				t.Error(err)
			}
		})
		wait.Go(func() {
			if err := e.LoadAdapter("fresh", a); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	require.EqualValues(t, 1, e.Stats().Tier.Loads-before)
	require.Eventually(t, func() bool { return e.Unload("fresh") == nil }, time.Minute, time.Millisecond, "nobody holds it any more")
}

// A request that goes away while its adapter is loaded leaves nothing behind.
func TestCancelWhileTheAdapterLoads(t *testing.T) {
	e := stopped(t, nil)
	a := adapter(t, 0)
	for range 20 {
		j := ask(t, e, "a", 4, 4, with("x", a))
		e.loop.collect()
		e.loop.admit() // starts to load
		j.cancelled.Store(true)
		e.loop.reap()
		e.adapters.tasks.Wait()
		require.NoError(t, e.Unload("x"))
	}
	require.Zero(t, e.Stats().Tier.Bytes)
	require.Zero(t, e.Stats().Waiting)
}

func TestPinnedAdaptersStay(t *testing.T) {
	e := stopped(t, func(c *Config) { c.AdapterBytes = 5 * lora.PackedBytes(adapter(t, 1)) })
	require.NoError(t, e.LoadAdapter("kept", adapter(t, 1)))
	require.NoError(t, e.Pin("kept"))
	for i := range 20 {
		require.NoError(t, e.LoadAdapter(fmt.Sprint(i), adapter(t, 1)))
	}
	require.Contains(t, e.Resident(), "kept")
	require.ErrorIs(t, e.Unload("kept"), ErrAdapterInUse)
	require.ErrorIs(t, e.Pin("nobody"), ErrAdapterMemory)
	require.True(t, e.Unpin("kept"))
	require.NoError(t, e.Unload("kept"))
}

func TestDeadlines(t *testing.T) {
	e := stopped(t, func(c *Config) { c.KVTokens, c.MaxBatch = 64, 1 })
	gen := func(d time.Duration, output int) error {
		_, err := e.Generate(t.Context(), Request{Tenant: "d", Prompt: []uint32{1}, Sampling: Sampling{MaxTokens: output, IgnoreEOS: true}, Deadline: time.Now().Add(d)}, nil)
		return err
	}
	require.ErrorIs(t, gen(-time.Second, 1), ErrDeadline)

	// It waits for what somebody else holds, and says so.
	ask(t, e, "big", 20, 44)
	turn(t, e)
	e.loop.engine.cfg.MaxBatch = 2
	waiting := ask(t, e, "d", 1, 30, func(r *Request) { r.Deadline = time.Now().Add(time.Hour) })
	e.loop.collect()
	e.loop.admit()
	require.ErrorContains(t, waiting.late(), "KV cache: it needs up to 31 tokens")
	waiting.cancelled.Store(true)
	e.loop.reap()

	// Its deadline ends it.
	done := make(chan error, 1)
	go func() { done <- gen(50*time.Millisecond, 30) }()
	var err error
	for wait := true; wait; {
		select {
		case err = <-done:
			wait = false
		case <-time.After(time.Millisecond):
			e.loop.collect()
			e.loop.reap() // lets go of it when it has given up
		}
	}
	require.ErrorIs(t, err, ErrDeadline)

	// What can't start in time at the speed of late is refused at once.
	e.mu.Lock()
	e.costPerSecond, e.usedShare = 10, 1
	e.mu.Unlock()
	for range 5 {
		ask(t, e, "d", 10, 20)
	}
	err = gen(time.Second, 1)
	require.ErrorIs(t, err, ErrBusy)
	require.ErrorContains(t, err, "5 of this tenant")
	other := Request{Tenant: "other", Prompt: []uint32{1}, Sampling: Sampling{MaxTokens: 1}, Deadline: time.Now().Add(time.Hour)}
	j, err := e.prepare(other)
	require.NoError(t, err)
	require.NoError(t, e.submit(j), "another tenant need not wait for these")
}

// An adapter made for another base is refused before it gets anywhere near the batch.
func TestAdapterOfAnotherBaseIsRefused(t *testing.T) {
	cfg := enginetest.ModelConfig()
	cfg.Layers++
	other, err := enginetest.Adapter(cfg, 4, 1)
	require.NoError(t, err)
	e := start(t, 1, nil)
	require.ErrorIs(t, e.LoadAdapter("other", other), ErrInvalid)
	_, err = e.Generate(t.Context(), Request{Prompt: []uint32{1}, Adapter: "other", Weights: other, Sampling: Sampling{MaxTokens: 1}}, nil)
	require.ErrorIs(t, err, ErrInvalid)
	_, err = e.Generate(t.Context(), Request{Prompt: []uint32{1}, Adapter: "a0", Sampling: Sampling{MaxTokens: 1}}, nil)
	require.NoError(t, err)
}

func reservedSeq(e *Engine) kvcache.Seq {
	if r := e.loop.reserved; r != nil {
		return r.seq
	}
	return 0
}
