package store

import (
	"encoding/json"

	"github.com/openledger/openledger/protocol"
)

// FileRecord is a file that an account uploaded. Its bytes lie elsewhere.
type FileRecord struct {
	ID        protocol.Hash    `json:"id"`
	Owner     protocol.Account `json:"owner"`
	Name      string           `json:"name"`
	Purpose   string           `json:"purpose"`
	Bytes     int64            `json:"bytes"`
	SHA256    protocol.Hash    `json:"sha256"`
	CreatedAt int64            `json:"created_at"` // Unix ms
}

// TuneRecord is a fine-tuning job of an account.
type TuneRecord struct {
	ID        protocol.Hash    `json:"id"`
	Owner     protocol.Account `json:"owner"`
	Finished  bool             `json:"finished"`
	CreatedAt int64            `json:"created_at"` // Unix ms
	Detail    json.RawMessage  `json:"detail"`     // the coordinator's own state
}

// TuneEvent is something that happened to a fine-tuning job.
type TuneEvent struct {
	Seq     uint64 `json:"seq"` // from 0
	At      int64  `json:"at"`  // Unix ms
	Level   string `json:"level"`
	Message string `json:"message"`
}

// TuneMetric is what a step of a fine-tuning job came to.
type TuneMetric struct {
	Step  int      `json:"step"`
	At    int64    `json:"at"`             // Unix ms
	Loss  float64  `json:"loss"`           // of the step
	Valid *float64 `json:"eval,omitempty"` // of the newest evaluation on held-out records, if it was of this step
}

// AddFile stores a new file. The same ID again is an error of kind already_exists.
func (c *Coordinator) AddFile(f FileRecord) error {
	return c.db.Update(func(tx *Tx) error {
		if err := fileTable.Insert(tx, f.ID, f); err != nil {
			return err
		}
		return fileByOwner.Put(tx, PairOf(f.Owner, PairOf(f.CreatedAt, f.ID)), Mark{})
	})
}

// File gives one file, or an error of kind not_found.
func (c *Coordinator) File(id protocol.Hash) (FileRecord, error) { return fileTable.Must(c.db, id) }

// FilesOf lists an account's files from the oldest.
func (c *Coordinator) FilesOf(owner protocol.Account) ([]FileRecord, error) {
	var out []FileRecord
	err := ScanFirst(c.db, fileByOwner, AccountKey(), owner, func(k Pair[int64, protocol.Hash], _ Mark) error {
		f, ok, err := fileTable.Get(c.db, k.B)
		if err == nil && ok {
			out = append(out, f)
		}
		return err
	})
	return out, err
}

// EachFile calls fn with every file.
func (c *Coordinator) EachFile(fn func(FileRecord) error) error {
	return fileTable.Scan(c.db, func(_ protocol.Hash, f FileRecord) error { return fn(f) })
}

// DeleteFile forgets a file. Doing it again changes nothing.
func (c *Coordinator) DeleteFile(id protocol.Hash) error {
	return c.db.Update(func(tx *Tx) error {
		f, ok, err := fileTable.Get(tx, id)
		if err != nil || !ok {
			return err
		}
		if err := fileByOwner.Delete(tx, PairOf(f.Owner, PairOf(f.CreatedAt, f.ID))); err != nil {
			return err
		}
		return fileTable.Delete(tx, id)
	})
}

// PutTune stores a job's state together with events and metrics that are new. Owner and
// CreatedAt of the first call stay.
func (c *Coordinator) PutTune(rec TuneRecord, events []TuneEvent, metrics []TuneMetric) error {
	return c.db.Update(func(tx *Tx) error {
		old, ok, err := tuneTable.Get(tx, rec.ID)
		if err != nil {
			return err
		}
		if ok {
			rec.Owner, rec.CreatedAt = old.Owner, old.CreatedAt
		} else if err := tuneByOwner.Put(tx, PairOf(rec.Owner, PairOf(rec.CreatedAt, rec.ID)), Mark{}); err != nil {
			return err
		}
		for _, e := range events {
			if err := tuneEvents.Put(tx, PairOf(rec.ID, e.Seq), e); err != nil {
				return err
			}
		}
		for _, m := range metrics {
			if err := tuneMetrics.Put(tx, PairOf(rec.ID, uint64(m.Step)), m); err != nil {
				return err
			}
		}
		return tuneTable.Put(tx, rec.ID, rec)
	})
}

// Tune gives one job, or an error of kind not_found.
func (c *Coordinator) Tune(id protocol.Hash) (TuneRecord, error) { return tuneTable.Must(c.db, id) }

// TunesOf lists an account's jobs from the oldest.
func (c *Coordinator) TunesOf(owner protocol.Account) ([]TuneRecord, error) {
	var out []TuneRecord
	err := ScanFirst(c.db, tuneByOwner, AccountKey(), owner, func(k Pair[int64, protocol.Hash], _ Mark) error {
		r, ok, err := tuneTable.Get(c.db, k.B)
		if err == nil && ok {
			out = append(out, r)
		}
		return err
	})
	return out, err
}

// UnfinishedTunes lists the jobs of all accounts that are not over.
func (c *Coordinator) UnfinishedTunes() ([]TuneRecord, error) {
	var out []TuneRecord
	err := tuneTable.Scan(c.db, func(_ protocol.Hash, r TuneRecord) error {
		if !r.Finished {
			out = append(out, r)
		}
		return nil
	})
	return out, err
}

// TuneEvents lists a job's events from the oldest.
func (c *Coordinator) TuneEvents(id protocol.Hash) ([]TuneEvent, error) {
	var out []TuneEvent
	err := ScanFirst(c.db, tuneEvents, HashKey(), id, func(_ uint64, e TuneEvent) error {
		out = append(out, e)
		return nil
	})
	return out, err
}

// TuneMetrics lists a job's metrics by step.
func (c *Coordinator) TuneMetrics(id protocol.Hash) ([]TuneMetric, error) {
	var out []TuneMetric
	err := ScanFirst(c.db, tuneMetrics, HashKey(), id, func(_ uint64, m TuneMetric) error {
		out = append(out, m)
		return nil
	})
	return out, err
}
