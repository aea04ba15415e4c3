package adapter

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/libp2p/go-libp2p"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/attrib"
	"github.com/openledger/openledger/worker/engine/enginetest"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/weights"
)

// registry is the chain's adapters, as far as this test registered them.
type registry map[protocol.Hash]chain.Adapter

func (r registry) Adapter(_ context.Context, digest protocol.Hash) (chain.Adapter, error) {
	a, ok := r[digest]
	if !ok {
		return a, protocol.Errorf(protocol.KindNotFound, "adapter", "%s is not registered", digest)
	}
	return a, nil
}

var (
	baseHash = protocol.Hash{0xba}
	root     = protocol.Hash{0xda}
)

// parts are what an adapter is made of before it is published.
type parts struct {
	files      map[string][]byte
	manifest   func(*protocol.AdapterManifest)
	registered func(*chain.Adapter)
}

type bench struct {
	Source
	known registry
	lora  *lora.Adapter
}

func newBench(t *testing.T) *bench {
	t.Helper()
	db, err := store.Open(store.Config{Dir: "db", FS: vfs.NewMem()})
	require.NoError(t, err)
	host, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay())
	require.NoError(t, err)
	node, err := ipfs.Open(ipfs.Config{DB: db, Host: host})
	require.NoError(t, err)
	model, closeModel, err := enginetest.Model(1)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, errors.Join(node.Close(), host.Close(), db.Close(), closeModel())) })
	b := &bench{known: registry{}}
	b.Source = Source{Content: node, Registry: b.known, Base: baseHash, Model: model}
	b.lora, err = enginetest.Adapter(enginetest.ModelConfig(), 2, 7)
	require.NoError(t, err)
	return b
}

// index is an attribution index for what it is told it is of.
func (b *bench) index(t *testing.T, of attrib.BuildConfig) []byte {
	t.Helper()
	of.Dim, of.Seed = 256, 1
	ix, err := attrib.Build(t.Context(), of, b.Model, b.lora, []attrib.Record{
		{ID: protocol.Hash{1}, Contributor: protocol.Account{1}, Prompt: []uint32{5, 6}, Answer: []uint32{7, 8, 9}},
		{ID: protocol.Hash{2}, Contributor: protocol.Account{2}, Prompt: []uint32{5, 6}, Answer: []uint32{17, 18}},
	})
	require.NoError(t, err)
	raw, err := ix.MarshalBinary()
	require.NoError(t, err)
	return raw
}

// honest are the parts of an adapter with nothing wrong.
func (b *bench) honest(t *testing.T) (p parts, of attrib.BuildConfig) {
	t.Helper()
	config, tensors, err := weights.EncodePEFT(b.lora, "test")
	require.NoError(t, err)
	id, err := b.Content.AddBytes(t.Context(), tensors)
	require.NoError(t, err)
	digest, err := ipfs.Digest(id)
	require.NoError(t, err)
	of = attrib.BuildConfig{Base: baseHash, Adapter: digest, Root: root}
	p.files = map[string][]byte{ConfigFile: config, WeightsFile: tensors, IndexFile: b.index(t, of)}
	return p, of
}

// publish stores and registers the parts.
func (b *bench) publish(t *testing.T, p parts) protocol.CID {
	t.Helper()
	m := protocol.AdapterManifest{Name: "fables", Files: map[string]protocol.CID{}}
	var err error
	for name, data := range p.files {
		m.Files[name], err = b.Content.AddBytes(t.Context(), data)
		require.NoError(t, err)
	}
	if p.manifest != nil {
		p.manifest(&m)
	}
	raw, err := json.Marshal(m)
	require.NoError(t, err)
	return b.register(t, raw, p.registered)
}

func (b *bench) register(t *testing.T, manifest []byte, change func(*chain.Adapter)) protocol.CID {
	t.Helper()
	id, err := b.Content.AddBytes(t.Context(), manifest)
	require.NoError(t, err)
	digest, err := ipfs.Digest(id)
	require.NoError(t, err)
	a := chain.Adapter{Digest: digest, Name: "fables", Base: baseHash, DatanetRoot: root}
	if change != nil {
		change(&a)
	}
	b.known[digest] = a
	return id
}

func TestOpen(t *testing.T) {
	b := newBench(t)
	p, _ := b.honest(t)
	a, err := b.Open(t.Context(), b.publish(t, p), nil)
	require.NoError(t, err)
	require.Equal(t, "fables", a.Manifest.Name)
	require.Equal(t, b.lora.Flat, a.LoRA.Flat, "the weights are the ones that were published")
	require.Equal(t, 2, a.Index.Len())
	at, err := a.Querier.Query(t.Context(), []uint32{5, 6}, []uint32{7, 8, 9})
	require.NoError(t, err)
	require.Equal(t, root, at.Root)
}

func TestWhatDoesNotBelongTogetherIsRefused(t *testing.T) {
	b := newBench(t)
	for name, tt := range map[string]struct {
		change func(*parts, attrib.BuildConfig)
		want   protocol.Kind
	}{
		"another base": {func(p *parts, _ attrib.BuildConfig) { p.registered = func(a *chain.Adapter) { a.Base[0]++ } }, protocol.KindInvalid},
		"index of another base": {func(p *parts, of attrib.BuildConfig) {
			of.Base[0]++
			p.files[IndexFile] = b.index(t, of)
		}, protocol.KindCorrupt},
		"index of another adapter": {func(p *parts, of attrib.BuildConfig) {
			of.Adapter[0]++
			p.files[IndexFile] = b.index(t, of)
		}, protocol.KindCorrupt},
		"index of another datanet version": {func(p *parts, of attrib.BuildConfig) {
			of.Root[0]++
			p.files[IndexFile] = b.index(t, of)
		}, protocol.KindCorrupt},
		"registered for another datanet version": {func(p *parts, _ attrib.BuildConfig) { p.registered = func(a *chain.Adapter) { a.DatanetRoot[0]++ } }, protocol.KindCorrupt},
		"no weights":                             {func(p *parts, _ attrib.BuildConfig) { delete(p.files, WeightsFile) }, protocol.KindCorrupt},
		"no index":                               {func(p *parts, _ attrib.BuildConfig) { delete(p.files, IndexFile) }, protocol.KindCorrupt},
		"no configuration":                       {func(p *parts, _ attrib.BuildConfig) { delete(p.files, ConfigFile) }, protocol.KindCorrupt},
		"broken configuration":                   {func(p *parts, _ attrib.BuildConfig) { p.files[ConfigFile] = []byte("{") }, protocol.KindCorrupt},
		"cut weights":                            {func(p *parts, _ attrib.BuildConfig) { p.files[WeightsFile] = p.files[WeightsFile][:100] }, protocol.KindCorrupt},
		"a huge configuration":                   {func(p *parts, _ attrib.BuildConfig) { p.files[ConfigFile] = make([]byte, maxConfigBytes+1) }, ""},
		"a cut index":                            {func(p *parts, _ attrib.BuildConfig) { p.files[IndexFile] = p.files[IndexFile][:50] }, ""},
		"not a CID": {func(p *parts, _ attrib.BuildConfig) {
			p.manifest = func(m *protocol.AdapterManifest) { m.Files[WeightsFile] = "../etc" }
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, of := b.honest(t)
			tt.change(&p, of)
			a, err := b.Open(t.Context(), b.publish(t, p), nil)
			require.Error(t, err)
			require.Nil(t, a)
			if tt.want != "" {
				require.Equal(t, tt.want, protocol.KindOf(err), "%v", err)
			}
		})
	}
	t.Run("parents", func(t *testing.T) {
		p, _ := b.honest(t)
		one, two := protocol.Hash{1}, protocol.Hash{2}
		p.manifest = func(m *protocol.AdapterManifest) {
			m.Hyper.Merge = &protocol.Merge{Parents: []protocol.MergeParent{{Adapter: ipfs.RawCIDOf(two)}, {Adapter: ipfs.RawCIDOf(one)}}}
		}
		for _, bad := range [][]protocol.Hash{nil, {one}, {one, {3}}} {
			p.registered = func(a *chain.Adapter) { a.Parents = bad }
			_, err := b.Open(t.Context(), b.publish(t, p), nil)
			require.Equal(t, protocol.KindCorrupt, protocol.KindOf(err), "%v", err)
			require.ErrorContains(t, err, "parents")
		}
		p.registered = func(a *chain.Adapter) { a.Parents = []protocol.Hash{one, two} }
		_, err := b.Open(t.Context(), b.publish(t, p), nil)
		require.NoError(t, err)
	})
	t.Run("not registered", func(t *testing.T) {
		_, err := b.Open(t.Context(), ipfs.RawCIDOf(protocol.Hash{4}), nil)
		require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))
	})
	t.Run("not a manifest", func(t *testing.T) {
		_, err := b.Open(t.Context(), b.register(t, []byte("hello"), nil), nil)
		require.Equal(t, protocol.KindCorrupt, protocol.KindOf(err))
	})
	t.Run("not a CID at all", func(t *testing.T) {
		_, err := b.Open(t.Context(), "hello", nil)
		require.Error(t, err)
	})
}
