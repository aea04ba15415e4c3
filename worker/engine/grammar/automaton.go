package grammar

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/openledger/openledger/worker/engine/sample"
)

// ErrTooComplex says that following the grammar takes more memory than is allowed.
var ErrTooComplex = errors.New("the schema is too ambiguous to follow: make alternatives differ earlier, or patterns simpler")

const (
	maxSet      = 512     // stacks at once
	maxSets     = 1 << 15 // deterministic states kept
	maxMaskSize = 8 << 20 // bytes of masks kept
)

const (
	unknown = -1 // not computed yet
	dead    = 0  // the state of no stack at all
	bottom  = -1 // below a stack
)

// stack is its top state and the stack below, both by number, so that equal stacks are
// the same number.
type stack struct{ state, below int32 }

// automaton makes sets of stacks into deterministic states as they are met.
type automaton struct {
	g      *Grammar
	stacks []stack
	ids    map[stack]int32
	sets   []set
	setIDs map[string]int32
	masks  int // bytes

	seen  []uint32 // by stack: the closure that saw it last
	round uint32
	todo  []int32
	top   []int32
	key   []byte
}

type set struct {
	stacks []int32 // sorted; each has a byte to consume
	end    bool    // the document may end here
	next   []int32 // by class of byte
	mask   sample.Mask
}

func newAutomaton(g *Grammar) *automaton {
	a := &automaton{g: g, ids: map[stack]int32{}, setIDs: map[string]int32{}}
	a.sets = append(a.sets, a.newSet(nil, false)) // dead
	a.setIDs["0"] = dead
	return a
}

func (a *automaton) newSet(stacks []int32, end bool) set {
	s := set{stacks: slices.Clone(stacks), end: end, next: make([]int32, a.g.classes)}
	for i := range s.next {
		s.next[i] = unknown
	}
	return s
}

func (a *automaton) stack(state, below int32) int32 {
	k := stack{state, below}
	id, ok := a.ids[k]
	if !ok {
		id = int32(len(a.stacks))
		a.ids[k] = id
		a.stacks = append(a.stacks, k)
		a.seen = append(a.seen, 0)
	}
	return id
}

// start is the state before the first byte.
func (a *automaton) start() (int32, error) {
	a.begin()
	a.visit(a.stack(a.g.rules[a.g.root].start, bottom))
	return a.close()
}

// step consumes one byte of a class.
func (a *automaton) step(from int32, class uint8) (int32, error) {
	if to := a.sets[from].next[class]; to != unknown {
		return to, nil
	}
	c := a.g.sample[class]
	a.begin()
	for _, id := range a.sets[from].stacks {
		at := a.stacks[id]
		for _, e := range a.g.states[at.state].edges {
			if e.lo <= c && c <= e.hi {
				a.visit(a.stack(e.to, at.below))
			}
		}
	}
	to, err := a.close()
	if err == nil {
		a.sets[from].next[class] = to
	}
	return to, err
}

func (a *automaton) begin() {
	a.round++
	a.todo, a.top = a.todo[:0], a.top[:0]
}

func (a *automaton) visit(id int32) {
	if a.seen[id] != a.round {
		a.seen[id] = a.round
		a.todo = append(a.todo, id)
	}
}

// close follows what consumes nothing: joins, calls and returns.
func (a *automaton) close() (int32, error) {
	end := false
	for n := 0; len(a.todo) > 0; n++ {
		if n > 64*maxSet {
			return dead, ErrTooComplex
		}
		id := a.todo[len(a.todo)-1]
		a.todo = a.todo[:len(a.todo)-1]
		at := a.stacks[id]
		s := &a.g.states[at.state]
		if len(s.edges) > 0 {
			a.top = append(a.top, id)
		}
		for _, to := range s.eps {
			a.visit(a.stack(to, at.below))
		}
		for _, c := range s.calls {
			below := at.below
			if r := &a.g.states[c.ret]; !r.final || len(r.edges)+len(r.eps)+len(r.calls) > 0 {
				below = a.stack(c.ret, at.below)
			}
			a.visit(a.stack(a.g.rules[c.rule].start, below))
		}
		switch {
		case !s.final:
		case at.below == bottom:
			end = true
		default:
			a.visit(at.below)
		}
	}
	if len(a.top) > maxSet {
		return dead, ErrTooComplex
	}
	slices.Sort(a.top)
	a.key = a.key[:0]
	if end {
		a.key = append(a.key, '1')
	} else {
		a.key = append(a.key, '0')
	}
	for _, id := range a.top {
		a.key = binary.LittleEndian.AppendUint32(a.key, uint32(id))
	}
	if id, ok := a.setIDs[string(a.key)]; ok {
		return id, nil
	}
	if len(a.sets) >= 2*maxSets {
		return dead, ErrTooComplex
	}
	id := int32(len(a.sets))
	a.sets = append(a.sets, a.newSet(a.top, end))
	a.setIDs[string(a.key)] = id
	return id, nil
}

// full says that it is time to start over.
func (a *automaton) full() bool { return len(a.sets) > maxSets || a.masks > maxMaskSize }
