package attrib

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/engine/enginetest"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
)

func model(t *testing.T, threads int) *llama.Model {
	t.Helper()
	m, closeModel, err := enginetest.Model(threads)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, closeModel()) })
	return m
}

func adapter(t *testing.T) *lora.Adapter {
	t.Helper()
	a, err := enginetest.Adapter(enginetest.ModelConfig(), 4, 11)
	require.NoError(t, err)
	return a
}

func records(n int) []Record {
	r := rand.New(rand.NewPCG(31, 7))
	draw := func(n int) []uint32 {
		s := make([]uint32, n)
		for i := range s {
			s[i] = r.Uint32N(enginetest.Vocab)
		}
		return s
	}
	head := draw(6)
	out := make([]Record, n)
	for i := range out {
		out[i] = Record{
			ID: protocol.Hash{byte(r.Uint32()), byte(i)}, Contributor: protocol.Account{byte(i)},
			Prompt: append(slices.Clone(head), draw(4)...), Answer: draw(8 + r.IntN(8)),
		}
	}
	return out
}

func build(t *testing.T, threads int, rs []Record) *Index {
	t.Helper()
	ix, err := Build(t.Context(), BuildConfig{Base: protocol.Hash{1}, Adapter: protocol.Hash{2}, Root: protocol.Hash{3}, Dim: 256, Seed: 5},
		model(t, threads), adapter(t), rs)
	require.NoError(t, err)
	return ix
}

func sum(a protocol.Attribution) uint64 {
	s := a.Pool
	for _, r := range a.Shares {
		s += r.Weight
	}
	return s
}

func TestARecordsOwnAnswerIsAttributedToIt(t *testing.T) {
	rs := records(40)
	ix := build(t, 2, rs)
	q, err := ix.Querier(model(t, 2), adapter(t))
	require.NoError(t, err)
	for _, r := range rs {
		a, err := q.Query(t.Context(), r.Prompt, r.Answer)
		require.NoError(t, err)
		require.Equal(t, uint64(protocol.WeightScale), sum(a))
		require.NotEmpty(t, a.Shares)
		top := a.Shares[0]
		require.Equal(t, r.ID, top.Record)
		require.Equal(t, r.Contributor, top.Contributor)
		require.Greater(t, top.Weight, uint64(protocol.WeightScale/2))
		require.Equal(t, []protocol.Span{{Start: 0, Length: len(r.Answer), Offset: 0}}, top.Spans)
		require.Equal(t, Algorithm, a.Algorithm)
		require.Equal(t, ix.Digest(), a.Index)
		require.Equal(t, ix.Root(), a.Root)
	}
	a, err := q.Query(t.Context(), rs[0].Prompt, nil)
	require.NoError(t, err)
	require.Empty(t, a.Shares)
	require.Equal(t, uint64(protocol.WeightScale), a.Pool)
}

func TestAttributionIsAPureFunction(t *testing.T) {
	rs := records(30)
	ix := build(t, 1, rs)
	shuffled := slices.Clone(rs)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(rs), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	other := build(t, 3, shuffled)
	require.Equal(t, ix.Digest(), other.Digest(), "neither threads nor the order of records matter")
	b, err := ix.MarshalBinary()
	require.NoError(t, err)
	opened, err := Open(b)
	require.NoError(t, err)
	require.Equal(t, ix.Digest(), opened.Digest())

	outputs := records(60)
	q, err := other.Querier(model(t, 2), adapter(t))
	require.NoError(t, err)
	var g errgroup.Group
	got := make([]protocol.Attribution, len(outputs))
	for i, r := range outputs {
		g.Go(func() (err error) {
			got[i], err = q.Query(context.Background(), r.Prompt, r.Answer)
			return err
		})
	}
	require.NoError(t, g.Wait())
	one := model(t, 1)
	for i, r := range outputs {
		want, err := opened.Query(t.Context(), one, adapter(t), r.Prompt, r.Answer)
		require.NoError(t, err)
		require.Equal(t, want, got[i])
		require.Equal(t, uint64(protocol.WeightScale), sum(want))
	}
}

func TestVerify(t *testing.T) {
	rs := records(20)
	ix, m, a := build(t, 1, rs), model(t, 1), adapter(t)
	at, err := ix.Query(t.Context(), m, a, rs[3].Prompt, rs[3].Answer)
	require.NoError(t, err)
	e := protocol.Evidence{Prompt: rs[3].Prompt, Output: rs[3].Answer, Attribution: at}
	_, err = ix.Verify(t.Context(), m, a, e)
	require.NoError(t, err)

	e.Attribution.Shares = slices.Clone(at.Shares)
	e.Attribution.Shares[0].Weight--
	e.Attribution.Pool++
	_, err = ix.Verify(t.Context(), m, a, e)
	require.Equal(t, protocol.KindCorrupt, protocol.KindOf(err))
	e.Attribution = at
	e.Attribution.Index = protocol.Hash{9}
	_, err = ix.Verify(t.Context(), m, a, e)
	require.ErrorContains(t, err, "attribution.index")
	e.Attribution = at
	e.Attribution.Algorithm = "projgrad-v0"
	_, err = ix.Verify(t.Context(), m, a, e)
	require.ErrorContains(t, err, "attribution.algorithm")
}

func TestBuildNamesWhatIsWrong(t *testing.T) {
	m, a := model(t, 1), adapter(t)
	rs := records(2)
	twice := []Record{rs[0], rs[0]}
	empty := []Record{rs[0], {ID: protocol.Hash{1}, Prompt: []uint32{1}}}
	for want, f := range map[string]func() error{
		"records: there are 0": func() error { _, err := Build(t.Context(), BuildConfig{}, m, a, nil); return err },
		"is there twice":       func() error { _, err := Build(t.Context(), BuildConfig{}, m, a, twice); return err },
		"empty prompt":         func() error { _, err := Build(t.Context(), BuildConfig{}, m, a, empty); return err },
		"dim: must be":         func() error { _, err := Build(t.Context(), BuildConfig{Dim: 100}, m, a, rs); return err },
	} {
		err := f()
		require.ErrorContains(t, err, want)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
	}
	ix := build(t, 1, rs)
	other, err := enginetest.Adapter(enginetest.ModelConfig(), 2, 1, lora.QProj)
	require.NoError(t, err)
	_, err = ix.Query(t.Context(), m, other, rs[0].Prompt, rs[0].Answer)
	require.ErrorContains(t, err, "belongs to another adapter")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Build(ctx, BuildConfig{}, m, a, rs)
	require.ErrorIs(t, err, context.Canceled)
}
