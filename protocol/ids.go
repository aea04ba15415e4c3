package protocol

import "github.com/ethereum/go-ethereum/common"

// Account is a 20-byte account of the chain.
type Account = common.Address

// Hash is a 32-byte digest: SHA2-256 for content, Keccak-256 for EIP-712 structs.
type Hash = common.Hash

// CID is a content identifier in its canonical text form: CIDv1, base32, SHA2-256
// (https://github.com/multiformats/cid). The empty CID means "none".
type CID string

// PeerID is a libp2p peer identity in its text form (base58 multihash).
type PeerID string

// Wire-level limits that every parser of foreign bytes applies.
const (
	MaxAnnouncementBytes = 1 << 10 // one gossip announcement
	MaxHardware          = 96      // bytes of what a worker says it runs on
	MaxFrameBytes        = 1 << 20 // one frame on a job or receipt stream
	MaxPromptBytes       = 256 << 10
	MaxRecordBytes       = 1 << 20 // one canonical record, so that it fits in a bitswap block
	MaxNameBytes         = 64
)
