package grammar

import "fmt"

// state of a rule's automaton.
type state struct {
	edges []edge
	eps   []int32
	calls []call
	final bool // the rule may end here
}

// edge consumes one byte.
type edge struct {
	lo, hi byte
	to     int32
}

// call runs a rule and goes on at ret.
type call struct{ rule, ret int32 }

type rule struct {
	start, end int32
	at         string // where it comes from, for errors
}

// builder adds states and rules. Once it is full it goes on adding to state 0, so that
// callers need not check every step: the result is thrown away.
type builder struct {
	states []state
	rules  []rule
	full   bool
	memo   map[string]int32 // rules that many places share
}

func newBuilder() *builder { return &builder{states: make([]state, 1), memo: map[string]int32{}} }

func (b *builder) state() int32 {
	if len(b.states) >= maxStates {
		b.full = true
		return 0
	}
	b.states = append(b.states, state{})
	return int32(len(b.states) - 1)
}

func (b *builder) newRule(at string) int32 {
	r := rule{start: b.state(), end: b.state(), at: at}
	b.states[r.end].final = true
	b.rules = append(b.rules, r)
	return int32(len(b.rules) - 1)
}

func (b *builder) edge(from int32, lo, hi byte, to int32) {
	s := &b.states[from]
	s.edges = append(s.edges, edge{lo, hi, to})
}

func (b *builder) join(from, to int32) {
	if from != to {
		b.states[from].eps = append(b.states[from].eps, to)
	}
}

func (b *builder) call(from, rule, to int32) {
	b.states[from].calls = append(b.states[from].calls, call{rule, to})
}

// then calls a rule and gives the state after it.
func (b *builder) then(from, rule int32) int32 {
	to := b.state()
	b.call(from, rule, to)
	return to
}

// text spells s and gives the state after it.
func (b *builder) text(from int32, s string) int32 {
	for i := range len(s) {
		to := b.state()
		b.edge(from, s[i], s[i], to)
		from = to
	}
	return from
}

// texts spells any of the strings, common beginnings once.
func (b *builder) texts(from, to int32, all []string) {
	ends := map[string]int32{"": from}
	for _, s := range all {
		at := from
		for i := range len(s) {
			next, ok := ends[s[:i+1]]
			if !ok {
				next = b.state()
				b.edge(at, s[i], s[i], next)
				ends[s[:i+1]] = next
			}
			at = next
		}
		b.join(at, to)
	}
}

// shared gives a rule that is built once.
func (b *builder) shared(name string, build func(start, end int32)) int32 {
	if r, ok := b.memo[name]; ok {
		return r
	}
	r := b.newRule("")
	b.memo[name] = r
	build(b.rules[r].start, b.rules[r].end)
	return r
}

// finish removes what can't lead to an end, and checks that rules do not call
// themselves before they consume anything.
func (b *builder) finish(root int32) (*Grammar, error) {
	if b.full {
		return nil, &Error{Reason: fmt.Sprintf("it needs more than %d states: lower bounds such as maxLength and maxItems, or leave them out", maxStates)}
	}
	if !b.trim()[root] {
		return nil, &Error{Reason: "no finite document fits it"}
	}
	if err := b.checkRecursion(); err != nil {
		return nil, err
	}
	g := &Grammar{states: b.states, rules: b.rules, root: root}
	g.classify()
	return g, nil
}

// trim finds the rules that can end, and drops edges and calls that can't.
func (b *builder) trim() (productive []bool) {
	productive = make([]bool, len(b.rules))
	alive := make([]bool, len(b.states)) // can reach the end of its rule
	for changed := true; changed; {
		changed = false
		for i := len(b.states) - 1; i >= 0; i-- {
			if alive[i] {
				continue
			}
			s := &b.states[i]
			ok := s.final
			for _, e := range s.edges {
				ok = ok || alive[e.to]
			}
			for _, to := range s.eps {
				ok = ok || alive[to]
			}
			for _, c := range s.calls {
				ok = ok || productive[c.rule] && alive[c.ret]
			}
			if ok {
				alive[i], changed = true, true
			}
		}
		for i, r := range b.rules {
			if !productive[i] && alive[r.start] {
				productive[i], changed = true, true
			}
		}
	}
	for i := range b.states {
		s := &b.states[i]
		s.edges = keep(s.edges, func(e edge) bool { return alive[e.to] })
		s.eps = keep(s.eps, func(to int32) bool { return alive[to] })
		s.calls = keep(s.calls, func(c call) bool { return productive[c.rule] && alive[c.ret] })
	}
	return productive
}

func keep[T any](in []T, ok func(T) bool) []T {
	out := in[:0]
	for _, v := range in {
		if ok(v) {
			out = append(out, v)
		}
	}
	return out
}

// checkRecursion refuses a rule that can call itself before it has consumed a byte: its
// stack would grow without end.
func (b *builder) checkRecursion() error {
	nullable := make([]bool, len(b.rules))
	// first visits the states that a rule reaches without consuming.
	first := func(r int32, visit func(at *state)) {
		seen := map[int32]bool{}
		todo := []int32{b.rules[r].start}
		for len(todo) > 0 {
			i := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if seen[i] {
				continue
			}
			seen[i] = true
			s := &b.states[i]
			visit(s)
			todo = append(todo, s.eps...)
			for _, c := range s.calls {
				if nullable[c.rule] {
					todo = append(todo, c.ret)
				}
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for r := range b.rules {
			was := nullable[r]
			first(int32(r), func(s *state) { nullable[r] = nullable[r] || s.final })
			changed = changed || nullable[r] != was
		}
	}
	const unseen, open, done = 0, 1, 2
	mark := make([]int, len(b.rules))
	var visit func(r int32) error
	visit = func(r int32) error {
		mark[r] = open
		var err error
		first(r, func(s *state) {
			for _, c := range s.calls {
				switch {
				case err != nil:
				case mark[c.rule] == open:
					err = &Error{Pointer: b.rules[c.rule].at, Keyword: "$ref", Reason: "leads back to itself with nothing in between"}
				case mark[c.rule] == unseen:
					err = visit(c.rule)
				}
			}
		})
		mark[r] = done
		return err
	}
	for r := range b.rules {
		if mark[r] == unseen {
			if err := visit(int32(r)); err != nil {
				return err
			}
		}
	}
	return nil
}

// classify finds which bytes no edge tells apart.
func (g *Grammar) classify() {
	var starts [257]bool
	for _, s := range g.states {
		for _, e := range s.edges {
			starts[e.lo], starts[int(e.hi)+1] = true, true
		}
	}
	for c := range 256 {
		if c == 0 || starts[c] {
			g.sample = append(g.sample, byte(c))
		}
		g.class[c] = uint8(len(g.sample) - 1)
	}
	g.classes = len(g.sample)
}
