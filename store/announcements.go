package store

import "github.com/openledger/openledger/protocol"

// NextSequence gives the next announcement sequence of a peer, greater than any
// given before, across restarts and crashes. floor lifts it (say to the current
// Unix time in ms), so that a lost database does not silence the worker.
func (w *Worker) NextSequence(peer protocol.PeerID, floor uint64) (uint64, error) {
	var next uint64
	err := w.db.Update(func(tx *Tx) error {
		last, _, err := sequenceTable.Get(tx, peer)
		if err != nil {
			return err
		}
		next = max(last+1, floor)
		return sequenceTable.Put(tx, peer, next)
	})
	return next, err
}
