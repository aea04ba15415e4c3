package worker

import (
	"context"
	"errors"
	"sync"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/engine/lora"
)

// hostTier holds the adapters that this worker has open: values and attribution
// index, in host memory. Those on the device are there as well as here: a request
// needs both. What leaves is still on disk.
//
// An adapter is opened once, whoever asks; the opening goes on as long as somebody
// waits for it, and its memory is set aside before its files are read.
type hostTier struct {
	tier *lora.Residency[*adapter.Adapter]

	mu      sync.Mutex
	flights map[protocol.CID]*flight
}

// flight is one opening under way.
type flight struct {
	waiters int
	cancel  context.CancelFunc
	done    chan struct{}
	err     error
	left    bool // everybody had gone: err says nothing about the adapter
	held    bool // by the flight, until the last waiter has left
}

// opener opens an adapter. It calls reserve with the memory that it may take before
// it takes it, and returns what it takes.
type opener func(ctx context.Context, reserve func(bytes int64) error) (a *adapter.Adapter, bytes int64, err error)

func newHostTier(limit int64) (*hostTier, error) {
	tier, err := lora.NewResidency[*adapter.Adapter](lora.ResidencyConfig{MaxBytes: limit}, nil)
	if err != nil {
		return nil, err
	}
	return &hostTier{tier: tier, flights: map[protocol.CID]*flight{}}, nil
}

// acquire gives the adapter behind a CID, opening it if it must. It stays in memory
// until release is called.
func (s *hostTier) acquire(ctx context.Context, id protocol.CID, open opener) (a *adapter.Adapter, release func(), err error) {
	release = func() { s.tier.Release(string(id)) }
	for {
		a, f := s.join(ctx, id, open)
		if f == nil {
			return a, release, nil
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			s.leave(id, f)
			return nil, nil, context.Cause(ctx)
		}
		if f.err == nil {
			a, _ = s.tier.Hold(string(id)) // the flight holds it
		}
		s.leave(id, f)
		switch {
		case f.err == nil:
			return a, release, nil
		case !f.left:
			return nil, nil, f.err
		case ctx.Err() != nil:
			return nil, nil, context.Cause(ctx)
		}
	}
}

// join holds an adapter that is open; else it waits with the others for its opening,
// or starts it. All three are decided under one lock: between a look at the tier and
// one at the flights, an opening may end.
func (s *hostTier) join(ctx context.Context, id protocol.CID, open opener) (*adapter.Adapter, *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.tier.Acquire(string(id)); ok {
		return a, nil
	}
	f := s.flights[id]
	if f == nil {
		f = &flight{done: make(chan struct{})}
		var own context.Context
		own, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
		s.flights[id] = f
		go s.run(own, id, f, open)
	}
	f.waiters++
	return nil, f
}

func (s *hostTier) run(ctx context.Context, id protocol.CID, f *flight, open opener) {
	key, reserved := string(id), int64(-1)
	a, bytes, err := open(ctx, func(bytes int64) error {
		if err := s.tier.Reserve(key, bytes); err != nil {
			return protocol.Errorf(protocol.KindBusy, "adapter", "host memory: %w", err)
		}
		reserved = bytes
		return nil
	})
	if err == nil && reserved < 0 {
		err = errors.New("the adapter's memory was not reserved")
	}
	if err == nil {
		err = s.tier.Fill(key, a, min(bytes, reserved))
	}
	if err != nil && reserved >= 0 {
		s.tier.Abandon(key)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f.err, f.held = err, err == nil && f.waiters > 0
	delete(s.flights, id)
	if err == nil && !f.held {
		s.tier.Release(key)
	}
	f.cancel()
	close(f.done)
}

// leave ends one wait. The last one ends the opening, or the flight's hold.
func (s *hostTier) leave(id protocol.CID, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.waiters--; f.waiters > 0 {
		return
	}
	select {
	case <-f.done:
		if f.held {
			s.tier.Release(string(id))
		}
	default:
		f.left = true
		f.cancel()
	}
}
