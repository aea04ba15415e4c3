package store

import (
	"encoding/binary"

	"github.com/openledger/openledger/protocol"
)

// JobStatus is where a training job stands.
type JobStatus string

// Statuses of a job.
const (
	JobQueued    JobStatus = "queued"
	JobRunning   JobStatus = "running"
	JobDone      JobStatus = "done"
	JobFailed    JobStatus = "failed"
	JobCancelled JobStatus = "cancelled"
	JobPaused    JobStatus = "paused" // by its owner, who may resume it
)

// Finished says whether the status is final.
func (s JobStatus) Finished() bool {
	return s == JobDone || s == JobFailed || s == JobCancelled
}

// TrainingRecord is one training job on a worker.
type TrainingRecord struct {
	Job       protocol.TrainingJob      `json:"job"`
	Status    JobStatus                 `json:"status"`
	Progress  protocol.TrainingProgress `json:"progress"`
	Result    protocol.TrainingResult   `json:"result"`
	Error     string                    `json:"error,omitempty"`
	CreatedAt int64                     `json:"created_at"`
	UpdatedAt int64                     `json:"updated_at"`
}

// PutTraining stores a training job's state. A finished job's checkpoint goes
// with the same step.
func (w *Worker) PutTraining(rec TrainingRecord) error {
	return w.db.Update(func(tx *Tx) error {
		if rec.Status.Finished() {
			if err := checkpointTable.Delete(tx, rec.Job.ID); err != nil {
				return err
			}
		}
		return trainingTable.Put(tx, rec.Job.ID, rec)
	})
}

// Training gives one training job, or an error of kind not_found.
func (w *Worker) Training(id protocol.Hash) (TrainingRecord, error) {
	return trainingTable.Must(w.db, id)
}

// Trainings lists the training jobs; unfinished only those a restart must resume.
func (w *Worker) Trainings(unfinished bool) ([]TrainingRecord, error) {
	var out []TrainingRecord
	err := trainingTable.Scan(w.db, func(_ protocol.Hash, r TrainingRecord) error {
		if !unfinished || !r.Status.Finished() {
			out = append(out, r)
		}
		return nil
	})
	return out, err
}

// MaxCheckpointBytes bounds one checkpoint.
const MaxCheckpointBytes = 1 << 30

// PutCheckpoint replaces a training job's checkpoint.
func (w *Worker) PutCheckpoint(job protocol.Hash, step int, state []byte) error {
	if step < 0 || len(state) > MaxCheckpointBytes {
		return protocol.Errorf(protocol.KindInvalid, "checkpoint", "step %d with %d bytes: at most %d bytes", step, len(state), MaxCheckpointBytes)
	}
	value := append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(state)), uint64(step)), state...)
	return w.db.Update(func(tx *Tx) error { return checkpointTable.Put(tx, job, value) })
}

// Checkpoint gives a training job's newest checkpoint.
func (w *Worker) Checkpoint(job protocol.Hash) (step int, state []byte, ok bool, err error) {
	value, ok, err := checkpointTable.Get(w.db, job)
	if err != nil || !ok {
		return 0, nil, false, err
	}
	if len(value) < 8 {
		return 0, nil, false, protocol.Errorf(protocol.KindCorrupt, "", "checkpoint of %s has %d bytes", job, len(value))
	}
	return int(binary.BigEndian.Uint64(value)), value[8:], true, nil
}
