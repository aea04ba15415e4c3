package chain

import (
	"errors"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/openledger/openledger/protocol"
)

// epochDecoders read what the epoch distributor reports.
func epochDecoders() map[source]decoder {
	return map[source]decoder{
		on("epochs", "EpochCommitted"): func(e *Event, l *types.Log) error {
			ev, err := epochs.UnpackEpochCommittedEvent(l)
			if err != nil {
				return err
			}
			e.Epoch = &EpochEvent{ID: ev.Epoch, Proposer: ev.Proposer, Root: ev.Root, Document: ev.DocumentDigest, FinalisableAt: int64(ev.FinalisableAt)}
			var aerr, cerr error
			e.Epoch.Amount, aerr = toU256(ev.Amount)
			e.Epoch.Cumulative, cerr = toU256(ev.Cumulative)
			return errors.Join(aerr, cerr)
		},
		on("epochs", "EpochClaimed"): func(e *Event, l *types.Log) error {
			ev, err := epochs.UnpackEpochClaimedEvent(l)
			if err != nil {
				return err
			}
			e.Received = &EpochClaimedEvent{Account: ev.Account}
			var aerr, cerr error
			e.Received.Amount, aerr = toU256(ev.Amount)
			e.Received.Cumulative, cerr = toU256(ev.Cumulative)
			return errors.Join(aerr, cerr)
		},
		on("epochs", "EpochOpened"): func(e *Event, l *types.Log) error {
			ev, err := epochs.UnpackEpochOpenedEvent(l)
			if err != nil {
				return err
			}
			e.Stage = &EpochStageEvent{ID: ev.Epoch, Stage: EpochBuilding, Account: ev.Proposer}
			e.Stage.Bond, err = toU256(ev.Bond)
			return err
		},
		on("epochs", "EpochFrozen"): func(e *Event, l *types.Log) error {
			ev, err := epochs.UnpackEpochFrozenEvent(l)
			if err != nil {
				return err
			}
			e.Stage = &EpochStageEvent{ID: ev.Epoch, Stage: EpochDisputed}
			return nil
		},
		on("epochs", "EpochUpheld"): func(e *Event, l *types.Log) error {
			ev, err := epochs.UnpackEpochUpheldEvent(l)
			if err != nil {
				return err
			}
			e.Stage = &EpochStageEvent{ID: ev.Epoch, Stage: EpochProposed}
			return nil
		},
		on("epochs", "EpochDropped"): func(e *Event, l *types.Log) error {
			ev, err := epochs.UnpackEpochDroppedEvent(l)
			if err != nil {
				return err
			}
			if int(ev.Stage) >= len(epochStages) {
				return protocol.Errorf(protocol.KindCorrupt, "stage", "epoch %d has the unknown stage %d", ev.Epoch, ev.Stage)
			}
			e.Stage = &EpochStageEvent{ID: ev.Epoch, Stage: epochStages[ev.Stage], Account: ev.Beneficiary}
			e.Stage.Bond, err = toU256(ev.Forfeited)
			return err
		},
		on("epochs", "EpochFinalised"): func(e *Event, l *types.Log) error {
			ev, err := epochs.UnpackEpochFinalisedEvent(l)
			if err != nil {
				return err
			}
			e.Stage = &EpochStageEvent{ID: ev.Epoch, Stage: EpochFinalised}
			return nil
		},
	}
}
