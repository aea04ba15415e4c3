package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/openledger/openledger/worker/engine/kvcache"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// adapters is the device tier: packed adapters in the backend's memory. Packing is
// done outside every lock and never by the loop.
type adapters struct {
	backend tensor.Backend
	geom    lora.Geometry
	tier    *lora.Residency[*resident]
	poke    func() // the loop has something to look at

	mu      sync.Mutex
	loading map[string]*loading
	tasks   sync.WaitGroup // packing
}

// resident is an adapter on the device. A nil one is the bare base.
type resident struct {
	key    string
	packed *lora.Packed
	kv     kvcache.Key
}

// loading is one adapter on its way to the device: once, whoever waits for it.
type loading struct {
	jobs int // of the loop that wait for it; when it is there they find it held
	done bool
	end  chan struct{} // closed when done
	err  error
}

// errLoading: the adapter is being packed, poke will tell.
var errLoading = errors.New("the adapter is being loaded")

func newAdapters(b tensor.Backend, geom lora.Geometry, limit int64, poke func()) (*adapters, error) {
	tier, err := lora.NewResidency(lora.ResidencyConfig{MaxBytes: limit}, func(r *resident) { r.packed.Free() })
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	return &adapters{backend: b, geom: geom, tier: tier, poke: poke, loading: map[string]*loading{}}, nil
}

// check refuses what would fail in the batch.
func (s *adapters) check(key string, a *lora.Adapter) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: an adapter's key must not be empty", ErrInvalid)
	case a.Geom != s.geom:
		return fmt.Errorf("%w: adapter %q was made for a base with other layers or widths", ErrInvalid, key)
	}
	return nil
}

// load makes an adapter resident before it returns, if there is room now.
func (s *adapters) load(key string, a *lora.Adapter) error {
	if err := s.check(key, a); err != nil {
		return err
	}
	for {
		if s.tier.Has(key) {
			return nil
		}
		l, err := s.start(key, a, 0)
		if errors.Is(err, lora.ErrPresent) {
			continue // it has just come
		}
		if err != nil {
			return err
		}
		<-l.end
		return l.err
	}
}

// start reserves memory and packs in the background, or joins who does. jobs of the
// loop will come for it with want.
func (s *adapters) start(key string, a *lora.Adapter, jobs int) (*loading, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.loading[key]; l != nil {
		l.jobs += jobs
		return l, nil
	}
	if err := s.tier.Reserve(key, lora.PackedBytes(a)); err != nil {
		if errors.Is(err, lora.ErrPresent) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", ErrAdapterMemory, err)
	}
	l := &loading{jobs: jobs, end: make(chan struct{})}
	s.loading[key] = l
	s.tasks.Go(func() { s.run(key, a, l) })
	return l, nil
}

func (s *adapters) run(key string, a *lora.Adapter, l *loading) {
	packed, err := lora.Pack(s.backend, key, a)
	if err == nil {
		if err = s.tier.Fill(key, &resident{key: key, packed: packed, kv: contentKey(a)}, packed.Bytes()); err != nil {
			packed.Free()
		}
	}
	if err != nil {
		s.tier.Abandon(key)
		err = fmt.Errorf("%w: %w", ErrAdapterMemory, err)
	}
	s.mu.Lock()
	l.done, l.err = true, err
	if err != nil || l.jobs == 0 {
		delete(s.loading, key)
		if err == nil {
			s.tier.Release(key)
		}
	}
	close(l.end)
	s.mu.Unlock()
	s.poke()
}

// want gives a job of the loop its adapter, held, without waiting: errLoading while
// it is on its way, lora.ErrNoRoom while others hold the memory. The job's loads
// field remembers what it waits for.
func (s *adapters) want(j *job) error {
	if j.adapter != nil || j.req.Adapter == "" {
		return nil
	}
	if l := j.loads; l != nil {
		s.mu.Lock()
		done, err := l.done, l.err
		s.mu.Unlock()
		if !done {
			return errLoading
		}
		if err != nil {
			j.loads = nil
			return err
		}
		j.adapter, _ = s.tier.Hold(j.req.Adapter) // held by the load until the last of its jobs lets go
		s.leave(j)
		return nil
	}
	find := s.tier.Acquire
	if j.missed { // counted once, however often it asks
		find = s.tier.Hold
	}
	if r, ok := find(j.req.Adapter); ok {
		j.adapter = r
		return nil
	}
	j.missed = true
	l, err := s.start(j.req.Adapter, j.req.Weights, 1)
	if errors.Is(err, lora.ErrPresent) {
		return s.want(j)
	}
	if err != nil {
		return err
	}
	j.loads = l
	return errLoading
}

// leave ends a job's wait for its load. The last one to leave ends the load's hold.
func (s *adapters) leave(j *job) {
	l := j.loads
	if l == nil {
		return
	}
	j.loads = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.jobs--; l.jobs == 0 && l.done && l.err == nil {
		delete(s.loading, j.req.Adapter)
		s.tier.Release(j.req.Adapter)
	}
}

// release lets go of a job's adapter, or of its wait for one.
func (s *adapters) release(j *job) {
	s.leave(j)
	if j.adapter != nil {
		s.tier.Release(j.adapter.key)
		j.adapter = nil
	}
}

func (s *adapters) unload(key string) error {
	switch err := s.tier.Evict(key); {
	case errors.Is(err, lora.ErrAbsent):
		return fmt.Errorf("%w: %q", ErrUnknownAdapter, key)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrAdapterInUse, err)
	}
	return nil
}

// weights is nil for the bare base.
func (r *resident) weights() *lora.Packed {
	if r == nil {
		return nil
	}
	return r.packed
}

func (r *resident) kvKey() kvcache.Key {
	if r == nil {
		return kvcache.Key{}
	}
	return r.kv
}

// close frees all; no job may hold any.
func (s *adapters) close() {
	s.tasks.Wait()
	held, idle := s.tier.Keys()
	for _, k := range append(held, idle...) {
		s.tier.Unpin(k)
		// What stays is held by a caller of acquire that outlives the engine: a bug.
		_ = s.tier.Evict(k)
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
