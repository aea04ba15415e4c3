package store

import (
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Bill says whom an answer is counted to. The zero Key counts for requests that came
// without one.
type Bill struct {
	Key   protocol.Hash // its ID
	Model string        // as the request named it
}

// Usage is what accepted answers add up to.
type Usage struct {
	Requests     uint64      `json:"requests"`
	PromptTokens uint64      `json:"prompt_tokens"`
	OutputTokens uint64      `json:"output_tokens"`
	Fee          uint256.Int `json:"fee"` // wei
}

// UsageRow is the usage of a key on a day, by model.
type UsageRow struct {
	Key   protocol.Hash
	Day   int64 // since 1970, UTC
	Model string
	Usage
}

// count adds an accepted receipt to the usage and the spending of its key.
func count(tx *Tx, b Bill, r *protocol.Receipt, fee *uint256.Int, at int64) error {
	if err := tallyReceipt(tx, r, at); err != nil {
		return err
	}
	key := PairOf(b.Key, PairOf(DayOf(at), b.Model))
	u, _, err := usageTable.Get(tx, key)
	if err != nil {
		return err
	}
	u.Requests++
	u.PromptTokens += uint64(r.PromptTokens)
	u.OutputTokens += uint64(r.OutputTokens)
	if _, over := u.Fee.AddOverflow(&u.Fee, fee); over {
		return errOverflow()
	}
	if err := usageTable.Put(tx, key, u); err != nil {
		return err
	}
	s, _, err := spendingTable.Get(tx, b.Key)
	if err != nil {
		return err
	}
	day := DayOf(at)
	if s.Day != day {
		s.Day, s.Today = day, uint256.Int{}
	}
	s.Today.Add(&s.Today, fee)
	if _, over := s.Total.AddOverflow(&s.Total, fee); over {
		return errOverflow()
	}
	return spendingTable.Put(tx, b.Key, s)
}

// UsageOf lists the usage of a key from a day on, by day and model.
func (c *Coordinator) UsageOf(key protocol.Hash, from int64) ([]UsageRow, error) {
	var out []UsageRow
	err := ScanFirst(c.db, usageTable, HashKey(), key, func(k Pair[int64, string], u Usage) error {
		if k.A >= from {
			out = append(out, UsageRow{Key: key, Day: k.A, Model: k.B, Usage: u})
		}
		return nil
	})
	return out, err
}
