package kvcache

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// check verifies the package's invariants against the sequences the test believes in.
func check(c *Cache, written map[Seq][]uint32) error {
	refs := make([]int, len(c.pages))
	for id, s := range c.seqs {
		if s.n > s.room || s.room != len(s.table)*c.cfg.PageSize {
			return fmt.Errorf("sequence %d: %d tokens, room %d, %d pages", id, s.n, s.room, len(s.table))
		}
		if s.n != len(written[id]) {
			return fmt.Errorf("sequence %d has %d tokens, want %d", id, s.n, len(written[id]))
		}
		for i, p := range s.table {
			refs[p]++
			if slices.Contains(s.table[:i], p) {
				return fmt.Errorf("sequence %d holds page %d twice", id, p)
			}
			if i >= s.n/c.cfg.PageSize && c.pages[p].refs != 1 { // still to be written
				return fmt.Errorf("sequence %d would write into page %d, which %d own", id, p, c.pages[p].refs)
			}
		}
	}
	state := make([]int, len(c.pages))
	for _, p := range c.free {
		state[p]++
		if c.pages[p].full || refs[p] != 0 {
			return fmt.Errorf("free page %d is in use", p)
		}
	}
	for e := c.lru.Front(); e != nil; e = e.Next() {
		p := e.Value.(int32)
		state[p]++
		if refs[p] != 0 || !c.pages[p].full {
			return fmt.Errorf("cached page %d is in use", p)
		}
	}
	for p, n := range refs {
		if n != c.pages[p].refs {
			return fmt.Errorf("page %d has %d owners but counts %d", p, n, c.pages[p].refs)
		}
		if n > 0 {
			state[p]++
		}
		if state[p] != 1 {
			return fmt.Errorf("page %d is in %d states: leaked or shared", p, state[p])
		}
		if c.pages[p].full && c.index[c.pages[p].hash] != int32(p) {
			return fmt.Errorf("page %d is not the one indexed", p)
		}
	}
	if st := c.Stats(); st.Free+st.Cached+st.Used != st.Pages {
		return fmt.Errorf("stats %+v do not add up", st)
	}
	return nil
}

// The memory itself: what each slot of each page holds. Reading a sequence through
// its table must give its own tokens, written under its own key.
type slot struct {
	key   Key
	chain string // all tokens up to and including this one
}

func TestInvariantsUnderRandomUse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ps := rapid.IntRange(1, 4).Draw(t, "page size")
		c, err := New(Config{Pages: rapid.IntRange(1, 12).Draw(t, "pages"), PageSize: ps})
		if err != nil {
			t.Fatal(err)
		}
		memory := make([]slot, c.cfg.Pages*ps)
		written, prompts, keys := map[Seq][]uint32{}, map[Seq][]uint32{}, map[Seq]Key{}
		ids := func() []Seq {
			var l []Seq
			for id := range written {
				l = append(l, id)
			}
			slices.Sort(l)
			return l
		}
		next := Seq(0)
		t.Repeat(map[string]func(*rapid.T){
			"open": func(t *rapid.T) {
				next++
				key := Key{byte(rapid.IntRange(0, 1).Draw(t, "key"))}
				prompt := rapid.SliceOfN(rapid.Uint32Range(0, 1), 1, 12).Draw(t, "prompt")
				n, err := c.Open(next, key, prompt)
				if err != nil {
					t.Fatal(err)
				}
				if n >= len(prompt) {
					t.Fatalf("reused the whole prompt of %d tokens", len(prompt))
				}
				written[next], prompts[next], keys[next] = slices.Clone(prompt[:n]), prompt, key
			},
			"write": func(t *rapid.T) {
				if len(written) == 0 {
					t.Skip()
				}
				id := rapid.SampledFrom(ids()).Draw(t, "sequence")
				rest := prompts[id]
				rest = rest[min(len(written[id]), len(rest)):]
				tokens := rapid.SliceOfN(rapid.Uint32Range(0, 1), 1, 5).Draw(t, "tokens")
				if len(rest) > 0 {
					tokens = rest[:rapid.IntRange(1, len(rest)).Draw(t, "chunk")]
				}
				before, can := c.Stats(), c.CanReserve(id, len(tokens))
				if err := c.Reserve(id, len(tokens)); err != nil {
					if !errors.Is(err, ErrFull) || can || before != c.Stats() {
						t.Fatalf("reserve: %v (can %v), stats %+v then %+v", err, can, before, c.Stats())
					}
					return
				}
				if !can {
					t.Fatal("reserved although it could not")
				}
				table := c.Table(id)
				for _, tok := range tokens {
					at := len(written[id])
					written[id] = append(written[id], tok)
					memory[int(table[at/ps])*ps+at%ps] = slot{keys[id], fmt.Sprint(written[id])}
				}
				if err := c.Commit(id, tokens); err != nil {
					t.Fatal(err)
				}
			},
			"close": func(t *rapid.T) {
				if len(written) == 0 {
					t.Skip()
				}
				id := rapid.SampledFrom(ids()).Draw(t, "sequence")
				c.Close(id)
				delete(written, id)
			},
			"forget": func(*rapid.T) { c.Forget() },
			"": func(t *rapid.T) {
				if err := check(c, written); err != nil {
					t.Fatal(err)
				}
				for _, id := range ids() {
					table := c.Table(id)
					for at := range written[id] {
						want := slot{keys[id], fmt.Sprint(written[id][:at+1])}
						if got := memory[int(table[at/ps])*ps+at%ps]; got != want {
							t.Fatalf("sequence %d position %d reads %v, want %v", id, at, got, want)
						}
					}
				}
			},
		})
		for _, id := range ids() {
			c.Close(id)
		}
		c.Forget()
		if st := c.Stats(); st.Free != st.Pages {
			t.Fatalf("pages leaked: %+v", st)
		}
	})
}

func TestPrefixIsReusedUnderTheSameAdapterOnly(t *testing.T) {
	c, err := New(Config{Pages: 8, PageSize: 4})
	if err != nil {
		t.Fatal(err)
	}
	prompt := []uint32{1, 2, 3, 4, 5, 6, 7, 8, 9}
	fill := func(id Seq, key Key) int {
		n, err := c.Open(id, key, prompt)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Reserve(id, len(prompt)-n); err != nil {
			t.Fatal(err)
		}
		if err := c.Commit(id, prompt[n:]); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := fill(1, Key{1}); n != 0 {
		t.Errorf("reused %d tokens of an empty cache", n)
	}
	if n := fill(2, Key{1}); n != 8 {
		t.Errorf("reused %d tokens, want 8", n)
	}
	if n := fill(3, Key{2}); n != 0 {
		t.Errorf("reused %d tokens across adapters", n)
	}
	if !slices.Equal(c.Table(1)[:2], c.Table(2)[:2]) || c.Table(1)[2] == c.Table(2)[2] {
		t.Errorf("tables %v and %v: want two shared pages and one own", c.Table(1), c.Table(2))
	}
	if err := c.Reserve(3, 100); !errors.Is(err, ErrFull) {
		t.Errorf("reserve beyond the cache: %v", err)
	}
	c.Close(1)
	c.Close(2)
	if n := fill(4, Key{1}); n != 8 {
		t.Errorf("reused %d tokens after closing, want 8", n)
	}
}

func TestMisuseIsRefused(t *testing.T) {
	c, err := New(Config{Pages: 2, PageSize: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Reserve(1, 1); err == nil {
		t.Error("reserved for an unknown sequence")
	}
	if _, err := c.Open(1, Key{}, []uint32{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Open(1, Key{}, []uint32{1}); err == nil {
		t.Error("opened twice")
	}
	if err := c.Commit(1, []uint32{1}); err == nil {
		t.Error("committed without room")
	}
	if err := c.Reserve(1, -1); err == nil {
		t.Error("reserved a negative number")
	}
	c.Close(9)
	if _, err := New(Config{Pages: 0}); err == nil {
		t.Error("a cache without pages")
	}
}
