package coordinator

import (
	"context"
	"slices"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
)

// BatchPage is one batch as the chain has it, with what its document says once that was
// read.
func (c *Coordinator) BatchPage(ctx context.Context, worker protocol.Account, nonce uint64) (api.BatchPage, error) {
	b, err := c.chain.Batch(ctx, worker, nonce)
	if err != nil {
		return api.BatchPage{}, err
	}
	v := api.BatchPage{
		BatchView: api.BatchView{Worker: b.Worker, Nonce: b.Nonce, Root: b.Root, Total: b.Total, Leaves: b.Count, Document: b.DataDigest, OpensAt: b.ClaimableAt},
		Status:    string(b.Status), At: b.At, Claimed: b.Claimed, Held: b.Held, Refunded: b.Refunded, DocumentCID: ipfs.RawCIDOf(b.DataDigest),
	}
	if v.Dispute, v.Disputes, err = c.chain.DisputeOf(ctx, worker, nonce); err != nil {
		return v, err
	}
	noted, ok, err := c.book.SettledBatch(worker, nonce)
	if err != nil || !ok || noted.Document != b.DataDigest { // the chain went back behind what was noted
		return v, err
	}
	v.Tx, v.Block, v.Read, v.Receipts = &noted.Tx, noted.Block, noted.Paid != nil, noted.Receipts
	for _, p := range noted.Paid {
		v.Paid = append(v.Paid, api.PaidTo(p))
	}
	return v, nil
}

// DisputeList reads disputes from the newest, or from below a number.
func (c *Coordinator) DisputeList(ctx context.Context, below uint64, limit int) ([]api.DisputeView, error) {
	last, err := c.chain.DisputeCount(ctx)
	if err != nil {
		return nil, err
	}
	if below > 0 {
		last = min(last, below-1)
	}
	var out []api.DisputeView
	for id := last; id > 0 && len(out) < limit; id-- {
		d, err := c.chain.Dispute(ctx, id)
		if err != nil {
			return nil, err
		}
		out = append(out, disputeView(&d))
	}
	return out, nil
}

// DisputePage reads a dispute, its committee and what happened in it.
func (c *Coordinator) DisputePage(ctx context.Context, id uint64) (api.DisputePage, error) {
	d, err := c.chain.Dispute(ctx, id)
	if err != nil {
		return api.DisputePage{}, err
	}
	v := api.DisputePage{DisputeView: disputeView(&d)}
	seats, err := c.chain.Seats(ctx, id)
	if err != nil {
		return v, err
	}
	for _, s := range seats {
		v.Seats = append(v.Seats, api.DisputeSeat{Member: s.Member, Vote: string(s.Vote)})
	}
	v.Steps, err = c.trials.of(ctx, c.chain, id)
	return v, err
}

func disputeView(d *chain.Dispute) api.DisputeView {
	return api.DisputeView{
		ID: d.ID, Epoch: d.Epoch, Worker: d.Worker, Nonce: d.Nonce, Document: d.DataDigest, Challenger: d.Challenger, Bond: d.Bond,
		Reason: d.Reason, ReasonText: d.Reason.String(), Evidence: d.Evidence, Status: string(d.Status),
		Round: min(int(d.Round)+1, int(d.Rounds)), Rounds: int(d.Rounds), Deadline: d.Deadline,
		Quorum: int(d.Quorum), Guilty: int(d.Guilty), Upheld: int(d.Upheld),
	}
}

// trials are what happened in every dispute up to a block. Each one cost a bond, so there
// are not many.
type trials struct {
	turn  chan struct{} // guards what follows, also while waiting for the chain
	next  uint64        // the block to go on from
	steps map[uint64][]api.DisputeStep
}

// of reads what is new, and the newest blocks once more, and gives the steps of a dispute.
func (t *trials) of(ctx context.Context, ch *chain.Client, id uint64) ([]api.DisputeStep, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	from := ch.Addresses().Block
	if t.next > from+settledDepth {
		from = t.next - settledDepth
	}
	fresh, times := map[uint64][]api.DisputeStep{}, map[uint64]int64{}
	next, err := ch.DisputeEvents(ctx, from, 0, func(dispute uint64, e chain.Event) error {
		if dispute == 0 { // stake that governance took
			return nil
		}
		if _, ok := times[e.Block]; !ok {
			b, err := ch.BlockAt(ctx, e.Block)
			if err != nil {
				return err
			}
			times[e.Block] = b.Time
		}
		fresh[dispute] = append(fresh[dispute], stepOf(&e, times[e.Block]))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if t.steps == nil {
		t.steps = map[uint64][]api.DisputeStep{}
	}
	for dispute, old := range t.steps {
		t.steps[dispute] = slices.DeleteFunc(old, func(s api.DisputeStep) bool { return s.Block >= from })
	}
	for dispute, more := range fresh {
		t.steps[dispute] = append(t.steps[dispute], more...)
	}
	t.next = next
	return slices.Clone(t.steps[id]), nil
}

func stepOf(e *chain.Event, at int64) api.DisputeStep {
	s := api.DisputeStep{Block: e.Block, Tx: e.Tx, At: at}
	switch {
	case e.Challenged != nil:
		s.What, s.Account, s.Reason, s.Amount = "challenged", &e.Challenged.Challenger, e.Challenged.Reason, &e.Challenged.Bond
	case e.Committee != nil:
		s.What, s.Round, s.Members = "drawn", int(e.Committee.Round)+1, e.Committee.Members
	case e.Verdict != nil:
		s.What, s.Account, s.Reason, s.Vote = "verdict", &e.Verdict.Member, e.Verdict.Reason, string(chain.VoteUpheld)
		if e.Verdict.Guilty {
			s.Vote = string(chain.VoteGuilty)
		}
	case e.Resolved != nil:
		s.What, s.Reason, s.Amount, s.Outcome = "resolved", e.Resolved.Reason, &e.Resolved.Slashed, string(e.Resolved.Outcome)
	case e.Slashed != nil:
		s.What, s.Account, s.Reason = "slashed", &e.Slashed.Worker, e.Slashed.Reason
		s.Amount = new(uint256.Int).Add(&e.Slashed.Staked, &e.Slashed.Unbonding)
	case e.Jailed != nil:
		s.What, s.Account, s.Reason, s.Until = "jailed", &e.Jailed.Worker, e.Jailed.Reason, e.Jailed.Until
	}
	return s
}
