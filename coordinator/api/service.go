package api

import (
	"context"
	"fmt"
	"io"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Request is one inference as a tenant asks for it.
type Request struct {
	ID       protocol.Hash // idempotency: the same ID gives the same answer and one receipt
	Model    string        // adapter name, adapter CID, or the base model's name
	Messages []protocol.Message
	Prompt   string
	Sampling protocol.Sampling
	// Tools and TemplateArgs are for the chat template: see protocol.InferenceJob.
	Tools, TemplateArgs string
	// Embedding asks for vectors instead of an answer.
	Embedding *protocol.EmbeddingJob
	Agent     *Agent // that Model names; nil for other models
	// Retrieve are the datanets that the answer reads, beside the agent's.
	Retrieve []Retrieve
	// Rounds is for its price: how many jobs it may take one after another, where its agent
	// has tools on servers. 0: one.
	Rounds int
}

// Answer is a finished inference.
type Answer struct {
	Receipt      protocol.SignedReceipt
	Text         string
	FinishReason string // "stop" or "length"
	Vectors      []float32
	Citations    []Citation     // what it was given to read
	Retrieval    []RetrievalUse // how that was found; not there when an answer is repeated
	// Rounds are the receipts of all jobs of an answer whose agent has tools of its own, in
	// order; Receipt is the last. None: it is the only one.
	Rounds []protocol.SignedReceipt
}

// Delta is a part of an answer.
type Delta struct {
	Text string
	// LogProbs of the tokens that were generated since the last one, if they were asked
	// for. Text may come later than its tokens.
	LogProbs []protocol.TokenLogProbs
}

// Model is something a request may name.
type Model struct {
	ID      string           `json:"id"` // name; of an older revision name@revision
	CID     protocol.CID     `json:"cid,omitempty"`
	Base    protocol.Hash    `json:"base"`
	Owner   protocol.Account `json:"owner"`
	Datanet uint64           `json:"datanet,omitempty"`
	Version uint32           `json:"version,omitempty"`
	Access  uint256.Int      `json:"access"`  // wei per inference
	Created int64            `json:"created"` // Unix seconds
	// Revision numbers the owner's adapters of one name, from 1; Parents are the digests
	// of the adapters that this one is derived from, RoyaltyBps what its owner asks of
	// the owners of adapters derived from it.
	Revision   uint32          `json:"revision,omitempty"`
	RoyaltyBps uint16          `json:"royalty_bps,omitempty"`
	Parents    []protocol.Hash `json:"parents,omitempty"`
	Agent      *AgentModel     `json:"agent,omitempty"` // of an agent
}

// Called says whether a request that names the model so means this one.
func (m Model) Called(name string) bool {
	return m.ID == name || m.CID != "" && (string(m.CID) == name || fmt.Sprintf("%s@%d", m.ID, m.Revision) == name || fmt.Sprintf("%s@%s", m.ID, m.CID) == name)
}

// Inference answers requests on behalf of tenants.
type Inference interface {
	// Authenticate finds out who an API key stands for.
	Authenticate(ctx context.Context, key string) (Caller, error)
	Models(ctx context.Context) ([]Model, error)
	// Infer runs one request; onText gets the answer as it is generated.
	Infer(ctx context.Context, by Caller, r Request, onText func(Delta) error) (Answer, error)
}

// Adapters has workers load and unload adapters.
type Adapters interface {
	// OrderAdapter names an adapter as a request does; an empty worker leaves the choice
	// to the coordinator.
	OrderAdapter(ctx context.Context, requester protocol.Account, model string, action protocol.AdapterAction, worker protocol.PeerID) ([]AdapterPlacement, error)
}

// TrainingStatus is where a training job stands.
type TrainingStatus struct {
	ID       protocol.Hash             `json:"id"`
	Name     string                    `json:"name"`
	State    string                    `json:"state"` // "queued", "running", "paused", "succeeded", "failed" or "cancelled"
	Worker   protocol.PeerID           `json:"worker,omitempty"`
	Progress protocol.TrainingProgress `json:"progress"`
	Result   *protocol.TrainingResult  `json:"result,omitempty"`
	Error    string                    `json:"error,omitempty"`
	Losses   []float64                 `json:"losses,omitempty"` // one a reported step
	Steps    []int                     `json:"steps,omitempty"`  // of each of Losses
	// Evals are those reported so far; those of the training's end are in its report.
	Evals  []protocol.TrainingEval `json:"evals,omitempty"`
	Events []TrainingNote          `json:"events,omitempty"` // the oldest first
	Terms  *TrainingTerms          `json:"terms,omitempty"`  // nil for what an older coordinator took
}

// TrainingTerms are what a training was ordered with.
type TrainingTerms struct {
	Owner   protocol.Account `json:"owner"`
	Datanet uint64           `json:"datanet"`
	Version uint32           `json:"version"`
	Hyper   protocol.Hyper   `json:"hyper"`
	At      int64            `json:"at"` // Unix ms
}

// TrainingNote is something that happened to a training.
type TrainingNote struct {
	At      int64  `json:"at"` // Unix ms
	Message string `json:"message"`
}

// Training runs fine-tunes.
type Training interface {
	StartTraining(ctx context.Context, job protocol.TrainingJob) (TrainingStatus, error)
	TrainingJob(ctx context.Context, id protocol.Hash) (TrainingStatus, error)
	TrainingJobs(ctx context.Context) ([]TrainingStatus, error)
	CancelTraining(ctx context.Context, id protocol.Hash, r CancelRequest) error
	PauseTraining(ctx context.Context, id protocol.Hash, r CancelRequest) error
	ResumeTraining(ctx context.Context, id protocol.Hash, r CancelRequest) error
}

// CancelRequest asks to stop, pause or resume a training job. Signature is EIP-191 by the
// job's owner over CancelText, PauseText or ResumeText.
type CancelRequest struct {
	At        int64    `json:"at"` // Unix ms, at most five minutes old
	Signature hexBytes `json:"signature"`
}

// ContributionStatus is one contribution with the owner's decision.
type ContributionStatus struct {
	protocol.SignedContribution
	CID    protocol.CID          `json:"cid"`
	Title  string                `json:"title"` // the record in a few words
	Bytes  int                   `json:"bytes"`
	Status protocol.ReviewStatus `json:"status"`
	Reason string                `json:"reason,omitempty"`

	Type    string     `json:"type"`
	Preview string     `json:"preview"` // beginning of its text
	Media   *MediaView `json:"media,omitempty"`
}

// Datanets holds contributions until they are published.
type Datanets interface {
	Datanets(ctx context.Context) ([]protocol.Datanet, error)
	// ContributionsPage lists contributions by record, those after one and of one status
	// (empty: all). next is where to go on, zero at the end.
	ContributionsPage(ctx context.Context, datanet uint64, status protocol.ReviewStatus, after protocol.Hash, limit int) (list []ContributionStatus, next protocol.Hash, err error)
	Contribute(ctx context.Context, c protocol.SignedContribution, record []byte) (ContributionStatus, error)
	Review(ctx context.Context, r protocol.SignedReview) (ContributionStatus, error)
}

// Versions builds and hands out immutable versions of datanets.
type Versions interface {
	// BuildVersion makes the next version's blocks from what the owner accepted. The
	// owner then publishes the root on the chain.
	BuildVersion(ctx context.Context, datanet uint64) (protocol.Version, error)
	Versions(ctx context.Context, datanet uint64) ([]protocol.Version, error)
	// ExportCAR writes a version as a content-addressed archive.
	ExportCAR(ctx context.Context, datanet uint64, version uint32, w io.Writer) error
}

// ReceiptView is a receipt with what people want to see beside it.
type ReceiptView struct {
	protocol.SignedReceipt
	Evidence protocol.Evidence `json:"evidence"`
	Voucher  uint256.Int       `json:"voucher_cumulative"`
	Settled  bool              `json:"settled"` // drawn on chain, as far as this coordinator has seen
}

// BatchView is a settled batch as the chain has it. Its document, from which anybody
// recomputes the payouts and their proofs, is content-addressed.
type BatchView struct {
	Worker   protocol.Account `json:"worker"`
	Nonce    uint64           `json:"nonce"`
	Root     protocol.Hash    `json:"root"`
	Total    uint256.Int      `json:"total"` // wei
	Leaves   uint32           `json:"leaves"`
	Document protocol.Hash    `json:"document"` // SHA2-256
	OpensAt  int64            `json:"opens_at"` // end of the challenge window, Unix seconds
}

// Ledger shows receipts and the batches that settled them.
type Ledger interface {
	Receipts(ctx context.Context, limit int) ([]ReceiptView, error)
	Receipt(ctx context.Context, id protocol.Hash) (ReceiptView, error)
	Batches(ctx context.Context) ([]BatchView, error)
	// Block gives a content-addressed block: a record, evidence, or a part of a batch's
	// document.
	Block(ctx context.Context, digest protocol.Hash) ([]byte, error)
}

// WorkerAdapter is an adapter that a worker has at hand.
type WorkerAdapter struct {
	Tag  uint64        `json:"tag,string"` // of announcements; as text, since JavaScript's numbers end at 2^53
	Tier protocol.Tier `json:"tier"`
	// Name is its id in the list of models, CID its content; empty: the registry has none
	// of this tag, or was not read yet.
	Name string       `json:"name,omitempty"`
	CID  protocol.CID `json:"cid,omitempty"`
}

// WorkerView is a worker as this coordinator sees it.
type WorkerView struct {
	protocol.Announcement
	// Adapters are the announcement's, with what the registry says of them.
	Adapters  []WorkerAdapter  `json:"adapters,omitempty"`
	Stake     uint256.Int      `json:"stake"`
	Payout    protocol.Account `json:"payout"`    // where what its work earns goes
	Addresses []string         `json:"addresses"` // multiaddrs that peers reach it at
	// RoundTrip is the measured way to it and back, ms; nil: not measured yet.
	RoundTrip *float64 `json:"round_trip,omitempty"`
	// Reason says why the scheduler would not choose it now; empty: it would.
	Reason string `json:"reason,omitempty"`
}

// NetworkInfo is what a client needs to join and to sign.
type NetworkInfo struct {
	ChainID    uint64           `json:"chain_id"`
	RPC        string           `json:"rpc"`
	Contracts  Contracts        `json:"contracts"`
	Base       protocol.Hash    `json:"base"`
	BaseName   string           `json:"base_name"`
	Bootstrap  []string         `json:"bootstrap"`
	Peer       protocol.PeerID  `json:"peer"`
	SessionKey protocol.Account `json:"session_key"` // to be authorised in the escrow
	Faucet     bool             `json:"faucet"`      // new accounts can be funded here
}

// Contracts says where the network's contracts are.
type Contracts struct {
	FromBlock uint64           `json:"from_block"` // there are no events before it
	Staking   protocol.Account `json:"staking"`
	Escrow    protocol.Account `json:"escrow"`
	// Delegates says who may act in whose name.
	Delegates  protocol.Account `json:"delegates"`
	Datanets   protocol.Account `json:"datanets"`
	Models     protocol.Account `json:"models"`
	Settlement protocol.Account `json:"settlement"`
	Validators protocol.Account `json:"validators"`
	Disputes   protocol.Account `json:"disputes"`
	Agents     protocol.Account `json:"agents"`
	// Contributors holds their stakes.
	Contributors protocol.Account `json:"contributors"`
	Treasury     protocol.Account `json:"treasury"`
	Fees         protocol.Account `json:"fees"`
	Epochs       protocol.Account `json:"epochs"`
	GOPEN        protocol.Account `json:"gopen"`
	Timelock     protocol.Account `json:"timelock"`
	Governor     protocol.Account `json:"governor"`
}

// Network describes the network around this coordinator.
type Network interface {
	Info(ctx context.Context) (NetworkInfo, error)
	Workers(ctx context.Context) ([]WorkerView, error)
}
