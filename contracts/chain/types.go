package chain

import (
	"math/big"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Addresses says where the contracts are. It is what a deployments file holds.
type Addresses struct {
	ChainID    uint64           `json:"chain_id"`
	Block      uint64           `json:"block"` // events before it are of no interest
	Staking    protocol.Account `json:"staking"`
	Escrow     protocol.Account `json:"escrow"`
	Datanets   protocol.Account `json:"datanets"`
	Models     protocol.Account `json:"models"`
	Settlement protocol.Account `json:"settlement"`
	Treasury   protocol.Account `json:"treasury"`
}

// Key signs transactions for one account (contracts/keystore.Key does).
type Key interface {
	Account() protocol.Account
	SignTx(tx *types.Transaction, chainID *big.Int) (*types.Transaction, error)
}

// Tx is a transaction that is in a block and succeeded.
type Tx struct {
	Hash    protocol.Hash
	Block   uint64
	GasUsed uint64
	Logs    []*types.Log
}

// Stake is what a worker has at stake.
type Stake struct {
	Own       uint256.Int // the owner's bond
	Delegated uint256.Int
}

// Total is Own + Delegated.
func (s Stake) Total() uint256.Int {
	var t uint256.Int
	t.Add(&s.Own, &s.Delegated)
	return t
}

// Staker is one account's stake on a worker, the owner's bond included.
type Staker struct {
	Account protocol.Account `json:"account"`
	Amount  uint256.Int      `json:"amount"`
}

// Session is what a requester allows a session key.
type Session struct {
	Limit   uint256.Int
	Spent   uint256.Int
	Expires int64 // Unix seconds; 0: no such session
}

// Adapter is a registered adapter and its lineage.
type Adapter struct {
	Digest      protocol.Hash    `json:"digest"` // of its CID
	CID         protocol.CID     `json:"cid"`
	Owner       protocol.Account `json:"owner"`
	Name        string           `json:"name"`
	Base        protocol.Hash    `json:"base"`
	Datanet     uint64           `json:"datanet"`
	Version     uint32           `json:"version"`
	Root        protocol.CID     `json:"root"`
	DatanetRoot protocol.Hash    `json:"datanet_root"`
	Access      uint256.Int      `json:"access"`
	Block       uint64           `json:"block"`
	TxHash      protocol.Hash    `json:"tx_hash"`
}

// Base is a registered base model.
type Base struct {
	Hash protocol.Hash `json:"hash"`
	Name string        `json:"name"`
	CID  protocol.CID  `json:"cid"`
}

// Batch is a settled batch as the chain has it.
type Batch struct {
	Worker     protocol.Account `json:"worker"`
	Nonce      uint64           `json:"nonce"`
	Root       protocol.Hash    `json:"root"`
	Total      uint256.Int      `json:"total"`
	Count      uint32           `json:"count"` // leaves
	DataDigest protocol.Hash    `json:"data_digest"`
	At         int64            `json:"at"` // Unix seconds of its block
}

// Submission is a batch to submit.
type Submission struct {
	Worker     protocol.Account         `json:"worker"`
	Nonce      uint64                   `json:"nonce"`
	Root       protocol.Hash            `json:"root"`
	Total      uint256.Int              `json:"total"`
	Count      uint32                   `json:"count"`
	DataDigest protocol.Hash            `json:"data_digest"`
	Vouchers   []protocol.SignedVoucher `json:"vouchers"`
}

// Sibling is one step of a proof in a Merkle-sum tree.
type Sibling struct {
	Hash protocol.Hash `json:"hash"`
	Sum  uint256.Int   `json:"sum"`
}

// Claim is one leaf of a batch with its proof.
type Claim struct {
	Worker  protocol.Account `json:"worker"`
	Nonce   uint64           `json:"nonce"`
	Index   uint32           `json:"index"`
	Account protocol.Account `json:"account"`
	Amount  uint256.Int      `json:"amount"`
	Proof   []Sibling        `json:"proof"`
}
