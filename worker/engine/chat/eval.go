package chat

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"
)

// run is one rendering.
type run struct {
	limits       Limits
	now          time.Time
	globals      map[string]value
	steps, bytes int
	depth, calls int
	frame        *frame
	out          *builder
	filterTable  map[string]filterFunc
}

// frame is a scope of names.
type frame struct {
	vars   map[string]value
	parent *frame
}

func (r *run) push() { r.frame = &frame{vars: map[string]value{}, parent: r.frame} }

func (r *run) lookup(id string) value {
	for f := r.frame; f != nil; f = f.parent {
		if v, ok := f.vars[id]; ok {
			return v
		}
	}
	if v, ok := r.globals[id]; ok {
		return v
	}
	return &undefined{fmt.Sprintf("%q", id)}
}

const maxEval = 6000 // depth of evaluation, macros included: bounds the stack

// fault puts the line to an error that has none yet.
func fault(n interface{ lineOf() int }, err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &Error{n.lineOf(), err}
}

func (r *run) eval(e expr) (value, error) {
	r.depth++
	defer func() { r.depth-- }()
	if r.depth > maxEval {
		return nil, fault(e, fmt.Errorf("%w: evaluation is nested more than %d deep", ErrLimit, maxEval))
	}
	err := r.step(1)
	var v value
	if err == nil {
		v, err = r.evalNode(e)
	}
	return v, fault(e, err)
}

func (r *run) evalNode(e expr) (value, error) {
	switch e := e.(type) {
	case *constant:
		return e.v, nil
	case *name:
		return r.lookup(e.id), nil
	case *sequence:
		items, err := r.evalAll(e.items)
		if err != nil {
			return nil, err
		}
		if e.isTup {
			return &tuple{items}, nil
		}
		return &list{items}, nil
	case *mapping:
		d := newDict()
		for i := range e.keys {
			k, err := r.eval(e.keys[i])
			if err != nil {
				return nil, err
			}
			v, err := r.eval(e.values[i])
			if err != nil {
				return nil, err
			}
			if err := r.put(d, k, v); err != nil {
				return nil, err
			}
		}
		return d, nil
	case *unary:
		return r.unary(e)
	case *binary:
		return r.binary(e)
	case *join:
		parts := make([]Text, len(e.parts))
		for i, p := range e.parts {
			v, err := r.eval(p)
			if err != nil {
				return nil, err
			}
			if parts[i], err = r.str(v); err != nil {
				return nil, err
			}
		}
		return r.concat(parts...)
	case *comparison:
		return r.comparison(e)
	case *conditional:
		t, err := r.eval(e.test)
		if err != nil {
			return nil, err
		}
		if truth(t) {
			return r.eval(e.then)
		}
		if e.otherwise == nil {
			return &undefined{"the value of a condition without else"}, nil
		}
		return r.eval(e.otherwise)
	case *attribute:
		x, err := r.eval(e.x)
		if err != nil {
			return nil, err
		}
		return r.getattr(x, e.id)
	case *subscript:
		return r.subscript(e)
	case *call:
		f, err := r.eval(e.f)
		if err != nil {
			return nil, err
		}
		a, err := r.args(&e.args)
		if err != nil {
			return nil, err
		}
		return r.call(f, a)
	case *filter:
		x, err := r.eval(e.x)
		if err != nil {
			return nil, err
		}
		return r.filter(e, x)
	case *test:
		return r.test(e)
	}
	return nil, fmt.Errorf("a %T is no value", e)
}

// concat joins texts, counting what it makes.
func (r *run) concat(parts ...Text) (Text, error) {
	n, m := 0, 0
	for _, p := range parts {
		n += len(p.s)
		m += len(p.marks)
	}
	if err := r.alloc(m, n); err != nil {
		return Text{}, err
	}
	return concat(parts...), nil
}

func (r *run) put(d *dict, k, v value) error {
	n := 0
	if t, ok := k.(Text); ok {
		n = len(t.s)
	}
	if err := r.alloc(3, n); err != nil {
		return err
	}
	return d.set(r, k, v)
}

func (r *run) evalAll(list []expr) ([]value, error) {
	if err := r.alloc(len(list), 0); err != nil {
		return nil, err
	}
	out := make([]value, len(list))
	for i, e := range list {
		var err error
		if out[i], err = r.eval(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *run) unary(e *unary) (value, error) {
	x, err := r.eval(e.x)
	if err != nil {
		return nil, err
	}
	if e.op == "not" {
		return !truth(x), nil
	}
	switch v := x.(type) {
	case float64:
		if e.op == "-" {
			return -v, nil
		}
		return v, nil
	case *undefined:
		return nil, v.err()
	}
	if n, ok := integer(x); ok {
		if e.op == "-" {
			return r.bigger("-", big.NewInt(0), big.NewInt(n))
		}
		return n, nil
	}
	return nil, fmt.Errorf("%s of a %s", e.op, typeName(x))
}

func (r *run) comparison(e *comparison) (value, error) {
	x, err := r.eval(e.x)
	if err != nil {
		return nil, err
	}
	for i, op := range e.ops {
		y, err := r.eval(e.rest[i])
		if err != nil {
			return nil, err
		}
		ok, err := r.relation(op, x, y)
		if err != nil || !ok {
			return false, err
		}
		x = y
	}
	return true, nil
}

func (r *run) relation(op string, x, y value) (bool, error) {
	switch op {
	case "==":
		return r.equal(x, y, 0)
	case "!=":
		same, err := r.equal(x, y, 0)
		return !same, err
	case "in":
		return r.contains(y, x)
	case "notin":
		ok, err := r.contains(y, x)
		return !ok, err
	}
	c, err := r.compare(x, y, 0)
	if err != nil {
		return false, err
	}
	if c == 2 && !isSequence(x) {
		return false, nil
	}
	switch op {
	case "<":
		return c < 0, nil
	case "<=":
		return c <= 0, nil
	case ">":
		return c > 0, nil
	}
	return c >= 0, nil
}

func isSequence(v value) bool {
	switch v.(type) {
	case *list, *tuple:
		return true
	}
	return false
}

// contains is Python's in.
func (r *run) contains(in, x value) (bool, error) {
	switch in := in.(type) {
	case Text:
		t, ok := x.(Text)
		if !ok {
			return false, fmt.Errorf("a %s cannot be in a string", typeName(x))
		}
		if err := r.step(1 + len(in.s)>>4); err != nil {
			return false, err
		}
		return strings.Contains(in.s, t.s), nil
	case *dict:
		_, ok, err := in.get(r, x)
		return ok, err
	}
	items, err := r.iterate(in)
	if err != nil {
		return false, err
	}
	for _, it := range items {
		if same, err := r.equal(it, x, 0); err != nil || same {
			return same, err
		}
	}
	return false, nil
}

func (r *run) subscript(e *subscript) (value, error) {
	x, err := r.eval(e.x)
	if err != nil {
		return nil, err
	}
	if s, ok := e.key.(*slicing); ok {
		return r.slice(x, s)
	}
	k, err := r.eval(e.key)
	if err != nil {
		return nil, err
	}
	return r.getitem(x, k)
}

// getitem is x[key]; what is missing is undefined.
func (r *run) getitem(x, key value) (value, error) {
	missing := &undefined{"an item of a " + typeName(x)}
	switch v := x.(type) {
	case *undefined:
		return nil, v.err()
	case *dict:
		w, ok, err := v.get(r, key)
		if err != nil {
			return missing, nil //nolint:nilerr // what cannot be a key is not there
		}
		if ok {
			return w, nil
		}
		if t, ok := key.(Text); ok {
			missing.what = fmt.Sprintf("the key %q", clip(t.s))
		}
	case *list:
		if i, ok := place(key, len(v.items)); ok {
			return v.items[i], nil
		}
	case *tuple:
		if i, ok := place(key, len(v.items)); ok {
			return v.items[i], nil
		}
	case Text:
		if err := r.step(len(v.s) >> 4); err != nil {
			return nil, err
		}
		if i, ok := place(key, v.runeCount()); ok {
			for at := range v.s {
				if i == 0 {
					_, n := utf8.DecodeRuneInString(v.s[at:])
					return v.slice(at, at+n), nil
				}
				i--
			}
		}
	}
	if t, ok := key.(Text); ok {
		if m := bound(x, t.s); m != nil {
			return m, nil
		}
	}
	return missing, nil
}

func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "..."
	}
	return s
}

// place turns an index, perhaps from the end, into a position.
func place(key value, n int) (int, bool) {
	i, ok := integer(key)
	if i < 0 {
		i += int64(n)
	}
	return int(i), ok && i >= 0 && i < int64(n)
}

// getattr is x.id: methods come before keys, as in Python.
func (r *run) getattr(x value, id string) (value, error) {
	switch v := x.(type) {
	case *undefined:
		return nil, fmt.Errorf("%w, so it has no %q", v.err(), id)
	case *namespace:
		if w, ok := v.attrs.name(id); ok {
			return w, nil
		}
	case *loop:
		return v.attr(id), nil
	case *macro:
		if id == "name" {
			return Text{s: v.def.name}, nil
		}
	}
	if m := bound(x, id); m != nil {
		return m, nil
	}
	if d, ok := x.(*dict); ok {
		if w, ok := d.name(id); ok {
			return w, nil
		}
	}
	return &undefined{fmt.Sprintf("%q of a %s", id, typeName(x))}, nil
}

func (r *run) slice(x value, s *slicing) (value, error) {
	var bounds [3]*int64
	for i, e := range []expr{s.from, s.to, s.step} {
		if e == nil {
			continue
		}
		v, err := r.eval(e)
		if err != nil {
			return nil, err
		}
		if v == nil {
			continue
		}
		n, ok := integer(v)
		if !ok {
			if u, bad := v.(*undefined); bad {
				return nil, u.err()
			}
			return nil, fmt.Errorf("a slice's bound is a %s", typeName(v))
		}
		bounds[i] = &n
	}
	var n int
	var offs []int
	switch v := x.(type) {
	case Text:
		if err := r.alloc(0, 8*len(v.s)); err != nil {
			return nil, err
		}
		offs = v.offsets()
		n = len(offs) - 1
	case *list:
		n = len(v.items)
	case *tuple:
		n = len(v.items)
	case *undefined:
		return nil, v.err()
	default:
		return &undefined{"a slice of a " + typeName(x)}, nil
	}
	if bounds[2] != nil && *bounds[2] == 0 {
		return nil, errors.New("a slice's step is zero")
	}
	from, step, count := sliceRange(bounds, int64(n))
	if err := r.alloc(int(count), 0); err != nil {
		return nil, err
	}
	if t, ok := x.(Text); ok {
		if step == 1 {
			return t.slice(offs[from], offs[from+count]), nil
		}
		var b builder
		for k := range count {
			i := from + k*step
			b.add(t.slice(offs[i], offs[i+1]))
		}
		return b.text(), nil
	}
	pick := func(items []value) []value {
		out := make([]value, count)
		for k := range count {
			out[k] = items[from+k*step]
		}
		return out
	}
	if l, ok := x.(*list); ok {
		return &list{pick(l.items)}, nil
	}
	return &tuple{pick(x.(*tuple).items)}, nil
}

// sliceRange gives the first place, the step and the count of a slice of n items.
func sliceRange(b [3]*int64, n int64) (from, step, count int64) {
	step = 1
	if b[2] != nil {
		step = min(max(*b[2], -n-1), n+1)
	}
	low, high := int64(0), n
	if step < 0 {
		low, high = -1, n-1
	}
	fix := func(p *int64, def int64) int64 {
		if p == nil {
			return def
		}
		i := *p
		if i < 0 {
			i = max(i, -n-1) + n
		}
		return min(max(i, low), high)
	}
	var to int64
	if step > 0 {
		from, to = fix(b[0], 0), fix(b[1], n)
		count = max(0, (to-from+step-1)/step)
	} else {
		from, to = fix(b[0], n-1), fix(b[1], -1)
		count = max(0, (from-to-step-1)/-step)
	}
	if count == 0 {
		from = 0
	}
	return from, step, count
}
