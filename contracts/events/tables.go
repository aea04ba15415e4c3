package events

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

var (
	topics = store.PairKey(store.PairKey(store.HashKey(), store.Uint64Key()), store.HashKey())
	places = store.PairKey(store.Uint64Key(), store.Uint64Key())
)

// Tables 130-139 are this package's.
var (
	// blockTable has the block at each of the newest heights, and at the ends of older
	// ranges.
	blockTable = store.NewTable(130, "indexed blocks", store.Uint64Key(), store.JSON[chain.BlockRef]())
	// logTable has the events by height and place in the block.
	logTable = store.NewTable(131, "events", places, store.JSON[chain.Log]())
	// topicTable finds events by kind, which indexed parameter (from 1), and its value.
	topicTable = store.NewTable(134, "events by parameter", store.PairKey(topics, places), store.Marks())
	// identityTable says what is indexed.
	identityTable = store.NewTable(132, "what is indexed", store.StringKey[string](), store.JSON[protocol.Hash]())
)

type (
	topic = store.Pair[store.Pair[protocol.Hash, uint64], protocol.Hash]
	place = store.Pair[uint64, uint64]
)

// eachTopic calls fn with where an event stands in topicTable.
func eachTopic(l chain.Log, fn func(store.Pair[topic, place]) error) error {
	for i := 1; i < len(l.Topics); i++ {
		at := store.PairOf(store.PairOf(l.Topics[0], uint64(i)), l.Topics[i])
		if err := fn(store.PairOf(at, store.PairOf(l.Block, uint64(l.Index)))); err != nil {
			return err
		}
	}
	return nil
}

func putLog(tx *store.Tx, l chain.Log) error {
	if err := eachTopic(l, func(k store.Pair[topic, place]) error { return topicTable.Put(tx, k, store.Mark{}) }); err != nil {
		return err
	}
	return logTable.Put(tx, store.PairOf(l.Block, uint64(l.Index)), l)
}

func deleteLogs(tx *store.Tx, logs []chain.Log) error {
	for _, l := range logs {
		if err := eachTopic(l, func(k store.Pair[topic, place]) error { return topicTable.Delete(tx, k) }); err != nil {
			return err
		}
		if err := logTable.Delete(tx, store.PairOf(l.Block, uint64(l.Index))); err != nil {
			return err
		}
	}
	return nil
}

const identityKey = "contracts"

// identity is a digest of the chain and the contracts whose events are read.
func identity(s Source) protocol.Hash {
	h := sha256.New()
	var n [16]byte
	binary.BigEndian.PutUint64(n[:8], s.ChainID())
	binary.BigEndian.PutUint64(n[8:], s.Addresses().Block)
	h.Write(n[:])
	for _, a := range s.Reporting() {
		h.Write(a[:])
	}
	return protocol.Hash(h.Sum(nil))
}

// wipeRows bounds one transaction of a wipe.
const wipeRows = 5000

// begin makes the index one of these contracts: what is there of others goes, and all
// is read anew. A crash in between leaves an index that is wiped again.
func (x *Index) begin() error {
	want := identity(x.cfg.Chain)
	have, ok, err := identityTable.Get(x.cfg.DB, identityKey)
	if err != nil || ok && have == want {
		return err
	}
	if ok {
		x.cfg.Logger.Info("the index is of other contracts: reading all events anew")
	}
	for {
		done := true
		if err := x.cfg.step("wipe"); err != nil {
			return err
		}
		if err := x.cfg.DB.Update(func(tx *store.Tx) error {
			n := 0
			var logs []chain.Log
			var blocks []uint64
			stop := func() error {
				if n++; n >= wipeRows {
					done = false
					return store.ErrStop
				}
				return nil
			}
			// The newest first: what is left is an earlier state.
			if err := logTable.ScanReverse(tx, func(_ place, l chain.Log) error {
				logs = append(logs, l)
				return stop()
			}); err != nil {
				return err
			}
			if done {
				if err := blockTable.ScanReverse(tx, func(k uint64, _ chain.BlockRef) error {
					blocks = append(blocks, k)
					return stop()
				}); err != nil {
					return err
				}
			}
			if err := deleteLogs(tx, logs); err != nil {
				return err
			}
			for _, k := range blocks {
				if err := blockTable.Delete(tx, k); err != nil {
					return err
				}
			}
			if !done {
				return nil
			}
			return identityTable.Put(tx, identityKey, want)
		}); err != nil {
			return err
		}
		if done {
			return nil
		}
	}
}
