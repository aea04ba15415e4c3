package settle

import (
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
)

// agent registers an agent.
func (w *world) agent(owner *keystore.Key, name string, price uint256.Int) uint64 {
	t, ctx := w.t, w.t.Context()
	manifest, _ := cidOf(t, "manifest of "+name)
	o := protocol.AgentOrder{Owner: owner.Account(), Version: 1, Name: name, Manifest: manifest, Price: price, Deadline: time.Now().Unix() + 3600}
	sig, err := wire.SignAgentOrder(w.domain(w.client.Addresses().Agents), o, owner.ECDSA())
	require.NoError(t, err)
	stake, err := w.client.AgentMinStake(ctx)
	require.NoError(t, err)
	_, id, err := w.client.As(w.model).PublishAgent(ctx, o, sig, stake)
	require.NoError(t, err)
	return id
}

// asked signs and hands over a receipt of an agent's answer, and gives what the answer
// costs besides the markup.
func (w *world) asked(book *store.Worker, agent uint64, markup uint256.Int) protocol.Receipt {
	t := w.t
	signed := w.sign(w.payers[0])
	signed.Receipt.Agent, signed.Receipt.AgentVersion, signed.Receipt.Markup = agent, 1, markup
	signed, err := wire.SignReceipt(w.domain(w.client.Addresses().Settlement), signed.Receipt, w.node.ECDSA())
	require.NoError(t, err)
	require.NoError(t, book.AddReceipt(signed))
	w.owes(signed.Receipt)
	require.NoError(t, book.AcceptVoucher(w.accept(signed), signed.Receipt.ID))
	return signed.Receipt
}

// An agent's owner is paid the markup of each answer less the platform's part, to the
// wei, beside what everybody else is paid; a new owner is paid from the next batch on; a
// worker that keeps a markup is found by an audit.
func TestAnAgentsOwnerIsPaidItsMarkup(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t, 1)
	db := openStore(t, vfs.NewMem())
	defer func() { require.NoError(t, db.Close()) }()
	book, s := store.NewWorker(db), w.service(db, nil)
	bard, heir, free := key(t, "bard"), key(t, "heir"), key(t, "free")
	for _, k := range []*keystore.Key{bard, heir} {
		_, err := w.client.As(w.model).Send(ctx, k.Account(), open(1)) // for gas
		require.NoError(t, err)
	}
	price := *uint256.NewInt(30_000_000_000_000_005)
	id, gratis := w.agent(bard, "bard", price), w.agent(free, "gratis", uint256.Int{})
	for range 3 { // with the bare base, and with the adapter
		w.asked(book, id, price)
	}
	w.asked(book, gratis, uint256.Int{})
	_, err := s.Flush(ctx)
	require.NoError(t, err)
	require.Empty(t, s.Blocked())
	require.NoError(t, w.chain.AdvanceTime(10*time.Second))
	// A tenth of the price is 3000000000000000.5 wei: equal remainders go to the platform.
	require.Equal(t, []string{"81000000000000012", "0"}, w.earned(bard.Account(), free.Account()))
	batch := w.onlyBatch(0)
	require.NoError(t, Audit(ctx, w.client, batch))
	require.Equal(t, []AgentParties{{id, bard.Account()}}, batch.Document.Manifest.Agents, "without a markup nobody is owed one")
	var sum uint256.Int
	for i, e := range batch.Document.Entries {
		fee := e.Receipt.Receipt.Fee().Total()
		sum.Add(&sum, &fee)
		var parts uint256.Int
		for _, share := range batch.Shares[i] {
			parts.Add(&parts, &share.Amount)
		}
		require.Equal(t, fee.Dec(), parts.Dec())
	}
	require.Equal(t, sum.Dec(), batch.Total.Dec())

	for name, cheat := range map[string]func(*Manifest){
		"kept":        func(m *Manifest) { m.Agents[0].Owner = w.owner.Account() },
		"not charged": func(m *Manifest) { m.Agents = append(m.Agents, AgentParties{Agent: gratis, Owner: w.owner.Account()}) },
	} {
		d := *batch.Document
		d.Manifest.Agents = slices.Clone(d.Manifest.Agents)
		cheat(&d.Manifest)
		_, err := Compute(&d, w.checks())
		require.NoError(t, err, name)
		lie := *batch
		lie.Document = &d
		require.ErrorContains(t, Audit(ctx, w.client, &lie), "agents", name)
	}
	d := *batch.Document
	d.Manifest.Agents = nil
	_, err = Compute(&d, w.checks())
	require.ErrorContains(t, err, "do not list agent")

	_, err = w.client.As(bard).OfferAgent(ctx, id, heir.Account())
	require.NoError(t, err)
	_, err = w.client.As(heir).AcceptAgent(ctx, id)
	require.NoError(t, err)
	w.asked(book, id, price)
	_, err = s.Flush(ctx)
	require.NoError(t, err)
	require.NoError(t, w.chain.AdvanceTime(10*time.Second))
	require.Equal(t, []string{"0", "27000000000000004"}, w.earned(bard.Account(), heir.Account()))
	require.NoError(t, Audit(ctx, w.client, w.onlyBatch(0)), "an older batch stays right")
}
