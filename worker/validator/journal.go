package validator

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// Status is how far a validator is with a batch or an epoch.
type Status string

// Statuses of a batch or an epoch.
const (
	Waiting     Status = "waiting"     // to be judged, or for its data
	Valid       Status = "valid"       // nothing wrong was found
	Guilty      Status = "guilty"      // to be challenged
	Challenging Status = "challenging" // a challenge may be on its way
	Challenged  Status = "challenged"  // by this validator
	Disputed    Status = "disputed"    // by another
	Late        Status = "late"        // its window ended before it was judged
	Gone        Status = "gone"        // its branch was given up by the chain
)

// BatchState is what a validator knows of a batch, or of an epoch's root: then Worker is
// the epoch distributor and Nonce the epoch's id.
type BatchState struct {
	Worker      protocol.Account `json:"worker"`
	Nonce       uint64           `json:"nonce"`
	DataDigest  protocol.Hash    `json:"data_digest"`
	Root        protocol.Hash    `json:"root"`
	Total       uint256.Int      `json:"total"`
	Block       uint64           `json:"block"`
	Tx          protocol.Hash    `json:"tx"`
	ClaimableAt int64            `json:"claimable_at"` // Unix seconds; the end of the window
	Status      Status           `json:"status"`
	Attempts    int              `json:"attempts"`
	Missing     int              `json:"missing"`  // attempts that failed for want of data
	NextTry     int64            `json:"next_try"` // Unix ms
	Problem     string           `json:"problem,omitempty"`
	Finding     *Finding         `json:"finding,omitempty"`
	Evidence    protocol.Hash    `json:"evidence"` // digest of the challenge's document
	Dispute     uint64           `json:"dispute,omitempty"`
	ChallengeTx protocol.Hash    `json:"challenge_tx"`
	UpdatedAt   int64            `json:"updated_at"` // Unix ms
}

func (b *BatchState) open() bool {
	return b.Status == Waiting || b.Status == Guilty || b.Status == Challenging
}

// VerdictState is what a validator said in one round of a dispute.
type VerdictState struct {
	Dispute   uint64                  `json:"dispute"`
	Round     uint8                   `json:"round"`
	Worker    protocol.Account        `json:"worker"`
	Nonce     uint64                  `json:"nonce"`
	Missing   int                     `json:"missing"`
	NextTry   int64                   `json:"next_try"` // Unix ms
	Problem   string                  `json:"problem,omitempty"`
	Finding   *Finding                `json:"finding,omitempty"`
	Signed    *protocol.SignedVerdict `json:"signed,omitempty"` // once it is, no other is signed
	Submitted bool                    `json:"submitted"`
	UpdatedAt int64                   `json:"updated_at"` // Unix ms
}

type chargeKey = store.Pair[store.Pair[protocol.Account, protocol.Hash], uint64]

// Tables 140-149 are this package's.
var (
	workerReceipt = store.PairKey(store.AccountKey(), store.HashKey())
	batchTable    = store.NewTable(140, "judged batches", store.PairKey(store.AccountKey(), store.Uint64Key()), store.JSON[BatchState]())
	verdictTable  = store.NewTable(141, "verdicts", store.PairKey(store.Uint64Key(), store.Uint64Key()), store.JSON[VerdictState]())
	chargeTable   = store.NewTable(142, "charged receipts", store.PairKey(workerReceipt, store.Uint64Key()), store.JSON[protocol.Hash]())
	stateTable    = store.NewTable(143, "validator", store.StringKey[string](), store.Bytes())
	cursorTable   = store.NewTable(144, "validator's places", store.StringKey[string](), store.Counter())
	knownTable    = store.NewTable(145, "batches whose receipts are known", store.PairKey(store.AccountKey(), store.Uint64Key()), store.JSON[protocol.Hash]())
)

const (
	secretKey     = "secret"
	ingestedKey   = "ingested" // the newest block whose batches are in the journal
	disputeLowKey = "disputes" // disputes up to this one are over and done with
)

// Journal is a validator's memory. Every write is one transaction.
type Journal struct{ db *store.DB }

// NewJournal gives the journal in db.
func NewJournal(db *store.DB) *Journal { return &Journal{db: db} }

// secret is what makes this validator's samples unpredictable; made at first use.
func (j *Journal) secret() (out []byte, err error) {
	err = j.db.Update(func(tx *store.Tx) error {
		var ok bool
		if out, ok, err = stateTable.Get(tx, secretKey); err != nil || ok {
			return err
		}
		out = make([]byte, 32)
		if _, err := rand.Read(out); err != nil {
			return fmt.Errorf("make the sampling secret: %w", err)
		}
		return stateTable.Put(tx, secretKey, out)
	})
	return out, err
}

// Batch gives what is known of a batch, or an error of kind not_found.
func (j *Journal) Batch(worker protocol.Account, nonce uint64) (BatchState, error) {
	return batchTable.Must(j.db, store.PairOf(worker, nonce))
}

// Batches lists what is known of all batches, by worker and nonce; keep (nil: all)
// chooses.
func (j *Journal) Batches(keep func(*BatchState) bool) (out []BatchState, err error) {
	err = batchTable.Scan(j.db, func(_ store.Pair[protocol.Account, uint64], b BatchState) error {
		if keep == nil || keep(&b) {
			out = append(out, b)
		}
		return nil
	})
	return out, err
}

// Verdicts lists what was said in disputes, the oldest first.
func (j *Journal) Verdicts() (out []VerdictState, err error) {
	err = verdictTable.Scan(j.db, func(_ store.Pair[uint64, uint64], v VerdictState) error {
		out = append(out, v)
		return nil
	})
	return out, err
}

func (j *Journal) putBatch(b BatchState) error {
	b.UpdatedAt = time.Now().UnixMilli()
	return j.db.Update(func(tx *store.Tx) error {
		return batchTable.Put(tx, store.PairOf(b.Worker, b.Nonce), b)
	})
}

func (j *Journal) verdict(dispute uint64, round uint8) (VerdictState, bool, error) {
	return verdictTable.Get(j.db, store.PairOf(dispute, uint64(round)))
}

// putVerdict writes a verdict down; one that is signed is not replaced by another.
func (j *Journal) putVerdict(v VerdictState) error {
	v.UpdatedAt = time.Now().UnixMilli()
	return j.db.Update(func(tx *store.Tx) error {
		key := store.PairOf(v.Dispute, uint64(v.Round))
		old, ok, err := verdictTable.Get(tx, key)
		if err != nil {
			return err
		}
		if ok && old.Signed != nil && (v.Signed == nil || v.Signed.Verdict != old.Signed.Verdict) {
			return protocol.Errorf(protocol.KindExists, "verdict", "on dispute %d, round %d, is signed already", v.Dispute, v.Round)
		}
		return verdictTable.Put(tx, key, v)
	})
}

func (j *Journal) place(key string) (uint64, error) {
	n, _, err := cursorTable.Get(j.db, key)
	return n, err
}

func (j *Journal) setPlace(key string, n uint64) error {
	return j.db.Update(func(tx *store.Tx) error { return cursorTable.Put(tx, key, n) })
}

// ingest writes down new batches, and the block up to which that was done. One that
// another branch brings with another document or root is judged anew.
func (j *Journal) ingest(batches []BatchState, upTo uint64) error {
	return j.db.Update(func(tx *store.Tx) error {
		for _, b := range batches {
			key := store.PairOf(b.Worker, b.Nonce)
			old, ok, err := batchTable.Get(tx, key)
			if err != nil {
				return err
			}
			if ok && old.DataDigest == b.DataDigest && old.Root == b.Root && old.Total == b.Total {
				if old.Block == b.Block && old.Tx == b.Tx && old.Status != Gone {
					continue
				}
				if old.Status == Gone {
					old.Status = Waiting
				}
				old.Block, old.Tx, old.ClaimableAt = b.Block, b.Tx, b.ClaimableAt
				b = old
			}
			b.UpdatedAt = time.Now().UnixMilli()
			if err := batchTable.Put(tx, key, b); err != nil {
				return err
			}
		}
		return cursorTable.Put(tx, ingestedKey, upTo)
	})
}

// Charged gives the batches before a nonce that hold a receipt.
func (j *Journal) Charged(worker protocol.Account, receipt protocol.Hash, before uint64) (out []Place, err error) {
	err = store.ScanFirst(j.db, chargeTable, workerReceipt, store.PairOf(worker, receipt), func(nonce uint64, digest protocol.Hash) error {
		if nonce < before {
			out = append(out, Place{Nonce: nonce, DataDigest: digest})
		}
		return nil
	})
	return out, err
}

// Note remembers which receipts a batch holds.
func (j *Journal) Note(worker protocol.Account, at Place, receipts []protocol.Hash) error {
	return j.db.Update(func(tx *store.Tx) error {
		key := store.PairOf(worker, at.Nonce)
		if have, ok, err := knownTable.Get(tx, key); err != nil || ok && have == at.DataDigest {
			return err
		}
		for _, id := range receipts {
			if err := chargeTable.Put(tx, chargeKey{A: store.PairOf(worker, id), B: at.Nonce}, at.DataDigest); err != nil {
				return err
			}
		}
		return knownTable.Put(tx, key, at.DataDigest)
	})
}

// knows says whether a batch's receipts are noted.
func (j *Journal) knows(worker protocol.Account, at Place) (bool, error) {
	have, ok, err := knownTable.Get(j.db, store.PairOf(worker, at.Nonce))
	return ok && have == at.DataDigest, err
}
