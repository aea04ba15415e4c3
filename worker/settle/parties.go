package settle

import (
	"bytes"
	"context"
	"slices"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
)

// snapshot reads who earns from a worker's receipts, and by which parameters, after
// a block. adapters are the adapters with access fees, agents those with markups,
// datanets those that were read, in any order.
func snapshot(ctx context.Context, c *chain.Client, worker protocol.Account, block uint64, adapters []protocol.Hash, agents, datanets []uint64) (Manifest, error) {
	at := c.At(block)
	m := Manifest{
		Format: Format, ChainID: c.ChainID(), Settlement: c.Addresses().Settlement, Worker: worker, Block: block,
		Stakers: []payout.Stake{}, Adapters: []AdapterParties{},
	}
	fees, err := at.FeeParams(ctx)
	if err != nil {
		return m, err
	}
	m.Treasury = fees.Treasury
	m.Params = payout.Params{
		PlatformBps: fees.PlatformBps, OwnerPart: fees.OwnerPart, StakersPart: fees.StakersPart, ContributorsPart: fees.ContributorsPart,
	}
	if m.Payout, err = at.PayoutOf(ctx, worker); err != nil {
		return m, err
	}
	if m.Payout == (protocol.Account{}) {
		return m, protocol.Errorf(protocol.KindInvalid, "worker", "%s has not registered its keys on the chain: register them first, so that its earnings have an address", worker)
	}
	stakers, err := at.Stakers(ctx, worker)
	if err != nil {
		return m, err
	}
	for _, s := range stakers { // by account
		m.Stakers = append(m.Stakers, payout.Stake{Account: s.Account, Amount: s.Amount})
	}
	adapters = slices.Clone(adapters)
	slices.SortFunc(adapters, func(a, b protocol.Hash) int { return bytes.Compare(a[:], b[:]) })
	for _, digest := range slices.Compact(adapters) {
		a, err := at.Adapter(ctx, digest)
		if err != nil {
			return m, err
		}
		d, err := at.Datanet(ctx, a.Datanet)
		if err != nil {
			return m, err
		}
		p := AdapterParties{Adapter: digest, Owner: a.Owner, Datanet: a.Datanet, Pool: d.Pool}
		if len(a.Parents) > 0 {
			royalties, err := at.RoyaltiesOf(ctx, digest)
			if err != nil {
				return m, err
			}
			for _, r := range royalties {
				p.Royalties = append(p.Royalties, payout.Royalty(r))
			}
		}
		m.Adapters = append(m.Adapters, p)
	}
	agents = slices.Clone(agents)
	slices.Sort(agents)
	for _, id := range slices.Compact(agents) {
		a, err := at.Agent(ctx, id)
		if err != nil {
			return m, err
		}
		m.Agents = append(m.Agents, AgentParties{Agent: id, Owner: a.Owner})
	}
	datanets = slices.Clone(datanets)
	slices.Sort(datanets)
	for _, id := range slices.Compact(datanets) {
		d, err := at.Datanet(ctx, id)
		if err != nil {
			return m, err
		}
		m.Datanets = append(m.Datanets, payout.DatanetParty{Datanet: id, Owner: d.Owner, Pool: d.Pool})
	}
	return m, nil
}

// Audit compares a recomputed batch with the chain: the parties and parameters at
// its block, and the root that was submitted. It returns what does not match, nil
// when all does.
func Audit(ctx context.Context, c *chain.Client, r *Result) error {
	m := &r.Document.Manifest
	if m.ChainID != c.ChainID() || m.Settlement != c.Addresses().Settlement {
		return protocol.Errorf(protocol.KindInvalid, "chain_id", "the batch is of chain %d and settlement %s, not of %d and %s",
			m.ChainID, m.Settlement, c.ChainID(), c.Addresses().Settlement)
	}
	b, err := c.Batch(ctx, m.Worker, m.Nonce)
	if err != nil {
		return err
	}
	if b.Root != r.Root || !b.Total.Eq(&r.Total) || uint64(b.Count) != uint64(len(r.Payouts)) {
		return protocol.Errorf(protocol.KindCorrupt, "root", "the chain has root %s, total %s, %d payouts; the document comes to %s, %s, %d",
			b.Root, b.Total.Dec(), b.Count, r.Root, r.Total.Dec(), len(r.Payouts))
	}
	digests := make([]protocol.Hash, len(m.Adapters))
	for i := range m.Adapters {
		digests[i] = m.Adapters[i].Adapter
	}
	agents := make([]uint64, len(m.Agents))
	for i := range m.Agents {
		agents[i] = m.Agents[i].Agent
	}
	datanets := make([]uint64, len(m.Datanets))
	for i := range m.Datanets {
		datanets[i] = m.Datanets[i].Datanet
	}
	want, err := snapshot(ctx, c, m.Worker, m.Block, digests, agents, datanets)
	if err != nil {
		return err
	}
	switch {
	case want.Params != m.Params:
		return protocol.Errorf(protocol.KindCorrupt, "params", "are %+v, the chain had %+v at block %d", m.Params, want.Params, m.Block)
	case want.Treasury != m.Treasury || want.Payout != m.Payout:
		return protocol.Errorf(protocol.KindCorrupt, "treasury, payout", "are not those of block %d", m.Block)
	case !slices.Equal(want.Stakers, m.Stakers):
		return protocol.Errorf(protocol.KindCorrupt, "stakers", "are not those of block %d", m.Block)
	case !slices.EqualFunc(want.Adapters, m.Adapters, AdapterParties.equal):
		return protocol.Errorf(protocol.KindCorrupt, "adapters", "are not those of block %d", m.Block)
	case !slices.Equal(want.Datanets, m.Datanets):
		return protocol.Errorf(protocol.KindCorrupt, "datanets", "are not those of block %d", m.Block)
	case !slices.Equal(want.Agents, m.Agents):
		return protocol.Errorf(protocol.KindCorrupt, "agents", "are not those of block %d", m.Block)
	}
	return nil
}
