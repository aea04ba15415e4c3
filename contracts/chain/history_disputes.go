package chain

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

// DisputeEvents calls fn for what happened in disputes in blocks from..to (0: the newest),
// in order: challenges, committees, verdicts, outcomes, slashes and jail. It gives the block
// to go on from. Slashes and jail for other reasons than a dispute name the dispute 0.
func (c *Client) DisputeEvents(ctx context.Context, from, to uint64, fn func(dispute uint64, e Event) error) (next uint64, err error) {
	court, stakes := &bindings.DisputeCommitteeMetaData, &bindings.WorkerStakingMetaData
	kinds := [][]common.Hash{{
		eventID(court, "Challenged"), eventID(court, "Drawn"), eventID(court, "VerdictSubmitted"), eventID(court, "Resolved"),
		eventID(stakes, "Slashed"), eventID(stakes, "Jailed"),
	}}
	return c.rawLogs(ctx, from, to, []protocol.Account{c.cfg.Addresses.Disputes, c.cfg.Addresses.Staking}, kinds, func(l *types.Log) error {
		e, ok, err := c.event(l)
		if err != nil || !ok {
			return err
		}
		switch {
		case e.Challenged != nil:
			return fn(e.Challenged.Dispute, e)
		case e.Committee != nil:
			return fn(e.Committee.Dispute, e)
		case e.Verdict != nil:
			return fn(e.Verdict.Dispute, e)
		case e.Resolved != nil:
			return fn(e.Resolved.Dispute, e)
		case e.Slashed != nil:
			return fn(e.Slashed.Dispute, e)
		case e.Jailed != nil:
			return fn(e.Jailed.Dispute, e)
		}
		return nil
	})
}
