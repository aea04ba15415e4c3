package lora

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The invariants of a tier:
//   - the bytes of all, loads under way included, never exceed the cap;
//   - what is held, pinned or being loaded never leaves, and what leaves is freed once;
//   - among the rest, the least recently used leaves first, and only when it must;
//   - a refused operation changes nothing, and a claim keeps room for one key only.
func TestResidency_InvariantsUnderRandomUse(t *testing.T) {
	type entry struct {
		bytes   int64
		holders int
		pinned  bool
		loading bool
	}
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(1, 40).Draw(t, "cap")
		most := rapid.IntRange(0, 5).Draw(t, "most")
		model := map[string]*entry{}
		var lru []string // idle ones, least recently used first
		claim := ""
		var mustStay func(string) bool
		r, err := NewResidency(ResidencyConfig{MaxBytes: limit, MaxAdapters: most}, func(k string) {
			if mustStay(k) {
				t.Fatalf("%s left while it was in use", k)
			}
			if len(lru) == 0 || lru[0] != k {
				t.Fatalf("%s left, idle are %v", k, lru)
			}
			lru = lru[1:]
			delete(model, k)
		})
		if err != nil {
			t.Fatal(err)
		}
		stays := func(e *entry) bool { return e.holders > 0 || e.pinned || e.loading }
		mustStay = func(k string) bool { return model[k] == nil || stays(model[k]) }
		settle := func(k string) { // k may have become idle, or the opposite
			lru = slices.DeleteFunc(lru, func(o string) bool { return o == k })
			if e := model[k]; e != nil && !stays(e) {
				lru = append(lru, k)
			}
		}
		key := func(t *rapid.T) string {
			return rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "key")
		}
		held := func() (n int, bytes, pinned int64) {
			for _, e := range model {
				if stays(e) {
					n++
					bytes += e.bytes
				}
				if e.pinned {
					pinned += e.bytes
				}
			}
			return n, bytes, pinned
		}
		t.Repeat(map[string]func(*rapid.T){
			"reserve": func(t *rapid.T) {
				k, bytes := key(t), rapid.Int64Range(0, 20).Draw(t, "bytes")
				n, hb, pb := held()
				want := error(nil)
				switch {
				case model[k] != nil:
					want = ErrPresent
				case pb+bytes > limit:
					want = ErrTooLarge
				case claim != "" && claim != k, hb+bytes > limit, most > 0 && n >= most:
					want = ErrNoRoom
				}
				before := r.Stats()
				if err := r.Reserve(k, bytes); !errors.Is(err, want) {
					t.Fatalf("reserve %s %d: %v, want %v", k, bytes, err, want)
				}
				if want != nil {
					if before != r.Stats() {
						t.Fatal("a refused reserve changed something")
					}
					return
				}
				model[k] = &entry{bytes: bytes, loading: true}
			},
			"fill": func(t *rapid.T) {
				k := key(t)
				less := rapid.Int64Range(-1, 3).Draw(t, "less")
				e := model[k]
				if e == nil || !e.loading {
					if err := r.Fill(k, k, 0); !errors.Is(err, ErrAbsent) {
						t.Fatalf("fill of nothing: %v", err)
					}
					return
				}
				bytes := max(e.bytes-less, 0)
				before, err := r.Stats(), r.Fill(k, k, bytes)
				if bytes > e.bytes {
					if !errors.Is(err, ErrTooLarge) || before != r.Stats() {
						t.Fatalf("filled with more than reserved: %v", err)
					}
					r.Abandon(k)
					delete(model, k)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				e.bytes, e.loading, e.holders = bytes, false, 1
			},
			"acquire": func(t *rapid.T) {
				k := key(t)
				v, ok := r.Acquire(k)
				if e := model[k]; ok != (e != nil && !e.loading) || ok && v != k {
					t.Fatalf("acquire %s: %v %q", k, ok, v)
				} else if ok {
					e.holders++
					settle(k)
				}
			},
			"release": func(t *rapid.T) {
				k := key(t)
				if e := model[k]; e != nil && e.holders > 0 {
					r.Release(k)
					if e.holders--; !stays(e) {
						settle(k)
					}
				}
			},
			"pin": func(t *rapid.T) {
				k := key(t)
				_, _, pb := held()
				err := r.Pin(k)
				switch e := model[k]; {
				case e == nil || e.loading:
					if !errors.Is(err, ErrAbsent) {
						t.Fatal(err)
					}
				case !e.pinned && pb+e.bytes > limit/2:
					if !errors.Is(err, ErrNoRoom) {
						t.Fatal(err)
					}
				case err != nil:
					t.Fatal(err)
				default:
					e.pinned = true
					settle(k)
				}
			},
			"unpin": func(t *rapid.T) {
				k := key(t)
				e := model[k]
				if got := r.Unpin(k); got != (e != nil && e.pinned) {
					t.Fatalf("unpin %s: %v", k, got)
				} else if got {
					if e.pinned = false; !stays(e) {
						settle(k)
					}
				}
			},
			"evict": func(t *rapid.T) {
				k := key(t)
				e := model[k]
				if e != nil && !stays(e) { // to the front: the free hook expects it there
					lru = append([]string{k}, slices.DeleteFunc(lru, func(o string) bool { return o == k })...)
				}
				err := r.Evict(k)
				if e == nil && !errors.Is(err, ErrAbsent) || e != nil && stays(e) && !errors.Is(err, ErrHeld) || e != nil && !stays(e) && err != nil {
					t.Fatalf("evict %s: %v", k, err)
				}
			},
			"claim": func(t *rapid.T) {
				claim = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "claim")
				r.Claim(claim)
			},
			"": func(t *rapid.T) {
				var bytes int64
				resident, loading, pinned := 0, 0, 0
				for k, e := range model {
					bytes += e.bytes
					if e.loading {
						loading++
					} else {
						resident++
					}
					if e.pinned {
						pinned++
					}
					if r.Has(k) != !e.loading || r.Pinned(k) != e.pinned {
						t.Fatalf("%s: has %v, pinned %v", k, r.Has(k), r.Pinned(k))
					}
				}
				n, hb, pb := held()
				s := r.Stats()
				if bytes > limit || s.Bytes != bytes || s.HeldBytes != hb || s.Held != n || s.PinnedBytes != pb || s.Pinned != pinned ||
					s.Adapters != resident || s.Loading != loading || s.MaxBytes != limit {
					t.Fatalf("stats %+v; the truth is %d bytes, %d held with %d, %d pinned with %d, %d resident, %d loading", s, bytes, n, hb, pinned, pb, resident, loading)
				}
				_, idle := r.Keys()
				slices.Reverse(idle)
				if !slices.Equal(idle, lru) {
					t.Fatalf("idle %v, want %v", idle, lru)
				}
			},
		})
	})
}

func TestResidency_Moves(t *testing.T) {
	var left []string
	r, err := NewResidency(ResidencyConfig{MaxBytes: 300}, func(k string) { left = append(left, k) })
	if err != nil {
		t.Fatal(err)
	}
	put := func(key string) {
		t.Helper()
		if err := errors.Join(r.Reserve(key, 100), r.Fill(key, key, 100)); err != nil {
			t.Fatalf("put %s: %v", key, err)
		}
	}
	expect := func(held, idle string) {
		t.Helper()
		h, i := r.Keys()
		if fmt.Sprint(h) != held || fmt.Sprint(i) != idle {
			t.Fatalf("held %v idle %v, want %v and %v", h, i, held, idle)
		}
	}
	put("a")
	put("b")
	put("c")
	expect("[a b c]", "[]")
	if err := r.Reserve("d", 1); !errors.Is(err, ErrNoRoom) {
		t.Fatalf("reserve while all are held: %v", err)
	}
	if err := r.Reserve("d", 301); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("reserve of more than the cap: %v", err)
	}
	r.Release("a")
	r.Release("b")
	expect("[c]", "[b a]")
	if _, ok := r.Acquire("a"); !ok {
		t.Fatal("a is not resident")
	}
	r.Release("a")
	expect("[c]", "[a b]")
	put("d") // b was used longest ago
	expect("[c d]", "[a]")
	if fmt.Sprint(left) != "[b]" {
		t.Fatalf("%v left", left)
	}
	if err := r.Pin("a"); err != nil {
		t.Fatal(err)
	}
	expect("[a c d]", "[]")
	if err := r.Pin("c"); !errors.Is(err, ErrNoRoom) {
		t.Fatalf("pinned more than half: %v", err)
	}
	if err := r.Evict("a"); !errors.Is(err, ErrHeld) {
		t.Fatalf("evicted a pinned one: %v", err)
	}
	if !r.Unpin("a") || r.Unpin("a") {
		t.Fatal("unpin")
	}
	if err := r.Evict("a"); err != nil {
		t.Fatal(err)
	}
	if s := r.Stats(); s.Adapters != 2 || s.Held != 2 || s.Bytes != 200 || s.Evictions != 1 || s.Hits != 1 || s.Loads != 4 {
		t.Fatalf("stats are %+v", s)
	}
}
