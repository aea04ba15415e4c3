package p2p

import (
	"context"

	"github.com/openledger/openledger/protocol"
)

// Chain is what validating announcements needs of the chain. Calls are cached.
type Chain interface {
	// WorkerBonded says whether owner has at least the minimum bond and
	// nodeKey is registered as its node key.
	WorkerBonded(ctx context.Context, owner, nodeKey protocol.Account) (bool, error)
}

// Heard is a validated announcement with the binding that came with it.
type Heard struct {
	Announcement protocol.Announcement  `json:"announcement"`
	Binding      protocol.SignedBinding `json:"binding"`
}

// Token is a chunk of output.
type Token struct {
	Index int      // index of IDs[0] in the whole output, Resume included
	IDs   []uint32 // may be several at once
	Text  string   // text completed by these tokens; may be empty
	// LogProbs are there if the job asks for them: one for each of IDs.
	LogProbs []protocol.TokenLogProbs
}

// Output is where a JobHandler sends the output of one inference. Calls block
// while the requester reads slowly and fail when it is too slow or gone.
type Output interface {
	Accepted(promptTokens int) error // once, before the first Token
	Token(t Token) error
}

// JobHandler is what a worker offers on /openledger/job/1. The context ends
// when the requester cancels, goes away, or the deadline passes.
type JobHandler interface {
	Infer(ctx context.Context, from protocol.PeerID, job protocol.InferenceJob, out Output) (protocol.SignedReceipt, protocol.Evidence, error)
	Train(ctx context.Context, from protocol.PeerID, job protocol.TrainingJob, progress func(protocol.TrainingProgress) error) (protocol.TrainingResult, error)
	Voucher(ctx context.Context, from protocol.PeerID, v protocol.SignedVoucher, receipt protocol.Hash) error
	// Adapter loads, pins, unpins or unloads an adapter, and says where it is then.
	Adapter(ctx context.Context, from protocol.PeerID, o protocol.AdapterOrder) (protocol.AdapterState, error)
}

// VoucherIssuer is what a coordinator offers on /openledger/receipt/1: the
// current voucher that covers a receipt which a worker holds.
type VoucherIssuer interface {
	IssueVoucher(ctx context.Context, from protocol.PeerID, r protocol.SignedReceipt) (protocol.SignedVoucher, error)
}

// InferEvents are the requester's callbacks during Infer, called in order from
// one goroutine. Nil members are skipped; an error cancels the job.
type InferEvents struct {
	Accepted func(promptTokens int) error
	Token    func(Token) error
}
