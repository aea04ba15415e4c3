package chain

import (
	"context"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

// Event is something that a contract reported and that services act on. Of the fields
// after Tx exactly one is set. [Report] has every event, by the names of its parameters.
type Event struct {
	Block uint64
	Index uint // in the block
	Tx    protocol.Hash

	Staked    *StakedEvent
	Worker    *WorkerEvent
	Deposited *DepositedEvent
	Drawn     *DrawnEvent
	Datanet   *DatanetEvent
	Version   *VersionEvent
	Adapter   *AdapterEvent
	Lineage   *LineageEvent
	Royalty   *RoyaltyEvent
	Batch     *BatchEvent
	Claimed   *ClaimedEvent
	Epoch     *EpochEvent
	Stage     *EpochStageEvent
	Received  *EpochClaimedEvent
	Ruling    *RulingEvent
	Refunded  *RefundedEvent

	Challenged *ChallengedEvent
	Committee  *CommitteeEvent
	Verdict    *VerdictEvent
	Resolved   *ResolvedEvent
	Slashed    *SlashedEvent
	Jailed     *JailedEvent
}

// StakedEvent reports new stake on a worker.
type StakedEvent struct {
	Worker, Account protocol.Account
	Amount          uint256.Int
}

// WorkerEvent reports a registered binding.
type WorkerEvent struct {
	Worker, NodeKey, Payout protocol.Account
	Peer                    protocol.PeerID
	Expires                 int64 // Unix ms
}

// DepositedEvent reports money put in escrow.
type DepositedEvent struct {
	Requester, From protocol.Account
	Amount          uint256.Int
}

// DrawnEvent reports money drawn from escrow.
type DrawnEvent struct {
	Requester, Worker protocol.Account
	Amount            uint256.Int
}

// DatanetEvent reports a new datanet.
type DatanetEvent struct{ Datanet protocol.Datanet }

// VersionEvent reports a new version; its Owner is not set.
type VersionEvent struct{ Version protocol.Version }

// AdapterEvent reports a new adapter.
type AdapterEvent struct {
	Digest            protocol.Hash
	CID               protocol.CID
	Owner, Registrant protocol.Account
	Name              string
	Base              protocol.Hash
	Datanet           uint64
	Version           uint32
	Access            uint256.Int
}

// LineageEvent reports where a new adapter stands among others.
type LineageEvent struct {
	Digest     protocol.Hash
	Revision   uint32
	RoyaltyBps uint16
	Parents    []protocol.Hash
}

// RoyaltyEvent reports a lowered royalty.
type RoyaltyEvent struct {
	Digest protocol.Hash
	Bps    uint16
}

// BatchEvent reports a submitted batch.
type BatchEvent struct {
	Worker      protocol.Account
	Nonce       uint64
	Root        protocol.Hash
	Total       uint256.Int
	Count       uint32
	DataDigest  protocol.Hash
	ClaimableAt int64 // Unix seconds
}

// ClaimedEvent reports a paid leaf.
type ClaimedEvent struct {
	Worker  protocol.Account
	Nonce   uint64
	Index   uint32
	Account protocol.Account
	Amount  uint256.Int
}

// EpochEvent reports an epoch's root, which can be disputed from now on.
type EpochEvent struct {
	ID            uint32
	Proposer      protocol.Account
	Root          protocol.Hash
	Document      protocol.Hash // digest
	Amount        uint256.Int   // what it adds
	Cumulative    uint256.Int   // what all epochs brought, with it
	FinalisableAt int64         // Unix seconds
}

// EpochStageEvent reports that an epoch was opened, frozen by a dispute, upheld by it
// (proposed again), dropped or finalised. Its commitment is an [EpochEvent].
type EpochStageEvent struct {
	ID    uint32
	Stage EpochStage
	// Account is the proposer of one that was opened, and to whom the bond of one that was
	// dropped goes. Bond is that bond.
	Account protocol.Account
	Bond    uint256.Int
}

// EpochClaimedEvent reports what the epoch distributor paid.
type EpochClaimedEvent struct {
	Account    protocol.Account
	Amount     uint256.Int
	Cumulative uint256.Int // the account's, over all epochs
}

// RulingEvent reports that a batch was frozen by a dispute, goes on, or was rejected.
type RulingEvent struct {
	Worker      protocol.Account
	Nonce       uint64
	Status      BatchStatus // disputed, pending (goes on: until ClaimableAt) or rejected
	ClaimableAt int64       // Unix seconds; 0 unless the batch goes on
}

// RefundedEvent reports what a rejected batch gave back to a requester's escrow.
type RefundedEvent struct {
	Worker    protocol.Account
	Nonce     uint64
	Requester protocol.Account
	Amount    uint256.Int
}

// ChallengedEvent reports a new dispute; see [Dispute] for those about epochs.
type ChallengedEvent struct {
	Dispute    uint64
	Worker     protocol.Account
	Nonce      uint64
	Challenger protocol.Account
	Reason     protocol.DisputeReason
	Evidence   protocol.Hash
	DataDigest protocol.Hash
	Bond       uint256.Int
}

// CommitteeEvent reports a drawn committee.
type CommitteeEvent struct {
	Dispute  uint64
	Round    uint8
	Members  []protocol.Account
	Quorum   uint8
	Deadline int64 // Unix seconds, of verdicts
}

// VerdictEvent reports a member's verdict.
type VerdictEvent struct {
	Dispute uint64
	Member  protocol.Account
	Guilty  bool
	Reason  protocol.DisputeReason
}

// ResolvedEvent reports the end of a dispute.
type ResolvedEvent struct {
	Dispute uint64
	Worker  protocol.Account
	Nonce   uint64
	Outcome DisputeStatus
	Reason  protocol.DisputeReason
	Slashed uint256.Int
}

// SlashedEvent reports stake that a worker lost: who took it, why and how much.
type SlashedEvent struct {
	Worker            protocol.Account
	Dispute           uint64
	Reason            protocol.DisputeReason
	By, Beneficiary   protocol.Account
	Staked, Unbonding uint256.Int // what was taken from either
}

// JailedEvent reports a worker that may not work for a term.
type JailedEvent struct {
	Worker  protocol.Account
	Dispute uint64
	Reason  protocol.DisputeReason
	Until   int64 // Unix seconds
}

// Events calls fn for our contracts' events in blocks from..to, in order, and
// returns the block after the last one looked at: where to go on. To 0 means the
// newest block. Events of kinds not listed in Event are passed over.
func (c *Client) Events(ctx context.Context, from, to uint64, fn func(Event) error) (next uint64, err error) {
	return c.logs(ctx, from, to, c.Reporting(), nil, fn)
}

// EachBatch calls fn for submitted batches in blocks from..to: of one worker, or of
// all when worker is zero.
func (c *Client) EachBatch(ctx context.Context, worker protocol.Account, from, to uint64, fn func(BatchEvent, Event) error) (next uint64, err error) {
	topics := [][]common.Hash{{eventID(&bindings.AttributionSettlementMetaData, "BatchSubmitted")}}
	if worker != (protocol.Account{}) {
		topics = append(topics, []common.Hash{common.BytesToHash(worker[:])})
	}
	return c.logs(ctx, from, to, []common.Address{c.cfg.Addresses.Settlement}, topics, func(e Event) error {
		if e.Batch == nil {
			return nil
		}
		return fn(*e.Batch, e)
	})
}

// Watch calls fn for events from a block on, old and new, until the context ends
// or fn fails. It asks every interval and bears with a node that is away.
func (c *Client) Watch(ctx context.Context, from uint64, every time.Duration, fn func(Event) error) error {
	for {
		var refused error
		next, err := c.Events(ctx, from, 0, func(e Event) error {
			refused = fn(e)
			return refused
		})
		switch {
		case refused != nil:
			return refused
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			c.log.Warn("cannot read events from the chain: trying again", "err", err)
		default:
			from = next
		}
		if err := sleep(ctx, every); err != nil {
			return err
		}
	}
}

func (c *Client) logs(ctx context.Context, from, to uint64, at []common.Address, topics [][]common.Hash, fn func(Event) error) (uint64, error) {
	return c.rawLogs(ctx, from, to, at, topics, func(l *types.Log) error {
		e, ok, err := c.event(l)
		if err != nil || !ok {
			return err
		}
		return fn(e)
	})
}

// rawLogs calls fn with the logs of the blocks from..to (0: the newest), a range at a
// time, and gives the block to go on from.
func (c *Client) rawLogs(ctx context.Context, from, to uint64, at []common.Address, topics [][]common.Hash, fn func(*types.Log) error) (uint64, error) {
	from = max(from, c.cfg.Addresses.Block)
	if to == 0 {
		head, _, err := c.Head(ctx)
		if err != nil {
			return from, err
		}
		to = head
	}
	for from <= to {
		end := min(to, from+c.cfg.LogRange-1)
		logs, err := c.eth.FilterLogs(ctx, ethereum.FilterQuery{
			FromBlock: new(big.Int).SetUint64(from), ToBlock: new(big.Int).SetUint64(end), Addresses: at, Topics: topics,
		})
		if err != nil {
			return from, c.unavailable("read events", err)
		}
		for i := range logs {
			if logs[i].Removed {
				continue
			}
			if err := fn(&logs[i]); err != nil {
				return from, err
			}
		}
		from = end + 1
	}
	return from, nil
}

// event decodes one log; ok is false for kinds that Event does not list.
func (c *Client) event(l *types.Log) (e Event, ok bool, err error) {
	e = Event{Block: l.BlockNumber, Index: l.Index, Tx: l.TxHash}
	if len(l.Topics) == 0 {
		return e, false, nil
	}
	decode, ok := decoders()[source{c.contractAt(l.Address), l.Topics[0]}]
	if !ok {
		return e, false, nil
	}
	if err := decode(&e, l); err != nil {
		return e, false, protocol.Errorf(protocol.KindCorrupt, "", "event %d of block %d: %w", l.Index, l.BlockNumber, err)
	}
	return e, true, nil
}
