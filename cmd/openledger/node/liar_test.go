package node_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/p2p"
	"github.com/openledger/openledger/protocol/wire"
)

// lie changes what an otherwise honest-looking worker says.
type lie struct {
	evidence func(*protocol.Evidence)      // before the receipt is made
	receipt  func(*protocol.Receipt)       // before it is signed
	signed   func(*protocol.SignedReceipt) // after
}

// liar is a staked worker without a model, which knows one answer by heart.
type liar struct {
	identity
	domain wire.Domain
	tokens []uint32 // what it answers
	text   string

	mu    sync.Mutex
	lie   lie
	calls int
	last  protocol.SignedReceipt
	took  []protocol.SignedVoucher
}

func (l *liar) tell(x lie) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lie, l.calls = x, 0
}

func (l *liar) called() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls
}

func (l *liar) Infer(_ context.Context, _ protocol.PeerID, job protocol.InferenceJob, out p2p.Output) (protocol.SignedReceipt, protocol.Evidence, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	e := evidenceOf(job)
	if err := out.Accepted(len(e.Prompt)); err != nil {
		return protocol.SignedReceipt{}, e, err
	}
	e.Text = l.text
	if err := out.Token(p2p.Token{Index: len(e.Output), IDs: l.tokens, Text: e.Text}); err != nil {
		return protocol.SignedReceipt{}, e, err
	}
	e.Output = append(e.Output, l.tokens...)
	if l.lie.evidence != nil {
		l.lie.evidence(&e)
	}
	r, err := l.receipt(e)
	if err != nil {
		return protocol.SignedReceipt{}, e, err
	}
	if l.lie.receipt != nil {
		l.lie.receipt(&r)
	}
	s, err := wire.SignReceipt(l.domain, r, l.hot.ECDSA())
	if l.lie.signed != nil {
		l.lie.signed(&s)
	}
	l.last = s
	return s, e, err
}

// evidenceOf begins the evidence of a job without a model.
func evidenceOf(job protocol.InferenceJob) protocol.Evidence {
	e := protocol.Evidence{Job: job, Profile: "cpu-f32-v1", Prompt: []uint32{1, 2, 3}, Output: append([]uint32(nil), job.Resume...), FinishedBy: "length",
		Attribution: protocol.Attribution{Algorithm: "none", Pool: protocol.WeightScale}}
	e.Job.Resume, e.Job.Deadline, e.Job.Sources = nil, 0, nil
	return e
}

// receipt is the honest one for an answer.
func (l *liar) receipt(e protocol.Evidence) (protocol.Receipt, error) {
	digest, err := wire.EvidenceDigest(e)
	if err != nil {
		return protocol.Receipt{}, err
	}
	root, err := wire.AttributionRoot(e.Attribution)
	if err != nil {
		return protocol.Receipt{}, err
	}
	fee := e.Job.Price.FeeFor(len(e.Prompt), len(e.Output))
	return protocol.Receipt{ID: e.Job.ID, Requester: e.Job.Requester, Worker: l.owner.Account(), Base: e.Job.Base, PromptTokens: uint32(len(e.Prompt)),
		OutputTokens: uint32(len(e.Output)), Compute: fee.Compute, Access: fee.Access, Agent: e.Job.Agent, AgentVersion: e.Job.AgentVersion, Markup: fee.Markup,
		OutputHash: wire.OutputHash(e.Output), AttributionRoot: root, Evidence: digest, FinishedAt: time.Now().UnixMilli()}, nil
}

func (l *liar) Train(context.Context, protocol.PeerID, protocol.TrainingJob, func(protocol.TrainingProgress) error) (protocol.TrainingResult, error) {
	return protocol.TrainingResult{}, protocol.Errorf(protocol.KindBusy, "", "no")
}

func (l *liar) Adapter(context.Context, protocol.PeerID, protocol.AdapterOrder) (protocol.AdapterState, error) {
	return protocol.AdapterState{}, protocol.Errorf(protocol.KindBusy, "", "not now")
}

func (l *liar) Voucher(_ context.Context, _ protocol.PeerID, v protocol.SignedVoucher, _ protocol.Hash) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took = append(l.took, v)
	return nil
}

// join makes the liar a worker of the network that is preferred over honest ones, and has
// jobs done by it or by another in its name.
func (l *liar) join(t testing.TB, jobs p2p.JobHandler, slots int) *p2p.Host {
	t.Helper()
	host := net.plainHost(t, l.home)
	require.NoError(t, host.SetBinding(l.binding))
	host.HandleJobs(jobs)
	sequence := uint64(time.Now().UnixMilli())
	require.Eventually(t, func() bool {
		sequence++
		now := time.Now()
		cheap := protocol.Price{InputPer1K: milliOpen(1), OutputPer1K: milliOpen(1)}
		require.NoError(t, host.Publish(t.Context(), protocol.Announcement{Peer: host.ID(), Worker: l.owner.Account(), Sequence: sequence,
			IssuedAt: now.UnixMilli(), ExpiresAt: now.Add(protocol.AnnouncementTTL).UnixMilli(), Base: net.base, Profile: "cpu-f32-v1",
			Slots: slots, FreeKV: 1 << 20, DecodeTPS: 1e6, Price: cheap}))
		list, err := net.coord.Workers(t.Context())
		require.NoError(t, err)
		return slices.ContainsFunc(list, func(w api.WorkerView) bool { return w.Peer == l.peer })
	}, time.Minute, 200*time.Millisecond)
	return host
}

func TestLyingWorkerIsNotPaid(t *testing.T) {
	net.worker(t, net.identity(t))
	who := net.requester(t, 1e18)
	model, _, err := net.ask(t.Context(), who, request("A wolf", 4))
	require.NoError(t, err)
	truth, err := net.coord.Receipt(t.Context(), model.Receipt.Receipt.ID)
	require.NoError(t, err)
	for name, x := range map[string]lie{
		"a wei more":             {receipt: func(r *protocol.Receipt) { r.Compute.AddUint64(&r.Compute, 1) }},
		"other tokens than sent": {evidence: func(e *protocol.Evidence) { e.Output[0]++ }},
		"a flipped signature":    {signed: func(s *protocol.SignedReceipt) { s.Signature[10] ^= 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			l := &liar{identity: net.identity(t), domain: net.settlementDomain(), tokens: truth.Evidence.Output, text: model.Text}
			host := l.join(t, l, 64)
			a, _, err := net.ask(t.Context(), who, request("A wolf", 4))
			require.NoError(t, err)
			require.Equal(t, l.owner.Account(), a.Receipt.Receipt.Worker, "without a lie it is paid: what follows is refused for the lie")

			l.tell(x)
			a, _, err = net.ask(t.Context(), who, request("A wolf", 4))
			require.NoError(t, err, "whatever one worker does, the requester gets its answer")
			require.Equal(t, 1, l.called())
			require.NotEqual(t, l.owner.Account(), a.Receipt.Receipt.Worker, "an honest worker answered")
			require.Len(t, net.receiptsOf(t, l.owner.Account()), 1, "nothing of the lie was accepted")
			_, err = host.RequestVoucher(t.Context(), peerOf(t), l.last)
			require.Error(t, err, "asking for the voucher does not help either")
			require.Len(t, l.took, 1)
		})
	}
}
