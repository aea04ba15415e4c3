package chain

import (
	"context"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

var (
	settlement = bindings.NewAttributionSettlement()
	fees       = bindings.NewFeeParameters()
)

// FeeParams are the parts of a fee and the treasury.
func (c *Client) FeeParams(ctx context.Context) (FeeParams, error) {
	at := c.cfg.Addresses.Fees
	s, err := read(ctx, c, "read the fee shares", at, fees.PackShares(), fees.UnpackShares)
	if err != nil {
		return FeeParams{}, err
	}
	treasury, err := read(ctx, c, "read the treasury's address", at, fees.PackTreasury(), fees.UnpackTreasury)
	return FeeParams{
		PlatformBps: uint64(s.PlatformBps), OwnerPart: uint64(s.OwnerPart), StakersPart: uint64(s.StakersPart),
		ContributorsPart: uint64(s.ContributorsPart), Treasury: treasury,
	}, err
}

// NextNonce is the nonce of a worker's next batch, which is the number of its
// batches.
func (c *Client) NextNonce(ctx context.Context, worker protocol.Account) (uint64, error) {
	return read(ctx, c, "read a worker's next batch nonce", c.cfg.Addresses.Settlement, settlement.PackNextNonce(worker), settlement.UnpackNextNonce)
}

// Batch is a settled batch in the block to come, or an error of kind not_found. Its Tx
// is not known.
func (c *Client) Batch(ctx context.Context, worker protocol.Account, nonce uint64) (Batch, error) {
	v, err := read(ctx, c.now(), "read a batch", c.cfg.Addresses.Settlement, settlement.PackBatchOf(worker, nonce), settlement.UnpackBatchOf)
	if err != nil {
		return Batch{}, err
	}
	if v.SubmittedAt == 0 {
		return Batch{}, protocol.Errorf(protocol.KindNotFound, "nonce", "worker %s has no batch %d", worker, nonce)
	}
	b := Batch{
		Worker: worker, Nonce: nonce, Root: v.Root, Count: v.Count, DataDigest: v.DataDigest,
		At: int64(v.SubmittedAt), ClaimableAt: int64(v.ClaimableAt), Draws: v.Draws, Refunded: v.Refunded, Held: v.Held,
	}
	if int(v.Status) >= len(batchStatuses) {
		return Batch{}, protocol.Errorf(protocol.KindCorrupt, "status", "batch %d of worker %s has the unknown status %d", nonce, worker, v.Status)
	}
	b.Status = batchStatuses[v.Status]
	if b.Total, err = toU256(v.Total); err != nil {
		return Batch{}, err
	}
	b.Claimed, err = toU256(v.Claimed)
	return b, err
}

// CoverOf is the most that a worker may have in challenge windows; ExposureOf is
// what it has there now.
func (c *Client) CoverOf(ctx context.Context, worker protocol.Account) (uint256.Int, error) {
	return readAmount(ctx, c, "read a worker's cover", c.cfg.Addresses.Settlement, settlement.PackCoverOf(worker), settlement.UnpackCoverOf)
}

// ExposureOf is what a worker has in challenge windows now: in the block to come,
// since the newest one may be long past.
func (c *Client) ExposureOf(ctx context.Context, worker protocol.Account) (uint256.Int, error) {
	return readAmount(ctx, c.now(), "read a worker's exposure", c.cfg.Addresses.Settlement, settlement.PackExposureOf(worker), settlement.UnpackExposureOf)
}

// ChallengeWindow is how many seconds pass from a batch's submission to its claims.
func (c *Client) ChallengeWindow(ctx context.Context) (uint64, error) {
	return read(ctx, c, "read the challenge window", c.cfg.Addresses.Settlement, settlement.PackChallengeWindow(), settlement.UnpackChallengeWindow)
}

// IsClaimed says whether a leaf of a batch was paid out.
func (c *Client) IsClaimed(ctx context.Context, worker protocol.Account, nonce uint64, index uint32) (bool, error) {
	return read(ctx, c, "read whether a payout is claimed", c.cfg.Addresses.Settlement, settlement.PackIsClaimed(worker, nonce, index), settlement.UnpackIsClaimed)
}

// SubmitBatch submits a worker's next batch. The sender is the worker's owner or
// its node key. A batch that was submitted before is an error of kind
// already_exists.
func (s *Sender) SubmitBatch(ctx context.Context, b Submission) (Tx, error) {
	vouchers, err := vouchersOf(b.Worker, b.Vouchers)
	if err != nil {
		return Tx{}, err
	}
	return s.Call(ctx, "submit a batch", s.c.cfg.Addresses.Settlement, uint256.Int{}, settlement.PackSubmitBatch(bindings.Batch{
		Worker: b.Worker, Nonce: b.Nonce, Root: b.Root, Total: big256(b.Total), Count: b.Count, DataDigest: b.DataDigest,
	}, vouchers))
}

func proof(in []Sibling) []bindings.ProofNode {
	out := make([]bindings.ProofNode, len(in))
	for i, s := range in {
		out[i] = bindings.ProofNode{Hash: s.Hash, Sum: big256(s.Sum)}
	}
	return out
}

// Claim pays one leaf to its account. Anybody may send it.
func (s *Sender) Claim(ctx context.Context, c Claim) (Tx, error) {
	return s.Call(ctx, "claim", s.c.cfg.Addresses.Settlement, uint256.Int{},
		settlement.PackClaim(c.Worker, c.Nonce, c.Index, c.Account, big256(c.Amount), proof(c.Proof)))
}

// maxClaims bounds one transaction to about a third of a block.
const maxClaims = 200

// ClaimMany pays many leaves to their accounts, passing over those that were
// claimed before. It sends one transaction for each 200 claims and gives the last, with
// the gas of all.
func (s *Sender) ClaimMany(ctx context.Context, claims []Claim) (Tx, error) {
	var last Tx
	for len(claims) > 0 {
		n := min(len(claims), maxClaims)
		raw := make([]bindings.Claim, n)
		for i, c := range claims[:n] {
			raw[i] = bindings.Claim{Worker: c.Worker, Nonce: c.Nonce, Index: c.Index, Account: c.Account, Amount: big256(c.Amount), Proof: proof(c.Proof)}
		}
		tx, err := s.Call(ctx, "claim", s.c.cfg.Addresses.Settlement, uint256.Int{}, settlement.PackClaimMany(raw))
		if err != nil {
			return last, err
		}
		tx.GasUsed += last.GasUsed
		last, claims = tx, claims[n:]
	}
	return last, nil
}
