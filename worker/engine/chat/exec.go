package chat

import (
	"errors"
	"fmt"
)

// What a statement asks of the loop around it.
var (
	errBreak    = errors.New("break")
	errContinue = errors.New("continue")
)

func (r *run) exec(list []stmt) error {
	r.depth++
	defer func() { r.depth-- }()
	if r.depth > maxEval {
		return fmt.Errorf("%w: evaluation is nested more than %d deep", ErrLimit, maxEval)
	}
	for _, s := range list {
		err := r.step(1)
		if err == nil {
			err = r.execOne(s)
		}
		if err != nil {
			if err == errBreak || err == errContinue { //nolint:errorlint // never wrapped: they pass through the statements only
				return err
			}
			return fault(s, err)
		}
	}
	return nil
}

// print adds to the output, or to what is being captured.
func (r *run) print(t Text) error {
	if err := r.alloc(len(t.marks), len(t.s)); err != nil {
		return err
	}
	if r.out.len()+len(t.s) > r.limits.Output {
		return fmt.Errorf("%w: over %d bytes of output", ErrLimit, r.limits.Output)
	}
	r.out.add(t)
	return nil
}

// capture gives what f prints.
func (r *run) capture(f func() error) (Text, error) {
	outer := r.out
	r.out = &builder{}
	err := f()
	t := r.out.text()
	r.out = outer
	return t, err
}

// scoped runs f in a scope of its own.
func (r *run) scoped(f func() error) error {
	outer := r.frame
	r.push()
	err := f()
	r.frame = outer
	return err
}

func (r *run) execOne(s stmt) error {
	switch s := s.(type) {
	case *data:
		return r.print(Text{s: s.text})
	case *output:
		for _, e := range s.exprs {
			v, err := r.eval(e)
			if err != nil {
				return err
			}
			t, err := r.str(v)
			if err != nil {
				return err
			}
			if err := r.print(t); err != nil {
				return err
			}
		}
		return nil
	case *branch:
		for i, t := range s.tests {
			v, err := r.eval(t)
			if err != nil {
				return err
			}
			if truth(v) {
				return r.exec(s.bodies[i])
			}
		}
		return r.exec(s.orelse)
	case *forLoop:
		items, err := r.eval(s.iter)
		if err != nil {
			return err
		}
		return r.loop(s, items, 0)
	case *assign:
		v, err := r.eval(s.x)
		if err != nil {
			return err
		}
		return r.bind(s.target, v)
	case *assignBlock:
		var t Text
		err := r.scoped(func() (err error) {
			t, err = r.capture(func() error { return r.exec(s.body) })
			return err
		})
		if err != nil {
			return err
		}
		v, err := r.filters(s.filters, t)
		if err != nil {
			return err
		}
		return r.bind(s.target, v)
	case *macroDef:
		r.frame.vars[s.name] = &macro{s, r.frame}
		return nil
	case *scope:
		values, err := r.evalAll(s.values)
		if err != nil {
			return err
		}
		return r.scoped(func() error {
			for i, t := range s.targets {
				if err := r.bind(t, values[i]); err != nil {
					return err
				}
			}
			return r.exec(s.body)
		})
	case *filterBlock:
		return r.scoped(func() error {
			t, err := r.capture(func() error { return r.exec(s.body) })
			if err != nil {
				return err
			}
			v, err := r.filters(s.filters, t)
			if err != nil {
				return err
			}
			if t, err = r.str(v); err != nil {
				return err
			}
			return r.print(t)
		})
	case *jump:
		if s.isBreak {
			return errBreak
		}
		return errContinue
	}
	return fmt.Errorf("a %T is no statement", s)
}

func (r *run) filters(list []*filter, v value) (value, error) {
	for _, f := range list {
		var err error
		if v, err = r.filter(f, v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// bind assigns to a name, a tuple of names or a namespace.
func (r *run) bind(target expr, v value) error {
	switch t := target.(type) {
	case *name:
		r.frame.vars[t.id] = v
		return nil
	case *nsTarget:
		ns, ok := r.lookup(t.ns).(*namespace)
		if !ok {
			return fmt.Errorf("%q is not a namespace: only a namespace's attributes can be set", t.ns)
		}
		if err := r.alloc(3, len(t.id)); err != nil {
			return err
		}
		ns.attrs.setName(t.id, v)
		return nil
	case *sequence:
		items, err := r.iterate(v)
		if u, ok := v.(*undefined); ok {
			err = u.err()
		}
		if err != nil {
			return err
		}
		if len(items) != len(t.items) {
			return fmt.Errorf("%d values for %d names", len(items), len(t.items))
		}
		for i, it := range t.items {
			if err := r.bind(it, items[i]); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("a %T cannot be assigned to", target)
}

// loop is the variable "loop" of a for.
type loop struct {
	stmt    *forLoop
	frame   *frame // where the loop stands
	items   []value
	at      int
	depth   int
	changed value
}

func (r *run) loop(s *forLoop, over value, depth int) error {
	outer := r.frame
	defer func() { r.frame = outer }()
	items, err := r.iterate(over)
	if err != nil {
		return err
	}
	if s.filter != nil {
		if items, err = r.loopFilter(s, items); err != nil {
			return err
		}
	}
	l := &loop{stmt: s, frame: outer, items: items, depth: depth, changed: &undefined{"nothing"}}
	for i, it := range items {
		if err := r.alloc(4, 0); err != nil {
			return err
		}
		l.at = i
		r.frame = outer
		r.push()
		if err := r.bind(s.target, it); err != nil {
			return err
		}
		r.frame.vars["loop"] = l
		err := r.exec(s.body)
		if err == errBreak { //nolint:errorlint // as in exec
			break
		}
		if err != nil && err != errContinue { //nolint:errorlint // as in exec
			return err
		}
	}
	r.frame = outer
	if len(items) == 0 {
		return r.scoped(func() error { return r.exec(s.orelse) })
	}
	return nil
}

func (r *run) loopFilter(s *forLoop, items []value) ([]value, error) {
	if err := r.alloc(len(items), 0); err != nil {
		return nil, err
	}
	var kept []value
	for _, it := range items {
		ok := false
		err := r.scoped(func() error {
			if err := r.bind(s.target, it); err != nil {
				return err
			}
			v, err := r.eval(s.filter)
			ok = err == nil && truth(v)
			return err
		})
		if err != nil {
			return nil, err
		}
		if ok {
			kept = append(kept, it)
		}
	}
	return kept, nil
}

func (l *loop) attr(id string) value {
	n := len(l.items)
	switch id {
	case "index":
		return int64(l.at + 1)
	case "index0":
		return int64(l.at)
	case "revindex":
		return int64(n - l.at)
	case "revindex0":
		return int64(n - l.at - 1)
	case "first":
		return l.at == 0
	case "last":
		return l.at == n-1
	case "length":
		return int64(n)
	case "depth":
		return int64(l.depth + 1)
	case "depth0":
		return int64(l.depth)
	case "previtem":
		if l.at > 0 {
			return l.items[l.at-1]
		}
		return &undefined{"the item before the first"}
	case "nextitem":
		if l.at+1 < n {
			return l.items[l.at+1]
		}
		return &undefined{"the item after the last"}
	case "cycle", "changed":
		return &method{recv: l, name: id}
	}
	return &undefined{fmt.Sprintf("%q of a loop", id)}
}

// macro is a function of the template.
type macro struct {
	def   *macroDef
	frame *frame
}

func (r *run) callMacro(m *macro, a args) (value, error) {
	d := m.def
	r.calls++
	defer func() { r.calls-- }()
	if r.calls > r.limits.Calls {
		return nil, fmt.Errorf("%w: macro %q is called over %d deep", ErrLimit, d.name, r.limits.Calls)
	}
	if err := r.alloc(2*len(d.params)+4, 0); err != nil {
		return nil, err
	}
	outer := r.frame
	defer func() { r.frame = outer }()
	r.frame = m.frame
	r.push()
	bound := map[string]bool{}
	for i, v := range a.pos {
		if i >= len(d.params) {
			return nil, fmt.Errorf("macro %q takes at most %d arguments", d.name, len(d.params))
		}
		r.frame.vars[d.params[i]] = v
		bound[d.params[i]] = true
	}
	known := map[string]bool{}
	for _, p := range d.params {
		known[p] = true
	}
	for i, id := range a.names {
		if !known[id] {
			return nil, fmt.Errorf("macro %q has no parameter %q", d.name, id)
		}
		if bound[id] {
			return nil, fmt.Errorf("macro %q got %q twice", d.name, id)
		}
		r.frame.vars[id] = a.named[i]
		bound[id] = true
	}
	first := len(d.params) - len(d.defaults)
	for i, p := range d.params {
		if bound[p] {
			continue
		}
		r.frame.vars[p] = &undefined{fmt.Sprintf("parameter %q", p)}
		if i >= first {
			v, err := r.eval(d.defaults[i-first])
			if err != nil {
				return nil, err
			}
			r.frame.vars[p] = v
		}
	}
	t, err := r.capture(func() error { return r.exec(d.body) })
	return t, err
}
