package store

// Sendings is the journal of the transactions that a node's key has on their way
// (contracts/chain.Journal). Values are the sender's; here they are bytes.
type Sendings struct{ db *DB }

// NewSendings gives the journal in db.
func NewSendings(db *DB) *Sendings { return &Sendings{db: db} }

// PutSending keeps a value. It is on disk when this returns.
func (s *Sendings) PutSending(key string, value []byte) error {
	return s.db.Update(func(tx *Tx) error { return sendingTable.Put(tx, key, value) })
}

// DeleteSending forgets a value.
func (s *Sendings) DeleteSending(key string) error {
	return s.db.Update(func(tx *Tx) error { return sendingTable.Delete(tx, key) })
}

// Sendings gives everything kept.
func (s *Sendings) Sendings() (map[string][]byte, error) {
	out := map[string][]byte{}
	err := sendingTable.Scan(s.db, func(k string, v []byte) error {
		out[k] = v
		return nil
	})
	return out, err
}
