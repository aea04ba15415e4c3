package p2p

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	p2pcrypto "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// The chain and contract of all tests.
var domain = wire.Domain{ChainID: 1337, Contract: protocol.Account{19: 1}}

var base = protocol.Hash{1, 2, 3, 4, 31: 9}

// Transports that every test of streams runs over.
var transports = map[string]string{
	"tcp":  "/ip4/127.0.0.1/tcp/0",
	"quic": "/ip4/127.0.0.1/udp/0/quic-v1",
}

// patience bounds what must happen, however slow the machine. Nothing waits for it to pass.
const patience = time.Minute

// node is a host with the keys of a worker.
type node struct {
	*Host
	owner, nodeKey *ecdsa.PrivateKey
	binding        protocol.SignedBinding
	sequence       uint64
}

func start(t *testing.T, listen string, edit ...func(*Config)) *node {
	t.Helper()
	key, _, err := p2pcrypto.GenerateEd25519Key(rand.Reader)
	require.NoError(t, err)
	cfg := Config{
		PrivateKey: key, ListenAddrs: []string{listen}, Domain: domain, DHT: DHTOff,
		Timeouts: Timeouts{Heartbeat: 200 * time.Millisecond, Dial: patience, Cancel: patience, Request: patience, Write: patience},
	}
	for _, e := range edit {
		e(&cfg)
	}
	h, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	n := &node{Host: h}
	n.owner, err = crypto.GenerateKey()
	require.NoError(t, err)
	n.nodeKey, err = crypto.GenerateKey()
	require.NoError(t, err)
	n.binding, err = wire.SignBinding(domain, protocol.Binding{
		Peer: h.ID(), NodeKey: crypto.PubkeyToAddress(n.nodeKey.PublicKey), Owner: n.account(), Payout: n.account(),
		IssuedAt: time.Now().UnixMilli(), Expires: time.Now().Add(time.Hour).UnixMilli(),
	}, n.owner)
	require.NoError(t, err)
	require.NoError(t, h.SetBinding(n.binding))
	return n
}

func (n *node) account() protocol.Account { return crypto.PubkeyToAddress(n.owner.PublicKey) }

func (n *node) announcement() protocol.Announcement {
	n.sequence++
	now := time.Now()
	return protocol.Announcement{
		Peer: n.ID(), Worker: n.account(), Sequence: n.sequence,
		IssuedAt: now.UnixMilli(), ExpiresAt: now.Add(protocol.AnnouncementTTL).UnixMilli(),
		Base: base, Profile: "cpu-f32-v1", Slots: 4, FreeKV: 1000, DecodeTPS: 12.5,
		Price:    protocol.Price{InputPer1K: *uint256.NewInt(1e12), OutputPer1K: *uint256.NewInt(2e12)},
		Adapters: []protocol.ResidentAdapter{{Tag: 7, Tier: protocol.TierHost}},
	}
}

func connect(t *testing.T, from, to *node) {
	t.Helper()
	_, err := from.Connect(t.Context(), to.Addrs()[0])
	require.NoError(t, err)
}

func inferenceJob() protocol.InferenceJob {
	return protocol.InferenceJob{
		ID: protocol.Hash{1}, Requester: protocol.Account{2}, Base: base, Prompt: "Say something.",
		Sampling: protocol.Sampling{MaxTokens: 16},
		Price:    protocol.Price{InputPer1K: *uint256.NewInt(1e12), OutputPer1K: *uint256.NewInt(2e12)},
		Deadline: time.Now().Add(patience).UnixMilli(),
	}
}

// finish makes the evidence and signed receipt of an output.
func (n *node) finish(t require.TestingT, job protocol.InferenceJob, prompt, out []uint32) (protocol.SignedReceipt, protocol.Evidence) {
	e := protocol.Evidence{Job: job, Profile: "cpu-f32-v1", Prompt: prompt, Output: out, Text: "hello", FinishedBy: "stop"}
	e.Job.Resume, e.Job.Deadline, e.Job.Sources = nil, 0, nil
	digest, err := wire.EvidenceDigest(e)
	require.NoError(t, err)
	fee := job.Price.FeeFor(len(prompt), len(out))
	r, err := wire.SignReceipt(domain, protocol.Receipt{
		ID: job.ID, Requester: job.Requester, Worker: n.account(), Base: job.Base,
		PromptTokens: uint32(len(prompt)), OutputTokens: uint32(len(out)), Compute: fee.Compute, Access: fee.Access,
		OutputHash: wire.OutputHash(out), Evidence: digest, FinishedAt: time.Now().UnixMilli(),
	}, n.nodeKey)
	require.NoError(t, err)
	return r, e
}

// handler is a JobHandler of functions.
type handler struct {
	infer   func(ctx context.Context, job protocol.InferenceJob, out Output) (protocol.SignedReceipt, protocol.Evidence, error)
	train   func(ctx context.Context, job protocol.TrainingJob, progress func(protocol.TrainingProgress) error) (protocol.TrainingResult, error)
	voucher func(v protocol.SignedVoucher, receipt protocol.Hash) error
	adapter func(ctx context.Context, o protocol.AdapterOrder) (protocol.AdapterState, error)
}

func (h handler) Infer(ctx context.Context, _ protocol.PeerID, job protocol.InferenceJob, out Output) (protocol.SignedReceipt, protocol.Evidence, error) {
	return h.infer(ctx, job, out)
}

func (h handler) Train(ctx context.Context, _ protocol.PeerID, job protocol.TrainingJob, progress func(protocol.TrainingProgress) error) (protocol.TrainingResult, error) {
	return h.train(ctx, job, progress)
}

func (h handler) Voucher(_ context.Context, _ protocol.PeerID, v protocol.SignedVoucher, receipt protocol.Hash) error {
	return h.voucher(v, receipt)
}

func (h handler) Adapter(ctx context.Context, _ protocol.PeerID, o protocol.AdapterOrder) (protocol.AdapterState, error) {
	return h.adapter(ctx, o)
}

func requireKind(t *testing.T, kind protocol.Kind, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, kind, protocol.KindOf(err), err.Error())
}
