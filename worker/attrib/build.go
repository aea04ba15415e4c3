package attrib

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
)

// Record is one record of the datanet as the adapter was trained on it.
type Record struct {
	ID          protocol.Hash // digest of the record's CID
	Contributor protocol.Account
	Prompt      []uint32 // with the chat template's tokens
	Answer      []uint32 // without the end-of-text token
	Text        []uint32 // what outputs are searched for verbatim; nil: the answer
}

// BuildConfig names what the index is of, and how it projects.
type BuildConfig struct {
	Base    protocol.Hash // of the base model
	Adapter protocol.Hash // digest of the adapter's CID
	Root    protocol.Hash // digest of the datanet version's CID

	Dim       int     // numbers per record, a power of two
	Seed      uint64  // of the projection; part of the index
	Damping   float64 // of the whitening, relative to the mean eigenvalue
	MaxLength int     // tokens of a record, as it was trained; 0: the model's context
	Threads   int     // for the factorisation; results do not depend on it

	Progress func(done, total int) // may be nil
}

// EnsureDefaults fills unset fields.
func (c *BuildConfig) EnsureDefaults() {
	if c.Dim == 0 {
		c.Dim = 1024
	}
	if c.Damping == 0 {
		c.Damping = 0.1
	}
	if c.Threads == 0 {
		c.Threads = runtime.GOMAXPROCS(0)
	}
	if c.Progress == nil {
		c.Progress = func(int, int) {}
	}
}

// Validate reports the first bad field.
func (c *BuildConfig) Validate() error {
	switch {
	case c.Dim < minDim || c.Dim > maxDim || c.Dim&(c.Dim-1) != 0:
		return protocol.Errorf(protocol.KindInvalid, "dim", "must be a power of two between %d and %d, got %d", minDim, maxDim, c.Dim)
	case !(c.Damping > 0) || math.IsInf(c.Damping, 0):
		return protocol.Errorf(protocol.KindInvalid, "damping", "must be a positive number, got %v", c.Damping)
	case c.MaxLength < 0:
		return protocol.Errorf(protocol.KindInvalid, "max_length", "must not be negative, got %d", c.MaxLength)
	}
	return nil
}

// scaleSample is how many records the scales of the matrices are measured on.
const scaleSample = 64

// Build makes the index of an adapter over the records that it was trained on.
// The index depends on its arguments' content only, not on the records' order.
func Build(ctx context.Context, cfg BuildConfig, model *llama.Model, adapter *lora.Adapter, records []Record) (*Index, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if len(records) == 0 || len(records) > maxRecords {
		return nil, protocol.Errorf(protocol.KindInvalid, "records", "there are %d, an index needs 1 to %d", len(records), maxRecords)
	}
	records = slices.Clone(records)
	slices.SortFunc(records, func(a, b Record) int { return a.ID.Cmp(b.ID) })
	ix := &Index{base: cfg.Base, adapter: cfg.Adapter, root: cfg.Root}
	for i, r := range records {
		if i > 0 && r.ID == records[i-1].ID {
			return nil, protocol.Errorf(protocol.KindInvalid, "records", "%s is there twice", r.ID)
		}
		if len(r.Prompt) == 0 || len(r.Answer) == 0 {
			return nil, protocol.Errorf(protocol.KindInvalid, "records", "%s has an empty prompt or answer", r.ID)
		}
		text := r.Text
		if text == nil {
			text = r.Answer
		}
		ix.records = append(ix.records, entry{id: r.ID, contributor: r.Contributor, tokens: slices.Clone(text)})
	}
	d, err := newDiffer(model, adapter, cfg.MaxLength)
	if err != nil {
		return nil, err
	}

	total := len(records) + min(len(records), scaleSample)
	done := 0
	step := func() { done++; cfg.Progress(done, total) }
	ix.sketch = sketcher{seed: cfg.Seed, dim: cfg.Dim}
	if ix.sketch.scale, err = matrixScales(ctx, d, records, step); err != nil {
		return nil, err
	}
	projections := make([][]float64, len(records))
	for i := range records {
		m, err := d.gradient(ctx, records[i].Prompt, records[i].Answer)
		if err != nil {
			return nil, fmt.Errorf("record %s: %w", records[i].ID, err)
		}
		p := make([]float64, cfg.Dim)
		ix.sketch.sketch(p, m)
		normalise(p) // the gradients of memorised records are tiny
		projections[i] = p
		step()
	}
	w, err := newWhitener(ctx, cfg.Dim, projections, cfg.Damping, cfg.Threads)
	if err != nil {
		return nil, err
	}
	ix.whiten = *w
	ix.vectors = make([]int16, len(records)*cfg.Dim)
	for i, p := range projections {
		w.apply(p)
		quantise(ix.vector(i), p)
	}
	if err := ix.search(); err != nil {
		return nil, err
	}
	b, err := ix.MarshalBinary()
	if err != nil {
		return nil, err
	}
	ix.digest = sha256.Sum256(b)
	return ix, nil
}

// matrixScales gives every matrix of the adapter the same mean energy over an
// even sample of the records, each record's gradient counting alike, as
// DataInf's per-layer damping does: otherwise the layer with the largest
// gradients alone decides.
func matrixScales(ctx context.Context, d *differ, records []Record, step func()) ([]float64, error) {
	n := min(len(records), scaleSample)
	var mean []float64
	for k := range n {
		r := &records[k*len(records)/n]
		m, err := d.gradient(ctx, r.Prompt, r.Answer)
		if err != nil {
			return nil, fmt.Errorf("record %s: %w", r.ID, err)
		}
		if mean == nil {
			mean = make([]float64, len(m))
		}
		each := make([]float64, len(m))
		var all float64
		for i, g := range m {
			each[i] = energy(g)
			all += each[i]
		}
		if all > 0 {
			for i := range each {
				mean[i] += each[i] / all / float64(n)
			}
		}
		step()
	}
	for i, e := range mean {
		if e > 0 {
			mean[i] = 1 / math.Sqrt(e)
		}
	}
	return mean, nil
}
