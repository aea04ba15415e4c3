package chat

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"
)

func isWordRune(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsNumber(c) }

// attrOf follows a path like "function.name" or "args.0".
func (r *run) attrOf(x value, path value) (value, error) {
	if n, ok := integer(path); ok {
		return r.getitem(x, n)
	}
	t, err := textArg(path, "the attribute")
	if err != nil {
		return nil, err
	}
	if strings.Count(t.s, ".") > maxNesting {
		return nil, errNested
	}
	for part := range strings.SplitSeq(t.s, ".") {
		var key value = Text{s: part}
		if n, err := strconv.ParseInt(part, 10, 64); err == nil {
			key = n
		}
		if x, err = r.getitemOrAttr(x, key); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func (r *run) getitemOrAttr(x, key value) (value, error) {
	v, err := r.getitem(x, key)
	if _, missing := v.(*undefined); err == nil && missing {
		if t, ok := key.(Text); ok {
			return r.getattr(x, t.s)
		}
	}
	return v, err
}

// mapAttr gives an attribute of every item, or def where it is missing.
func (r *run) mapAttr(x, path, def value) (*iterator, error) {
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	if err := r.alloc(len(items), 0); err != nil {
		return nil, err
	}
	out := &iterator{name: "map"}
	for _, it := range items {
		v, err := r.attrOf(it, path)
		if err != nil {
			return nil, err
		}
		if _, missing := v.(*undefined); missing && def != absent {
			v = def
		}
		out.items = append(out.items, v)
	}
	return out, nil
}

func filterMap(r *run, x value, a args) (value, error) {
	if !truth(x) { // none too
		return &iterator{name: "map"}, nil
	}
	if len(a.pos) == 0 {
		path, def := absent, absent
		for i, id := range a.names {
			switch id {
			case "attribute":
				path = a.named[i]
			case "default":
				def = a.named[i]
			default:
				return nil, fmt.Errorf("there is no parameter %q", id)
			}
		}
		if path == absent {
			return nil, errors.New("needs a filter's name or an attribute")
		}
		return r.mapAttr(x, path, def)
	}
	id, err := textArg(a.pos[0], "the filter's name")
	if err != nil {
		return nil, err
	}
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	if err := r.alloc(len(items), 0); err != nil {
		return nil, err
	}
	out := &iterator{name: "map"}
	rest := args{a.pos[1:], a.names, a.named}
	for _, it := range items {
		v, err := r.applyFilter(id.s, it, rest)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, v)
	}
	return out, nil
}

// selecting makes select, reject, selectattr and rejectattr.
func selecting(keep, byAttr bool) filterFunc {
	return func(r *run, x value, a args) (value, error) {
		if !truth(x) { // none too
			return &iterator{name: "select"}, nil
		}
		path := absent
		if byAttr {
			if len(a.pos) == 0 {
				return nil, errors.New("needs an attribute")
			}
			path, a.pos = a.pos[0], a.pos[1:]
		}
		items, err := r.iterate(x)
		if err != nil {
			return nil, err
		}
		if err := r.alloc(len(items), 0); err != nil {
			return nil, err
		}
		out := &iterator{name: "select"}
		for _, it := range items {
			v := it
			if byAttr {
				if v, err = r.attrOf(it, path); err != nil {
					return nil, err
				}
			}
			ok := truth(v)
			if len(a.pos) > 0 {
				id, err := textArg(a.pos[0], "the test's name")
				if err != nil {
					return nil, err
				}
				if ok, err = r.applyTest(id.s, v, args{pos: a.pos[1:]}); err != nil {
					return nil, err
				}
			}
			if ok == keep {
				out.items = append(out.items, it)
			}
		}
		return out, nil
	}
}

// sortBy sorts places by a comparison that can fail and is counted.
func (r *run) sortBy(order []int, cmp func(i, j int) (int, error)) error {
	var failed error
	sort.SliceStable(order, func(a, b int) bool {
		if failed != nil {
			return false
		}
		c, err := cmp(order[a], order[b])
		if err != nil {
			failed = err
		}
		return c < 0
	})
	return failed
}

// foldCase is how sorting without regard to case sees a value.
func foldCase(v value, sensitive bool) value {
	if t, ok := v.(Text); ok && !sensitive {
		return Text{s: lower(t.s)}
	}
	return v
}

// keysOf are what items are sorted by: themselves, or their attributes.
func (r *run) keysOf(items []value, path value, sensitive bool) ([]value, error) {
	if err := r.alloc(2*len(items), 0); err != nil {
		return nil, err
	}
	out := make([]value, len(items))
	for i, it := range items {
		v := it
		if path != absent && path != nil {
			var err error
			if v, err = r.attrOf(it, path); err != nil {
				return nil, err
			}
		}
		if t, ok := v.(Text); ok {
			if err := r.alloc(0, len(t.s)); err != nil {
				return nil, err
			}
		}
		out[i] = foldCase(v, sensitive)
	}
	return out, nil
}

func (r *run) sorted(items, keys []value, reverse bool) ([]value, error) {
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	sign := 1
	if reverse {
		sign = -1
	}
	if err := r.sortBy(order, func(i, j int) (int, error) {
		c, err := r.compare(keys[i], keys[j], 0)
		return sign * c, err
	}); err != nil {
		return nil, err
	}
	out := make([]value, len(items))
	for i, at := range order {
		out[i] = items[at]
	}
	return out, nil
}

func isTrue(v value) bool { return v != absent && truth(v) }

func filterSort(r *run, x value, a args) (value, error) {
	p, err := a.params("sort", "reverse", "case_sensitive", "attribute")
	if err != nil {
		return nil, err
	}
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	if t, ok := p[2].(Text); ok && strings.Contains(t.s, ",") {
		return nil, errors.New("by several attributes is not supported")
	}
	keys, err := r.keysOf(items, p[2], isTrue(p[1]))
	if err != nil {
		return nil, err
	}
	out, err := r.sorted(items, keys, isTrue(p[0]))
	return &list{out}, err
}

func filterDictsort(r *run, x value, a args) (value, error) {
	p, err := a.params("dictsort", "case_sensitive", "by", "reverse")
	if err != nil {
		return nil, err
	}
	d, ok := x.(*dict)
	if !ok {
		return nil, fmt.Errorf("of a %s, not a mapping", typeName(x))
	}
	by := d.keys
	if t, ok := p[1].(Text); ok && t.s == "value" {
		by = d.values
	} else if ok && t.s != "key" {
		return nil, errors.New("by is \"key\" or \"value\"")
	}
	keys, err := r.keysOf(by, absent, isTrue(p[0]))
	if err != nil {
		return nil, err
	}
	if err := r.alloc(3*len(d.keys), 0); err != nil {
		return nil, err
	}
	out, err := r.sorted(d.pairs(), keys, isTrue(p[2]))
	return &list{out}, err
}

// extreme makes min and max: the first of the items that no other is beyond.
func extreme(sign int) filterFunc {
	return func(r *run, x value, a args) (value, error) {
		p, err := a.params("min or max", "case_sensitive", "attribute")
		if err != nil {
			return nil, err
		}
		items, err := r.iterate(x)
		if err != nil {
			return nil, err
		}
		if len(items) == 0 {
			return &undefined{"the least or greatest of no items"}, nil
		}
		keys, err := r.keysOf(items, p[1], isTrue(p[0]))
		if err != nil {
			return nil, err
		}
		best := 0
		for i := range keys {
			c, err := r.compare(keys[i], keys[best], 0)
			if err != nil {
				return nil, err
			}
			if sign*c > 0 {
				best = i
			}
		}
		return items[best], nil
	}
}

func filterSum(r *run, x value, a args) (value, error) {
	p, err := a.params("sum", "attribute", "start")
	if err != nil {
		return nil, err
	}
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	if p[0] != absent && p[0] != nil {
		it, err := r.mapAttr(&list{items}, p[0], absent)
		if err != nil {
			return nil, err
		}
		items = it.items
	}
	var total value = int64(0)
	if p[1] != absent {
		total = p[1]
	}
	for _, it := range items {
		if _, ok := it.(Text); ok {
			return nil, errors.New("of strings: use join")
		}
		if total, err = r.arith("+", total, it); err != nil {
			return nil, err
		}
	}
	return total, nil
}

func filterUnique(r *run, x value, a args) (value, error) {
	p, err := a.params("unique", "case_sensitive", "attribute")
	if err != nil {
		return nil, err
	}
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	keys, err := r.keysOf(items, p[1], isTrue(p[0]))
	if err != nil {
		return nil, err
	}
	seen := newDict()
	out := &iterator{name: "unique"}
	for i, k := range keys {
		_, dup, err := seen.get(r, k)
		if err != nil {
			return nil, err
		}
		if dup {
			continue
		}
		if err := r.put(seen, k, true); err != nil {
			return nil, err
		}
		out.items = append(out.items, items[i])
	}
	return out, nil
}

func filterGroupby(r *run, x value, a args) (value, error) {
	p, err := a.params("groupby", "!attribute", "default", "case_sensitive")
	if err != nil {
		return nil, err
	}
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	raw, err := r.mapAttr(&list{items}, p[0], p[1])
	if err != nil {
		return nil, err
	}
	keys, err := r.keysOf(raw.items, absent, isTrue(p[2]))
	if err != nil {
		return nil, err
	}
	order, err := r.alloc2(len(items))
	if err != nil {
		return nil, err
	}
	for i := range order {
		order[i] = i
	}
	if err := r.sortBy(order, func(i, j int) (int, error) { return r.compare(keys[i], keys[j], 0) }); err != nil {
		return nil, err
	}
	out := &list{}
	for n, i := range order {
		same := false
		if n > 0 {
			if same, err = r.equal(keys[i], keys[order[n-1]], 0); err != nil {
				return nil, err
			}
		}
		if !same {
			out.items = append(out.items, &tuple{[]value{raw.items[i], &list{}}})
		}
		l := out.items[len(out.items)-1].(*tuple).items[1].(*list)
		l.items = append(l.items, items[i])
	}
	return out, nil
}

func filterBatch(r *run, x value, a args) (value, error) {
	p, err := a.params("batch", "!linecount", "fill_with")
	if err != nil {
		return nil, err
	}
	n, err := intOr(p[0], 0, "batch's size")
	if err != nil {
		return nil, err
	}
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	if n < 1 || n > maxRange {
		return nil, fmt.Errorf("the size %d is not 1 to %d", n, maxRange)
	}
	if err := r.alloc(2*len(items)+int(n), 0); err != nil {
		return nil, err
	}
	out := &iterator{name: "batch"}
	for part := range slices.Chunk(items, int(n)) {
		part = slices.Clone(part)
		for p[1] != absent && p[1] != nil && len(part) < int(n) {
			part = append(part, p[1])
		}
		out.items = append(out.items, &list{part})
	}
	return out, nil
}
