package worker

import (
	"context"
	"slices"
	"sync"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/adapter"
)

// maxOpenAdapters bounds the adapters that are held in memory with their indices.
const maxOpenAdapters = 64

// adapterSet holds the adapters that this worker has opened. Opening is done once
// per adapter, also when many requests ask for it at the same time.
type adapterSet struct {
	mu     sync.Mutex
	open   map[protocol.CID]*opening
	recent []protocol.CID // least recently used first
}

type opening struct {
	done chan struct{}
	a    *adapter.Adapter
	err  error
}

// get gives the adapter behind a CID, opening it if it must.
func (s *adapterSet) get(ctx context.Context, id protocol.CID, open func(context.Context) (*adapter.Adapter, error)) (*adapter.Adapter, error) {
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
		out = append(out, protocol.ResidentAdapter{Tag: protocol.AdapterTag(o.a.Registered.Digest), Tier: tier})
	}
	return out
}

// adapter makes an adapter ready: fetched by CID from whoever has it, checked, and
// resident in the engine.
func (w *Worker) adapter(ctx context.Context, id protocol.CID, sources []string) (*adapter.Adapter, error) {
	a, err := w.adapters.get(ctx, id, func(ctx context.Context) (*adapter.Adapter, error) {
		providers, err := ipfs.ParseProviders(sources)
		if err != nil {
			return nil, err
		}
		a, err := w.source.Open(ctx, id, providers)
		if err != nil {
			return nil, err
		}
		w.log.Info("adapter opened", "adapter", id, "name", a.Manifest.Name, "records", a.Index.Len())
		w.poke()
		return a, nil
	})
	if err != nil {
		return nil, err
	}
	if err := w.engine.LoadAdapter(string(id), a.LoRA); err != nil {
		return nil, engineError(err)
	}
	return a, nil
}
