package wire

import (
	"fmt"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire/pb"
)

// InferenceJobToPB converts a job; it checks nothing.
func InferenceJobToPB(j protocol.InferenceJob) *pb.InferenceJob {
	m := &pb.InferenceJob{
		Id: j.ID[:], Requester: j.Requester[:], Base: j.Base[:], Adapter: string(j.Adapter), Prompt: j.Prompt,
		Sampling: samplingToPB(j.Sampling), Resume: j.Resume, Price: PriceToPB(j.Price), Deadline: uint64(j.Deadline), Sources: j.Sources,
		Authorization: j.Authorization, Tools: j.Tools, TemplateArgs: j.TemplateArgs, Agent: j.Agent, AgentVersion: j.AgentVersion,
		Embedding: embeddingToPB(j.Embedding), Retrieval: retrievalToPB(j.Retrieval),
	}
	if j.Embedding != nil && j.Sampling.Equal(protocol.Sampling{}) {
		m.Sampling = nil
	}
	for _, c := range j.Messages {
		m.Messages = append(m.Messages, &pb.ChatMessage{Role: c.Role, Content: c.Content, Fields: c.Fields})
	}
	return m
}

// InferenceJobFromPB is the strict inverse of InferenceJobToPB.
func InferenceJobFromPB(m *pb.InferenceJob) (protocol.InferenceJob, error) {
	f := &fields{}
	j := f.inferenceJob(m)
	return j, f.err
}

// CheckInferenceJob refuses a job that a worker would refuse to decode.
func CheckInferenceJob(j protocol.InferenceJob) error {
	_, err := InferenceJobFromPB(InferenceJobToPB(j))
	return err
}

func (f *fields) inferenceJob(m *pb.InferenceJob) protocol.InferenceJob {
	j := protocol.InferenceJob{
		ID:        f.hash("id", m.GetId()),
		Requester: f.account("requester", m.GetRequester()),
		Base:      f.hash("base", m.GetBase()),
		Adapter:   f.cid("adapter", m.GetAdapter()),
		Prompt:    f.text("prompt", m.GetPrompt(), protocol.MaxPromptBytes),
		Resume:    f.tokens("resume", m.GetResume()),
		Price:     f.price("price", m.GetPrice()),
		Deadline:  f.time("deadline", m.GetDeadline()),
		Sources:   f.texts("sources", m.GetSources(), MaxSources, maxAddrBytes),

		Tools:        f.json("tools", m.GetTools(), '['),
		TemplateArgs: f.json("chat_template_kwargs", m.GetTemplateArgs(), '{'),
		Agent:        m.GetAgent(),
		AgentVersion: m.GetAgentVersion(),
	}
	f.agent(j.Agent, j.AgentVersion, j.Price.Markup)
	if j.Agent != 0 && (len(m.GetMessages()) == 0 || m.GetMessages()[0].GetRole() != "system") {
		f.fail("messages", "to an agent begin with its instructions, as the system's")
	}
	if (j.Tools != "" || j.TemplateArgs != "") && len(m.GetMessages()) == 0 {
		f.fail("tools", "and chat_template_kwargs go with messages only")
	}
	if len(m.GetAuthorization()) > 0 { // the evidence of what nobody asked for has none
		j.Authorization = f.signature(m.GetAuthorization())
	}
	if m.GetEmbedding() != nil {
		f.embedding(m, &j)
		return j
	}
	f.in("sampling", func() { j.Sampling = f.sampling(m.GetSampling()) })
	if (j.Prompt == "") == (len(m.GetMessages()) == 0) {
		f.fail("messages", "exactly one of messages and prompt must be set")
	}
	if len(m.GetMessages()) > MaxMessages {
		f.fail("messages", "has %d entries, more than %d", len(m.GetMessages()), MaxMessages)
		return j
	}
	size := f.retrieval(m, &j)
	for i, c := range m.GetMessages() {
		f.text(fmt.Sprintf("messages[%d].role", i), c.GetRole(), MaxRoleBytes)
		size += len(c.GetContent()) + len(c.GetFields())
		j.Messages = append(j.Messages, protocol.Message{Role: c.GetRole(), Content: c.GetContent(), Fields: f.json(fmt.Sprintf("messages[%d].fields", i), c.GetFields(), '{')})
	}
	if size += len(j.Tools) + len(j.TemplateArgs); size > protocol.MaxPromptBytes {
		f.fail("messages", "have %d bytes together, more than %d", size, protocol.MaxPromptBytes)
	}
	return j
}

// agent are an agent and its version, both or none; only an agent costs a markup.
func (f *fields) agent(id uint64, version uint32, markup uint256.Int) {
	switch {
	case (id == 0) != (version == 0):
		f.fail("agent_version", "is %d for agent %d: set both or none", version, id)
	case id == 0 && !markup.IsZero():
		f.fail("markup", "is %s wei though no agent is asked", markup.Dec())
	}
}

// TrainingJobToPB converts a job; it checks nothing.
func TrainingJobToPB(j protocol.TrainingJob) *pb.TrainingJob {
	o, h := j.Order, j.Hyper
	return &pb.TrainingJob{
		Id: j.ID[:],
		Order: &pb.TrainingOrder{
			Owner: o.Owner[:], Name: o.Name, Base: o.Base[:], Datanet: o.Datanet, Version: o.Version, Root: string(o.Root),
			HyperHash: o.HyperHash[:], Access: amountBytes(o.Access), Nonce: o.Nonce[:], Deadline: uint64(o.Deadline),
			RoyaltyBps: uint32(o.RoyaltyBps), Revision: o.Revision, Parents: hashesToPB(o.Parents),
		},
		Signature: j.Signature,
		Hyper: &pb.Hyper{
			Rank: number32(h.Rank), Alpha: h.Alpha, Targets: h.Targets, LearningRate: h.LearningRate, WeightDecay: h.WeightDecay,
			Epochs: number32(h.Epochs), BatchSize: number32(h.BatchSize), MaxLength: number32(h.MaxLength),
			WarmupRatio: h.WarmupRatio, Seed: h.Seed, PromptTemplate: h.PromptTemplate, AnswerTemplate: h.AnswerTemplate,
			Schedule: h.Schedule, Accumulation: number32(h.Accumulation), ClipNorm: h.ClipNorm, Rslora: h.RSLoRA,
			EvalRatio: h.EvalRatio, EvalSteps: number32(h.EvalSteps), Patience: number32(h.Patience), HeldOut: h.HeldOut,
			Merge: mergeToPB(h.Merge),
		},
		Sources: j.Sources,
	}
}

// TrainingJobFromPB is the strict inverse of TrainingJobToPB. It checks that the
// order commits to the hyper-parameters, not the signature.
func TrainingJobFromPB(m *pb.TrainingJob) (protocol.TrainingJob, error) {
	f := &fields{}
	o, h := m.GetOrder(), m.GetHyper()
	j := protocol.TrainingJob{
		ID:        f.hash("id", m.GetId()),
		Signature: f.signature(m.GetSignature()),
		Sources:   f.texts("sources", m.GetSources(), MaxSources, maxAddrBytes),
	}
	f.in("order", func() {
		j.Order = protocol.TrainingOrder{
			Owner:      f.account("owner", o.GetOwner()),
			Name:       f.text("name", o.GetName(), protocol.MaxNameBytes),
			Base:       f.hash("base", o.GetBase()),
			Datanet:    o.GetDatanet(),
			Version:    o.GetVersion(),
			Root:       f.cid("root", o.GetRoot()),
			HyperHash:  f.hash("hyper_hash", o.GetHyperHash()),
			Access:     f.amount("access", o.GetAccess()),
			Nonce:      f.hash("nonce", o.GetNonce()),
			Deadline:   f.time("deadline", o.GetDeadline()),
			RoyaltyBps: uint16(f.count("royalty_bps", o.GetRoyaltyBps(), 10_000)),
			Revision:   o.GetRevision(),
			Parents:    f.hashes("parents", o.GetParents(), MaxParents),
		}
		if j.Order.Name == "" {
			f.fail("name", "is empty: name the adapter")
		}
	})
	f.in("hyper", func() {
		j.Hyper = protocol.Hyper{
			Rank:           f.count("rank", h.GetRank(), 1024),
			Alpha:          f.float("alpha", h.GetAlpha()),
			Targets:        f.texts("targets", h.GetTargets(), MaxTargets, protocol.MaxNameBytes),
			LearningRate:   f.float("learning_rate", h.GetLearningRate()),
			WeightDecay:    f.float("weight_decay", h.GetWeightDecay()),
			Epochs:         f.count("epochs", h.GetEpochs(), 10_000),
			BatchSize:      f.count("batch_size", h.GetBatchSize(), 1<<16),
			MaxLength:      f.count("max_length", h.GetMaxLength(), MaxTokens),
			WarmupRatio:    f.float("warmup_ratio", h.GetWarmupRatio()),
			Seed:           h.GetSeed(),
			PromptTemplate: f.text("prompt_template", h.GetPromptTemplate(), MaxTemplate),
			AnswerTemplate: f.text("answer_template", h.GetAnswerTemplate(), MaxTemplate),
			Schedule:       f.text("schedule", h.GetSchedule(), protocol.MaxNameBytes),
			Accumulation:   f.count("accumulation", h.GetAccumulation(), 1<<16),
			ClipNorm:       f.float("clip_norm", h.GetClipNorm()),
			RSLoRA:         h.GetRslora(),
			EvalRatio:      f.float("eval_ratio", h.GetEvalRatio()),
			EvalSteps:      f.count("eval_steps", h.GetEvalSteps(), 1<<30),
			Patience:       f.count("patience", h.GetPatience(), 10_000),
			HeldOut:        f.text("held_out", h.GetHeldOut(), protocol.MaxNameBytes),
		}
		f.in("merge", func() { j.Hyper.Merge = f.merge(h.GetMerge()) })
	})
	if f.err != nil {
		return protocol.TrainingJob{}, f.err
	}
	got, err := HyperHash(j.Hyper)
	if err != nil {
		return protocol.TrainingJob{}, err
	}
	if got != j.Order.HyperHash {
		return protocol.TrainingJob{}, protocol.Errorf(protocol.KindInvalid, "order.hyper_hash", "is %s but the hyper-parameters hash to %s: sign the order again", j.Order.HyperHash, got)
	}
	return j, nil
}

// ProgressToPB converts progress.
func ProgressToPB(p protocol.TrainingProgress) *pb.TrainingProgress {
	return &pb.TrainingProgress{
		Phase: p.Phase, Step: number32(p.Step), Steps: number32(p.Steps), Loss: p.Loss,
		TokensPerSecond: p.TokensSec, EtaMs: uint64(max(0, p.ETA)), Eval: evalToPB(p.Eval),
	}
}

func evalToPB(e *protocol.TrainingEval) *pb.TrainingEval {
	if e == nil {
		return nil
	}
	return &pb.TrainingEval{Step: number32(e.Step), Loss: e.Loss, Exact: number32(e.Exact), Records: number32(e.Records)}
}

func (f *fields) eval(m *pb.TrainingEval) (e *protocol.TrainingEval) {
	if m == nil {
		return nil
	}
	f.in("eval", func() {
		e = &protocol.TrainingEval{
			Step:    f.count("step", m.GetStep(), 1<<30),
			Loss:    f.number("loss", m.GetLoss()),
			Exact:   f.count("exact", m.GetExact(), 1<<30),
			Records: f.count("records", m.GetRecords(), 1<<30),
		}
	})
	return e
}

// ProgressFromPB is the strict inverse of ProgressToPB.
func ProgressFromPB(m *pb.TrainingProgress) (protocol.TrainingProgress, error) {
	f := &fields{prefix: "progress."}
	p := protocol.TrainingProgress{
		Phase:     f.text("phase", m.GetPhase(), protocol.MaxNameBytes),
		Step:      f.count("step", m.GetStep(), 1<<30),
		Steps:     f.count("steps", m.GetSteps(), 1<<30),
		Loss:      f.number("loss", m.GetLoss()),
		TokensSec: f.number("tokens_per_second", m.GetTokensPerSecond()),
		ETA:       f.time("eta_ms", m.GetEtaMs()),
		Eval:      f.eval(m.GetEval()),
	}
	return p, f.err
}

// ResultToPB converts a training result.
func ResultToPB(r protocol.TrainingResult) *pb.TrainingResult {
	return &pb.TrainingResult{
		Adapter: string(r.Adapter), Index: string(r.Index), Steps: number32(r.Steps), LossFirst: r.LossFirst, LossLast: r.LossLast,
		Seconds: r.Seconds, Records: number32(r.Records), TxHash: r.TxHash[:], Eval: evalToPB(r.Eval), Tokens: uint64(max(r.Tokens, 0)),
		Report: string(r.Report),
	}
}

// ResultFromPB is the strict inverse of ResultToPB.
func ResultFromPB(m *pb.TrainingResult) (protocol.TrainingResult, error) {
	f := &fields{prefix: "result."}
	r := protocol.TrainingResult{
		Adapter:   f.cid("adapter", m.GetAdapter()),
		Index:     f.cid("index", m.GetIndex()),
		Steps:     f.count("steps", m.GetSteps(), 1<<30),
		LossFirst: f.number("loss_first", m.GetLossFirst()),
		LossLast:  f.number("loss_last", m.GetLossLast()),
		Seconds:   f.number("seconds", m.GetSeconds()),
		Records:   f.count("records", m.GetRecords(), 1<<30),
		TxHash:    f.hash("tx_hash", m.GetTxHash()),
		Eval:      f.eval(m.GetEval()),
		Tokens:    f.time("tokens", m.GetTokens()),
		Report:    f.cid("report", m.GetReport()),
	}
	if r.Adapter == "" {
		f.fail("adapter", "is empty")
	}
	return r, f.err
}
