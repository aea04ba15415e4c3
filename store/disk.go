package store

import "github.com/openledger/openledger/protocol"

// DiskAdapter is what is known of an adapter whose blocks are in the content store, or
// are on their way there.
type DiskAdapter struct {
	Bytes  int64 `json:"bytes"` // of its blocks that are here; those shared with others count for each
	Whole  bool  `json:"whole"` // none is missing
	UsedAt int64 `json:"used_at"`
	MadeAt int64 `json:"made_at,omitempty"` // when this worker made it; 0: it did not
}

// DiskAdapters gives every adapter that is noted as on disk.
func (w *Worker) DiskAdapters() (map[protocol.CID]DiskAdapter, error) {
	out := map[protocol.CID]DiskAdapter{}
	err := diskTable.Scan(w.db, func(id protocol.CID, a DiskAdapter) error {
		out[id] = a
		return nil
	})
	return out, err
}

// NoteDiskAdapter notes an adapter, without waiting for the disk: a crash may lose the
// newest notes, and then every block written after them.
func (w *Worker) NoteDiskAdapter(id protocol.CID, a DiskAdapter) error {
	return w.db.WriteLazy(func(tx *Tx) error { return diskTable.Put(tx, id, a) })
}

// UnnoteDiskAdapter takes back the note of an adapter that has no block here.
func (w *Worker) UnnoteDiskAdapter(id protocol.CID) error {
	return w.db.WriteLazy(func(tx *Tx) error { return diskTable.Delete(tx, id) })
}

// ForgetDiskAdapter removes a note within the step that deletes its blocks.
func (w *Worker) ForgetDiskAdapter(tx *Tx, id protocol.CID) error { return diskTable.Delete(tx, id) }

// EachEvidence calls fn with the digest of the evidence behind every receipt, settled or
// not, and with the document of every batch.
func (w *Worker) EachEvidence(evidence func(protocol.Hash) error, document func(digest protocol.Hash, manifest []byte) error) error {
	if err := receiptTable.Scan(w.db, func(_ protocol.Hash, r ReceiptRecord) error { return evidence(r.Signed.Receipt.Evidence) }); err != nil {
		return err
	}
	return batchTable.Scan(w.db, func(_ Pair[protocol.Account, uint64], b BatchRecord) error { return document(b.DataDigest, b.Document) })
}
