// Package audit runs an inference again from its evidence and compares: tokens,
// text, attribution, hashes and fee. Whoever has the base model can do it.
//
// Invariants: what a worker computes and what an auditor computes go through the same
// functions here; under the same numeric profile they are the same bits.
//
// It judges one receipt. It neither slashes nor decides what a difference costs.
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/attrib"
	"github.com/openledger/openledger/worker/engine"
	"github.com/openledger/openledger/worker/engine/chat"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/sample"
	"github.com/openledger/openledger/worker/engine/tokenizer"
)

// Profile is the numeric profile of the CPU backend: who shares it computes the
// same bits.
const Profile = "cpu-f32-v1"

// NoAttribution is the algorithm named by answers of the bare base, which has no
// datanet.
const NoAttribution = "none"

// Prompt turns a job's messages or text into tokens; those of an embedding's inputs stand
// one after the other.
func Prompt(t *tokenizer.Tokenizer, job protocol.InferenceJob) ([]uint32, error) {
	if job.Embedding != nil {
		return slices.Concat(EmbeddingInputs(t, job.Embedding)...), nil
	}
	if job.Prompt != "" {
		return t.WithTemplate(t.Encode(job.Prompt)), nil
	}
	turns := withSources(job.Messages, job.Retrieval, allSources)
	messages := make([]chat.Message, len(turns))
	for i, m := range turns {
		messages[i] = chat.Message{Role: m.Role, Content: m.Content, Fields: json.RawMessage(m.Fields)}
	}
	options := tokenizer.ChatOptions{Prompt: true, Now: time.UnixMilli(job.Deadline).UTC()}
	for _, f := range []struct {
		name, text string
		into       any
	}{{"tools", job.Tools, &options.Tools}, {"chat_template_kwargs", job.TemplateArgs, &options.Extra}} {
		if f.text == "" {
			continue
		}
		if err := json.Unmarshal([]byte(f.text), f.into); err != nil {
			return nil, protocol.Errorf(protocol.KindInvalid, f.name, "%w", err)
		}
	}
	// A template that asks for the date gets the deadline's, which the requester signed:
	// every machine that renders this job comes to the same prompt.
	prompt, err := t.RenderMessages(messages, options)
	if err != nil {
		return nil, protocol.Errorf(protocol.KindInvalid, "messages", "%w", err)
	}
	return prompt, nil
}

// Sampling is a job's sampling in the engine's words.
func Sampling(s protocol.Sampling) engine.Sampling {
	out := engine.Sampling{
		Temperature: s.Temperature, TopK: s.TopK, TopP: s.TopP, MinP: s.MinP, RepetitionPenalty: s.RepetitionPenalty,
		PresencePenalty: s.PresencePenalty, FrequencyPenalty: s.FrequencyPenalty, Seed: s.Seed, MaxTokens: s.MaxTokens, Stop: s.Stop,
		IgnoreEOS: s.IgnoreEOS, Format: engine.Format{JSON: s.Format != protocol.FormatText, Schema: s.Schema}, LogProbs: s.LogProbs, TopLogProbs: s.TopLogProbs,
	}
	for _, b := range s.LogitBias {
		out.LogitBias = append(out.LogitBias, sample.Bias{ID: b.Token, Bias: b.Bias})
	}
	return out
}

// Names of the steps of a report, in order.
const (
	StepSignature   = "signature of the worker's node key"
	StepEvidence    = "receipt matches its evidence"
	StepFee         = "fee follows from price and tokens"
	StepModel       = "base, adapter and datanet are the ones at hand"
	StepAgent       = "instructions, model, price and functions are those of the agent's manifest"
	StepPrompt      = "prompt tokens follow from the messages"
	StepOutput      = "running it again gives the same output"
	StepAttribution = "attributing it again gives the same weights"
	StepNone        = "no attribution without a datanet"
	StepSources     = "retrieved records are in the datanets, as they were quoted"
	StepRetrieved   = "weighing the retrieved records again gives the same weights"
)

// Step is one thing that was checked.
type Step struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// Report is the outcome of an audit.
type Report struct {
	Receipt protocol.Hash `json:"receipt"`
	OK      bool          `json:"ok"` // every step is
	Steps   []Step        `json:"steps"`
	// Unchecked is what could not be checked, and why. It counts for nobody.
	Unchecked string `json:"unchecked,omitempty"`
}

func (r *Report) check(name string, err error) bool {
	s := Step{Name: name, OK: err == nil}
	if err != nil {
		s.Detail = err.Error()
		r.OK = false
	}
	r.Steps = append(r.Steps, s)
	return err == nil
}

// Auditor holds what running an inference again needs.
type Auditor struct {
	Domain    wire.Domain // of the settlement contract
	Base      protocol.Hash
	Model     *llama.Model
	Tokenizer *tokenizer.Tokenizer
	// Sources checks retrieved records against their datanets: an error of kind corrupt is
	// about them, another one says that they could not be checked. Without it what was
	// retrieved cannot be audited.
	Sources func(ctx context.Context, retrieval []protocol.Retrieval) error
	// Agent compares a job with the manifest of the agent that it names. An error of kind
	// corrupt is about the job, another one says that it could not be checked now; unable
	// says that nobody has the manifest. Without it jobs of agents cannot be audited.
	Agent func(ctx context.Context, job *protocol.InferenceJob) (unable, err error)
}

// Audit checks one receipt with its evidence. The adapter is the open adapter that the
// receipt names, nil for the bare base. An error means that the audit could not be
// done; a failed check is in the report.
func (a Auditor) Audit(ctx context.Context, s protocol.SignedReceipt, e protocol.Evidence, with *adapter.Adapter) (Report, error) {
	r := Report{Receipt: s.Receipt.ID, OK: true}
	r.check(StepSignature, wire.VerifyReceipt(a.Domain, s))
	r.check(StepEvidence, wire.CheckReceipt(s.Receipt, e))
	r.check(StepFee, checkFee(s.Receipt, e))
	if !r.check(StepModel, a.checkModel(s.Receipt, e, with)) {
		return r, nil
	}
	if e.Job.Agent != 0 {
		if err := a.agent(ctx, &r, &e.Job); err != nil {
			return r, err
		}
	}
	prompt, err := Prompt(a.Tokenizer, e.Job)
	if err == nil && !slices.Equal(prompt, e.Prompt) {
		err = errors.New("the chat template gives other prompt tokens")
	}
	if !r.check(StepPrompt, err) {
		return r, nil
	}
	if e.Job.Embedding != nil {
		if err := CheckEmbedding(e.Job.Embedding, a.Model.Config().HiddenSize); err != nil {
			r.check(StepOutput, err)
			return r, nil
		}
		vectors, err := a.embed(ctx, e.Job.Embedding)
		if err != nil {
			return r, err
		}
		r.check(StepOutput, compareVectors(vectors, e.Vectors))
		r.check(StepNone, checkNone(e.Attribution))
		return r, nil
	}
	output, err := a.generate(ctx, e, with)
	if err != nil {
		return r, err
	}
	r.check(StepOutput, compare(output, e))
	if with == nil {
		r.check(StepNone, checkNone(e.Attribution))
	} else {
		_, err = with.Index.Verify(ctx, a.Model, with.LoRA, e)
		r.check(StepAttribution, err)
	}
	if len(e.Job.Retrieval) > 0 || len(e.Attribution.Retrieved) > 0 {
		return r, a.retrieved(ctx, &r, e, with)
	}
	return r, nil
}

// agent checks what the job says in an agent's name.
func (a Auditor) agent(ctx context.Context, r *Report, job *protocol.InferenceJob) error {
	if a.Agent == nil {
		return protocol.Errorf(protocol.KindUnavailable, "agent", "manifests of agents are not at hand")
	}
	unable, err := a.Agent(ctx, job)
	switch {
	case err != nil && protocol.KindOf(err) != protocol.KindCorrupt:
		return err
	case unable != nil:
		r.Unchecked = unable.Error()
	default:
		r.check(StepAgent, err)
	}
	return nil
}

// retrieved checks what the job was given to read, and how it was weighed.
func (a Auditor) retrieved(ctx context.Context, r *Report, e protocol.Evidence, with *adapter.Adapter) error {
	if a.Sources == nil {
		return protocol.Errorf(protocol.KindUnavailable, "retrieval", "the datanets that were read are not at hand")
	}
	err := a.Sources(ctx, e.Job.Retrieval)
	if err != nil && protocol.KindOf(err) != protocol.KindCorrupt {
		return err
	}
	if !r.check(StepSources, err) {
		return nil
	}
	weigher, err := attrib.NewWeigher(a.Model)
	if err != nil {
		return err
	}
	var values *lora.Adapter
	if with != nil {
		values = with.LoRA
	}
	want, err := weigher.Weigh(ctx, e.Job.Retrieval, Prompts(a.Tokenizer, e.Job), e.Output, values)
	if err != nil {
		return err
	}
	r.check(StepRetrieved, compareRetrieved(want, e.Attribution.Retrieved))
	return nil
}

func (a Auditor) checkModel(r protocol.Receipt, e protocol.Evidence, with *adapter.Adapter) error {
	switch {
	case e.Profile != Profile:
		return fmt.Errorf("it was computed under the numeric profile %q; this program has %q, and bits can only be compared within one", e.Profile, Profile)
	case r.Base != a.Base:
		return fmt.Errorf("the base is %s, here is %s", r.Base, a.Base)
	case with == nil && r.Adapter != protocol.Hash{}:
		return fmt.Errorf("the adapter %s is not at hand", r.Adapter)
	case with != nil && (r.Adapter != with.Registered.Digest || r.DatanetRoot != with.Registered.DatanetRoot || r.Datanet != with.Registered.Datanet):
		return errors.New("the receipt names another adapter or datanet version than the registry")
	}
	return nil
}

func checkFee(r protocol.Receipt, e protocol.Evidence) error {
	want := e.Job.Price.FeeFor(len(e.Prompt), len(e.Output))
	if got := r.Fee(); got != want {
		wantTotal, gotTotal := want.Total(), got.Total()
		return fmt.Errorf("%s wei by the agreed price, %s wei on the receipt", wantTotal.Dec(), gotTotal.Dec())
	}
	return nil
}

func checkNone(at protocol.Attribution) error {
	if at.Algorithm != NoAttribution || len(at.Shares) > 0 {
		return errors.New("the bare base was attributed to records")
	}
	return nil
}

func compare(r engine.Result, e protocol.Evidence) error {
	switch {
	case !slices.Equal(r.Tokens, e.Output):
		n := 0
		for n < min(len(r.Tokens), len(e.Output)) && r.Tokens[n] == e.Output[n] {
			n++
		}
		return fmt.Errorf("the tokens differ from position %d on", n)
	case e.FinishedBy == protocol.FinishedCancelled: // the end is the requester's doing; its text may lack a last, half letter
		if !strings.HasPrefix(r.Text, e.Text) {
			return errors.New("the text differs")
		}
	case r.Text != e.Text:
		return errors.New("the text differs")
	case r.FinishReason != e.FinishedBy:
		return fmt.Errorf("it ends by %q, not by %q", r.FinishReason, e.FinishedBy)
	}
	return nil
}

// generate runs the inference on an engine of its own.
func (a Auditor) generate(ctx context.Context, e protocol.Evidence, with *adapter.Adapter) (out engine.Result, err error) {
	err = a.run(ctx, func(ctx context.Context, eng *engine.Engine) error {
		if with != nil {
			if err := eng.LoadAdapter(string(e.Job.Adapter), with.LoRA); err != nil {
				return err
			}
		}
		sampling := Sampling(e.Job.Sampling)
		if e.FinishedBy == protocol.FinishedCancelled {
			sampling.MaxTokens = len(e.Output)
		}
		// What another worker delivered is not this one's answer: it goes on from there.
		out, err = eng.Generate(ctx, engine.Request{ID: e.Job.ID.Hex(), Prompt: e.Prompt, Resume: e.Authorized().Resume, Adapter: string(e.Job.Adapter), Sampling: sampling}, nil)
		return err
	})
	return out, err
}

// run gives fn an engine that runs until it returns.
func (a Auditor) run(ctx context.Context, fn func(context.Context, *engine.Engine) error) error {
	eng, err := engine.New(engine.Config{Model: a.Model, Tokenizer: a.Tokenizer, MaxBatch: 1, KVTokens: 8 << 10})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- eng.Run(ctx) }()
	defer func() {
		cancel()
		<-done
	}()
	return fn(ctx, eng)
}
