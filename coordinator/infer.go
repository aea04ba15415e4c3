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
	job     protocol.InferenceJob
	adapter chain.Adapter // zero for the bare base
	onText  func(string) error

	// Guarded by Coordinator.mu.
	attempt int
	release context.CancelFunc

	mu     sync.Mutex // guards what follows; onText is called under it, so that text stays in order
	tokens []uint32
	text   strings.Builder

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
func (c *Coordinator) Infer(ctx context.Context, requester protocol.Account, r api.Request, onText func(string) error) (api.Answer, error) {
	if _, err := c.started(); err != nil {
		return api.Answer{}, err
	}
	switch answered, err := c.book.Accepted(r.ID); {
	case err == nil:
		return c.replay(ctx, requester, answered.Signed, onText)
	case protocol.KindOf(err) != protocol.KindNotFound:
		return api.Answer{}, err
	}
	adapter, err := c.resolve(ctx, r.Model)
	if err != nil {
		return api.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.JobTimeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	j := &liveJob{ctx: ctx, adapter: adapter, onText: onText, done: make(chan struct{}), job: protocol.InferenceJob{
		ID: r.ID, Requester: requester, Base: c.cfg.Base, Adapter: adapter.CID, Messages: r.Messages, Prompt: r.Prompt,
		Sampling: r.Sampling, Deadline: deadline.UnixMilli(), Sources: c.host.Addrs(),
	}}
	j.job.Price.Access = adapter.Access

	submit, err := c.admit(ctx, j)
	if err != nil {
		return api.Answer{}, err
	}
	defer c.unreserve(requester, submit.EstimatedFee)
	c.mu.Lock()
	if c.jobs[r.ID] != nil {
		c.mu.Unlock()
		return api.Answer{}, protocol.Errorf(protocol.KindBusy, "Idempotency-Key", "this request is running already: wait for it, or use another key")
	}
	c.jobs[r.ID] = j
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.jobs, r.ID)
		c.mu.Unlock()
	}()
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
	c.metrics.observe(j.err, now()-started)
	if j.err != nil {
		return api.Answer{}, j.err
	}
	return api.Answer{Receipt: j.receipt, Text: j.evidence.Text, FinishReason: j.evidence.FinishedBy}, nil
}

// replay gives an answer again that was paid for before.
func (c *Coordinator) replay(ctx context.Context, requester protocol.Account, s protocol.SignedReceipt, onText func(string) error) (api.Answer, error) {
	if s.Receipt.Requester != requester {
		return api.Answer{}, protocol.Errorf(protocol.KindUnauthorized, "Idempotency-Key", "this request belongs to another account")
	}
	e, err := c.evidence(ctx, s.Receipt)
	if err != nil {
		return api.Answer{}, err
	}
	if err := onText(e.Text); err != nil {
		return api.Answer{}, err
	}
	return api.Answer{Receipt: s, Text: e.Text, FinishReason: e.FinishedBy}, nil
}

// serve runs one attempt of a job on one worker.
func (c *Coordinator) serve(ctx context.Context, j *liveJob, e scheduler.Effect, price protocol.Price, binding protocol.SignedBinding) {
	job := j.job
	job.Price = price
	j.mu.Lock()
	job.Resume = slices.Clone(j.tokens)
	j.mu.Unlock()

	promptTokens := 0
	receipt, evidence, err := c.host.Infer(ctx, e.Worker, job, p2p.InferEvents{
		Accepted: func(n int) error { promptTokens = n; return nil },
		Token:    func(t p2p.Token) error { return c.deliver(j, e, t) },
	})
	if err == nil {
		err = c.checkReceipt(j, job, receipt, evidence, binding, promptTokens)
	}
	if err == nil {
		err = c.deliverRest(j, e, evidence.Text)
	}
	if err == nil {
		err = c.accept(ctx, e.Worker, receipt, evidence)
	}
	switch {
	case err == nil:
		j.finish(receipt, evidence, nil)
		c.step(scheduler.Done{At: now(), Job: j.job.ID, Worker: e.Worker})
	case errors.Is(err, errStale):
	case errors.Is(err, errRequester), j.ctx.Err() != nil:
		c.step(scheduler.Cancel{At: now(), Job: j.job.ID})
		j.finish(protocol.SignedReceipt{}, protocol.Evidence{}, protocol.Errorf(protocol.KindCancelled, "", "the requester went away"))
	default:
		kind := protocol.KindOf(err)
		c.log.Warn("attempt failed", "job", j.job.ID, "worker", e.Worker, "attempt", e.Attempt, "err", err)
		c.step(scheduler.Fail{At: now(), Job: j.job.ID, Worker: e.Worker, Kind: kind, Reason: err.Error(), Retriable: retriable(kind)})
	}
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
	c.mu.Lock()
	current := j.attempt == e.Attempt
	c.mu.Unlock()
	if !current {
		return errStale
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if t.Index != len(j.tokens) {
		return protocol.Errorf(protocol.KindCorrupt, "index", "the worker sent token %d after %d tokens", t.Index, len(j.tokens))
	}
	j.tokens = append(j.tokens, t.IDs...)
	j.text.WriteString(t.Text)
	c.step(scheduler.Token{At: now(), Job: j.job.ID, Worker: e.Worker, Count: len(t.IDs)})
	if t.Text == "" {
		return nil
	}
	if err := j.onText(t.Text); err != nil {
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
	c.mu.Lock()
	current := j.attempt == e.Attempt
	c.mu.Unlock()
	if !current {
		return errStale
	}
	j.text.WriteString(rest)
	if err := j.onText(rest); err != nil {
		return errRequester
	}
	return nil
}

// checkReceipt compares a receipt with the job and with what was streamed.
func (c *Coordinator) checkReceipt(j *liveJob, job protocol.InferenceJob, s protocol.SignedReceipt, e protocol.Evidence, binding protocol.SignedBinding, promptTokens int) error {
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
	case int(r.PromptTokens) != promptTokens:
		return wrong("prompt_tokens", "it charges %d, the worker accepted %d", r.PromptTokens, promptTokens)
	case r.Fee() != job.Price.FeeFor(int(r.PromptTokens), int(r.OutputTokens)):
		return wrong("compute", "the fee is not what was agreed for %d + %d tokens", r.PromptTokens, r.OutputTokens)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if r.OutputHash != wire.OutputHash(j.tokens) {
		return wrong("output_hash", "it is for other tokens than were streamed")
	}
	return nil
}
