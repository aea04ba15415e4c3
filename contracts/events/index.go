package events

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// Index is the index of one deployment. It is safe for concurrent use.
type Index struct {
	cfg  Config
	turn sync.Mutex // one Sync at a time
	span uint64     // blocks of the next range

	mu     sync.Mutex
	update chan struct{} // closed when something changed
	last   Progress
}

// Progress is what a Sync has done.
type Progress struct {
	Head       chain.BlockRef `json:"head"` // of the chain
	Tip        uint64         `json:"tip"`  // the newest block indexed
	Blocks     uint64         `json:"blocks"`
	Events     int            `json:"events"`
	RolledBack uint64         `json:"rolled_back"` // blocks
}

// New makes the index. Nothing runs yet.
func New(cfg Config) (*Index, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Index{cfg: cfg, span: cfg.Range, update: make(chan struct{})}, nil
}

// Run keeps the index up with the chain until the context ends. A node that is away is
// asked again.
func (x *Index) Run(ctx context.Context) error {
	tick := time.NewTicker(x.cfg.Every)
	defer tick.Stop()
	for {
		if _, err := x.Sync(ctx); err != nil && ctx.Err() == nil {
			x.cfg.Logger.Warn("cannot read events from the chain: trying again", "err", err, "every", x.cfg.Every)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Changed is closed at the next change of the index.
func (x *Index) Changed() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.update
}

// Last is what the newest Sync that succeeded came to.
func (x *Index) Last() Progress {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.last
}

// Depth is how many of the newest blocks may still be replaced.
func (x *Index) Depth() uint64 { return x.cfg.Depth }

// Tip is the newest block indexed; ok is false when there is none.
func (x *Index) Tip() (chain.BlockRef, bool, error) {
	_, b, ok, err := blockTable.Last(x.cfg.DB)
	return b, ok, err
}

// Each calls fn for the events in blocks from..to, in order, of the kinds that
// [chain.Event] lists.
func (x *Index) Each(from, to uint64, fn func(chain.Event) error) error {
	return x.EachLog(from, to, func(l chain.Log) error {
		e, ok, err := x.cfg.Chain.Decode(l)
		if err != nil || !ok {
			return err
		}
		return fn(e)
	})
}

// EachLog is Each for all events, as the chain has them.
func (x *Index) EachLog(from, to uint64, fn func(chain.Log) error) error {
	return logTable.ScanFrom(x.cfg.DB, store.PairOf(from, uint64(0)), func(k store.Pair[uint64, uint64], l chain.Log) error {
		if k.A > to {
			return store.ErrStop
		}
		return fn(l)
	})
}

// EachOf calls fn for the events of one kind, by the event's id (such as [chain.RegisteredEvent]), whose
// first indexed parameter is subject, in order.
func (x *Index) EachOf(id, subject protocol.Hash, fn func(chain.Event) error) error {
	return x.EachLogOf(id, 1, subject, func(l chain.Log) error {
		e, ok, err := x.cfg.Chain.Decode(l)
		if err != nil || !ok {
			return err
		}
		return fn(e)
	})
}

// EachLogOf calls fn for the events of any one kind whose nth indexed parameter, from 1, is
// subject, in order, as the chain has them: [chain.Client.Report] reads them.
func (x *Index) EachLogOf(id protocol.Hash, nth uint64, subject protocol.Hash, fn func(chain.Log) error) error {
	at := store.PairOf(store.PairOf(id, nth), subject)
	return store.ScanFirst(x.cfg.DB, topicTable, topics, at, func(at place, _ store.Mark) error {
		l, ok, err := logTable.Get(x.cfg.DB, at)
		if err != nil || !ok { // rolled back since
			return err
		}
		return fn(l)
	})
}

// maxTurns bounds how often one Sync begins anew because the chain changed under it.
const maxTurns = 32

var errChanged = errors.New("the chain changed while it was read")

// Sync brings the index up to the chain's newest block.
func (x *Index) Sync(ctx context.Context) (p Progress, err error) {
	x.turn.Lock()
	defer x.turn.Unlock()
	if err := x.begin(); err != nil {
		return p, err
	}
	defer func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		if err == nil {
			x.last = p
		}
		if p.Blocks > 0 || p.RolledBack > 0 {
			close(x.update)
			x.update = make(chan struct{})
		}
	}()
	for turn := 0; ; {
		more, err := x.advance(ctx, &p)
		switch {
		case errors.Is(err, errChanged) && turn < maxTurns:
			turn++
		case errors.Is(err, errChanged):
			return p, protocol.Errorf(protocol.KindBusy, "", "the chain keeps changing while it is read: trying again later")
		case err != nil || !more:
			return p, err
		}
	}
}

// advance does one step: rolls back, or reads a range or a block.
func (x *Index) advance(ctx context.Context, p *Progress) (more bool, err error) {
	if p.Head, err = x.cfg.Chain.Newest(ctx); err != nil {
		return false, err
	}
	tip, ok, err := x.Tip()
	if err != nil {
		return false, err
	}
	from := x.cfg.Chain.Addresses().Block
	if ok {
		if tip, err = x.reconcile(ctx, tip, p); err != nil {
			return false, err
		}
		from = tip.Number + 1
		p.Tip = tip.Number
	}
	head := p.Head.Number
	switch {
	case from > head:
		return false, nil
	case from+x.cfg.Depth <= head:
		return true, x.old(ctx, from, head-x.cfg.Depth, p)
	default:
		return true, x.young(ctx, from, tip, ok, p)
	}
}

// old reads one range of blocks that no reorganisation reaches any more.
func (x *Index) old(ctx context.Context, from, to uint64, p *Progress) error {
	to = min(to, from+x.span-1)
	logs, err := x.cfg.Chain.LogsIn(ctx, from, to)
	if protocol.KindOf(err) == protocol.KindInvalid && to > from {
		x.span = max(1, (to-from+1)/2)
		x.cfg.Logger.Info("the node refuses so wide a range of events: halving it", "blocks", to-from+1, "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	end, err := x.cfg.Chain.BlockAt(ctx, to)
	if err != nil {
		return err
	}
	if err := x.commit(logs, from, end, p); err != nil {
		return err
	}
	x.span = min(x.cfg.Range, 2*x.span)
	return nil
}

// young reads one block that may still be replaced.
func (x *Index) young(ctx context.Context, number uint64, tip chain.BlockRef, follows bool, p *Progress) error {
	b, err := x.cfg.Chain.BlockAt(ctx, number)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return errChanged
	}
	if err != nil {
		return err
	}
	if follows && b.Parent != tip.Hash {
		return errChanged
	}
	logs, err := x.cfg.Chain.LogsOf(ctx, b.Hash)
	if protocol.KindOf(err) == protocol.KindInvalid { // given up meanwhile
		return errors.Join(errChanged, err)
	}
	if err != nil {
		return err
	}
	return x.commit(logs, number, b, p)
}

// commit writes the events of the blocks from..end in one transaction.
func (x *Index) commit(logs []chain.Log, from uint64, end chain.BlockRef, p *Progress) error {
	if err := x.cfg.step("commit"); err != nil {
		return err
	}
	if err := x.cfg.DB.Update(func(tx *store.Tx) error {
		for _, l := range logs {
			if l.Block < from || l.Block > end.Number {
				return protocol.Errorf(protocol.KindCorrupt, "logs", "asked for blocks %d..%d, the node gave an event of block %d", from, end.Number, l.Block)
			}
			if l.Block == end.Number && l.BlockHash != end.Hash {
				return errChanged
			}
			if err := putLog(tx, l); err != nil {
				return err
			}
		}
		// Hashes far behind are of no use; ends of ranges stay.
		if keep := 4 * x.cfg.Depth; from == end.Number && end.Number > keep {
			if err := blockTable.Delete(tx, end.Number-keep); err != nil {
				return err
			}
		}
		return blockTable.Put(tx, end.Number, end)
	}); err != nil {
		return err
	}
	p.Tip = end.Number
	p.Blocks += end.Number - from + 1
	p.Events += len(logs)
	return nil
}

// reconcile rolls back what is of another branch and gives the newest block that is
// left.
func (x *Index) reconcile(ctx context.Context, tip chain.BlockRef, p *Progress) (chain.BlockRef, error) {
	var common chain.BlockRef
	var found, differs bool
	err := blockTable.ScanReverse(x.cfg.DB, func(number uint64, b chain.BlockRef) error {
		if number > p.Head.Number {
			return nil // newer than anything that the node has
		}
		now, err := x.cfg.Chain.BlockAt(ctx, number)
		if protocol.KindOf(err) == protocol.KindNotFound {
			return errChanged // the node went back once more
		}
		if err != nil {
			return err
		}
		if now.Hash == b.Hash {
			common, found = b, true
			return store.ErrStop
		}
		if differs = true; tip.Number-number > x.cfg.Depth {
			return store.ErrStop
		}
		return nil
	})
	if err != nil {
		return tip, err
	}
	if tip.Number > p.Head.Number && !differs {
		return tip, nil // the same branch, as far as can be seen, but the node lags: wait
	}
	if !found || tip.Number-common.Number > x.cfg.Depth {
		return tip, protocol.Errorf(protocol.KindCorrupt, "chain", "its branch leaves the one read before more than %d blocks ago (block %d was %s): is this the right node? If the chain was reset, begin with an empty data directory", x.cfg.Depth, tip.Number, tip.Hash)
	}
	if common.Number == tip.Number {
		return tip, nil
	}
	return common, x.rollback(common, tip, p)
}

// rollback forgets the blocks after common.
func (x *Index) rollback(common, tip chain.BlockRef, p *Progress) error {
	if err := x.cfg.step("roll back"); err != nil {
		return err
	}
	if err := x.cfg.DB.Update(func(tx *store.Tx) error {
		var logs []chain.Log
		if err := logTable.ScanFrom(tx, store.PairOf(common.Number+1, uint64(0)), func(_ store.Pair[uint64, uint64], l chain.Log) error {
			logs = append(logs, l)
			return nil
		}); err != nil {
			return err
		}
		if err := deleteLogs(tx, logs); err != nil {
			return err
		}
		for n := common.Number + 1; n <= tip.Number; n++ {
			if err := blockTable.Delete(tx, n); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	p.RolledBack += tip.Number - common.Number
	x.cfg.Logger.Warn("the chain was reorganised: reading its new branch", "from", common.Number+1, "blocks", tip.Number-common.Number)
	return nil
}
