package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/openledger/openledger/worker/engine/kvcache"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// adapters are those in the backend's memory, at most limit bytes of them.
type adapters struct {
	backend tensor.Backend
	limit   int64

	mu    sync.Mutex
	byKey map[string]*pinned
	bytes int64
	clock uint64
}

// pinned is one resident adapter. A nil one is the bare base.
type pinned struct {
	set    *adapters
	packed *lora.Packed
	kv     kvcache.Key
	pins   int    // requests that use it
	used   uint64 // clock of the last pin or load
}

func newAdapters(b tensor.Backend, limit int64) *adapters {
	return &adapters{backend: b, limit: limit, byKey: map[string]*pinned{}}
}

func (s *adapters) load(key string, a *lora.Adapter) error {
	if key == "" {
		return fmt.Errorf("%w: an adapter's key must not be empty", ErrInvalid)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.byKey[key]; p != nil {
		s.clock++
		p.used = s.clock
		return nil
	}
	need := int64(len(a.Flat)) * 4
	if err := s.makeRoom(key, need); err != nil {
		return err
	}
	packed, err := lora.Pack(s.backend, key, a)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	s.clock++
	s.byKey[key] = &pinned{set: s, packed: packed, kv: contentKey(a), used: s.clock}
	s.bytes += packed.Bytes()
	return nil
}

// makeRoom drops unpinned adapters, the one unused for longest first.
func (s *adapters) makeRoom(key string, need int64) error {
	free := s.limit - s.bytes
	for _, p := range s.byKey { // a sum: order does not matter
		if p.pins == 0 {
			free += p.packed.Bytes()
		}
	}
	if need > free {
		return fmt.Errorf("%w: %q needs %d bytes, at most %d of %d can be freed now: try again later, or give adapters more memory", ErrAdapterMemory, key, need, free, s.limit)
	}
	for s.bytes+need > s.limit {
		oldest := ""
		for k, p := range s.byKey { // the clock never gives a number twice
			if p.pins == 0 && (oldest == "" || p.used < s.byKey[oldest].used) {
				oldest = k
			}
		}
		s.drop(oldest)
	}
	return nil
}

func (s *adapters) drop(key string) {
	p := s.byKey[key]
	delete(s.byKey, key)
	s.bytes -= p.packed.Bytes()
	p.packed.Free()
}

func (s *adapters) unload(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.byKey[key]
	switch {
	case p == nil:
		return fmt.Errorf("%w: %q", ErrUnknownAdapter, key)
	case p.pins > 0:
		return fmt.Errorf("%w: %q serves %d requests", ErrAdapterInUse, key, p.pins)
	}
	s.drop(key)
	return nil
}

// pin holds an adapter for a request; release lets go.
func (s *adapters) pin(key string) (*pinned, error) {
	if key == "" {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.byKey[key]
	if p == nil {
		return nil, fmt.Errorf("%w: load %q first", ErrUnknownAdapter, key)
	}
	p.pins++
	s.clock++
	p.used = s.clock
	return p, nil
}

func (p *pinned) release() {
	if p == nil {
		return
	}
	p.set.mu.Lock()
	p.pins--
	p.set.mu.Unlock()
}

// weights is nil for the bare base.
func (p *pinned) weights() *lora.Packed {
	if p == nil {
		return nil
	}
	return p.packed
}

func (p *pinned) kvKey() kvcache.Key {
	if p == nil {
		return kvcache.Key{}
	}
	return p.kv
}

func (s *adapters) keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]string, 0, len(s.byKey))
	for k := range s.byKey {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func (s *adapters) size() (n int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byKey), s.bytes
}

// close frees all; nothing may be pinned.
func (s *adapters) close() {
	for _, k := range s.keys() {
		s.mu.Lock()
		s.drop(k)
		s.mu.Unlock()
	}
}

// contentKey names what the adapter computes, whatever it is called: KV is shared
// under it.
func contentKey(a *lora.Adapter) kvcache.Key {
	h := sha256.New()
	var b [4096]byte
	n := 0
	put := func(v uint32) {
		binary.LittleEndian.PutUint32(b[n:], v)
		if n += 4; n == len(b) {
			_, _ = h.Write(b[:]) // a hash never fails
			n = 0
		}
	}
	for i := range a.Pairs {
		p := &a.Pairs[i]
		put(uint32(p.Layer))
		put(uint32(p.Module))
		put(uint32(p.Rank))
		put(math.Float32bits(p.Scale))
	}
	for _, v := range a.Flat {
		put(math.Float32bits(v))
	}
	_, _ = h.Write(b[:n])
	var k kvcache.Key
	h.Sum(k[:0])
	return k
}
