package devchain

import (
	"fmt"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/openledger/openledger/protocol"
)

// Rewind gives up the newest blocks, so that the chain goes on from an older one: a
// reorganisation, for trying what depends on the chain. Their transactions are back in the
// pool when it returns, as in any reorganisation, but for those that the older state cannot
// pay, and come into a block when the next one is made. It has the height of the first one
// given up and another hash.
func (c *Chain) Rewind(blocks uint64) error {
	c.seal.Lock()
	defer c.seal.Unlock()
	chain := c.eth.BlockChain()
	head := chain.CurrentBlock().Number.Uint64()
	if blocks == 0 || blocks > head {
		return protocol.Errorf(protocol.KindInvalid, "blocks", "is %d, of a chain of %d: give up 1..%d", blocks, head, head)
	}
	left := head - blocks
	var lost types.Transactions
	for number := left + 1; number <= head; number++ {
		lost = append(lost, chain.GetBlockByNumber(number).Transactions()...)
	}
	// No block may be moved to the files of old ones while it is given up. The next one
	// made marks a final block again.
	chain.SetFinalized(nil)
	old, err := c.old(left)
	if err != nil {
		return err
	}
	if !old {
		if err := c.beacon.Fork(chain.GetHeaderByNumber(left).Hash()); err != nil {
			return protocol.Errorf(protocol.KindBusy, "", "the chain has transactions under way: try again when it is quiet: %w", err)
		}
		if old, err = c.old(left); err != nil { // a move was under way
			return err
		}
	}
	if old {
		if err := c.cut(left, lost); err != nil {
			return err
		}
	}
	// The pool takes the new head a moment later: whoever asked it before would be told
	// that nothing is under way.
	if err := c.eth.TxPool().Sync(); err != nil {
		return fmt.Errorf("wait for the pool: %w", err)
	}
	return c.durable.wait()
}

// old says that a block above the one that is to be left is in the files of old blocks,
// which go-ethereum only appends to: every 32nd block counts as final, and within a minute
// all up to it are moved there. A reorganisation of those leaves them the chain's blocks,
// and none could be made any more.
func (c *Chain) old(left uint64) (bool, error) {
	kept, err := c.eth.ChainDb().Ancients() // block 0 is one of them
	if err != nil {
		return false, fmt.Errorf("count the old blocks: %w", err)
	}
	return kept > left+1, nil
}

// cut takes blocks off the chain, those in the files too, and puts their transactions back
// into the pool, which finds them nowhere any more.
func (c *Chain) cut(left uint64, lost types.Transactions) error {
	if err := c.eth.BlockChain().SetHead(left); err != nil {
		return fmt.Errorf("take the chain back to block %d: %w", left, err)
	}
	if at := c.eth.BlockChain().CurrentBlock().Number.Uint64(); at != left {
		return protocol.Errorf(protocol.KindCorrupt, "", "the chain went back to block %d instead of %d: its state is gone", at, left)
	}
	if err := c.eth.TxPool().Sync(); err != nil {
		return fmt.Errorf("wait for the pool: %w", err)
	}
	for i, err := range c.eth.TxPool().Add(lost, true) {
		if err != nil {
			c.log.Debug("a transaction of a block that was given up", "tx", lost[i].Hash(), "err", err)
		}
	}
	return nil
}
