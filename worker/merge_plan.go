package worker

import (
	"cmp"
	"slices"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/engine/lora"
)

// MergeParent is what a merge needs to know of one adapter beside its values.
type MergeParent struct {
	Registered chain.Adapter
	Manifest   protocol.AdapterManifest
}

// check compares a parent's manifest with the registry, which has its hash only.
func (p MergeParent) check() error {
	hash, err := wire.HyperHash(p.Manifest.Hyper)
	if err != nil {
		return err
	}
	root, err := ipfs.Digest(p.Manifest.Order.Root)
	if err != nil {
		return err
	}
	if o := p.Manifest.Order; hash != p.Registered.HyperHash || root != p.Registered.DatanetRoot || o.Datanet != p.Registered.Datanet || o.Version != p.Registered.Version {
		return protocol.Errorf(protocol.KindCorrupt, "hyper.merge.parents", "the manifest of %s is not of the order that the registry has", p.Registered.CID)
	}
	return nil
}

// PlanMerge completes what an owner signs for a merge: hyper-parameters, the parents'
// digests, and the datanet version that the result is registered under, which is the
// newest among the parents'. Parents are given in any order with their weights in m; the same merge
// always gives the same plan.
//
// An adapter pays the contributors of one datanet, so parents of several are refused.
func PlanMerge(m protocol.Merge, rank int, seed uint64, parents []MergeParent) (protocol.Hyper, protocol.TrainingOrder, error) {
	invalid := func(format string, args ...any) (protocol.Hyper, protocol.TrainingOrder, error) {
		return protocol.Hyper{}, protocol.TrainingOrder{}, protocol.Errorf(protocol.KindInvalid, "hyper.merge", format, args...)
	}
	cfg := mergeConfig(m, rank, seed)
	if err := cfg.Validate(); err != nil {
		return invalid("%w", err)
	}
	var keys []string
	var weights []float64
	for _, p := range m.Parents {
		keys, weights = append(keys, string(p.Adapter)), append(weights, p.Weight)
	}
	if err := lora.CheckWeights(keys, weights); err != nil {
		return invalid("%w", err)
	}
	if len(parents) != len(m.Parents) {
		return invalid("%d of %d parents are known", len(parents), len(m.Parents))
	}
	parents = slices.Clone(parents)
	slices.SortFunc(parents, func(a, b MergeParent) int { return cmp.Compare(a.Registered.CID, b.Registered.CID) })
	h := protocol.Hyper{Rank: rank, Seed: seed, Merge: &protocol.Merge{Method: m.Method, Density: m.Density, Frequency: m.Frequency}}
	first := parents[0].Registered
	var order protocol.TrainingOrder
	for _, p := range parents {
		if err := p.check(); err != nil {
			return protocol.Hyper{}, order, err
		}
		i := slices.IndexFunc(m.Parents, func(q protocol.MergeParent) bool { return q.Adapter == p.Registered.CID })
		switch {
		case i < 0:
			return invalid("%s is not among the parents", p.Registered.CID)
		case p.Registered.Base != first.Base:
			return invalid("%s is for the base %s, %s for %s: only adapters of one base can be merged", first.Name, first.Base, p.Registered.Name, p.Registered.Base)
		case p.Registered.Datanet != first.Datanet:
			return invalid("%s learned from datanet %d, %s from datanet %d: an adapter pays the contributors of one datanet, so publish one with the records of both and train on it",
				first.Name, first.Datanet, p.Registered.Name, p.Registered.Datanet)
		}
		h.Merge.Parents = append(h.Merge.Parents, m.Parents[i])
		for _, r := range p.Manifest.Hyper.Examples() {
			if !slices.Contains(h.Merge.Renderings, r) {
				h.Merge.Renderings = append(h.Merge.Renderings, r)
			}
		}
		h.MaxLength = max(h.MaxLength, p.Manifest.Hyper.MaxLength)
		if p.Registered.Version > order.Version {
			order = protocol.TrainingOrder{Base: first.Base, Datanet: first.Datanet, Version: p.Registered.Version, Root: p.Manifest.Order.Root}
		}
	}
	var err error
	if order.Parents, err = ipfs.Digests(h.Parents()); err != nil {
		return invalid("%w", err)
	}
	if len(h.Merge.Renderings) > wire.MaxParents {
		return invalid("the parents turn records into examples in %d ways, more than %d", len(h.Merge.Renderings), wire.MaxParents)
	}
	return h, order, nil
}

func mergeConfig(m protocol.Merge, rank int, seed uint64) lora.MergeConfig {
	return lora.MergeConfig{Method: lora.Method(m.Method), Rank: rank, Density: m.Density, Frequency: m.Frequency, Seed: seed}
}
