package protocol

import "github.com/holiman/uint256"

// Receipt is a worker's signed statement (EIP-712, by its node key) of one
// inference: who asked, which versions answered, what it cost, and commitments
// to everything an auditor needs to recompute it.
type Receipt struct {
	ID              Hash        `json:"id"` // the InferenceJob's ID
	Requester       Account     `json:"requester"`
	Worker          Account     `json:"worker"` // owner account
	Base            Hash        `json:"base"`
	Adapter         Hash        `json:"adapter"`         // digest of the adapter's CID; zero: bare base
	Agent           uint64      `json:"agent,omitempty"` // registered agent that was asked; 0: none
	AgentVersion    uint32      `json:"agent_version,omitempty"`
	Datanet         uint64      `json:"datanet"` // 0: bare base
	DatanetRoot     Hash        `json:"datanet_root"`
	PromptTokens    uint32      `json:"prompt_tokens"`
	OutputTokens    uint32      `json:"output_tokens"`
	Compute         uint256.Int `json:"compute"`
	Access          uint256.Int `json:"access"`
	Markup          uint256.Int `json:"markup"`           // the agent's price
	OutputHash      Hash        `json:"output_hash"`      // SHA2-256 of the output tokens, little-endian uint32; of vectors, little-endian float32
	AttributionRoot Hash        `json:"attribution_root"` // SHA2-256 of the canonical Attribution
	Evidence        Hash        `json:"evidence"`         // SHA2-256 digest of the Evidence block (raw CID)
	FinishedAt      int64       `json:"finished_at"`      // Unix ms
}

// Fee is what the receipt charges.
func (r *Receipt) Fee() Fee { return Fee{Compute: r.Compute, Access: r.Access, Markup: r.Markup} }

// SignedReceipt is a receipt with the node key's signature (65 bytes, v in {27,28}).
type SignedReceipt struct {
	Receipt   Receipt `json:"receipt"`
	NodeKey   Account `json:"node_key"`
	Signature []byte  `json:"signature"`
}

// Evidence is the content-addressed document behind a receipt: enough to run the
// inference and its attribution again and compare hashes.
type Evidence struct {
	// Job is what the requester signed, its Authorization included, without Sources; its
	// Resume is told by Resumed.
	Job         InferenceJob `json:"job"`
	Resumed     int          `json:"resumed,omitempty"` // tokens of Output that came with the job, from another worker
	Profile     string       `json:"profile"`
	Prompt      []uint32     `json:"prompt"` // token ids after the chat template
	Output      []uint32     `json:"output"`
	Text        string       `json:"text"`
	FinishedBy  string       `json:"finished_by"` // "stop", "length", or FinishedCancelled
	Attribution Attribution  `json:"attribution"`
	// Vectors of an embedding, one after the other; its Prompt has the tokens of all inputs.
	Vectors []float32 `json:"vectors,omitempty"`
}

// Authorized is the job as the requester signed it, Sources aside.
func (e *Evidence) Authorized() InferenceJob {
	job := e.Job
	if e.Resumed > 0 && e.Resumed <= len(e.Output) {
		job.Resume = e.Output[:e.Resumed]
	}
	return job
}

// FinishedCancelled is how an answer ended whose requester went away, or whose time
// was up: its receipt is for what was delivered until then.
const FinishedCancelled = "cancelled"

// Voucher is a requester's cumulative promise to one worker (EIP-712): the
// escrow pays Cumulative minus what was already drawn.
type Voucher struct {
	Requester  Account     `json:"requester"`
	Worker     Account     `json:"worker"`
	Cumulative uint256.Int `json:"cumulative"`
	Expires    int64       `json:"expires"` // Unix seconds
}

// SignedVoucher carries the signature of the requester or of a session key that
// the requester has authorised in the escrow.
type SignedVoucher struct {
	Voucher   Voucher `json:"voucher"`
	Signer    Account `json:"signer"`
	Signature []byte  `json:"signature"`
}
