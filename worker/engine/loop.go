package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/openledger/openledger/worker/engine/kvcache"
	"github.com/openledger/openledger/worker/engine/model/llama"
)

// loop is the state of Run: one goroutine, no locks.
type loop struct {
	engine  *Engine
	kv      *kvcache.Cache
	queue   []*job // in order of arrival
	running []*job // in order of admission

	batch   []llama.Seq // scratch, reused by every step
	batched []*job

	rate rate
}

// Run serves until ctx ends; what is in flight then ends with ErrClosed. It
// returns an error only when the device failed. It may be called once.
func (e *Engine) Run(ctx context.Context) (err error) {
	l := &e.loop
	defer func() {
		e.mu.Lock()
		e.closed = true
		e.mu.Unlock()
		l.collect()
		cause := ErrClosed
		if err != nil {
			cause = err
		}
		for _, j := range append(l.queue, l.running...) {
			l.finish(j, "", cause)
		}
		l.queue, l.running = nil, nil
		l.publish()
		e.memory.Free()
		e.adapters.close()
	}()
	for {
		l.collect()
		l.reap()
		l.admit()
		l.publish()
		if len(l.running) == 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-e.wake:
			}
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := l.step(); err != nil {
			return fmt.Errorf("engine: %w", err)
		}
	}
}

// collect takes over what was submitted.
func (l *loop) collect() {
	l.engine.mu.Lock()
	l.queue = append(l.queue, l.engine.incoming...)
	clear(l.engine.incoming)
	l.engine.incoming = l.engine.incoming[:0]
	l.engine.mu.Unlock()
}

// reap ends cancelled jobs.
func (l *loop) reap() {
	keep := func(jobs []*job) []*job {
		kept := jobs[:0]
		for _, j := range jobs {
			if j.cancelled.Load() {
				l.finish(j, "", context.Canceled)
			} else {
				kept = append(kept, j)
			}
		}
		clear(jobs[len(kept):])
		return kept
	}
	l.queue = keep(l.queue)
	l.running = keep(l.running)
}

// admit lets jobs in, in order of arrival, as long as there is a slot and KV for
// all that the job may need. A job that must wait makes those behind it wait:
// none is overtaken forever.
func (l *loop) admit() {
	n := 0
	for _, j := range l.queue {
		if len(l.running) >= l.engine.cfg.MaxBatch || !l.place(j) {
			break
		}
		n++
		j.admitted = time.Now()
		l.engine.metrics.queue.Observe(j.admitted.Sub(j.queued).Seconds())
		if reason := l.replay(j); reason != "" {
			l.finish(j, reason, nil)
			continue
		}
		l.running = append(l.running, j)
	}
	if n > 0 {
		rest := copy(l.queue, l.queue[n:])
		clear(l.queue[rest:])
		l.queue = l.queue[:rest]
	}
}

// place reserves a job's KV, or leaves no trace.
func (l *loop) place(j *job) bool {
	reused, err := l.kv.Open(j.seq, j.key, j.input)
	if err != nil {
		return false
	}
	if err := l.kv.Reserve(j.seq, j.prompt+j.limit-reused); err != nil {
		l.kv.Close(j.seq)
		return false
	}
	j.done = reused
	return true
}

// replay brings a resumed job's text and sampler to where the other worker left
// them. What it delivered is not sent again.
func (l *loop) replay(j *job) (reason string) {
	for _, id := range j.output() {
		j.sampler.Accept(id)
		if _, stopped := j.text.push(id); stopped {
			return FinishStop
		}
	}
	if len(j.output()) >= j.limit {
		j.text.flush()
		return FinishLength
	}
	return ""
}

// step runs one batch: one token of every decoding job, and as many prompt
// tokens of the others as the chunk allows, oldest first.
func (l *loop) step() error {
	e := l.engine
	l.batch, l.batched = l.batch[:0], l.batched[:0]
	budget := e.cfg.PrefillChunk
	for _, j := range l.running {
		n := len(j.input) - j.done
		if n > 1 {
			if n = min(n, budget); n == 0 {
				continue
			}
			budget -= n
		}
		j.chunk = n
		logits := llama.LogitsNone
		if j.done+n == len(j.input) {
			logits = llama.LogitsLast
		}
		l.batch = append(l.batch, llama.Seq{
			Tokens: j.input[j.done : j.done+n], Pos: j.done, Blocks: l.kv.Table(j.seq),
			Adapter: j.adapter.weights(), Logits: logits,
		})
		l.batched = append(l.batched, j)
	}
	start := time.Now()
	out, err := e.runner.Forward(l.batch)
	if err != nil {
		return err
	}
	now := time.Now()
	produced := 0
	for i, j := range l.batched {
		if err := l.kv.Commit(j.seq, j.input[j.done:j.done+j.chunk]); err != nil {
			return err
		}
		j.done += j.chunk
		if j.done < len(j.input) {
			continue
		}
		l.draw(j, out.Row(i, 0), now)
		produced++
	}
	l.rate.add(produced, now.Sub(start))
	kept := l.running[:0]
	for _, j := range l.running {
		if !j.ended {
			kept = append(kept, j)
		}
	}
	clear(l.running[len(kept):])
	l.running = kept
	return nil
}

// emit hands one drawn token on and ends the job when it was the last.
func (l *loop) emit(j *job, id uint32, lp *LogProbs, now time.Time) {
	m := l.engine.metrics
	if j.first.IsZero() {
		j.first = now
		m.firstToken.Observe(now.Sub(j.queued).Seconds())
	} else {
		m.perToken.Observe(now.Sub(j.last).Seconds())
	}
	j.last = now
	if l.engine.stop[id] && !j.req.Sampling.IgnoreEOS {
		if text, _ := j.text.flush(); text != "" {
			j.out.push(Token{Text: text, TextOnly: true})
		}
		l.finish(j, FinishStop, nil)
		return
	}
	m.outputTokens.Inc()
	j.input = append(j.input, id)
	j.sampler.Accept(id)
	text, stopped := j.text.push(id)
	reason := ""
	switch {
	case stopped:
		reason = FinishStop
	case len(j.output()) >= j.limit:
		rest, _ := j.text.flush()
		text += rest
		reason = FinishLength
	}
	j.out.push(Token{ID: id, Text: text, LogProbs: lp})
	if reason != "" {
		l.finish(j, reason, nil)
	}
}

// finish lets go of a job.
func (l *loop) finish(j *job, reason string, err error) {
	l.kv.Close(j.seq)
	j.adapter.release()
	j.ended = true
	m := l.engine.metrics
	m.e2e.Observe(time.Since(j.queued).Seconds())
	m.promptTokens.Add(float64(j.prompt))
	label := reason
	if err != nil {
		label = "abort"
	}
	m.finished.WithLabelValues(label).Inc()
	j.out.end(j.result(reason), err)
}

// publish updates what Stats tells.
func (l *loop) publish() {
	kv := l.kv.Stats()
	e := l.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting = len(l.queue) + len(e.incoming)
	e.stats.Running = len(l.running)
	e.stats.FreeKV = kv.FreeTokens()
	e.stats.PrefixQueries, e.stats.PrefixHits = kv.Queries, kv.Hits
	e.stats.DecodeTPS = l.rate.perSecond
}

// rate is a moving average of output tokens per second of computing.
type rate struct {
	tokens, seconds float64
	perSecond       float64
}

const rateWindow = 2 // seconds of computing

func (r *rate) add(tokens int, took time.Duration) {
	r.tokens += float64(tokens)
	r.seconds += took.Seconds()
	if r.seconds > 0 {
		r.perSecond = r.tokens / r.seconds
	}
	if r.seconds > rateWindow {
		r.tokens, r.seconds = r.tokens/2, r.seconds/2
	}
}
