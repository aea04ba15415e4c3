package chain

import (
	"context"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

var epochs = bindings.NewEpochDistributor()

// EpochStage is where an epoch stands.
type EpochStage string

// The stages, in the contract's order.
const (
	EpochNone      EpochStage = "none"
	EpochBuilding  EpochStage = "building" // its proposer holds batches
	EpochProposed  EpochStage = "proposed" // its root can be disputed, then finalised
	EpochDisputed  EpochStage = "disputed"
	EpochFinalised EpochStage = "finalised"
	EpochRejected  EpochStage = "rejected"  // its root was wrong
	EpochAbandoned EpochStage = "abandoned" // it was not committed in time
)

var epochStages = []EpochStage{EpochNone, EpochBuilding, EpochProposed, EpochDisputed, EpochFinalised, EpochRejected, EpochAbandoned}

// Epoch is an epoch of the distributor. Deadline is that of its commitment while it is
// building, then the time from which it can be finalised.
type Epoch struct {
	ID         uint32           `json:"id"`
	Stage      EpochStage       `json:"stage"`
	Proposer   protocol.Account `json:"proposer"`
	Root       protocol.Hash    `json:"root"`
	Document   protocol.Hash    `json:"document"` // digest
	Deadline   int64            `json:"deadline"` // Unix seconds
	Upheld     bool             `json:"upheld"`   // a dispute found it right
	Batches    uint32           `json:"batches"`
	Swept      uint32           `json:"swept"` // of its batches
	Bond       uint256.Int      `json:"bond_wei"`
	Amount     uint256.Int      `json:"amount_wei"`     // what its batches had left
	Cumulative uint256.Int      `json:"cumulative_wei"` // of all epochs up to this one; 0 while it is building
}

// EpochParams are the governed numbers of epochs.
type EpochParams struct {
	Bond            uint256.Int `json:"bond_wei"`
	ChallengeWindow uint64      `json:"challenge_window_seconds"`
	BuildWindow     uint64      `json:"build_window_seconds"`
}

// Distribution is what the newest finalised epoch made claimable.
type Distribution struct {
	Root  protocol.Hash `json:"root"`
	Total uint256.Int   `json:"total_wei"` // what all finalised epochs brought
	Paid  uint256.Int   `json:"paid_wei"`
}

// BatchRef names a batch.
type BatchRef struct {
	Worker protocol.Account `json:"worker"`
	Nonce  uint64           `json:"nonce"`
}

// HeldBatch is a batch of an epoch and what it had left when it was held.
type HeldBatch struct {
	BatchRef
	Remainder uint256.Int `json:"remainder_wei"`
	Block     uint64      `json:"block"`
}

// EpochParams reads the governed numbers of epochs.
func (c *Client) EpochParams(ctx context.Context) (p EpochParams, err error) {
	const what = "read the parameters of epochs"
	at := c.cfg.Addresses.Epochs
	if p.Bond, err = readAmount(ctx, c, what, at, epochs.PackBond(), epochs.UnpackBond); err != nil {
		return p, err
	}
	if p.ChallengeWindow, err = read(ctx, c, what, at, epochs.PackChallengeWindow(), epochs.UnpackChallengeWindow); err != nil {
		return p, err
	}
	p.BuildWindow, err = read(ctx, c, what, at, epochs.PackBuildWindow(), epochs.UnpackBuildWindow)
	return p, err
}

// CurrentEpochs are the epoch under way and the newest finalised one; 0: none.
func (c *Client) CurrentEpochs(ctx context.Context) (live, finalised uint32, err error) {
	v, err := read(ctx, c, "read the present epoch", c.cfg.Addresses.Epochs, epochs.PackCurrent(), epochs.UnpackCurrent)
	return v.Live, v.Finalised, err
}

// Epoch reads an epoch, or is an error of kind not_found.
func (c *Client) Epoch(ctx context.Context, id uint32) (Epoch, error) {
	v, err := read(ctx, c, "read an epoch", c.cfg.Addresses.Epochs, epochs.PackEpochOf(id), epochs.UnpackEpochOf)
	if err != nil {
		return Epoch{}, err
	}
	if int(v.Stage) >= len(epochStages) {
		return Epoch{}, protocol.Errorf(protocol.KindCorrupt, "stage", "epoch %d has the stage %d, which this version does not know", id, v.Stage)
	}
	if v.Stage == 0 {
		return Epoch{}, protocol.Errorf(protocol.KindNotFound, "epoch", "there is no epoch %d: 'openledger epoch list' shows them", id)
	}
	e := Epoch{
		ID: id, Stage: epochStages[v.Stage], Proposer: v.Proposer, Root: v.Root, Document: v.DocumentDigest, Deadline: int64(v.Deadline),
		Upheld: v.Upheld, Batches: v.Count, Swept: v.SweptCount,
	}
	if e.Bond, err = toU256(v.Bond); err != nil {
		return e, err
	}
	if e.Amount, err = toU256(v.Amount); err != nil {
		return e, err
	}
	e.Cumulative, err = toU256(v.Cumulative)
	return e, err
}

// Epochs lists all epochs, the oldest first.
func (c *Client) Epochs(ctx context.Context) ([]Epoch, error) {
	var ids []uint32
	opened := [][]common.Hash{{eventID(&bindings.EpochDistributorMetaData, "EpochOpened")}}
	if _, err := c.rawLogs(ctx, 0, 0, []common.Address{c.cfg.Addresses.Epochs}, opened, func(l *types.Log) error {
		ev, err := epochs.UnpackEpochOpenedEvent(l)
		if err == nil {
			ids = append(ids, ev.Epoch)
		}
		return err
	}); err != nil {
		return nil, err
	}
	out := make([]Epoch, 0, len(ids))
	for _, id := range ids {
		e, err := c.Epoch(ctx, id)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// EpochBatches lists the batches of an epoch in the order in which it took them.
func (c *Client) EpochBatches(ctx context.Context, id uint32) ([]HeldBatch, error) {
	var out []HeldBatch
	held := [][]common.Hash{{eventID(&bindings.AttributionSettlementMetaData, "Held")}, {common.BigToHash(number(uint64(id)))}}
	_, err := c.rawLogs(ctx, 0, 0, []common.Address{c.cfg.Addresses.Settlement}, held, func(l *types.Log) error {
		ev, err := settlement.UnpackHeldEvent(l)
		if err != nil {
			return err
		}
		h := HeldBatch{BatchRef: BatchRef{Worker: ev.Worker, Nonce: ev.Nonce}, Block: l.BlockNumber}
		if h.Remainder, err = toU256(ev.Remainder); err != nil {
			return err
		}
		out = append(out, h)
		return nil
	})
	return out, err
}

// SweptBatches are the batches whose rest went to the epoch distributor.
func (c *Client) SweptBatches(ctx context.Context) (map[BatchRef]bool, error) {
	out := map[BatchRef]bool{}
	swept := [][]common.Hash{{eventID(&bindings.AttributionSettlementMetaData, "Swept")}}
	_, err := c.rawLogs(ctx, 0, 0, []common.Address{c.cfg.Addresses.Settlement}, swept, func(l *types.Log) error {
		ev, err := settlement.UnpackSweptEvent(l)
		if err == nil {
			out[BatchRef{Worker: ev.Worker, Nonce: ev.Nonce}] = true
		}
		return err
	})
	return out, err
}

// maxTopics bounds the alternatives of one query: nodes refuse more than a thousand.
const maxTopics = 500

// EachClaimed calls fn for the leaves of workers' batches that were claimed singly.
func (c *Client) EachClaimed(ctx context.Context, workers []protocol.Account, fn func(ClaimedEvent) error) error {
	for some := range slices.Chunk(workers, maxTopics) {
		topics := [][]common.Hash{{eventID(&bindings.AttributionSettlementMetaData, "Claimed")}, nil}
		for _, w := range some {
			topics[1] = append(topics[1], common.BytesToHash(w[:]))
		}
		if _, err := c.logs(ctx, 0, 0, []common.Address{c.cfg.Addresses.Settlement}, topics, func(e Event) error {
			if e.Claimed == nil {
				return nil
			}
			return fn(*e.Claimed)
		}); err != nil {
			return err
		}
	}
	return nil
}

// EachEpoch calls fn for the committed epochs in blocks from..to.
func (c *Client) EachEpoch(ctx context.Context, from, to uint64, fn func(EpochEvent, Event) error) (next uint64, err error) {
	topics := [][]common.Hash{{eventID(&bindings.EpochDistributorMetaData, "EpochCommitted")}}
	return c.logs(ctx, from, to, []common.Address{c.cfg.Addresses.Epochs}, topics, func(e Event) error {
		if e.Epoch == nil {
			return nil
		}
		return fn(*e.Epoch, e)
	})
}

// Distribution reads what finalised epochs made claimable.
func (c *Client) Distribution(ctx context.Context) (d Distribution, err error) {
	v, err := read(ctx, c, "read the distribution", c.cfg.Addresses.Epochs, epochs.PackDistribution(), epochs.UnpackDistribution)
	if err != nil {
		return d, err
	}
	d.Root = v.Root
	if d.Total, err = toU256(v.Total); err != nil {
		return d, err
	}
	d.Paid, err = toU256(v.Paid)
	return d, err
}

// EpochsClaimed is what an account has claimed from the epoch distributor.
func (c *Client) EpochsClaimed(ctx context.Context, a protocol.Account) (uint256.Int, error) {
	return readAmount(ctx, c, "read what epochs have paid", c.cfg.Addresses.Epochs, epochs.PackClaimedOf(a), epochs.UnpackClaimedOf)
}

// EpochCredit is what an account can collect from the epoch distributor: bonds.
func (c *Client) EpochCredit(ctx context.Context, a protocol.Account) (uint256.Int, error) {
	return readAmount(ctx, c, "read a bond to collect", c.cfg.Addresses.Epochs, epochs.PackCreditOf(a), epochs.UnpackCreditOf)
}
