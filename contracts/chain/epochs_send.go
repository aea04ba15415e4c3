package chain

import (
	"context"
	"slices"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

// MaxEpochBatches bounds the batches of one call to about a tenth of a block.
const MaxEpochBatches = 100

func refs(in []BatchRef) []bindings.BatchRef {
	out := make([]bindings.BatchRef, len(in))
	for i, r := range in {
		out[i] = bindings.BatchRef{Worker: r.Worker, Nonce: r.Nonce}
	}
	return out
}

// OpenEpoch opens an epoch with the first of its batches (at most [MaxEpochBatches])
// and pays the bond. It is an error of kind already_exists while another one is under
// way.
func (s *Sender) OpenEpoch(ctx context.Context, bond uint256.Int, batches []BatchRef) (Tx, error) {
	return s.Call(ctx, "open an epoch", s.c.cfg.Addresses.Epochs, bond, epochs.PackOpen(refs(batches)))
}

// AddToEpoch takes more batches (at most [MaxEpochBatches]) into the sender's epoch.
// Those that it has are passed over.
func (s *Sender) AddToEpoch(ctx context.Context, id uint32, batches []BatchRef) (Tx, error) {
	return s.Call(ctx, "add batches to an epoch", s.c.cfg.Addresses.Epochs, uint256.Int{}, epochs.PackAdd(id, refs(batches)))
}

// CommitEpoch commits the sender's epoch to its root and document.
func (s *Sender) CommitEpoch(ctx context.Context, id uint32, root, document protocol.Hash) (Tx, error) {
	return s.Call(ctx, "commit an epoch", s.c.cfg.Addresses.Epochs, uint256.Int{}, epochs.PackCommit(id, root, document))
}

// AbandonEpoch drops an epoch that was not committed in time. Anybody may send it.
func (s *Sender) AbandonEpoch(ctx context.Context, id uint32) (Tx, error) {
	return s.Call(ctx, "abandon an epoch", s.c.cfg.Addresses.Epochs, uint256.Int{}, epochs.PackAbandon(id))
}

// FinaliseEpoch sweeps batches (at most [MaxEpochBatches]) of an epoch whose window is
// over; the call that brings the last one finalises it. Anybody may send it.
func (s *Sender) FinaliseEpoch(ctx context.Context, id uint32, batches []BatchRef) (Tx, error) {
	return s.Call(ctx, "finalise an epoch", s.c.cfg.Addresses.Epochs, uint256.Int{}, epochs.PackFinalise(id, refs(batches)))
}

func words32(in []protocol.Hash) [][32]byte {
	out := make([][32]byte, len(in))
	for i, h := range in {
		out[i] = h
	}
	return out
}

// ClaimEpochs pays to an account what the newest finalised root owes it beyond what it
// has had. Anybody may send it.
func (s *Sender) ClaimEpochs(ctx context.Context, c EpochClaim) (Tx, error) {
	return s.Call(ctx, "claim from the epochs", s.c.cfg.Addresses.Epochs, uint256.Int{}, epochs.PackClaim(c.Account, big256(c.Cumulative), words32(c.Proof)))
}

// MaxEpochClaims bounds one transaction to about a quarter of a block, and to less than
// the 128 KiB that nodes take.
const MaxEpochClaims = 100

// ClaimEpochsMany pays to many accounts what the newest finalised root owes them, passing
// over those that have had all of it. It sends one transaction for each [MaxEpochClaims]
// and gives those that are in a block, with an error too. [Client.EpochsPaid] says whom
// they paid. An invalid proof, or an account that refuses money, has all claims of its
// transaction refused.
func (s *Sender) ClaimEpochsMany(ctx context.Context, claims []EpochClaim) ([]Tx, error) {
	var sent []Tx
	for some := range slices.Chunk(claims, MaxEpochClaims) {
		raw := make([]bindings.EpochClaim, len(some))
		for i, c := range some {
			raw[i] = bindings.EpochClaim{Account: c.Account, Cumulative: big256(c.Cumulative), Proof: words32(c.Proof)}
		}
		tx, err := s.Call(ctx, "claim from the epochs", s.c.cfg.Addresses.Epochs, uint256.Int{}, epochs.PackClaimMany(raw))
		if err != nil {
			return sent, err
		}
		sent = append(sent, tx)
	}
	return sent, nil
}

// EpochsPaid is what a transaction paid from the epochs to whom.
func (c *Client) EpochsPaid(tx Tx) ([]EpochClaimedEvent, error) {
	var out []EpochClaimedEvent
	for _, l := range tx.Logs {
		e, ok, err := c.Decode(logOf(l))
		if err != nil {
			return nil, err
		}
		if ok && e.Received != nil {
			out = append(out, *e.Received)
		}
	}
	return out, nil
}

// CollectBonds pays to an account the bonds that epochs owe it. Anybody may send it.
func (s *Sender) CollectBonds(ctx context.Context, account protocol.Account) (Tx, error) {
	return s.Call(ctx, "collect bonds of epochs", s.c.cfg.Addresses.Epochs, uint256.Int{}, epochs.PackCollect(account))
}
