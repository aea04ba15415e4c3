package coordinator

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/scheduler"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/ipfs"
)

// What is kept of one job, whatever a worker reports.
const (
	maxLosses = 100_000
	maxEvals  = 2_000
	maxEvents = 500 // beyond it, the oldest go
	// saveEvery is how often a running job's curves are written down.
	saveEvery = 10 * time.Second
)

// trainingKind marks training jobs among the stored jobs.
const trainingKind = "train"

// liveTraining is a training job that is queued or running now.
type liveTraining struct {
	ctx    context.Context
	cancel context.CancelFunc

	release context.CancelFunc // of the current attempt; guarded by Coordinator.mu

	saving sync.Mutex // one state after the other reaches the store
	told   string     // the state published last; guarded by saving

	mu     sync.Mutex
	job    protocol.TrainingJob
	status api.TrainingStatus
	owner  protocol.Account
	ended  bool // the status is final, or the job paused: another liveTraining goes on with it
}

// trainingDetail is what a restart needs of a training job.
type trainingDetail struct {
	Job    protocol.TrainingJob `json:"job"`
	Status api.TrainingStatus   `json:"status"`
}

// StartTraining checks an owner's order and queues the job. The same job again is
// not started twice.
func (c *Coordinator) StartTraining(ctx context.Context, job protocol.TrainingJob) (api.TrainingStatus, error) {
	running, err := c.started()
	if err != nil {
		return api.TrainingStatus{}, err
	}
	if err := c.checkOrder(ctx, job); err != nil {
		return api.TrainingStatus{}, err
	}
	if job.ID == (protocol.Hash{}) {
		return api.TrainingStatus{}, protocol.Errorf(protocol.KindInvalid, "id", "it is zero: choose a random one")
	}
	switch status, err := c.TrainingJob(ctx, job.ID); {
	case err == nil:
		return status, nil
	case protocol.KindOf(err) != protocol.KindNotFound:
		return api.TrainingStatus{}, err
	}
	if err := c.checkLineage(ctx, job); err != nil {
		return api.TrainingStatus{}, err
	}
	job.Sources = c.trainingSources(job.Hyper)
	t := newTraining(running, job)
	t.status.State = string(store.JobQueued)
	t.note("ordered; waiting for a worker")
	c.mu.Lock()
	if live := c.training[job.ID]; live != nil {
		c.mu.Unlock()
		return live.snapshot(), nil
	}
	c.training[job.ID] = t
	c.mu.Unlock()
	if _, err := c.book.Job(job.ID); err == nil {
		c.forget(t)
		return c.TrainingJob(ctx, job.ID)
	}
	if err := c.save(t); err != nil {
		c.forget(t)
		return api.TrainingStatus{}, err
	}
	c.submitTraining(t)
	return t.snapshot(), nil
}

func newTraining(running context.Context, job protocol.TrainingJob) *liveTraining {
	ctx, cancel := context.WithCancel(running)
	return &liveTraining{ctx: ctx, cancel: cancel, job: job, owner: job.Order.Owner,
		status: api.TrainingStatus{ID: job.ID, Name: job.Order.Name, Terms: &api.TrainingTerms{
			Owner: job.Order.Owner, Datanet: job.Order.Datanet, Version: job.Order.Version, Hyper: job.Hyper, At: time.Now().UnixMilli()}}}
}

// checkOrder refuses an order that the registry would refuse after the training.
func (c *Coordinator) checkOrder(ctx context.Context, job protocol.TrainingJob) error {
	o := job.Order
	if err := job.Hyper.Validate(); err != nil {
		return err
	}
	signer, err := wire.TrainingOrderSigner(c.modelsDomain, o, job.Signature)
	if err != nil {
		return err
	}
	if err := c.chain.SpeaksFor(ctx, signer, o.Owner, protocol.ScopeTrain); err != nil {
		return err
	}
	hash, err := wire.HyperHash(job.Hyper)
	if err != nil {
		return err
	}
	switch {
	case hash != o.HyperHash:
		return protocol.Errorf(protocol.KindInvalid, "hyper", "these are not the hyper-parameters that the owner signed")
	case o.Base != c.cfg.Base:
		return protocol.Errorf(protocol.KindNotFound, "base", "this network serves the base %s (%s)", c.cfg.BaseName, c.cfg.Base)
	case o.Deadline <= time.Now().Unix():
		return protocol.Errorf(protocol.KindDeadline, "deadline", "the order has expired: sign a new one")
	}
	versions, err := c.Versions(ctx, o.Datanet)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if v.Number == o.Version {
			if v.Root != o.Root {
				return protocol.Errorf(protocol.KindInvalid, "root", "version %d of datanet %d has the root %s on the chain", o.Version, o.Datanet, v.Root)
			}
			return nil
		}
	}
	return protocol.Errorf(protocol.KindNotFound, "version", "datanet %d has no published version %d", o.Datanet, o.Version)
}

func (c *Coordinator) submitTraining(t *liveTraining) {
	c.step(&scheduler.Submit{At: now(), Job: t.job.ID, Tenant: t.owner, Base: t.job.Order.Base, Training: true})
}

// applyTraining carries one effect on a training job out; c.mu is held.
func (c *Coordinator) applyTraining(t *liveTraining, e scheduler.Effect) {
	switch e.Kind {
	case scheduler.Dispatch:
		ctx, cancel := context.WithCancel(t.ctx)
		t.release = cancel
		c.tasks.Go(func() error {
			defer cancel()
			c.train(ctx, t, e.Worker)
			return nil
		})
	case scheduler.Retry:
		c.log.Info("training moves to another worker", "job", e.Job, "worker", e.Worker, "reason", e.Reason)
		t.note("moves to another worker: " + e.Reason)
	case scheduler.Release:
		if t.release != nil {
			t.release()
		}
	case scheduler.Refuse:
		c.tasks.Go(func() error {
			c.endTraining(t, nil, protocol.Errorf(e.Err, "", "%s", e.Reason))
			return nil
		})
	}
}

// train runs a job on one worker. A worker that drops out gets a grace to come back:
// it has the checkpoint, and another worker would start over.
func (c *Coordinator) train(ctx context.Context, t *liveTraining, worker protocol.PeerID) {
	result, err := c.trainOn(ctx, t, worker)
	switch {
	case t.paused(): // whoever resumes it asks the worker again
	case err == nil:
		c.endTraining(t, &result, nil)
		c.step(scheduler.Done{At: now(), Job: t.job.ID, Worker: worker})
	case c.running.Err() != nil: // stopping: the job stays in the store and goes on after the restart
	case t.ctx.Err() != nil:
		c.endTraining(t, nil, protocol.Errorf(protocol.KindCancelled, "", "cancelled by its owner"))
		c.step(scheduler.Cancel{At: now(), Job: t.job.ID})
	default:
		kind := protocol.KindOf(err)
		c.step(scheduler.Fail{At: now(), Job: t.job.ID, Worker: worker, Kind: kind, Reason: err.Error(), Retriable: retriable(kind)})
	}
}

func (c *Coordinator) trainOn(ctx context.Context, t *liveTraining, worker protocol.PeerID) (protocol.TrainingResult, error) {
	t.note("goes to worker " + string(worker))
	t.update(func(s *api.TrainingStatus) { s.State, s.Worker = string(store.JobRunning), worker })
	if err := c.save(t); err != nil {
		return protocol.TrainingResult{}, err
	}
	lost, saved := time.Time{}, time.Now()
	for {
		result, err := c.host.Train(ctx, worker, t.job, func(p protocol.TrainingProgress) error {
			lost = time.Time{}
			phase := t.phase()
			t.progressed(p)
			if p.Phase != phase || time.Since(saved) > saveEvery {
				if err := c.save(t); err != nil {
					return err
				}
				saved = time.Now()
			}
			c.step(scheduler.Token{At: now(), Job: t.job.ID, Worker: worker})
			return nil
		})
		if err == nil {
			return result, c.takeAdapter(ctx, t.job.Order, result.Adapter)
		}
		kind := protocol.KindOf(err)
		if ctx.Err() != nil || kind != protocol.KindUnavailable && kind != protocol.KindBusy {
			return result, err
		}
		if lost.IsZero() {
			lost = time.Now()
			c.log.Warn("lost the worker of a training job; waiting for it", "job", t.job.ID, "worker", worker, "err", err)
			t.note("lost the worker, waiting for it to come back: " + err.Error())
		}
		if time.Since(lost) > c.cfg.TrainingGrace {
			return result, err
		}
		select {
		case <-ctx.Done():
			return result, ctx.Err()
		case <-time.After(time.Second):
		}
		c.step(scheduler.Token{At: now(), Job: t.job.ID, Worker: worker}) // still waiting, on purpose
	}
}

// takeAdapter checks that a trained adapter is the registry's, for the owner's order,
// and keeps a copy, so that it outlives the worker that trained it. A copy that can't be
// had now is no failure: the worker still serves it.
func (c *Coordinator) takeAdapter(ctx context.Context, o protocol.TrainingOrder, id protocol.CID) error {
	digest, err := ipfs.Digest(id)
	if err != nil {
		return err
	}
	a, err := c.chain.Adapter(ctx, digest)
	if err != nil {
		return fmt.Errorf("the adapter of the training: %w", err)
	}
	if a.Owner != o.Owner || a.Name != o.Name || a.Datanet != o.Datanet || a.Version != o.Version || a.Revision != o.Revision {
		return protocol.Errorf(protocol.KindCorrupt, "adapter", "the worker named %s, which is not of this order", id)
	}
	ctx, cancel := context.WithTimeout(ctx, adapterTimeout)
	defer cancel()
	if err := c.copyAdapter(ctx, id); err != nil {
		c.log.Warn("no copy of a new adapter: it is on its worker only", "adapter", id, "err", err)
	}
	return nil
}

// copyAdapter fetches an adapter's manifest and the files that it lists.
func (c *Coordinator) copyAdapter(ctx context.Context, id protocol.CID) error {
	raw, err := c.ipfs.ReadFile(ctx, id, c.workerAddrs(), maxManifestBytes)
	if err != nil {
		return err
	}
	var m protocol.AdapterManifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return protocol.Errorf(protocol.KindCorrupt, "adapter", "%s is not a manifest: %w", id, err)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		if _, err := c.ipfs.Fetch(ctx, m.Files[name], c.workerAddrs()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// How much of an adapter is copied, and for how long.
const (
	maxManifestBytes = 64 << 10
	adapterTimeout   = 2 * time.Minute
)

// endTraining writes a job's outcome. The first one stands.
func (c *Coordinator) endTraining(t *liveTraining, result *protocol.TrainingResult, err error) {
	first := t.end(func(s *api.TrainingStatus) {
		switch {
		case err == nil:
			s.State, s.Result = "succeeded", result
			s.Progress = protocol.TrainingProgress{Phase: "done", Step: result.Steps, Steps: result.Steps, Loss: result.LossLast, Eval: result.Eval}
			noteEvent(s, "done: the adapter is "+string(result.Adapter))
		case protocol.KindOf(err) == protocol.KindCancelled:
			s.State, s.Error = string(store.JobCancelled), err.Error()
			noteEvent(s, err.Error())
		default:
			s.State, s.Error = string(store.JobFailed), err.Error()
			noteEvent(s, "failed: "+err.Error())
		}
	})
	if !first {
		return
	}
	if err := c.saveFinal(t); err != nil {
		c.log.Error("outcome of a training job not stored", "job", t.job.ID, "err", err)
	}
	c.forget(t)
	t.cancel()
}

func (c *Coordinator) forget(t *liveTraining) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.training[t.job.ID] == t {
		delete(c.training, t.job.ID)
	}
}

// save stores a job as it is. What comes late, of a job that is over or paused, changes
// nothing.
func (c *Coordinator) save(t *liveTraining) error {
	t.saving.Lock()
	defer t.saving.Unlock()
	if t.over() {
		return nil
	}
	return c.put(t)
}

func (c *Coordinator) saveFinal(t *liveTraining) error {
	t.saving.Lock()
	defer t.saving.Unlock()
	return c.put(t)
}

// put stores a job and publishes its state, if that is new; t.saving is held.
func (c *Coordinator) put(t *liveTraining) error {
	status := t.snapshot()
	detail, err := json.Marshal(trainingDetail{Job: t.job, Status: status})
	if err != nil {
		return fmt.Errorf("store a training job: %w", err)
	}
	if t.told != status.State {
		t.told = status.State
		defer c.tellTraining(&status)
	}
	stored := map[string]store.JobStatus{"queued": store.JobQueued, "running": store.JobRunning, "succeeded": store.JobDone,
		"failed": store.JobFailed, "cancelled": store.JobCancelled, "paused": store.JobPaused}[status.State]
	return c.book.PutJob(store.JobRecord{ID: t.job.ID, Kind: trainingKind, Requester: t.owner, Peer: status.Worker,
		Status: stored, Error: status.Error, Detail: detail, CreatedAt: now(), UpdatedAt: now()})
}

// resumeTraining takes up the jobs that a restart interrupted: first with the worker
// that had them, which holds the checkpoint.
func (c *Coordinator) resumeTraining(ctx context.Context) error {
	jobs, err := c.book.Jobs(0, func(r *store.JobRecord) bool {
		return r.Kind == trainingKind && !r.Status.Finished() && r.Status != store.JobPaused
	})
	if err != nil {
		return err
	}
	for _, rec := range jobs {
		var d trainingDetail
		if err := json.Unmarshal(rec.Detail, &d); err != nil {
			return protocol.Errorf(protocol.KindCorrupt, "detail", "training job %s: %w", rec.ID, err)
		}
		c.takeUp(ctx, d, rec.Peer)
	}
	return nil
}

// takeUp goes on with a stored job, and gives it; nil when it goes on already.
func (c *Coordinator) takeUp(ctx context.Context, d trainingDetail, worker protocol.PeerID) *liveTraining {
	t := newTraining(ctx, d.Job)
	t.job.Sources = c.trainingSources(d.Job.Hyper)
	t.status = d.Status
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.training[d.Job.ID] != nil {
		t.cancel()
		return nil
	}
	c.training[d.Job.ID] = t
	c.tasks.Go(func() error {
		c.resume(ctx, t, worker)
		return nil
	})
	return t
}

// resume goes on with one job after a restart.
func (c *Coordinator) resume(ctx context.Context, t *liveTraining, worker protocol.PeerID) {
	if worker == "" {
		c.submitTraining(t)
		return
	}
	result, err := c.trainOn(t.ctx, t, worker)
	switch {
	case t.paused(): // again
	case err == nil:
		c.endTraining(t, &result, nil)
	case ctx.Err() != nil: // stopping again
	case t.ctx.Err() != nil:
		c.endTraining(t, nil, protocol.Errorf(protocol.KindCancelled, "", "cancelled by its owner"))
	default:
		c.log.Warn("the worker of a training job did not come back", "job", t.job.ID, "err", err)
		c.submitTraining(t)
	}
}

// TrainingJob says where a job stands.
func (c *Coordinator) TrainingJob(_ context.Context, id protocol.Hash) (api.TrainingStatus, error) {
	c.mu.Lock()
	live := c.training[id]
	c.mu.Unlock()
	if live != nil {
		return live.snapshot(), nil
	}
	rec, err := c.book.Job(id)
	if err == nil && rec.Kind != trainingKind {
		err = protocol.Errorf(protocol.KindNotFound, "id", "job %s is not a training job", id)
	}
	if err != nil {
		return api.TrainingStatus{}, err
	}
	var d trainingDetail
	if err := json.Unmarshal(rec.Detail, &d); err != nil {
		return api.TrainingStatus{}, protocol.Errorf(protocol.KindCorrupt, "detail", "training job %s: %w", id, err)
	}
	return d.Status, nil
}

// TrainingJobs lists jobs from the newest, without their curves and logs.
func (c *Coordinator) TrainingJobs(ctx context.Context) ([]api.TrainingStatus, error) {
	jobs, err := c.book.Jobs(100, func(r *store.JobRecord) bool { return r.Kind == trainingKind })
	if err != nil {
		return nil, err
	}
	out := make([]api.TrainingStatus, 0, len(jobs))
	for _, rec := range jobs {
		s, err := c.TrainingJob(ctx, rec.ID)
		if err != nil {
			return nil, err
		}
		s.Losses, s.Steps, s.Evals, s.Events = nil, nil, nil, nil
		out = append(out, s)
	}
	return out, nil
}

// CancelTraining stops a job on its owner's signed request. A job that is over stays
// as it is.
func (c *Coordinator) CancelTraining(ctx context.Context, id protocol.Hash, r api.CancelRequest) error {
	c.mu.Lock()
	t := c.training[id]
	c.mu.Unlock()
	if t == nil {
		return c.cancelPaused(ctx, id, r)
	}
	if err := checkPersonal(api.CancelText(id, r), r.At, t.owner, r.Signature); err != nil {
		return err
	}
	return c.stopTraining(id)
}

// stopTraining ends a training whose owner wants it to end.
func (c *Coordinator) stopTraining(id protocol.Hash) error {
	c.mu.Lock()
	t := c.training[id]
	c.mu.Unlock()
	if t == nil {
		return c.dropPaused(id)
	}
	t.cancel()
	c.step(scheduler.Cancel{At: now(), Job: id})
	c.endTraining(t, nil, protocol.Errorf(protocol.KindCancelled, "", "cancelled by its owner"))
	return nil
}

// update changes the status of a job that is not over.
func (t *liveTraining) update(f func(*api.TrainingStatus)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		f(&t.status)
	}
}

// end makes the status final, and says whether it was not before.
func (t *liveTraining) end(f func(*api.TrainingStatus)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return false
	}
	f(&t.status)
	t.ended = true
	return true
}

func (t *liveTraining) over() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended
}

func (t *liveTraining) paused() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status.State == string(store.JobPaused)
}

// snapshot copies the status. Its lists only grow, so the copy may share them.
func (t *liveTraining) snapshot() api.TrainingStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status
}
