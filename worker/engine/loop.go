package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/openledger/openledger/worker/engine/kvcache"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// loop is the state of Run: one goroutine, no locks.
type loop struct {
	engine  *Engine
	kv      *kvcache.Cache
	queue   fairQueue
	running []*job // in order of admission

	dirty    bool   // something happened since the queue was last looked at
	reserved *job   // room is kept for it
	blocked  []*job // scratch of admit

	batch   []llama.Seq // scratch, reused by every step
	batched []*job

	rate, cost     rate // output tokens, and cost, per second
	reserves, uses float64
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
		l.queue.each(func(j *job) { l.refuse(j, cause) })
		for _, j := range l.running {
			l.finish(j, "", cause)
		}
		l.running = nil
		l.publish()
		e.memory.Free()
		e.adapters.close()
	}()
	if b, ok := e.cfg.Model.Backend().(tensor.Binder); ok {
		release, err := b.Bind()
		if err != nil {
			return fmt.Errorf("engine: %w", err)
		}
		defer release()
	}
	for {
		l.collect()
		if l.dirty {
			l.reap()
			l.admit()
		}
		l.publish()
		if len(l.running) == 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-e.wake:
				l.dirty = true
			}
			continue
		}
		select {
		case <-e.wake:
			l.dirty = true
		default:
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
	defer l.engine.mu.Unlock()
	for _, j := range l.engine.incoming {
		l.queue.push(j)
		l.dirty = true
	}
	clear(l.engine.incoming)
	l.engine.incoming = l.engine.incoming[:0]
}

// reap ends cancelled jobs.
func (l *loop) reap() {
	l.queue.each(func(j *job) {
		if j.cancelled.Load() {
			l.refuse(j, context.Canceled)
		}
	})
	kept := l.running[:0]
	for _, j := range l.running {
		if j.cancelled.Load() {
			l.finish(j, "", context.Canceled)
		} else {
			kept = append(kept, j)
		}
	}
	clear(l.running[len(kept):])
	l.running = kept
}

// replay brings a resumed job's text and sampler to where the other worker left
// them. What it delivered is not sent again.
func (l *loop) replay(j *job) (reason string, err error) {
	for _, id := range j.output() {
		done, err := j.follow(id)
		if err != nil {
			return "", err
		}
		if _, stopped := j.text.push(id); stopped {
			return FinishStop, nil
		}
		if done {
			j.text.flush()
			return FinishStop, nil
		}
	}
	if len(j.output()) >= j.limit {
		j.text.flush()
		return FinishLength, nil
	}
	return "", nil
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
		if j.done+n == len(j.input) && j.pool == nil {
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
	produced, cost := 0, 0
	for i, j := range l.batched {
		if err := l.kv.Commit(j.seq, j.input[j.done:j.done+j.chunk]); err != nil {
			return err
		}
		j.done += j.chunk
		if j.pool != nil {
			cost += promptCost * j.chunk
			j.pool.add(out.Hidden[out.HiddenFirst[i]*out.Width : out.HiddenFirst[i+1]*out.Width])
			if j.done == len(j.input) {
				l.finish(j, FinishStop, nil)
			}
			continue
		}
		if j.done < len(j.input) {
			cost += promptCost * j.chunk
			continue
		}
		cost += promptCost*(j.chunk-1) + outputCost
		l.draw(j, out.Row(i, 0), now)
		produced++
	}
	l.rate.add(produced, now.Sub(start))
	l.cost.add(cost, now.Sub(start))
	kept := l.running[:0]
	for _, j := range l.running {
		if !j.ended {
			kept = append(kept, j)
		}
	}
	if len(kept) < len(l.running) {
		l.dirty = true
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
	if l.ends(j, id) {
		if text, _ := j.text.flush(); text != "" {
			j.out.push(Token{Text: text, TextOnly: true})
		}
		l.finish(j, FinishStop, nil)
		return
	}
	m.outputTokens.Inc()
	j.input = append(j.input, id)
	done, err := j.follow(id)
	if err != nil { // the token is not the mask's: a defect, and not of other jobs
		l.finish(j, "", err)
		return
	}
	text, stopped := j.text.push(id)
	reason := ""
	switch {
	case stopped:
		reason = FinishStop
	case done:
		rest, _ := j.text.flush()
		text += rest
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
	l.engine.adapters.release(j)
	l.unreserve(j)
	if !j.admitted.IsZero() {
		l.queue.end(j, len(j.output()))
		l.learn(j)
	}
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

// learn keeps an average of how much of what jobs reserve they use.
func (l *loop) learn(j *job) {
	const memory = 64 // jobs
	l.reserves = l.reserves*(1-1.0/memory) + float64(j.cost())
	l.uses = l.uses*(1-1.0/memory) + float64(j.cost()-outputCost*int64(j.limit-len(j.output())))
}

// publish updates what Stats tells.
func (l *loop) publish() {
	kv := l.kv.Stats()
	e := l.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	e.costPerSecond = l.cost.perSecond
	if l.reserves > 0 {
		e.usedShare = l.uses / l.reserves
	}
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
