package chain

import (
	"context"
	"iter"
	"math/big"
	"reflect"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Addresses says where the contracts are. It is what a deployments file holds.
type Addresses struct {
	ChainID    uint64           `json:"chain_id"`
	Block      uint64           `json:"block"` // events before it are of no interest
	Fees       protocol.Account `json:"fees"`
	Treasury   protocol.Account `json:"treasury"`
	Staking    protocol.Account `json:"staking"`
	Escrow     protocol.Account `json:"escrow"`
	Delegates  protocol.Account `json:"delegates"`
	Datanets   protocol.Account `json:"datanets"`
	Models     protocol.Account `json:"models"`
	Settlement protocol.Account `json:"settlement"`
	Validators protocol.Account `json:"validators"`
	Disputes   protocol.Account `json:"disputes"`
	Epochs     protocol.Account `json:"epochs"`
	Agents     protocol.Account `json:"agents"`
	// Contributors holds their stakes.
	Contributors protocol.Account `json:"contributors"`
	GOPEN        protocol.Account `json:"gopen"`
	Timelock     protocol.Account `json:"timelock"`
	Governor     protocol.Account `json:"governor"`
}

// Missing names the first contract without an address; empty: none.
func (a Addresses) Missing() string {
	for name, at := range a.All() {
		if at == (protocol.Account{}) {
			return name
		}
	}
	return ""
}

// All gives every contract's name, as in JSON, and address.
func (a Addresses) All() iter.Seq2[string, protocol.Account] {
	return func(yield func(string, protocol.Account) bool) {
		v := reflect.ValueOf(a)
		for i := range v.NumField() {
			if at, ok := v.Field(i).Interface().(protocol.Account); ok && !yield(v.Type().Field(i).Tag.Get("json"), at) {
				return
			}
		}
	}
}

// Key signs transactions for one account (contracts/keystore.Signer does).
type Key interface {
	Account() protocol.Account
	SignTx(ctx context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error)
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
	Own       uint256.Int `json:"own"` // the owner's bond
	Delegated uint256.Int `json:"delegated"`
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

// Unbonding is stake on its way out.
type Unbonding struct {
	ID        uint256.Int      `json:"id"`
	Worker    protocol.Account `json:"worker"`
	Amount    uint256.Int      `json:"amount"`     // what it is worth now
	ReleaseAt int64            `json:"release_at"` // Unix seconds
}

// StakingParams are the governed numbers of staking.
type StakingParams struct {
	MinStake         uint256.Int `json:"min_stake"`
	MinDelegation    uint256.Int `json:"min_delegation"`
	UnbondingSeconds uint64      `json:"unbonding_seconds"`
}

// Session is what a requester allows a session key.
type Session struct {
	Limit   uint256.Int `json:"limit"` // over its whole life
	Spent   uint256.Int `json:"spent"`
	Expires int64       `json:"expires"` // Unix seconds; 0: no such session
}

// Extended are the limit and the expiry by which the key may spend so much more than it may
// now, as far as the escrow has room for a limit, and at least until then (Unix seconds).
func (s Session) Extended(amount uint256.Int, until int64) (limit uint256.Int, expiry int64) {
	limit = s.Limit
	if limit.Lt(&s.Spent) {
		limit = s.Spent
	}
	var most uint256.Int
	most.SubUint64(most.Lsh(uint256.NewInt(1), limitBits), 1)
	if _, over := limit.AddOverflow(&limit, &amount); over || limit.Gt(&most) {
		limit = most
	}
	return limit, max(until, s.Expires)
}

// Funds are a requester's money in escrow, in wei.
type Funds struct {
	Balance   uint256.Int `json:"balance"`   // all of it
	Reserved  uint256.Int `json:"reserved"`  // for single workers
	Available uint256.Int `json:"available"` // for the work of any worker
}

// Reserve is what a requester has set aside for one worker, in wei.
type Reserve struct {
	Worker   protocol.Account `json:"worker"`
	Amount   uint256.Int      `json:"amount"`
	Target   uint256.Int      `json:"target"`    // what stays once it is lowered
	LowersAt int64            `json:"lowers_at"` // Unix seconds; 0: it is not being lowered; past: release it
}

// Lasting is what of the reserve new work may count on.
func (r Reserve) Lasting() uint256.Int {
	if r.LowersAt != 0 && r.Target.Lt(&r.Amount) {
		return r.Target
	}
	return r.Amount
}

// Withdrawal is a requester's wish to take money out of escrow.
type Withdrawal struct {
	Amount    uint256.Int `json:"amount"`
	ReleaseAt int64       `json:"release_at"` // Unix seconds
}

// Base is a registered base model.
type Base struct {
	Hash protocol.Hash `json:"hash"`
	Name string        `json:"name"`
	URI  string        `json:"uri"`
	At   int64         `json:"at"` // Unix seconds
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
	DatanetRoot protocol.Hash    `json:"datanet_root"` // digest of the version's root CID
	HyperHash   protocol.Hash    `json:"hyper_hash"`
	Access      uint256.Int      `json:"access"`
	Registrant  protocol.Account `json:"registrant"` // as a rule the worker that trained it
	Signer      protocol.Account `json:"signer"`     // of the order: the owner, or its delegate then
	At          int64            `json:"at"`         // Unix seconds
	Revision    uint32           `json:"revision"`   // number among the owner's adapters of this name, from 1
	RoyaltyBps  uint16           `json:"royalty_bps"`
	Parents     []protocol.Hash  `json:"parents,omitempty"` // digests, ascending
	Depth       uint8            `json:"depth"`             // longest way to an ancestor without parents
	Ancestors   uint16           `json:"ancestors"`         // steps of the lineage
}

// FeeParams say how a fee is shared. PlatformBps is of the whole fee, in basis
// points; the parts divide the rest of an access price in their proportion.
type FeeParams struct {
	PlatformBps      uint64           `json:"platform_bps"`
	OwnerPart        uint64           `json:"owner_part"`
	StakersPart      uint64           `json:"stakers_part"`
	ContributorsPart uint64           `json:"contributors_part"`
	Treasury         protocol.Account `json:"treasury"`
}

// BatchStatus is where a batch stands on the chain.
type BatchStatus string

// Where a batch stands.
const (
	BatchPending   BatchStatus = "pending"  // in its challenge window
	BatchDisputed  BatchStatus = "disputed" // frozen until the dispute is resolved
	BatchClaimable BatchStatus = "claimable"
	BatchRejected  BatchStatus = "rejected" // pays nobody; what it drew goes back to the requesters
	BatchSwept     BatchStatus = "swept"    // what was left is with the epoch distributor, and Claimed is Total
)

// batchStatuses are those of the contract, in its order.
var batchStatuses = []BatchStatus{"", BatchPending, BatchDisputed, BatchClaimable, BatchRejected, BatchSwept}

// Batch is a settled batch as the chain has it. Tx, Claimed, Status, Draws and
// Refunded are not always known: see the call that gives it.
type Batch struct {
	Worker      protocol.Account `json:"worker"`
	Nonce       uint64           `json:"nonce"`
	Root        protocol.Hash    `json:"root"`
	Total       uint256.Int      `json:"total"`
	Claimed     uint256.Int      `json:"claimed"`
	Count       uint32           `json:"count"` // leaves
	DataDigest  protocol.Hash    `json:"data_digest"`
	Tx          protocol.Hash    `json:"tx"`
	At          int64            `json:"at"`           // Unix seconds, of its block
	ClaimableAt int64            `json:"claimable_at"` // Unix seconds
	Status      BatchStatus      `json:"status,omitempty"`
	Draws       protocol.Hash    `json:"draws"` // digest of what was drawn from whom
	Refunded    bool             `json:"refunded"`
	// Held: its claims rest while an epoch is made of it.
	Held bool `json:"held"`
}

// Draw is what a batch drew from one requester.
type Draw struct {
	Requester protocol.Account `json:"requester"`
	Amount    uint256.Int      `json:"amount"`
}

// Claimable says whether its leaves can be claimed singly, so that an epoch can hold it.
func (b *Batch) Claimable() bool { return b.Status == BatchClaimable && !b.Held }

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

// EpochClaim is what all epochs owe to an account, with its proof.
type EpochClaim struct {
	Account    protocol.Account `json:"account"`
	Cumulative uint256.Int      `json:"cumulative_wei"` // over all epochs
	Proof      []protocol.Hash  `json:"proof"`
}
