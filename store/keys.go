package store

import (
	"crypto/sha256"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// APIKey is a key of the HTTP API. Only its hash is stored.
type APIKey struct {
	Hash protocol.Hash `json:"hash"` // HashAPIKey of the secret
	// ID stays when the secret is rotated; what is spent counts by it. Zero in keys of
	// before: their ID is their hash.
	ID        protocol.Hash    `json:"id,omitzero"`
	Name      string           `json:"name"`
	Requester protocol.Account `json:"requester"` // whose escrow it spends
	Admin     bool             `json:"admin,omitempty"`
	CreatedAt int64            `json:"created_at"`
	RevokedAt int64            `json:"revoked_at,omitempty"` // 0: valid
	// Request is the digest of the signed text that asked for this secret: the same text
	// gets no second one.
	Request protocol.Hash `json:"request,omitzero"`
	KeyLimits
}

// KeyLimits are what a key may be used for; what is zero does not limit.
type KeyLimits struct {
	Scopes            []string     `json:"scopes,omitempty"`
	Models            []string     `json:"models,omitempty"`  // by name
	Expires           int64        `json:"expires,omitempty"` // Unix ms
	RequestsPerMinute int          `json:"requests_per_minute,omitempty"`
	TokensPerMinute   int          `json:"tokens_per_minute,omitempty"`
	Budget            *uint256.Int `json:"budget,omitempty"`         // in all, wei
	BudgetPerDay      *uint256.Int `json:"budget_per_day,omitempty"` // of a UTC day, wei
}

// Spending is what the answers of a key cost. It is written in the step that accepts
// their receipts.
type Spending struct {
	Total uint256.Int `json:"total"` // wei
	Day   int64       `json:"day"`   // of Today: days since 1970, UTC
	Today uint256.Int `json:"today"` // wei
}

// On is what was spent on a day, which is the newest or later.
func (s Spending) On(day int64) uint256.Int {
	if s.Day != day {
		return uint256.Int{}
	}
	return s.Today
}

// DayOf is the UTC day of a time in Unix ms, counted from 1970.
func DayOf(at int64) int64 { return at / 86_400_000 }

// HashAPIKey is what is stored of a secret. Secrets are random and long, so a
// plain digest is enough.
func HashAPIKey(secret string) protocol.Hash {
	return sha256.Sum256([]byte("openledger api key\x00" + secret))
}

// AddKey stores a new key, or gives an error of kind already_exists when it is there, or
// the text that asks for it has got one.
func (c *Coordinator) AddKey(k APIKey) error {
	return c.db.Update(func(tx *Tx) error {
		if err := unused(tx, k.Request); err != nil {
			return err
		}
		return keyTable.Insert(tx, k.Hash, k)
	})
}

// unused refuses a signed request that has been carried out.
func unused(tx *Tx, request protocol.Hash) error {
	if request == (protocol.Hash{}) {
		return nil
	}
	return keyTable.Scan(tx, func(_ protocol.Hash, k APIKey) error {
		if k.Request == request {
			return protocol.Errorf(protocol.KindExists, "signature", "this request has been carried out: sign a new one")
		}
		return nil
	})
}

func (k *APIKey) settle() {
	if k.ID == (protocol.Hash{}) {
		k.ID = k.Hash
	}
}

// Key finds the key of a secret. Unknown, expired and revoked keys give an error of kind
// unauthorized.
func (c *Coordinator) Key(secret string, at int64) (APIKey, error) {
	k, ok, err := keyTable.Get(c.db, HashAPIKey(secret))
	if err != nil {
		return k, err
	}
	k.settle()
	switch {
	case !ok || k.RevokedAt != 0:
		return APIKey{}, protocol.Errorf(protocol.KindUnauthorized, "api_key", "is unknown or revoked: create one with 'openledger coordinator key'")
	case k.Expires != 0 && at >= k.Expires:
		return APIKey{}, protocol.Errorf(protocol.KindUnauthorized, "api_key", "has expired: create one with 'openledger coordinator key'")
	}
	return k, nil
}

// Keys lists all secrets that there are or were.
func (c *Coordinator) Keys() ([]APIKey, error) {
	var out []APIKey
	err := keyTable.Scan(c.db, func(_ protocol.Hash, k APIKey) error {
		k.settle()
		out = append(out, k)
		return nil
	})
	return out, err
}

// KeyByID finds the newest secret's entry of a key, or gives an error of kind not_found.
func (c *Coordinator) KeyByID(id protocol.Hash) (APIKey, error) {
	all, err := c.Keys()
	if err != nil {
		return APIKey{}, err
	}
	var found APIKey
	for _, k := range all {
		if k.ID == id && (found.ID != id || found.RevokedAt != 0) {
			found = k
		}
	}
	if found.ID != id {
		return APIKey{}, protocol.Errorf(protocol.KindNotFound, "key", "there is no key %s", id)
	}
	return found, nil
}

// RevokeKey ends a key by its hash. Doing it again changes nothing.
func (c *Coordinator) RevokeKey(hash protocol.Hash, at int64) error {
	return c.db.Update(func(tx *Tx) error { return revoke(tx, hash, at) })
}

func revoke(tx *Tx, hash protocol.Hash, at int64) error {
	k, err := keyTable.Must(tx, hash)
	if err != nil || k.RevokedAt != 0 {
		return err
	}
	k.RevokedAt = at
	return keyTable.Put(tx, hash, k)
}

// RotateKey ends one secret of a key and adds the next, in one step.
func (c *Coordinator) RotateKey(old protocol.Hash, next APIKey) error {
	return c.db.Update(func(tx *Tx) error {
		if err := unused(tx, next.Request); err != nil {
			return err
		}
		k, err := keyTable.Must(tx, old)
		if err != nil {
			return err
		}
		if k.RevokedAt != 0 {
			return protocol.Errorf(protocol.KindExists, "key", "it has been revoked or rotated: list the keys and try again")
		}
		if err := revoke(tx, old, next.CreatedAt); err != nil {
			return err
		}
		return keyTable.Insert(tx, next.Hash, next)
	})
}

// SpendingOf is what the answers of a key cost until now.
func (c *Coordinator) SpendingOf(key protocol.Hash) (Spending, error) {
	s, _, err := spendingTable.Get(c.db, key)
	return s, err
}
