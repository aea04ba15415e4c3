package epoch

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/devchain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/worker/settle"
)

// world is a real chain with the real contracts, and workers whose batches owe to a few
// people. Their documents are real, their receipts unsigned: signatures are settle's.
type world struct {
	t       *testing.T
	chain   *devchain.Chain
	client  *chain.Client
	workers []*keystore.Key
	payer   *keystore.Key
	helper  *keystore.Key // proposes, and sends others' claims
	people  []protocol.Account
	blocks  *memoryBlocks
	batches []*settle.Result
	owed    map[protocol.Account]*uint256.Int // by all batches, counted here
	drawn   map[protocol.Account]*uint256.Int // vouchers, by worker
}

func key(t testing.TB, name string) *keystore.Key {
	t.Helper()
	k, err := crypto.ToECDSA(crypto.Keccak256([]byte("epoch test " + name)))
	require.NoError(t, err)
	return keystore.FromECDSA(k)
}

func coins(n uint64) uint256.Int {
	return *new(uint256.Int).Mul(uint256.NewInt(n), uint256.NewInt(1e18))
}

func newWorld(t *testing.T, workers int) *world {
	t.Helper()
	ctx := t.Context()
	params, err := devchain.ReadParams("../../contracts/genesis/dev.json")
	require.NoError(t, err)
	w := &world{
		t: t, payer: key(t, "payer"), helper: key(t, "helper"), blocks: &memoryBlocks{have: map[protocol.Hash][]byte{}},
		owed: map[protocol.Account]*uint256.Int{}, drawn: map[protocol.Account]*uint256.Int{},
	}
	admin := key(t, "admin")
	fund := map[protocol.Account]uint256.Int{}
	for i := range workers {
		w.workers = append(w.workers, key(t, fmt.Sprint("worker ", i)))
		fund[w.workers[i].Account()] = coins(3000)
	}
	for _, k := range []*keystore.Key{admin, w.payer, w.helper} {
		fund[k.Account()] = coins(10_000_000)
	}
	for i := range 8 {
		w.people = append(w.people, protocol.Account(crypto.Keccak256([]byte(fmt.Sprint("person ", i)))[:20]))
	}
	w.chain, err = devchain.Open(devchain.Config{ChainID: params.ChainID, Fund: fund, MaxAhead: 1000 * time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.chain.Close()) })
	c, err := chain.Dial(ctx, chain.Config{RPC: w.chain.RPC(), PollEvery: 2 * time.Millisecond, Timeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	at, err := devchain.Deploy(ctx, c, devchain.Deployment{Params: params, Key: admin})
	require.NoError(t, err)
	w.client = c.With(at)
	_, err = w.client.As(w.payer).Deposit(ctx, coins(1_000_000))
	require.NoError(t, err)
	for _, k := range w.workers {
		_, err := w.client.As(k).EnsureBond(ctx, coins(2000))
		require.NoError(t, err)
		w.drawn[k.Account()] = new(uint256.Int)
	}
	return w
}

// settle puts a batch of a worker on the chain, with a few receipts whose fees are
// shared among some of the people.
func (w *world) settle(worker int, rng *rand.Rand) {
	w.t.Helper()
	ctx, owner := w.t.Context(), w.workers[worker].Account()
	nonce, err := w.client.NextNonce(ctx, owner)
	require.NoError(w.t, err)
	adapter := protocol.Hash{0xad}
	d := &settle.Document{Manifest: settle.Manifest{
		Format: settle.Format, ChainID: w.client.ChainID(), Settlement: w.client.Addresses().Settlement, Worker: owner, Nonce: nonce,
		Params: payout.DefaultParams(), Treasury: w.people[6], Payout: w.people[7], Stakers: []payout.Stake{},
		Adapters: []settle.AdapterParties{{Adapter: adapter, Owner: w.people[0], Datanet: 1, Pool: w.people[1]}},
	}}
	for i := range 1 + rng.IntN(3) {
		att := protocol.Attribution{Pool: protocol.WeightScale}
		for j := range rng.IntN(4) {
			weight := rng.Uint64N(att.Pool/2) + 1
			att.Pool -= weight
			att.Shares = append(att.Shares, protocol.RecordShare{Record: protocol.Hash{1, byte(j)}, Contributor: w.people[1+rng.IntN(5)], Weight: weight})
		}
		d.Entries = append(d.Entries, settle.Entry{Attribution: &att, Receipt: protocol.SignedReceipt{Receipt: protocol.Receipt{
			ID: crypto.Keccak256Hash(fmt.Appendf(nil, "%d %d %d", worker, nonce, i)), Worker: owner, Adapter: adapter, Datanet: 1,
			Compute: *uint256.NewInt(rng.Uint64N(1e17) + 1), Access: *uint256.NewInt(rng.Uint64N(1e18) + 1), FinishedAt: int64(i),
		}}})
	}
	raw, err := json.Marshal(&struct {
		Entries []settle.Entry `json:"entries"`
	}{d.Entries})
	require.NoError(w.t, err)
	h, err := w.blocks.Put(ctx, raw)
	require.NoError(w.t, err)
	d.Manifest.Receipts, d.Manifest.Parts = len(d.Entries), []protocol.Hash{h}
	raw, err = json.Marshal(&d.Manifest)
	require.NoError(w.t, err)
	h, err = w.blocks.Put(ctx, raw)
	require.NoError(w.t, err)
	r, err := settle.Compute(d, settle.Checks{})
	require.NoError(w.t, err)
	cumulative := w.drawn[owner]
	cumulative.Add(cumulative, &r.Total)
	v, err := wire.SignVoucher(wire.Domain{ChainID: w.client.ChainID(), Contract: w.client.Addresses().Escrow}, protocol.Voucher{
		Requester: w.payer.Account(), Worker: owner, Cumulative: *cumulative, Expires: time.Now().Add(5000 * time.Hour).Unix(),
	}, w.payer.ECDSA())
	require.NoError(w.t, err)
	_, err = w.client.As(w.workers[worker]).SubmitBatch(ctx, chain.Submission{
		Worker: owner, Nonce: nonce, Root: r.Root, Total: r.Total, Count: uint32(len(r.Payouts)), DataDigest: h, Vouchers: []protocol.SignedVoucher{v},
	})
	require.NoError(w.t, err)
	w.batches = append(w.batches, r)
	for _, p := range r.Payouts {
		if w.owed[p.Account] == nil {
			w.owed[p.Account] = new(uint256.Int)
		}
		w.owed[p.Account].Add(w.owed[p.Account], &p.Amount)
	}
}

// pass moves the chain's clock past every window.
func (w *world) pass() {
	w.t.Helper()
	require.NoError(w.t, w.chain.AdvanceTime(10*time.Second))
}

func (w *world) builder() *Builder { return &Builder{Chain: w.client, Blocks: w.blocks} }

func (w *world) service(change func(*Config)) *Service {
	w.t.Helper()
	cfg := Config{Sender: w.client.As(w.helper), Builder: w.builder()}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	require.NoError(w.t, err)
	return s
}

// epoch makes an epoch of all that is claimable.
func (w *world) epoch() chain.Epoch {
	w.t.Helper()
	s := w.service(nil)
	p, err := s.Advance(w.t.Context())
	require.NoError(w.t, err)
	require.Equal(w.t, chain.EpochProposed, p.Epoch.Stage, p.Waits)
	w.pass()
	p, err = s.Advance(w.t.Context())
	require.NoError(w.t, err)
	require.Equal(w.t, chain.EpochFinalised, p.Epoch.Stage, p.Waits)
	held, err := w.client.EpochBatches(w.t.Context(), p.Epoch.ID)
	require.NoError(w.t, err)
	require.Len(w.t, held, int(p.Epoch.Batches))
	for _, h := range held {
		b, err := w.client.Batch(w.t.Context(), h.Worker, h.Nonce)
		require.NoError(w.t, err)
		require.Equal(w.t, chain.BatchSwept, b.Status)
		require.False(w.t, b.Held || b.Claimable())
	}
	return p.Epoch
}

// claimSingly claims one account's leaf of a batch, if it has one and it is open.
func (w *world) claimSingly(batch int, account protocol.Account) {
	w.t.Helper()
	c, ok, err := w.batches[batch].Claim(account)
	require.NoError(w.t, err)
	if !ok {
		return
	}
	_, err = w.client.As(w.helper).ClaimMany(w.t.Context(), []chain.Claim{c})
	require.NoError(w.t, err)
}

// claimEpochs claims what the epochs owe to an account.
func (w *world) claimEpochs(account protocol.Account) (Owed, chain.Tx) {
	w.t.Helper()
	o, err := w.builder().Owed(w.t.Context(), account)
	require.NoError(w.t, err)
	if o.Due.IsZero() {
		return o, chain.Tx{}
	}
	tx, err := w.client.As(w.helper).ClaimEpochs(w.t.Context(), o.Claim())
	require.NoError(w.t, err)
	return o, tx
}

// everybodyHasTheirs checks every person's balance to the wei, and that nothing is left.
func (w *world) everybodyHasTheirs() {
	w.t.Helper()
	for account, want := range w.owed {
		have, err := w.client.Balance(w.t.Context(), account)
		require.NoError(w.t, err)
		require.Equal(w.t, want.Dec(), have.Dec(), "of %s", account)
	}
	left, err := w.client.Balance(w.t.Context(), w.client.Addresses().Settlement)
	require.NoError(w.t, err)
	require.True(w.t, left.IsZero(), "settlement keeps %s", left.Dec())
	d, err := w.client.Distribution(w.t.Context())
	require.NoError(w.t, err)
	require.Equal(w.t, d.Total.Dec(), d.Paid.Dec())
}

// memoryBlocks is a block store that forgets only what it is told to.
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

func (m *memoryBlocks) drop(digest protocol.Hash) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.have, digest)
}
