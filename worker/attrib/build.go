package attrib

import (
	"context"
	"crypto/sha256"
	"fmt"
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
	Text        []uint32 // what outputs are searched for verbatim; nil: the answers
	// Also are further examples that the adapter learned of this record, when it was
	// merged of adapters that turn records into different ones.
	Also []Example
}

// Example is a record as one training saw it.
type Example struct{ Prompt, Answer []uint32 }

// BuildConfig names what the index is of, and how it projects.
type BuildConfig struct {
	Base    protocol.Hash // of the base model
	Adapter protocol.Hash // digest of the adapter's CID
	Root    protocol.Hash // digest of the datanet version's CID

	Dim       int    // numbers per record, a power of two
	Seed      uint64 // of the projection; part of the index
	MaxLength int    // tokens of a record, as it was trained; 0: the model's context

	Progress func(done, total int) // may be nil
}

// EnsureDefaults fills unset fields.
func (c *BuildConfig) EnsureDefaults() {
	if c.Dim == 0 {
		c.Dim = 1024
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
	case c.MaxLength < 0:
		return protocol.Errorf(protocol.KindInvalid, "max_length", "must not be negative, got %d", c.MaxLength)
	}
	return nil
}

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
	var examples []Example
	for i, r := range records {
		if i > 0 && r.ID == records[i-1].ID {
			return nil, protocol.Errorf(protocol.KindInvalid, "records", "%s is there twice", r.ID)
		}
		for _, e := range append([]Example{{Prompt: r.Prompt, Answer: r.Answer}}, r.Also...) {
			if len(e.Prompt) == 0 || len(e.Answer) == 0 {
				return nil, protocol.Errorf(protocol.KindInvalid, "records", "%s has an empty prompt or answer", r.ID)
			}
			ix.records = append(ix.records, entry{id: r.ID, contributor: r.Contributor, tokens: ix.searched(r, e)})
			examples = append(examples, e)
		}
	}
	if len(examples) > maxRecords {
		return nil, protocol.Errorf(protocol.KindInvalid, "records", "have %d examples, an index holds up to %d", len(examples), maxRecords)
	}
	d, err := newDiffer(model, adapter, cfg.MaxLength)
	if err != nil {
		return nil, err
	}

	ix.seed, ix.dim, ix.params = cfg.Seed, cfg.Dim, len(adapter.Flat)
	ix.vectors = make([]int16, len(examples)*cfg.Dim)
	p := make([]float64, cfg.Dim)
	for i, e := range examples {
		g, err := d.gradient(ctx, e.Prompt, e.Answer)
		if err != nil {
			return nil, fmt.Errorf("record %s: %w", ix.records[i].id, err)
		}
		sketch(p, ix.seed, g)
		quantise(ix.vector(i), p)
		cfg.Progress(i+1, len(examples))
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

// searched are the tokens of one more example that outputs are searched for: what
// another example of the record has already is not searched twice.
func (ix *Index) searched(r Record, e Example) []uint32 {
	text := e.Answer
	if r.Text != nil {
		text = r.Text
	}
	for _, b := range slices.Backward(ix.records) {
		if b.id != r.ID {
			break
		}
		if slices.Equal(b.tokens, text) {
			return nil
		}
	}
	return slices.Clone(text)
}
