package protocol

import "github.com/holiman/uint256"

// MaxReserves bounds the reserves of one opening; the escrow refuses more.
const MaxReserves = 16

// Reserve is an amount (wei) of a requester's escrow that is for one worker alone.
type Reserve struct {
	Worker Account     `json:"worker"` // owner account
	Amount uint256.Int `json:"amount"`
}

// Opening is what a requester signs (EIP-712) to be brought in by somebody who pays the
// deposit: it fills the escrow, authorises a session key and reserves for workers, in
// one transaction.
type Opening struct {
	Requester Account     `json:"requester"`
	Session   Account     `json:"session"`  // key that may spend
	Limit     uint256.Int `json:"limit"`    // in all, wei
	Expiry    int64       `json:"expiry"`   // of the session, Unix seconds
	Amount    uint256.Int `json:"amount"`   // the deposit, exactly, wei
	Reserves  []Reserve   `json:"reserves"` // out of it, and of what is there already
	Nonce     uint256.Int `json:"nonce"`    // the requester's next one in the escrow
	Deadline  int64       `json:"deadline"` // Unix seconds
}

// SignedOpening is an opening with the requester's signature: 65 bytes, or what its
// contract checks (ERC-1271).
type SignedOpening struct {
	Opening   Opening `json:"opening"`
	Signature []byte  `json:"signature"`
}
