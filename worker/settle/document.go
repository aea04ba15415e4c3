package settle

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
)

// Format names the document's layout and meaning; a new meaning is a new name.
const Format = "openledger/batch/1"

const (
	maxBlockBytes = 1 << 20 // a manifest or a part, so that bitswap carries it whole
	fillPart      = 768 << 10
	maxParts      = 4096
)

// Blocks keeps content-addressed blocks.
type Blocks interface {
	// Put stores a block durably and offers it to others. It returns the SHA2-256
	// digest.
	Put(ctx context.Context, data []byte) (protocol.Hash, error)
	// Get gives the block with a digest, from here or from the network.
	Get(ctx context.Context, digest protocol.Hash) ([]byte, error)
}

// AdapterParties are the parties of one adapter's access fees.
type AdapterParties struct {
	Adapter protocol.Hash    `json:"adapter"`
	Owner   protocol.Account `json:"owner"`
	Datanet uint64           `json:"datanet"`
	Pool    protocol.Account `json:"pool"`
	// Royalties are what the owner owes along the adapter's lineage; not there for an
	// adapter without parents that ask for any. A reader that does not know of them
	// refuses the document, so they need no new format.
	Royalties []payout.Royalty `json:"royalties,omitempty"`
}

func (a AdapterParties) equal(b AdapterParties) bool {
	return a.Adapter == b.Adapter && a.Owner == b.Owner && a.Datanet == b.Datanet && a.Pool == b.Pool && slices.Equal(a.Royalties, b.Royalties)
}

// AgentParties are whom one agent's markups are owed to.
type AgentParties struct {
	Agent uint64           `json:"agent"`
	Owner protocol.Account `json:"owner"`
}

// Manifest is the top of a batch document. Its SHA2-256 is the batch's data digest
// on the chain.
type Manifest struct {
	Format     string           `json:"format"`
	ChainID    uint64           `json:"chain_id"`
	Settlement protocol.Account `json:"settlement"`
	Worker     protocol.Account `json:"worker"`
	Nonce      uint64           `json:"nonce"`
	// Block is the block at which parties and parameters were read.
	Block    uint64           `json:"block"`
	Params   payout.Params    `json:"params"`
	Treasury protocol.Account `json:"treasury"`
	Payout   protocol.Account `json:"payout"` // of the worker
	Stakers  []payout.Stake   `json:"stakers"`
	Adapters []AdapterParties `json:"adapters"` // by digest
	// Agents are those whose markups are charged, by number; not there without any. As
	// with royalties, a reader that does not know of them refuses the document.
	Agents []AgentParties `json:"agents,omitempty"`
	// Datanets are those whose retrieval prices are charged, by number; the same holds.
	Datanets []payout.DatanetParty `json:"datanets,omitempty"`
	Receipts int                   `json:"receipts"`
	Parts    []protocol.Hash       `json:"parts"` // blocks of entries, in order
}

// Entry is one receipt with what its split depends on.
type Entry struct {
	Receipt     protocol.SignedReceipt `json:"receipt"`
	Attribution *protocol.Attribution  `json:"attribution,omitempty"` // with an access fee
}

// Document is a whole batch document. Entries are ordered by time, ties by ID.
type Document struct {
	Manifest Manifest
	Entries  []Entry
}

type part struct {
	Entries []Entry `json:"entries"`
}

// encode gives the blocks of a document, the manifest last. The same document
// always gives the same bytes: the fields are in a fixed order and there is no map.
func (d *Document) encode() (blocks [][]byte, err error) {
	d.Manifest.Receipts = len(d.Entries)
	d.Manifest.Parts = nil
	var buf bytes.Buffer
	flush := func() {
		if buf.Len() == 0 {
			return
		}
		buf.WriteString("]}")
		block := bytes.Clone(buf.Bytes())
		blocks = append(blocks, block)
		d.Manifest.Parts = append(d.Manifest.Parts, sha256.Sum256(block))
		buf.Reset()
	}
	for i := range d.Entries {
		one, err := json.Marshal(&d.Entries[i])
		if err != nil {
			return nil, fmt.Errorf("encode receipt %s: %w", d.Entries[i].Receipt.Receipt.ID, err)
		}
		if len(one) > maxBlockBytes-32 {
			return nil, protocol.Errorf(protocol.KindInvalid, "attribution", "of receipt %s takes %d bytes: it cannot be settled", d.Entries[i].Receipt.Receipt.ID, len(one))
		}
		if buf.Len() > 0 && buf.Len()+len(one) > fillPart {
			flush()
		}
		if buf.Len() == 0 {
			buf.WriteString(`{"entries":[`)
		} else {
			buf.WriteByte(',')
		}
		buf.Write(one)
	}
	flush()
	top, err := json.Marshal(&d.Manifest)
	if err != nil {
		return nil, fmt.Errorf("encode the manifest: %w", err)
	}
	if len(top) > maxBlockBytes {
		return nil, protocol.Errorf(protocol.KindInvalid, "stakers", "the manifest takes %d bytes with %d stakers and %d adapters: at most %d", len(top), len(d.Manifest.Stakers), len(d.Manifest.Adapters), maxBlockBytes)
	}
	return append(blocks, top), nil
}

// publish stores a document's blocks, the manifest last.
func (d *Document) publish(ctx context.Context, b Blocks) (manifest []byte, digest protocol.Hash, err error) {
	blocks, err := d.encode()
	if err != nil {
		return nil, protocol.Hash{}, err
	}
	for _, block := range blocks {
		want := protocol.Hash(sha256.Sum256(block))
		if digest, err = b.Put(ctx, block); err != nil {
			return nil, protocol.Hash{}, fmt.Errorf("publish the batch document: %w", err)
		}
		if digest != want {
			return nil, protocol.Hash{}, protocol.Errorf(protocol.KindInternal, "digest", "the block store gave %s for a block whose SHA2-256 is %s", digest, want)
		}
	}
	return blocks[len(blocks)-1], digest, nil
}

// PartsOf gives the blocks that a document's manifest names.
func PartsOf(manifest []byte) ([]protocol.Hash, error) {
	var m struct {
		Parts []protocol.Hash `json:"parts"`
	}
	if err := json.Unmarshal(manifest, &m); err != nil {
		return nil, protocol.Errorf(protocol.KindCorrupt, "document", "it is not a batch document's manifest: %w", err)
	}
	return m.Parts, nil
}

// Load fetches a batch document by its data digest and checks its blocks and form.
func Load(ctx context.Context, b Blocks, digest protocol.Hash) (*Document, error) {
	var d Document
	if err := fetch(ctx, b, digest, &d.Manifest); err != nil {
		return nil, fmt.Errorf("batch document %s: %w", digest, err)
	}
	m := &d.Manifest
	if m.Format != Format {
		return nil, protocol.Errorf(protocol.KindInvalid, "format", "is %q: this version reads %q", m.Format, Format)
	}
	if len(m.Parts) > maxParts {
		return nil, protocol.Errorf(protocol.KindInvalid, "parts", "are %d: at most %d", len(m.Parts), maxParts)
	}
	for i, h := range m.Parts {
		var p part
		if err := fetch(ctx, b, h, &p); err != nil {
			return nil, fmt.Errorf("part %d of batch document %s: %w", i, digest, err)
		}
		d.Entries = append(d.Entries, p.Entries...)
	}
	if len(d.Entries) != m.Receipts {
		return nil, protocol.Errorf(protocol.KindCorrupt, "receipts", "the manifest says %d, the parts hold %d", m.Receipts, len(d.Entries))
	}
	return &d, nil
}

func fetch(ctx context.Context, b Blocks, digest protocol.Hash, into any) error {
	data, err := b.Get(ctx, digest)
	if err != nil {
		return err
	}
	if got := protocol.Hash(sha256.Sum256(data)); got != digest {
		return protocol.Errorf(protocol.KindCorrupt, "digest", "got a block with digest %s", got)
	}
	return decode(data, into)
}

// decode parses one foreign block strictly.
func decode(data []byte, into any) error {
	if len(data) > maxBlockBytes {
		return protocol.Errorf(protocol.KindInvalid, "block", "has %d bytes: at most %d", len(data), maxBlockBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return protocol.Errorf(protocol.KindInvalid, "block", "is no part of a batch document: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return protocol.Errorf(protocol.KindInvalid, "block", "has bytes after its end")
	}
	return nil
}

// Checks are what a reader of a foreign document verifies beyond the arithmetic. A
// nil check is left out.
type Checks struct {
	// Receipt verifies a receipt's signature.
	Receipt func(protocol.SignedReceipt) error
	// AttributionRoot is the digest of an attribution, compared with the receipt's.
	AttributionRoot func(protocol.Attribution) (protocol.Hash, error)
}

// Result is what a batch document comes to.
type Result struct {
	Document *Document
	Root     protocol.Hash
	Total    uint256.Int
	Payouts  []payout.Payout  // the leaves, by account
	Shares   [][]payout.Share // of each entry
	tree     *payout.Tree
}

// Compute splits every receipt's fee and builds the tree.
func Compute(d *Document, checks Checks) (*Result, error) {
	r := &Result{Document: d}
	m := &d.Manifest
	splitter, err := payout.NewSplitter(m.Params, m.Stakers)
	if err != nil {
		return nil, err
	}
	r.Shares = make([][]payout.Share, 0, len(d.Entries))
	var sums payout.Aggregator
	for i := range d.Entries {
		e := &d.Entries[i]
		if i > 0 && order(&d.Entries[i-1], e) >= 0 {
			return nil, protocol.Errorf(protocol.KindInvalid, "entries", "receipt %s is out of order or listed twice", e.Receipt.Receipt.ID)
		}
		shares, err := m.split(splitter, e, checks)
		if err != nil {
			return nil, fmt.Errorf("receipt %s: %w", e.Receipt.Receipt.ID, err)
		}
		r.Shares = append(r.Shares, shares)
		if err := sums.Add(shares); err != nil {
			return nil, err
		}
	}
	if err := unique(d.Entries); err != nil {
		return nil, err
	}
	r.Payouts = sums.Payouts()
	if r.tree, err = payout.NewTree(r.Payouts); err != nil {
		return nil, err
	}
	root := r.tree.Root()
	r.Root, r.Total = root.Hash, root.Sum
	return r, nil
}

func order(a, b *Entry) int {
	x, y := &a.Receipt.Receipt, &b.Receipt.Receipt
	if x.FinishedAt != y.FinishedAt {
		if x.FinishedAt < y.FinishedAt {
			return -1
		}
		return 1
	}
	return bytes.Compare(x.ID[:], y.ID[:])
}

func unique(entries []Entry) error {
	seen := make(map[protocol.Hash]struct{}, len(entries))
	for i := range entries {
		id := entries[i].Receipt.Receipt.ID
		if _, twice := seen[id]; twice {
			return protocol.Errorf(protocol.KindInvalid, "entries", "job %s is charged twice", id)
		}
		seen[id] = struct{}{}
	}
	return nil
}

// split divides one receipt's fee among the manifest's parties.
func (m *Manifest) split(splitter *payout.Splitter, e *Entry, checks Checks) ([]payout.Share, error) {
	r := &e.Receipt.Receipt
	if r.Worker != m.Worker {
		return nil, protocol.Errorf(protocol.KindInvalid, "worker", "is %s, the batch is of %s", r.Worker, m.Worker)
	}
	if checks.Receipt != nil {
		if err := checks.Receipt(e.Receipt); err != nil {
			return nil, err
		}
	}
	parties := payout.Parties{Treasury: m.Treasury, WorkerPayout: m.Payout}
	var att protocol.Attribution
	if !r.Access.IsZero() {
		if e.Attribution == nil {
			return nil, protocol.Errorf(protocol.KindInvalid, "attribution", "is missing though there is an access fee")
		}
		att = *e.Attribution
		if read, ok := att.RetrievalPrice(); !ok || read != r.Access { // else all of it is the datanets'
			a, ok := m.adapter(r.Adapter)
			if !ok {
				return nil, protocol.Errorf(protocol.KindInvalid, "adapters", "do not list adapter %s", r.Adapter)
			}
			if a.Datanet != r.Datanet {
				return nil, protocol.Errorf(protocol.KindInvalid, "datanet", "is %d, adapter %s was trained on %d", r.Datanet, r.Adapter, a.Datanet)
			}
			parties.ModelOwner, parties.Pool, parties.Royalties = a.Owner, a.Pool, a.Royalties
		}
		parties.Datanets = m.Datanets
		if checks.AttributionRoot != nil {
			root, err := checks.AttributionRoot(att)
			if err != nil {
				return nil, err
			}
			if root != r.AttributionRoot {
				return nil, protocol.Errorf(protocol.KindCorrupt, "attribution", "has the digest %s, the receipt commits to %s", root, r.AttributionRoot)
			}
		}
	}
	if !r.Markup.IsZero() {
		a, ok := m.agent(r.Agent)
		if !ok {
			return nil, protocol.Errorf(protocol.KindInvalid, "agents", "do not list agent %d", r.Agent)
		}
		parties.AgentOwner = a.Owner
	}
	return splitter.Split(r.Fee(), parties, att)
}

func (m *Manifest) agent(id uint64) (AgentParties, bool) {
	i, ok := slices.BinarySearchFunc(m.Agents, id, func(a AgentParties, id uint64) int { return cmp.Compare(a.Agent, id) })
	if !ok {
		return AgentParties{}, false
	}
	return m.Agents[i], true
}

func (m *Manifest) adapter(h protocol.Hash) (AdapterParties, bool) {
	i, ok := slices.BinarySearchFunc(m.Adapters, h, func(a AdapterParties, h protocol.Hash) int { return a.Adapter.Cmp(h) })
	if !ok {
		return AdapterParties{}, false
	}
	return m.Adapters[i], true
}

// Recompute fetches a batch document and works out its root and payouts.
func Recompute(ctx context.Context, b Blocks, digest protocol.Hash, checks Checks) (*Result, error) {
	d, err := Load(ctx, b, digest)
	if err != nil {
		return nil, err
	}
	return Compute(d, checks)
}

// Claim builds the claim of an account, if the batch pays it anything.
func (r *Result) Claim(a protocol.Account) (chain.Claim, bool, error) {
	i, ok := r.tree.Find(a)
	if !ok {
		return chain.Claim{}, false, nil
	}
	proof, err := r.tree.Proof(i)
	if err != nil {
		return chain.Claim{}, false, err
	}
	c := chain.Claim{
		Worker: r.Document.Manifest.Worker, Nonce: r.Document.Manifest.Nonce,
		Index: uint32(i), Account: a, Amount: r.Payouts[i].Amount,
		Proof: make([]chain.Sibling, len(proof.Siblings)),
	}
	for j, s := range proof.Siblings {
		c.Proof[j] = chain.Sibling{Hash: s.Hash, Sum: s.Sum}
	}
	return c, true, nil
}
