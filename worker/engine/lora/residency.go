package lora

import (
	"container/list"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Why an adapter is not let into a tier, or not out of it.
var (
	// ErrNoRoom: the adapters in use leave too little room. Wait until one is released.
	ErrNoRoom = errors.New("no room for the adapter")
	// ErrTooLarge: it does not fit beside the pinned ones, however long one waits.
	ErrTooLarge = errors.New("the adapter is larger than the memory set aside for adapters")
	// ErrPresent: the adapter is there already, or is being loaded.
	ErrPresent = errors.New("the adapter is resident already")
	// ErrAbsent: the adapter is not there.
	ErrAbsent = errors.New("the adapter is not resident")
	// ErrHeld: somebody uses the adapter, or it is pinned.
	ErrHeld = errors.New("the adapter is in use")
)

// ResidencyConfig caps one tier.
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

// Residency is one tier of adapters, by content key: what is in its memory, who holds it, and what leaves next. An
// adapter comes in two steps, Reserve before its bytes are there and Fill when they are, so that the cap holds at every
// moment, loads under way included. The least recently used leaves first; what is held, pinned or being loaded never
// does. It is safe for concurrent use, and nothing in it waits.
type Residency[V any] struct {
	cfg  ResidencyConfig
	free func(V)

	mu    sync.Mutex
	byKey map[string]*resident[V]
	idle  *list.List // of *resident[V] that may leave, the least recently used in front
	claim string
	stats ResidencyStats
}

type resident[V any] struct {
	key     string
	v       V
	bytes   int64
	holders int
	pinned  bool
	loading bool
	spot    *list.Element // in idle, or nil
}

func (e *resident[V]) stays() bool { return e.holders > 0 || e.pinned || e.loading }

// ResidencyStats describes a tier.
type ResidencyStats struct {
	Adapters    int   // resident ones, without those being loaded
	Loading     int   // reserved, not yet filled
	Held        int   // that can't leave now: held, pinned or being loaded
	Pinned      int   // by the operator
	Bytes       int64 // loads under way included
	HeldBytes   int64
	PinnedBytes int64
	MaxBytes    int64
	Hits        uint64 // Acquire found it
	Misses      uint64
	Loads       uint64 // Fill
	Evictions   uint64 // to make room; Evict is not counted
}

// NewResidency makes an empty tier. free, which may be nil, is called with what leaves.
func NewResidency[V any](cfg ResidencyConfig, free func(V)) (*Residency[V], error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if free == nil {
		free = func(V) {}
	}
	return &Residency[V]{cfg: cfg, free: free, byKey: map[string]*resident[V]{}, idle: list.New()}, nil
}

// Acquire holds the adapter if it is resident, and counts whether it was. Every successful Acquire needs a Release.
func (r *Residency[V]) Acquire(key string) (v V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok = r.hold(key); ok {
		r.stats.Hits++
	} else {
		r.stats.Misses++
	}
	return v, ok
}

// Hold is Acquire for who was counted before.
func (r *Residency[V]) Hold(key string) (v V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hold(key)
}

func (r *Residency[V]) hold(key string) (v V, ok bool) {
	e := r.byKey[key]
	if e == nil || e.loading {
		return v, false
	}
	r.change(e, func() { e.holders++ })
	return e.v, true
}

// Has says whether the adapter is resident, without touching it.
func (r *Residency[V]) Has(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byKey[key]
	return e != nil && !e.loading
}

// Claim keeps what room becomes free for one key: until Claim is called with another, or with none, Reserve refuses
// every other key.
func (r *Residency[V]) Claim(key string) {
	r.mu.Lock()
	r.claim = key
	r.mu.Unlock()
}

// Reserve sets bytes aside for an adapter that is to be loaded, dropping idle ones as needed. On an error nothing has
// changed. Every successful Reserve needs a Fill or an Abandon.
func (r *Residency[V]) Reserve(key string, bytes int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byKey[key] != nil {
		return fmt.Errorf("%w: %q", ErrPresent, key)
	}
	if err := r.admit(key, bytes); err != nil {
		return err
	}
	r.makeRoom(bytes)
	e := &resident[V]{key: key, bytes: bytes}
	r.byKey[key] = e
	r.stats.Bytes += bytes
	r.stats.Loading++
	r.change(e, func() { e.loading = true })
	return nil
}

func (r *Residency[V]) admit(key string, bytes int64) error {
	s := &r.stats
	switch {
	case bytes < 0 || s.PinnedBytes+bytes > r.cfg.MaxBytes:
		return fmt.Errorf("%w: %q needs %d bytes of %d, of which %d are pinned: give adapters more memory, or unpin some",
			ErrTooLarge, key, bytes, r.cfg.MaxBytes, s.PinnedBytes)
	case r.claim != "" && r.claim != key:
		return fmt.Errorf("%w: %q waits, room is kept for %q, which has waited longer", ErrNoRoom, key, r.claim)
	case s.HeldBytes+bytes > r.cfg.MaxBytes, r.cfg.MaxAdapters > 0 && s.Held >= r.cfg.MaxAdapters:
		return fmt.Errorf("%w: %q needs %d bytes, %d adapters in use hold %d of %d: try again later, or give adapters more memory",
			ErrNoRoom, key, bytes, s.Held, s.HeldBytes, r.cfg.MaxBytes)
	}
	return nil
}

// makeRoom drops idle adapters until bytes more fit; admit has said that they will.
func (r *Residency[V]) makeRoom(bytes int64) {
	for r.stats.Bytes+bytes > r.cfg.MaxBytes || (r.cfg.MaxAdapters > 0 && len(r.byKey) >= r.cfg.MaxAdapters) {
		r.drop(r.idle.Front().Value.(*resident[V]))
		r.stats.Evictions++
	}
}

// Fill completes a reservation with what it was for, held once. bytes is what it takes in truth, at most what was
// reserved: more is refused, and then v and the reservation are the caller's still.
func (r *Residency[V]) Fill(key string, v V, bytes int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byKey[key]
	switch {
	case e == nil || !e.loading:
		return fmt.Errorf("%w: %q was not reserved", ErrAbsent, key)
	case bytes > e.bytes:
		return fmt.Errorf("%w: %q takes %d bytes, %d were reserved", ErrTooLarge, key, bytes, e.bytes)
	}
	r.stats.Bytes -= e.bytes - bytes
	r.stats.HeldBytes -= e.bytes - bytes
	r.stats.Loading--
	r.stats.Adapters++
	r.stats.Loads++
	e.v, e.bytes, e.loading, e.holders = v, bytes, false, 1
	return nil
}

// Abandon gives a reservation back.
func (r *Residency[V]) Abandon(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byKey[key]
	if e == nil || !e.loading {
		panic("lora: end of a load that was not reserved: " + key)
	}
	delete(r.byKey, key)
	r.stats.Bytes -= e.bytes
	r.stats.HeldBytes -= e.bytes
	r.stats.Held--
	r.stats.Loading--
}

// Release ends one hold.
func (r *Residency[V]) Release(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byKey[key]
	if e == nil || e.holders == 0 {
		panic("lora: release of an adapter that is not held: " + key)
	}
	r.change(e, func() { e.holders-- })
}

// Pin keeps a resident adapter until Unpin. Pins may take half of the tier, so that other adapters can still be served.
func (r *Residency[V]) Pin(key string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byKey[key]
	switch {
	case e == nil || e.loading:
		return fmt.Errorf("%w: load %q first", ErrAbsent, key)
	case e.pinned:
		return nil
	case r.stats.PinnedBytes+e.bytes > r.cfg.MaxBytes/2:
		return fmt.Errorf("%w: with %q %d bytes would be pinned, of %d at most half may be: unpin another, or give adapters more memory",
			ErrNoRoom, key, r.stats.PinnedBytes+e.bytes, r.cfg.MaxBytes)
	}
	r.stats.Pinned++
	r.stats.PinnedBytes += e.bytes
	r.change(e, func() { e.pinned = true })
	return nil
}

// Unpin ends a pin; it says whether there was one.
func (r *Residency[V]) Unpin(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byKey[key]
	if e == nil || !e.pinned {
		return false
	}
	r.stats.Pinned--
	r.stats.PinnedBytes -= e.bytes
	r.change(e, func() { e.pinned = false })
	return true
}

// Evict drops an idle adapter.
func (r *Residency[V]) Evict(key string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byKey[key]
	switch {
	case e == nil:
		return fmt.Errorf("%w: %q", ErrAbsent, key)
	case e.pinned:
		return fmt.Errorf("%w: %q is pinned: unpin it first", ErrHeld, key)
	case e.stays():
		return fmt.Errorf("%w: %q serves %d requests, or is being loaded: try again later", ErrHeld, key, e.holders)
	}
	r.drop(e)
	return nil
}

// Keys lists the resident adapters: those in use by key, then the idle ones, the next to leave last.
func (r *Residency[V]) Keys() (held, idle []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, e := range r.byKey {
		if e.stays() && !e.loading {
			held = append(held, k)
		}
	}
	slices.Sort(held)
	for s := r.idle.Back(); s != nil; s = s.Prev() {
		idle = append(idle, s.Value.(*resident[V]).key)
	}
	return held, idle
}

// Stats describes the tier.
func (r *Residency[V]) Stats() ResidencyStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.MaxBytes = r.cfg.MaxBytes
	return s
}

// Pinned says whether the operator pinned the adapter.
func (r *Residency[V]) Pinned(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byKey[key]
	return e != nil && e.pinned
}

// change does what may move an adapter between idle and staying, and keeps the sums.
func (r *Residency[V]) change(e *resident[V], f func()) {
	before := e.stays()
	f()
	switch after := e.stays(); {
	case before && !after:
		r.stats.Held--
		r.stats.HeldBytes -= e.bytes
		e.spot = r.idle.PushBack(e)
	case !before && after:
		r.stats.Held++
		r.stats.HeldBytes += e.bytes
		if e.spot != nil {
			r.idle.Remove(e.spot)
			e.spot = nil
		}
	}
}

func (r *Residency[V]) drop(e *resident[V]) {
	r.idle.Remove(e.spot)
	delete(r.byKey, e.key)
	r.stats.Adapters--
	r.stats.Bytes -= e.bytes
	r.free(e.v)
}
