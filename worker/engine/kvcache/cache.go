package kvcache

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

type chain [32]byte // hash of a key and of all tokens up to the end of a page

type page struct {
	refs int
	hash chain         // valid if known
	elem *list.Element // in the LRU list while cached
	full bool          // indexed under hash
}

type sequence struct {
	table []int32  // pages in order
	n     int      // tokens whose KV is written (or reused)
	tail  []uint32 // tokens of the last, incomplete page
	hash  chain    // of the full pages
	alone bool     // shares nothing
}

// Cache allocates pages to sequences.
type Cache struct {
	cfg   Config
	pages []page
	free  []int32 // stack; the lowest numbers are on top at first
	lru   *list.List
	index map[chain]int32
	seqs  map[Seq]*sequence
	stats Stats

	found   []int32 // scratch
	scratch []byte
}

// New makes an empty cache.
func New(cfg Config) (*Cache, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &Cache{cfg: cfg, pages: make([]page, cfg.Pages), lru: list.New(), index: make(map[chain]int32, min(cfg.Pages, 1<<20)), seqs: map[Seq]*sequence{}}
	for i := cfg.Pages - 1; i >= 0; i-- {
		c.free = append(c.free, int32(i))
	}
	return c, nil
}

// Config of the cache.
func (c *Cache) Config() Config { return c.cfg }

// Stats now.
func (c *Cache) Stats() Stats {
	s := c.stats
	s.Pages, s.PageSize = c.cfg.Pages, c.cfg.PageSize
	s.Free, s.Cached = len(c.free), c.lru.Len()
	s.Used = s.Pages - s.Free - s.Cached
	s.Sequences = len(c.seqs)
	return s
}

// Admit starts a sequence that will hold at most tokens tokens, its prompt among them: it reuses cached pages of the
// prompt and reserves the rest, all or nothing. It returns how many tokens need no computing; at least the last prompt
// token always does, because its logits are wanted. On an error, ErrFull among them, nothing has changed.
func (c *Cache) Admit(id Seq, key Key, prompt []uint32, tokens int) (reused int, err error) {
	if _, ok := c.seqs[id]; ok {
		return 0, fmt.Errorf("kvcache: sequence %d is open already", id)
	}
	if tokens < len(prompt) {
		return 0, fmt.Errorf("kvcache: sequence %d wants room for %d tokens, its prompt has %d", id, tokens, len(prompt))
	}
	ps := c.cfg.PageSize
	hash, cached := root(key), 0
	c.found = c.found[:0]
	for at := 0; at+ps < len(prompt); at += ps {
		h := c.next(hash, prompt[at:at+ps])
		p, ok := c.index[h]
		if !ok {
			break
		}
		if c.pages[p].refs == 0 {
			cached++ // it leaves the ones that could be taken
		}
		c.found = append(c.found, p)
		hash = h
	}
	need := (tokens+ps-1)/ps - len(c.found)
	if need > len(c.free)+c.lru.Len()-cached {
		return 0, ErrFull
	}
	s := &sequence{hash: hash, n: len(c.found) * ps, table: make([]int32, 0, len(c.found)+need), tail: make([]uint32, 0, ps)}
	for _, p := range c.found {
		c.acquire(p)
		s.table = append(s.table, p)
	}
	for range need {
		s.table = append(s.table, c.take())
	}
	c.seqs[id] = s
	c.stats.Queries += uint64(len(prompt))
	c.stats.Hits += uint64(s.n)
	return s.n, nil
}

// AdmitAlone starts a sequence of at most tokens tokens that neither reuses cached pages
// nor leaves any: every one of its tokens is computed. On an error, ErrFull among them,
// nothing has changed.
func (c *Cache) AdmitAlone(id Seq, tokens int) error {
	if _, ok := c.seqs[id]; ok {
		return fmt.Errorf("kvcache: sequence %d is open already", id)
	}
	ps := c.cfg.PageSize
	need := (tokens + ps - 1) / ps
	if need > len(c.free)+c.lru.Len() {
		return ErrFull
	}
	s := &sequence{alone: true, table: make([]int32, 0, need)}
	for range need {
		s.table = append(s.table, c.take())
	}
	c.seqs[id] = s
	return nil
}

// Commit says that the KV of these tokens, which follow the ones before, has been
// written into reserved room. Pages that become full can be shared from now on.
func (c *Cache) Commit(id Seq, tokens []uint32) error {
	s, err := c.seq(id)
	if err != nil {
		return err
	}
	ps := c.cfg.PageSize
	if room := len(s.table) * ps; s.n+len(tokens) > room {
		return fmt.Errorf("kvcache: sequence %d commits %d tokens, but has room for %d", id, len(tokens), room-s.n)
	}
	if s.alone {
		s.n += len(tokens)
		return nil
	}
	for _, t := range tokens {
		s.tail = append(s.tail, t)
		s.n++
		if len(s.tail) < ps {
			continue
		}
		s.hash = c.next(s.hash, s.tail)
		s.tail = s.tail[:0]
		p := s.table[s.n/ps-1]
		if _, ok := c.index[s.hash]; !ok { // else an equal page is indexed; ours stays private
			c.pages[p].hash, c.pages[p].full = s.hash, true
			c.index[s.hash] = p
		}
	}
	return nil
}

// Table is the block table of a sequence: page i holds its tokens
// [i*PageSize, (i+1)*PageSize). The slice is valid until the next call.
func (c *Cache) Table(id Seq) []int32 {
	if s, ok := c.seqs[id]; ok {
		return s.table
	}
	return nil
}

// Len is the number of tokens whose KV is written.
func (c *Cache) Len(id Seq) int {
	if s, ok := c.seqs[id]; ok {
		return s.n
	}
	return 0
}

// Close ends a sequence: pages nobody else owns become cached if they are full
// and indexed, and free otherwise. Closing an unknown sequence does nothing.
func (c *Cache) Close(id Seq) {
	s, ok := c.seqs[id]
	if !ok {
		return
	}
	delete(c.seqs, id)
	// Last pages first: a prefix outlives what builds on it.
	for i := len(s.table) - 1; i >= 0; i-- {
		c.release(s.table[i])
	}
}

// Forget drops all cached pages without an owner.
func (c *Cache) Forget() {
	for c.lru.Len() > 0 {
		c.free = append(c.free, c.evict())
	}
}

func (c *Cache) seq(id Seq) (*sequence, error) {
	s, ok := c.seqs[id]
	if !ok {
		return nil, fmt.Errorf("kvcache: no sequence %d", id)
	}
	return s, nil
}

func (c *Cache) acquire(p int32) {
	pg := &c.pages[p]
	if pg.elem != nil {
		c.lru.Remove(pg.elem)
		pg.elem = nil
	}
	pg.refs++
}

func (c *Cache) release(p int32) {
	pg := &c.pages[p]
	if pg.refs--; pg.refs > 0 {
		return
	}
	if pg.full {
		pg.elem = c.lru.PushBack(p)
		return
	}
	c.free = append(c.free, p)
}

// take returns a page owned once; the caller has checked that there is one.
func (c *Cache) take() int32 {
	var p int32
	if n := len(c.free); n > 0 {
		p = c.free[n-1]
		c.free = c.free[:n-1]
	} else {
		p = c.evict()
	}
	c.pages[p].refs = 1
	return p
}

// evict forgets the cached page unused for longest.
func (c *Cache) evict() int32 {
	p := c.lru.Remove(c.lru.Front()).(int32)
	pg := &c.pages[p]
	delete(c.index, pg.hash)
	*pg = page{}
	return p
}

func root(key Key) chain { return sha256.Sum256(key[:]) }

// next is the chain's hash after one more page.
func (c *Cache) next(h chain, tokens []uint32) chain {
	b := append(c.scratch[:0], h[:]...)
	for _, t := range tokens {
		b = binary.LittleEndian.AppendUint32(b, t)
	}
	c.scratch = b
	return sha256.Sum256(b)
}
