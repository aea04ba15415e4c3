// Package adapter opens adapters of the registry: it fetches what an adapter's CID
// names, checks it against the chain, and makes it ready to answer and to be
// attributed.
//
// Invariants: base, weights and attribution index belong together and to the datanet
// version that the registry has; every file is bounded before it is read.
//
// It keeps nothing in memory beyond what it returns, and it trains nothing.
package adapter

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/attrib"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/weights"
)

// Files of an adapter.
const (
	ConfigFile  = "adapter_config.json"
	WeightsFile = "adapter_model.safetensors"
	IndexFile   = "attribution.index"
)

// How large the files may be.
const (
	maxManifestBytes = 64 << 10
	maxConfigBytes   = 64 << 10
	maxWeightsBytes  = 256 << 20
	maxIndexBytes    = 512 << 20
)

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
	a := &Adapter{Registered: registered, Manifest: manifest}
	files := map[string][]byte{}
	for _, f := range []struct {
		name  string
		limit int64
	}{{ConfigFile, maxConfigBytes}, {WeightsFile, maxWeightsBytes}, {IndexFile, maxIndexBytes}} {
		if manifest.Files[f.name] == "" {
			return nil, protocol.Errorf(protocol.KindCorrupt, "adapter", "%s: its manifest lists no %s", id, f.name)
		}
		if files[f.name], err = s.Content.ReadFile(ctx, manifest.Files[f.name], providers, f.limit); err != nil {
			return nil, fmt.Errorf("adapter %s: %s: %w", id, f.name, err)
		}
	}
	if a.LoRA, err = weights.ParsePEFT(files[ConfigFile], files[WeightsFile], s.Model.Config().Geometry()); err != nil {
		return nil, protocol.Errorf(protocol.KindCorrupt, "adapter", "%s: %w", id, err)
	}
	if a.Index, err = attrib.Open(files[IndexFile]); err != nil {
		return nil, fmt.Errorf("adapter %s: %w", id, err)
	}
	weightsDigest, err := ipfs.Digest(manifest.Files[WeightsFile])
	if err != nil {
		return nil, err
	}
	if a.Index.Base() != s.Base || a.Index.Adapter() != weightsDigest || a.Index.Root() != registered.DatanetRoot {
		return nil, protocol.Errorf(protocol.KindCorrupt, "adapter", "%s: its attribution index is of another base, adapter or datanet version", id)
	}
	if a.Querier, err = a.Index.Querier(s.Model, a.LoRA); err != nil {
		return nil, fmt.Errorf("adapter %s: %w", id, err)
	}
	return a, nil
}

func (s Source) manifest(ctx context.Context, id protocol.CID, providers []peer.AddrInfo) (protocol.AdapterManifest, error) {
	var m protocol.AdapterManifest
	b, err := s.Content.ReadFile(ctx, id, providers, maxManifestBytes)
	if err != nil {
		return m, fmt.Errorf("adapter %s: %w", id, err)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, protocol.Errorf(protocol.KindCorrupt, "adapter", "%s is not a manifest: %w", id, err)
	}
	return m, nil
}
