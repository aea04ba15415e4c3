package grammar

import (
	"fmt"
	"sync"

	"github.com/openledger/openledger/worker/engine/sample"
)

// Constraint is a grammar over a vocabulary, with what was computed for it so far. It is
// safe for concurrent use.
type Constraint struct {
	g *Grammar
	v *Vocabulary

	mu    sync.Mutex
	a     *automaton
	round int // how often a was started over
	path  []int32
}

// Constrain binds a grammar to a vocabulary.
func Constrain(g *Grammar, v *Vocabulary) *Constraint {
	return &Constraint{g: g, v: v, a: newAutomaton(g)}
}

// Matcher follows one output. It is not safe for concurrent use.
type Matcher struct {
	c     *Constraint
	at    int32
	round int
	bytes []byte // accepted
}

// NewMatcher starts an output.
func (c *Constraint) NewMatcher() (*Matcher, error) {
	m := &Matcher{c: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	return m, c.find(m)
}

// find gives a matcher its state in the automaton that is there now.
func (c *Constraint) find(m *Matcher) (err error) {
	m.round = c.round
	if m.at, err = c.a.start(); err != nil {
		return err
	}
	for _, b := range m.bytes {
		if m.at, err = c.a.step(m.at, c.g.class[b]); err != nil {
			return err
		}
	}
	return nil
}

// ready makes room if it is needed and brings the matcher up to date. c.mu is held.
func (c *Constraint) ready(m *Matcher) error {
	if c.a.full() {
		c.a = newAutomaton(c.g)
		c.round++
	}
	if m.round != c.round {
		return c.find(m)
	}
	return nil
}

// Mask is the set of tokens that may come next: those that go on, and those that end
// the output where it may end. It must not be changed. An empty one means that no token
// of the vocabulary can spell what must follow.
func (m *Matcher) Mask() (sample.Mask, error) {
	c := m.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ready(m); err != nil {
		return nil, err
	}
	if mask := c.a.sets[m.at].mask; mask != nil {
		return mask, nil
	}
	mask, err := c.mask(m.at)
	if err != nil { // too much was kept from before: once more, from nothing
		c.a = newAutomaton(c.g)
		c.round++
		if err := c.find(m); err != nil {
			return nil, err
		}
		if mask, err = c.mask(m.at); err != nil {
			return nil, err
		}
	}
	c.a.sets[m.at].mask = mask
	c.a.masks += 8 * len(mask)
	return mask, nil
}

// mask walks the vocabulary.
func (c *Constraint) mask(from int32) (sample.Mask, error) {
	v := c.v
	out := sample.NewMask(v.size)
	if c.a.sets[from].end {
		for _, id := range v.stops {
			out.Add(id)
		}
	}
	if len(c.path) <= v.depth {
		c.path = make([]int32, v.depth+1)
	}
	c.path[0] = from
	for i := 0; i < len(v.nodes); {
		n := &v.nodes[i]
		to, err := c.a.step(c.path[n.depth], c.g.class[n.b])
		if err != nil {
			return nil, err
		}
		if to == dead {
			i = int(n.skip)
			continue
		}
		c.path[n.depth+1] = to
		for _, id := range v.ids[n.first:n.last] {
			out.Add(id)
		}
		i++
	}
	return out, nil
}

// Accept follows one token. A token that the mask does not have is an error.
func (m *Matcher) Accept(id uint32) error {
	c := m.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ready(m); err != nil {
		return err
	}
	text := c.v.bytes(id)
	if len(text) == 0 {
		return fmt.Errorf("token %d is not part of a document", id)
	}
	at := m.at
	for _, b := range text {
		var err error
		if at, err = c.a.step(at, c.g.class[b]); err != nil {
			return err
		}
	}
	if at == dead {
		return fmt.Errorf("token %d does not fit the schema", id)
	}
	m.at, m.bytes = at, append(m.bytes, text...)
	return nil
}

// CanEnd says whether the output so far is a whole document.
func (m *Matcher) CanEnd() bool { return m.ask(func(s *set) bool { return s.end }) }

// Done says that nothing can follow a whole document.
func (m *Matcher) Done() bool { return m.ask(func(s *set) bool { return s.end && len(s.stacks) == 0 }) }

func (m *Matcher) ask(what func(*set) bool) bool {
	c := m.c
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ready(m) == nil && what(&c.a.sets[m.at])
}
