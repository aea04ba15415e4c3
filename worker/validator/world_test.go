package validator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/devchain"
	"github.com/openledger/openledger/contracts/events"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/agent"
	"github.com/openledger/openledger/store/datanet"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/attrib"
	"github.com/openledger/openledger/worker/audit"
	"github.com/openledger/openledger/worker/engine"
	"github.com/openledger/openledger/worker/engine/base"
	"github.com/openledger/openledger/worker/engine/enginetest"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
	"github.com/openledger/openledger/worker/settle"
	"github.com/openledger/openledger/worker/sources"
)

// world is a real chain with the real contracts, the embedded base with an adapter of a
// datanet, a requester, and validators. Workers are made as they are needed.
type world struct {
	t       *testing.T
	chain   *devchain.Chain
	client  *chain.Client
	params  devchain.Params
	auditor audit.Auditor
	with    *adapter.Adapter // the registered adapter, open
	other   protocol.CID     // another registered adapter
	id      protocol.CID
	payer   *keystore.Key
	session *keystore.Key
	blocks  *memoryBlocks
	content *ipfs.Node
	jobs    int
	workers int
	plain   protocol.Evidence // an answer of the bare base
	tuned   protocol.Evidence // and one of the adapter
	agents  protocol.Evidence // and one of the first version of an agent
	read    protocol.Evidence // and one of the bare base that reads a datanet
	rich    *keystore.Key
}

func key(t *testing.T, name string) *keystore.Key {
	t.Helper()
	k, err := crypto.ToECDSA(crypto.Keccak256([]byte("validator test " + name)))
	require.NoError(t, err)
	return keystore.FromECDSA(k)
}

func open(n uint64) uint256.Int { // n OPEN in wei
	var v uint256.Int
	v.Mul(uint256.NewInt(n), uint256.NewInt(1e18))
	return v
}

func cidOf(t *testing.T, content string) (protocol.CID, protocol.Hash) {
	t.Helper()
	h := sha256.Sum256([]byte(content))
	mh, err := multihash.Encode(h[:], multihash.SHA2_256)
	require.NoError(t, err)
	return protocol.CID(cid.NewCidV1(cid.Raw, mh).String()), h
}

func newWorld(t *testing.T) *world { return newWorldWith(t, func(*devchain.Params) {}) }

// newWorldWith makes one under other parameters than dev's.
func newWorldWith(t *testing.T, change func(*devchain.Params)) *world {
	t.Helper()
	ctx := t.Context()
	w := &world{t: t, rich: key(t, "rich"), payer: key(t, "payer"), session: key(t, "session"), blocks: &memoryBlocks{have: map[protocol.Hash][]byte{}}}
	var err error
	w.params, err = devchain.ReadParams("../../contracts/genesis/dev.json")
	require.NoError(t, err)
	w.params.Settlement.ChallengeWindowSeconds = 3600
	change(&w.params)
	var pot uint256.Int
	pot.Lsh(uint256.NewInt(1), 100)
	fund := map[protocol.Account]uint256.Int{w.rich.Account(): pot}
	for _, name := range []string{"payer", "hostile", "victim", "proposer"} {
		fund[key(t, name).Account()] = open(100_000)
	}
	for i := range 64 {
		for _, name := range []string{"validator %d", "owner %d", "node %d"} {
			fund[key(t, fmt.Sprintf(name, i)).Account()] = open(100_000)
		}
	}
	w.chain, err = devchain.Open(devchain.Config{ChainID: w.params.ChainID, Fund: fund, MaxAhead: 24 * time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.chain.Close()) })
	c, err := chain.Dial(ctx, chain.Config{RPC: w.chain.RPC(), PollEvery: 2 * time.Millisecond, Timeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	at, err := devchain.Deploy(ctx, c, devchain.Deployment{Params: w.params, Key: w.rich})
	require.NoError(t, err)
	w.client = c.With(at)
	w.model()
	_, err = w.client.As(w.payer).Deposit(ctx, open(50_000))
	require.NoError(t, err)
	_, err = w.client.As(w.payer).Authorize(ctx, w.session.Account(), open(50_000), time.Now().Add(48*time.Hour).Unix())
	require.NoError(t, err)
	return w
}

func (w *world) domain(contract protocol.Account) wire.Domain {
	return wire.Domain{ChainID: w.client.ChainID(), Contract: contract}
}

// model opens the base, registers it and an adapter with an attribution index, and
// computes two honest answers.
func (w *world) model() {
	t, ctx, at := w.t, w.t.Context(), w.client.Addresses()
	bundle, err := base.Open()
	require.NoError(t, err)
	backend, err := cpu.New(cpu.Config{Threads: 2})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, errors.Join(backend.Close(), bundle.Close())) })
	m, err := llama.New(backend, bundle.Config, bundle, llama.Options{})
	require.NoError(t, err)
	w.auditor = audit.Auditor{Domain: w.domain(at.Settlement), Base: bundle.Hash, Model: m, Tokenizer: bundle.Tokenizer}
	for range 1 {
		_, err = w.client.As(w.rich).RegisterBase(ctx, bundle.Hash, "base", "ipfs://base")
		require.NoError(t, err)
	}
	datanet, err := w.client.As(w.rich).CreateDatanet(ctx, protocol.Datanet{Name: "fables", License: "CC-BY-4.0"})
	require.NoError(t, err)
	root, digest := cidOf(t, "version 1")
	_, err = w.client.As(w.rich).PublishVersion(ctx, protocol.Version{Datanet: datanet.ID, Number: 1, Root: root, License: "CC-BY-4.0", Records: 5})
	require.NoError(t, err)
	register := func(name string, owner *keystore.Key, royalty uint16, parents ...protocol.Hash) (protocol.CID, chain.Adapter) {
		order := protocol.TrainingOrder{RoyaltyBps: royalty, Parents: parents, Owner: owner.Account(), Name: name, Revision: 1, Base: bundle.Hash, Datanet: datanet.ID, Version: 1, Root: root,
			HyperHash: protocol.Hash{7}, Access: open(1), Nonce: crypto.Keccak256Hash([]byte(name)), Deadline: time.Now().Add(48 * time.Hour).Unix()}
		sig, err := wire.SignTrainingOrder(w.domain(at.Models), order, owner.ECDSA())
		require.NoError(t, err)
		id, digest := cidOf(t, name)
		_, err = w.client.As(w.rich).RegisterAdapter(ctx, order, sig, id, digest)
		require.NoError(t, err)
		a, err := w.client.Adapter(ctx, digest)
		require.NoError(t, err)
		return id, a
	}
	w.with = &adapter.Adapter{}
	_, parent := register("muse", key(t, "muse"), 1000)
	w.id, w.with.Registered = register("poet", w.rich, 0, parent.Digest)
	w.other, _ = register("other", w.rich, 0)
	require.Equal(t, digest, w.with.Registered.DatanetRoot)
	w.with.LoRA, err = enginetest.Adapter(bundle.Config, 2, 5)
	require.NoError(t, err)
	for i := range w.with.LoRA.Flat {
		w.with.LoRA.Flat[i] *= 0.1
	}
	db := openStore(t, vfs.NewMem())
	w.content, err = ipfs.Open(ipfs.Config{DB: db})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, errors.Join(w.content.Close(), db.Close())) })
	checker := sources.New(w.content, w.client)
	w.auditor.Sources = func(ctx context.Context, r []protocol.Retrieval) error { return checker.Check(ctx, r, nil) }
	w.auditor.Agent = func(ctx context.Context, j *protocol.InferenceJob) (unable, err error) {
		return checker.Agent(ctx, j, nil)
	}
	w.plain = w.answer(protocol.InferenceJob{Prompt: "The fox"})
	w.agent()
	w.library()
	job := protocol.InferenceJob{Adapter: w.id, Prompt: "The frog"}
	first := w.answer(job)
	records := []attrib.Record{{ID: protocol.Hash{99}, Contributor: protocol.Account{99}, Prompt: first.Prompt, Answer: first.Output}}
	for i := range 6 {
		records = append(records, attrib.Record{ID: protocol.Hash{byte(i + 1)}, Contributor: protocol.Account{byte(i + 1)}, Prompt: first.Prompt,
			Answer: bundle.Tokenizer.Encode(fmt.Sprintf("Fable %d: look %d times before you leap.", i, i*i))})
	}
	w.with.Index, err = attrib.Build(ctx, attrib.BuildConfig{Base: bundle.Hash, Adapter: w.with.Registered.Digest, Root: w.with.Registered.DatanetRoot, Seed: 5}, m, w.with.LoRA, records)
	require.NoError(t, err)
	w.tuned = w.answer(job)
	require.NotEmpty(t, w.tuned.Attribution.Shares)
}

// agentPrice is what the agent costs, in each of its versions.
var agentPrice = open(2)

// agent registers an agent in three versions, each with other instructions, the manifest of
// the last of which nobody has, and asks the first.
func (w *world) agent() {
	t, ctx, owner := w.t, w.t.Context(), key(w.t, "validator 63")
	stake, err := w.client.AgentMinStake(ctx)
	require.NoError(t, err)
	for i, instructions := range []string{"Answer in verse.", "Answer in prose.", "Answer."} {
		m := agent.Manifest{Format: agent.Format, Name: "poet", Owner: owner.Account(), Instructions: instructions, Price: agentPrice.Dec(), Base: w.auditor.Base.Hex()}
		raw, err := m.Encode()
		require.NoError(t, err)
		if i < 2 {
			_, err = w.content.AddBlock(ctx, raw)
			require.NoError(t, err)
		}
		o := protocol.AgentOrder{Owner: owner.Account(), Version: uint32(i + 1), Name: m.Name, Manifest: agent.CID(raw), Price: agentPrice, Deadline: time.Now().Unix() + 3600}
		if i > 0 {
			o.Agent = 1
		}
		sig, err := wire.SignAgentOrder(w.domain(w.client.Addresses().Agents), o, owner.ECDSA())
		require.NoError(t, err)
		_, id, err := w.client.As(owner).PublishAgent(ctx, o, sig, stake)
		require.NoError(t, err)
		require.Equal(t, uint64(1), id)
		stake = uint256.Int{}
	}
	w.agents = w.askAgent(1, "Answer in verse.", "")
}

// askAgent asks a version of the agent with instructions and a model, true or not.
func (w *world) askAgent(version uint32, instructions string, model protocol.CID) protocol.Evidence {
	return w.answer(protocol.InferenceJob{Agent: 1, AgentVersion: version, Adapter: model, Price: protocol.Price{Markup: agentPrice},
		Messages: []protocol.Message{{Role: "system", Content: instructions}, {Role: "user", Content: "A wolf"}}})
}

// readPrice is what an answer that reads the library costs for that.
var readPrice = open(3)

// library publishes a datanet with real records, and asks the base about them.
func (w *world) library() {
	t, ctx, owner, content := w.t, w.t.Context(), w.rich, w.content
	net, err := w.client.As(owner).CreateDatanet(ctx, protocol.Datanet{Name: "birds", License: "CC-BY-4.0"})
	require.NoError(t, err)
	_, err = w.client.As(owner).SetRetrievalPrice(ctx, net.ID, readPrice)
	require.NoError(t, err)
	m := &datanet.Manifest{Format: datanet.ManifestFormat, Datanet: net.ID, Version: 1, License: net.License, Name: net.Name, Owner: net.Owner}
	r := protocol.Retrieval{Datanet: net.ID, Version: 1, Price: readPrice}
	for i, text := range []string{"The wren is the king of the birds.", "Eagles fly higher than storks."} {
		record, err := datanet.NewText(map[string]string{"text": text})
		require.NoError(t, err)
		_, err = content.AddBlock(ctx, record.Canonical)
		require.NoError(t, err)
		who := protocol.Account{0xb, byte(i)}
		m.Records = append(m.Records, datanet.ManifestRecord{CID: record.CID(), Contributor: who})
		r.Sources = append(r.Sources, protocol.Source{Record: record.ID, Contributor: who, Title: record.Title(), Text: record.Text()})
	}
	slices.SortFunc(m.Records, func(a, b datanet.ManifestRecord) int {
		x, err := ipfs.Digest(a.CID)
		require.NoError(t, err)
		y, err := ipfs.Digest(b.CID)
		require.NoError(t, err)
		return x.Cmp(y)
	})
	root, err := datanet.WriteVersion(ctx, content, m)
	require.NoError(t, err)
	_, err = w.client.As(owner).PublishVersion(ctx, protocol.Version{Datanet: net.ID, Number: 1, Root: root, License: net.License, Records: len(m.Records)})
	require.NoError(t, err)
	r.Root, err = ipfs.Digest(root)
	require.NoError(t, err)
	w.read = w.answer(protocol.InferenceJob{Price: protocol.Price{Access: readPrice}, Retrieval: []protocol.Retrieval{r},
		Messages: []protocol.Message{{Role: "user", Content: "Who is the king of the birds?"}}})
}

// Open gives the adapter as the registry has it.
func (w *world) Open(_ context.Context, id protocol.CID) (*adapter.Adapter, error) {
	if id != w.id {
		return nil, protocol.Errorf(protocol.KindUnavailable, "adapter", "nobody has %s", id)
	}
	return w.with, nil
}

// answer runs a job as an honest worker does.
func (w *world) answer(job protocol.InferenceJob) protocol.Evidence {
	t := w.t
	job.Base, job.Requester = w.auditor.Base, w.payer.Account()
	job.Sampling = protocol.Sampling{MaxTokens: 8, Temperature: 0.8, TopP: 0.9, Seed: 3, IgnoreEOS: true}
	job.Price = protocol.Price{InputPer1K: open(1), OutputPer1K: open(100), Access: job.Price.Access, Markup: job.Price.Markup}
	job.Deadline = time.Now().Add(time.Hour).UnixMilli()
	e := protocol.Evidence{Job: job, Profile: audit.Profile, Attribution: protocol.Attribution{Algorithm: audit.NoAttribution, Pool: protocol.WeightScale}}
	var err error
	e.Prompt, err = audit.Prompt(w.auditor.Tokenizer, job)
	require.NoError(t, err)
	eng, err := engine.New(engine.Config{Model: w.auditor.Model, Tokenizer: w.auditor.Tokenizer, MaxBatch: 1, KVTokens: 8 << 10})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- eng.Run(ctx) }()
	defer func() {
		stop()
		<-ended
	}()
	if job.Adapter != "" {
		e.Job.Price.Access = w.with.Registered.Access
		require.NoError(t, eng.LoadAdapter(string(job.Adapter), w.with.LoRA))
	}
	out, err := eng.Generate(ctx, engine.Request{ID: "answer", Prompt: e.Prompt, Adapter: string(job.Adapter), Sampling: audit.Sampling(job.Sampling)}, nil)
	require.NoError(t, err)
	e.Output, e.Text, e.FinishedBy = out.Tokens, out.Text, out.FinishReason
	if job.Adapter != "" && w.with.Index != nil {
		e.Attribution, err = w.with.Index.Query(t.Context(), w.auditor.Model, w.with.LoRA, e.Prompt, e.Output)
		require.NoError(t, err)
	}
	if len(job.Retrieval) > 0 {
		weigher, err := attrib.NewWeigher(w.auditor.Model)
		require.NoError(t, err)
		e.Attribution.Retrieved, err = weigher.Weigh(ctx, job.Retrieval, audit.Prompts(w.auditor.Tokenizer, job), e.Output, nil)
		require.NoError(t, err)
	}
	return e
}

// lie changes what an otherwise honest worker puts together. All are optional.
type lie struct {
	price    func(*protocol.Price)         // before the requester signs
	asked    func(*protocol.InferenceJob)  // as well: the requester is in it
	job      func(*protocol.InferenceJob)  // after the requester signed
	evidence func(*protocol.Evidence)      // before the receipt is made
	receipt  func(*protocol.Receipt)       // before it is signed
	signed   func(*protocol.SignedReceipt) // after
	hide     bool                          // the evidence
	document func(*settle.Document)        // before it is computed
	computed func(*settle.Document)        // after
	submit   func(*chain.Submission)       // before it is sent
	withhold bool                          // the document
}

// workerOf is a staked worker with its own keys.
type workerOf struct {
	*world
	owner, node *keystore.Key
	nonce       uint64
	drawn       uint256.Int
	last        int64
	digest      protocol.Hash // of the newest batch
}

func (w *world) worker() *workerOf {
	t, ctx := w.t, w.t.Context()
	x := &workerOf{world: w, owner: key(t, fmt.Sprint("owner ", w.workers)), node: key(t, fmt.Sprint("node ", w.workers)), last: time.Now().UnixMilli()}
	w.workers++
	_, err := w.client.As(x.owner).EnsureBond(ctx, open(1000))
	require.NoError(t, err)
	b, err := wire.SignBinding(w.domain(w.client.Addresses().Staking), protocol.Binding{
		Peer: "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN", NodeKey: x.node.Account(), Owner: x.owner.Account(), Payout: x.owner.Account(),
		IssuedAt: time.Now().UnixMilli(), Expires: time.Now().Add(365 * 24 * time.Hour).UnixMilli(),
	}, x.owner.ECDSA())
	require.NoError(t, err)
	_, err = w.client.As(x.node).RegisterBinding(ctx, b.Binding, b.Signature)
	require.NoError(t, err)
	return x
}

// entry makes the receipt of one job, honest but for the lie.
func (x *workerOf) entry(e protocol.Evidence, l lie) settle.Entry {
	t := x.t
	x.jobs++
	x.last++
	e.Prompt, e.Output = append([]uint32(nil), e.Prompt...), append([]uint32(nil), e.Output...)
	e.Attribution.Shares = append([]protocol.RecordShare(nil), e.Attribution.Shares...)
	e.Job.Retrieval, e.Attribution.Retrieved = slices.Clone(e.Job.Retrieval), slices.Clone(e.Attribution.Retrieved)
	for i := range e.Job.Retrieval {
		e.Job.Retrieval[i].Sources = slices.Clone(e.Job.Retrieval[i].Sources)
	}
	for i := range e.Attribution.Retrieved {
		e.Attribution.Retrieved[i].Shares = slices.Clone(e.Attribution.Retrieved[i].Shares)
	}
	e.Job.ID = crypto.Keccak256Hash(fmt.Appendf(nil, "job %d", x.jobs))
	if l.price != nil {
		l.price(&e.Job.Price)
	}
	if l.asked != nil {
		l.asked(&e.Job)
	}
	job, err := wire.SignJob(x.domain(x.client.Addresses().Escrow), e.Job, x.owner.Account(), x.session.ECDSA())
	require.NoError(t, err)
	e.Job = job
	if l.job != nil {
		l.job(&e.Job)
	}
	if l.evidence != nil {
		l.evidence(&e)
	}
	raw, err := wire.EncodeEvidence(e)
	require.NoError(t, err)
	if !l.hide {
		_, err = x.blocks.Put(t.Context(), raw)
		require.NoError(t, err)
	}
	root, err := wire.AttributionRoot(e.Attribution)
	require.NoError(t, err)
	fee := e.Job.Price.FeeFor(len(e.Prompt), len(e.Output))
	r := protocol.Receipt{ID: e.Job.ID, Requester: e.Job.Requester, Worker: x.owner.Account(), Base: e.Job.Base, PromptTokens: uint32(len(e.Prompt)),
		OutputTokens: uint32(len(e.Output)), Compute: fee.Compute, Access: fee.Access, Agent: e.Job.Agent, AgentVersion: e.Job.AgentVersion, Markup: fee.Markup, OutputHash: wire.OutputHash(e.Output), AttributionRoot: root,
		Evidence: sha256.Sum256(raw), FinishedAt: x.last}
	entry := settle.Entry{}
	if e.Job.Adapter != "" {
		r.Adapter, r.Datanet, r.DatanetRoot = x.with.Registered.Digest, x.with.Registered.Datanet, x.with.Registered.DatanetRoot
	}
	if !fee.Access.IsZero() {
		entry.Attribution = &e.Attribution
	}
	if l.receipt != nil {
		l.receipt(&r)
	}
	entry.Receipt, err = wire.SignReceipt(x.domain(x.client.Addresses().Settlement), r, x.node.ECDSA())
	require.NoError(t, err)
	if l.signed != nil {
		l.signed(&entry.Receipt)
	}
	return entry
}

// settle brings a batch of receipts to the chain.
func (x *workerOf) settle(l lie, entries ...settle.Entry) {
	t, ctx, at := x.t, x.t.Context(), x.client.Addresses()
	block, _, err := x.client.Head(ctx)
	require.NoError(t, err)
	fees, err := x.client.FeeParams(ctx)
	require.NoError(t, err)
	stakers, err := x.client.Stakers(ctx, x.owner.Account())
	require.NoError(t, err)
	net, err := x.client.Datanet(ctx, x.with.Registered.Datanet)
	require.NoError(t, err)
	d := &settle.Document{Entries: entries, Manifest: settle.Manifest{
		Format: settle.Format, ChainID: x.client.ChainID(), Settlement: at.Settlement, Worker: x.owner.Account(), Nonce: x.nonce, Block: block,
		Params:   payout.Params{PlatformBps: fees.PlatformBps, OwnerPart: fees.OwnerPart, StakersPart: fees.StakersPart, ContributorsPart: fees.ContributorsPart},
		Treasury: fees.Treasury, Payout: x.owner.Account(), Stakers: []payout.Stake{},
		Adapters: []settle.AdapterParties{{Adapter: x.with.Registered.Digest, Owner: x.with.Registered.Owner, Datanet: net.ID, Pool: net.Pool,
			Royalties: []payout.Royalty{{Adapter: x.with.Registered.Parents[0], Account: key(t, "muse").Account(), Bps: 1000}}}},
	}}
	for _, e := range entries {
		if r := e.Receipt.Receipt; r.Agent == 1 && len(d.Manifest.Agents) == 0 {
			a, err := x.client.Agent(ctx, 1)
			require.NoError(t, err)
			d.Manifest.Agents = []settle.AgentParties{{Agent: 1, Owner: a.Owner}}
		}
		if e.Attribution != nil && len(e.Attribution.Retrieved) > 0 && len(d.Manifest.Datanets) == 0 {
			library, err := x.client.Datanet(ctx, e.Attribution.Retrieved[0].Datanet)
			require.NoError(t, err)
			d.Manifest.Datanets = []payout.DatanetParty{{Datanet: library.ID, Owner: library.Owner, Pool: library.Pool}}
		}
	}
	for _, s := range stakers {
		d.Manifest.Stakers = append(d.Manifest.Stakers, payout.Stake{Account: s.Account, Amount: s.Amount})
	}
	if l.document != nil {
		l.document(d)
	}
	var total uint256.Int
	sub := chain.Submission{Worker: x.owner.Account(), Nonce: x.nonce, Root: protocol.Hash{1}, Count: 1}
	if r, err := settle.Compute(d, settle.Checks{}); err == nil {
		sub.Root, sub.Count, total = r.Root, uint32(len(r.Payouts)), r.Total
	} else { // it follows from nothing: the worker makes something up
		for i := range d.Entries {
			fee := d.Entries[i].Receipt.Receipt.Fee().Total()
			total.Add(&total, &fee)
		}
	}
	if l.computed != nil {
		l.computed(d)
	}
	var part bytes.Buffer
	require.NoError(t, json.NewEncoder(&part).Encode(struct {
		Entries []settle.Entry `json:"entries"`
	}{d.Entries}))
	d.Manifest.Receipts, d.Manifest.Parts = len(d.Entries), []protocol.Hash{sha256.Sum256(part.Bytes())}
	top, err := json.Marshal(&d.Manifest)
	require.NoError(t, err)
	if !l.withhold {
		for _, b := range [][]byte{part.Bytes(), top} {
			_, err := x.blocks.Put(ctx, b)
			require.NoError(t, err)
		}
	}
	sub.Total, sub.DataDigest = total, sha256.Sum256(top)
	if l.submit != nil {
		l.submit(&sub)
	}
	x.drawn.Add(&x.drawn, &sub.Total)
	voucher, err := wire.SignVoucher(x.domain(at.Escrow), protocol.Voucher{Requester: x.payer.Account(), Worker: x.owner.Account(), Cumulative: x.drawn,
		Expires: time.Now().Add(24 * time.Hour).Unix()}, x.session.ECDSA())
	require.NoError(t, err)
	sub.Vouchers = []protocol.SignedVoucher{voucher}
	_, err = x.client.As(x.node).SubmitBatch(ctx, sub)
	require.NoError(t, err)
	x.digest = sub.DataDigest
	x.nonce++
}

// honest settles two true receipts.
func (x *workerOf) honest() {
	x.settle(lie{}, x.entry(x.plain, lie{}), x.entry(x.tuned, lie{}))
}

// watcher is a validator.
type watcher struct {
	*Service
	key *keystore.Key
	db  *store.DB
}

func openStore(t *testing.T, fs vfs.FS) *store.DB {
	t.Helper()
	db, err := store.Open(store.Config{Dir: "validator", FS: fs})
	require.NoError(t, err)
	return db
}

// service makes a validator's service over a database.
func (w *world) service(db *store.DB, k *keystore.Key, change func(*Config)) *Service {
	t := w.t
	index, err := events.New(events.Config{DB: db, Chain: w.client})
	require.NoError(t, err)
	cfg := Config{DB: db, Chain: w.client, Sender: w.client.As(k), Key: k.ECDSA(), Index: index, Blocks: w.blocks, Adapters: w, Auditor: w.auditor,
		Share: 1, RetryEvery: time.Nanosecond}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	require.NoError(t, err)
	return s
}

// validators bonds n of them.
func (w *world) validators(n int) (out []*watcher) {
	t := w.t
	rules, err := w.client.ValidatorRules(t.Context())
	require.NoError(t, err)
	for i := range n {
		k := key(t, fmt.Sprint("validator ", i))
		// More than the least: who once was absent is drawn again.
		joined, err := w.client.As(k).EnsureJoined(t.Context(), bondOf(rules))
		require.NoError(t, err)
		require.True(t, joined)
		db := openStore(t, vfs.NewMem())
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		out = append(out, &watcher{Service: w.service(db, k, nil), key: k, db: db})
	}
	return out
}

func bondOf(rules chain.ValidatorRules) (bond uint256.Int) {
	bond.Lsh(&rules.MinBond, 1)
	return bond
}

// memoryBlocks is a block store that forgets nothing.
type memoryBlocks struct {
	mu   sync.Mutex
	have map[protocol.Hash][]byte
}

func (m *memoryBlocks) Put(_ context.Context, data []byte) (protocol.Hash, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := protocol.Hash(sha256.Sum256(data))
	m.have[h] = append([]byte(nil), data...)
	return h, nil
}

func (m *memoryBlocks) Get(_ context.Context, digest protocol.Hash) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.have[digest]
	if !ok {
		return nil, protocol.Errorf(protocol.KindUnavailable, "digest", "nobody sent block %s", digest)
	}
	return b, nil
}
