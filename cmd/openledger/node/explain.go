package node

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/datanet"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/engine/tokenizer"
	"github.com/openledger/openledger/worker/engine/weights"
	"github.com/openledger/openledger/worker/settle"
)

// explainer answers what needs more than a coordinator knows: tokens, and the model.
type explainer struct {
	coord  *coordinator.Coordinator
	client *chain.Client
	ipfs   *ipfs.Node
	path   string        // of the base model, as OpenBase has it
	base   protocol.Hash // that the coordinator serves
	claims *settle.Claims

	mu     sync.Mutex
	bundle *weights.Bundle // opened at first use

	turn    chan struct{} // who runs an answer again
	waiting chan struct{} // with those who wait for it
}

const (
	shownRecords  = 20 // whose content an explanation has
	recordTimeout = 5 * time.Second
	verifyQueue   = 4
	verifyTimeout = 5 * time.Minute
	keptBatches   = 64
)

// coordinatorBlocks reads content through a coordinator, which keeps what it fetches.
type coordinatorBlocks struct{ *coordinator.Coordinator }

// Put stores nothing: who explains does not settle.
func (coordinatorBlocks) Put(context.Context, []byte) (protocol.Hash, error) {
	return protocol.Hash{}, protocol.Errorf(protocol.KindInvalid, "", "this reader of batches stores nothing")
}

// Get fetches a block.
func (b coordinatorBlocks) Get(ctx context.Context, digest protocol.Hash) ([]byte, error) {
	return b.Block(ctx, digest)
}

func newExplainer(c *coordinator.Coordinator, client *chain.Client, content *ipfs.Node, path string, base protocol.Hash) *explainer {
	domain := wire.Domain{ChainID: client.ChainID(), Contract: client.Addresses().Settlement}
	return &explainer{coord: c, client: client, ipfs: content, path: path, base: base,
		turn: make(chan struct{}, 1), waiting: make(chan struct{}, verifyQueue+1),
		claims: &settle.Claims{Chain: client, Blocks: coordinatorBlocks{c}, Keep: keptBatches, Checks: settle.Checks{
			Receipt:         func(r protocol.SignedReceipt) error { return wire.VerifyReceipt(domain, r) },
			AttributionRoot: wire.AttributionRoot,
		}}}
}

func (x *explainer) close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.bundle == nil {
		return nil
	}
	return x.bundle.Close()
}

// tokenizer is the base's.
func (x *explainer) tokenizer() (*tokenizer.Tokenizer, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.bundle == nil {
		b, err := OpenBase(x.path)
		if err != nil {
			return nil, err
		}
		if b.Hash != x.base {
			return nil, errors.Join(x.otherBase(b.Hash), b.Close())
		}
		x.bundle = b
	}
	return x.bundle.Tokenizer, nil
}

func (x *explainer) otherBase(have protocol.Hash) error {
	return protocol.Errorf(protocol.KindUnavailable, "base", "this coordinator serves %s but has the files of %s: its operator gives it the right ones with --base-model", x.base, have)
}

// Explain says whose records an answer rests on, and who has what of its fee.
func (x *explainer) Explain(ctx context.Context, id protocol.Hash) (api.Explanation, error) {
	v, err := x.coord.Receipt(ctx, id)
	if err != nil {
		return api.Explanation{}, err
	}
	at := v.Evidence.Attribution
	out := api.Explanation{Receipt: id, Algorithm: at.Algorithm, Datanet: v.Receipt.Datanet, Pool: at.Pool, Read: coordinator.Citations(v.Evidence)}
	t, err := x.tokenizer()
	if err != nil {
		return out, err
	}
	if out.Parts, err = answerParts(t, &v.Evidence); err != nil {
		return out, err
	}
	for i, s := range at.Shares {
		out.Records = append(out.Records, x.record(ctx, s, i < shownRecords))
	}
	shares, batch, err := x.shares(ctx, v)
	if err != nil {
		return out, err
	}
	out.Batch = batch
	for _, s := range shares {
		p := api.Payment{Account: s.Account, Role: string(s.Role), Amount: s.Amount, Datanet: s.Datanet}
		if s.Record != (protocol.Hash{}) {
			p.Record = &s.Record
		}
		out.Payments = append(out.Payments, p)
	}
	return out, nil
}

// answerParts cuts an answer where the records that repeat it change. A letter that two
// tokens share is the later one's.
func answerParts(t *tokenizer.Tokenizer, e *protocol.Evidence) ([]api.AnswerPart, error) {
	if e.Job.Embedding != nil || e.Text == "" {
		return nil, nil
	}
	stream, text := t.NewStream(), strings.Builder{}
	begins := make([]int, len(e.Output)+1) // of each token's text, in bytes
	for i, id := range e.Output {
		begins[i] = text.Len()
		text.WriteString(stream.Push(id))
	}
	text.WriteString(stream.Flush())
	begins[len(e.Output)] = text.Len()
	// A stop sequence and what comes after it are not in the answer.
	if !strings.HasPrefix(text.String(), e.Text) {
		return nil, protocol.Errorf(protocol.KindCorrupt, "text", "of the evidence is not what its tokens say")
	}
	cuts := []int{0, len(e.Text)}
	at := func(token int) int { return min(begins[min(max(token, 0), len(e.Output))], len(e.Text)) }
	for _, s := range e.Attribution.Shares {
		for _, span := range s.Spans {
			cuts = append(cuts, at(span.Start), at(span.Start+span.Length))
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	parts := make([]api.AnswerPart, len(cuts)-1)
	for i := range parts {
		parts[i].Text = e.Text[cuts[i]:cuts[i+1]]
	}
	for _, s := range e.Attribution.Shares {
		for _, span := range s.Spans {
			from, _ := slices.BinarySearch(cuts, at(span.Start))
			to, _ := slices.BinarySearch(cuts, at(span.Start+span.Length))
			for i := from; i < to; i++ {
				if !slices.Contains(parts[i].Records, s.Record) {
					parts[i].Records = append(parts[i].Records, s.Record)
				}
			}
		}
	}
	return parts, nil
}

// record is one share with what its record says.
func (x *explainer) record(ctx context.Context, s protocol.RecordShare, shown bool) api.RecordBehind {
	out := api.RecordBehind{Record: s.Record, Contributor: s.Contributor, Weight: s.Weight}
	for _, span := range s.Spans {
		out.Repeated += span.Length
	}
	if !shown {
		out.Missing = "only the records of the greatest weights are shown"
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	b, err := x.coord.Block(ctx, s.Record)
	if err != nil {
		out.Missing = "no peer within reach has it now"
		return out
	}
	r, err := datanet.Decode(b)
	if err != nil {
		out.Missing = "it is not in the form of a record"
		return out
	}
	out.Title = r.Title()
	for name, text := range r.Fields {
		if out.Fields == nil {
			out.Fields = map[string]string{}
		}
		out.Fields[name] = clipped(text, api.MaxShownField)
	}
	return out
}

// clipped is the start of a text, at most n bytes of it, with whole letters.
func clipped(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}

// shares divides a receipt's fee: as its batch did, or as one would now.
func (x *explainer) shares(ctx context.Context, v api.ReceiptView) ([]payout.Share, *api.BatchName, error) {
	r := &v.Receipt
	if v.Settled {
		var batches []chain.BatchEvent
		if _, err := x.client.EachBatch(ctx, r.Worker, x.client.Addresses().Block, 0, func(b chain.BatchEvent, _ chain.Event) error {
			batches = append(batches, b)
			return nil
		}); err != nil {
			return nil, nil, err
		}
		for _, b := range slices.Backward(batches) {
			result, err := x.claims.Batch(ctx, b)
			if err != nil {
				if ctx.Err() != nil {
					return nil, nil, err
				}
				continue // of another batch, or nobody can say which now
			}
			for i := range result.Document.Entries {
				if result.Document.Entries[i].Receipt.Receipt.ID == r.ID {
					return result.Shares[i], &api.BatchName{Worker: b.Worker, Nonce: b.Nonce}, nil
				}
			}
		}
	}
	shares, err := settle.Preview(ctx, x.client, v.SignedReceipt, v.Evidence.Attribution, x.claims.Checks)
	return shares, nil, err
}

// Verify runs an answer again, one at a time.
func (x *explainer) Verify(ctx context.Context, id protocol.Hash) (_ api.Verification, err error) {
	v, err := x.coord.Receipt(ctx, id)
	if err != nil {
		return api.Verification{}, err
	}
	select {
	case x.waiting <- struct{}{}:
		defer func() { <-x.waiting }()
	default:
		return api.Verification{}, protocol.Errorf(protocol.KindBusy, "", "other answers are being run again: try in a moment, or run 'openledger receipts verify %s' yourself", id)
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	select {
	case x.turn <- struct{}{}:
		defer func() { <-x.turn }()
	case <-ctx.Done():
		return api.Verification{}, ctx.Err()
	}
	began := time.Now()
	m, err := OpenModelAt(x.path, 0)
	if err != nil {
		return api.Verification{}, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if m.Bundle.Hash != x.base {
		return api.Verification{}, x.otherBase(m.Bundle.Hash)
	}
	var with *adapter.Adapter
	if v.Receipt.Adapter != (protocol.Hash{}) {
		source := adapter.Source{Content: x.ipfs, Registry: x.client, Base: x.base, Model: m.Model}
		if with, err = source.Open(ctx, v.Evidence.Job.Adapter, nil); err != nil {
			return api.Verification{}, err
		}
	}
	report, err := AuditorOf(x.client, m, x.ipfs).Audit(ctx, v.SignedReceipt, v.Evidence, with)
	if err != nil {
		return api.Verification{}, err
	}
	out := api.Verification{Receipt: id, OK: report.OK, Unchecked: report.Unchecked, TookMS: time.Since(began).Milliseconds()}
	for _, s := range report.Steps {
		out.Steps = append(out.Steps, api.VerificationStep(s))
	}
	return out, nil
}
