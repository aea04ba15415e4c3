package worker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/p2p"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/audit"
	"github.com/openledger/openledger/worker/engine"
	"github.com/openledger/openledger/worker/engine/grammar"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/sample"
)

// inFlight keeps a job from running twice on this worker at the same time.
type inFlight struct {
	mu  sync.Mutex
	ids map[protocol.Hash]uint256.Int // what each may cost
	by  map[protocol.Account]uint256.Int
}

func (f *inFlight) enter(job *protocol.InferenceJob, cost uint256.Int) (leave func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ids == nil {
		f.ids, f.by = map[protocol.Hash]uint256.Int{}, map[protocol.Account]uint256.Int{}
	}
	if _, running := f.ids[job.ID]; running {
		return nil, false
	}
	f.ids[job.ID] = cost
	sum := f.by[job.Requester]
	sum.Add(&sum, &cost)
	f.by[job.Requester] = sum
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.ids, job.ID)
		left := f.by[job.Requester]
		left.Sub(&left, &cost)
		f.by[job.Requester] = left
	}, true
}

func (f *inFlight) of(a protocol.Account) uint256.Int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.by[a]
}

// Infer runs one inference: check, adapter, tokens, attribution, receipt.
func (w *Worker) Infer(ctx context.Context, from protocol.PeerID, job protocol.InferenceJob, out p2p.Output) (protocol.SignedReceipt, protocol.Evidence, error) {
	fail := func(err error) (protocol.SignedReceipt, protocol.Evidence, error) {
		return protocol.SignedReceipt{}, protocol.Evidence{}, err
	}
	if err := w.checkAuthorization(ctx, job); err != nil {
		return fail(err)
	}
	if done, err := w.book.Receipt(job.ID); err == nil {
		return w.replay(ctx, job, done.Signed, out)
	} else if protocol.KindOf(err) != protocol.KindNotFound {
		return fail(err)
	}
	if err := w.check(job); err != nil {
		return fail(err)
	}
	prompt, err := audit.Prompt(w.cfg.Bundle.Tokenizer, job)
	if err != nil {
		return fail(err)
	}
	leave, ok := w.jobs.enter(&job, job.Price.FeeFor(len(prompt), job.Sampling.MaxTokens).Total())
	if !ok {
		return fail(protocol.Errorf(protocol.KindBusy, "id", "this job is running here already"))
	}
	defer leave()
	// It may have ended between the first look and entering.
	if done, err := w.book.Receipt(job.ID); err == nil {
		return w.replay(ctx, job, done.Signed, out)
	}
	if err := w.checkCredit(ctx, job.Requester); err != nil {
		return fail(err)
	}
	var a *adapter.Adapter
	if job.Adapter != "" {
		var release func()
		if a, release, err = w.adapter(ctx, job.Adapter, job.Sources); err != nil {
			return fail(err)
		}
		defer release()
	}
	if err := w.checkRetrieval(ctx, job); err != nil {
		return fail(err)
	}
	if want := access(a, job.Retrieval); job.Price.Access != want {
		return fail(protocol.Errorf(protocol.KindInvalid, "price.access", "adapter and retrieved datanets cost %s wei per inference, the job offers %s", want.Dec(), job.Price.Access.Dec()))
	}
	if err := w.checkAgent(ctx, job); err != nil {
		return fail(err)
	}
	if err := out.Accepted(len(prompt)); err != nil {
		return fail(err)
	}
	w.poke()
	defer w.poke()
	if job.Embedding != nil {
		return w.embed(ctx, from, job, prompt)
	}
	delivered := slices.Clone(job.Resume)
	result, err := w.engine.Generate(ctx, engine.Request{
		ID: job.ID.Hex(), Prompt: prompt, Resume: job.Resume, Adapter: string(job.Adapter), Weights: weightsOf(a), Sampling: audit.Sampling(job.Sampling),
		Tenant: job.Requester.Hex(), Deadline: time.UnixMilli(job.Deadline),
	}, func(t engine.Token) error {
		if t.TextOnly {
			return nil // no token: this text comes with the evidence
		}
		if err := out.Token(p2p.Token{Index: len(delivered), IDs: []uint32{t.ID}, Text: t.Text, LogProbs: w.logProbs(t.LogProbs)}); err != nil {
			return err
		}
		delivered = append(delivered, t.ID)
		return nil
	})
	evidence := protocol.Evidence{Job: job, Profile: Profile, Prompt: prompt, Output: result.Tokens, Text: result.Text, FinishedBy: result.FinishReason}
	if err != nil {
		if !cutShort(ctx) || len(delivered) == len(job.Resume) {
			return fail(engineError(err))
		}
		evidence.Output, evidence.Text, evidence.FinishedBy = delivered, w.textOf(delivered), protocol.FinishedCancelled
	}
	evidence.Job.Resume, evidence.Job.Sources, evidence.Resumed = nil, nil, len(job.Resume)
	// The answer is out: that its requester goes away now does not undo what it owes.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), signTimeout)
	defer cancel()
	if evidence.Attribution, err = w.attribute(ctx, a, evidence); err != nil {
		return fail(err)
	}
	receipt, err := w.sign(ctx, a, evidence)
	if err != nil {
		return fail(err)
	}
	w.log.Info("answered", "job", job.ID, "from", from, "adapter", job.Adapter, "prompt_tokens", len(prompt),
		"output_tokens", len(evidence.Output), "finished_by", evidence.FinishedBy)
	w.metrics.answered(job.Adapter, len(evidence.Output)-len(job.Resume))
	return receipt, evidence, nil
}

// signTimeout bounds attribution and signing, which go on when the requester is gone.
const signTimeout = time.Minute

// cutShort says whether a job ended because its requester said so or its time was up.
// Then the worker signs for what it delivered. When the connection just broke, it does
// not: the requester may ask for the rest.
func cutShort(ctx context.Context) bool {
	var why *protocol.Error
	return ctx.Err() != nil && errors.As(context.Cause(ctx), &why) && (why.Kind == protocol.KindCancelled || why.Kind == protocol.KindDeadline)
}

// logProbs gives an engine's log-probabilities with what their tokens spell.
func (w *Worker) logProbs(l *engine.LogProbs) []protocol.TokenLogProbs {
	if l == nil {
		return nil
	}
	spelled := func(p sample.LogProb) protocol.LogProb {
		return protocol.LogProb{Token: p.ID, Bytes: w.cfg.Bundle.Tokenizer.Bytes(p.ID), LogProb: p.LogProb}
	}
	out := protocol.TokenLogProbs{Chosen: spelled(l.Chosen)}
	for _, p := range l.Top {
		out.Top = append(out.Top, spelled(p))
	}
	return []protocol.TokenLogProbs{out}
}

// textOf is the text that tokens have completed.
func (w *Worker) textOf(tokens []uint32) string {
	stream := w.cfg.Bundle.Tokenizer.NewStream()
	var text strings.Builder
	for _, t := range tokens {
		text.WriteString(stream.Push(t))
	}
	return text.String()
}

// replay sends an answer again that has its receipt already.
func (w *Worker) replay(ctx context.Context, job protocol.InferenceJob, s protocol.SignedReceipt, out p2p.Output) (protocol.SignedReceipt, protocol.Evidence, error) {
	b, err := w.ipfs.GetBlock(ctx, ipfs.RawCIDOf(s.Receipt.Evidence), nil)
	if err != nil {
		return protocol.SignedReceipt{}, protocol.Evidence{}, err
	}
	e, err := wire.DecodeEvidence(b)
	if err != nil {
		return protocol.SignedReceipt{}, protocol.Evidence{}, err
	}
	if e.FinishedBy == protocol.FinishedCancelled {
		return protocol.SignedReceipt{}, protocol.Evidence{}, protocol.Errorf(protocol.KindUnavailable, "id", "this job was cut short here and is signed for: ask another worker")
	}
	if e.Job.Requester != job.Requester || e.Job.Adapter != job.Adapter || e.Job.Prompt != job.Prompt || !slices.Equal(e.Job.Messages, job.Messages) ||
		e.Job.Tools != job.Tools || e.Job.TemplateArgs != job.TemplateArgs || e.Job.Agent != job.Agent || e.Job.AgentVersion != job.AgentVersion ||
		!e.Job.Embedding.Equal(job.Embedding) || !slices.EqualFunc(e.Job.Retrieval, job.Retrieval, protocol.Retrieval.Equal) || !e.Job.Sampling.Equal(job.Sampling) ||
		len(job.Resume) > len(e.Output) || !slices.Equal(e.Output[:len(job.Resume)], job.Resume) {
		return protocol.SignedReceipt{}, protocol.Evidence{}, protocol.Errorf(protocol.KindExists, "id", "this job was answered with other parameters")
	}
	if err := out.Accepted(len(e.Prompt)); err != nil {
		return protocol.SignedReceipt{}, protocol.Evidence{}, err
	}
	if rest := e.Output[len(job.Resume):]; len(rest) > 0 {
		// The text follows with the evidence.
		if err := out.Token(p2p.Token{Index: len(job.Resume), IDs: rest}); err != nil {
			return protocol.SignedReceipt{}, protocol.Evidence{}, err
		}
	}
	return s, e, nil
}

// check refuses what this worker can't or won't run.
func (w *Worker) check(job protocol.InferenceJob) error {
	invalid := func(field, format string, args ...any) error {
		return protocol.Errorf(protocol.KindInvalid, field, format, args...)
	}
	switch {
	case job.Base != w.base:
		return invalid("base", "this worker serves %s", w.base)
	case job.Requester == (protocol.Account{}):
		return invalid("requester", "it is missing")
	case job.Embedding == nil && (len(job.Messages) == 0) == (job.Prompt == ""):
		return invalid("messages", "exactly one of messages and prompt must be set")
	case job.Prompt != "" && (job.Tools != "" || job.TemplateArgs != ""):
		return invalid("tools", "and chat_template_kwargs go with messages only")
	case job.Price.InputPer1K.Lt(&w.cfg.Price.InputPer1K) || job.Price.OutputPer1K.Lt(&w.cfg.Price.OutputPer1K):
		return protocol.Errorf(protocol.KindStale, "price", "this worker asks %s and %s wei per 1,000 tokens in and out: take its newest announcement", w.cfg.Price.InputPer1K.Dec(), w.cfg.Price.OutputPer1K.Dec())
	case job.Deadline != 0 && job.Deadline <= time.Now().UnixMilli():
		return protocol.Errorf(protocol.KindDeadline, "deadline", "it has passed")
	case job.Embedding != nil:
		return audit.CheckEmbedding(job.Embedding, w.cfg.Model.Config().HiddenSize)
	}
	return nil
}

// checkAgent makes sure that the agent is on offer, that the job pays its price, and that
// the model is told and asked what the agent's manifest says: what this worker charges in
// the agent's name must stand before a validator.
func (w *Worker) checkAgent(ctx context.Context, job protocol.InferenceJob) error {
	if job.Agent == 0 {
		if job.AgentVersion != 0 || !job.Price.Markup.IsZero() {
			return protocol.Errorf(protocol.KindInvalid, "price.markup", "the job offers %s wei for no agent", job.Price.Markup.Dec())
		}
		return nil
	}
	v, err := w.chain.AgentVersion(ctx, job.Agent, job.AgentVersion)
	if err != nil {
		return err
	}
	if job.Price.Markup != v.Price {
		return protocol.Errorf(protocol.KindInvalid, "price.markup", "version %d of agent %d costs %s wei per request, the job offers %s", v.Number, v.Agent, v.Price.Dec(), job.Price.Markup.Dec())
	}
	a, err := w.chain.Agent(ctx, job.Agent)
	if err != nil {
		return err
	}
	if !a.Active {
		return protocol.Errorf(protocol.KindInvalid, "agent", "agent %d (%s) is not on offer: its owner retired it, or its stake is below the minimum", a.ID, a.Name)
	}
	have, err := w.ipfs.Has(ctx, v.Manifest)
	if err != nil {
		return err
	}
	if !have {
		if err := w.storeHasRoom(); err != nil {
			return err
		}
	}
	providers, err := ipfs.ParseProviders(job.Sources)
	if err != nil {
		return err
	}
	unable, err := w.sources.Agent(ctx, &job, providers)
	var typed *protocol.Error
	if protocol.KindOf(err) == protocol.KindCorrupt && errors.As(err, &typed) { // here as everywhere
		return protocol.Errorf(protocol.KindInvalid, typed.Field, "version %d of agent %d: %w", v.Number, v.Agent, err)
	}
	if err != nil {
		return err
	}
	return unable
}

// attribute says whose records the output came from. The bare base has none on a
// datanet: everything is the pool's. What the job was given to read is weighed beside.
func (w *Worker) attribute(ctx context.Context, a *adapter.Adapter, e protocol.Evidence) (at protocol.Attribution, err error) {
	at = protocol.Attribution{Algorithm: audit.NoAttribution, Pool: protocol.WeightScale}
	if a == nil && len(e.Job.Retrieval) == 0 {
		return at, nil
	}
	defer w.metrics.attributed(time.Now())
	if a != nil {
		if at, err = a.Querier.Query(ctx, e.Prompt, e.Output); err != nil {
			return at, err
		}
	}
	if len(e.Job.Retrieval) > 0 {
		at.Retrieved, err = w.weigher.Weigh(ctx, e.Job.Retrieval, audit.Prompts(w.cfg.Bundle.Tokenizer, e.Job), e.Output, weightsOf(a))
	}
	return at, err
}

// sign makes the receipt. Evidence and receipt are durable before it is returned.
func (w *Worker) sign(ctx context.Context, a *adapter.Adapter, e protocol.Evidence) (protocol.SignedReceipt, error) {
	encoded, err := wire.EncodeEvidence(e)
	if err != nil {
		return protocol.SignedReceipt{}, err
	}
	defer w.ipfs.Writing()() // until the receipt names the evidence
	id, err := w.ipfs.AddBlock(ctx, encoded)
	if err != nil {
		return protocol.SignedReceipt{}, err
	}
	digest, err := ipfs.Digest(id)
	if err != nil {
		return protocol.SignedReceipt{}, err
	}
	root, err := wire.AttributionRoot(e.Attribution)
	if err != nil {
		return protocol.SignedReceipt{}, err
	}
	fee := e.Job.Price.FeeFor(len(e.Prompt), len(e.Output))
	r := protocol.Receipt{
		ID: e.Job.ID, Requester: e.Job.Requester, Worker: w.Owner(), Base: w.base,
		PromptTokens: uint32(len(e.Prompt)), OutputTokens: uint32(len(e.Output)), Compute: fee.Compute, Access: fee.Access,
		Agent: e.Job.Agent, AgentVersion: e.Job.AgentVersion, Markup: fee.Markup,
		OutputHash: outputHash(e), AttributionRoot: root, Evidence: digest, FinishedAt: time.Now().UnixMilli(),
	}
	if a != nil {
		r.Adapter, r.Datanet, r.DatanetRoot = a.Registered.Digest, a.Registered.Datanet, a.Registered.DatanetRoot
	}
	s, err := wire.SignReceipt(w.settlementDomain, r, w.cfg.NodeKey)
	if err != nil {
		return protocol.SignedReceipt{}, err
	}
	return s, w.book.AddReceipt(s)
}

// outputHash commits to what an answer gives: tokens or vectors.
func outputHash(e protocol.Evidence) protocol.Hash {
	if e.Job.Embedding != nil {
		return wire.VectorsHash(e.Vectors)
	}
	return wire.OutputHash(e.Output)
}

func weightsOf(a *adapter.Adapter) *lora.Adapter {
	if a == nil {
		return nil
	}
	return a.LoRA
}

// access is the adapter's price and those of the datanets that are read.
func access(a *adapter.Adapter, read []protocol.Retrieval) (sum uint256.Int) {
	if a != nil {
		sum = a.Registered.Access
	}
	for i := range read {
		sum.Add(&sum, &read[i].Price) // decoding made sure that they are within the job's price
	}
	return sum
}

// engineError gives an engine's error its kind.
func engineError(err error) error {
	var schema *grammar.Error
	switch {
	case errors.As(err, &schema):
		return protocol.Errorf(protocol.KindInvalid, "response_format", "%w", schema)
	case errors.Is(err, grammar.ErrTooComplex):
		return protocol.Errorf(protocol.KindInvalid, "response_format", "%w", err)
	}
	if errors.Is(err, engine.ErrTooLarge) {
		return protocol.Errorf(protocol.KindInvalid, "messages", "%w", err)
	}
	for _, k := range []struct {
		is   error
		kind protocol.Kind
	}{
		{engine.ErrInvalid, protocol.KindInvalid},
		{engine.ErrBusy, protocol.KindBusy}, {engine.ErrAdapterMemory, protocol.KindBusy}, {engine.ErrAdapterInUse, protocol.KindBusy},
		{engine.ErrUnknownAdapter, protocol.KindBusy}, {engine.ErrClosed, protocol.KindUnavailable},
		{engine.ErrDeadline, protocol.KindDeadline}, {context.DeadlineExceeded, protocol.KindDeadline}, {context.Canceled, protocol.KindCancelled},
	} {
		if errors.Is(err, k.is) {
			return protocol.Errorf(k.kind, "", "%w", err)
		}
	}
	return err
}
