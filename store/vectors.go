package store

import (
	"crypto/sha256"

	"github.com/openledger/openledger/protocol"
)

// Vectors keeps vectors of records, which are the same in every version of every datanet.
// They are named by the model that made them, the way, and the text that was embedded.

// VectorKey names a vector.
func VectorKey(base protocol.Hash, algorithm, text string) protocol.Hash {
	h := sha256.New()
	h.Write(base[:])
	h.Write([]byte(algorithm + "\x00" + text))
	return protocol.Hash(h.Sum(nil))
}

// AddVectors keeps vectors under their keys, all or none.
func (c *Coordinator) AddVectors(keys []protocol.Hash, vectors [][]float32) error {
	return c.db.Update(func(tx *Tx) error {
		for i, k := range keys {
			if err := vectorTable.Put(tx, k, vectors[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Vector gives a vector; ok is false when there is none.
func (c *Coordinator) Vector(key protocol.Hash) (v []float32, ok bool, err error) {
	return vectorTable.Get(c.db, key)
}
