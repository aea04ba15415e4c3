package chain

import (
	"context"
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

var committee = bindings.NewDisputeCommittee()

// DisputeStatus is where a dispute stands.
type DisputeStatus string

// Where a dispute stands.
const (
	DisputeWaiting   DisputeStatus = "waiting" // for its committee to be drawn
	DisputeVoting    DisputeStatus = "voting"
	DisputeGuilty    DisputeStatus = "guilty"
	DisputeUpheld    DisputeStatus = "upheld"
	DisputeUndecided DisputeStatus = "undecided" // no quorum in any round: a batch stands, an epoch is dropped
)

// disputeStatuses are those of the contract, in its order.
var disputeStatuses = []DisputeStatus{"", DisputeWaiting, DisputeVoting, DisputeGuilty, DisputeUpheld, DisputeUndecided}

// Open says whether the dispute goes on.
func (s DisputeStatus) Open() bool { return s == DisputeWaiting || s == DisputeVoting }

// Vote is what a member said.
type Vote string

// What a member said.
const (
	VoteNone   Vote = "none"
	VoteUpheld Vote = "upheld"
	VoteGuilty Vote = "guilty"
)

var votes = []Vote{VoteNone, VoteUpheld, VoteGuilty}

// Dispute is a challenge of a batch or of an epoch's root, and what became of it.
type Dispute struct {
	ID uint64 `json:"id"` // from 1
	// Epoch is the epoch whose root is judged; 0: a batch. Then Worker is the epoch
	// distributor and Nonce the epoch's id, as in verdicts.
	Epoch      uint32                 `json:"epoch,omitempty"`
	Worker     protocol.Account       `json:"worker"`
	Nonce      uint64                 `json:"nonce"`
	DataDigest protocol.Hash          `json:"data_digest"` // of the batch's or epoch's document
	Challenger protocol.Account       `json:"challenger"`
	Bond       uint256.Int            `json:"bond"`
	Reason     protocol.DisputeReason `json:"reason"`   // the challenger's; once guilty, the verdict's
	Evidence   protocol.Hash          `json:"evidence"` // digest of the challenger's evidence
	Status     DisputeStatus          `json:"status"`
	Round      uint8                  `json:"round"` // from 0
	Rounds     uint8                  `json:"rounds"`
	DrawBlock  uint64                 `json:"draw_block"` // whose hash is the seed of this round's draw
	Deadline   int64                  `json:"deadline"`   // Unix seconds: of the draw while waiting, of verdicts while voting
	Quorum     uint8                  `json:"quorum"`     // verdicts of one kind that decide; 0 while waiting
	Guilty     uint8                  `json:"guilty"`
	Upheld     uint8                  `json:"upheld"`
}

// Seat is a place in the committee of a dispute's current round.
type Seat struct {
	Member protocol.Account `json:"member"`
	Vote   Vote             `json:"vote"`
}

// Dispute is a dispute, or an error of kind not_found.
func (c *Client) Dispute(ctx context.Context, id uint64) (Dispute, error) {
	v, err := read(ctx, c, "read a dispute", c.cfg.Addresses.Disputes, committee.PackDisputeOf(id), committee.UnpackDisputeOf)
	if err != nil {
		return Dispute{}, err
	}
	if v.Status == 0 {
		return Dispute{}, protocol.Errorf(protocol.KindNotFound, "dispute", "there is no dispute %d", id)
	}
	if int(v.Status) >= len(disputeStatuses) {
		return Dispute{}, protocol.Errorf(protocol.KindCorrupt, "status", "dispute %d has the unknown status %d", id, v.Status)
	}
	d := Dispute{
		ID: id, Worker: v.Worker, Nonce: v.Nonce, DataDigest: v.DataDigest, Challenger: v.Challenger,
		Reason: protocol.DisputeReason(v.Reason), Evidence: v.Evidence, Status: disputeStatuses[v.Status],
		Round: v.Round, Rounds: v.Rounds, DrawBlock: v.DrawBlock.Uint64(), Deadline: int64(v.Deadline),
		Quorum: v.Quorum, Guilty: v.Guilty, Upheld: v.Upheld,
	}
	if d.Worker == c.cfg.Addresses.Epochs {
		d.Epoch = uint32(d.Nonce)
	}
	d.Bond, err = toU256(v.Bond)
	return d, err
}

// DisputeCount is the number of disputes; they are numbered from 1.
func (c *Client) DisputeCount(ctx context.Context) (uint64, error) {
	return read(ctx, c, "count disputes", c.cfg.Addresses.Disputes, committee.PackDisputeCount(), committee.UnpackDisputeCount)
}

// Disputes are the disputes from a number on (0: all), the oldest first.
func (c *Client) Disputes(ctx context.Context, from uint64) ([]Dispute, error) {
	n, err := c.DisputeCount(ctx)
	if err != nil {
		return nil, err
	}
	var out []Dispute
	for id := max(from, 1); id <= n; id++ {
		d, err := c.Dispute(ctx, id)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// DisputeOf is the latest dispute about a batch (0: none) and how many there were.
func (c *Client) DisputeOf(ctx context.Context, worker protocol.Account, nonce uint64) (last, count uint64, err error) {
	v, err := read(ctx, c, "read a batch's disputes", c.cfg.Addresses.Disputes, committee.PackDisputesOf(worker, nonce), committee.UnpackDisputesOf)
	return v.Last, v.Count, err
}

// EpochDispute is the latest dispute about an epoch's root (0: none).
func (c *Client) EpochDispute(ctx context.Context, epoch uint32) (last uint64, err error) {
	last, _, err = c.DisputeOf(ctx, c.cfg.Addresses.Epochs, uint64(epoch))
	return last, err
}

// Seats is the committee of a dispute's current round; empty while it waits for a draw.
func (c *Client) Seats(ctx context.Context, id uint64) ([]Seat, error) {
	list, err := read(ctx, c, "read a committee", c.cfg.Addresses.Disputes, committee.PackSeatsOf(id), committee.UnpackSeatsOf)
	if err != nil {
		return nil, err
	}
	out := make([]Seat, len(list))
	for i, s := range list {
		if int(s.Vote) >= len(votes) {
			return nil, protocol.Errorf(protocol.KindCorrupt, "vote", "dispute %d has the unknown vote %d", id, s.Vote)
		}
		out[i] = Seat{Member: s.Member, Vote: votes[s.Vote]}
	}
	return out, nil
}

// ChallengeBond is what a challenge of a batch, or of the epoch distributor's epoch,
// takes now: it doubles with every challenge that the batch withstood.
func (c *Client) ChallengeBond(ctx context.Context, worker protocol.Account, nonce uint64) (uint256.Int, error) {
	return readAmount(ctx, c, "read a challenge's bond", c.cfg.Addresses.Disputes, committee.PackBondFor(worker, nonce), committee.UnpackBondFor)
}

// DisputeCredit is what an account can collect from disputes.
func (c *Client) DisputeCredit(ctx context.Context, account protocol.Account) (uint256.Int, error) {
	return readAmount(ctx, c, "read what disputes owe", c.cfg.Addresses.Disputes, committee.PackCreditOf(account), committee.UnpackCreditOf)
}

// Challenge challenges a batch in its window and freezes it. The sender pays the bond.
// The evidence is the digest of what shows the fault.
func (s *Sender) Challenge(ctx context.Context, worker protocol.Account, nonce uint64, reason protocol.DisputeReason, evidence protocol.Hash) (id uint64, tx Tx, err error) {
	bond, err := s.c.ChallengeBond(ctx, worker, nonce)
	if err != nil {
		return 0, tx, err
	}
	return s.challenge(ctx, "challenge a batch", bond, committee.PackChallenge(worker, nonce, uint8(reason), evidence))
}

// ChallengeEpoch challenges the root of a proposed epoch in its window and freezes it.
// The sender pays the bond. The evidence is the digest of what shows the fault.
func (s *Sender) ChallengeEpoch(ctx context.Context, epoch uint32, reason protocol.DisputeReason, evidence protocol.Hash) (id uint64, tx Tx, err error) {
	bond, err := s.c.ChallengeBond(ctx, s.c.cfg.Addresses.Epochs, uint64(epoch))
	if err != nil {
		return 0, tx, err
	}
	return s.challenge(ctx, "challenge an epoch", bond, committee.PackChallengeEpoch(epoch, uint8(reason), evidence))
}

func (s *Sender) challenge(ctx context.Context, what string, bond uint256.Int, data []byte) (id uint64, tx Tx, err error) {
	at := s.c.cfg.Addresses.Disputes
	tx, err = s.Call(ctx, what, at, bond, data)
	if err != nil {
		return 0, tx, err
	}
	for _, l := range tx.Logs {
		if l.Address != at || len(l.Topics) == 0 || l.Topics[0] != eventID(&bindings.DisputeCommitteeMetaData, "Challenged") {
			continue
		}
		e, err := committee.UnpackChallengedEvent(l)
		if err != nil {
			return 0, tx, protocol.Errorf(protocol.KindCorrupt, "", "read the challenge's event: %w", err)
		}
		return e.Dispute, tx, nil
	}
	return 0, tx, protocol.Errorf(protocol.KindCorrupt, "", "transaction %s challenged nothing", tx.Hash)
}

// quiet is how many polls a chain may stay without a block before it is taken for one
// that makes blocks only when there are transactions.
const quiet = 20

// Draw draws a dispute's committee, once the block whose hash is the seed is there. It
// waits for that block; on a chain that makes blocks on demand it brings it about by
// sending nothing to itself. A committee that somebody else drew meanwhile is no error.
func (s *Sender) Draw(ctx context.Context, id uint64) (Tx, error) {
	still, last := 0, uint64(0)
	for {
		d, err := s.c.Dispute(ctx, id)
		if err != nil || d.Status != DisputeWaiting {
			return Tx{}, err
		}
		head, _, err := s.c.Head(ctx)
		if err != nil {
			return Tx{}, err
		}
		if head >= d.DrawBlock {
			tx, err := s.Call(ctx, "draw a committee", s.c.cfg.Addresses.Disputes, uint256.Int{}, committee.PackDraw(id))
			if now, rerr := s.c.Dispute(ctx, id); rerr == nil && now.Status != DisputeWaiting {
				return tx, nil // by us, or somebody else was first
			}
			if err != nil {
				return Tx{}, err
			}
			continue // the seed's block was too old: another one was chosen
		}
		if head != last {
			still, last = 0, head
		} else if still++; still >= quiet {
			still = 0
			if _, err := s.Send(ctx, s.Account(), uint256.Int{}); err != nil {
				return Tx{}, err
			}
			continue
		}
		if err := sleep(ctx, s.c.cfg.PollEvery); err != nil {
			return Tx{}, err
		}
	}
}

// Advance moves on a dispute whose draw or vote ran out of time: the next round, or its
// end.
func (s *Sender) Advance(ctx context.Context, id uint64) (Tx, error) {
	return s.Call(ctx, "advance a dispute", s.c.cfg.Addresses.Disputes, uint256.Int{}, committee.PackAdvance(id))
}

// SubmitVerdict brings members' verdicts that say the same. They may come in parts: the
// call that completes the quorum resolves the dispute.
func (s *Sender) SubmitVerdict(ctx context.Context, verdicts ...protocol.SignedVerdict) (Tx, error) {
	if len(verdicts) == 0 {
		return Tx{}, protocol.Errorf(protocol.KindInvalid, "verdicts", "there is none to submit")
	}
	v := verdicts[0].Verdict
	signers, signatures := make([]common.Address, len(verdicts)), make([][]byte, len(verdicts))
	for i, s := range verdicts {
		if s.Verdict != v {
			return Tx{}, protocol.Errorf(protocol.KindInvalid, "verdicts", "say different things: submit those that agree together")
		}
		signers[i], signatures[i] = s.Signer, s.Signature
	}
	return s.Call(ctx, "submit a verdict", s.c.cfg.Addresses.Disputes, uint256.Int{},
		committee.PackSubmitVerdicts(v.Dispute, v.Guilty, uint8(v.Reason), signers, signatures))
}

// CollectDisputes pays an account what disputes owe it. Anybody may send it.
func (s *Sender) CollectDisputes(ctx context.Context, account protocol.Account) (Tx, error) {
	return s.Call(ctx, "collect from disputes", s.c.cfg.Addresses.Disputes, uint256.Int{}, committee.PackCollect(account))
}

// DrawsOf are what a batch drew from whom, read from the transaction that submitted it.
func (c *Client) DrawsOf(ctx context.Context, worker protocol.Account, tx protocol.Hash) ([]Draw, error) {
	r, err := c.Receipt(ctx, tx)
	if err != nil {
		return nil, err
	}
	var out []Draw
	for _, l := range r.Logs {
		if l.Address != c.cfg.Addresses.Escrow {
			continue
		}
		e, ok, err := c.event(l)
		if err != nil {
			return nil, err
		}
		if ok && e.Drawn != nil && e.Drawn.Worker == worker {
			out = append(out, Draw{Requester: e.Drawn.Requester, Amount: e.Drawn.Amount})
		}
	}
	return out, nil
}

// Refund puts what a rejected batch drew back into the requesters' escrow. Anybody may
// send it; what was refunded before is an error of kind already_exists.
func (s *Sender) Refund(ctx context.Context, worker protocol.Account, nonce uint64) (Tx, error) {
	b, err := s.c.Batch(ctx, worker, nonce)
	if err != nil {
		return Tx{}, err
	}
	switch {
	case b.Refunded:
		return Tx{}, protocol.Errorf(protocol.KindExists, "nonce", "batch %d of worker %s was refunded before", nonce, worker)
	case b.Status != BatchRejected:
		return Tx{}, protocol.Errorf(protocol.KindInvalid, "nonce", "batch %d of worker %s is %s: only a rejected one is refunded", nonce, worker, b.Status)
	}
	var draws []Draw
	found := errors.New("found")
	_, err = s.c.EachBatch(ctx, worker, 0, 0, func(e BatchEvent, ev Event) error {
		if e.Nonce != nonce {
			return nil
		}
		var err error
		if draws, err = s.c.DrawsOf(ctx, worker, ev.Tx); err != nil {
			return err
		}
		return found
	})
	if err != nil && !errors.Is(err, found) {
		return Tx{}, err
	}
	list := make([]bindings.Draw, len(draws))
	for i, d := range draws {
		list[i] = bindings.Draw{Requester: d.Requester, Amount: d.Amount.ToBig()}
	}
	return s.Call(ctx, "refund a batch", s.c.cfg.Addresses.Settlement, uint256.Int{}, settlement.PackRefund(worker, nonce, list))
}

// Jail is when a jailed worker may leave its jail; zero: it is in none.
func (c *Client) Jail(ctx context.Context, worker protocol.Account) (time.Time, error) {
	until, err := read(ctx, c, "read a worker's jail", c.cfg.Addresses.Staking, staking.PackJailedUntil(worker), staking.UnpackJailedUntil)
	if err != nil || until == 0 {
		return time.Time{}, err
	}
	return time.Unix(int64(until), 0), nil
}

// Unjail lets a worker go back to work: its owner when the term is over, governance
// before.
func (s *Sender) Unjail(ctx context.Context, worker protocol.Account) (Tx, error) {
	return s.Call(ctx, "leave jail", s.c.cfg.Addresses.Staking, uint256.Int{}, staking.PackUnjail(worker))
}
