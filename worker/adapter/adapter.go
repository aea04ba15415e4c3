// Package adapter opens adapters of the registry: it fetches what an adapter's CID
// names, checks it against the chain, and makes it ready to answer and to be
// attributed.
//
// Invariants: base, weights and attribution index belong together and to the datanet
// version that the registry has; the parents are those that the registry has; every
// file is bounded before it is read.
//
// It keeps nothing in memory beyond what it returns, and it trains nothing.
package adapter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/attrib"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/weights"
)

// Files of an adapter. Who answers with it needs all but the last, which is there only when
// its training held records out.
const (
	ConfigFile     = "adapter_config.json"
	WeightsFile    = "adapter_model.safetensors"
	IndexFile      = "attribution.index"
	EvaluationFile = protocol.EvaluationFile
)

// How large the files may be.
const (
	maxManifestBytes = 64 << 10
	maxConfigBytes   = 64 << 10
	maxWeightsBytes  = 256 << 20
	maxIndexBytes    = 512 << 20

	inner = 16 << 10 // blocks of links to a file's parts, beyond a thousandth of its size
)

// ErrUnusable is in the errors about what a CID names, whoever serves it: all of it is
// here and its hash is right, but it is no adapter of this base.
var ErrUnusable = errors.New("the adapter cannot be used")

func unusable(err error) error { return fmt.Errorf("%w: %w", ErrUnusable, err) }

// Registry is where adapters and their lineage are looked up.
type Registry interface {
	Adapter(ctx context.Context, digest protocol.Hash) (chain.Adapter, error)
}

// Source is where adapters come from and what they are for.
type Source struct {
	Content  *ipfs.Node
	Registry Registry
	Base     protocol.Hash
	Model    *llama.Model
}

// Adapter is an open adapter.
type Adapter struct {
	Registered chain.Adapter
	Manifest   protocol.AdapterManifest
	LoRA       *lora.Adapter
	Index      *attrib.Index
	Querier    *attrib.Querier
}

// Open makes the adapter behind a CID ready. What is not here comes from the
// providers.
func (s Source) Open(ctx context.Context, id protocol.CID, providers []peer.AddrInfo) (*Adapter, error) {
	a, _, err := s.OpenWithin(ctx, id, providers, func(_, _ int64) error { return nil })
	return a, err
}

// OpenWithin is Open where memory and disk are counted: before any large file is read,
// reserve is asked for what the adapter may take of both at most; an error ends it
// there. bytes is the memory that it takes: values and index.
func (s Source) OpenWithin(ctx context.Context, id protocol.CID, providers []peer.AddrInfo, reserve func(memory, disk int64) error) (_ *Adapter, bytes int64, err error) {
	a, err := s.describe(ctx, id, providers)
	if err != nil {
		return nil, 0, err
	}
	weightsBytes, err := s.size(ctx, a.Manifest.Files[WeightsFile], providers, maxWeightsBytes)
	if err != nil {
		return nil, 0, fmt.Errorf("adapter %s: %s: %w", id, WeightsFile, err)
	}
	indexBytes, err := s.size(ctx, a.Manifest.Files[IndexFile], providers, maxIndexBytes)
	if err != nil {
		return nil, 0, fmt.Errorf("adapter %s: %s: %w", id, IndexFile, err)
	}
	disk := weightsBytes + indexBytes
	disk += disk/1024 + maxManifestBytes + maxConfigBytes + inner    // the largest that files of these sizes need
	if err := reserve(2*weightsBytes+indexBytes, disk); err != nil { // values of two bytes become four
		return nil, 0, err
	}
	if err := s.read(ctx, a, id, providers, weightsBytes, indexBytes); err != nil {
		return nil, 0, err
	}
	return a, 4*int64(len(a.LoRA.Flat)) + indexBytes, nil
}

// size is how large a file says it is.
func (s Source) size(ctx context.Context, id protocol.CID, providers []peer.AddrInfo, limit int64) (_ int64, err error) {
	f, err := s.Content.Get(ctx, id, providers)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if f.Size() > uint64(limit) {
		return 0, unusable(protocol.Errorf(protocol.KindInvalid, "cid", "%s is %d bytes, the limit is %d", id, f.Size(), limit))
	}
	return int64(f.Size()), nil
}

// describe looks an adapter up: what the registry and its manifest say.
func (s Source) describe(ctx context.Context, id protocol.CID, providers []peer.AddrInfo) (*Adapter, error) {
	digest, err := ipfs.Digest(id)
	if err != nil {
		return nil, err
	}
	registered, err := s.Registry.Adapter(ctx, digest)
	if err != nil {
		return nil, err
	}
	if registered.Base != s.Base {
		return nil, protocol.Errorf(protocol.KindInvalid, "adapter", "%s is for the base %s, here is %s", id, registered.Base, s.Base)
	}
	manifest, err := s.manifest(ctx, id, providers)
	if err != nil {
		return nil, err
	}
	// Royalties go to the parents that the registry has: they are those it was made of.
	parents, err := ipfs.Digests(manifest.Hyper.Parents())
	if err != nil {
		return nil, unusable(protocol.Errorf(protocol.KindCorrupt, "adapter", "%s: its manifest names parents: %w", id, err))
	}
	if !slices.Equal(parents, registered.Parents) {
		return nil, unusable(protocol.Errorf(protocol.KindCorrupt, "adapter", "%s: its manifest names %d parents, the registry has %d others", id, len(parents), len(registered.Parents)))
	}
	for _, name := range []string{ConfigFile, WeightsFile, IndexFile} {
		if manifest.Files[name] == "" {
			return nil, unusable(protocol.Errorf(protocol.KindCorrupt, "adapter", "%s: its manifest lists no %s", id, name))
		}
	}
	return &Adapter{Registered: registered, Manifest: manifest}, nil
}

// read fills in what the adapter's files hold, which have no more than so many bytes.
func (s Source) read(ctx context.Context, a *Adapter, id protocol.CID, providers []peer.AddrInfo, weightsBytes, indexBytes int64) (err error) {
	files := map[string][]byte{}
	for _, f := range []struct {
		name  string
		limit int64
	}{{ConfigFile, maxConfigBytes}, {WeightsFile, weightsBytes}, {IndexFile, indexBytes}} {
		if files[f.name], err = s.Content.ReadFile(ctx, a.Manifest.Files[f.name], providers, f.limit); err != nil {
			return fmt.Errorf("adapter %s: %s: %w", id, f.name, err)
		}
	}
	if a.LoRA, err = weights.ParsePEFT(files[ConfigFile], files[WeightsFile], s.Model.Config().Geometry()); err != nil {
		return unusable(protocol.Errorf(protocol.KindCorrupt, "adapter", "%s: %w", id, err))
	}
	if a.Index, err = attrib.Open(files[IndexFile]); err != nil {
		return unusable(fmt.Errorf("adapter %s: %s: %w", id, IndexFile, err))
	}
	weightsDigest, err := ipfs.Digest(a.Manifest.Files[WeightsFile])
	if err != nil {
		return err
	}
	if a.Index.Base() != s.Base || a.Index.Adapter() != weightsDigest || a.Index.Root() != a.Registered.DatanetRoot {
		return unusable(protocol.Errorf(protocol.KindCorrupt, "adapter", "%s: its attribution index is of another base, adapter or datanet version", id))
	}
	if a.Querier, err = a.Index.Querier(s.Model, a.LoRA); err != nil {
		return fmt.Errorf("adapter %s: %w", id, err)
	}
	return nil
}

func (s Source) manifest(ctx context.Context, id protocol.CID, providers []peer.AddrInfo) (protocol.AdapterManifest, error) {
	var m protocol.AdapterManifest
	b, err := s.Content.ReadFile(ctx, id, providers, maxManifestBytes)
	if err != nil {
		return m, fmt.Errorf("adapter %s: %w", id, err)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, unusable(protocol.Errorf(protocol.KindCorrupt, "adapter", "%s is not a manifest: %w", id, err))
	}
	return m, nil
}

// Local calls fn with each block of an adapter that is here: its manifest, and what its
// files are made of. A block can come more than once. whole says that none is missing of
// what an answer needs.
func Local(ctx context.Context, content *ipfs.Node, id protocol.CID, fn func(block protocol.Hash, bytes int64)) (whole bool, err error) {
	if whole, err = content.Local(ctx, id, fn); err != nil || !whole {
		return false, err
	}
	// What is larger than a manifest may be, damaged or something else has no files.
	var m protocol.AdapterManifest
	if raw, err := content.ReadFile(ctx, id, nil, maxManifestBytes); err != nil || json.Unmarshal(raw, &m) != nil {
		return false, ctx.Err()
	}
	for _, name := range []string{ConfigFile, WeightsFile, IndexFile} {
		here, err := content.Local(ctx, m.Files[name], fn)
		if err != nil && protocol.KindOf(err) != protocol.KindInvalid {
			return false, err
		}
		whole = whole && here && err == nil
	}
	if report := m.Files[EvaluationFile]; report != "" {
		if _, err := content.Local(ctx, report, fn); err != nil && protocol.KindOf(err) != protocol.KindInvalid {
			return false, err
		}
	}
	return whole, nil
}
