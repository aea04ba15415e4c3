package chain

import (
	"context"

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

// ClaimEpochs pays to an account what the newest finalised root owes it beyond what it
// has had. Anybody may send it.
func (s *Sender) ClaimEpochs(ctx context.Context, account protocol.Account, cumulative uint256.Int, proof []protocol.Hash) (Tx, error) {
	raw := make([][32]byte, len(proof))
	for i, h := range proof {
		raw[i] = h
	}
	return s.Call(ctx, "claim from the epochs", s.c.cfg.Addresses.Epochs, uint256.Int{}, epochs.PackClaim(account, big256(cumulative), raw))
}

// CollectBonds pays to an account the bonds that epochs owe it. Anybody may send it.
func (s *Sender) CollectBonds(ctx context.Context, account protocol.Account) (Tx, error) {
	return s.Call(ctx, "collect bonds of epochs", s.c.cfg.Addresses.Epochs, uint256.Int{}, epochs.PackCollect(account))
}
