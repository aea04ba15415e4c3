package settle

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
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
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
)

// world is a real chain with the real contracts, a worker with delegators, a datanet
// with an adapter, requesters with escrow, and the coordinator's books.
type world struct {
	t             *testing.T
	chain         *devchain.Chain
	client        *chain.Client
	owner         *keystore.Key // of the worker
	node          *keystore.Key
	payout        protocol.Account
	model         *keystore.Key // owns datanet and adapter
	session       *keystore.Key // the coordinator's
	second        *keystore.Key // another that requesters have authorised, before it
	sessionEnds   int64         // Unix seconds
	admin, friend *keystore.Key
	params        devchain.Params
	funds         map[protocol.Account]uint256.Int
	payers        []*keystore.Key
	adapter       protocol.Hash
	datanet       protocol.Datanet
	root          protocol.Hash
	people        []protocol.Account // contributors
	blocks        *memoryBlocks
	books         *store.Coordinator
	rng           *rand.Rand
	served        int
	last          int64
	atts          map[protocol.Hash]protocol.Attribution // by receipt
	fees          uint256.Int                            // of all receipts
	perUser       map[protocol.Account]*uint256.Int
	voucherLife   time.Duration
	access        uint64 // most that an adapter's use costs, in wei
}

func key(t *testing.T, name string) *keystore.Key {
	t.Helper()
	k, err := crypto.ToECDSA(crypto.Keccak256([]byte("settle test " + name)))
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

func newWorld(t *testing.T, payers int) *world {
	t.Helper()
	return newWorldFor(t, payers, 24*time.Hour)
}

// newWorldFor is a world for so much time.
func newWorldFor(t *testing.T, payers int, life time.Duration) *world {
	t.Helper()
	ctx := t.Context()
	w := &world{
		t: t, owner: key(t, "owner"), node: key(t, "node"), payout: protocol.Account{0xfe, 1}, model: key(t, "model"), session: key(t, "session"),
		second: key(t, "second session"), sessionEnds: time.Now().Add(24*time.Hour + life).Unix(),
		blocks: &memoryBlocks{have: map[protocol.Hash][]byte{}}, rng: rand.New(rand.NewPCG(1, 2)), atts: map[protocol.Hash]protocol.Attribution{},
		perUser: map[protocol.Account]*uint256.Int{}, last: time.Now().UnixMilli(), access: 2e18, voucherLife: 24 * time.Hour,
	}
	params, err := devchain.ReadParams("../../contracts/genesis/dev.json")
	require.NoError(t, err)
	admin, friend := key(t, "admin"), key(t, "friend")
	w.admin, w.friend, w.params = admin, friend, params
	fund := map[protocol.Account]uint256.Int{}
	w.funds = fund
	for _, k := range []*keystore.Key{admin, friend, w.owner, w.node, w.model} {
		fund[k.Account()] = open(1_000_000)
	}
	for i := range payers {
		p := key(t, fmt.Sprint("payer ", i))
		w.payers = append(w.payers, p)
		w.perUser[p.Account()] = new(uint256.Int)
		fund[p.Account()] = open(10_000)
	}
	for i := range 5 {
		w.people = append(w.people, key(t, fmt.Sprint("contributor ", i)).Account())
	}
	w.chain, err = devchain.Open(devchain.Config{ChainID: params.ChainID, Fund: fund, MaxAhead: 24 * time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.chain.Close()) })
	c, err := chain.Dial(ctx, chain.Config{RPC: w.chain.RPC(), PollEvery: 5 * time.Millisecond, Timeout: 2 * time.Minute})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	addresses, err := devchain.Deploy(ctx, c, devchain.Deployment{Params: params, Key: admin})
	require.NoError(t, err)
	w.client = c.With(addresses)

	done, err := w.client.As(w.owner).EnsureBond(ctx, open(5000))
	require.NoError(t, err)
	require.True(t, done)
	done, err = w.client.As(w.owner).EnsureBond(ctx, open(5000))
	require.NoError(t, err)
	require.False(t, done, "bonding is idempotent")
	_, err = w.client.As(friend).Delegate(ctx, w.owner.Account(), open(1234))
	require.NoError(t, err)
	binding, err := wire.SignBinding(w.domain(addresses.Staking), protocol.Binding{
		Peer: "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN", NodeKey: w.node.Account(), Owner: w.owner.Account(), Payout: w.payout,
		IssuedAt: time.Now().UnixMilli(), Expires: time.Now().Add(365*24*time.Hour + life).UnixMilli(),
	}, w.owner.ECDSA())
	require.NoError(t, err)
	_, err = w.client.As(w.node).RegisterBinding(ctx, binding.Binding, binding.Signature)
	require.NoError(t, err)

	w.register(admin, addresses)
	for _, p := range w.payers {
		_, err = w.client.As(p).Deposit(ctx, open(500))
		require.NoError(t, err)
		require.NoError(t, w.authorize(p, w.second))
		require.NoError(t, w.authorize(p, w.session))
	}
	db, err := store.Open(store.Config{Dir: "coordinator", FS: vfs.NewMem()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	w.books = store.NewCoordinator(db)
	return w
}

// register puts a datanet, its version, a base and an adapter on the chain.
func (w *world) register(admin *keystore.Key, at chain.Addresses) {
	t, ctx := w.t, w.t.Context()
	var err error
	w.datanet, err = w.client.As(w.model).CreateDatanet(ctx, protocol.Datanet{Name: "poems", License: "CC-BY-4.0", Description: "of the sea"})
	require.NoError(t, err)
	root, digest := cidOf(t, "version 1")
	w.root = digest
	version := protocol.Version{Datanet: w.datanet.ID, Number: 1, Root: root, License: "CC-BY-4.0", Records: 5}
	for range 2 { // the second does nothing
		_, err = w.client.As(w.model).PublishVersion(ctx, version)
		require.NoError(t, err)
	}
	base := protocol.Hash{0xba, 0x5e}
	for range 2 {
		_, err = w.client.As(admin).RegisterBase(ctx, base, "tiny", "ipfs://tiny")
		require.NoError(t, err)
	}
	order := protocol.TrainingOrder{
		Owner: w.model.Account(), Name: "poet", Revision: 1, Base: base, Datanet: w.datanet.ID, Version: 1, Root: root,
		HyperHash: protocol.Hash{7}, Access: open(2), Nonce: protocol.Hash{9}, Deadline: time.Now().Add(48 * time.Hour).Unix(),
	}
	sig, err := wire.SignTrainingOrder(w.domain(at.Models), order, w.model.ECDSA())
	require.NoError(t, err)
	id, digest := cidOf(t, "adapter")
	w.adapter = digest
	for range 2 {
		_, err = w.client.As(w.node).RegisterAdapter(ctx, order, sig, id, digest)
		require.NoError(t, err)
	}
}

func (w *world) domain(contract protocol.Account) wire.Domain {
	return wire.Domain{ChainID: w.client.ChainID(), Contract: contract}
}

func (w *world) checks() Checks {
	d := w.domain(w.client.Addresses().Settlement)
	return Checks{
		Receipt:         func(r protocol.SignedReceipt) error { return wire.VerifyReceipt(d, r) },
		AttributionRoot: wire.AttributionRoot,
	}
}

// serve signs a receipt and takes the coordinator's voucher for it.
func (w *world) serve(book *store.Worker, payer *keystore.Key) {
	t := w.t
	signed := w.sign(payer)
	require.NoError(t, book.AddReceipt(signed))
	w.owes(signed.Receipt)
	require.NoError(t, book.AcceptVoucher(w.accept(signed), signed.Receipt.ID))
}

// sign is the worker's receipt of a new job.
func (w *world) sign(payer *keystore.Key) protocol.SignedReceipt {
	t := w.t
	w.served++
	w.last++
	r := protocol.Receipt{
		ID: crypto.Keccak256Hash(fmt.Appendf(nil, "job %d", w.served)), Requester: payer.Account(), Worker: w.owner.Account(), Base: protocol.Hash{0xba, 0x5e},
		PromptTokens: 10, OutputTokens: 20, FinishedAt: w.last,
	}
	r.Compute = *uint256.NewInt(w.rng.Uint64N(1e17) + 1)
	if w.served%3 != 0 { // with the adapter
		r.Adapter, r.Datanet, r.DatanetRoot = w.adapter, w.datanet.ID, w.root
		r.Access = *uint256.NewInt(w.rng.Uint64N(w.access) + 1)
		att := w.attribution()
		w.atts[r.ID] = att
		var err error
		r.AttributionRoot, err = wire.AttributionRoot(att)
		require.NoError(t, err)
	}
	signed, err := wire.SignReceipt(w.domain(w.client.Addresses().Settlement), r, w.node.ECDSA())
	require.NoError(t, err)
	return signed
}

// owes notes what a receipt that is accepted costs its requester.
func (w *world) owes(r protocol.Receipt) {
	fee := r.Fee().Total()
	w.fees.Add(&w.fees, &fee)
	w.perUser[r.Requester].Add(w.perUser[r.Requester], &fee)
}

// authorize makes a session key the payer's current one.
func (w *world) authorize(payer, session *keystore.Key) error {
	_, err := w.client.As(payer).Authorize(w.t.Context(), session.Account(), open(1000), w.sessionEnds)
	return err
}

// accept is the coordinator's voucher for a receipt.
func (w *world) accept(signed protocol.SignedReceipt) protocol.SignedVoucher {
	return w.acceptBy(w.session, signed)
}

// acceptBy is one that a session key signs.
func (w *world) acceptBy(session *keystore.Key, signed protocol.SignedReceipt) protocol.SignedVoucher {
	voucher, err := w.books.AcceptReceipt(signed, w.last, func(v protocol.Voucher) (protocol.SignedVoucher, error) {
		v.Expires = time.Now().Add(w.voucherLife).Unix()
		return wire.SignVoucher(w.domain(w.client.Addresses().Escrow), v, session.ECDSA())
	})
	require.NoError(w.t, err)
	return voucher
}

func (w *world) attribution() protocol.Attribution {
	att := protocol.Attribution{Algorithm: "test-v1", Index: protocol.Hash{1}, Root: w.root, Pool: protocol.WeightScale}
	for i, n := 0, w.rng.IntN(4); i < n; i++ {
		weight := w.rng.Uint64N(att.Pool/2) + 1
		att.Pool -= weight
		who := w.rng.IntN(len(w.people))
		att.Shares = append(att.Shares, protocol.RecordShare{
			Record: crypto.Keccak256Hash(fmt.Appendf(nil, "record %d of %d", i, who)), Contributor: w.people[who], Weight: weight,
		})
	}
	sortShares(att.Shares)
	return att
}

func sortShares(s []protocol.RecordShare) {
	for i := range s {
		for j := i; j > 0 && (s[j].Weight > s[j-1].Weight || s[j].Weight == s[j-1].Weight && s[j].Record.Cmp(s[j-1].Record) < 0); j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
}

// Attribution is what the worker reads from the evidence.
func (w *world) Attribution(_ context.Context, r protocol.SignedReceipt) (protocol.Attribution, error) {
	a, ok := w.atts[r.Receipt.ID]
	if !ok {
		return a, protocol.Errorf(protocol.KindNotFound, "evidence", "is lost")
	}
	return a, nil
}

func (w *world) service(db *store.DB, change func(*Config)) *Service {
	w.t.Helper()
	cfg := Config{
		Worker: w.owner.Account(), Store: store.NewWorker(db), Sender: w.client.As(w.node), Blocks: w.blocks, Attributions: w, Checks: w.checks(),
	}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	require.NoError(w.t, err)
	return s
}

func openStore(t *testing.T, fs vfs.FS) *store.DB {
	t.Helper()
	db, err := store.Open(store.Config{Dir: "worker", FS: fs})
	require.NoError(t, err)
	return db
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
		return nil, protocol.Errorf(protocol.KindNotFound, "digest", "no block %s", digest)
	}
	return b, nil
}

// settledAll checks that every receipt is settled exactly once and that the chain
// has drawn every fee, to the wei.
func (w *world) settledAll(book *store.Worker) {
	w.t.Helper()
	counts, err := book.CountReceipts()
	require.NoError(w.t, err)
	require.Equal(w.t, map[store.ReceiptStatus]int{store.ReceiptSettled: w.served}, counts)
	batches, err := w.client.Batches(w.t.Context())
	require.NoError(w.t, err)
	var total uint256.Int
	seen := map[protocol.Hash]bool{}
	for _, b := range batches {
		total.Add(&total, &b.Total)
		r, err := Recompute(w.t.Context(), w.blocks, b.DataDigest, w.checks())
		require.NoError(w.t, err)
		require.NoError(w.t, Audit(w.t.Context(), w.client, r))
		for _, e := range r.Document.Entries {
			require.False(w.t, seen[e.Receipt.Receipt.ID], "receipt settled twice")
			seen[e.Receipt.Receipt.ID] = true
		}
	}
	require.Len(w.t, seen, w.served)
	require.Equal(w.t, w.fees.Dec(), total.Dec())
	for _, p := range w.payers {
		left, err := w.client.EscrowOf(w.t.Context(), p.Account())
		require.NoError(w.t, err)
		want := open(500)
		want.Sub(&want, w.perUser[p.Account()])
		require.Equal(w.t, want.Dec(), left.Dec())
	}
}
