package validator

import (
	"fmt"

	"github.com/openledger/openledger/protocol"
)

// Reasons, in short.
const (
	unavailable = protocol.ReasonData
	arithmetic  = protocol.ReasonArithmetic
	signature   = protocol.ReasonSignature
	output      = protocol.ReasonOutput
	attribution = protocol.ReasonAttribution
	lineage     = protocol.ReasonAdapter
	charge      = protocol.ReasonTokens
)

// Finding is what judging a batch came to.
type Finding struct {
	Worker     protocol.Account `json:"worker"`
	Nonce      uint64           `json:"nonce"`
	DataDigest protocol.Hash    `json:"data_digest"`
	Guilty     bool             `json:"guilty"`
	// Reason is 0 when not guilty; Receipt is the one at fault, zero for the batch as a
	// whole.
	Reason   protocol.DisputeReason `json:"reason"`
	Receipt  protocol.Hash          `json:"receipt"`
	Detail   string                 `json:"detail,omitempty"`
	Receipts int                    `json:"receipts"` // in the batch
	Rerun    int                    `json:"rerun"`    // of them run again
	// Unable lists what could not be judged here, and why. It counts for nobody.
	Unable []string `json:"unable,omitempty"`
}

// fault is a reason with what shows it; it travels as an error inside the judge.
type fault struct {
	reason  protocol.DisputeReason
	receipt protocol.Hash
	detail  string
}

func (f *fault) Error() string { return f.reason.String() + ": " + f.detail }

func faultf(r protocol.DisputeReason, receipt protocol.Hash, format string, args ...any) *fault {
	return &fault{reason: r, receipt: receipt, detail: fmt.Sprintf(format, args...)}
}

// MissingError says that a block which a batch needs could not be had. It is guilt only
// once it has lasted.
type MissingError struct {
	What    string
	Digest  protocol.Hash
	Receipt protocol.Hash // whose evidence it is; zero: of the document
	Err     error
}

func (m *MissingError) Error() string {
	return fmt.Sprintf("%s %s cannot be had: %v", m.What, m.Digest, m.Err)
}

// Unwrap gives the cause.
func (m *MissingError) Unwrap() error { return m.Err }
