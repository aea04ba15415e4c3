package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/engine"
	"github.com/openledger/openledger/worker/engine/lora"
)

// adapter gives an adapter ready to be asked: fetched by CID from whoever has it,
// checked, and in host memory until release is called. The engine takes it to the
// device when its request's turn comes.
func (w *Worker) adapter(ctx context.Context, id protocol.CID, sources []string) (a *adapter.Adapter, release func(), err error) {
	a, release, err = w.adapters.acquire(ctx, id, func(ctx context.Context, reserve func(int64) error) (*adapter.Adapter, int64, error) {
		providers, err := ipfs.ParseProviders(sources)
		if err != nil {
			return nil, 0, err
		}
		done, err := w.disk.use(ctx, id)
		if err != nil {
			return nil, 0, err
		}
		defer done()
		a, bytes, err := w.source.OpenWithin(ctx, id, providers, func(memory, files int64) error {
			if err := reserve(memory); err != nil {
				return err
			}
			return w.roomOnDisk(ctx, id, files)
		})
		if err != nil {
			return nil, 0, err
		}
		w.log.Info("adapter opened", "adapter", id, "name", a.Manifest.Name, "records", a.Index.Len(), "bytes", bytes)
		w.poke()
		return a, bytes, nil
	})
	switch {
	case err == nil:
		w.disk.touch(id)
	case errors.Is(err, adapter.ErrUnusable): // here as everywhere: nobody need try again
		err = protocol.Errorf(protocol.KindInvalid, "model", "%w", err)
	}
	return a, release, err
}

// roomOnDisk sees to it that an adapter's files may be fetched.
func (w *Worker) roomOnDisk(ctx context.Context, id protocol.CID, bytes int64) error {
	if w.disk.has(id) {
		return nil
	}
	if err := w.storeHasRoom(); err != nil {
		return err
	}
	return w.disk.room(ctx, id, bytes)
}

// storeHasRoom refuses what would make a store grow that has reached its bound. Answers
// with what is here, their receipts and settlement go on.
func (w *Worker) storeHasRoom() error {
	if size := w.cfg.DB.Size(); size > uint64(w.cfg.StoreBytes) {
		return protocol.Errorf(protocol.KindBusy, "", "this worker's store takes %d bytes of store_bytes=%d: ask another worker, or raise it in worker.json", size, w.cfg.StoreBytes)
	}
	return nil
}

// load brings an adapter to the device ahead of requests.
func (w *Worker) load(ctx context.Context, id protocol.CID, sources []string, pin bool) error {
	a, release, err := w.adapter(ctx, id, sources)
	if err != nil {
		return err
	}
	defer release()
	if err := ctx.Err(); err != nil { // whoever wanted it has gone
		return context.Cause(ctx)
	}
	if err := w.engine.LoadAdapter(string(id), a.LoRA); err != nil {
		return engineError(err)
	}
	defer w.poke()
	if !pin {
		return nil
	}
	if err := w.adapters.tier.Pin(string(id)); err != nil {
		return protocol.Errorf(protocol.KindBusy, "adapter", "host memory: %w", err)
	}
	if err := w.engine.Pin(string(id)); err != nil {
		w.adapters.tier.Unpin(string(id))
		return engineError(err)
	}
	return nil
}

// unpin lets an adapter go when its memory is needed.
func (w *Worker) unpin(id protocol.CID) {
	w.engine.Unpin(string(id))
	w.adapters.tier.Unpin(string(id))
}

// unload frees the memory of an adapter that no request uses, pinned or not. It
// stays on disk.
func (w *Worker) unload(id protocol.CID) error {
	w.unpin(id)
	defer w.poke()
	err := w.engine.Unload(string(id))
	if errors.Is(err, engine.ErrUnknownAdapter) {
		err = nil
	}
	if err != nil {
		return engineError(err)
	}
	if err = w.adapters.tier.Evict(string(id)); err != nil && !errors.Is(err, lora.ErrAbsent) {
		return protocol.Errorf(protocol.KindBusy, "adapter", "%w", err)
	}
	return nil
}

// inMemory says whether a memory tier has an adapter.
func (w *Worker) inMemory(id protocol.CID) bool {
	return w.adapters.tier.Has(string(id)) || w.engine.Has(string(id))
}

// tierOf says where an adapter is: the tier is that of what takes longest of all that
// a request needs.
func (w *Worker) tierOf(id protocol.CID) protocol.Tier {
	switch {
	case !w.adapters.tier.Has(string(id)) && !w.disk.has(id):
		return protocol.TierNetwork
	case !w.adapters.tier.Has(string(id)):
		return protocol.TierDisk
	case !w.engine.Has(string(id)):
		return protocol.TierHost
	}
	return protocol.TierDevice
}

// announced lists adapters, given the most recently used first, for an announcement:
// the warmest first.
func announced(known []protocol.CID, tierOf func(protocol.CID) protocol.Tier, limit int) []protocol.ResidentAdapter {
	var tiers [protocol.TierNetwork][]protocol.ResidentAdapter
	for _, id := range known {
		digest, err := ipfs.Digest(id)
		if err != nil {
			continue // it could not have been opened
		}
		t := tierOf(id)
		if t >= protocol.TierNetwork {
			continue // it has just left
		}
		tiers[t] = append(tiers[t], protocol.ResidentAdapter{Tag: protocol.AdapterTag(digest), Tier: t})
	}
	var out []protocol.ResidentAdapter
	for _, t := range tiers {
		out = append(out, t[:min(len(t), limit-len(out))]...)
	}
	return out
}

// recallDisk remembers which of the registry's adapters are in the content store from
// before this start.
func (w *Worker) recallDisk(ctx context.Context) error {
	registered, err := w.chain.Adapters(ctx)
	if err != nil {
		return fmt.Errorf("adapters of the registry: %w", err)
	}
	var ids []protocol.CID
	for _, a := range registered {
		if a.Base == w.base {
			ids = append(ids, a.CID)
		}
	}
	return w.disk.recall(ctx, ids)
}
