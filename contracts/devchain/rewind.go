package devchain

import (
	"github.com/openledger/openledger/protocol"
)

// Rewind gives up the newest blocks, so that the chain goes on from an older one: a
// reorganisation, for trying what depends on the chain. Their transactions go back to the
// pool, as in any reorganisation, and into a block when the next one is made. It has the
// height of the first one given up and another hash.
func (c *Chain) Rewind(blocks uint64) error {
	c.seal.Lock()
	defer c.seal.Unlock()
	chain := c.eth.BlockChain()
	head := chain.CurrentBlock().Number.Uint64()
	if blocks == 0 || blocks > head {
		return protocol.Errorf(protocol.KindInvalid, "blocks", "is %d, of a chain of %d: give up 1..%d", blocks, head, head)
	}
	if err := c.beacon.Fork(chain.GetHeaderByNumber(head - blocks).Hash()); err != nil {
		return protocol.Errorf(protocol.KindBusy, "", "the chain has transactions under way: try again when it is quiet: %w", err)
	}
	return c.durable.wait()
}
