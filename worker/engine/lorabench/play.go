package lorabench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/openledger/openledger/worker/engine"
)

// slo is the time to first token within which S-LoRA counts a request as attained.
const slo = 6 * time.Second

// Outcome is what one run over a workload came to.
type Outcome struct {
	Requests   int     `json:"requests"`
	Done       int     `json:"done"`
	Seconds    float64 `json:"seconds"`    // until the last one was done
	Throughput float64 `json:"throughput"` // requests done per second
	Tokens     float64 `json:"tokens_per_second"`
	CPU        float64 `json:"cpu_seconds"` // computed on all cores; 0: not known here
	TTFTP50    float64 `json:"ttft_p50_s"`
	TTFTP99    float64 `json:"ttft_p99_s"`
	Attained   float64 `json:"attainment"` // part of the requests whose first token came within 6 s
}

// request is one arrival's part of a run.
type request struct {
	Arrival
	key    string
	prompt []uint32

	first, end time.Duration // after the start; 0: never
}

// requests draws the prompts of a workload.
func (r *Rig) requests(w Workload) ([]request, error) {
	arrivals, err := w.Arrivals()
	if err != nil {
		return nil, err
	}
	list := make([]request, len(arrivals))
	for i, a := range arrivals {
		list[i] = request{Arrival: a, prompt: r.prompt(a.Prompt)}
		if w.Adapters > 0 {
			list[i].key = key(a.Adapter)
		}
	}
	return list, nil
}

func (q *request) due() time.Duration { return time.Duration(q.At * float64(time.Second)) }

// generate runs one request to its end; its output has the length that the workload asks for.
func (r *Rig) generate(ctx context.Context, q *request, adapter string, start time.Time) error {
	_, err := r.Engine.Generate(ctx, engine.Request{Prompt: q.prompt, Adapter: adapter,
		Sampling: engine.Sampling{MaxTokens: q.Output, IgnoreEOS: true}}, func(engine.Token) error {
		if q.first == 0 {
			q.first = time.Since(start)
		}
		return nil
	})
	if err == nil {
		q.end = time.Since(start)
	}
	return err
}

// Play runs a workload in real time, requests at their times of arrival, until the last is done.
func (r *Rig) Play(ctx context.Context, w Workload) (Outcome, error) {
	if err := r.Load(w.Adapters); err != nil {
		return Outcome{}, err
	}
	list, err := r.requests(w)
	if err != nil {
		return Outcome{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	start, cpu := time.Now(), cpuSeconds()
	for i := range list {
		q := &list[i]
		wg.Go(func() {
			select {
			case <-time.After(time.Until(start.Add(q.due()))):
			case <-ctx.Done():
				return
			}
			if err := r.generate(ctx, q, q.key, start); err != nil {
				cancel(fmt.Errorf("request at %.3f s: %w", q.At, err))
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return Outcome{}, err
	}
	o := outcome(list)
	o.CPU = cpuSeconds() - cpu
	return o, nil
}

func outcome(list []request) Outcome {
	o := Outcome{Requests: len(list)}
	var ttft []float64
	tokens, attained := 0, 0
	for i := range list {
		q := &list[i]
		if q.first > 0 {
			wait := q.first - q.due()
			ttft = append(ttft, wait.Seconds())
			if wait < slo {
				attained++
			}
		}
		if q.end > 0 {
			o.Done++
			tokens += q.Prompt + q.Output
			o.Seconds = max(o.Seconds, q.end.Seconds())
		}
	}
	if o.Done > 0 {
		o.Throughput, o.Tokens = float64(o.Done)/o.Seconds, float64(tokens)/o.Seconds
	}
	if len(ttft) > 0 {
		slices.Sort(ttft)
		o.TTFTP50, o.TTFTP99 = ttft[len(ttft)/2], ttft[len(ttft)*99/100]
	}
	o.Attained = float64(attained) / float64(len(list))
	return o
}
