package protocol

import (
	"slices"

	"github.com/holiman/uint256"
)

// Message is one turn of a chat.
type Message struct {
	Role    string `json:"role"` // "system", "developer", "user", "assistant" or "tool", as far as the model's chat template knows them
	Content string `json:"content"`
	// Fields is a JSON object with what else the template may read of the message, such as
	// tool_calls; empty for none.
	Fields string `json:"fields,omitempty"`
}

// InferenceJob asks one worker for one completion, or for vectors. Exactly one of
// Messages, Prompt and Embedding is set.
type InferenceJob struct {
	ID        Hash    `json:"id"` // chosen by the requester's side; one receipt at most is accepted per ID
	Requester Account `json:"requester"`
	Base      Hash    `json:"base"`              // base model hash
	Adapter   CID     `json:"adapter,omitempty"` // empty: the bare base model
	// Agent is the registered agent that was asked, 0 for none, in one of its versions:
	// its instructions are the first of Messages, its tools among Tools, its price is
	// Price.Markup.
	Agent        uint64    `json:"agent,omitempty"`
	AgentVersion uint32    `json:"agent_version,omitempty"`
	Messages     []Message `json:"messages,omitempty"`
	Prompt       string    `json:"prompt,omitempty"`
	// Tools is a JSON list of functions in OpenAI's form that the chat template is shown,
	// TemplateArgs a JSON object of further variables for it; empty for none.
	Tools        string   `json:"tools,omitempty"`
	TemplateArgs string   `json:"chat_template_kwargs,omitempty"`
	Sampling     Sampling `json:"sampling"`
	// Embedding asks for vectors by the bare base; then Sampling is not set.
	Embedding *EmbeddingJob `json:"embedding,omitempty"`
	// Retrieval is what the last user message is given to read; for messages only.
	Retrieval []Retrieval `json:"retrieval,omitempty"`
	// Resume holds output tokens that were already delivered by another worker:
	// the worker continues after them and does not send them again.
	Resume []uint32 `json:"resume,omitempty"`
	// Price is the quote the job was admitted under.
	Price    Price    `json:"price"`
	Deadline int64    `json:"deadline"`          // Unix ms
	Sources  []string `json:"sources,omitempty"` // multiaddrs (with /p2p/) of peers that provide the content
	// Authorization is the requester's word that it wants this (EIP-712, by its own or
	// a session key): without it anybody could run up debts in its name.
	Authorization []byte `json:"authorization,omitempty"`
}

// Price is a worker's ask for compute plus the adapter's access price and the agent's
// markup, in wei.
type Price struct {
	InputPer1K  uint256.Int `json:"input_per_1k"`  // per 1,000 prompt tokens
	OutputPer1K uint256.Int `json:"output_per_1k"` // per 1,000 generated tokens
	Access      uint256.Int `json:"access"`        // per inference: the adapter's, set by its owner, 0 for the bare base, and those of retrieved datanets
	Markup      uint256.Int `json:"markup"`        // per inference, of the agent's version; 0 without an agent
}

// Fee is what one inference costs.
type Fee struct {
	Compute uint256.Int `json:"compute"`
	Access  uint256.Int `json:"access"`
	Markup  uint256.Int `json:"markup"`
}

// Total is Compute + Access + Markup.
func (f Fee) Total() uint256.Int {
	var t uint256.Int
	t.Add(&f.Compute, &f.Access)
	t.Add(&t, &f.Markup)
	return t
}

// FeeFor prices one inference: each token class is rounded up to whole wei.
func (p Price) FeeFor(promptTokens, outputTokens int) Fee {
	f := Fee{Access: p.Access, Markup: p.Markup}
	in := perThousand(&p.InputPer1K, promptTokens)
	out := perThousand(&p.OutputPer1K, outputTokens)
	f.Compute.Add(&in, &out)
	return f
}

func perThousand(price *uint256.Int, tokens int) uint256.Int {
	var n uint256.Int
	n.Mul(price, uint256.NewInt(uint64(tokens)))
	n.AddUint64(&n, 999)
	n.Div(&n, uint256.NewInt(1000))
	return n
}

// Hyper are the hyper-parameters of a LoRA fine-tune.
type Hyper struct {
	Rank         int      `json:"rank"`
	Alpha        float32  `json:"alpha"`
	Targets      []string `json:"targets"` // PEFT module names: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj
	LearningRate float32  `json:"learning_rate"`
	WeightDecay  float32  `json:"weight_decay"`
	Epochs       int      `json:"epochs"`
	BatchSize    int      `json:"batch_size"` // records of a batch
	MaxLength    int      `json:"max_length"` // tokens; longer examples are cut
	WarmupRatio  float32  `json:"warmup_ratio"`
	Seed         uint64   `json:"seed"`
	// PromptTemplate and AnswerTemplate turn one record's fields into a training
	// example: "{title}" is replaced by the field title. The loss is on the answer only.
	PromptTemplate string `json:"prompt_template"`
	AnswerTemplate string `json:"answer_template"`
	// What follows is left out of the JSON when it is not set, so that older orders keep
	// their hash; not set is the trainer's default.
	Schedule     string  `json:"schedule,omitempty"`     // HyperSchedules; not set is cosine
	Accumulation int     `json:"accumulation,omitempty"` // batches per optimiser step; not set is 1
	ClipNorm     float32 `json:"clip_norm,omitempty"`    // of the global gradient norm; not set is 1
	RSLoRA       bool    `json:"rslora,omitempty"`       // scale by alpha/sqrt(rank) instead of alpha/rank
	// EvalRatio of the records, chosen by their digest, is held out; the adapter with the
	// lowest loss on them is the result. Evaluated every EvalSteps steps, or every epoch;
	// the training stops after Patience evaluations without a lower loss.
	EvalRatio float32 `json:"eval_ratio,omitempty"`
	EvalSteps int     `json:"eval_steps,omitempty"`
	Patience  int     `json:"patience,omitempty"`
	// HeldOut holds out, instead of a share, the records whose field of this name is
	// HeldOutMark.
	HeldOut string `json:"held_out,omitempty"`
	// Merge is set for an adapter that is merged of others instead of trained. Then only
	// Rank, Seed and MaxLength stand beside it.
	Merge *Merge `json:"merge,omitempty"`
}

// TrainingOrder is what an owner signs (EIP-712) to have an adapter trained and
// registered in its name.
type TrainingOrder struct {
	Owner     Account     `json:"owner"`
	Name      string      `json:"name"` // unique per owner; [a-z0-9._-]
	Base      Hash        `json:"base"`
	Datanet   uint64      `json:"datanet"`
	Version   uint32      `json:"version"`
	Root      CID         `json:"root"`
	HyperHash Hash        `json:"hyper_hash"` // SHA2-256 of the JSON of Hyper
	Access    uint256.Int `json:"access"`     // price per inference, wei
	// RoyaltyBps is what the owner asks of the owners of adapters derived from this one:
	// a part of theirs, in basis points. It can be lowered later, not raised.
	RoyaltyBps uint16 `json:"royalty_bps"`
	Revision   uint32 `json:"revision"`          // number among the owner's adapters of this name, from 1
	Parents    []Hash `json:"parents,omitempty"` // digests of the adapters that it is derived from, ascending
	Nonce      Hash   `json:"nonce"`
	Deadline   int64  `json:"deadline"` // Unix seconds, checked by the registry
}

// MaxParents bounds the adapters that one is derived from.
const MaxParents = 16

// Equal says whether two orders are the same in every field.
func (o TrainingOrder) Equal(p TrainingOrder) bool {
	return slices.Equal(o.Parents, p.Parents) && o.Owner == p.Owner && o.Name == p.Name && o.Base == p.Base && o.Datanet == p.Datanet &&
		o.Version == p.Version && o.Root == p.Root && o.HyperHash == p.HyperHash && o.Access == p.Access && o.RoyaltyBps == p.RoyaltyBps &&
		o.Revision == p.Revision && o.Nonce == p.Nonce && o.Deadline == p.Deadline
}

// TrainingJob asks one worker to train an adapter.
type TrainingJob struct {
	ID        Hash          `json:"id"`
	Order     TrainingOrder `json:"order"`
	Signature []byte        `json:"signature"` // by Order.Owner
	Hyper     Hyper         `json:"hyper"`
	Sources   []string      `json:"sources,omitempty"`
}

// TrainingProgress is one progress event of a training job.
type TrainingProgress struct {
	Phase     string  `json:"phase"` // "fetch", "train", "evaluate", "index", "publish", "register", "done"
	Step      int     `json:"step"`
	Steps     int     `json:"steps"`
	Loss      float64 `json:"loss"`
	TokensSec float64 `json:"tokens_per_second"`
	ETA       int64   `json:"eta_ms"`
	// Eval is the newest evaluation, nil when there was none yet.
	Eval *TrainingEval `json:"eval,omitempty"`
}

// TrainingEval is how an adapter in training does on the records that are held out.
type TrainingEval struct {
	Step    int     `json:"step"`  // 0: the base alone
	Loss    float64 `json:"loss"`  // mean over the answers' tokens
	Exact   int     `json:"exact"` // answers that it would give word for word
	Records int     `json:"records"`
}

// EvaluationFile is the file of an adapter that has the TrainingReport of its training, as
// JSON; only those have it that held records out.
const EvaluationFile = "evaluation.json"

// MaxReportBytes bounds that file.
const MaxReportBytes = 1 << 20

// TrainingReport is how an adapter does on the records that its training held out. It follows
// from the order and the records alone: the same training gives the same bytes.
type TrainingReport struct {
	Base    TrainingEval    `json:"base"`    // of the base, before the first step
	Best    TrainingEval    `json:"best"`    // of the adapter
	Curve   []TrainingEval  `json:"curve"`   // by step, from the base's on
	Answers []HeldOutAnswer `json:"answers"` // to some of the held-out records, chosen by the seed
}

// HeldOutAnswer is what base and adapter answer to one held-out record, most likely token by
// most likely token. Long texts end in an ellipsis.
type HeldOutAnswer struct {
	Record       CID    `json:"record"`
	Prompt       string `json:"prompt"`
	Reference    string `json:"reference"` // the record's own answer
	Base         string `json:"base"`
	Adapter      string `json:"adapter"`
	BaseExact    bool   `json:"base_exact"` // word for word the reference
	AdapterExact bool   `json:"adapter_exact"`
	// Unanswered is why there are no answers, such as that the prompt does not fit.
	Unanswered string `json:"unanswered,omitempty"`
}

// TrainingResult is how a training job ends.
type TrainingResult struct {
	Adapter   CID     `json:"adapter"`
	Index     CID     `json:"index"` // attribution index
	Steps     int     `json:"steps"`
	LossFirst float64 `json:"loss_first"`
	LossLast  float64 `json:"loss_last"`
	Seconds   float64 `json:"seconds"`
	Records   int     `json:"records"` // trained on
	Tokens    int64   `json:"tokens"`  // of prompts and answers, in all steps; 0 of a merge
	// Eval is that of the adapter, nil when no records were held out.
	Eval *TrainingEval `json:"eval,omitempty"`
	// Report is the TrainingReport, empty when no records were held out.
	Report CID  `json:"report,omitempty"`
	TxHash Hash `json:"tx_hash"` // registration of adapter and lineage; zero when an attempt that was cut off had done it
}

// AdapterManifest is the document behind an adapter's CID.
type AdapterManifest struct {
	Name      string        `json:"name"`
	Order     TrainingOrder `json:"order"`
	Signature []byte        `json:"signature"`
	Hyper     Hyper         `json:"hyper"`
	Profile   string        `json:"profile"` // numeric profile it was trained under
	Trainer   Account       `json:"trainer"` // the worker
	// Files by name: adapter_config.json, adapter_model.safetensors, attribution.index
	Files map[string]CID `json:"files"`
}
