package epoch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
	"github.com/openledger/openledger/worker/settle"
)

// Format names the document's layout and meaning; a new meaning is a new name.
const Format = "openledger/epoch/1"

const (
	maxBlockBytes = 1 << 20 // so that bitswap carries it whole
	fillPart      = 768 << 10
	maxParts      = 15_000 // what fits in a manifest; about 100 million accounts
)

// Manifest is the top of an epoch document. Its SHA2-256 is the digest on the chain.
type Manifest struct {
	Format      string           `json:"format"`
	ChainID     uint64           `json:"chain_id"`
	Distributor protocol.Account `json:"distributor"`
	Epoch       uint32           `json:"epoch"`
	// Previous is the finalised epoch that this one adds to, and its document. 0: none.
	Previous         uint32        `json:"previous"`
	PreviousDocument protocol.Hash `json:"previous_document"`
	Root             protocol.Hash `json:"root"`
	Amount           uint256.Int   `json:"amount"`     // of this epoch's batches
	Cumulative       uint256.Int   `json:"cumulative"` // of all epochs
	Batches          int           `json:"batches"`
	Accounts         int           `json:"accounts"`
	// Parts are blocks, in order: first of batches, then of accounts.
	Parts []protocol.Hash `json:"parts"`
}

// Batch is a batch of the epoch, the document that its leaves are in, and what it had
// left.
type Batch struct {
	Worker    protocol.Account `json:"worker"`
	Nonce     uint64           `json:"nonce"`
	Document  protocol.Hash    `json:"document"` // digest
	Remainder uint256.Int      `json:"remainder"`
}

// Document is a whole epoch document. Batches are ordered by worker and nonce, Payouts
// (what each account is owed by all epochs up to this one) by account.
type Document struct {
	Manifest Manifest
	Batches  []Batch
	Payouts  []payout.Payout
}

type part struct {
	Batches []Batch         `json:"batches,omitempty"`
	Payouts []payout.Payout `json:"payouts,omitempty"`
}

// encode gives the blocks of a document, the manifest last. The same document always
// gives the same bytes.
func (d *Document) encode() ([][]byte, error) {
	d.Manifest.Batches, d.Manifest.Accounts, d.Manifest.Parts = len(d.Batches), len(d.Payouts), nil
	w := partWriter{}
	for i := range d.Batches {
		w.add("batches", &d.Batches[i])
	}
	w.flush()
	for i := range d.Payouts {
		w.add("payouts", &d.Payouts[i])
	}
	w.flush()
	if w.err != nil {
		return nil, fmt.Errorf("encode the document of epoch %d: %w", d.Manifest.Epoch, w.err)
	}
	for _, block := range w.blocks {
		d.Manifest.Parts = append(d.Manifest.Parts, sha256.Sum256(block))
	}
	top, err := json.Marshal(&d.Manifest)
	if err != nil {
		return nil, fmt.Errorf("encode the manifest of epoch %d: %w", d.Manifest.Epoch, err)
	}
	if len(top) > maxBlockBytes || len(d.Manifest.Parts) > maxParts {
		return nil, protocol.Errorf(protocol.KindInvalid, "parts", "are %d: an epoch document has at most %d", len(d.Manifest.Parts), maxParts)
	}
	return append(w.blocks, top), nil
}

// partWriter fills parts with items of one kind.
type partWriter struct {
	buf    bytes.Buffer
	blocks [][]byte
	err    error
}

func (w *partWriter) add(kind string, item any) {
	one, err := json.Marshal(item)
	if err != nil {
		w.err = err
		return
	}
	if w.buf.Len() > 0 && w.buf.Len()+len(one) > fillPart {
		w.flush()
	}
	if w.buf.Len() == 0 {
		fmt.Fprintf(&w.buf, `{%q:[`, kind)
	} else {
		w.buf.WriteByte(',')
	}
	w.buf.Write(one)
}

func (w *partWriter) flush() {
	if w.buf.Len() == 0 {
		return
	}
	w.buf.WriteString("]}")
	w.blocks = append(w.blocks, bytes.Clone(w.buf.Bytes()))
	w.buf.Reset()
}

// Publish stores a document's blocks, the manifest last, and gives its digest.
func (d *Document) Publish(ctx context.Context, b settle.Blocks) (digest protocol.Hash, err error) {
	blocks, err := d.encode()
	if err != nil {
		return protocol.Hash{}, err
	}
	for _, block := range blocks {
		want := protocol.Hash(sha256.Sum256(block))
		if digest, err = b.Put(ctx, block); err != nil {
			return protocol.Hash{}, fmt.Errorf("publish the document of epoch %d: %w", d.Manifest.Epoch, err)
		}
		if digest != want {
			return protocol.Hash{}, protocol.Errorf(protocol.KindInternal, "digest", "the block store gave %s for a block whose SHA2-256 is %s", digest, want)
		}
	}
	return digest, nil
}

// Digest is what Publish gives, without storing anything.
func (d *Document) Digest() (protocol.Hash, error) {
	blocks, err := d.encode()
	if err != nil {
		return protocol.Hash{}, err
	}
	return sha256.Sum256(blocks[len(blocks)-1]), nil
}

// Load fetches an epoch document by its digest and checks its blocks and form, that its
// amounts add up and that its payouts come to its root.
func Load(ctx context.Context, b settle.Blocks, digest protocol.Hash) (*Document, *payout.CumulativeTree, error) {
	var d Document
	if err := settle.Fetch(ctx, b, digest, &d.Manifest); err != nil {
		return nil, nil, fmt.Errorf("epoch document %s: %w", digest, err)
	}
	m := &d.Manifest
	if m.Format != Format {
		return nil, nil, protocol.Errorf(protocol.KindInvalid, "format", "is %q: this version reads %q", m.Format, Format)
	}
	if len(m.Parts) > maxParts {
		return nil, nil, protocol.Errorf(protocol.KindInvalid, "parts", "are %d: at most %d", len(m.Parts), maxParts)
	}
	for i, h := range m.Parts {
		var p part
		if err := settle.Fetch(ctx, b, h, &p); err != nil {
			return nil, nil, fmt.Errorf("part %d of epoch document %s: %w", i, digest, err)
		}
		d.Batches, d.Payouts = append(d.Batches, p.Batches...), append(d.Payouts, p.Payouts...)
	}
	if len(d.Batches) != m.Batches || len(d.Payouts) != m.Accounts {
		return nil, nil, protocol.Errorf(protocol.KindCorrupt, "accounts", "the manifest says %d batches and %d accounts, the parts hold %d and %d",
			m.Batches, m.Accounts, len(d.Batches), len(d.Payouts))
	}
	tree, err := payout.NewCumulativeTree(d.Payouts)
	if err != nil {
		return nil, nil, fmt.Errorf("epoch document %s: %w", digest, err)
	}
	if total := tree.Total(); tree.Root() != m.Root || !total.Eq(&m.Cumulative) {
		return nil, nil, protocol.Errorf(protocol.KindCorrupt, "root", "epoch document %s says %s with %s wei, its accounts come to %s with %s",
			digest, m.Root, m.Cumulative.Dec(), tree.Root(), total.Dec())
	}
	return &d, tree, nil
}

// MarshalJSON writes the amounts as decimal strings, also by value.
func (m Manifest) MarshalJSON() ([]byte, error) {
	type plain Manifest
	return json.Marshal((*plain)(&m))
}

// MarshalJSON writes the remainder as a decimal string, also by value.
func (b Batch) MarshalJSON() ([]byte, error) {
	type plain Batch
	return json.Marshal((*plain)(&b))
}

// Ref names the batch.
func (b *Batch) Ref() chain.BatchRef { return chain.BatchRef{Worker: b.Worker, Nonce: b.Nonce} }
