package coordinator

import (
	"crypto/ecdsa"
	"testing"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// answered is a job with an honest worker's answer, before anybody signs.
type answered struct {
	c        *Coordinator
	j        *liveJob
	job      protocol.InferenceJob
	evidence protocol.Evidence
	key      *ecdsa.PrivateKey
	binding  protocol.SignedBinding
	accepted int
	part     bool
}

func newAnswered(t *testing.T) *answered {
	t.Helper()
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	a := &answered{c: &Coordinator{settlementDomain: wire.Domain{ChainID: 5, Contract: protocol.Account{1}}}, key: key, accepted: 3}
	a.binding.Binding = protocol.Binding{NodeKey: crypto.PubkeyToAddress(key.PublicKey), Owner: protocol.Account{9}}
	a.job = protocol.InferenceJob{ID: protocol.Hash{1}, Requester: protocol.Account{2}, Base: protocol.Hash{3}, Prompt: "A wolf",
		Sampling: protocol.Sampling{MaxTokens: 4, Stop: []string{"x"}}, Price: protocol.Price{InputPer1K: *uint256.NewInt(1e6), OutputPer1K: *uint256.NewInt(2e6)}, Deadline: 99}
	a.j = &liveJob{job: a.job, tokens: []uint32{7, 8, 9}, prompt: 10}
	a.j.text.WriteString("abc")
	a.evidence = protocol.Evidence{Job: a.job, Profile: "p", Prompt: []uint32{1, 2, 3}, Output: []uint32{7, 8, 9}, Text: "abcd", FinishedBy: "stop",
		Attribution: protocol.Attribution{Algorithm: "none", Pool: protocol.WeightScale}}
	a.evidence.Job.Deadline = 0
	return a
}

// check makes the receipt of the evidence as it is now, tells one more lie, signs it,
// and has the coordinator look at it.
func (a *answered) check(t *testing.T, after func(*protocol.Receipt), signed func(*protocol.SignedReceipt)) error {
	t.Helper()
	digest, err := wire.EvidenceDigest(a.evidence)
	require.NoError(t, err)
	root, err := wire.AttributionRoot(a.evidence.Attribution)
	require.NoError(t, err)
	fee := a.evidence.Job.Price.FeeFor(len(a.evidence.Prompt), len(a.evidence.Output))
	r := protocol.Receipt{ID: a.job.ID, Requester: a.job.Requester, Worker: a.binding.Binding.Owner, Base: a.job.Base,
		PromptTokens: uint32(len(a.evidence.Prompt)), OutputTokens: uint32(len(a.evidence.Output)), Compute: fee.Compute, Access: fee.Access, Agent: a.evidence.Job.Agent, AgentVersion: a.evidence.Job.AgentVersion, Markup: fee.Markup,
		OutputHash: wire.OutputHash(a.evidence.Output), AttributionRoot: root, Evidence: digest, FinishedAt: 1}
	if after != nil {
		after(&r)
	}
	s, err := wire.SignReceipt(a.c.settlementDomain, r, a.key)
	require.NoError(t, err)
	if signed != nil {
		signed(&s)
	}
	return a.c.checkReceipt(a.j, a.job, s, a.evidence, a.binding, a.accepted, a.part)
}

func TestHonestReceiptPasses(t *testing.T) {
	require.NoError(t, newAnswered(t).check(t, nil, nil))
	part := newAnswered(t)
	part.part, part.evidence.FinishedBy = true, protocol.FinishedCancelled
	require.NoError(t, part.check(t, nil, nil))
}

func TestEveryLieOnAReceiptIsFound(t *testing.T) {
	stranger, err := crypto.GenerateKey()
	require.NoError(t, err)
	one := *uint256.NewInt(1)
	for name, lie := range map[string]struct {
		before func(*answered)
		after  func(*protocol.Receipt)
		signed func(*protocol.SignedReceipt)
	}{
		"a wei more":             {after: func(r *protocol.Receipt) { r.Compute.AddUint64(&r.Compute, 1) }},
		"a wei less":             {after: func(r *protocol.Receipt) { r.Compute.SubUint64(&r.Compute, 1) }},
		"an access fee":          {after: func(r *protocol.Receipt) { r.Access = one }},
		"a longer prompt":        {before: func(a *answered) { a.evidence.Prompt = append(a.evidence.Prompt, 4) }},
		"a prompt beyond reason": {before: func(a *answered) { a.evidence.Prompt, a.accepted = make([]uint32, 11), 11 }},
		"more tokens than sent":  {before: func(a *answered) { a.evidence.Output = append(a.evidence.Output, 1) }},
		"fewer tokens than sent": {before: func(a *answered) { a.evidence.Output = a.evidence.Output[:2] }},
		"other tokens than sent": {before: func(a *answered) { a.evidence.Output[0]++ }},
		"more than was allowed": {before: func(a *answered) {
			a.evidence.Output, a.j.tokens = []uint32{1, 2, 3, 4, 5}, []uint32{1, 2, 3, 4, 5}
		}},
		"another question": {before: func(a *answered) { a.evidence.Job.Prompt = "A sheep" }},
		"messages": {before: func(a *answered) {
			a.evidence.Job.Prompt, a.evidence.Job.Messages = "", []protocol.Message{{Role: "user", Content: "A wolf"}}
		}},
		"another temperature": {before: func(a *answered) { a.evidence.Job.Sampling.Temperature = 1 }},
		"another seed":        {before: func(a *answered) { a.evidence.Job.Sampling.Seed = 1 }},
		"another stop":        {before: func(a *answered) { a.evidence.Job.Sampling.Stop = nil }},
		"another price":       {before: func(a *answered) { a.evidence.Job.Price.OutputPer1K = one }},
		"another adapter": {before: func(a *answered) {
			a.evidence.Job.Adapter = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
		}},
		"cut short by nobody": {before: func(a *answered) { a.evidence.FinishedBy = protocol.FinishedCancelled }},
		"a part with other text": {before: func(a *answered) {
			a.part, a.evidence.FinishedBy, a.evidence.Text = true, protocol.FinishedCancelled, "xyz"
		}},
		"a part with far more tokens": {before: func(a *answered) {
			a.part, a.job.Sampling.MaxTokens, a.evidence.Job.Sampling.MaxTokens = true, 1000, 1000
			a.evidence.Output = append(a.evidence.Output, make([]uint32, inFlightTokens+1)...)
		}},
		"a markup": {after: func(r *protocol.Receipt) { r.Markup = one }},
		"an agent": {after: func(r *protocol.Receipt) { r.Agent, r.AgentVersion = 1, 1 }},
		"another agent's job": {before: func(a *answered) {
			instructed := func(j *protocol.InferenceJob, agent uint64) {
				j.Prompt, j.Messages = "", []protocol.Message{{Role: "system", Content: "Rhyme."}, {Role: "user", Content: "A wolf"}}
				j.Agent, j.AgentVersion, j.Price.Markup = agent, 1, one
			}
			instructed(&a.job, 1)
			instructed(&a.evidence.Job, 2)
		}},
		"another job":         {after: func(r *protocol.Receipt) { r.ID[0]++ }},
		"another requester":   {after: func(r *protocol.Receipt) { r.Requester[0]++ }},
		"another worker":      {after: func(r *protocol.Receipt) { r.Worker[0]++ }},
		"another base":        {after: func(r *protocol.Receipt) { r.Base[0]++ }},
		"an adapter":          {after: func(r *protocol.Receipt) { r.Adapter[0]++ }},
		"a datanet":           {after: func(r *protocol.Receipt) { r.Datanet++ }},
		"a datanet's root":    {after: func(r *protocol.Receipt) { r.DatanetRoot[0]++ }},
		"another output hash": {after: func(r *protocol.Receipt) { r.OutputHash[0]++ }},
		"another attribution": {after: func(r *protocol.Receipt) { r.AttributionRoot[0]++ }},
		"other evidence":      {after: func(r *protocol.Receipt) { r.Evidence[0]++ }},
		"a flipped signature": {signed: func(s *protocol.SignedReceipt) { s.Signature[3] ^= 1 }},
		"a flipped fee":       {signed: func(s *protocol.SignedReceipt) { s.Receipt.Compute.AddUint64(&s.Receipt.Compute, 1) }},
		"another key's name":  {signed: func(s *protocol.SignedReceipt) { s.NodeKey[0]++ }},
		"somebody else's key": {before: func(a *answered) { a.key = stranger }},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAnswered(t)
			if lie.before != nil {
				lie.before(a)
			}
			require.Error(t, a.check(t, lie.after, lie.signed))
		})
	}
}

func TestSignedRequests(t *testing.T) {
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	who := crypto.PubkeyToAddress(key.PublicKey)
	r := api.KeyRequest{Requester: who, Label: "laptop", At: now()}
	text := api.KeyRequestText("12D3", r)
	sig, err := crypto.Sign(accounts.TextHash([]byte(text)), key)
	require.NoError(t, err)
	require.NoError(t, checkPersonal(text, r.At, who, sig))
	wallet := append([]byte(nil), sig...)
	wallet[64] += 27
	require.NoError(t, checkPersonal(text, r.At, who, wallet), "wallets write v as 27 or 28")

	require.Equal(t, protocol.KindStale, protocol.KindOf(checkPersonal(text, now()-signedTextLifetime-1000, who, sig)))
	require.Equal(t, protocol.KindStale, protocol.KindOf(checkPersonal(text, now()+signedTextLifetime+1000, who, sig)))
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(checkPersonal(text, r.At, who, sig[:64])))
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(checkPersonal(text, r.At, protocol.Account{1}, sig)))
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(checkPersonal(api.KeyRequestText("other", r), r.At, who, sig)))
	for i := range sig {
		bad := append([]byte(nil), sig...)
		bad[i] ^= 0x40
		require.Error(t, checkPersonal(text, r.At, who, bad), "byte %d", i)
	}
}

func TestConfigNamesWhatIsMissing(t *testing.T) {
	_, err := New(Config{})
	require.ErrorContains(t, err, "db")
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
}

func TestEstimateBoundsThePrompt(t *testing.T) {
	job := protocol.InferenceJob{Messages: []protocol.Message{{Role: "user", Content: "abc"}, {Role: "assistant", Content: ""}}}
	require.GreaterOrEqual(t, estimateTokens(job), 3+2*4, "a byte is a token at most, and the template adds some")
	require.Zero(t, tagOf(protocol.Hash{}))
	require.NotZero(t, tagOf(protocol.Hash{1}))
}

func TestAmounts(t *testing.T) {
	five, three := *uint256.NewInt(5), *uint256.NewInt(3)
	require.Equal(t, *uint256.NewInt(2), sub(five, three))
	require.Equal(t, amount{}, sub(three, five), "never below zero")
	require.Equal(t, *uint256.NewInt(8), add(five, three))
	var top amount
	top.SetAllOne()
	require.EqualValues(t, uint64(1<<64-1), wholeOpen(top))
	require.EqualValues(t, 0, wholeOpen(five))
}
