package store

import (
	"crypto/sha256"

	"github.com/openledger/openledger/protocol"
)

// APIKey is a key of the HTTP API. Only its hash is stored.
type APIKey struct {
	Hash      protocol.Hash    `json:"hash"` // HashAPIKey of the secret
	Name      string           `json:"name"`
	Requester protocol.Account `json:"requester"` // whose escrow it spends
	Admin     bool             `json:"admin,omitempty"`
	CreatedAt int64            `json:"created_at"`
	RevokedAt int64            `json:"revoked_at,omitempty"` // 0: valid
}

// HashAPIKey is what is stored of a secret. Secrets are random and long, so a
// plain digest is enough.
func HashAPIKey(secret string) protocol.Hash {
	return sha256.Sum256([]byte("openledger api key\x00" + secret))
}

// AddKey stores a new key, or gives an error of kind already_exists.
func (c *Coordinator) AddKey(k APIKey) error {
	return c.db.Update(func(tx *Tx) error { return keyTable.Insert(tx, k.Hash, k) })
}

// Key finds the key of a secret. Unknown and revoked keys give an error of kind
// unauthorized.
func (c *Coordinator) Key(secret string) (APIKey, error) {
	k, ok, err := keyTable.Get(c.db, HashAPIKey(secret))
	if err != nil {
		return k, err
	}
	if !ok || k.RevokedAt != 0 {
		return APIKey{}, protocol.Errorf(protocol.KindUnauthorized, "api_key", "is unknown or revoked: create one with openledger")
	}
	return k, nil
}

// Keys lists all keys.
func (c *Coordinator) Keys() ([]APIKey, error) {
	var out []APIKey
	err := keyTable.Scan(c.db, func(_ protocol.Hash, k APIKey) error {
		out = append(out, k)
		return nil
	})
	return out, err
}

// RevokeKey ends a key. Doing it again changes nothing.
func (c *Coordinator) RevokeKey(hash protocol.Hash, at int64) error {
	return c.db.Update(func(tx *Tx) error {
		k, err := keyTable.Must(tx, hash)
		if err != nil || k.RevokedAt != 0 {
			return err
		}
		k.RevokedAt = at
		return keyTable.Put(tx, hash, k)
	})
}
