package validator

import (
	"context"
	"errors"
	"fmt"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/events"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/audit"
	"github.com/openledger/openledger/worker/settle"
)

// Blocks are content-addressed blocks. Get fetches from the network what is not here
// and keeps it; an error of kind unavailable means that nobody gave it.
type Blocks interface {
	Put(ctx context.Context, data []byte) (protocol.Hash, error)
	Get(ctx context.Context, digest protocol.Hash) ([]byte, error)
}

// Adapters opens registered adapters.
type Adapters interface {
	Open(ctx context.Context, id protocol.CID) (*adapter.Adapter, error)
}

// Seen says which earlier batch of a worker charged a receipt.
type Seen interface {
	// Charged gives the batches before a nonce that hold a receipt.
	Charged(worker protocol.Account, receipt protocol.Hash, before uint64) ([]Place, error)
	// Note remembers which receipts a batch holds.
	Note(worker protocol.Account, at Place, receipts []protocol.Hash) error
}

// Place is a worker's batch.
type Place struct {
	Nonce      uint64        `json:"nonce"`
	DataDigest protocol.Hash `json:"data_digest"`
}

// Judge decides about batches. It is safe for concurrent use.
type Judge struct {
	Chain    *chain.Client
	Index    *events.Index
	Blocks   Blocks
	Auditor  audit.Auditor
	Adapters Adapters
	Seen     Seen
}

// Choose names the places of the receipts to run again, of n.
type Choose func(ids []protocol.Hash) []int

// Target is a batch on the chain and where it came to it.
type Target struct {
	chain.Batch
	Block uint64
}

// Find looks a batch up.
func (j *Judge) Find(ctx context.Context, worker protocol.Account, nonce uint64) (Target, error) {
	var t Target
	found := false
	err := j.Index.EachOf(chain.BatchSubmittedEvent, chain.Topic(worker), func(e chain.Event) error {
		if e.Batch != nil && e.Batch.Nonce == nonce {
			t.Tx, t.Block, found = e.Tx, e.Block, true
		}
		return nil
	})
	if err != nil {
		return t, err
	}
	if !found {
		return t, protocol.Errorf(protocol.KindNotFound, "nonce", "worker %s has no batch %d", worker, nonce)
	}
	tx := t.Tx
	t.Batch, err = j.Chain.Batch(ctx, worker, nonce)
	t.Tx = tx
	return t, err
}

// Batch judges a batch that is on the chain. An error means that it could not be judged
// now; see [MissingError].
func (j *Judge) Batch(ctx context.Context, b Target, choose Choose) (Finding, error) {
	f := Finding{Worker: b.Worker, Nonce: b.Nonce, DataDigest: b.DataDigest}
	err := j.judge(ctx, b, choose, &f)
	var bad *fault
	if errors.As(err, &bad) {
		f.Guilty, f.Reason, f.Receipt, f.Detail = true, bad.reason, bad.receipt, bad.detail
		return f, nil
	}
	return f, err
}

func (j *Judge) judge(ctx context.Context, b Target, choose Choose, f *Finding) error {
	d, err := j.load(ctx, b.DataDigest)
	if err != nil {
		return err
	}
	f.Receipts = len(d.Entries)
	if err := j.origin(b, d); err != nil {
		return err
	}
	ids := make([]protocol.Hash, len(d.Entries))
	for i := range d.Entries {
		ids[i] = d.Entries[i].Receipt.Receipt.ID
	}
	if err := j.Seen.Note(b.Worker, Place{b.Nonce, b.DataDigest}, ids); err != nil {
		return err
	}
	if err := j.signatures(ctx, b, d); err != nil {
		return err
	}
	if err := j.lineage(ctx, d); err != nil {
		return err
	}
	if err := j.agents(ctx, d); err != nil {
		return err
	}
	if err := j.arithmetic(ctx, b, d); err != nil {
		return err
	}
	for _, i := range choose(ids) {
		if err := j.receipt(ctx, &d.Entries[i], f); err != nil {
			return err
		}
	}
	return nil
}

// load fetches the document. What its worker wrote wrongly is its fault; what nobody
// gives is missing.
func (j *Judge) load(ctx context.Context, digest protocol.Hash) (*settle.Document, error) {
	watched := &fetched{Blocks: j.Blocks, what: "block of the batch document"}
	d, err := settle.Load(ctx, watched, digest)
	switch {
	case err == nil:
		return d, nil
	case watched.err != nil:
		return nil, watched.err
	case ctx.Err() != nil:
		return nil, err
	}
	return nil, faultf(arithmetic, protocol.Hash{}, "%v", err)
}

// fetched tells failures to fetch from wrong content.
type fetched struct {
	Blocks
	what    string
	receipt protocol.Hash
	err     error
}

func (f *fetched) Get(ctx context.Context, digest protocol.Hash) ([]byte, error) {
	b, err := f.Blocks.Get(ctx, digest)
	if err != nil {
		f.err = missing(ctx, f.what, digest, f.receipt, err)
		return nil, f.err
	}
	return b, nil
}

// missing makes an error of a failed fetch: only what the network did not give counts
// as missing, and nothing while we are ending ourselves.
func missing(ctx context.Context, what string, digest, receipt protocol.Hash, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch protocol.KindOf(err) {
	case protocol.KindUnavailable, protocol.KindNotFound, protocol.KindDeadline:
	default:
		if !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("%s %s: %w", what, digest, err)
		}
	}
	return &MissingError{What: what, Digest: digest, Receipt: receipt, Err: err}
}

// origin checks that the document is that of this batch.
func (j *Judge) origin(b Target, d *settle.Document) error {
	m := &d.Manifest
	switch {
	case m.ChainID != j.Chain.ChainID() || m.Settlement != j.Chain.Addresses().Settlement:
		return faultf(arithmetic, protocol.Hash{}, "the document is of chain %d and settlement %s", m.ChainID, m.Settlement)
	case m.Worker != b.Worker || m.Nonce != b.Nonce:
		return faultf(arithmetic, protocol.Hash{}, "the document is of batch %d of worker %s", m.Nonce, m.Worker)
	case len(d.Entries) == 0:
		return faultf(arithmetic, protocol.Hash{}, "the document has no receipts")
	}
	return nil
}

// signatures checks who signed the receipts, and that each is charged once.
func (j *Judge) signatures(ctx context.Context, b Target, d *settle.Document) error {
	keys, err := j.nodeKeys(b.Worker)
	if err != nil {
		return err
	}
	domain := wire.Domain{ChainID: j.Chain.ChainID(), Contract: j.Chain.Addresses().Settlement}
	here := make(map[protocol.Hash]bool, len(d.Entries))
	for i := range d.Entries {
		s := d.Entries[i].Receipt
		id := s.Receipt.ID
		if s.Receipt.Worker != b.Worker {
			return faultf(signature, id, "it is of worker %s", s.Receipt.Worker)
		}
		if !keys[s.NodeKey] {
			return faultf(signature, id, "it is signed by %s, which was never a node key of the worker", s.NodeKey)
		}
		if err := wire.VerifyReceipt(domain, s); err != nil {
			return faultf(signature, id, "%v", err)
		}
		if here[id] {
			return faultf(signature, id, "it is charged twice in this batch")
		}
		here[id] = true
		before, err := j.Seen.Charged(b.Worker, id, b.Nonce)
		if err != nil {
			return err
		}
		for _, c := range before {
			paid, err := j.paid(ctx, b.Worker, c)
			if err != nil {
				return err
			}
			if paid {
				return faultf(signature, id, "it was charged in batch %d already", c.Nonce)
			}
		}
	}
	return nil
}

// paid says whether an earlier batch is on the chain and was not rejected.
func (j *Judge) paid(ctx context.Context, worker protocol.Account, c Place) (bool, error) {
	b, err := j.Chain.Batch(ctx, worker, c.Nonce)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return false, nil
	}
	return err == nil && b.DataDigest == c.DataDigest && b.Status != chain.BatchRejected, err
}

// nodeKeys are all keys that a worker ever registered: a receipt may be older than the
// newest.
func (j *Judge) nodeKeys(worker protocol.Account) (map[protocol.Account]bool, error) {
	keys := map[protocol.Account]bool{}
	err := j.Index.EachOf(chain.RegisteredEvent, chain.Topic(worker), func(e chain.Event) error {
		if e.Worker != nil {
			keys[e.Worker.NodeKey] = true
		}
		return nil
	})
	return keys, err
}

// lineage compares the receipts' adapters with the registry, and what they charge for
// them with the prices that their owners set.
func (j *Judge) lineage(ctx context.Context, d *settle.Document) error {
	known := map[protocol.Hash]chain.Adapter{}
	for i := range d.Entries {
		r := &d.Entries[i].Receipt.Receipt
		var read uint256.Int // what the datanets that were read ask, of the access fee
		if at := d.Entries[i].Attribution; at != nil {
			root, err := wire.AttributionRoot(*at)
			if err != nil {
				return faultf(attribution, r.ID, "%v", err)
			}
			if root != r.AttributionRoot {
				return faultf(attribution, r.ID, "the document's attribution is not the one that the receipt commits to")
			}
			read, _ = at.RetrievalPrice() // more than 256 bits is never the access fee
		}
		if r.Adapter == (protocol.Hash{}) {
			if r.Datanet != 0 || r.DatanetRoot != (protocol.Hash{}) {
				return faultf(lineage, r.ID, "the bare base has no datanet, the receipt names %d", r.Datanet)
			}
			if r.Access != read {
				return faultf(charge, r.ID, "the bare base costs no access fee beyond the %s wei of datanets that were read, the receipt charges %s wei", read.Dec(), r.Access.Dec())
			}
			continue
		}
		a, ok := known[r.Adapter]
		if !ok {
			var err error
			a, err = j.Chain.Adapter(ctx, r.Adapter)
			if protocol.KindOf(err) == protocol.KindNotFound {
				return faultf(lineage, r.ID, "the registry has no adapter %s", r.Adapter)
			}
			if err != nil {
				return err
			}
			known[r.Adapter] = a
		}
		switch {
		case r.Base != a.Base:
			return faultf(lineage, r.ID, "adapter %s is of base %s, the receipt names %s", r.Adapter, a.Base, r.Base)
		case r.Datanet != a.Datanet || r.DatanetRoot != a.DatanetRoot:
			return faultf(lineage, r.ID, "adapter %s was trained on version %s of datanet %d, the receipt names %s of %d", r.Adapter, a.DatanetRoot, a.Datanet, r.DatanetRoot, r.Datanet)
		}
	}
	return nil
}

// agents compares the receipts' agents with the registry, and their markups with the
// prices of the versions that were asked: a version and its price never change.
func (j *Judge) agents(ctx context.Context, d *settle.Document) error {
	type version struct {
		agent  uint64
		number uint32
	}
	known := map[version]chain.AgentVersion{}
	for i := range d.Entries {
		r := &d.Entries[i].Receipt.Receipt
		if r.Agent == 0 {
			if r.AgentVersion != 0 || !r.Markup.IsZero() {
				return faultf(charge, r.ID, "no agent was asked, the receipt charges a markup of %s wei for version %d", r.Markup.Dec(), r.AgentVersion)
			}
			continue
		}
		key := version{r.Agent, r.AgentVersion}
		v, ok := known[key]
		if !ok {
			var err error
			v, err = j.Chain.AgentVersion(ctx, r.Agent, r.AgentVersion)
			if protocol.KindOf(err) == protocol.KindNotFound {
				return faultf(lineage, r.ID, "the registry has no version %d of agent %d", r.AgentVersion, r.Agent)
			}
			if err != nil {
				return err
			}
			known[key] = v
		}
		if r.Markup != v.Price {
			return faultf(charge, r.ID, "version %d of agent %d costs %s wei, the receipt charges %s", r.AgentVersion, r.Agent, v.Price.Dec(), r.Markup.Dec())
		}
	}
	return nil
}

// arithmetic splits every fee again, builds the tree, and compares parties, root, total
// and what was drawn.
func (j *Judge) arithmetic(ctx context.Context, b Target, d *settle.Document) error {
	r, err := settle.Compute(d, settle.Checks{AttributionRoot: wire.AttributionRoot})
	if err != nil {
		return faultf(arithmetic, protocol.Hash{}, "%v", err)
	}
	draws, err := j.Chain.DrawsOf(ctx, b.Worker, b.Tx)
	if err != nil {
		return err
	}
	if d.Manifest.Block > b.Block {
		return faultf(arithmetic, protocol.Hash{}, "its parties are those of block %d, after its own block %d", d.Manifest.Block, b.Block)
	}
	switch err := settle.Audit(ctx, j.Chain, r); {
	case err == nil:
	case protocol.KindOf(err) == protocol.KindCorrupt || protocol.KindOf(err) == protocol.KindNotFound:
		return faultf(arithmetic, protocol.Hash{}, "%v", err)
	default:
		return err
	}
	owed := map[protocol.Account]uint256.Int{}
	for i := range d.Entries {
		receipt := &d.Entries[i].Receipt.Receipt
		sum, fee := owed[receipt.Requester], receipt.Fee().Total()
		sum.Add(&sum, &fee)
		owed[receipt.Requester] = sum
	}
	for _, x := range draws {
		if want := owed[x.Requester]; !want.Eq(&x.Amount) {
			return faultf(arithmetic, protocol.Hash{}, "transaction %s drew %s wei from %s, its receipts come to %s", b.Tx, x.Amount.Dec(), x.Requester, want.Dec())
		}
		delete(owed, x.Requester)
	}
	for who, amount := range owed {
		return faultf(arithmetic, protocol.Hash{}, "nothing was drawn from %s, its receipts come to %s wei", who, amount.Dec())
	}
	return nil
}
