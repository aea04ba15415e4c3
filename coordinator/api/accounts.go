package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Accounts says what the chain has of an account, and what the network owes it.
type Accounts interface {
	Account(ctx context.Context, account protocol.Account) (AccountView, error)
	// Earnings lists what batches owe or have paid to an account, with the proofs to claim
	// it, the oldest first.
	Earnings(ctx context.Context, account protocol.Account) (Earnings, error)
}

// AccountView is what the chain has of an account. Amounts are wei.
type AccountView struct {
	Account protocol.Account `json:"account"`
	Balance uint256.Int      `json:"balance"`
	Nonce   uint64           `json:"nonce"` // of its next transaction
	Escrow  EscrowView       `json:"escrow"`
	Stake   StakeView        `json:"stake"` // on the account as a worker
	Owed    Owed             `json:"owed"`
}

// EscrowView is what an account put aside for answers.
type EscrowView struct {
	Held      uint256.Int `json:"held"`
	Available uint256.Int `json:"available"` // held, less reserves and a requested withdrawal
	// Limit and Spent are of this coordinator's session key; Expires (Unix seconds) is 0
	// where the account has not authorised it.
	Limit   uint256.Int `json:"limit"`
	Spent   uint256.Int `json:"spent"`
	Expires int64       `json:"expires"`
}

// StakeView is what is staked on a worker.
type StakeView struct {
	Own       uint256.Int `json:"own"`
	Delegated uint256.Int `json:"delegated"`
}

// Owed adds up what an account has earned: Earned is Claimed, Claimable and Waiting
// together. Wei.
type Owed struct {
	Earned    uint256.Int `json:"earned"`
	Claimed   uint256.Int `json:"claimed"`
	Claimable uint256.Int `json:"claimable"` // now
	// Waiting is in challenge windows, in disputes, or on its way through an epoch.
	Waiting uint256.Int `json:"waiting"`
}

// Earnings is what an account earned, batch by batch.
type Earnings struct {
	Account protocol.Account `json:"account"`
	Owed
	Earnings []Earning `json:"earnings"`
	Epochs   EpochOwed `json:"epochs"`
	// Unreadable counts the batches whose documents nobody within reach has now: what they
	// owe is in no sum here.
	Unreadable int `json:"unreadable"`
}

// Earning is an account's part in one batch.
type Earning struct {
	Claim Claim `json:"claim"`
	// Shares are its parts in single receipts; they add up to the claim's amount.
	Shares      []EarningShare `json:"shares"`
	Document    protocol.Hash  `json:"document"` // of the batch, SHA2-256
	Tx          protocol.Hash  `json:"tx"`       // of the batch
	ClaimableAt int64          `json:"claimable_at"`
	Claimed     bool           `json:"claimed"` // singly; what epochs paid is in Epochs
	Due         bool           `json:"due"`     // it can be claimed now, with Claim
	Status      string         `json:"status"`  // chain.BatchStatus
	Held        bool           `json:"held"`    // it waits for an epoch that is being made
}

// Claim is one payout of a batch with its proof, as AttributionSettlement.claimMany takes it.
type Claim struct {
	Worker  protocol.Account `json:"worker"`
	Nonce   uint64           `json:"nonce"`
	Index   uint32           `json:"index"`
	Account protocol.Account `json:"account"`
	Amount  uint256.Int      `json:"amount"`
	Proof   []ProofNode      `json:"proof"`
}

// ProofNode is one sibling in a Merkle sum tree.
type ProofNode struct {
	Hash protocol.Hash `json:"hash"`
	Sum  uint256.Int   `json:"sum"`
}

// EarningShare is an account's part in one receipt.
type EarningShare struct {
	Receipt protocol.Hash `json:"receipt"`
	Adapter protocol.Hash `json:"adapter"`
	Datanet uint64        `json:"datanet,omitempty"`
	Agent   uint64        `json:"agent,omitempty"`
	Role    string        `json:"role"` // payout.Role
	Record  protocol.Hash `json:"record"`
	Amount  uint256.Int   `json:"amount"`
	At      int64         `json:"at"`
}

// EpochOwed is what finalised epochs owe, with the proof that EpochDistributor.claim takes.
type EpochOwed struct {
	Epoch      uint32          `json:"epoch"` // the newest finalised one; 0: none
	Cumulative uint256.Int     `json:"cumulative"`
	Claimed    uint256.Int     `json:"claimed"`
	Due        uint256.Int     `json:"due"`
	Proof      []protocol.Hash `json:"proof"`
}

// pathAccount reads an account of the path.
func pathAccount(r *http.Request, name string) (protocol.Account, error) {
	text := r.PathValue(name)
	if !common.IsHexAddress(text) {
		return protocol.Account{}, protocol.Errorf(protocol.KindInvalid, name, "%s is no account: write 0x and 40 hex digits", strconv.Quote(text[:min(len(text), 64)]))
	}
	return common.HexToAddress(text), nil
}

// account serves GET /api/v1/accounts/{address}.
func (s *Server) account(w http.ResponseWriter, r *http.Request) error {
	at, err := pathAccount(r, "address")
	if err != nil {
		return err
	}
	v, err := s.cfg.Accounts.Account(r.Context(), at)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, v)
}

// earnings serves GET /api/v1/accounts/{address}/earnings.
func (s *Server) earnings(w http.ResponseWriter, r *http.Request) error {
	at, err := pathAccount(r, "address")
	if err != nil {
		return err
	}
	v, err := s.cfg.Accounts.Earnings(r.Context(), at)
	if err != nil {
		return err
	}
	v.Earnings, v.Epochs.Proof = list(v.Earnings), list(v.Epochs.Proof)
	for i := range v.Earnings {
		e := &v.Earnings[i]
		e.Shares, e.Claim.Proof = list(e.Shares), list(e.Claim.Proof)
	}
	return writeJSON(w, http.StatusOK, v)
}
