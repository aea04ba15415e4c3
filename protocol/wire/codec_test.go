package wire

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire/pb"
)

func requireField(t *testing.T, field string, err error) {
	t.Helper()
	var e *protocol.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, field, e.Field, e.Message)
}

// travels sends a message through bytes.
func travels[M proto.Message](t *testing.T, m, into M) M {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, WriteFrame(&b, m, protocol.MaxFrameBytes))
	require.NoError(t, ReadFrame(bufio.NewReader(&b), into, protocol.MaxFrameBytes))
	return into
}

func TestEverythingComesBackAsItWent(t *testing.T) {
	job, err := InferenceJobFromPB(travels(t, InferenceJobToPB(sampleJob()), &pb.InferenceJob{}))
	require.NoError(t, err)
	require.Equal(t, sampleJob(), job)

	want, err := sampleTrainingJob()
	require.NoError(t, err)
	training, err := TrainingJobFromPB(travels(t, TrainingJobToPB(want), &pb.TrainingJob{}))
	require.NoError(t, err)
	require.Equal(t, want, training)

	progress := protocol.TrainingProgress{Phase: "train", Step: 3, Steps: 9, Loss: -0.5, TokensSec: 1e6, ETA: 77,
		Eval: &protocol.TrainingEval{Step: 2, Loss: 0.25, Exact: 1, Records: 4}}
	p, err := ProgressFromPB(travels(t, ProgressToPB(progress), &pb.TrainingProgress{}))
	require.NoError(t, err)
	require.Equal(t, progress, p)

	result := protocol.TrainingResult{Adapter: sampleCID, Index: sampleCID, Steps: 1, LossFirst: 2, LossLast: 1, Seconds: 3, Records: 4, Tokens: 1 << 40, TxHash: protocol.Hash{1},
		Eval: &protocol.TrainingEval{Step: 1, Loss: 0.5, Exact: 2, Records: 3}, Report: sampleCID}
	r, err := ResultFromPB(travels(t, ResultToPB(result), &pb.TrainingResult{}))
	require.NoError(t, err)
	require.Equal(t, result, r)

	voucher := protocol.SignedVoucher{Voucher: protocol.Voucher{Requester: protocol.Account{1}, Worker: protocol.Account{2}, Cumulative: *uint256.NewInt(3), Expires: 4}, Signer: protocol.Account{5}, Signature: make([]byte, 65)}
	v, err := SignedVoucherFromPB(travels(t, SignedVoucherToPB(voucher), &pb.SignedVoucher{}))
	require.NoError(t, err)
	require.Equal(t, voucher, v)

	receipt, err := sampleReceipt()
	require.NoError(t, err)
	done, err := DoneToPB(receipt, sampleEvidence())
	require.NoError(t, err)
	gotReceipt, gotEvidence, err := DoneFromPB(travels(t, done, &pb.InferenceDone{}))
	require.NoError(t, err)
	require.Equal(t, receipt, gotReceipt)
	require.Equal(t, sampleEvidence(), gotEvidence)

	stored, err := EncodeSignedReceipt(receipt)
	require.NoError(t, err)
	gotReceipt, err = DecodeSignedReceipt(stored)
	require.NoError(t, err)
	require.Equal(t, receipt, gotReceipt)

	cause := protocol.Errorf(protocol.KindEscrow, "escrow", "deposit %d more", 5)
	require.Equal(t, cause, ErrorFromPB(travels(t, ErrorToPB(cause), &pb.Error{})))
	plain := ErrorFromPB(travels(t, ErrorToPB(errors.New("oops \xff"+strings.Repeat("é", MaxErrorBytes))), &pb.Error{}))
	require.Equal(t, protocol.KindInternal, plain.Kind)
	require.LessOrEqual(t, len(plain.Message), MaxErrorBytes)
}

func TestAnnouncementFitsAndComesBack(t *testing.T) {
	a, b := sampleAnnouncement(MaxAdapters)
	data, err := EncodeAnnouncement(a, b)
	require.NoError(t, err)
	require.LessOrEqual(t, len(data), protocol.MaxAnnouncementBytes)
	gotA, gotB, err := DecodeAnnouncement(data)
	require.NoError(t, err)
	require.Equal(t, a, gotA)
	require.Equal(t, b, gotB)
	sequence, ok := AnnouncementSequence(data)
	require.True(t, ok)
	require.Equal(t, a.Sequence, sequence)
	_, ok = AnnouncementSequence([]byte{0xff})
	require.False(t, ok)

	_, _, err = DecodeAnnouncement(make([]byte, protocol.MaxAnnouncementBytes+1))
	requireField(t, "announcement", err)
	for field, edit := range map[string]func(*protocol.Announcement){
		"adapters":     func(a *protocol.Announcement) { a.Adapters = append(a.Adapters, a.Adapters...) },
		"sequence":     func(a *protocol.Announcement) { a.Sequence = 0 },
		"expires_at":   func(a *protocol.Announcement) { a.ExpiresAt++ },
		"slots":        func(a *protocol.Announcement) { a.Slots = 0 },
		"running":      func(a *protocol.Announcement) { a.Running = -1 },
		"profile":      func(a *protocol.Announcement) { a.Profile = "" },
		"decode_tps":   func(a *protocol.Announcement) { a.DecodeTPS = -1 },
		"hardware":     func(a *protocol.Announcement) { a.Hardware = "\x1b[31m" },
		"price.access": func(a *protocol.Announcement) { a.Price.Access = *uint256.NewInt(1) },
		"price.markup": func(a *protocol.Announcement) { a.Price.Markup = *uint256.NewInt(1) },
		"price.input_per_1k": func(a *protocol.Announcement) {
			a.Price.InputPer1K.Lsh(uint256.NewInt(1), 128)
		},
		"binding": func(a *protocol.Announcement) { a.Worker = protocol.Account{77} },
	} {
		bad, b := sampleAnnouncement(MaxAdapters)
		edit(&bad)
		_, err := EncodeAnnouncement(bad, b)
		requireField(t, field, err)
	}
}

func TestJobErrorsNameTheField(t *testing.T) {
	for field, edit := range map[string]func(*pb.InferenceJob){
		"id":                   func(m *pb.InferenceJob) { m.Id = m.Id[1:] },
		"requester":            func(m *pb.InferenceJob) { m.Requester = nil },
		"adapter":              func(m *pb.InferenceJob) { m.Adapter = "QmNotBase32" },
		"messages":             func(m *pb.InferenceJob) { m.Prompt = "both" },
		"messages[1].fields":   func(m *pb.InferenceJob) { m.Messages[1].Fields = "[]" },
		"tools":                func(m *pb.InferenceJob) { m.Tools = "[" },
		"chat_template_kwargs": func(m *pb.InferenceJob) { m.TemplateArgs = " {}" },
		"messages[0].role":     func(m *pb.InferenceJob) { m.Messages[0].Role = strings.Repeat("x", 99) },
		"prompt": func(m *pb.InferenceJob) {
			m.Prompt = strings.Repeat("x", protocol.MaxPromptBytes+1)
			m.Messages, m.Tools, m.TemplateArgs = nil, "", ""
		},
		"sampling.max_tokens":  func(m *pb.InferenceJob) { m.Sampling = nil },
		"sampling.temperature": func(m *pb.InferenceJob) { m.Sampling.Temperature = -1 },
		"sampling.top_p":       func(m *pb.InferenceJob) { m.Sampling.TopP = 1.1 },
		"sampling.stop":        func(m *pb.InferenceJob) { m.Sampling.Stop = make([]string, MaxStops+1) },
		"sampling.stop[0]":     func(m *pb.InferenceJob) { m.Sampling.Stop[0] = strings.Repeat("x", MaxStopBytes+1) },
		"resume":               func(m *pb.InferenceJob) { m.Resume = make([]uint32, MaxTokens+1) },
		"price.output_per_1k":  func(m *pb.InferenceJob) { m.Price.OutputPer_1K = []byte{0, 1} },
		"deadline":             func(m *pb.InferenceJob) { m.Deadline = 1 << 63 },
		"sources":              func(m *pb.InferenceJob) { m.Sources = make([]string, MaxSources+1) },
		"price.access":         func(m *pb.InferenceJob) { m.Price.Access = make([]byte, 33) },
		"sampling.top_k":       func(m *pb.InferenceJob) { m.Sampling.TopK = ^uint32(0) },
		"base":                 func(m *pb.InferenceJob) { m.Base = append(m.Base, 0) },
		"agent_version":        func(m *pb.InferenceJob) { m.Agent = 1 },
		"markup":               func(m *pb.InferenceJob) { m.Price.Markup = []byte{1} },
		"price.markup":         func(m *pb.InferenceJob) { m.Price.Markup = append([]byte{1}, make([]byte, 16)...) },
	} {
		m := InferenceJobToPB(sampleJob())
		edit(m)
		_, err := InferenceJobFromPB(m)
		requireField(t, field, err)
	}
	for _, m := range []*pb.InferenceJob{nil, {}} {
		_, err := InferenceJobFromPB(m)
		require.Error(t, err)
	}
	_, err := TrainingJobFromPB(nil)
	require.Error(t, err)
	_, err = SignedReceiptFromPB(nil)
	require.Error(t, err)
	_, _, err = DoneFromPB(nil)
	require.Error(t, err)
	_, _, err = VoucherDeliveryFromPB(nil)
	require.Error(t, err)
	_, err = BindingFromPB(nil)
	require.Error(t, err)
	job, err := sampleTrainingJob()
	require.NoError(t, err)
	job.Hyper.Rank++
	_, err = TrainingJobFromPB(TrainingJobToPB(job))
	requireField(t, "order.hyper_hash", err)
}

func TestDocumentsHaveOneEncoding(t *testing.T) {
	e := sampleEvidence()
	b, err := EncodeEvidence(e)
	require.NoError(t, err)
	again, err := EncodeEvidence(e)
	require.NoError(t, err)
	require.Equal(t, b, again)
	got, err := DecodeEvidence(b)
	require.NoError(t, err)
	require.Equal(t, e, got)

	live := e
	live.Job.Resume, live.Job.Sources = sampleJob().Resume, sampleJob().Sources
	same, err := EncodeEvidence(live)
	require.NoError(t, err)
	require.Equal(t, b, same)

	authorized := e
	authorized.Job.Deadline, authorized.Job.Authorization, authorized.Resumed = sampleJob().Deadline, make([]byte, 65), 2
	whole, err := EncodeEvidence(authorized)
	require.NoError(t, err)
	got, err = DecodeEvidence(whole)
	require.NoError(t, err)
	require.Equal(t, authorized, got)
	require.Equal(t, e.Output[:2], got.Authorized().Resume)
	authorized.Resumed = len(e.Output) + 1
	_, err = EncodeEvidence(authorized)
	require.ErrorContains(t, err, "resumed")

	unknown := append(append([]byte(nil), b...), 0xf8, 0x07, 1) // field 127
	_, err = DecodeEvidence(unknown)
	require.Equal(t, protocol.KindCorrupt, protocol.KindOf(err))
	reordered, err := proto.Marshal(&pb.Evidence{Text: []byte("x")})
	require.NoError(t, err)
	_, err = DecodeEvidence(append(reordered, b...))
	require.Error(t, err)

	root, err := AttributionRoot(protocol.Attribution{})
	require.NoError(t, err)
	require.Zero(t, root) // bare base
	a, err := EncodeAttribution(sampleAttribution())
	require.NoError(t, err)
	back, err := DecodeAttribution(a)
	require.NoError(t, err)
	require.Equal(t, sampleAttribution(), back)

	// Pinned, so that stored digests stay valid.
	digest, err := EvidenceDigest(e)
	require.NoError(t, err)
	require.Equal(t, pinnedEvidence, digest.Hex())
	root, err = AttributionRoot(sampleAttribution())
	require.NoError(t, err)
	require.Equal(t, pinnedAttribution, root.Hex())
	hash := OutputHash([]uint32{1, 0x01020304})
	require.Equal(t, "0x"+hex.EncodeToString(sha([]byte{1, 0, 0, 0, 4, 3, 2, 1})), hash.Hex())
}

func TestAttributionIsChecked(t *testing.T) {
	for field, edit := range map[string]func(*protocol.Attribution){
		"attribution.pool":                  func(a *protocol.Attribution) { a.Pool++ },
		"attribution.shares[1].weight":      func(a *protocol.Attribution) { a.Shares[0], a.Shares[1] = a.Shares[1], a.Shares[0] },
		"attribution.shares[2].weight":      func(a *protocol.Attribution) { a.Shares[1], a.Shares[2] = a.Shares[2], a.Shares[1] },
		"attribution.shares[2].record":      func(a *protocol.Attribution) { a.Shares[2].Record = a.Shares[1].Record },
		"attribution.shares[0].weight":      func(a *protocol.Attribution) { a.Shares[0].Weight = ^uint64(0) },
		"attribution.algorithm":             func(a *protocol.Attribution) { a.Algorithm = strings.Repeat("x", 65) },
		"attribution.shares[0].spans.start": func(a *protocol.Attribution) { a.Shares[0].Spans[0].Start = -1 },
	} {
		a := sampleAttribution()
		edit(&a)
		_, err := EncodeAttribution(a)
		requireField(t, field, err)
	}
}

func TestReceiptMustMatchItsEvidence(t *testing.T) {
	good, err := sampleReceipt()
	require.NoError(t, err)
	require.NoError(t, CheckReceipt(good.Receipt, sampleEvidence()))
	for field, edit := range map[string]func(*protocol.Receipt){
		"evidence":         func(r *protocol.Receipt) { r.Evidence[0]++ },
		"id":               func(r *protocol.Receipt) { r.ID[0]++ },
		"requester":        func(r *protocol.Receipt) { r.Requester[0]++ },
		"base":             func(r *protocol.Receipt) { r.Base[0]++ },
		"adapter":          func(r *protocol.Receipt) { r.Adapter = protocol.Hash{} },
		"prompt_tokens":    func(r *protocol.Receipt) { r.PromptTokens++ },
		"output_tokens":    func(r *protocol.Receipt) { r.OutputTokens++ },
		"output_hash":      func(r *protocol.Receipt) { r.OutputHash[0]++ },
		"attribution_root": func(r *protocol.Receipt) { r.AttributionRoot[0]++ },
		"datanet_root":     func(r *protocol.Receipt) { r.DatanetRoot[0]++ },
		"compute":          func(r *protocol.Receipt) { r.Compute.AddUint64(&r.Compute, 1) },
		"access":           func(r *protocol.Receipt) { r.Access.Clear() },
		"agent":            func(r *protocol.Receipt) { r.Agent = 1 },
		"markup":           func(r *protocol.Receipt) { r.Markup.SetOne() },
	} {
		r := good.Receipt
		edit(&r)
		requireField(t, field, CheckReceipt(r, sampleEvidence()))
	}
}

// A job for an agent keeps agent, version and price on the wire and in its evidence, and
// says what the agent is told: the instructions come first, as the system's.
func TestAnAgentsJobKeepsItsAgent(t *testing.T) {
	job := sampleJob()
	job.Agent, job.AgentVersion, job.Price.Markup = 1<<40, 3, *uint256.NewInt(7e15)
	job.Messages = []protocol.Message{{Role: "system", Content: "Answer in verse."}, {Role: "user", Content: "A wolf"}}
	back, err := InferenceJobFromPB(InferenceJobToPB(job))
	require.NoError(t, err)
	require.Equal(t, job, back)
	e := sampleEvidence()
	resumed := job
	resumed.Resume, resumed.Sources = nil, nil
	e.Job = resumed
	b, err := EncodeEvidence(e)
	require.NoError(t, err)
	decoded, err := DecodeEvidence(b)
	require.NoError(t, err)
	require.Equal(t, e, decoded)
	for name, change := range map[string]func(*protocol.InferenceJob){
		"another agent":   func(j *protocol.InferenceJob) { j.Agent++ },
		"another version": func(j *protocol.InferenceJob) { j.AgentVersion++ },
		"another price":   func(j *protocol.InferenceJob) { j.Price.Markup.AddUint64(&j.Price.Markup, 1) },
		"other orders": func(j *protocol.InferenceJob) {
			j.Messages = append([]protocol.Message{{Role: "system", Content: "Lie."}}, j.Messages[1:]...)
		},
	} {
		other := job
		change(&other)
		want, err := JobData(Domain{}, job, protocol.Account{1})
		require.NoError(t, err)
		got, err := JobData(Domain{}, other, protocol.Account{1})
		require.NoError(t, err)
		a, err := want.Digest()
		require.NoError(t, err)
		b, err := got.Digest()
		require.NoError(t, err)
		require.NotEqual(t, a, b, name)
	}
	job.Messages = job.Messages[1:]
	requireField(t, "messages", CheckInferenceJob(job))
	job.Messages, job.Prompt, job.Tools, job.TemplateArgs = nil, "A wolf", "", ""
	requireField(t, "messages", CheckInferenceJob(job))

	r, err := sampleReceipt()
	require.NoError(t, err)
	r.Receipt.Agent, r.Receipt.AgentVersion, r.Receipt.Markup = 5, 2, *uint256.NewInt(9)
	again, err := SignedReceiptFromPB(SignedReceiptToPB(r))
	require.NoError(t, err)
	require.Equal(t, r, again)
	r.Receipt.Agent, r.Receipt.AgentVersion = 0, 0
	_, err = SignedReceiptFromPB(SignedReceiptToPB(r))
	requireField(t, "receipt.markup", err)
}

func TestFrames(t *testing.T) {
	m := &pb.Accepted{PromptTokens: 1000}
	var b bytes.Buffer
	require.NoError(t, WriteFrame(&b, m, 3))
	require.Equal(t, []byte{3, 8, 0xe8, 7}, b.Bytes())
	requireField(t, "frame", WriteFrame(&b, m, 2))
	require.NoError(t, WriteFrame(&b, &pb.Accepted{}, 3))
	r := bufio.NewReader(&b)
	var got pb.Accepted
	require.NoError(t, ReadFrame(r, &got, 3))
	require.EqualValues(t, 1000, got.GetPromptTokens())
	require.NoError(t, ReadFrame(r, &got, 3))
	require.Zero(t, got.GetPromptTokens())
	require.Equal(t, io.EOF, ReadFrame(r, &got, 3))

	for in, want := range map[string]error{"\x03\x08": io.ErrUnexpectedEOF, "\x03": io.ErrUnexpectedEOF, "\x80": io.ErrUnexpectedEOF} {
		require.ErrorIs(t, ReadFrame(bufio.NewReader(strings.NewReader(in)), &got, 3), want, "%x", in)
	}
	for _, in := range []string{"\x04aaaa", "\x80\x00", "\xff\xff\xff\xff\xff\x01", "\x02\xff\xff"} {
		requireField(t, "frame", ReadFrame(bufio.NewReader(strings.NewReader(in)), &got, 3))
	}
}

// Orders that were signed before a hyper-parameter existed keep their hash.
func TestHyperHashOfOlderOrdersStays(t *testing.T) {
	h := protocol.Hyper{Rank: 8, Alpha: 16, Targets: []string{"q_proj"}, LearningRate: 1e-3, Epochs: 3, BatchSize: 4, MaxLength: 64,
		WarmupRatio: 0.5, Seed: 7, PromptTemplate: "{q}", AnswerTemplate: "{a}"}
	signed := `{"rank":8,"alpha":16,"targets":["q_proj"],"learning_rate":0.001,"weight_decay":0,"epochs":3,"batch_size":4,"max_length":64,` +
		`"warmup_ratio":0.5,"seed":7,"prompt_template":"{q}","answer_template":"{a}"}`
	got, err := HyperHash(h)
	require.NoError(t, err)
	require.Equal(t, protocol.Hash(sha256.Sum256([]byte(signed))), got)
	for _, change := range []func(*protocol.Hyper){
		func(h *protocol.Hyper) { h.Schedule = "linear" }, func(h *protocol.Hyper) { h.Accumulation = 2 },
		func(h *protocol.Hyper) { h.ClipNorm = 2 }, func(h *protocol.Hyper) { h.RSLoRA = true },
		func(h *protocol.Hyper) { h.EvalRatio = 0.1 }, func(h *protocol.Hyper) { h.EvalSteps = 5 }, func(h *protocol.Hyper) { h.Patience = 5 }, func(h *protocol.Hyper) { h.HeldOut = "split" },
	} {
		changed := h
		change(&changed)
		other, err := HyperHash(changed)
		require.NoError(t, err)
		require.NotEqual(t, got, other, "%+v is not covered by the signature", changed)
	}
}
