package coordinator

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/coordinator/retrieval"
	"github.com/openledger/openledger/protocol"
)

const (
	// embeddedBytes is how much of a record its vector is made of: no more tokens than
	// that, which any model's context holds.
	embeddedBytes = 1000
	// embedBatch is how many records one job embeds.
	embedBatch = 32
)

// embeddings are the orders to embed versions.
type embeddings struct {
	mu     sync.Mutex
	orders map[[2]uint64]*embeddingOrder // by datanet and version
}

type embeddingOrder struct {
	running bool
	fee     amount
	err     error
}

// cut is the beginning of a text that is embedded.
func cut(text string) string {
	if len(text) <= embeddedBytes {
		return text
	}
	text = text[:embeddedBytes]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text
}

// embedded is the text that a record's vector is made of.
func embedded(d *retrieval.Document) string { return cut(d.Title + "\n" + d.Text) }

// readVectors looks up the vectors that are here.
func (c *Coordinator) readVectors(o *opened) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.vectors, o.missing = make([][]float32, len(o.index.Documents)), 0
	for i := range o.vectors {
		v, ok, err := c.book.Vector(c.vectorKey(&o.index.Documents[i]))
		if err != nil {
			return err
		}
		if o.vectors[i] = v; !ok {
			o.missing++
		}
	}
	return nil
}

// known are a version's vectors, and how many of them are missing.
func (o *opened) known() ([][]float32, int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.vectors), o.missing
}

// EmbedVersion has workers make the vectors that a version lacks. Whoever orders it pays:
// usually the datanet's owner, but anybody may.
func (c *Coordinator) EmbedVersion(ctx context.Context, by api.Caller, id uint64, version uint32) (api.EmbeddingStatus, error) {
	running, err := c.started()
	if err != nil {
		return api.EmbeddingStatus{}, err
	}
	o, err := c.open(ctx, id, version)
	if err != nil {
		return api.EmbeddingStatus{}, err
	}
	e := &c.library.embedding
	e.mu.Lock()
	defer e.mu.Unlock()
	key := [2]uint64{o.Datanet, uint64(o.Number)}
	if order := e.orders[key]; order == nil || !order.running {
		if _, missing := o.known(); missing > 0 {
			if e.orders == nil {
				e.orders = map[[2]uint64]*embeddingOrder{}
			}
			order := &embeddingOrder{running: true}
			e.orders[key] = order
			c.tasks.Go(func() error {
				err := c.embedAll(running, by, o, order)
				e.mu.Lock()
				defer e.mu.Unlock()
				order.running, order.err = false, err
				if err != nil {
					c.log.Warn("records not embedded", "datanet", o.Datanet, "version", o.Number, "err", err)
				}
				return nil
			})
		}
	}
	return e.status(o), nil
}

// EmbeddingStatus says how far a version's vectors are.
func (c *Coordinator) EmbeddingStatus(ctx context.Context, id uint64, version uint32) (api.EmbeddingStatus, error) {
	o, err := c.open(ctx, id, version)
	if err != nil {
		return api.EmbeddingStatus{}, err
	}
	c.library.embedding.mu.Lock()
	defer c.library.embedding.mu.Unlock()
	return c.library.embedding.status(o), nil
}

// status is that of the newest order; e.mu is held.
func (e *embeddings) status(o *opened) api.EmbeddingStatus {
	vectors, missing := o.known()
	s := api.EmbeddingStatus{Datanet: o.Datanet, Version: o.Number, Algorithm: protocol.EmbeddingAlgorithm, Records: len(vectors), Embedded: len(vectors) - missing}
	if order := e.orders[[2]uint64{o.Datanet, uint64(o.Number)}]; order != nil {
		s.Running, s.Fee = order.running, order.fee
		if order.err != nil {
			s.Error = order.err.Error()
		}
	}
	return s
}

// embedAll embeds what is missing, job by job. What one job made is kept: another order
// goes on after it, and a new version pays only for its new records.
func (c *Coordinator) embedAll(ctx context.Context, by api.Caller, o *opened, order *embeddingOrder) error {
	for {
		vectors, missing := o.known()
		if missing == 0 {
			return nil
		}
		job := &protocol.EmbeddingJob{Algorithm: protocol.EmbeddingAlgorithm}
		var keys []protocol.Hash
		for i, v := range vectors {
			if v == nil && len(keys) < embedBatch {
				job.Inputs = append(job.Inputs, protocol.EmbeddingInput{Text: embedded(&o.index.Documents[i])})
				keys = append(keys, c.vectorKey(&o.index.Documents[i]))
			}
		}
		var id protocol.Hash
		if _, err := rand.Read(id[:]); err != nil {
			return err
		}
		a, err := c.Infer(ctx, by, api.Request{ID: id, Model: c.cfg.Base.Hex(), Embedding: job}, func(api.Delta) error { return nil })
		if err != nil {
			return err
		}
		width := len(a.Vectors) / len(keys)
		if width == 0 || width*len(keys) != len(a.Vectors) {
			return fmt.Errorf("%d numbers came for %d records", len(a.Vectors), len(keys))
		}
		made := make([][]float32, len(keys))
		for i := range made {
			made[i] = a.Vectors[i*width : (i+1)*width]
		}
		if err := c.book.AddVectors(keys, made); err != nil {
			return err
		}
		fee := a.Receipt.Receipt.Fee().Total()
		c.library.embedding.mu.Lock()
		order.fee = add(order.fee, fee)
		c.library.embedding.mu.Unlock()
		if err := c.readVectors(o); err != nil {
			return err
		}
	}
}
