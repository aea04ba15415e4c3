package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/datanet"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/attrib"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/weights"
	"github.com/openledger/openledger/worker/finetune"
)

// training is a job that runs now.
type training struct{ done chan struct{} }

// Train runs one fine-tune: fetch, train, index, publish, register. The same job
// again gives the same result; one that was cut off goes on from its checkpoint.
func (w *Worker) Train(ctx context.Context, from protocol.PeerID, job protocol.TrainingJob, progress func(protocol.TrainingProgress) error) (protocol.TrainingResult, error) {
	if !w.cfg.Trains {
		return protocol.TrainingResult{}, protocol.Errorf(protocol.KindBusy, "", "this worker does not train: choose one whose announcement says that it does")
	}
	if err := w.checkOrder(ctx, job); err != nil {
		return protocol.TrainingResult{}, err
	}
	if err := w.storeHasRoom(); err != nil {
		return protocol.TrainingResult{}, err
	}
	leave, err := w.enterTraining(job.ID)
	if err != nil {
		return protocol.TrainingResult{}, err
	}
	defer leave()

	rec, err := w.book.Training(job.ID)
	switch {
	case err == nil && rec.Status == store.JobDone:
		return rec.Result, nil
	case err == nil:
		if !rec.Job.Order.Equal(job.Order) {
			return protocol.TrainingResult{}, protocol.Errorf(protocol.KindExists, "id", "this job is here already with another order")
		}
	case protocol.KindOf(err) == protocol.KindNotFound:
		rec = store.TrainingRecord{CreatedAt: time.Now().UnixMilli()}
	default:
		return protocol.TrainingResult{}, err
	}
	rec.Job, rec.Status = job, store.JobRunning
	if err := w.saveTraining(&rec); err != nil {
		return protocol.TrainingResult{}, err
	}
	w.log.Info("training", "job", job.ID, "from", from, "name", job.Order.Name, "root", job.Order.Root)
	work := w.train
	if job.Hyper.Merge != nil {
		work = w.merge
	}
	result, err := work(ctx, job, progress)
	w.metrics.trained(job.Hyper, cancelledOr(ctx, err))
	switch {
	case err == nil:
		rec.Status, rec.Result = store.JobDone, result
	case ctx.Err() != nil: // its checkpoint stays: the requester may ask again
		return result, cancelledOr(ctx, err)
	default:
		rec.Status, rec.Error = store.JobFailed, err.Error()
	}
	if saveErr := w.saveTraining(&rec); saveErr != nil && err == nil {
		err = saveErr
	}
	return result, err
}

// cancelledOr is err, or that the job was stopped.
func cancelledOr(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return protocol.Errorf(protocol.KindCancelled, "", "training stopped: %w", context.Cause(ctx))
	}
	return err
}

func (w *Worker) saveTraining(rec *store.TrainingRecord) error {
	rec.UpdatedAt = time.Now().UnixMilli()
	return w.book.PutTraining(*rec)
}

// enterTraining lets one training run at a time. A requester that comes back for a job
// whose old connection is not quite dead waits for it to end.
func (w *Worker) enterTraining(id protocol.Hash) (leave func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.training) > 0 {
		return nil, protocol.Errorf(protocol.KindBusy, "", "this worker is training already: try again later or elsewhere")
	}
	t := &training{done: make(chan struct{})}
	w.training[id] = t
	w.poke()
	return func() {
		w.mu.Lock()
		delete(w.training, id)
		w.mu.Unlock()
		close(t.done)
		w.poke()
	}, nil
}

func (w *Worker) checkOrder(ctx context.Context, job protocol.TrainingJob) error {
	if err := job.Hyper.Validate(); err != nil {
		return err
	}
	signer, err := wire.TrainingOrderSigner(w.modelsDomain, job.Order, job.Signature)
	if err != nil {
		return err
	}
	if err := w.chain.SpeaksFor(ctx, signer, job.Order.Owner, protocol.ScopeTrain); err != nil {
		return err
	}
	hash, err := wire.HyperHash(job.Hyper)
	if err != nil {
		return err
	}
	parents, err := ipfs.Digests(job.Hyper.Parents())
	if err != nil {
		return err
	}
	switch {
	case !slices.Equal(parents, job.Order.Parents):
		return protocol.Errorf(protocol.KindInvalid, "parents", "the hyper-parameters derive the adapter from %d others, the order names %d: it must name just these, by digest in ascending order", len(parents), len(job.Order.Parents))
	case hash != job.Order.HyperHash:
		return protocol.Errorf(protocol.KindInvalid, "hyper", "these are not the hyper-parameters that the owner signed")
	case job.Order.Base != w.base:
		return protocol.Errorf(protocol.KindInvalid, "base", "this worker serves %s", w.base)
	case job.Order.Deadline <= time.Now().Unix():
		return protocol.Errorf(protocol.KindDeadline, "deadline", "the order has expired: the owner must sign a new one")
	}
	return nil
}

// run is what the steps of one training share.
type run struct {
	w        *Worker
	job      protocol.TrainingJob
	progress func(protocol.TrainingProgress) error
	version  *datanet.OpenedVersion
	renderer *finetune.Renderer
	examples []finetune.Example
	trained  []int // of examples
	held     []int // the others
	kept     []func()
}

// add stores a file of the adapter that is being made; it stays until release.
func (r *run) add(ctx context.Context, data []byte) (protocol.CID, error) {
	id, release, err := r.w.disk.add(ctx, data)
	if err == nil {
		r.kept = append(r.kept, release)
	}
	return id, err
}

// release ends the making of an adapter: if it was registered, the tier on disk keeps it.
func (r *run) release() {
	for _, f := range r.kept {
		f()
	}
}

func (w *Worker) train(ctx context.Context, job protocol.TrainingJob, progress func(protocol.TrainingProgress) error) (protocol.TrainingResult, error) {
	started := time.Now()
	r := &run{w: w, job: job, progress: progress}
	defer r.release()
	if err := r.fetch(ctx); err != nil {
		return protocol.TrainingResult{}, err
	}
	tuned, summary, err := r.fit(ctx)
	if err != nil {
		return protocol.TrainingResult{}, err
	}
	files := map[string]protocol.CID{}
	adapterDigest, err := r.writeAdapter(ctx, tuned, files)
	if err != nil {
		return protocol.TrainingResult{}, err
	}
	if err := r.writeReport(ctx, tuned, summary, files); err != nil {
		return protocol.TrainingResult{}, err
	}
	if err := r.writeIndex(ctx, tuned, adapterDigest, r.records(), files); err != nil {
		return protocol.TrainingResult{}, err
	}
	id, err := r.publish(ctx, files)
	if err != nil {
		return protocol.TrainingResult{}, err
	}
	tx, err := r.register(ctx, id)
	if err != nil {
		return protocol.TrainingResult{}, err
	}
	return protocol.TrainingResult{
		Adapter: id, Index: files[adapter.IndexFile], Steps: summary.Steps, LossFirst: summary.LossFirst, LossLast: summary.LossLast,
		Seconds: time.Since(started).Seconds(), Records: len(r.trained), Tokens: summary.AllTokens, Eval: evaluation(summary.Best), Report: files[adapter.EvaluationFile], TxHash: tx,
	}, r.tell(protocol.TrainingProgress{Phase: "done", Step: summary.Steps, Steps: summary.Steps, Loss: summary.LossLast})
}

func (r *run) tell(p protocol.TrainingProgress) error { return r.progress(p) }

// fetch gets the datanet version and turns its records into examples.
func (r *run) fetch(ctx context.Context) error {
	if err := r.tell(protocol.TrainingProgress{Phase: "fetch"}); err != nil {
		return err
	}
	var err error
	r.renderer, err = finetune.NewRenderer(r.w.cfg.Bundle.Tokenizer, r.job.Hyper.PromptTemplate, r.job.Hyper.AnswerTemplate)
	if err != nil {
		return badHyper(err)
	}
	if r.version, err = r.openVersion(ctx, r.job.Order.Root, r.job.Order.Datanet, r.job.Order.Version); err != nil {
		return err
	}
	for _, rec := range r.version.Records {
		if !rec.Trainable() {
			return protocol.Errorf(protocol.KindInvalid, "root", "record %s has no text: only text is learned from, and of pictures, sound and video their text fields", rec.CID())
		}
		e, err := r.renderer.Example(rec.ID, rec.Fields)
		if err != nil {
			return badHyper(fmt.Errorf("record %s: %w", rec.CID(), err))
		}
		e.Held = r.job.Hyper.HeldOut != "" && rec.Fields[r.job.Hyper.HeldOut] == protocol.HeldOutMark
		r.examples = append(r.examples, e)
	}
	if r.job.Hyper.HeldOut != "" {
		r.trained, r.held = finetune.Marked(r.examples)
	} else {
		r.trained, r.held = finetune.Split(r.examples, r.job.Hyper.EvalRatio)
	}
	return nil
}

// badHyper names the hyper-parameter that an error of the trainer is about, if there is one.
func badHyper(err error) error {
	var field *finetune.FieldError
	if errors.As(err, &field) {
		return protocol.Errorf(protocol.KindInvalid, "hyper."+field.Field, "%w", err)
	}
	return err
}

// evaluation is an evaluation in the network's words; nil stays nil.
func evaluation(e *finetune.Evaluation) *protocol.TrainingEval {
	if e == nil {
		return nil
	}
	return &protocol.TrainingEval{Step: e.Step, Loss: e.Loss, Exact: e.Exact, Records: e.Examples}
}

// checkpoints keeps a job's newest checkpoint in the worker's store.
type checkpoints struct {
	book *store.Worker
	job  protocol.Hash
}

// Save replaces the checkpoint.
func (c checkpoints) Save(state []byte) error { return c.book.PutCheckpoint(c.job, 0, state) }

// Load gives the newest checkpoint, nil when there is none.
func (c checkpoints) Load() ([]byte, error) {
	_, state, _, err := c.book.Checkpoint(c.job)
	return state, err
}

func (r *run) fit(ctx context.Context) (*lora.Adapter, finetune.Summary, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var last time.Time
	tuned, summary, err := finetune.Train(ctx, r.w.cfg.Model, r.examples, hyper(r.job.Hyper, r.w), checkpoints{r.w.book, r.job.ID}, func(p finetune.Progress) {
		if time.Since(last) < 200*time.Millisecond && p.Step != p.Steps && !p.Evaluated {
			return
		}
		last = time.Now()
		if err := r.tell(protocol.TrainingProgress{Phase: "train", Step: p.Step, Steps: p.Steps, Loss: p.Loss, TokensSec: p.TokensSec, ETA: p.ETA.Milliseconds(),
			Eval: evaluation(p.Eval)}); err != nil {
			cancel(err) // nobody listens any more
		}
	})
	if err != nil {
		return nil, summary, badHyper(err)
	}
	return tuned, summary, nil
}

func hyper(h protocol.Hyper, w *Worker) finetune.Config {
	return finetune.Config{
		Rank: h.Rank, Alpha: h.Alpha, Targets: h.Targets, LearningRate: h.LearningRate, WeightDecay: h.WeightDecay, Epochs: h.Epochs,
		BatchSize: h.BatchSize, MaxLength: h.MaxLength, WarmupRatio: h.WarmupRatio, Seed: h.Seed, Base: w.base,
		Schedule: h.Schedule, Accumulation: h.Accumulation, ClipNorm: h.ClipNorm, RSLoRA: h.RSLoRA,
		EvalRatio: h.EvalRatio, HeldOut: h.HeldOut != "", EvalSteps: h.EvalSteps, Patience: h.Patience, CheckpointEvery: w.cfg.CheckpointEvery, Logger: w.log,
	}
}

func (r *run) writeAdapter(ctx context.Context, a *lora.Adapter, files map[string]protocol.CID) (protocol.Hash, error) {
	config, tensors, err := weights.EncodePEFT(a, r.job.Order.Base.Hex())
	if err != nil {
		return protocol.Hash{}, err
	}
	if files[adapter.ConfigFile], err = r.add(ctx, config); err != nil {
		return protocol.Hash{}, err
	}
	if files[adapter.WeightsFile], err = r.add(ctx, tensors); err != nil {
		return protocol.Hash{}, err
	}
	return ipfs.Digest(files[adapter.WeightsFile])
}

// records are the examples that were trained on, as attribution wants them: those held out taught nothing.
func (r *run) records() []attrib.Record {
	records := make([]attrib.Record, len(r.trained))
	for j, i := range r.trained {
		e := r.examples[i]
		records[j] = attrib.Record{ID: e.Record, Contributor: r.version.Records[i].Contributor, Prompt: e.Prompt, Answer: e.Answer}
	}
	return records
}

func (r *run) writeIndex(ctx context.Context, a *lora.Adapter, adapterDigest protocol.Hash, records []attrib.Record, files map[string]protocol.CID) error {
	root, err := ipfs.Digest(r.job.Order.Root)
	if err != nil {
		return err
	}
	started := time.Now()
	var mu sync.Mutex
	var told error
	index, err := attrib.Build(ctx, attrib.BuildConfig{
		Base: r.job.Order.Base, Adapter: adapterDigest, Root: root, Seed: r.job.Hyper.Seed, MaxLength: r.job.Hyper.MaxLength,
		Progress: func(done, total int) {
			mu.Lock()
			defer mu.Unlock()
			p := protocol.TrainingProgress{Phase: "index", Step: done, Steps: total}
			if done > 0 {
				p.ETA = (time.Since(started) * time.Duration(total-done) / time.Duration(done)).Milliseconds()
			}
			if told == nil {
				told = r.tell(p)
			}
		},
	}, r.w.cfg.Model, a, records)
	if err != nil {
		return err
	}
	if told != nil {
		return told
	}
	raw, err := index.MarshalBinary()
	if err != nil {
		return err
	}
	files[adapter.IndexFile], err = r.add(ctx, raw)
	return err
}

// publish writes the manifest; its CID is the adapter's name for ever.
func (r *run) publish(ctx context.Context, files map[string]protocol.CID) (protocol.CID, error) {
	if err := r.tell(protocol.TrainingProgress{Phase: "publish"}); err != nil {
		return "", err
	}
	m := protocol.AdapterManifest{Name: r.job.Order.Name, Order: r.job.Order, Signature: r.job.Signature, Hyper: r.job.Hyper,
		Profile: Profile, Trainer: r.w.Owner(), Files: files}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return "", fmt.Errorf("adapter manifest: %w", err)
	}
	return r.add(ctx, b.Bytes())
}

// register puts adapter and lineage on the chain, once.
func (r *run) register(ctx context.Context, id protocol.CID) (protocol.Hash, error) {
	if err := r.tell(protocol.TrainingProgress{Phase: "register"}); err != nil {
		return protocol.Hash{}, err
	}
	digest, err := ipfs.Digest(id)
	if err != nil {
		return protocol.Hash{}, err
	}
	if err := r.w.disk.made(ctx, id); err != nil { // first: registered, it may be asked for
		return protocol.Hash{}, err
	}
	if _, err := r.w.chain.Adapter(ctx, digest); err == nil {
		return protocol.Hash{}, nil // registered by an attempt that was cut off
	} else if protocol.KindOf(err) != protocol.KindNotFound {
		return protocol.Hash{}, err
	}
	tx, err := r.w.cfg.Sender.RegisterAdapter(ctx, r.job.Order, r.job.Signature, id, digest)
	return tx.Hash, err
}
