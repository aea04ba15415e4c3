package audit

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/attrib"
	"github.com/openledger/openledger/worker/engine/base"
	"github.com/openledger/openledger/worker/engine/enginetest"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

// bench is an auditor and an honest worker's key.
type bench struct {
	Auditor
	key  *ecdsa.PrivateKey
	with *adapter.Adapter
}

func newBench(t *testing.T) *bench {
	t.Helper()
	bundle, err := base.Open()
	require.NoError(t, err)
	backend, err := cpu.New(cpu.Config{Threads: 2})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, errors.Join(backend.Close(), bundle.Close())) })
	model, err := llama.New(backend, bundle.Config, bundle, llama.Options{})
	require.NoError(t, err)
	b := &bench{Auditor: Auditor{Domain: wire.Domain{ChainID: 5, Contract: protocol.Account{1}}, Base: bundle.Hash, Model: model, Tokenizer: bundle.Tokenizer}}
	b.key, err = crypto.GenerateKey()
	require.NoError(t, err)

	lora, err := enginetest.Adapter(bundle.Config, 2, 5)
	require.NoError(t, err)
	for i := range lora.Flat {
		lora.Flat[i] *= 0.1
	}
	a := &adapter.Adapter{LoRA: lora}
	a.Registered.Digest, a.Registered.Datanet, a.Registered.DatanetRoot = protocol.Hash{0xad}, 1, protocol.Hash{0xda}
	b.with = a
	return b
}

// index gives the adapter records, one of which says what it answers to a job.
func (b *bench) index(t *testing.T, job protocol.InferenceJob) {
	t.Helper()
	prompt, err := Prompt(b.Tokenizer, job)
	require.NoError(t, err)
	out, err := b.generate(t.Context(), protocol.Evidence{Job: job, Prompt: prompt}, b.with)
	require.NoError(t, err)
	records := []attrib.Record{{ID: protocol.Hash{99}, Contributor: protocol.Account{99}, Prompt: prompt, Answer: out.Tokens}}
	for i := range 12 {
		text := fmt.Sprintf("Fable %d: look %d times before you leap, said the frog.", i, i*i)
		records = append(records, attrib.Record{ID: protocol.Hash{byte(i + 1)}, Contributor: protocol.Account{byte(i + 1)}, Prompt: prompt, Answer: b.Tokenizer.Encode(text)})
	}
	at := b.with.Registered
	b.with.Index, err = attrib.Build(t.Context(), attrib.BuildConfig{Base: b.Base, Adapter: at.Digest, Root: at.DatanetRoot, Seed: 5}, b.Model, b.with.LoRA, records)
	require.NoError(t, err)
}

// answer runs a job as a worker does.
func (b *bench) answer(t *testing.T, job protocol.InferenceJob) protocol.Evidence {
	t.Helper()
	e := protocol.Evidence{Job: job, Profile: Profile, Attribution: protocol.Attribution{Algorithm: NoAttribution, Pool: protocol.WeightScale}}
	var with *adapter.Adapter
	if job.Adapter != "" {
		with = b.with
	}
	var err error
	e.Prompt, err = Prompt(b.Tokenizer, job)
	require.NoError(t, err)
	out, err := b.generate(t.Context(), e, with)
	require.NoError(t, err)
	e.Output, e.Text, e.FinishedBy = out.Tokens, out.Text, out.FinishReason
	if with != nil {
		e.Attribution, err = with.Index.Query(t.Context(), b.Model, with.LoRA, e.Prompt, e.Output)
		require.NoError(t, err)
	}
	return e
}

// sign makes the receipt that fits the evidence.
func (b *bench) sign(t *testing.T, e protocol.Evidence, change func(*protocol.Receipt)) protocol.SignedReceipt {
	t.Helper()
	digest, err := wire.EvidenceDigest(e)
	require.NoError(t, err)
	root, err := wire.AttributionRoot(e.Attribution)
	require.NoError(t, err)
	fee := e.Job.Price.FeeFor(len(e.Prompt), len(e.Output))
	r := protocol.Receipt{ID: e.Job.ID, Requester: e.Job.Requester, Worker: protocol.Account{9}, Base: e.Job.Base, PromptTokens: uint32(len(e.Prompt)),
		OutputTokens: uint32(len(e.Output)), Compute: fee.Compute, Access: fee.Access, Agent: e.Job.Agent, AgentVersion: e.Job.AgentVersion, Markup: fee.Markup, OutputHash: wire.OutputHash(e.Output), AttributionRoot: root,
		Evidence: digest, FinishedAt: 1}
	if e.Job.Adapter != "" {
		r.Adapter, r.Datanet, r.DatanetRoot = b.with.Registered.Digest, b.with.Registered.Datanet, b.with.Registered.DatanetRoot
	}
	if change != nil {
		change(&r)
	}
	s, err := wire.SignReceipt(b.Domain, r, b.key)
	require.NoError(t, err)
	return s
}

func failed(r Report) (out []string) {
	for _, s := range r.Steps {
		if !s.OK {
			out = append(out, s.Name)
		}
	}
	return out
}

func names(r Report) (out []string) {
	for _, s := range r.Steps {
		out = append(out, s.Name)
	}
	return out
}

func TestAudit(t *testing.T) {
	b := newBench(t)
	plain := protocol.InferenceJob{ID: protocol.Hash{1}, Requester: protocol.Account{2}, Base: b.Base, Prompt: "The fox",
		Sampling: protocol.Sampling{MaxTokens: 16, Temperature: 0.8, TopP: 0.9, Seed: 3, IgnoreEOS: true},
		Price:    protocol.Price{InputPer1K: *uint256.NewInt(1e15), OutputPer1K: *uint256.NewInt(2e15)}}
	tuned := plain
	tuned.Prompt, tuned.Messages = "", []protocol.Message{{Role: "user", Content: "What is the lesson?"}}
	tuned.Adapter, tuned.Price.Access = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", *uint256.NewInt(7)
	b.index(t, tuned)
	shaped := plain
	shaped.Sampling = protocol.Sampling{MaxTokens: 60, Temperature: 1, MinP: 0.01, RepetitionPenalty: 1.2, PresencePenalty: 0.5, FrequencyPenalty: 0.1,
		LogitBias: []protocol.TokenBias{{Token: 90, Bias: -4}, {Token: 300, Bias: 2}}, Seed: 3, Format: protocol.FormatJSONSchema,
		Schema: `{"type":"object","properties":{"moral":{"type":"string","maxLength":20},"n":{"type":"integer","maximum":99}},"required":["moral","n"]}`}
	evidence := map[bool]protocol.Evidence{false: b.answer(t, plain), true: b.answer(t, tuned)}
	require.NotEmpty(t, evidence[true].Attribution.Shares, "the lie about a weight needs one")

	for name, tt := range map[string]struct {
		tuned    bool
		evidence func(*protocol.Evidence)
		receipt  func(*protocol.Receipt)
		signed   func(*protocol.SignedReceipt)
		want     []string
	}{
		"honest, bare base":    {},
		"honest, with adapter": {tuned: true},
		"honest, greedy seed does not matter": {evidence: func(e *protocol.Evidence) {
			job := plain
			job.Sampling.Temperature = 0
			*e = b.answer(t, job)
			e.Job.Sampling.Seed = 99
		}},
		"honest, penalised, biased, of a schema": {evidence: func(e *protocol.Evidence) { *e = b.answer(t, shaped) }},
		"another schema": {evidence: func(e *protocol.Evidence) {
			*e = b.answer(t, shaped)
			e.Job.Sampling.Schema = `{"type":"object"}`
		}, want: []string{StepOutput}},
		"another bias": {evidence: func(e *protocol.Evidence) {
			*e = b.answer(t, shaped)
			e.Job.Sampling.LogitBias = nil
			for _, id := range slices.Compact(slices.Sorted(slices.Values(e.Output))) { // against all that was said
				e.Job.Sampling.LogitBias = append(e.Job.Sampling.LogitBias, protocol.TokenBias{Token: id, Bias: -100})
			}
		}, want: []string{StepOutput}},
		"a token changed":  {evidence: func(e *protocol.Evidence) { e.Output[3]++ }, want: []string{StepOutput}},
		"a token less":     {evidence: func(e *protocol.Evidence) { e.Output = e.Output[:15] }, want: []string{StepOutput}},
		"text changed":     {evidence: func(e *protocol.Evidence) { e.Text += "!" }, want: []string{StepOutput}},
		"ending changed":   {evidence: func(e *protocol.Evidence) { e.FinishedBy = "stop" }, want: []string{StepOutput}},
		"another seed":     {evidence: func(e *protocol.Evidence) { e.Job.Sampling.Seed = 4 }, want: []string{StepOutput}},
		"a wei more":       {receipt: func(r *protocol.Receipt) { r.Compute.AddUint64(&r.Compute, 1) }, want: []string{StepEvidence, StepFee}},
		"access fee":       {receipt: func(r *protocol.Receipt) { r.Access.SetUint64(1) }, want: []string{StepEvidence, StepFee}},
		"another prompt":   {evidence: func(e *protocol.Evidence) { e.Prompt[1]++ }, want: []string{StepPrompt}},
		"another profile":  {evidence: func(e *protocol.Evidence) { e.Profile = "cuda-bf16-sm90-v1" }, want: []string{StepModel}},
		"another adapter":  {tuned: true, receipt: func(r *protocol.Receipt) { r.Adapter[0]++ }, want: []string{StepModel}},
		"another datanet":  {tuned: true, receipt: func(r *protocol.Receipt) { r.Datanet++ }, want: []string{StepModel}},
		"flipped receipt":  {signed: func(s *protocol.SignedReceipt) { s.Receipt.FinishedAt++ }, want: []string{StepSignature}},
		"flipped evidence": {receipt: func(r *protocol.Receipt) { r.Evidence[0]++ }, want: []string{StepEvidence}},
		"a weight moved": {tuned: true, evidence: func(e *protocol.Evidence) {
			e.Attribution.Shares[0].Weight--
			e.Attribution.Pool++
		}, want: []string{StepAttribution}},
		"a contributor changed": {tuned: true, evidence: func(e *protocol.Evidence) { e.Attribution.Shares[0].Contributor[0]++ }, want: []string{StepAttribution}},
		"all to the pool": {tuned: true, evidence: func(e *protocol.Evidence) {
			e.Attribution.Shares, e.Attribution.Pool = nil, protocol.WeightScale
		}, want: []string{StepAttribution}},
		"attribution of the bare base": {evidence: func(e *protocol.Evidence) { e.Attribution.Algorithm = attrib.Algorithm }, want: []string{StepNone}},
	} {
		t.Run(name, func(t *testing.T) {
			e := evidence[tt.tuned]
			e.Prompt, e.Output = append([]uint32(nil), e.Prompt...), append([]uint32(nil), e.Output...)
			e.Attribution.Shares = append([]protocol.RecordShare(nil), e.Attribution.Shares...)
			if tt.evidence != nil {
				tt.evidence(&e)
			}
			s := b.sign(t, e, tt.receipt)
			if tt.signed != nil {
				tt.signed(&s)
			}
			var with *adapter.Adapter
			if tt.tuned {
				with = b.with
			}
			r, err := b.Audit(t.Context(), s, e, with)
			require.NoError(t, err)
			require.Equal(t, tt.want, failed(r), "%+v", r)
			require.Equal(t, tt.want == nil, r.OK)
			if tt.want == nil {
				last := StepNone
				if tt.tuned {
					last = StepAttribution
				}
				require.Equal(t, []string{StepSignature, StepEvidence, StepFee, StepModel, StepPrompt, StepOutput, last}, names(r), "nothing was skipped")
			}
		})
	}

	t.Run("the adapter is not at hand", func(t *testing.T) {
		r, err := b.Audit(t.Context(), b.sign(t, evidence[true], nil), evidence[true], nil)
		require.NoError(t, err)
		require.Equal(t, []string{StepModel}, failed(r))
	})
	t.Run("another base", func(t *testing.T) {
		elsewhere := b.Auditor
		elsewhere.Base[0]++
		r, err := elsewhere.Audit(t.Context(), b.sign(t, evidence[false], nil), evidence[false], nil)
		require.NoError(t, err)
		require.Equal(t, []string{StepModel}, failed(r))
	})
}
