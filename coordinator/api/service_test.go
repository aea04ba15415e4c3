package api

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

const testKey = "ol-right"

var (
	tenant = common.HexToAddress("0x00000000000000000000000000000000000000aa")
	owner  = common.HexToAddress("0x00000000000000000000000000000000000000bb")
	// huge is more than a float64 or a uint64 holds exactly: an amount that passes
	// through a JSON number would not survive.
	huge = *uint256.MustFromDecimal("123456789012345678901234567890123456789")
	hash = protocol.Hash{0xab, 0xcd}
)

// hugeText is huge as every response must show it.
const hugeText = `"123456789012345678901234567890123456789"`

// service is a coordinator of this test's own: fixed answers, with hooks.
type service struct {
	agents []Model
	mu     sync.Mutex
	asked  []Request

	infer  func(ctx context.Context, r Request, onText func(Delta) error) (Answer, error)
	export func(w io.Writer) error

	contributed []byte
	uploaded    []string // account, name, content
	searched    []Search
	box         *tools                        // of agent/guide
	kept        map[protocol.Hash]ReceiptView // nil: every receipt is there
	contentType string                        // of records' content
	started     protocol.TrainingJob
	keyed       KeyRequest
	limits      KeyLimits        // of the key
	clock       func() time.Time // nil: the real one; of rate limits
	err         error            // of everything that is not inference
}

func (s *service) requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.asked...)
}

func answerTo(r Request, text string) Answer {
	return Answer{Text: text, FinishReason: "stop", Receipt: protocol.SignedReceipt{
		Receipt: protocol.Receipt{ID: r.ID, Requester: tenant, Worker: owner, PromptTokens: 7, OutputTokens: 3, Compute: huge},
		NodeKey: owner, Signature: []byte{1, 2, 3},
	}}
}

func (s *service) Authenticate(_ context.Context, key string) (Caller, error) {
	if key != testKey {
		return Caller{}, protocol.Errorf(protocol.KindUnauthorized, "api_key", "it is unknown")
	}
	return Caller{Account: tenant, Key: hash, KeyLimits: s.limits}, nil
}

func (s *service) Models(context.Context) ([]Model, error) {
	return append([]Model{
		{ID: "tiny", Base: hash},
		{ID: "fables", CID: "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", Base: hash, Owner: owner, Datanet: 1, Version: 2, Access: huge, Created: 1_700_000_000},
	}, s.agents...), s.err
}

func (s *service) Infer(ctx context.Context, by Caller, r Request, onText func(Delta) error) (Answer, error) {
	s.mu.Lock()
	s.asked = append(s.asked, r)
	s.mu.Unlock()
	if by.Account != tenant {
		return Answer{}, fmt.Errorf("wrong tenant %s", by.Account)
	}
	if s.infer != nil {
		return s.infer(ctx, r, onText)
	}
	for _, t := range []string{"Slow ", "and ", "steady."} {
		if err := onText(Delta{Text: t}); err != nil {
			return Answer{}, err
		}
	}
	return answerTo(r, "Slow and steady."), nil
}

func (s *service) EmbedVersion(ctx context.Context, by Caller, datanet uint64, version uint32) (EmbeddingStatus, error) {
	if by.Account != tenant {
		return EmbeddingStatus{}, fmt.Errorf("wrong tenant %s", by.Account)
	}
	return s.EmbeddingStatus(ctx, datanet, version)
}

func (s *service) EmbeddingStatus(_ context.Context, datanet uint64, version uint32) (EmbeddingStatus, error) {
	return EmbeddingStatus{Datanet: datanet, Version: version, Algorithm: protocol.EmbeddingAlgorithm, Records: 3, Embedded: 1, Running: true, Fee: huge}, s.err
}

func (s *service) IssueKey(_ context.Context, r KeyRequest) (IssuedKey, error) {
	s.keyed = r
	return IssuedKey{Secret: "ol-new", ID: hash}, s.err
}

func (s *service) StartTraining(_ context.Context, job protocol.TrainingJob) (TrainingStatus, error) {
	s.started = job
	return TrainingStatus{ID: job.ID, Name: job.Order.Name, State: "queued"}, s.err
}

func (s *service) TrainingJob(_ context.Context, id protocol.Hash) (TrainingStatus, error) {
	return TrainingStatus{ID: id, Name: "fables", State: "succeeded", Result: &protocol.TrainingResult{Steps: 3}}, s.err
}

func (s *service) TrainingJobs(ctx context.Context) ([]TrainingStatus, error) {
	one, err := s.TrainingJob(ctx, hash)
	return []TrainingStatus{one}, err
}

func (s *service) CancelTraining(context.Context, protocol.Hash, CancelRequest) error { return s.err }

func (s *service) PauseTraining(context.Context, protocol.Hash, CancelRequest) error { return s.err }

func (s *service) ResumeTraining(context.Context, protocol.Hash, CancelRequest) error { return s.err }

func (s *service) Datanets(context.Context) ([]protocol.Datanet, error) {
	return []protocol.Datanet{{ID: 1, Owner: owner, Name: "fables", License: "CC0-1.0"}}, s.err
}

func (s *service) Contribute(_ context.Context, c protocol.SignedContribution, record []byte) (ContributionStatus, error) {
	s.contributed = record
	return ContributionStatus{SignedContribution: c, Bytes: len(record), Status: protocol.ReviewPending}, s.err
}

func (s *service) ContributionsPage(_ context.Context, _ uint64, status protocol.ReviewStatus, after protocol.Hash, limit int) ([]ContributionStatus, protocol.Hash, error) {
	of := protocol.SignedContribution{Signature: []byte{1}}
	all := []ContributionStatus{{SignedContribution: of, Title: "a", Status: protocol.ReviewAccepted}, {SignedContribution: of, Title: "b", Status: protocol.ReviewPending}}
	if status != "" {
		all = slices.DeleteFunc(all, func(c ContributionStatus) bool { return c.Status != status })
	}
	if after == hash {
		return all[1:], protocol.Hash{}, s.err
	}
	if limit < len(all) {
		return all[:limit], hash, s.err
	}
	return all, protocol.Hash{}, s.err
}

func (s *service) Review(_ context.Context, r protocol.SignedReview) (ContributionStatus, error) {
	return ContributionStatus{SignedContribution: protocol.SignedContribution{Signature: r.Signature}, Status: r.Review.Status}, s.err
}

func (s *service) BuildVersion(context.Context, uint64) (protocol.Version, error) {
	return protocol.Version{Datanet: 1, Number: 1}, s.err
}

func (s *service) Versions(context.Context, uint64) ([]protocol.Version, error) {
	return []protocol.Version{{Datanet: 1, Number: 1}}, s.err
}

func (s *service) ExportCAR(_ context.Context, _ uint64, _ uint32, w io.Writer) error {
	s.mu.Lock()
	export := s.export
	s.mu.Unlock()
	return export(w)
}

// exports sets what ExportCAR does. An earlier request may just be ending.
func (s *service) exports(f func(io.Writer) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.export = f
}

func (s *service) view() ReceiptView {
	v := ReceiptView{SignedReceipt: answerTo(Request{ID: hash}, "").Receipt, Voucher: huge}
	v.Receipt.Access = huge
	v.Evidence.Job.Price = protocol.Price{InputPer1K: huge, OutputPer1K: huge, Access: huge}
	return v
}

func (s *service) Receipts(_ context.Context, limit int) ([]ReceiptView, error) {
	return []ReceiptView{s.view()}[:min(limit, 1)], s.err
}

func (s *service) Receipt(_ context.Context, id protocol.Hash) (ReceiptView, error) {
	if v, ok := s.kept[id]; ok || s.box != nil {
		if !ok {
			return v, protocol.Errorf(protocol.KindNotFound, "receipt", "there is none")
		}
		return v, nil
	}
	return s.view(), s.err
}

func (s *service) AgentList(context.Context) ([]AgentView, error) {
	return []AgentView{{ID: 1, Model: "agent/poet", Name: "poet", Owner: owner, Price: huge}, {ID: 2, Model: "agent/guide", Name: "guide", Owner: tenant, Description: "Knows the poets' museum"}}, s.err
}

func (s *service) AgentPage(ctx context.Context, id uint64) (AgentPage, error) {
	all, err := s.AgentList(ctx)
	return AgentPage{AgentView: all[id-1], PendingOwner: &tenant, MinStake: huge, Document: []byte(`{"name":"poet","new":[1]}`), Refused: "it rests"}, err
}

func (s *service) DraftManifest(_ context.Context, by protocol.Account, manifest []byte) (ManifestDraft, error) {
	if by != tenant {
		return ManifestDraft{}, fmt.Errorf("wrong owner %s", by)
	}
	return ManifestDraft{Bytes: manifest, CID: "bafk", MinStake: huge}, s.err
}

func (s *service) Stats(context.Context) (Stats, error) {
	return Stats{At: 1, Total: Activity{Requests: 1, Settled: huge, Paid: []PaidTo{{"worker", huge}}}}, s.err
}

func (s *service) Batches(context.Context) ([]BatchView, error) {
	return []BatchView{{Worker: owner, Nonce: 1, Total: huge}}, s.err
}

func (s *service) Block(context.Context, protocol.Hash) ([]byte, error) {
	return []byte("<script>alert(1)</script>"), s.err
}

func (s *service) Explain(_ context.Context, id protocol.Hash) (Explanation, error) {
	return Explanation{Receipt: id, Algorithm: "gradient-v1", Parts: []AnswerPart{{Text: "Slow and "}, {Text: "steady", Records: []protocol.Hash{hash}}},
		Records:  []RecordBehind{{Record: hash, Contributor: owner, Weight: 900_000_000, Repeated: 1, Title: "The Tortoise", Fields: map[string]string{"text": "steady"}}},
		Pool:     100_000_000,
		Payments: []Payment{{Account: owner, Role: "worker", Amount: huge}, {Account: owner, Role: "contributor", Amount: huge, Record: &hash}},
		Batch:    &BatchName{Worker: owner, Nonce: 4}}, s.err
}

func (s *service) Verify(_ context.Context, id protocol.Hash) (Verification, error) {
	return Verification{Receipt: id, Steps: []VerificationStep{{Name: "output", Detail: "the tokens differ from position 3 on"}}, TookMS: 7}, s.err
}

func (s *service) Info(context.Context) (NetworkInfo, error) {
	return NetworkInfo{ChainID: 1, Base: hash, Bootstrap: []string{"/ip4/127.0.0.1/tcp/1"}}, s.err
}

func (s *service) Workers(context.Context) ([]WorkerView, error) {
	ms := 1.5
	w := WorkerView{Stake: huge, Payout: owner, Addresses: []string{"/ip4/127.0.0.1/tcp/1"}, RoundTrip: &ms,
		Adapters: []WorkerAdapter{{Tag: math.MaxUint64, Tier: protocol.TierHost, Name: "fables", CID: "bafy"}, {Tag: 1 << 53}}}
	w.Price = protocol.Price{InputPer1K: huge, OutputPer1K: huge}
	return []WorkerView{w}, s.err
}

// serve runs the server until the test ends and gives its URL.
func serve(t *testing.T, s *service, change func(*Config)) string {
	t.Helper()
	return serveAs(t, s, change, func(h http.Handler) http.Handler { return described(t, h) })
}

// serveBare serves without comparing with openapi.yaml, which reads bodies to their end.
func serveBare(t testing.TB, s *service) string {
	t.Helper()
	return serveAs(t, s, nil, func(h http.Handler) http.Handler { return h })
}

// configOf wires a server to a service.
func configOf(s *service) Config {
	return Config{Listen: "127.0.0.1:0", Inference: s, Adapters: s, Keys: s, Training: s, Files: s, FineTuning: s, Datanets: s, Versions: s, Retrieval: s, Batches: s, Uploads: s, Records: s, Contributors: s, Agents: s, Ledger: s, Network: s, RPC: s, Usage: s, Faucet: s,
		Explainer:  s,
		Accounts:   s,
		Quoter:     s,
		Governing:  s,
		Searcher:   s,
		Reports:    s,
		Statistics: s, Feed: NewFeed(),
		AgentPages: s,
		Explorer:   s,
		Logger:     slog.New(slog.DiscardHandler)}
}

func serveAs(t testing.TB, s *service, change func(*Config), wrap func(http.Handler) http.Handler) string {
	t.Helper()
	cfg := configOf(s)
	if change != nil {
		change(&cfg)
	}
	server, err := New(cfg)
	require.NoError(t, err)
	if s.clock != nil {
		server.limits.now = s.clock
	}
	server.http.Handler = wrap(server.http.Handler)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	return server.URL()
}

// send makes one request and gives status, headers and body.
func send(t *testing.T, method, url, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+testKey)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, res.Header, string(raw)
}
