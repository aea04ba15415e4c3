package chain

import (
	"maps"
	"sync"

	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

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

// source is what tells a kind of event: two contracts may report the same signature, with
// other words for its parameters.
type source struct {
	contract string // as in [Addresses.All]
	id       protocol.Hash
}

func on(contract, event string) source {
	return source{contract, interfaces()[contract].Events[event].ID}
}

// decoders has what reads the events that services act on.
var decoders = sync.OnceValue(func() map[source]decoder {
	all := disputeDecoders()
	maps.Copy(all, epochDecoders())
	maps.Copy(all, map[source]decoder{
		on("staking", "Staked"): func(e *Event, l *types.Log) error {
			ev, err := staking.UnpackStakedEvent(l)
			if err != nil {
				return err
			}
			e.Staked = &StakedEvent{Worker: ev.Worker, Account: ev.Account}
			e.Staked.Amount, err = toU256(ev.Amount)
			return err
		},
		on("staking", "Registered"): func(e *Event, l *types.Log) error {
			ev, err := staking.UnpackRegisteredEvent(l)
			if err != nil {
				return err
			}
			e.Worker = &WorkerEvent{Worker: ev.Worker, NodeKey: ev.NodeKey, Payout: ev.Payout, Peer: protocol.PeerID(ev.Peer), Expires: int64(ev.Expires)}
			return nil
		},
		on("escrow", "Deposited"): func(e *Event, l *types.Log) error {
			ev, err := escrow.UnpackDepositedEvent(l)
			if err != nil {
				return err
			}
			e.Deposited = &DepositedEvent{Requester: ev.Requester, From: ev.From}
			e.Deposited.Amount, err = toU256(ev.Amount)
			return err
		},
		on("escrow", "Drawn"): func(e *Event, l *types.Log) error {
			ev, err := escrow.UnpackDrawnEvent(l)
			if err != nil {
				return err
			}
			e.Drawn = &DrawnEvent{Requester: ev.Requester, Worker: ev.Worker}
			e.Drawn.Amount, err = toU256(ev.Amount)
			return err
		},
		on("datanets", "DatanetCreated"): func(e *Event, l *types.Log) error {
			ev, err := datanets.UnpackDatanetCreatedEvent(l)
			if err != nil {
				return err
			}
			e.Datanet = &DatanetEvent{protocol.Datanet{
				ID: ev.Datanet, Owner: ev.Owner, Name: ev.Name, Description: ev.Metadata, License: ev.License, Pool: ev.Pool,
			}}
			return nil
		},
		on("datanets", "VersionPublished"): func(e *Event, l *types.Log) error {
			ev, err := datanets.UnpackVersionPublishedEvent(l)
			if err != nil {
				return err
			}
			e.Version = &VersionEvent{protocol.Version{
				Datanet: ev.Datanet, Number: ev.Version, Root: protocol.CID(ev.Root), License: ev.License, Records: int(ev.RecordCount),
			}}
			return nil
		},
		on("models", "AdapterRegistered"): func(e *Event, l *types.Log) error {
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
		on("models", "LineageRegistered"): func(e *Event, l *types.Log) error {
			ev, err := models.UnpackLineageRegisteredEvent(l)
			if err != nil {
				return err
			}
			e.Lineage = &LineageEvent{Digest: ev.Digest, Revision: ev.Revision, RoyaltyBps: ev.RoyaltyBps, Parents: hashesOf(ev.Parents)}
			return nil
		},
		on("models", "RoyaltyLowered"): func(e *Event, l *types.Log) error {
			ev, err := models.UnpackRoyaltyLoweredEvent(l)
			if err != nil {
				return err
			}
			e.Royalty = &RoyaltyEvent{Digest: ev.Digest, Bps: ev.RoyaltyBps}
			return nil
		},
		on("settlement", "BatchSubmitted"): func(e *Event, l *types.Log) error {
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
		on("settlement", "Claimed"): func(e *Event, l *types.Log) error {
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
