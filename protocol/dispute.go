package protocol

import "fmt"

// DisputeReason is what is wrong with a batch. The numbers are those of the dispute
// contract.
type DisputeReason uint8

// What can be wrong with a batch.
const (
	ReasonData        DisputeReason = 1 // the document or what it refers to is nowhere to be had
	ReasonArithmetic  DisputeReason = 2 // root or total do not follow from the receipts or batches
	ReasonSignature   DisputeReason = 3 // a signature is wrong, or a receipt is paid for twice
	ReasonOutput      DisputeReason = 4 // the model does not say this
	ReasonAttribution DisputeReason = 5 // the shares of records are not those that attribution gives
	ReasonAdapter     DisputeReason = 6 // another adapter or datanet than the receipt names
	ReasonTokens      DisputeReason = 7 // token counts or the fee
)

var disputeReasons = map[DisputeReason]string{
	ReasonData: "unavailable data", ReasonArithmetic: "arithmetic", ReasonSignature: "signature", ReasonOutput: "output",
	ReasonAttribution: "attribution", ReasonAdapter: "adapter or datanet", ReasonTokens: "token counts or fee",
}

func (r DisputeReason) String() string {
	if s, ok := disputeReasons[r]; ok {
		return s
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Valid says whether it is one of the reasons above.
func (r DisputeReason) Valid() bool { return r >= ReasonData && r <= ReasonTokens }

// Verdict is a committee member's judgement of a disputed batch or epoch as a whole.
type Verdict struct {
	Dispute    uint64        `json:"dispute"`
	Worker     Account       `json:"worker"`      // of the batch; the epoch distributor when an epoch is judged
	Nonce      uint64        `json:"nonce"`       // of the batch, or the epoch's id
	DataDigest Hash          `json:"data_digest"` // of the batch's or epoch's document
	Guilty     bool          `json:"guilty"`
	Reason     DisputeReason `json:"reason"` // 0 when not guilty
}

// SignedVerdict is a verdict with the signature of a member.
type SignedVerdict struct {
	Verdict   Verdict `json:"verdict"`
	Signer    Account `json:"signer"`
	Signature []byte  `json:"signature"`
}
