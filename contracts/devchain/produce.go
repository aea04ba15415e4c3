package devchain

import (
	"time"

	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/event"

	"github.com/openledger/openledger/protocol"
)

// tickEvery is the pace of empty blocks, each a second of the chain's clock: a little
// slower than the wall clock, which so catches up.
const tickEvery = 1100 * time.Millisecond

// produce makes a block whenever there are transactions for one.
func (c *Chain) produce() {
	defer c.wg.Done()
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	if !c.cfg.Ticks {
		ticker.Stop()
	}
	for {
		select {
		case <-c.done:
			return
		case <-c.wake:
		case <-ticker.C:
			if !c.executable() && c.ahead() > time.Second {
				c.commit()
			}
		}
		for c.executable() {
			if !c.paced() {
				return
			}
			before, _ := c.Head()
			c.commit()
			if c.cfg.Ticks {
				ticker.Reset(tickEvery)
			}
			if after, _ := c.Head(); after == before || c.executable() {
				// Nothing moved, or the pool still has some: let it settle.
				if !c.pause(time.Millisecond) {
					return
				}
			}
		}
	}
}

// listen wakes the maker of blocks when the pool has something new. It takes what the pool
// announces at any time: the pool waits for those that listen, and the maker of blocks for
// the pool.
func (c *Chain) listen(txs <-chan core.NewTxsEvent, sub event.Subscription) {
	defer c.wg.Done()
	defer sub.Unsubscribe()
	for {
		select {
		case <-c.done:
			return
		case <-sub.Err():
			return
		case <-txs:
			select {
			case c.wake <- struct{}{}:
			default: // it has yet to look
			}
		}
	}
}

func (c *Chain) executable() bool {
	// Two calls of Sync at once would leave one of them waiting for ever, and making a
	// block calls it too.
	c.seal.Lock()
	defer c.seal.Unlock()
	if err := c.eth.TxPool().Sync(); err != nil {
		return false
	}
	n, _ := c.eth.TxPool().Stats()
	return n > 0
}

// paced holds blocks back while the chain's clock is too far ahead of ours. It
// returns false when the chain closes.
func (c *Chain) paced() bool {
	for {
		wait := c.tooEarly()
		if wait <= 0 {
			return true
		}
		// Not all at once: meanwhile the clock may be moved, or the chain taken back.
		if !c.pause(min(wait, paceStep)) {
			return false
		}
	}
}

const paceStep = 50 * time.Millisecond

// tooEarly is how long the next block has to wait.
func (c *Chain) tooEarly() time.Duration {
	c.seal.Lock() // AdvanceTime moves clock and shift one after the other
	defer c.seal.Unlock()
	return c.ahead() + time.Second - c.cfg.MaxAhead - c.shift()
}

// ahead is how far the chain's clock is before ours, whatever took it there.
func (c *Chain) ahead() time.Duration {
	_, unix := c.Head()
	return time.Until(time.Unix(unix, 0))
}

func (c *Chain) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c.done:
		return false
	case <-t.C:
		return true
	}
}

// commit makes a block and puts it on disk.
func (c *Chain) commit() {
	c.seal.Lock()
	defer c.seal.Unlock()
	c.beacon.Commit()
	if err := c.durable.wait(); err != nil {
		c.log.Error("the chain cannot write to disk", "err", err)
	}
}

// shift is how far the clock was moved on purpose (AdvanceTime).
func (c *Chain) shift() time.Duration {
	return time.Duration(c.shifted.Load())
}

// AdvanceTime moves the chain's clock forward by making an empty block in the
// future: what waits for a window or a deadline can be tried at once. The clock
// stays ahead until the wall clock has caught up.
func (c *Chain) AdvanceTime(d time.Duration) error {
	if d < time.Second || d > 10*365*24*time.Hour {
		return protocol.Errorf(protocol.KindInvalid, "duration", "%s is outside 1s..10 years", d)
	}
	c.seal.Lock()
	defer c.seal.Unlock()
	for range 100 { // a transaction may slip in before each attempt
		if err := c.beacon.AdjustTime(d); err == nil {
			c.shifted.Add(int64(d))
			return c.durable.wait()
		}
		c.beacon.Commit()
	}
	return protocol.Errorf(protocol.KindBusy, "", "the chain has transactions all the time: try again when it is quiet")
}
