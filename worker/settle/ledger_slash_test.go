package settle

import (
	"fmt"
	"math/big"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

// How many batches settlement lets go of with a submission or a verdict, and how many more
// where they make the difference.
const (
	releasesAtOnce   = 4
	releasesForCover = 64
)

// ledgerBook is what settlement goes by when it says how much of a worker's stake its
// batches need. Batches whose window is over are let go of a few at a time, so that may be
// more than they do need.
type ledgerBook struct {
	released uint64 // the first batch of the queue that was not let go of
	exposure *big.Int
	aside    []uint64 // batches that a challenge took out of the queue
}

func (l *ledger) book(worker protocol.Account) *ledgerBook {
	if l.books[worker] == nil {
		l.books[worker] = &ledgerBook{exposure: new(big.Int)}
	}
	return l.books[worker]
}

// expose counts a new batch that a stake covers.
func (l *ledger) expose(worker protocol.Account, total, cover *big.Int) {
	b := l.book(worker)
	l.release(worker, releasesAtOnce)
	if new(big.Int).Add(b.exposure, total).Cmp(cover) > 0 {
		l.release(worker, releasesForCover)
	}
	b.exposure.Add(b.exposure, total)
}

func (l *ledger) setAside(worker protocol.Account, nonce uint64) {
	batch, b := l.batchAt(worker, nonce), l.book(worker)
	if !batch.aside {
		batch.aside = true
		b.aside = append(b.aside, nonce)
	}
}

// release lets go of what no longer waits: so many of the queue, so many of those aside.
func (l *ledger) release(worker protocol.Account, most uint64) {
	b, list := l.book(worker), l.batches[worker]
	for start := b.released; b.released < uint64(len(list)) && b.released-start < most; b.released++ {
		batch := list[b.released]
		if batch.aside {
			continue
		}
		if l.now < batch.claimableAt {
			break
		}
		b.exposure.Sub(b.exposure, batch.total)
	}
	for i, looked := len(b.aside)-1, uint64(0); i >= 0 && looked < most; i, looked = i-1, looked+1 {
		batch := list[b.aside[i]]
		if batch.disputed || !batch.rejected && l.now < batch.claimableAt {
			continue
		}
		if !batch.rejected {
			b.exposure.Sub(b.exposure, batch.total)
		}
		last := len(b.aside) - 1
		b.aside[i] = b.aside[last]
		b.aside = b.aside[:last]
	}
}

// rejectBatch rejects a batch and works out from stake and parameters what its worker loses:
// the governed part of what can be slashed, at least what covered the batch, and no more
// than leaves the other batches covered.
func (l *ledger) rejectBatch(d *ledgerDispute) *big.Int {
	b := l.batchAt(d.subject, d.nonce)
	b.disputed, b.rejected = false, true
	book := l.book(d.subject)
	book.exposure.Sub(book.exposure, b.total)
	l.release(d.subject, releasesAtOnce)

	whole, cover := big.NewInt(10_000), new(big.Int).SetUint64(l.cover)
	slashable := new(big.Int).Add(poolOf(l.pools, d.subject).assets, poolOf(l.leaving, d.subject).assets)
	least := mulDiv(b.total, whole, cover, false)
	if least.Cmp(slashable) > 0 {
		least = slashable
	}
	spare := new(big.Int).Sub(slashable, mulDiv(book.exposure, whole, cover, true))
	taken := bps(slashable, l.disputes.rules.SlashBps)
	if taken.Cmp(spare) > 0 {
		taken = spare
	}
	if taken.Cmp(least) < 0 {
		taken = least
	}
	return new(big.Int).Set(taken)
}

// slashed is what the event of this transaction's verdict says was taken.
func (l *ledger) slashed() (*big.Int, error) {
	for _, log := range l.logs {
		if log.Address == l.at.Disputes && log.Topics[0] == l.abis[l.at.Disputes].Events["Resolved"].ID {
			e, err := bindings.NewDisputeCommittee().UnpackResolvedEvent(log)
			if err != nil {
				return nil, err
			}
			return e.Slashed, nil
		}
	}
	return nil, fmt.Errorf("no event tells")
}
