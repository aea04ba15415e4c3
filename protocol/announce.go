package protocol

import (
	"encoding/binary"
	"time"
)

// Tier says where an adapter is resident on a worker.
type Tier uint8

// Tiers, warmest first.
const (
	TierDevice  Tier = iota // loaded beside the base, ready for the next batch
	TierHost                // in host memory
	TierDisk                // in the worker's blockstore
	TierNetwork             // to be fetched by CID
)

// Announcement timing (see docs/architecture.md, "Network").
const (
	AnnouncementTTL   = 90 * time.Second
	AnnouncementEvery = 30 * time.Second
)

// ResidentAdapter names an adapter by the first 8 bytes of its CID's digest, so
// that dozens fit in one announcement.
type ResidentAdapter struct {
	Tag  uint64 `json:"tag"`
	Tier Tier   `json:"tier"`
}

// Announcement is a worker's signed statement of what it can do now.
type Announcement struct {
	Peer      PeerID            `json:"peer"`
	Worker    Account           `json:"worker"`   // owner account; bound to Peer by a Binding
	Sequence  uint64            `json:"sequence"` // strictly increasing per peer, across restarts
	IssuedAt  int64             `json:"issued_at"`
	ExpiresAt int64             `json:"expires_at"`
	Base      Hash              `json:"base"`
	Profile   string            `json:"profile"` // numeric profile, e.g. "cpu-f32-v1"
	Slots     int               `json:"slots"`   // sequences it will batch at once
	Running   int               `json:"running"`
	Waiting   int               `json:"waiting"`
	FreeKV    int               `json:"free_kv"`            // tokens of KV cache left
	TotalKV   int               `json:"total_kv,omitempty"` // tokens of KV cache in all: what needs more never fits; 0: not stated
	Trains    bool              `json:"trains"`             // accepts training jobs
	DecodeTPS float32           `json:"decode_tps"`
	Hardware  string            `json:"hardware,omitempty"` // what it says it runs on; nobody checks that
	Price     Price             `json:"price"`              // Access is not the worker's and is zero
	Adapters  []ResidentAdapter `json:"adapters,omitempty"`
}

// AdapterTag is the name of an adapter in announcements.
func AdapterTag(digest Hash) uint64 { return binary.BigEndian.Uint64(digest[:8]) }

// Binding ties a libp2p peer to the worker's node key and its owner's account.
// The owner signs it (EIP-712).
type Binding struct {
	Peer     PeerID  `json:"peer"`
	NodeKey  Account `json:"node_key"` // hot key: signs receipts
	Owner    Account `json:"owner"`    // cold key: stake, withdraw
	Payout   Account `json:"payout"`   // where compute earnings go
	IssuedAt int64   `json:"issued_at"`
	Expires  int64   `json:"expires"`
}

// SignedBinding is a binding with the owner's signature (65 bytes, v in {27,28}).
type SignedBinding struct {
	Binding   Binding `json:"binding"`
	Signature []byte  `json:"signature"`
}
