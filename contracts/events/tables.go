package events

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// Tables 130-139 are this package's.
var (
	// blockTable has the block at each of the newest heights, and at the ends of older
	// ranges.
	blockTable = store.NewTable(130, "indexed blocks", store.Uint64Key(), store.JSON[chain.BlockRef]())
	// logTable has the events by height and place in the block.
	logTable = store.NewTable(131, "events", store.PairKey(store.Uint64Key(), store.Uint64Key()), store.JSON[chain.Log]())
	// identityTable says what is indexed.
	identityTable = store.NewTable(132, "what is indexed", store.StringKey[string](), store.JSON[protocol.Hash]())
)

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
			var logs []store.Pair[uint64, uint64]
			var blocks []uint64
			stop := func() error {
				if n++; n >= wipeRows {
					done = false
					return store.ErrStop
				}
				return nil
			}
			// The newest first: what is left is an earlier state.
			if err := logTable.ScanReverse(tx, func(k store.Pair[uint64, uint64], _ chain.Log) error {
				logs = append(logs, k)
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
			for _, k := range logs {
				if err := logTable.Delete(tx, k); err != nil {
					return err
				}
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
