package attrib

import (
	"context"
	"encoding/json"
	"runtime"
	"sync"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
)

// Querier answers queries on one index with one adapter. It is safe for
// concurrent use; queries run one after the other.
type Querier struct {
	ix *Index

	mu sync.Mutex
	d  *differ
	p  []float64
	q  []int16
}

// Querier keeps what a query needs in memory. The model and the adapter must be
// those that the index names.
func (ix *Index) Querier(model *llama.Model, adapter *lora.Adapter) (*Querier, error) {
	d, err := newDiffer(model, adapter, 0)
	if err != nil {
		return nil, err
	}
	if n := len(adapter.Flat); n != ix.params {
		return nil, protocol.Errorf(protocol.KindInvalid, "adapter", "has %d parameters, the attribution index is of one with %d: it belongs to another adapter", n, ix.params)
	}
	return &Querier{ix: ix, d: d, p: make([]float64, ix.dim), q: make([]int16, ix.dim)}, nil
}

// Query attributes one output. An empty output is all the pool's.
func (q *Querier) Query(ctx context.Context, prompt, output []uint32) (protocol.Attribution, error) {
	scores, err := q.Scores(ctx, prompt, output)
	if err != nil {
		return protocol.Attribution{}, err
	}
	return q.ix.attribute(scores, output), nil
}

// Scores gives every record's influence before thresholds, in the order of
// Index.Record: the cosine in units of 1/(32767*32767).
func (q *Querier) Scores(ctx context.Context, prompt, output []uint32) ([]int64, error) {
	scores := make([]int64, q.ix.Len())
	if len(output) == 0 {
		return scores, ctx.Err()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	g, err := q.d.gradient(ctx, prompt, output)
	if err != nil {
		return nil, err
	}
	sketch(q.p, q.ix.seed, g)
	quantise(q.q, q.p)
	scan(scores, q.q, q.ix.vectors, runtime.GOMAXPROCS(0))
	return scores, nil
}

// Query attributes one output; see Querier for many.
func (ix *Index) Query(ctx context.Context, model *llama.Model, adapter *lora.Adapter, prompt, output []uint32) (protocol.Attribution, error) {
	q, err := ix.Querier(model, adapter)
	if err != nil {
		return protocol.Attribution{}, err
	}
	return q.Query(ctx, prompt, output)
}

// Verify recomputes the attribution that a piece of evidence claims. The error
// has kind corrupt when they differ; the recomputed attribution comes with it.
func (ix *Index) Verify(ctx context.Context, model *llama.Model, adapter *lora.Adapter, e protocol.Evidence) (protocol.Attribution, error) {
	got, err := ix.Query(ctx, model, adapter, e.Prompt, e.Output)
	if err != nil {
		return got, err
	}
	want := e.Attribution
	want.Retrieved = nil // another algorithm's
	switch {
	case want.Algorithm != Algorithm:
		return got, protocol.Errorf(protocol.KindInvalid, "attribution.algorithm", "is %q, this program computes %q: verify with a program that has it", want.Algorithm, Algorithm)
	case want.Index != ix.digest:
		return got, protocol.Errorf(protocol.KindInvalid, "attribution.index", "is %s, this index is %s: fetch the one that the evidence names", want.Index, ix.digest)
	}
	a, err := json.Marshal(got)
	if err != nil {
		return got, err
	}
	b, err := json.Marshal(want)
	if err != nil {
		return got, err
	}
	if string(a) != string(b) {
		return got, protocol.Errorf(protocol.KindCorrupt, "attribution", "differs from the recomputed one: the worker's claim is wrong")
	}
	return got, nil
}
