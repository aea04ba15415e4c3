package protocol

import (
	"slices"

	"github.com/holiman/uint256"
)

// Limits of what one job may be given to read.
const (
	MaxRetrievals  = 4  // datanet versions
	MaxSources     = 16 // records of all of them
	MaxSourceBytes = 16 << 10
)

// Retrieval is what an answer may read of one version of a datanet. It is part of what the
// requester signs: which records, as which text, whose they are and what that costs.
type Retrieval struct {
	Datanet uint64      `json:"datanet"`
	Version uint32      `json:"version"`
	Root    Hash        `json:"root"`  // digest of the version's root CID
	Price   uint256.Int `json:"price"` // wei per answer, set by the datanet's owner; a part of Price.Access
	Sources []Source    `json:"sources"`
}

// Source is one record, or a passage of it, as the prompt has it.
type Source struct {
	Record      Hash    `json:"record"` // digest of the record's CID
	Contributor Account `json:"contributor"`
	Title       string  `json:"title,omitempty"`
	Text        string  `json:"text"` // untrusted: whoever contributed it wrote it
}

// Equal says whether two are the same in every field.
func (r Retrieval) Equal(s Retrieval) bool {
	return r.Datanet == s.Datanet && r.Version == s.Version && r.Root == s.Root && r.Price == s.Price && slices.Equal(r.Sources, s.Sources)
}

// RetrievedShares says which records of one retrieval an answer drew on. Shares are
// ordered by descending weight, ties by record hash; they list every source, those of
// weight 0 too. Sum of weights + Pool == WeightScale: it divides Price.
type RetrievedShares struct {
	Algorithm string        `json:"algorithm"` // name and version; a new version is a new name
	Datanet   uint64        `json:"datanet"`
	Root      Hash          `json:"root"`
	Price     uint256.Int   `json:"price"` // wei, of the receipt's access
	Shares    []RecordShare `json:"shares"`
	Pool      uint64        `json:"pool"` // to this datanet's public pool
}

// RetrievalPrice is the part of a receipt's access that goes to the datanets that were
// read. ok is false when it does not fit in 256 bits.
func (a *Attribution) RetrievalPrice() (sum uint256.Int, ok bool) {
	for i := range a.Retrieved {
		if _, over := sum.AddOverflow(&sum, &a.Retrieved[i].Price); over {
			return sum, false
		}
	}
	return sum, true
}
