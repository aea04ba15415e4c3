package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/openledger/openledger/worker/engine/kvcache"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/sample"
)

// Engine serves requests while Run runs. Its methods are safe for concurrent use.
type Engine struct {
	cfg     Config
	runner  *llama.Runner
	memory  *llama.KV
	metrics *metrics
	stop    map[uint32]bool
	totalKV int

	adapters *adapters
	wake     chan struct{} // capacity 1: something for the loop to look at

	mu          sync.Mutex
	incoming    []*job
	waiting     int // incoming, and taken by the loop but not admitted
	waitingCost int64
	waitingBy   map[string]waitingOf // by tenant
	closed      bool
	stats       Stats
	nextSeq     kvcache.Seq

	costPerSecond, usedShare float64 // of late; 0: not known yet

	loop    loop
	scratch sample.Scratch // of the loop's samplers
	formats *formats
}

// New makes an engine; Run starts it. Requests that arrive before wait.
func New(cfg Config) (*Engine, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	geometry := cfg.Model.Config()
	if cfg.MaxContext == 0 || cfg.MaxContext > geometry.MaxPositions {
		cfg.MaxContext = geometry.MaxPositions
	}
	pages := cfg.KVTokens / cfg.PageTokens
	kv, err := kvcache.New(kvcache.Config{Pages: pages, PageSize: cfg.PageTokens})
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	memory, err := cfg.Model.NewKV(pages, cfg.PageTokens)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	e := &Engine{
		cfg: cfg, runner: cfg.Model.NewRunner(memory), memory: memory, stop: map[uint32]bool{}, wake: make(chan struct{}, 1),
		totalKV: pages * cfg.PageTokens, waitingBy: map[string]waitingOf{},
	}
	if e.adapters, err = newAdapters(cfg.Model.Backend(), geometry.Geometry(), cfg.AdapterBytes, e.poke); err != nil {
		memory.Free()
		return nil, err
	}
	for _, id := range cfg.StopIDs {
		e.stop[id] = true
	}
	e.stats = Stats{Slots: cfg.MaxBatch, FreeKV: kv.Stats().FreeTokens(), TotalKV: e.totalKV}
	e.formats = newFormats(cfg.Tokenizer, geometry.VocabSize, cfg.StopIDs)
	if e.metrics, err = newMetrics(cfg.Registerer, e); err != nil {
		memory.Free()
		return nil, err
	}
	e.loop = loop{engine: e, kv: kv, queue: newFairQueue()}
	return e, nil
}

// LoadAdapter makes an adapter resident under a key, which names its content. It
// makes room by dropping adapters that no request uses, the one unused for
// longest first. Loading a key again is no work. The decode loop does not wait for
// it.
func (e *Engine) LoadAdapter(key string, a *lora.Adapter) error { return e.adapters.load(key, a) }

// Unload drops an adapter that no request uses and that is not pinned.
func (e *Engine) Unload(key string) error { return e.adapters.unload(key) }

// Pin keeps a resident adapter on the device until Unpin.
func (e *Engine) Pin(key string) error {
	if err := e.adapters.tier.Pin(key); err != nil {
		return fmt.Errorf("%w: %w", ErrAdapterMemory, err)
	}
	return nil
}

// Unpin ends a pin; it says whether there was one.
func (e *Engine) Unpin(key string) bool {
	defer e.poke() // somebody may wait for the memory
	return e.adapters.tier.Unpin(key)
}

// Has says whether an adapter is resident.
func (e *Engine) Has(key string) bool { return e.adapters.tier.Has(key) }

// Resident lists the keys of the resident adapters, those in use first, then the
// others, the next to leave last.
func (e *Engine) Resident() []string {
	held, idle := e.adapters.tier.Keys()
	return append(held, idle...)
}

// Stats of this moment.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	s := e.stats
	s.Waiting = e.waiting
	e.mu.Unlock()
	s.Tier = e.adapters.tier.Stats()
	s.Adapters, s.AdapterBytes = s.Tier.Adapters, s.Tier.Bytes
	return s
}

// Generate runs one request to its end. onToken, which may be nil, is called for
// every new token in order, in the caller's goroutine; when it returns an error
// the request is cancelled and the error returned. When ctx ends, or on an error,
// the result holds what was computed until then.
func (e *Engine) Generate(ctx context.Context, req Request, onToken func(Token) error) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	j, err := e.prepare(req)
	if err != nil {
		return Result{}, err
	}
	if err := e.submit(j); err != nil {
		e.adapters.release(j)
		return Result{}, err
	}
	var late <-chan time.Time // the deadline, until the first token
	if d := req.Deadline; !d.IsZero() {
		timer := time.NewTimer(time.Until(d))
		defer timer.Stop()
		late = timer.C
	}
	var buf []Token
	for {
		var ended bool
		var result Result
		if buf, ended, result, err = j.out.take(buf); len(buf) > 0 {
			late = nil
		}
		for _, t := range buf {
			if onToken == nil {
				break
			}
			if stopErr := onToken(t); stopErr != nil {
				return e.abandon(j, stopErr)
			}
		}
		if ended {
			return result, err
		}
		select {
		case <-j.out.wake:
		case <-ctx.Done():
			return e.abandon(j, context.Cause(ctx))
		case <-late:
			e.metrics.refused.WithLabelValues("deadline").Inc()
			return e.abandon(j, j.late())
		}
	}
}

// abandon cancels a job and waits until the loop has let go of it, which takes
// one step at most.
func (e *Engine) abandon(j *job, cause error) (Result, error) {
	j.cancelled.Store(true)
	e.poke()
	for {
		_, ended, result, _ := j.out.take(nil)
		if ended {
			return result, cause
		}
		<-j.out.wake
	}
}

// prepare checks a request, and holds its adapter if it must be resident already.
func (e *Engine) prepare(req Request) (*job, error) {
	if err := req.Sampling.validate(); err != nil {
		return nil, err
	}
	vocab := uint32(e.cfg.Model.Config().VocabSize)
	for i, t := range req.Prompt {
		if t >= vocab {
			return nil, fmt.Errorf("%w: prompt[%d] is %d, the model knows %d tokens", ErrInvalid, i, t, vocab)
		}
	}
	for i, t := range req.Resume {
		if t >= vocab {
			return nil, fmt.Errorf("%w: resume[%d] is %d, the model knows %d tokens", ErrInvalid, i, t, vocab)
		}
	}
	n := len(req.Prompt)
	if n == 0 {
		return nil, fmt.Errorf("%w: prompt is empty", ErrInvalid)
	}
	room := min(e.cfg.MaxContext, e.totalKV) - n
	if room < 1 {
		return nil, fmt.Errorf("%w: prompt has %d tokens, this engine holds at most %d with one left for the answer: shorten the prompt", ErrTooLarge, n, n+room)
	}
	limit := req.Sampling.MaxTokens
	if limit > room {
		// What the context cannot hold can never be generated; what only the
		// cache cannot hold another worker could, so that is refused.
		if context := e.cfg.MaxContext - n; context > room {
			if min(limit, context) > room {
				return nil, fmt.Errorf("%w: prompt and max_tokens need %d tokens of KV cache, this engine has %d: lower max_tokens", ErrTooLarge, n+min(limit, context), e.totalKV)
			}
		}
		limit = min(limit, room)
	}
	if len(req.Resume) > limit {
		return nil, fmt.Errorf("%w: resume has %d tokens, max_tokens allows %d", ErrInvalid, len(req.Resume), limit)
	}
	s, err := sample.New(req.Sampling.params(), req.Prompt, &e.scratch)
	if err != nil {
		return nil, fmt.Errorf("%w: sampling.%w", ErrInvalid, err)
	}
	match, err := e.formats.matcher(req.Sampling.Format)
	if err != nil {
		return nil, err
	}
	j := &job{req: req, limit: limit, prompt: n, sampler: s, match: match, queued: time.Now()}
	j.out.wake = make(chan struct{}, 1)
	j.input = make([]uint32, 0, n+limit)
	j.input = append(append(j.input, req.Prompt...), req.Resume...)
	j.text = textStream{stream: e.cfg.Tokenizer.NewStream(), stops: req.Sampling.Stop}
	if req.Weights != nil {
		if err := e.adapters.check(req.Adapter, req.Weights); err != nil {
			return nil, err
		}
	}
	if req.Adapter != "" && req.Weights == nil { // else it is made resident when its turn comes
		var ok bool
		if j.adapter, ok = e.adapters.tier.Acquire(req.Adapter); !ok {
			return nil, fmt.Errorf("%w: load %q first", ErrUnknownAdapter, req.Adapter)
		}
	}
	return j, nil
}

func (e *Engine) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}
