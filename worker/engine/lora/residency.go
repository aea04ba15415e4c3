package lora

import (
	"container/list"
	"errors"
	"fmt"
	"sort"
	"sync"
)

// ErrNoRoom says that an adapter cannot be made resident now, because the adapters in use leave too little room. Wait
// until one is released.
var ErrNoRoom = errors.New("no room for the adapter: the resident ones are all in use")

// ErrTooLarge says that an adapter can never be made resident under the configured cap.
var ErrTooLarge = errors.New("the adapter is larger than the memory set aside for adapters")

// ResidencyConfig caps the set of resident adapters.
type ResidencyConfig struct {
	// MaxBytes is the memory for adapters; 0 means 1 GiB.
	MaxBytes int64
	// MaxAdapters is their largest number; 0 means no such cap.
	MaxAdapters int
}

// EnsureDefaults fills in zero values.
func (c *ResidencyConfig) EnsureDefaults() {
	if c.MaxBytes == 0 {
		c.MaxBytes = 1 << 30
	}
}

// Validate checks the caps.
func (c ResidencyConfig) Validate() error {
	if c.MaxBytes < 1 {
		return fmt.Errorf("adapter memory is %d bytes: it must be positive", c.MaxBytes)
	}
	if c.MaxAdapters < 0 {
		return fmt.Errorf("largest number of adapters is %d: it must not be negative", c.MaxAdapters)
	}
	return nil
}

// Residency is the set of adapters in memory, by content key, with the least recently used leaving first. An adapter
// that somebody holds is never evicted. It is safe for concurrent use.
type Residency struct {
	cfg ResidencyConfig

	mu    sync.Mutex
	byKey map[string]*resident
	idle  *list.List // of *resident without a holder, the least recently used in front
	stats ResidencyStats
}

type resident struct {
	p       *Packed
	holders int
	spot    *list.Element // in idle, or nil
}

// ResidencyStats describes the set.
type ResidencyStats struct {
	Adapters  int
	Held      int
	Bytes     int64
	HeldBytes int64
	Hits      uint64
	Misses    uint64
	Evictions uint64
}

// NewResidency makes an empty set.
func NewResidency(cfg ResidencyConfig) (*Residency, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Residency{cfg: cfg, byKey: map[string]*resident{}, idle: list.New()}, nil
}

// Acquire holds the adapter if it is resident. Every successful Acquire needs a Release.
func (r *Residency) Acquire(key string) (*Packed, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byKey[key]
	if e == nil {
		r.stats.Misses++
		return nil, false
	}
	r.stats.Hits++
	r.hold(e)
	return e.p, true
}

// Has says whether the adapter is resident, without touching it.
func (r *Residency) Has(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byKey[key] != nil
}

// Admit says whether an adapter of that size could be added now: nil, ErrNoRoom, or ErrTooLarge. Ask before loading.
func (r *Residency) Admit(bytes int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.admit(bytes)
}

func (r *Residency) admit(bytes int64) error {
	switch {
	case bytes > r.cfg.MaxBytes:
		return fmt.Errorf("%w: %d bytes, of %d", ErrTooLarge, bytes, r.cfg.MaxBytes)
	case r.stats.HeldBytes+bytes > r.cfg.MaxBytes, r.cfg.MaxAdapters > 0 && r.stats.Held >= r.cfg.MaxAdapters:
		return fmt.Errorf("%w: %d adapters with %d of %d bytes", ErrNoRoom, r.stats.Held, r.stats.HeldBytes, r.cfg.MaxBytes)
	}
	return nil
}

// Put adds an adapter, evicting idle ones as needed, and holds it. If one with its key is resident already, that one is
// held and returned, and p is freed. On an error p still belongs to the caller.
func (r *Residency) Put(p *Packed) (*Packed, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.byKey[p.key]; e != nil {
		if e.p != p {
			p.Free()
		}
		r.hold(e)
		return e.p, nil
	}
	if err := r.admit(p.bytes); err != nil {
		return nil, err
	}
	for r.stats.Bytes+p.bytes > r.cfg.MaxBytes || (r.cfg.MaxAdapters > 0 && r.stats.Adapters >= r.cfg.MaxAdapters) {
		r.evict(r.idle.Front().Value.(*resident))
	}
	e := &resident{p: p}
	r.byKey[p.key] = e
	r.stats.Adapters++
	r.stats.Bytes += p.bytes
	r.hold(e)
	return p, nil
}

// Release ends one hold.
func (r *Residency) Release(p *Packed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byKey[p.key]
	if e == nil || e.p != p || e.holders == 0 {
		panic("lora: release of an adapter that is not held: " + p.key)
	}
	e.holders--
	if e.holders == 0 {
		r.stats.Held--
		r.stats.HeldBytes -= p.bytes
		e.spot = r.idle.PushBack(e)
	}
}

// Evict drops an idle adapter; it says whether it did.
func (r *Residency) Evict(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byKey[key]
	if e == nil || e.holders > 0 {
		return false
	}
	r.evict(e)
	return true
}

// Keys lists the resident adapters: the held ones by key, then the idle ones, the next to be evicted last.
func (r *Residency) Keys() (held, idle []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, e := range r.byKey {
		if e.holders > 0 {
			held = append(held, k)
		}
	}
	sort.Strings(held)
	for s := r.idle.Back(); s != nil; s = s.Prev() {
		idle = append(idle, s.Value.(*resident).p.key)
	}
	return held, idle
}

// Stats describes the set.
func (r *Residency) Stats() ResidencyStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

func (r *Residency) hold(e *resident) {
	if e.spot != nil {
		r.idle.Remove(e.spot)
		e.spot = nil
	}
	if e.holders == 0 {
		r.stats.Held++
		r.stats.HeldBytes += e.p.bytes
	}
	e.holders++
}

func (r *Residency) evict(e *resident) {
	r.idle.Remove(e.spot)
	delete(r.byKey, e.p.key)
	r.stats.Adapters--
	r.stats.Bytes -= e.p.bytes
	r.stats.Evictions++
	e.p.Free()
}
