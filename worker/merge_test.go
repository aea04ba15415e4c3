package worker

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/ipfs"
)

// parentOf is an adapter as the registry and its manifest have it.
func parentOf(t *testing.T, id byte, version uint32, h protocol.Hyper) MergeParent {
	t.Helper()
	root := protocol.Hash{0xda, byte(version)}
	p := MergeParent{
		Registered: chain.Adapter{CID: ipfs.RawCIDOf(protocol.Hash{id}), Name: string('a' + rune(id)), Base: protocol.Hash{1}, Datanet: 7, Version: version, DatanetRoot: root},
		Manifest:   protocol.AdapterManifest{Hyper: h, Order: protocol.TrainingOrder{Datanet: 7, Version: version, Root: ipfs.RawCIDOf(root)}},
	}
	var err error
	p.Registered.HyperHash, err = wire.HyperHash(h)
	require.NoError(t, err)
	return p
}

// of names parents with their weights.
func of(method string, parents ...MergeParent) protocol.Merge {
	m := protocol.Merge{Method: method}
	for i, p := range parents {
		m.Parents = append(m.Parents, protocol.MergeParent{Adapter: p.Registered.CID, Weight: float64(i + 1)})
	}
	return m
}

func TestPlanMerge(t *testing.T) {
	short, long := protocol.Hyper{MaxLength: 64, PromptTemplate: "{q}", AnswerTemplate: "{a}"}, protocol.Hyper{MaxLength: 128, PromptTemplate: "{p}", AnswerTemplate: "{a}"}
	a, b, c := parentOf(t, 1, 2, short), parentOf(t, 2, 3, long), parentOf(t, 3, 1, short)
	h, o, err := PlanMerge(of("svd", a, b, c), 4, 9, []MergeParent{b, c, a})
	require.NoError(t, err)
	require.Equal(t, protocol.TrainingOrder{Base: protocol.Hash{1}, Datanet: 7, Version: 3, Root: b.Manifest.Order.Root,
		Parents: []protocol.Hash{{1}, {2}, {3}}}, o, "the newest version, all parents")
	require.Equal(t, 128, h.MaxLength)
	require.Equal(t, 4, h.Rank)
	require.EqualValues(t, 9, h.Seed)
	require.ElementsMatch(t, []protocol.Rendering{{Prompt: "{q}", Answer: "{a}"}, {Prompt: "{p}", Answer: "{a}"}}, h.Merge.Renderings, "each once")
	require.IsIncreasing(t, []string{string(h.Merge.Parents[0].Adapter), string(h.Merge.Parents[1].Adapter), string(h.Merge.Parents[2].Adapter)})
	for _, p := range h.Merge.Parents {
		require.Contains(t, of("svd", a, b, c).Parents, p, "each with its weight")
	}
	turned := of("svd", a, b, c)
	turned.Parents[0], turned.Parents[2] = turned.Parents[2], turned.Parents[0]
	again, _, err := PlanMerge(turned, 4, 9, []MergeParent{a, b, c})
	require.NoError(t, err)
	require.Equal(t, h, again, "one plan, however they are named")

	child := parentOf(t, 4, 3, h) // merged before
	h, _, err = PlanMerge(of("cat", child, c), 0, 0, []MergeParent{child, c})
	require.NoError(t, err)
	require.Len(t, h.Merge.Renderings, 2, "what its parents saw")
}

func TestPlanMerge_Refuses(t *testing.T) {
	h := protocol.Hyper{PromptTemplate: "{q}", AnswerTemplate: "{a}"}
	for name, tt := range map[string]struct {
		change func(m *protocol.Merge, b *MergeParent)
		words  string
		kind   protocol.Kind
	}{
		"another base":     {func(_ *protocol.Merge, b *MergeParent) { b.Registered.Base[0]++ }, "only adapters of one base", protocol.KindInvalid},
		"another datanet":  {func(_ *protocol.Merge, b *MergeParent) { b.Registered.Datanet++; b.Manifest.Order.Datanet++ }, "pays the contributors of one datanet", protocol.KindInvalid},
		"a false manifest": {func(_ *protocol.Merge, b *MergeParent) { b.Manifest.Hyper.Rank++ }, "not of the order that the registry has", protocol.KindCorrupt},
		"a false root":     {func(_ *protocol.Merge, b *MergeParent) { b.Registered.DatanetRoot[3]++ }, "not of the order that the registry has", protocol.KindCorrupt},
		"weight 0":         {func(m *protocol.Merge, _ *MergeParent) { m.Parents[1].Weight = 0 }, "is 0: leave the adapter out", protocol.KindInvalid},
		"density":          {func(m *protocol.Merge, _ *MergeParent) { m.Method = "ties" }, "density is 0", protocol.KindInvalid},
		"method":           {func(m *protocol.Merge, _ *MergeParent) { m.Method = "mean" }, "is not known", protocol.KindInvalid},
		"a stranger":       {func(m *protocol.Merge, _ *MergeParent) { m.Parents[1].Adapter = "bafk" }, "is not among the parents", protocol.KindInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := parentOf(t, 1, 1, h), parentOf(t, 2, 1, h)
			m := of("cat", a, b)
			tt.change(&m, &b)
			_, _, err := PlanMerge(m, 0, 0, []MergeParent{a, b})
			require.ErrorContains(t, err, tt.words)
			require.Equal(t, tt.kind, protocol.KindOf(err))
		})
	}
}
