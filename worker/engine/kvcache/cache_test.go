package kvcache

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The invariants of the paged cache:
//   - no page is leaked: free, cached and owned pages partition all pages, and when
//     every sequence has ended and the cached ones are forgotten, all are free;
//   - no page is shared across adapters: what a sequence reads through its table is
//     what was written for its own key after its own tokens;
//   - reference counts are exact at every moment, also when a sequence ends at any
//     token (a cancel): a page counts the tables it is in;
//   - a page that is to be written has one owner;
//   - a refused operation changes nothing, down to the order of eviction.
//
// check verifies those about the structure against the sequences the test believes in.
func check(c *Cache, written map[Seq][]uint32) error {
	ps := c.cfg.PageSize
	refs := make([]int, len(c.pages))
	for id, s := range c.seqs {
		if s.n > len(s.table)*ps {
			return fmt.Errorf("sequence %d: %d tokens in %d pages", id, s.n, len(s.table))
		}
		if s.n != len(written[id]) {
			return fmt.Errorf("sequence %d has %d tokens, want %d", id, s.n, len(written[id]))
		}
		for i, p := range s.table {
			refs[p]++
			if slices.Contains(s.table[:i], p) {
				return fmt.Errorf("sequence %d holds page %d twice", id, p)
			}
			if i >= s.n/ps && c.pages[p].refs != 1 { // still to be written
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

// model is the cache in the plainest terms: which contents are known, who uses
// them, and which leave first.
type model struct {
	pages, ps int
	seqs      map[Seq]*modelSeq
	known     map[string]int // content -> sequences that hold the page known under it
	lru       []string       // contents that nobody holds, the first to leave in front
}

type modelSeq struct {
	key    Key
	room   int      // pages
	shared []string // contents, by page, of pages that are known; "" is a private one
}

func content(key Key, tokens []uint32) string { return fmt.Sprint(key, tokens) }

func (m *model) owned() int {
	n := 0
	for _, holders := range m.known {
		if holders > 0 {
			n++
		}
	}
	for _, s := range m.seqs {
		n += s.room
		for _, c := range s.shared {
			if c != "" {
				n--
			}
		}
	}
	return n
}

// admit predicts what Admit returns; -1: full.
func (m *model) admit(id Seq, key Key, prompt []uint32, tokens int) int {
	s := &modelSeq{key: key, room: (tokens + m.ps - 1) / m.ps}
	fromLRU := 0
	for at := m.ps; at < len(prompt); at += m.ps {
		c := content(key, prompt[:at])
		holders, ok := m.known[c]
		if !ok {
			break
		}
		if holders == 0 {
			fromLRU++
		}
		s.shared = append(s.shared, c)
	}
	if m.owned()+fromLRU+s.room-len(s.shared) > m.pages {
		return -1
	}
	for _, c := range s.shared {
		m.known[c]++
		m.lru = slices.DeleteFunc(m.lru, func(o string) bool { return o == c })
	}
	m.seqs[id] = s
	for m.owned()+len(m.lru) > m.pages {
		delete(m.known, m.lru[0])
		m.lru = m.lru[1:]
	}
	return len(s.shared) * m.ps
}

// full says that the sequence's tokens up to the end of a page are written.
func (m *model) full(id Seq, tokens []uint32) {
	s := m.seqs[id]
	c := content(s.key, tokens)
	if _, ok := m.known[c]; ok {
		s.shared = append(s.shared, "")
		return
	}
	m.known[c] = 1
	s.shared = append(s.shared, c)
}

func (m *model) close(id Seq) {
	s := m.seqs[id]
	delete(m.seqs, id)
	for _, c := range slices.Backward(s.shared) {
		if c == "" {
			continue
		}
		if m.known[c]--; m.known[c] == 0 {
			m.lru = append(m.lru, c)
		}
	}
}

func TestCacheAgainstTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ps := rapid.IntRange(1, 4).Draw(t, "page size")
		c, err := New(Config{Pages: rapid.IntRange(1, 12).Draw(t, "pages"), PageSize: ps})
		if err != nil {
			t.Fatal(err)
		}
		m := &model{pages: c.cfg.Pages, ps: ps, seqs: map[Seq]*modelSeq{}, known: map[string]int{}}
		memory := make([]slot, c.cfg.Pages*ps)
		type live struct {
			key    Key
			prompt []uint32
			tokens int
		}
		written, seqs := map[Seq][]uint32{}, map[Seq]live{}
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
			"admit": func(t *rapid.T) {
				next++
				key := Key{byte(rapid.IntRange(0, 1).Draw(t, "key"))}
				prompt := rapid.SliceOfN(rapid.Uint32Range(0, 1), 1, 12).Draw(t, "prompt")
				tokens := len(prompt) + rapid.IntRange(0, 6).Draw(t, "more")
				want := m.admit(next, key, prompt, tokens)
				before := c.Stats()
				n, err := c.Admit(next, key, prompt, tokens)
				if want < 0 {
					if !errors.Is(err, ErrFull) || before != c.Stats() {
						t.Fatalf("admit: %v, want ErrFull; stats %+v then %+v", err, before, c.Stats())
					}
					return
				}
				if err != nil || n != want || n >= len(prompt) {
					t.Fatalf("admit of %d tokens: reused %d, %v; the model reuses %d", len(prompt), n, err, want)
				}
				written[next], seqs[next] = slices.Clone(prompt[:n]), live{key, prompt, tokens}
			},
			"write": func(t *rapid.T) {
				if len(written) == 0 {
					t.Skip()
				}
				id := rapid.SampledFrom(ids()).Draw(t, "sequence")
				s := seqs[id]
				room := s.tokens - len(written[id])
				if room == 0 {
					t.Skip()
				}
				tokens := rapid.SliceOfN(rapid.Uint32Range(0, 1), 1, room).Draw(t, "tokens")
				if rest := s.prompt[min(len(written[id]), len(s.prompt)):]; len(rest) > 0 {
					tokens = rest[:rapid.IntRange(1, len(rest)).Draw(t, "chunk")]
				}
				table := c.Table(id)
				for _, tok := range tokens {
					at := len(written[id])
					written[id] = append(written[id], tok)
					memory[int(table[at/ps])*ps+at%ps] = slot{s.key, fmt.Sprint(written[id])}
					if len(written[id])%ps == 0 {
						m.full(id, written[id])
					}
				}
				if err := c.Commit(id, tokens); err != nil {
					t.Fatal(err)
				}
				if c.Len(id) != len(written[id]) {
					t.Fatalf("length %d, want %d", c.Len(id), len(written[id]))
				}
			},
			"close": func(t *rapid.T) { // at any token: finished or cancelled
				if len(written) == 0 {
					t.Skip()
				}
				id := rapid.SampledFrom(ids()).Draw(t, "sequence")
				c.Close(id)
				m.close(id)
				delete(written, id)
				delete(seqs, id)
			},
			"forget": func(*rapid.T) {
				c.Forget()
				for _, k := range m.lru {
					delete(m.known, k)
				}
				m.lru = nil
			},
			"": func(t *rapid.T) {
				if err := check(c, written); err != nil {
					t.Fatal(err)
				}
				if st := c.Stats(); st.Cached != len(m.lru) || st.Used != m.owned() || st.Sequences != len(m.seqs) {
					t.Fatalf("stats %+v, the model has %d cached, %d used, %d sequences", st, len(m.lru), m.owned(), len(m.seqs))
				}
				for _, id := range ids() {
					table := c.Table(id)
					for at := range written[id] {
						want := slot{seqs[id].key, fmt.Sprint(written[id][:at+1])}
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
		n, err := c.Admit(id, key, prompt, len(prompt))
		if err != nil {
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
	c.Close(1)
	c.Close(2)
	if n := fill(4, Key{1}); n != 8 {
		t.Errorf("reused %d tokens after closing, want 8", n)
	}
}

func TestRefusedAdmissionLeavesTheOrderOfEviction(t *testing.T) {
	c, err := New(Config{Pages: 3, PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	for id, tok := range []uint32{1, 2, 3} {
		if _, err := c.Admit(Seq(id), Key{}, []uint32{tok}, 1); err != nil {
			t.Fatal(err)
		}
		if err := c.Commit(Seq(id), []uint32{tok}); err != nil {
			t.Fatal(err)
		}
		c.Close(Seq(id))
	}
	// It finds page 1, but does not fit: page 1 is still the oldest.
	if _, err := c.Admit(9, Key{}, []uint32{1, 7}, 4); !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	if _, err := c.Admit(10, Key{}, []uint32{8}, 1); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Admit(11, Key{}, []uint32{1, 7}, 2); n != 0 || err != nil {
		t.Errorf("reused %d, %v: the oldest page should have gone", n, err)
	}
}

func TestMisuseIsRefused(t *testing.T) {
	c, err := New(Config{Pages: 2, PageSize: 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Admit(1, Key{}, []uint32{1}, 0); err == nil {
		t.Error("admitted without room for the prompt")
	}
	if _, err := c.Admit(1, Key{}, []uint32{1}, 5); !errors.Is(err, ErrFull) {
		t.Errorf("admitted more than the cache: %v", err)
	}
	if _, err := c.Admit(1, Key{}, []uint32{1}, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Admit(1, Key{}, []uint32{1}, 1); err == nil {
		t.Error("opened twice")
	}
	if err := c.Commit(1, []uint32{1, 2, 3}); err == nil {
		t.Error("committed without room")
	}
	if err := c.Commit(7, nil); err == nil {
		t.Error("committed to an unknown sequence")
	}
	c.Close(9)
	if _, err := New(Config{Pages: 0}); err == nil {
		t.Error("a cache without pages")
	}
}

func TestCommitDoesNotAllocate(t *testing.T) {
	c, err := New(Config{Pages: 64, PageSize: 16})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Admit(1, Key{}, []uint32{1}, 64*16); err != nil {
		t.Fatal(err)
	}
	token := []uint32{5}
	n := testing.AllocsPerRun(500, func() {
		if err := c.Commit(1, token); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations per token", n)
	}
}
