package chain

import (
	"context"
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

// BlockRef names a block and what it stands on.
type BlockRef struct {
	Number uint64        `json:"number"`
	Hash   protocol.Hash `json:"hash"`
	Parent protocol.Hash `json:"parent"`
	Time   int64         `json:"time"`   // Unix seconds
	Random protocol.Hash `json:"random"` // prevRandao (EIP-4399)
}

func refOf(h *types.Header) BlockRef {
	return BlockRef{Number: h.Number.Uint64(), Hash: h.Hash(), Parent: h.ParentHash, Time: int64(h.Time), Random: h.MixDigest}
}

// Newest is the newest block.
func (c *Client) Newest(ctx context.Context) (BlockRef, error) {
	h, err := c.eth.HeaderByNumber(ctx, nil)
	if err != nil {
		return BlockRef{}, c.unavailable("read the newest block", err)
	}
	return refOf(h), nil
}

// BlockAt is the block at a height of the branch that the node follows now, or an error
// of kind not_found.
func (c *Client) BlockAt(ctx context.Context, number uint64) (BlockRef, error) {
	h, err := c.eth.HeaderByNumber(ctx, new(big.Int).SetUint64(number))
	if errors.Is(err, ethereum.NotFound) {
		return BlockRef{}, protocol.Errorf(protocol.KindNotFound, "number", "the node has no block %d", number)
	}
	if err != nil {
		return BlockRef{}, c.unavailable("read a block", err)
	}
	return refOf(h), nil
}

// Ids of events that are looked up by their first indexed parameter, a worker.
var (
	RegisteredEvent     = eventID(&bindings.WorkerStakingMetaData, "Registered")
	BatchSubmittedEvent = eventID(&bindings.AttributionSettlementMetaData, "BatchSubmitted")
)

// Topic is an account as an event's indexed parameter.
func Topic(a protocol.Account) protocol.Hash { return common.BytesToHash(a[:]) }

// Log is one event of a contract as the chain has it. [Client.Decode] reads it.
type Log struct {
	Block     uint64           `json:"block"`
	BlockHash protocol.Hash    `json:"block_hash"`
	Index     uint             `json:"index"` // in the block
	Tx        protocol.Hash    `json:"tx"`
	Contract  protocol.Account `json:"contract"`
	Topics    []protocol.Hash  `json:"topics"`
	Data      hexutil.Bytes    `json:"data"`
}

// Reporting are the contracts whose events are of interest: all that are deployed.
func (c *Client) Reporting() []protocol.Account {
	var out []protocol.Account
	for _, at := range c.cfg.Addresses.All() {
		if at != (protocol.Account{}) {
			out = append(out, at)
		}
	}
	return out
}

// LogsIn are our contracts' events in the blocks from..to, in order. An error of kind
// invalid is the node's refusal, as a rule because the range is too wide for it.
func (c *Client) LogsIn(ctx context.Context, from, to uint64) ([]Log, error) {
	return c.filter(ctx, ethereum.FilterQuery{
		FromBlock: new(big.Int).SetUint64(from), ToBlock: new(big.Int).SetUint64(to), Addresses: c.Reporting(),
	})
}

// LogsOf are our contracts' events in one block, in order. A block that the node has
// given up is an error.
func (c *Client) LogsOf(ctx context.Context, block protocol.Hash) ([]Log, error) {
	return c.filter(ctx, ethereum.FilterQuery{BlockHash: &block, Addresses: c.Reporting()})
}

func (c *Client) filter(ctx context.Context, q ethereum.FilterQuery) ([]Log, error) {
	logs, err := c.eth.FilterLogs(ctx, q)
	if err != nil {
		return nil, c.explain("read events", err)
	}
	out := make([]Log, 0, len(logs))
	for i := range logs {
		l := &logs[i]
		if l.Removed {
			continue
		}
		out = append(out, logOf(l))
	}
	return out, nil
}

func logOf(l *types.Log) Log {
	return Log{Block: l.BlockNumber, BlockHash: l.BlockHash, Index: l.Index, Tx: l.TxHash, Contract: l.Address, Topics: l.Topics, Data: l.Data}
}

// Decode reads a log; ok is false for kinds that Event does not list.
func (c *Client) Decode(l Log) (e Event, ok bool, err error) {
	return c.event(&types.Log{
		Address: l.Contract, Topics: append([]common.Hash(nil), l.Topics...), Data: l.Data,
		BlockNumber: l.Block, BlockHash: l.BlockHash, TxHash: l.Tx, Index: l.Index,
	})
}
