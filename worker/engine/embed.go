package engine

import (
	"context"
	"fmt"
	"math"
	"time"
)

// EmbedRequest asks for the vectors of inputs by the bare base.
type EmbedRequest struct {
	ID       string     // for logs; need not be unique
	Inputs   [][]uint32 // tokens, the tokenizer's special ones included
	Tenant   string     // fairness is between tenants
	Deadline time.Time  // until then all inputs must be in the batch; zero: none
}

// Embed gives one vector per input, each as wide as the model's hidden state: the mean of
// the hidden states after the final norm over all of the input's tokens, at length 1
// (a mean of length 0 stays). Sums are in float64 in the order of the tokens, so the bits
// depend on the input, the model and its numeric profile only. Inputs are prompts like
// others: they share the batch and its chunks with whatever else runs.
func (e *Engine) Embed(ctx context.Context, req EmbedRequest) ([][]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	jobs := make([]*job, len(req.Inputs))
	for i, tokens := range req.Inputs {
		var err error
		if jobs[i], err = e.prepareEmbed(req, tokens); err != nil {
			return nil, fmt.Errorf("input[%d]: %w", i, err)
		}
	}
	for i, j := range jobs {
		if err := e.submit(j); err != nil {
			e.abandonAll(jobs[:i], err)
			return nil, err
		}
	}
	out := make([][]float32, len(jobs))
	for i, j := range jobs {
		if err := e.await(ctx, j); err != nil {
			e.abandonAll(jobs, err)
			return nil, err
		}
		out[i] = j.pool.vector()
	}
	return out, nil
}

func (e *Engine) prepareEmbed(req EmbedRequest, tokens []uint32) (*job, error) {
	vocab := uint32(e.cfg.Model.Config().VocabSize)
	for i, t := range tokens {
		if t >= vocab {
			return nil, fmt.Errorf("%w: token %d is %d, the model knows %d tokens", ErrInvalid, i, t, vocab)
		}
	}
	n := len(tokens)
	if n == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrInvalid)
	}
	if room := min(e.cfg.MaxContext, e.totalKV); n > room {
		return nil, fmt.Errorf("%w: it has %d tokens, this engine holds at most %d: cut the text into pieces", ErrTooLarge, n, room)
	}
	j := &job{
		req: Request{ID: req.ID, Tenant: req.Tenant, Deadline: req.Deadline}, prompt: n, input: tokens, queued: time.Now(),
		pool: &pool{sum: make([]float64, e.cfg.Model.Config().HiddenSize)},
	}
	j.out.wake = make(chan struct{}, 1)
	return j, nil
}

// await waits for a job's end.
func (e *Engine) await(ctx context.Context, j *job) error {
	var late <-chan time.Time
	if d := j.req.Deadline; !d.IsZero() {
		timer := time.NewTimer(time.Until(d))
		defer timer.Stop()
		late = timer.C
	}
	for {
		if _, ended, _, err := j.out.take(nil); ended {
			return err
		}
		select {
		case <-j.out.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-late:
			e.metrics.refused.WithLabelValues("deadline").Inc()
			return j.late()
		}
	}
}

// abandonAll cancels jobs and waits until the loop has let go of them.
func (e *Engine) abandonAll(jobs []*job, cause error) {
	for _, j := range jobs {
		j.cancelled.Store(true)
	}
	for _, j := range jobs {
		_, _ = e.abandon(j, cause) // the cause is known
	}
}

// pool sums hidden states.
type pool struct {
	sum []float64
	n   int
}

// add takes rows of hidden states, in order.
func (p *pool) add(rows []float32) {
	for d := len(p.sum); len(rows) > 0; rows = rows[d:] {
		for i, v := range rows[:d] {
			p.sum[i] += float64(v)
		}
		p.n++
	}
}

// vector is the mean at length 1.
func (p *pool) vector() []float32 {
	var square float64
	for i, s := range p.sum {
		p.sum[i] = s / float64(p.n)
		square += float64(p.sum[i] * p.sum[i]) // rounded by itself on every machine
	}
	scale := 1.0
	if square > 0 {
		scale = math.Sqrt(square)
	}
	out := make([]float32, len(p.sum))
	for i, s := range p.sum {
		out[i] = float32(s / scale)
	}
	return out
}
