package chat

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// value is what an expression gives: nil (none), bool, int64, *big.Int (read from
// input only), float64, Text, *list, *tuple, *dict, *iterator, *namespace, *macro,
// *method, *global, *loop or *undefined.
type value any

type list struct{ items []value }

type tuple struct{ items []value }

// iterator is what map, select and their kind give: true, without a length, and
// read only once, as Python's generators.
type iterator struct {
	items []value
	at    int
	name  string
}

// view is what items, keys and values of a mapping give: a list without places.
type view struct {
	list
	name string
}

type namespace struct{ attrs *dict }

// undefined is a missing variable, key or attribute. Printing it gives nothing;
// most else is an error that says what was missing.
type undefined struct{ what string }

// dict keeps the order of insertion.
type dict struct {
	keys   []value
	values []value
	index  map[string]int
}

func newDict() *dict { return &dict{index: map[string]int{}} }

// hashKey spells a key so that equal Python keys have equal spellings.
func (r *run) hashKey(v value, depth int) (string, error) {
	if err := r.step(1); err != nil {
		return "", err
	}
	if depth > maxNesting {
		return "", errNested
	}
	switch v := v.(type) {
	case nil:
		return "n", nil
	case bool:
		if v {
			return "i1", nil
		}
		return "i0", nil
	case int64:
		return "i" + strconv.FormatInt(v, 10), nil
	case *big.Int:
		return "i" + v.String(), nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<62 {
			return "i" + strconv.FormatInt(int64(v), 10), nil
		}
		return "f" + strconv.FormatFloat(v, 'g', -1, 64), nil
	case Text:
		return "s" + v.s, r.step(len(v.s) >> 4)
	case *tuple:
		var b strings.Builder
		b.WriteByte('t')
		for _, it := range v.items {
			k, err := r.hashKey(it, depth+1)
			if err != nil {
				return "", err
			}
			if err := r.alloc(0, len(k)); err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "%d:%s", len(k), k)
		}
		return b.String(), nil
	}
	return "", fmt.Errorf("a %s cannot be a key", typeName(v))
}

func (d *dict) get(r *run, key value) (value, bool, error) {
	k, err := r.hashKey(key, 0)
	if err != nil {
		return nil, false, err
	}
	i, ok := d.index[k]
	if !ok {
		return nil, false, nil
	}
	return d.values[i], true, nil
}

func (d *dict) set(r *run, key, v value) error {
	k, err := r.hashKey(key, 0)
	if err != nil {
		return err
	}
	if i, ok := d.index[k]; ok {
		d.values[i] = v
		return nil
	}
	d.index[k] = len(d.keys)
	d.keys = append(d.keys, key)
	d.values = append(d.values, v)
	return nil
}

// name looks a plain string key up.
func (d *dict) name(key string) (value, bool) {
	i, ok := d.index["s"+key]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

func (d *dict) setName(key string, v value) {
	k := "s" + key
	if i, ok := d.index[k]; ok {
		d.values[i] = v
		return
	}
	d.index[k] = len(d.keys)
	d.keys = append(d.keys, Text{s: key})
	d.values = append(d.values, v)
}

func (d *dict) pairs() []value {
	out := make([]value, len(d.keys))
	for i := range d.keys {
		out[i] = &tuple{[]value{d.keys[i], d.values[i]}}
	}
	return out
}

func typeName(v value) string {
	switch v.(type) {
	case nil:
		return "none"
	case bool:
		return "boolean"
	case int64, *big.Int:
		return "integer"
	case float64:
		return "float"
	case Text:
		return "string"
	case *list:
		return "list"
	case *tuple:
		return "tuple"
	case *dict:
		return "mapping"
	case *iterator, *view:
		return "iterator"
	case *namespace:
		return "namespace"
	case *macro:
		return "macro"
	case *method, *global:
		return "function"
	case *loop:
		return "loop"
	case *undefined:
		return "undefined value"
	}
	return "value"
}

func truth(v value) bool {
	switch v := v.(type) {
	case nil, *undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case *big.Int:
		return v.Sign() != 0
	case float64:
		return v != 0
	case Text:
		return v.s != ""
	case *list:
		return len(v.items) > 0
	case *tuple:
		return len(v.items) > 0
	case *view:
		return len(v.items) > 0
	case *dict:
		return len(v.keys) > 0
	}
	return true
}

// number gives a numeric value as a float, booleans counting as 0 and 1.
func number(v value) (float64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int64:
		return float64(v), true
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f, true
	case float64:
		return v, true
	}
	return 0, false
}

// integer gives an int or a boolean as an int64.
func integer(v value) (int64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int64:
		return v, true
	}
	return 0, false
}

// equal is Python's ==.
func (r *run) equal(a, b value, depth int) (bool, error) {
	if depth > maxNesting {
		return false, errNested
	}
	if err := r.step(1); err != nil {
		return false, err
	}
	switch a := a.(type) {
	case nil:
		return b == nil, nil
	case Text:
		t, ok := b.(Text)
		if !ok || len(t.s) != len(a.s) {
			return false, nil
		}
		return t.s == a.s, r.step(len(t.s) >> 4)
	case *undefined:
		_, ok := b.(*undefined)
		return ok, nil
	case *list:
		o, ok := b.(*list)
		if !ok {
			return false, nil
		}
		return r.equalItems(a.items, o.items, depth)
	case *tuple:
		o, ok := b.(*tuple)
		if !ok {
			return false, nil
		}
		return r.equalItems(a.items, o.items, depth)
	case *dict:
		o, ok := b.(*dict)
		if !ok || len(o.keys) != len(a.keys) {
			return false, nil
		}
		for i, k := range a.keys {
			w, found, err := o.get(r, k)
			if err != nil || !found {
				return false, err
			}
			if same, err := r.equal(a.values[i], w, depth+1); err != nil || !same {
				return false, err
			}
		}
		return true, nil
	}
	if x, ok := integer(a); ok {
		if y, ok := integer(b); ok {
			return x == y, nil
		}
	}
	if x, ok := a.(*big.Int); ok {
		if y, ok := b.(*big.Int); ok {
			return x.Cmp(y) == 0, nil
		}
		if _, ok := integer(b); ok {
			return false, nil // a big integer never fits
		}
	}
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y, nil
	}
	return a == b, nil // pointers: the same object
}

func (r *run) equalItems(a, b []value, depth int) (bool, error) {
	if len(a) != len(b) {
		return false, nil
	}
	for i := range a {
		if same, err := r.equal(a[i], b[i], depth+1); err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

// compare orders two values; an error says that they have no order.
func (r *run) compare(a, b value, depth int) (int, error) {
	if depth > maxNesting {
		return 0, errNested
	}
	if err := r.step(1); err != nil {
		return 0, err
	}
	if x, ok := a.(Text); ok {
		if y, ok := b.(Text); ok {
			return strings.Compare(x.s, y.s), r.step(min(len(x.s), len(y.s)) >> 4) // UTF-8 sorts as code points do
		}
	}
	if x, ok := integer(a); ok {
		if y, ok := integer(b); ok {
			switch {
			case x < y:
				return -1, nil
			case x > y:
				return 1, nil
			}
			return 0, nil
		}
	}
	if x, ok := number(a); ok {
		if y, ok := number(b); ok {
			switch {
			case x < y:
				return -1, nil
			case x > y:
				return 1, nil
			case x == y:
				return 0, nil
			}
			return 2, nil // not a number: every comparison is false
		}
	}
	var x, y []value
	switch p := a.(type) {
	case *list:
		if q, ok := b.(*list); ok {
			x, y = p.items, q.items
		} else {
			return 0, noOrder(a, b)
		}
	case *tuple:
		if q, ok := b.(*tuple); ok {
			x, y = p.items, q.items
		} else {
			return 0, noOrder(a, b)
		}
	default:
		return 0, noOrder(a, b)
	}
	for i := range min(len(x), len(y)) {
		same, err := r.equal(x[i], y[i], depth+1)
		if err != nil {
			return 0, err
		}
		if !same {
			return r.compare(x[i], y[i], depth+1)
		}
	}
	return len(x) - len(y), nil
}

func noOrder(a, b value) error {
	if u, ok := a.(*undefined); ok {
		return u.err()
	}
	if u, ok := b.(*undefined); ok {
		return u.err()
	}
	return fmt.Errorf("a %s and a %s cannot be ordered", typeName(a), typeName(b))
}

func (u *undefined) err() error { return fmt.Errorf("%s is undefined", u.what) }

// iterate gives the items of a value. An iterator is used up.
func (r *run) iterate(v value) ([]value, error) {
	switch v := v.(type) {
	case *list:
		return v.items, nil
	case *tuple:
		return v.items, nil
	case *view:
		return v.items, nil
	case *iterator:
		rest := v.items[v.at:]
		v.at = len(v.items)
		return rest, nil
	case *dict:
		return v.keys, nil
	case *undefined:
		return nil, nil
	case Text:
		if err := r.alloc(v.runeCount(), len(v.s)); err != nil {
			return nil, err
		}
		offs := v.offsets()
		out := make([]value, 0, len(offs)-1)
		for i := range len(offs) - 1 {
			out = append(out, v.slice(offs[i], offs[i+1]))
		}
		return out, nil
	}
	return nil, fmt.Errorf("a %s cannot be iterated over", typeName(v))
}

// length is Python's len.
func (r *run) length(v value) (int, error) {
	switch v := v.(type) {
	case Text:
		return v.runeCount(), r.step(len(v.s) >> 4)
	case *list:
		return len(v.items), nil
	case *tuple:
		return len(v.items), nil
	case *view:
		return len(v.items), nil
	case *dict:
		return len(v.keys), nil
	case *undefined:
		return 0, nil
	case *loop:
		return len(v.items), nil
	}
	return 0, fmt.Errorf("a %s has no length", typeName(v))
}
