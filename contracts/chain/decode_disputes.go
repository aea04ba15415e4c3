package chain

import (
	"errors"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/openledger/openledger/protocol"
)

// disputeDecoders read what disputes report, on all contracts that they touch.
func disputeDecoders() map[source]decoder {
	return map[source]decoder{
		on("settlement", "BatchFrozen"): func(e *Event, l *types.Log) error {
			ev, err := settlement.UnpackBatchFrozenEvent(l)
			if err != nil {
				return err
			}
			e.Ruling = &RulingEvent{Worker: ev.Worker, Nonce: ev.Nonce, Status: BatchDisputed}
			return nil
		},
		on("settlement", "BatchUpheld"): func(e *Event, l *types.Log) error {
			ev, err := settlement.UnpackBatchUpheldEvent(l)
			if err != nil {
				return err
			}
			e.Ruling = &RulingEvent{Worker: ev.Worker, Nonce: ev.Nonce, Status: BatchPending, ClaimableAt: int64(ev.ClaimableAt)}
			return nil
		},
		on("settlement", "BatchRejected"): func(e *Event, l *types.Log) error {
			ev, err := settlement.UnpackBatchRejectedEvent(l)
			if err != nil {
				return err
			}
			e.Ruling = &RulingEvent{Worker: ev.Worker, Nonce: ev.Nonce, Status: BatchRejected}
			return nil
		},
		on("settlement", "Refunded"): func(e *Event, l *types.Log) error {
			ev, err := settlement.UnpackRefundedEvent(l)
			if err != nil {
				return err
			}
			e.Refunded = &RefundedEvent{Worker: ev.Worker, Nonce: ev.Nonce, Requester: ev.Requester}
			e.Refunded.Amount, err = toU256(ev.Amount)
			return err
		},
		on("disputes", "Challenged"): func(e *Event, l *types.Log) error {
			ev, err := committee.UnpackChallengedEvent(l)
			if err != nil {
				return err
			}
			e.Challenged = &ChallengedEvent{
				Dispute: ev.Dispute, Worker: ev.Worker, Nonce: ev.Nonce, Challenger: ev.Challenger,
				Reason: protocol.DisputeReason(ev.Reason), Evidence: ev.Evidence, DataDigest: ev.DataDigest,
			}
			e.Challenged.Bond, err = toU256(ev.Bond)
			return err
		},
		on("disputes", "Drawn"): func(e *Event, l *types.Log) error {
			ev, err := committee.UnpackDrawnEvent(l)
			if err != nil {
				return err
			}
			e.Committee = &CommitteeEvent{Dispute: ev.Dispute, Round: ev.Round, Members: ev.Members, Quorum: ev.Quorum, Deadline: int64(ev.Deadline)}
			return nil
		},
		on("disputes", "VerdictSubmitted"): func(e *Event, l *types.Log) error {
			ev, err := committee.UnpackVerdictSubmittedEvent(l)
			if err != nil {
				return err
			}
			e.Verdict = &VerdictEvent{Dispute: ev.Dispute, Member: ev.Member, Guilty: ev.Guilty, Reason: protocol.DisputeReason(ev.Reason)}
			return nil
		},
		on("disputes", "Resolved"): func(e *Event, l *types.Log) error {
			ev, err := committee.UnpackResolvedEvent(l)
			if err != nil {
				return err
			}
			if int(ev.Outcome) >= len(disputeStatuses) {
				return protocol.Errorf(protocol.KindCorrupt, "outcome", "dispute %d has the unknown outcome %d", ev.Dispute, ev.Outcome)
			}
			e.Resolved = &ResolvedEvent{
				Dispute: ev.Dispute, Worker: ev.Worker, Nonce: ev.Nonce, Outcome: disputeStatuses[ev.Outcome], Reason: protocol.DisputeReason(ev.Reason),
			}
			e.Resolved.Slashed, err = toU256(ev.Slashed)
			return err
		},
		on("staking", "Slashed"): func(e *Event, l *types.Log) error {
			ev, err := staking.UnpackSlashedEvent(l)
			if err != nil {
				return err
			}
			e.Slashed = &SlashedEvent{Worker: ev.Worker, Dispute: ev.Dispute, Reason: protocol.DisputeReason(ev.Reason), By: ev.By, Beneficiary: ev.Beneficiary}
			var serr, uerr error
			e.Slashed.Staked, serr = toU256(ev.Staked)
			e.Slashed.Unbonding, uerr = toU256(ev.Unbonding)
			return errors.Join(serr, uerr)
		},
		on("staking", "Jailed"): func(e *Event, l *types.Log) error {
			ev, err := staking.UnpackJailedEvent(l)
			if err != nil {
				return err
			}
			e.Jailed = &JailedEvent{Worker: ev.Worker, Dispute: ev.Dispute, Reason: protocol.DisputeReason(ev.Reason), Until: int64(ev.Until)}
			return nil
		},
	}
}
