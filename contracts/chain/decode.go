package chain

import (
	"errors"
	"maps"
	"sync"

	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

func eventID(m *bind.MetaData, name string) common.Hash {
	parsed, err := m.ParseABI()
	if err != nil {
		return common.Hash{}
	}
	return parsed.Events[name].ID
}

type decoder func(*Event, *types.Log) error

// decoders maps an event's id to what reads it.
var decoders = sync.OnceValue(func() map[common.Hash]decoder {
	all := disputeDecoders()
	maps.Copy(all, epochDecoders())
	maps.Copy(all, map[common.Hash]decoder{
		eventID(&bindings.WorkerStakingMetaData, "Staked"): func(e *Event, l *types.Log) error {
			ev, err := staking.UnpackStakedEvent(l)
			if err != nil {
				return err
			}
			e.Staked = &StakedEvent{Worker: ev.Worker, Account: ev.Account}
			e.Staked.Amount, err = toU256(ev.Amount)
			return err
		},
		eventID(&bindings.WorkerStakingMetaData, "Registered"): func(e *Event, l *types.Log) error {
			ev, err := staking.UnpackRegisteredEvent(l)
			if err != nil {
				return err
			}
			e.Worker = &WorkerEvent{Worker: ev.Worker, NodeKey: ev.NodeKey, Payout: ev.Payout, Peer: protocol.PeerID(ev.Peer), Expires: int64(ev.Expires)}
			return nil
		},
		eventID(&bindings.EscrowMetaData, "Deposited"): func(e *Event, l *types.Log) error {
			ev, err := escrow.UnpackDepositedEvent(l)
			if err != nil {
				return err
			}
			e.Deposited = &DepositedEvent{Requester: ev.Requester, From: ev.From}
			e.Deposited.Amount, err = toU256(ev.Amount)
			return err
		},
		eventID(&bindings.EscrowMetaData, "Drawn"): func(e *Event, l *types.Log) error {
			ev, err := escrow.UnpackDrawnEvent(l)
			if err != nil {
				return err
			}
			e.Drawn = &DrawnEvent{Requester: ev.Requester, Worker: ev.Worker, Signer: ev.Signer}
			var aerr, cerr error
			e.Drawn.Amount, aerr = toU256(ev.Amount)
			e.Drawn.Cumulative, cerr = toU256(ev.Cumulative)
			return errors.Join(aerr, cerr)
		},
		eventID(&bindings.DatanetRegistryMetaData, "DatanetCreated"): func(e *Event, l *types.Log) error {
			ev, err := datanets.UnpackDatanetCreatedEvent(l)
			if err != nil {
				return err
			}
			e.Datanet = &DatanetEvent{protocol.Datanet{
				ID: ev.Datanet, Owner: ev.Owner, Name: ev.Name, Description: ev.Metadata, License: ev.License, Pool: ev.Pool,
			}}
			return nil
		},
		eventID(&bindings.DatanetRegistryMetaData, "VersionPublished"): func(e *Event, l *types.Log) error {
			ev, err := datanets.UnpackVersionPublishedEvent(l)
			if err != nil {
				return err
			}
			e.Version = &VersionEvent{protocol.Version{
				Datanet: ev.Datanet, Number: ev.Version, Root: protocol.CID(ev.Root), License: ev.License, Records: int(ev.RecordCount),
			}}
			return nil
		},
		eventID(&bindings.ModelRegistryMetaData, "AdapterRegistered"): func(e *Event, l *types.Log) error {
			ev, err := models.UnpackAdapterRegisteredEvent(l)
			if err != nil {
				return err
			}
			e.Adapter = &AdapterEvent{
				Digest: ev.Digest, CID: protocol.CID(ev.Cid), Owner: ev.Owner, Registrant: ev.Registrant, Name: ev.Name,
				Base: ev.Base, Datanet: ev.Datanet, Version: ev.Version,
			}
			e.Adapter.Access, err = toU256(ev.Access)
			return err
		},
		eventID(&bindings.ModelRegistryMetaData, "LineageRegistered"): func(e *Event, l *types.Log) error {
			ev, err := models.UnpackLineageRegisteredEvent(l)
			if err != nil {
				return err
			}
			e.Lineage = &LineageEvent{Digest: ev.Digest, Revision: ev.Revision, RoyaltyBps: ev.RoyaltyBps, Parents: hashesOf(ev.Parents)}
			return nil
		},
		eventID(&bindings.ModelRegistryMetaData, "RoyaltyLowered"): func(e *Event, l *types.Log) error {
			ev, err := models.UnpackRoyaltyLoweredEvent(l)
			if err != nil {
				return err
			}
			e.Royalty = &RoyaltyEvent{Digest: ev.Digest, Bps: ev.RoyaltyBps}
			return nil
		},
		eventID(&bindings.AttributionSettlementMetaData, "BatchSubmitted"): func(e *Event, l *types.Log) error {
			ev, err := settlement.UnpackBatchSubmittedEvent(l)
			if err != nil {
				return err
			}
			e.Batch = &BatchEvent{
				Worker: ev.Worker, Nonce: ev.Nonce, Root: ev.Root, Count: ev.Count, DataDigest: ev.DataDigest, ClaimableAt: int64(ev.ClaimableAt),
			}
			e.Batch.Total, err = toU256(ev.Total)
			return err
		},
		eventID(&bindings.AttributionSettlementMetaData, "Claimed"): func(e *Event, l *types.Log) error {
			ev, err := settlement.UnpackClaimedEvent(l)
			if err != nil {
				return err
			}
			e.Claimed = &ClaimedEvent{Worker: ev.Worker, Nonce: ev.Nonce, Index: ev.Index, Account: ev.Account}
			e.Claimed.Amount, err = toU256(ev.Amount)
			return err
		},
	})
	return all
})
