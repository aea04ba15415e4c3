package lorabench

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

// Merger merges one adapter at a time into the weights, as PEFT's merge_adapter does, in the same engine. The sum is
// rounded to the type of the base. It is quicker than PEFT in one way: the next merge starts from the original
// weights, of which it keeps a copy, so that nothing is subtracted.
type Merger struct {
	rig      *Rig
	adapters []*lora.Adapter
	rows     map[place][]float32
	scratch  []float32
	merged   int // adapter, or -1
}

type place struct {
	layer int
	mod   lora.Module
}

// NewMerger keeps the first n adapters in host memory, and the weights that they change.
func (r *Rig) NewMerger(n int) (*Merger, error) {
	m := &Merger{rig: r, rows: map[place][]float32{}, merged: -1}
	for i := range n {
		a, err := r.Shape.Adapter(i)
		if err != nil {
			return nil, err
		}
		m.adapters = append(m.adapters, a)
	}
	for l := range r.Shape.Config.Layers {
		for _, mod := range r.Shape.Targets {
			rows, err := r.Model.Rows(l, mod)
			if err != nil {
				return nil, err
			}
			m.rows[place{l, mod}] = rows
			if len(rows) > len(m.scratch) {
				m.scratch = make([]float32, len(rows))
			}
		}
	}
	return m, nil
}

// Merge makes the model the base with one adapter merged in; -1 is the base alone.
func (m *Merger) Merge(i int) error {
	if i == m.merged {
		return nil
	}
	m.merged = i
	geom := m.rig.Shape.Config.Geometry()
	for l := range geom.Layers {
		for _, mod := range m.rig.Shape.Targets {
			shape := geom.Shapes[mod]
			w := m.scratch[:copy(m.scratch, m.rows[place{l, mod}])]
			rows := tensor.Of(cpu.View(w), shape.Out, shape.In)
			if i >= 0 {
				p := m.adapters[i].Pair(l, mod)
				b := make([]float32, len(p.B))
				for k, v := range p.B {
					b[k] = v * p.Scale
				}
				m.rig.backend.MatMul(rows, tensor.Of(cpu.View(b), shape.Out, p.Rank), tensor.Of(cpu.View(p.A), p.Rank, shape.In), false, true)
				if m.rig.Shape.Base == "bf16" {
					round(w)
				}
			}
			if err := m.rig.Model.Rewrite(l, mod, rows); err != nil {
				return err
			}
		}
	}
	return nil
}

// round rounds to bfloat16, on two threads.
func round(w []float32) {
	var wg sync.WaitGroup
	half := len(w) / 2
	for _, part := range [][]float32{w[:half], w[half:]} {
		wg.Go(func() {
			for k, v := range part {
				part[k] = quant.FromBF16(quant.ToBF16(v))
			}
		})
	}
	wg.Wait()
}

// Play runs a workload with one adapter at a time: the adapter of the request that waits longest is merged, all requests
// that wait for it are served as one batch (up to the engine's), and so on. It gives up after limit, which leaves
// requests undone; Throughput counts the others. The base is as before afterwards.
func (m *Merger) Play(ctx context.Context, w Workload, maxBatch int, limit time.Duration) (_ Outcome, merges int, err error) {
	list, err := m.rig.requests(w)
	if err != nil {
		return Outcome{}, 0, err
	}
	defer func() { err = errors.Join(err, m.Merge(-1)) }()
	start, cpu := time.Now(), cpuSeconds()
	waiting := make([]*request, len(list))
	for i := range list {
		waiting[i] = &list[i]
	}
	for len(waiting) > 0 && time.Since(start) < limit {
		if wait := time.Until(start.Add(waiting[0].due())); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return Outcome{}, merges, ctx.Err()
			}
		}
		var batch, rest []*request
		now := time.Since(start)
		for _, q := range waiting {
			if q.due() <= now && q.Adapter == waiting[0].Adapter && len(batch) < maxBatch {
				batch = append(batch, q)
			} else {
				rest = append(rest, q)
			}
		}
		if m.merged != batch[0].Adapter {
			merges++
		}
		if err := m.Merge(batch[0].Adapter); err != nil {
			return Outcome{}, merges, err
		}
		errs := make([]error, len(batch))
		var wg sync.WaitGroup
		for i, q := range batch {
			wg.Go(func() { errs[i] = m.rig.generate(ctx, q, "", start) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return Outcome{}, merges, err
		}
		waiting = rest
	}
	o := outcome(list)
	o.CPU = cpuSeconds() - cpu
	return o, merges, nil
}
