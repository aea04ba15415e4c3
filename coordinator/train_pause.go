package coordinator

import (
	"context"
	"encoding/json"
	"time"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/scheduler"
	"github.com/openledger/openledger/store"
)

// A paused training is one that is stored and that nobody runs. Its worker has the
// checkpoint, with which it goes on and ends with the bits of an undisturbed training; when
// that worker is gone, another one starts over.

// PauseTraining has a job wait, on its owner's signed request. One that is paused stays so.
func (c *Coordinator) PauseTraining(ctx context.Context, id protocol.Hash, r api.CancelRequest) error {
	rec, err := c.storedTraining(id)
	if err != nil {
		return err
	}
	if err := checkPersonal(api.PauseText(id, r), r.At, rec.Job.Order.Owner, r.Signature); err != nil {
		return err
	}
	return c.pauseTraining(ctx, id)
}

// ResumeTraining has a paused job go on, on its owner's signed request. One that goes on
// already does so.
func (c *Coordinator) ResumeTraining(_ context.Context, id protocol.Hash, r api.CancelRequest) error {
	rec, err := c.storedTraining(id)
	if err != nil {
		return err
	}
	if err := checkPersonal(api.ResumeText(id, r), r.At, rec.Job.Order.Owner, r.Signature); err != nil {
		return err
	}
	return c.goOnTraining(id)
}

func (c *Coordinator) storedTraining(id protocol.Hash) (d trainingDetail, err error) {
	rec, err := c.book.Job(id)
	if err == nil && rec.Kind != trainingKind {
		err = protocol.Errorf(protocol.KindNotFound, "id", "job %s is not a training job", id)
	}
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(rec.Detail, &d); err != nil {
		return d, protocol.Errorf(protocol.KindCorrupt, "detail", "training job %s: %w", id, err)
	}
	return d, nil
}

func (c *Coordinator) pauseTraining(ctx context.Context, id protocol.Hash) error {
	c.mu.Lock()
	t := c.training[id]
	c.mu.Unlock()
	if t == nil {
		s, err := c.TrainingJob(ctx, id)
		if err == nil && s.State != string(store.JobPaused) {
			err = protocol.Errorf(protocol.KindInvalid, "id", "the job has %s: there is nothing to pause", s.State)
		}
		return err
	}
	if !t.end(func(s *api.TrainingStatus) {
		s.State = string(store.JobPaused)
		noteEvent(s, "paused by its owner")
	}) {
		return protocol.Errorf(protocol.KindInvalid, "id", "the job has ended meanwhile: there is nothing to pause")
	}
	err := c.saveFinal(t)
	t.cancel()
	c.step(scheduler.Cancel{At: now(), Job: id})
	c.forget(t) // last: from here on it can be resumed
	return err
}

func (c *Coordinator) goOnTraining(id protocol.Hash) error {
	running, err := c.started()
	if err != nil {
		return err
	}
	c.mu.Lock()
	live := c.training[id] != nil
	c.mu.Unlock()
	if live {
		return nil
	}
	d, err := c.storedTraining(id)
	switch {
	case err != nil:
		return err
	case d.Status.State != string(store.JobPaused):
		return protocol.Errorf(protocol.KindInvalid, "id", "the job has %s: only a paused one can go on", d.Status.State)
	case d.Job.Order.Deadline <= time.Now().Unix():
		return protocol.Errorf(protocol.KindDeadline, "deadline", "the order expired while it was paused: sign a new one")
	}
	worker := d.Status.Worker
	d.Status.State, d.Status.Error = string(store.JobQueued), ""
	noteEvent(&d.Status, "resumed by its owner")
	if t := c.takeUp(running, d, worker); t != nil {
		return c.save(t)
	}
	return nil
}

// cancelPaused ends a job that nobody runs, on its owner's signed request. One that is over
// stays as it is.
func (c *Coordinator) cancelPaused(_ context.Context, id protocol.Hash, r api.CancelRequest) error {
	d, err := c.storedTraining(id)
	if err != nil || d.Status.State != string(store.JobPaused) {
		return err
	}
	if err := checkPersonal(api.CancelText(id, r), r.At, d.Job.Order.Owner, r.Signature); err != nil {
		return err
	}
	return c.dropPaused(id)
}

func (c *Coordinator) dropPaused(id protocol.Hash) error {
	d, err := c.storedTraining(id)
	if err != nil || d.Status.State != string(store.JobPaused) {
		return err
	}
	t := newTraining(c.running, d.Job)
	t.status = d.Status
	c.endTraining(t, nil, protocol.Errorf(protocol.KindCancelled, "", "cancelled by its owner"))
	return nil
}

// PauseFineTune has a job wait that trains.
func (c *Coordinator) PauseFineTune(ctx context.Context, owner protocol.Account, id string) (api.FineTune, error) {
	return c.controlTune(ctx, owner, id, func(training protocol.Hash) error { return c.pauseTraining(ctx, training) })
}

// ResumeFineTune has a paused job go on.
func (c *Coordinator) ResumeFineTune(ctx context.Context, owner protocol.Account, id string) (api.FineTune, error) {
	return c.controlTune(ctx, owner, id, c.goOnTraining)
}

func (c *Coordinator) controlTune(ctx context.Context, owner protocol.Account, id string, do func(training protocol.Hash) error) (api.FineTune, error) {
	c.tunes.mu.Lock()
	rec, s, err := c.tune(owner, id)
	live := c.tunes.live[rec.ID]
	c.tunes.mu.Unlock()
	if err != nil {
		return api.FineTune{}, err
	}
	if live != nil {
		s = live.current()
	}
	switch {
	case s.over():
		return api.FineTune{}, protocol.Errorf(protocol.KindInvalid, "fine_tuning_job_id", "the job has %s: it can neither be paused nor resumed", s.Status)
	case s.Training == nil:
		return api.FineTune{}, protocol.Errorf(protocol.KindBusy, "fine_tuning_job_id", "the job is still making a datanet of its file: it can be paused once it is queued")
	}
	switch err := do(s.Training.ID); {
	case protocol.KindOf(err) == protocol.KindNotFound: // its order is kept before it is given
		return api.FineTune{}, protocol.Errorf(protocol.KindBusy, "fine_tuning_job_id", "the job's training is just being ordered: try again in a moment")
	case err != nil:
		return api.FineTune{}, err
	}
	status, err := c.TrainingJob(ctx, s.Training.ID)
	if err != nil || live == nil {
		return viewOf(rec.ID, rec.Owner, rec.CreatedAt, s), err
	}
	if err := c.noteState(live, status.State); err != nil {
		return api.FineTune{}, err
	}
	return live.snapshot(), nil
}

// noteState takes over that a job's training waits, or goes on.
func (c *Coordinator) noteState(t *liveTune, training string) error {
	was := t.current().Status
	switch {
	case training == string(store.JobPaused) && was != tunePaused:
		return c.putTune(t, func(s *tuneState) { s.Status = tunePaused }, "The job was paused")
	case training != string(store.JobPaused) && was == tunePaused:
		return c.putTune(t, func(s *tuneState) { s.Status = tuneQueued }, "The job was resumed")
	}
	return nil
}
