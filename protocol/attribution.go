package protocol

// WeightScale is what the weights of one attribution add up to, pool included.
const WeightScale = 1_000_000_000

// Span is a stretch of the output that a record repeats verbatim.
type Span struct {
	Start  int `json:"start"` // in output tokens
	Length int `json:"length"`
	Offset int `json:"offset"` // in the record's tokens
}

// RecordShare is one record's part in one output.
type RecordShare struct {
	Record      Hash    `json:"record"` // digest of the record's CID
	Contributor Account `json:"contributor"`
	Weight      uint64  `json:"weight"`    // of WeightScale
	Influence   int64   `json:"influence"` // quantised projected-gradient score, before thresholds
	Spans       []Span  `json:"spans,omitempty"`
}

// Attribution says which records influenced one output, by how much. Shares are
// ordered by descending weight, ties by record hash. Sum of weights + Pool ==
// WeightScale.
type Attribution struct {
	Algorithm string        `json:"algorithm"` // name and version; a new version is a new name
	Index     Hash          `json:"index"`     // digest of the attribution index
	Root      Hash          `json:"root"`      // digest of the datanet version
	Shares    []RecordShare `json:"shares"`
	Pool      uint64        `json:"pool"` // mass under the threshold: to the datanet's public pool
	// Retrieved is what the job was given to read, in its order. It divides the datanets'
	// prices; what is above divides the adapter's.
	Retrieved []RetrievedShares `json:"retrieved,omitempty"`
}
