package store

import (
	"encoding/json"

	"github.com/openledger/openledger/protocol"
)

// JobRecord is one job as a coordinator knows it.
type JobRecord struct {
	ID        protocol.Hash    `json:"id"`
	Kind      string           `json:"kind"` // "infer" or "train"
	Requester protocol.Account `json:"requester"`
	Worker    protocol.Account `json:"worker"` // who has it now, or had it last
	Peer      protocol.PeerID  `json:"peer,omitempty"`
	Status    JobStatus        `json:"status"`
	Error     string           `json:"error,omitempty"`
	Detail    json.RawMessage  `json:"detail,omitempty"` // the coordinator's own state
	CreatedAt int64            `json:"created_at"`
	UpdatedAt int64            `json:"updated_at"`
}

// PutJob stores a job's state. CreatedAt of the first call stays.
func (c *Coordinator) PutJob(rec JobRecord) error {
	return c.db.Update(func(tx *Tx) error {
		old, ok, err := jobTable.Get(tx, rec.ID)
		if err != nil {
			return err
		}
		if ok {
			rec.CreatedAt = old.CreatedAt
		} else if err := jobByTime.Put(tx, PairOf(rec.CreatedAt, rec.ID), Mark{}); err != nil {
			return err
		}
		return jobTable.Put(tx, rec.ID, rec)
	})
}

// Job gives one job, or an error of kind not_found.
func (c *Coordinator) Job(id protocol.Hash) (JobRecord, error) { return jobTable.Must(c.db, id) }

// Jobs lists jobs from the newest; keep (nil: all) chooses. Limit 0 means all.
func (c *Coordinator) Jobs(limit int, keep func(*JobRecord) bool) ([]JobRecord, error) {
	var out []JobRecord
	err := jobByTime.ScanReverse(c.db, func(k Pair[int64, protocol.Hash], _ Mark) error {
		rec, ok, err := jobTable.Get(c.db, k.B)
		if err != nil {
			return err
		}
		if ok && (keep == nil || keep(&rec)) {
			out = append(out, rec)
		}
		if limit > 0 && len(out) >= limit {
			return ErrStop
		}
		return nil
	})
	return out, err
}
