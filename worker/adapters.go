package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/attrib"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/weights"
)

// Files of an adapter, and how large this worker lets them be.
const (
	adapterConfigFile  = "adapter_config.json"
	adapterWeightsFile = "adapter_model.safetensors"
	indexFile          = "attribution.index"

	maxManifestBytes = 64 << 10
	maxConfigBytes   = 64 << 10
	maxWeightsBytes  = 256 << 20
	maxIndexBytes    = 512 << 20

	maxOpenAdapters = 64 // with their indices in memory
)

// adapter is an adapter of the registry, ready to answer and to be attributed.
type adapter struct {
	onChain  chain.Adapter
	manifest protocol.AdapterManifest
	lora     *lora.Adapter
	index    *attrib.Index
	querier  *attrib.Querier
}

// adapterSet holds the adapters that this worker has opened. Opening is done once
// per adapter, also when many requests ask for it at the same time.
type adapterSet struct {
	mu     sync.Mutex
	open   map[protocol.CID]*opening
	recent []protocol.CID // least recently used first
}

type opening struct {
	done chan struct{}
	a    *adapter
	err  error
}

// get gives the adapter behind a CID, opening it if it must.
func (s *adapterSet) get(ctx context.Context, id protocol.CID, open func(context.Context) (*adapter, error)) (*adapter, error) {
	s.mu.Lock()
	if s.open == nil {
		s.open = map[protocol.CID]*opening{}
	}
	o := s.open[id]
	if o == nil {
		o = &opening{done: make(chan struct{})}
		s.open[id] = o
		s.mu.Unlock()
		o.a, o.err = open(ctx)
		close(o.done)
		s.mu.Lock()
		if o.err != nil {
			delete(s.open, id) // the next request tries again
		}
	}
	s.recent = append(slices.DeleteFunc(s.recent, func(c protocol.CID) bool { return c == id }), id)
	if len(s.recent) > maxOpenAdapters { // who uses it still holds it
		delete(s.open, s.recent[0])
		s.recent = s.recent[1:]
	}
	s.mu.Unlock()
	select {
	case <-o.done:
		return o.a, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// announced lists adapters for an announcement: those on the device first.
func (s *adapterSet) announced(resident []string, limit int) []protocol.ResidentAdapter {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []protocol.ResidentAdapter
	for _, id := range slices.Backward(s.recent) {
		o := s.open[id]
		if o == nil || o.a == nil || len(out) == limit {
			continue
		}
		tier := protocol.TierHost
		if slices.Contains(resident, string(id)) {
			tier = protocol.TierDevice
		}
		out = append(out, protocol.ResidentAdapter{Tag: protocol.AdapterTag(o.a.onChain.Digest), Tier: tier})
	}
	return out
}

// adapter makes an adapter ready: fetched by CID from whoever has it, checked against
// the registry, with its attribution index.
func (w *Worker) adapter(ctx context.Context, id protocol.CID, sources []string) (*adapter, error) {
	a, err := w.adapters.get(ctx, id, func(ctx context.Context) (*adapter, error) { return w.openAdapter(ctx, id, sources) })
	if err != nil {
		return nil, err
	}
	if err := w.engine.LoadAdapter(string(id), a.lora); err != nil {
		return nil, engineError(err)
	}
	return a, nil
}

func (w *Worker) openAdapter(ctx context.Context, id protocol.CID, sources []string) (*adapter, error) {
	digest, err := ipfs.Digest(id)
	if err != nil {
		return nil, err
	}
	registered, err := w.chain.Adapter(ctx, digest)
	if err != nil {
		return nil, err
	}
	if registered.Base != w.base {
		return nil, protocol.Errorf(protocol.KindInvalid, "adapter", "%s is for the base %s, this worker serves %s", id, registered.Base, w.base)
	}
	providers, err := ipfs.ParseProviders(sources)
	if err != nil {
		return nil, err
	}
	manifest, err := w.readManifest(ctx, id, providers)
	if err != nil {
		return nil, err
	}
	read := func(name string, limit int64) ([]byte, error) {
		b, err := w.ipfs.ReadFile(ctx, manifest.Files[name], providers, limit)
		if err != nil {
			return nil, fmt.Errorf("adapter %s: %s: %w", id, name, err)
		}
		return b, nil
	}
	config, err := read(adapterConfigFile, maxConfigBytes)
	if err != nil {
		return nil, err
	}
	tensors, err := read(adapterWeightsFile, maxWeightsBytes)
	if err != nil {
		return nil, err
	}
	raw, err := read(indexFile, maxIndexBytes)
	if err != nil {
		return nil, err
	}
	a := &adapter{onChain: registered, manifest: manifest}
	if a.lora, err = weights.ParsePEFT(config, tensors, w.cfg.Model.Config().Geometry()); err != nil {
		return nil, protocol.Errorf(protocol.KindCorrupt, "adapter", "%s: %w", id, err)
	}
	if a.index, err = attrib.Open(raw); err != nil {
		return nil, fmt.Errorf("adapter %s: %w", id, err)
	}
	weightsDigest, err := ipfs.Digest(manifest.Files[adapterWeightsFile])
	if err != nil {
		return nil, err
	}
	if a.index.Base() != w.base || a.index.Adapter() != weightsDigest || a.index.Root() != registered.DatanetRoot {
		return nil, protocol.Errorf(protocol.KindCorrupt, "adapter", "%s: its attribution index is of another base, adapter or datanet version", id)
	}
	if a.querier, err = a.index.Querier(w.cfg.Model, a.lora); err != nil {
		return nil, fmt.Errorf("adapter %s: %w", id, err)
	}
	w.log.Info("adapter opened", "adapter", id, "name", manifest.Name, "records", a.index.Len())
	w.poke()
	return a, nil
}

func (w *Worker) readManifest(ctx context.Context, id protocol.CID, providers []peer.AddrInfo) (protocol.AdapterManifest, error) {
	var m protocol.AdapterManifest
	b, err := w.ipfs.ReadFile(ctx, id, providers, maxManifestBytes)
	if err != nil {
		return m, fmt.Errorf("adapter %s: %w", id, err)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, protocol.Errorf(protocol.KindCorrupt, "adapter", "%s is not a manifest: %w", id, err)
	}
	for _, name := range []string{adapterConfigFile, adapterWeightsFile, indexFile} {
		if m.Files[name] == "" {
			return m, protocol.Errorf(protocol.KindCorrupt, "adapter", "%s: its manifest lists no %s", id, name)
		}
	}
	return m, nil
}
