package coordinator

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/p2p"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/scheduler"
)

// liveJob is an inference that runs now. Its tokens survive the worker that made
// them: the next worker resumes after them.
type liveJob struct {
	ctx     context.Context // ends when the requester goes away
	by      api.Caller
	model   string // as the request named it
	job     protocol.InferenceJob
	adapter chain.Adapter // zero for the bare base
	prompt  int           // its prompt can't have more tokens

	attempts sync.WaitGroup

	// Guarded by Coordinator.mu.
	attempt  int
	release  context.CancelFunc
	reserved amount
	budgeted amount // of its key's budget
	failed   error  // of the newest attempt that failed

	mu     sync.Mutex            // guards what follows; onText is called under it, so that text stays in order
	onText func(api.Delta) error // nil once the requester is gone
	tokens []uint32
	probs  []protocol.TokenLogProbs // of tokens, as far as they came
	text   strings.Builder
	part   *api.Answer // paid for, but cut short

	once     sync.Once
	done     chan struct{}
	receipt  protocol.SignedReceipt
	evidence protocol.Evidence
	err      error
}

func (j *liveJob) finish(r protocol.SignedReceipt, e protocol.Evidence, err error) {
	j.once.Do(func() {
		j.receipt, j.evidence, j.err = r, e, err
		close(j.done)
	})
}

// errStale ends a stream whose job has moved to another worker.
var errStale = errors.New("the job has moved to another worker")

// errRequester ends a stream whose requester takes no more text.
var errRequester = errors.New("the requester takes no more text")

// Infer answers one request: admission, routing, streaming, receipt, voucher.
func (c *Coordinator) Infer(ctx context.Context, by api.Caller, r api.Request, onText func(api.Delta) error) (api.Answer, error) {
	if _, err := c.started(); err != nil {
		return api.Answer{}, err
	}
	requester := by.Account
	switch answered, err := c.book.Accepted(r.ID); {
	case err == nil:
		return c.replay(ctx, requester, r, answered.Signed, onText)
	case protocol.KindOf(err) != protocol.KindNotFound:
		return api.Answer{}, err
	}
	reads := r.Retrieve
	if r.Agent != nil {
		reads = slices.Concat(r.Agent.Retrieve, r.Retrieve)
	}
	if len(reads) > 0 {
		r.Retrieve = reads
		return c.inferReading(ctx, by, r, onText)
	}
	return c.infer(ctx, by, r, nil, onText)
}

// infer answers one new request, with what it is given to read.
func (c *Coordinator) infer(ctx context.Context, by api.Caller, r api.Request, read []protocol.Retrieval, onText func(api.Delta) error) (api.Answer, error) {
	requester := by.Account
	model, markup := r.Model, amount{}
	var agent uint64
	var version uint32
	if a := r.Agent; a != nil {
		model, markup, agent, version = a.Model, a.Markup, a.ID, a.Version
	}
	adapter, err := c.resolve(ctx, model)
	if err != nil {
		return api.Answer{}, err
	}
	if r.Embedding != nil && adapter.CID != "" {
		return api.Answer{}, protocol.Errorf(protocol.KindInvalid, "model", "embeddings are made by the base model: name %q", c.cfg.BaseName)
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.JobTimeout)
	defer cancel()
	onText = firstText(c.metrics, onText)
	deadline, _ := ctx.Deadline()
	j := &liveJob{ctx: ctx, by: by, model: r.Model, adapter: adapter, onText: onText, done: make(chan struct{}), job: protocol.InferenceJob{
		ID: r.ID, Requester: requester, Base: c.cfg.Base, Adapter: adapter.CID, Agent: agent, AgentVersion: version, Messages: r.Messages, Prompt: r.Prompt, Tools: r.Tools, TemplateArgs: r.TemplateArgs,
		Embedding: r.Embedding, Retrieval: read, Sampling: r.Sampling, Deadline: deadline.UnixMilli(), Sources: c.sources(adapter.Digest),
	}}
	j.job.Price.Access, j.job.Price.Markup = adapter.Access, markup
	for i := range read {
		if _, over := j.job.Price.Access.AddOverflow(&j.job.Price.Access, &read[i].Price); over {
			return api.Answer{}, protocol.Errorf(protocol.KindInvalid, "retrieval", "the datanets' prices do not fit in 256 bits")
		}
	}
	j.prompt = estimateTokens(j.job)
	if r.Embedding == nil {
		j.prompt = min(j.prompt, c.cfg.Context)
	}

	submit, err := c.admit(ctx, j)
	if err != nil {
		return api.Answer{}, err
	}
	c.mu.Lock()
	if c.jobs[r.ID] != nil {
		c.mu.Unlock()
		c.unreserve(j)
		return api.Answer{}, protocol.Errorf(protocol.KindBusy, "Idempotency-Key", "this request is running already: wait for it, or use another key")
	}
	c.jobs[r.ID] = j
	c.mu.Unlock()
	started := now()
	c.step(submit)
	select {
	case <-j.done:
	case <-ctx.Done():
		kind := protocol.KindCancelled
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			kind = protocol.KindDeadline
		}
		c.step(scheduler.Cancel{At: now(), Job: r.ID})
		j.finish(protocol.SignedReceipt{}, protocol.Evidence{}, protocol.Errorf(kind, "", "the request ended before its answer: %w", ctx.Err()))
	}
	c.leave(j)
	c.metrics.observe(j.err, now()-started)
	if j.err != nil {
		if protocol.KindOf(j.err) == protocol.KindDeadline && j.part != nil {
			return *j.part, nil
		}
		return api.Answer{}, j.err
	}
	return api.Answer{Receipt: j.receipt, Text: j.evidence.Text, FinishReason: j.evidence.FinishedBy, Vectors: j.evidence.Vectors, Citations: Citations(j.evidence)}, nil
}

// leave ends a job here when the last of its attempts is over. Until then a receipt
// may still come, which its reservation covers, and text may be on its way to the
// requester.
func (c *Coordinator) leave(j *liveJob) {
	c.step(scheduler.Cancel{At: now(), Job: j.job.ID}) // an attempt that lost the race stops, too
	j.attempts.Wait()
	j.mu.Lock()
	j.onText = nil
	j.mu.Unlock()
	c.mu.Lock()
	delete(c.jobs, j.job.ID)
	c.mu.Unlock()
	c.unreserve(j)
}

// replay gives an answer again that was paid for before.
func (c *Coordinator) replay(ctx context.Context, requester protocol.Account, r api.Request, s protocol.SignedReceipt, onText func(api.Delta) error) (api.Answer, error) {
	if s.Receipt.Requester != requester {
		return api.Answer{}, protocol.Errorf(protocol.KindUnauthorized, "Idempotency-Key", "this request belongs to another account")
	}
	e, err := c.evidence(ctx, s.Receipt)
	if err != nil {
		return api.Answer{}, err
	}
	// The model's name may mean a newer adapter by now, and prices move.
	asked := protocol.InferenceJob{Adapter: e.Job.Adapter, Agent: e.Job.Agent, AgentVersion: e.Job.AgentVersion, Price: e.Job.Price, Messages: r.Messages, Prompt: r.Prompt, Tools: r.Tools, TemplateArgs: r.TemplateArgs, Embedding: r.Embedding, Retrieval: e.Job.Retrieval, Sampling: r.Sampling}
	reads := r.Retrieve
	if r.Agent != nil {
		reads = slices.Concat(r.Agent.Retrieve, r.Retrieve)
	}
	// What was found then may be found no more; a datanet that nothing was found in left no trace.
	if !sameRequest(e.Job, asked) || len(e.Job.Retrieval) > len(reads) {
		return api.Answer{}, protocol.Errorf(protocol.KindExists, "Idempotency-Key", "another request was answered under this key: use a new key for a new request")
	}
	logprobs, err := c.book.LogProbs(r.ID)
	if err != nil {
		return api.Answer{}, err
	}
	if err := onText(api.Delta{Text: e.Text, LogProbs: logprobs}); err != nil {
		return api.Answer{}, err
	}
	return api.Answer{Receipt: s, Text: e.Text, FinishReason: e.FinishedBy, Vectors: e.Vectors, Citations: Citations(e)}, nil
}

// serve runs one attempt of a job on one worker.
func (c *Coordinator) serve(ctx context.Context, j *liveJob, e scheduler.Effect, price protocol.Price, binding protocol.SignedBinding) {
	job := j.job
	job.Price = price
	j.mu.Lock()
	job.Resume = slices.Clone(j.tokens)
	j.mu.Unlock()

	promptTokens := 0
	var receipt protocol.SignedReceipt
	var evidence protocol.Evidence
	job, err := wire.SignJob(c.escrowDomain, job, binding.Binding.Owner, c.session)
	if err == nil {
		receipt, evidence, err = c.host.Infer(ctx, e.Worker, job, p2p.InferEvents{
			Accepted: func(n int) error { promptTokens = n; return nil },
			Token:    func(t p2p.Token) error { return c.deliver(j, e, t) },
		})
	}
	if signed := receipt.Receipt.ID != (protocol.Hash{}); signed {
		err = c.pay(j, job, e, receipt, evidence, binding, promptTokens, err)
	}
	switch {
	case err == nil:
		c.step(scheduler.Done{At: now(), Job: j.job.ID, Worker: e.Worker})
		j.finish(receipt, evidence, nil)
	case errors.Is(err, errStale):
	case j.gone(err):
		c.step(scheduler.Cancel{At: now(), Job: j.job.ID})
		kind := protocol.KindCancelled
		if errors.Is(j.ctx.Err(), context.DeadlineExceeded) {
			kind = protocol.KindDeadline
		}
		j.finish(protocol.SignedReceipt{}, protocol.Evidence{}, protocol.Errorf(kind, "", "the request ended before its answer"))
	default:
		kind := protocol.KindOf(err)
		c.log.Warn("attempt failed", "job", j.job.ID, "worker", e.Worker, "attempt", e.Attempt, "err", err)
		c.mu.Lock()
		j.failed = err
		c.mu.Unlock()
		c.step(scheduler.Fail{At: now(), Job: j.job.ID, Worker: e.Worker, Kind: kind, Reason: err.Error(), Retriable: retriable(kind)})
		if kind == protocol.KindUnavailable && !c.host.Connected(e.Worker) {
			c.lost(e.Worker)
		}
	}
}

// gone says whether an attempt failed because its requester went away or its time
// was up, so that nobody else will answer.
func (j *liveJob) gone(err error) bool { return errors.Is(err, errRequester) || j.ctx.Err() != nil }

// pay checks what a worker signed and accepts it: a whole answer (failed is nil), or
// what it delivered to a requester that went away before the end. A part is not paid
// when the job goes on elsewhere: the worker that ends it is paid for all of it.
func (c *Coordinator) pay(j *liveJob, job protocol.InferenceJob, e scheduler.Effect, s protocol.SignedReceipt, ev protocol.Evidence, binding protocol.SignedBinding, promptTokens int, failed error) error {
	if failed != nil && (!j.gone(failed) || !c.current(j, e)) {
		return failed
	}
	if err := c.checkReceipt(j, job, s, ev, binding, promptTokens, failed != nil); err != nil {
		if failed != nil {
			c.log.Warn("receipt for a part not accepted", "job", job.ID, "worker", e.Worker, "err", err)
			return failed
		}
		return err
	}
	if failed == nil {
		if failed = c.deliverRest(j, e, ev.Text); failed != nil && !errors.Is(failed, errRequester) {
			return failed
		}
	}
	// The work is done: that the requester goes away now must not undo its payment.
	if err := c.accept(context.WithoutCancel(j.ctx), e.Worker, s, ev, &j.by, j.model, j.logProbs(ev)); err != nil {
		return errors.Join(failed, err)
	}
	if failed != nil {
		j.mu.Lock()
		j.part = &api.Answer{Receipt: s, Text: ev.Text, FinishReason: ev.FinishedBy, Citations: Citations(ev)}
		j.mu.Unlock()
	}
	return failed
}

// logProbs are those of an answer's tokens; none if one is missing.
func (j *liveJob) logProbs(e protocol.Evidence) []protocol.TokenLogProbs {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.probs) != len(e.Output) {
		return nil
	}
	return slices.Clone(j.probs)
}

// current says whether an attempt is a job's newest.
func (c *Coordinator) current(j *liveJob, e scheduler.Effect) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return j.attempt == e.Attempt
}

// retriable says whether another worker might do better. What is wrong with the
// request itself is wrong everywhere.
func retriable(k protocol.Kind) bool {
	switch k {
	case protocol.KindInvalid, protocol.KindEscrow, protocol.KindExists:
		return false
	}
	return true
}

// deliver takes tokens from a worker and passes their text on. Tokens must follow
// those already delivered, whoever made those.
func (c *Coordinator) deliver(j *liveJob, e scheduler.Effect, t p2p.Token) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	// Under the lock: the next attempt must see either these tokens or none of them.
	if !c.current(j, e) {
		return errStale
	}
	if len(t.IDs) == 0 {
		// Text that was held back until the end comes again with the evidence. Passed on
		// now, it would come twice if this worker died before its receipt.
		return nil
	}
	if t.Index != len(j.tokens) {
		return protocol.Errorf(protocol.KindCorrupt, "index", "the worker sent token %d after %d tokens", t.Index, len(j.tokens))
	}
	j.tokens = append(j.tokens, t.IDs...)
	j.probs = append(j.probs, t.LogProbs...)
	j.text.WriteString(t.Text)
	c.step(scheduler.Token{At: now(), Job: j.job.ID, Worker: e.Worker, Count: len(t.IDs)})
	if t.Text == "" && len(t.LogProbs) == 0 {
		return nil
	}
	return j.pass(api.Delta{Text: t.Text, LogProbs: t.LogProbs})
}

// pass gives text to the requester; j.mu is held.
func (j *liveJob) pass(d api.Delta) error {
	if j.onText == nil || j.ctx.Err() != nil || j.onText(d) != nil {
		return errRequester
	}
	return nil
}

// deliverRest sends the text that was held back until the answer's end, and checks
// that what was streamed is what the worker signed.
func (c *Coordinator) deliverRest(j *liveJob, e scheduler.Effect, text string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	rest, ok := strings.CutPrefix(text, j.text.String())
	if !ok {
		return protocol.Errorf(protocol.KindCorrupt, "text", "the worker signed another text than it streamed")
	}
	if rest == "" {
		return nil
	}
	if !c.current(j, e) {
		return errStale
	}
	j.text.WriteString(rest)
	return j.pass(api.Delta{Text: rest})
}

// inFlightTokens is how many tokens may be on their way when a job is cancelled. A small
// model on a busy machine makes hundreds before it hears of it, and they are work done.
const inFlightTokens = 1024

// checkReceipt compares a receipt with the job and with what was streamed. A part may
// hold a few tokens that were still on their way when the requester went.
func (c *Coordinator) checkReceipt(j *liveJob, job protocol.InferenceJob, s protocol.SignedReceipt, e protocol.Evidence, binding protocol.SignedBinding, promptTokens int, part bool) error {
	wrong := func(field, format string, args ...any) error {
		return protocol.Errorf(protocol.KindCorrupt, "receipt."+field, format, args...)
	}
	if err := wire.VerifyReceipt(c.settlementDomain, s); err != nil {
		return err
	}
	if err := wire.CheckReceipt(s.Receipt, e); err != nil {
		return err
	}
	r := s.Receipt
	switch {
	case s.NodeKey != binding.Binding.NodeKey || r.Worker != binding.Binding.Owner:
		return wrong("node_key", "it is not the key that the worker's owner bound")
	case r.ID != job.ID || r.Requester != job.Requester || r.Base != job.Base:
		return wrong("id", "it is for another job")
	case r.Adapter != j.adapter.Digest || r.Datanet != j.adapter.Datanet || r.DatanetRoot != j.adapter.DatanetRoot:
		return wrong("adapter", "it is for another adapter")
	case r.Agent != job.Agent || r.AgentVersion != job.AgentVersion:
		return wrong("agent", "it is for another agent")
	case !sameRequest(e.Job, job):
		return wrong("evidence", "it is of another request")
	case int(r.PromptTokens) != promptTokens:
		return wrong("prompt_tokens", "it charges %d, the worker accepted %d", r.PromptTokens, promptTokens)
	case promptTokens > j.prompt:
		return wrong("prompt_tokens", "it charges %d, and the prompt has no more than %d", r.PromptTokens, j.prompt)
	case int(r.OutputTokens) > job.Sampling.MaxTokens:
		return wrong("output_tokens", "it charges %d, and %d were allowed", r.OutputTokens, job.Sampling.MaxTokens)
	case r.Fee() != job.Price.FeeFor(int(r.PromptTokens), int(r.OutputTokens)):
		return wrong("compute", "the fee is not what was agreed for %d + %d tokens", r.PromptTokens, r.OutputTokens)
	case !part && e.FinishedBy == protocol.FinishedCancelled:
		return wrong("evidence", "it says that the answer was cut short, and nobody cut it")
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	n := len(j.tokens)
	switch {
	case len(e.Output) < n || !slices.Equal(e.Output[:n], j.tokens), len(e.Output) > n && !part, len(e.Output) > n+inFlightTokens:
		return wrong("output_hash", "it is for other tokens than were streamed")
	case part && !strings.HasPrefix(e.Text, j.text.String()):
		return wrong("evidence", "its text is not the text that was streamed")
	}
	return nil
}

// sameRequest says whether the evidence's job is the one that was asked for, price
// included. What evidence leaves out is not compared.
func sameRequest(e, job protocol.InferenceJob) bool {
	return e.Adapter == job.Adapter && e.Agent == job.Agent && e.AgentVersion == job.AgentVersion && e.Prompt == job.Prompt && slices.Equal(e.Messages, job.Messages) && e.Tools == job.Tools && e.TemplateArgs == job.TemplateArgs && e.Price == job.Price &&
		e.Embedding.Equal(job.Embedding) && slices.EqualFunc(e.Retrieval, job.Retrieval, protocol.Retrieval.Equal) && e.Sampling.Equal(job.Sampling)
}
