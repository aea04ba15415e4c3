package chat

import (
	"errors"
	"fmt"
	"slices"
)

// args are the evaluated arguments of a call.
type args struct {
	pos   []value
	names []string
	named []value
}

func (r *run) args(a *arguments) (args, error) {
	var out args
	var err error
	if len(a.pos) > 0 {
		if out.pos, err = r.evalAll(a.pos); err != nil {
			return out, err
		}
	}
	if a.star != nil {
		v, err := r.eval(a.star)
		if err != nil {
			return out, err
		}
		items, err := r.iterate(v)
		if err != nil {
			return out, err
		}
		if err := r.alloc(len(items), 0); err != nil {
			return out, err
		}
		out.pos = append(out.pos, items...)
	}
	out.names = slices.Clone(a.names)
	if len(a.named) > 0 {
		if out.named, err = r.evalAll(a.named); err != nil {
			return out, err
		}
	}
	if a.dict != nil {
		v, err := r.eval(a.dict)
		if err != nil {
			return out, err
		}
		d, ok := v.(*dict)
		if !ok {
			return out, fmt.Errorf("what follows ** is a %s, not a mapping", typeName(v))
		}
		if err := r.alloc(2*len(d.keys), 0); err != nil {
			return out, err
		}
		for i, k := range d.keys {
			id, ok := k.(Text)
			if !ok || slices.Contains(a.names, id.s) {
				return out, errors.New("what follows ** has a key that cannot be a parameter")
			}
			out.names, out.named = append(out.names, id.s), append(out.named, d.values[i])
		}
	}
	return out, nil
}

// params gives the arguments in the order of names; those not given are absent.
// A name starting with "!" must be given.
func (a args) params(of string, names ...string) ([]value, error) {
	if len(a.pos) > len(names) {
		return nil, fmt.Errorf("%s takes at most %d arguments, got %d", of, len(names), len(a.pos))
	}
	out := make([]value, len(names))
	for i := range out {
		out[i] = absent
	}
	copy(out, a.pos)
	for i, id := range a.names {
		at := slices.IndexFunc(names, func(n string) bool { return n == id || n == "!"+id })
		if at < 0 {
			return nil, fmt.Errorf("%s has no parameter %q", of, clip(id))
		}
		if out[at] != absent {
			return nil, fmt.Errorf("%s got %q twice", of, id)
		}
		out[at] = a.named[i]
	}
	for i, n := range names {
		if out[i] == absent && n[0] == '!' {
			return nil, fmt.Errorf("%s lacks its argument %q", of, n[1:])
		}
	}
	return out, nil
}

// absent stands for an argument that was not given.
var absent value = &undefined{"an argument that was not given"}

func intOr(v value, def int64, what string) (int64, error) {
	if v == absent {
		return def, nil
	}
	n, ok := integer(v)
	if !ok {
		return 0, fmt.Errorf("%s is a %s, not an integer", what, typeName(v))
	}
	return n, nil
}

func textArg(v value, what string) (Text, error) {
	t, ok := v.(Text)
	if !ok {
		if u, bad := v.(*undefined); bad && v != absent {
			return Text{}, u.err()
		}
		return Text{}, fmt.Errorf("%s is a %s, not a string", what, typeName(v))
	}
	return t, nil
}

func (r *run) call(f value, a args) (value, error) {
	switch f := f.(type) {
	case *macro:
		return r.callMacro(f, a)
	case *method:
		return r.callMethod(f, a)
	case *global:
		return f.call(r, a)
	case *loop: // recursive
		if !f.stmt.recursive {
			return nil, errors.New("the loop is not recursive: write {% for ... recursive %}")
		}
		p, err := a.params("loop", "!iterable")
		if err != nil {
			return nil, err
		}
		r.calls++
		defer func() { r.calls-- }()
		if r.calls > r.limits.Calls {
			return nil, fmt.Errorf("%w: loops are nested over %d deep", ErrLimit, r.limits.Calls)
		}
		outer := r.frame
		r.frame = f.frame
		defer func() { r.frame = outer }()
		return r.capture(func() error { return r.loop(f.stmt, p[0], f.depth+1) })
	case *undefined:
		return nil, fmt.Errorf("%w, so it cannot be called", f.err())
	}
	return nil, fmt.Errorf("a %s cannot be called", typeName(f))
}

// global is a function of the environment.
type global struct {
	name string
	call func(r *run, a args) (value, error)
}

func globals(strftime bool) map[string]value {
	out := map[string]value{}
	for _, g := range []*global{
		{"range", globalRange}, {"dict", globalDict}, {"namespace", globalNamespace}, {"raise_exception", globalRaise},
		{"strftime_now", globalStrftime},
	} {
		if g.name != "strftime_now" || strftime {
			out[g.name] = g
		}
	}
	return out
}

func globalRange(r *run, a args) (value, error) {
	p, err := a.params("range", "!start", "stop", "step")
	if err != nil {
		return nil, err
	}
	from, err := intOr(p[0], 0, "range's first argument")
	if err != nil {
		return nil, err
	}
	to := from
	if p[1] == absent {
		from = 0
	} else if to, err = intOr(p[1], 0, "range's stop"); err != nil {
		return nil, err
	}
	step, err := intOr(p[2], 1, "range's step")
	if err != nil {
		return nil, err
	}
	const big = 1 << 60
	if step == 0 || from > big || from < -big || to > big || to < -big || step > big || step < -big {
		return nil, errors.New("range's arguments are zero or too large")
	}
	n := max(0, (to-from+step-1)/step)
	if step < 0 {
		n = max(0, (from-to-step-1)/-step)
	}
	if n > maxRange {
		return nil, fmt.Errorf("%w: range gives %d items, more than %d", ErrLimit, n, maxRange)
	}
	if err := r.alloc(int(n), 0); err != nil {
		return nil, err
	}
	out := &list{make([]value, n)}
	for i := range n {
		out.items[i] = from + i*step
	}
	return out, nil
}

func globalDict(r *run, a args) (value, error) {
	d := newDict()
	if len(a.pos) > 1 {
		return nil, errors.New("dict takes one argument by position")
	}
	if len(a.pos) == 1 {
		if err := r.fill(d, a.pos[0]); err != nil {
			return nil, err
		}
	}
	for i, id := range a.names {
		if err := r.put(d, Text{s: id}, a.named[i]); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// fill adds the entries of a mapping, or of a list of pairs.
func (r *run) fill(d *dict, v value) error {
	if from, ok := v.(*dict); ok {
		for i, k := range from.keys {
			if err := r.put(d, k, from.values[i]); err != nil {
				return err
			}
		}
		return nil
	}
	items, err := r.iterate(v)
	if err != nil {
		return err
	}
	for _, it := range items {
		p, err := r.iterate(it)
		if err != nil {
			return err
		}
		if len(p) != 2 {
			return fmt.Errorf("dict of an item with %d parts, not 2", len(p))
		}
		if err := r.put(d, p[0], p[1]); err != nil {
			return err
		}
	}
	return nil
}

func globalNamespace(r *run, a args) (value, error) {
	v, err := globalDict(r, a)
	if err != nil {
		return nil, err
	}
	return &namespace{v.(*dict)}, nil
}

func globalRaise(r *run, a args) (value, error) {
	p, err := a.params("raise_exception", "!message")
	if err != nil {
		return nil, err
	}
	t, err := r.str(p[0])
	if err != nil {
		return nil, err
	}
	return nil, &RaisedError{clipTo(t.s, 1000)}
}

func globalStrftime(r *run, a args) (value, error) {
	p, err := a.params("strftime_now", "!format")
	if err != nil {
		return nil, err
	}
	t, err := textArg(p[0], "strftime_now's format")
	if err != nil {
		return nil, err
	}
	if err := r.alloc(0, 16*len(t.s)); err != nil {
		return nil, err
	}
	return strftime(r.now, t.s), nil
}
