package protocol

// Datanet is a collection of records with an owner and a licence.
type Datanet struct {
	ID          uint64  `json:"id"` // given by the registry contract, from 1
	Owner       Account `json:"owner"`
	Name        string  `json:"name"`
	Description string  `json:"description"`
	License     string  `json:"license"` // SPDX expression
	Pool        Account `json:"pool"`    // public pool contract
}

// Contribution is a signed offer (EIP-712, by the contributor) of one record to
// one datanet.
type Contribution struct {
	Datanet     uint64  `json:"datanet"`
	Record      Hash    `json:"record"` // digest of the record's raw CID
	Contributor Account `json:"contributor"`
	License     string  `json:"license"`
	At          int64   `json:"at"` // Unix ms; the earliest commitment owns exact duplicates
}

// SignedContribution is a contribution with the contributor's signature.
type SignedContribution struct {
	Contribution Contribution `json:"contribution"`
	Signature    []byte       `json:"signature"`
}

// ReviewStatus is where a contribution stands.
type ReviewStatus string

// Statuses of a contribution.
const (
	ReviewPending  ReviewStatus = "pending"
	ReviewAccepted ReviewStatus = "accepted"
	ReviewRejected ReviewStatus = "rejected"
	// ReviewAbusive is a rejection that may cost the contributor a share of its stake.
	ReviewAbusive ReviewStatus = "abusive"
)

// Refused says whether the owner does not want the record.
func (s ReviewStatus) Refused() bool { return s == ReviewRejected || s == ReviewAbusive }

// Review is the datanet owner's signed decision (EIP-712).
type Review struct {
	Datanet uint64       `json:"datanet"`
	Record  Hash         `json:"record"`
	Status  ReviewStatus `json:"status"`
	Reason  string       `json:"reason,omitempty"` // required when it refuses
	At      int64        `json:"at"`
}

// SignedReview is a review with the owner's signature.
type SignedReview struct {
	Review    Review `json:"review"`
	Signature []byte `json:"signature"`
}

// Version is an immutable published version of a datanet.
type Version struct {
	Datanet uint64  `json:"datanet"`
	Number  uint32  `json:"version"` // from 1
	Root    CID     `json:"root"`
	License string  `json:"license"`
	Records int     `json:"records"`
	Owner   Account `json:"owner"`
}
