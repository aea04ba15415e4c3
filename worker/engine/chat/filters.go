package chat

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

type filterFunc func(r *run, x value, a args) (value, error)

// filterTable is made anew for each template: filters call filters.
func filterTable() map[string]filterFunc {
	return map[string]filterFunc{
		"abs": filterAbs, "attr": filterAttr, "batch": filterBatch, "capitalize": textFilter(capitalize), "center": viaMethod("center", "width"),
		"count": filterLength, "length": filterLength, "d": filterDefault, "default": filterDefault, "dictsort": filterDictsort,
		"first": filterFirst, "float": filterFloat, "format": filterFormat, "groupby": filterGroupby, "indent": filterIndent, "int": filterInt,
		"items": filterItems, "join": filterJoin, "last": filterLast, "list": filterList,
		"lower": textFilter(func(t Text) Text { return t.mapRuns(lower) }), "upper": textFilter(func(t Text) Text { return t.mapRuns(upper) }),
		"map": filterMap, "max": extreme(1), "min": extreme(-1), "replace": viaMethod("replace"), "reverse": filterReverse, "round": filterRound,
		"select": selecting(true, false), "reject": selecting(false, false), "selectattr": selecting(true, true), "rejectattr": selecting(false, true),
		"safe": textFilter(func(t Text) Text { return t }), "string": textFilter(func(t Text) Text { return t }),
		"sort": filterSort, "sum": filterSum, "title": textFilter(jinjaTitle), "tojson": filterJSON, "trim": viaMethod("strip", "chars"),
		"truncate": filterTruncate, "unique": filterUnique, "wordcount": filterWordcount,
	}
}

func (r *run) filter(f *filter, x value) (value, error) {
	a, err := r.args(&f.args)
	if err != nil {
		return nil, err
	}
	return r.applyFilter(f.id, x, a)
}

func (r *run) applyFilter(id string, x value, a args) (value, error) {
	f, ok := r.filterTable[id]
	if !ok {
		return nil, fmt.Errorf("there is no filter %q", clip(id))
	}
	v, err := f(r, x, a)
	if err != nil {
		return nil, fmt.Errorf("filter %s: %w", id, err)
	}
	return v, nil
}

// textFilter works on the printed form of its value.
func textFilter(f func(Text) Text) filterFunc {
	return func(r *run, x value, a args) (value, error) {
		if _, err := a.params("the filter"); err != nil {
			return nil, err
		}
		t, err := r.str(x)
		if err != nil {
			return nil, err
		}
		return f(t), r.alloc(1, len(t.s))
	}
}

// viaMethod is a filter that is a method of strings by another name.
func viaMethod(id string, names ...string) filterFunc {
	return func(r *run, x value, a args) (value, error) {
		t, err := r.str(x)
		if err != nil {
			return nil, err
		}
		if len(names) > 0 {
			p, err := a.params(id, names...)
			if err != nil {
				return nil, err
			}
			if id == "center" && p[0] == absent {
				p[0] = int64(80)
			}
			a = args{pos: p}
		}
		return r.callMethod(&method{t, id}, a)
	}
}

func filterAbs(r *run, x value, _ args) (value, error) {
	if n, ok := integer(x); ok {
		if n < 0 {
			return r.arith("*", n, int64(-1))
		}
		return n, nil
	}
	f, ok := number(x)
	if !ok {
		return nil, fmt.Errorf("of a %s", typeName(x))
	}
	return math.Abs(f), nil
}

func filterAttr(r *run, x value, a args) (value, error) {
	id, err := oneText(a, "attr")
	if err != nil {
		return nil, err
	}
	if d, ok := x.(*dict); ok { // attributes only, no keys
		if m := bound(d, id.s); m != nil {
			return m, nil
		}
		return &undefined{fmt.Sprintf("attribute %q", clip(id.s))}, nil
	}
	return r.getattr(x, id.s)
}

func filterLength(r *run, x value, a args) (value, error) {
	if _, err := a.params("length"); err != nil {
		return nil, err
	}
	n, err := r.length(x)
	return int64(n), err
}

func filterDefault(_ *run, x value, a args) (value, error) {
	p, err := a.params("default", "default_value", "boolean")
	if err != nil {
		return nil, err
	}
	if p[0] == absent {
		p[0] = Text{}
	}
	_, missing := x.(*undefined)
	if missing || p[1] != absent && truth(p[1]) && !truth(x) {
		return p[0], nil
	}
	return x, nil
}

func filterFirst(_ *run, x value, _ args) (value, error) {
	switch v := x.(type) {
	case Text:
		if v.s != "" {
			first, _ := v.firstRune()
			return first, nil
		}
	case *iterator:
		if v.at < len(v.items) {
			v.at++
			return v.items[v.at-1], nil
		}
	case *list:
		if len(v.items) > 0 {
			return v.items[0], nil
		}
	case *tuple:
		if len(v.items) > 0 {
			return v.items[0], nil
		}
	case *view:
		if len(v.items) > 0 {
			return v.items[0], nil
		}
	case *dict:
		if len(v.keys) > 0 {
			return v.keys[0], nil
		}
	case *undefined:
	default:
		return nil, fmt.Errorf("of a %s", typeName(x))
	}
	return &undefined{"the first item of an empty sequence"}, nil
}

func filterLast(r *run, x value, _ args) (value, error) {
	if _, ok := x.(*iterator); ok {
		return nil, errors.New("of an iterator: add |list before it")
	}
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return &undefined{"the last item of an empty sequence"}, nil
	}
	return items[len(items)-1], nil
}

func filterFloat(_ *run, x value, a args) (value, error) {
	p, err := a.params("float", "default")
	if err != nil {
		return nil, err
	}
	if f, ok := number(x); ok {
		return f, nil
	}
	if t, ok := x.(Text); ok {
		if f, ok := parseFloat(t.s); ok {
			return f, nil
		}
	}
	if p[0] == absent {
		return 0.0, nil
	}
	return p[0], nil
}

func parseFloat(s string) (float64, bool) {
	s = strings.TrimFunc(s, isSpace)
	if strings.ContainsAny(s, "xXpP") || len(s) > maxDigits {
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	return f, err == nil || errors.Is(err, strconv.ErrRange)
}

func filterInt(_ *run, x value, a args) (value, error) {
	p, err := a.params("int", "default", "base")
	if err != nil {
		return nil, err
	}
	base, err := intOr(p[1], 10, "int's base")
	if err != nil {
		return nil, err
	}
	if base < 2 || base > 36 {
		return nil, errors.New("int's base is not 2 to 36")
	}
	if n, ok := integer(x); ok {
		return n, nil
	}
	f, ok := number(x)
	if t, isText := x.(Text); isText {
		s := strings.ToLower(strings.TrimFunc(t.s, isSpace))
		if prefix := map[int64]string{2: "0b", 8: "0o", 16: "0x"}[base]; prefix != "" {
			s = strings.TrimPrefix(s, prefix)
		}
		if n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), int(base), 64); err == nil {
			return n, nil
		}
		f, ok = parseFloat(t.s)
	}
	if ok && math.Abs(f) < 1<<63 {
		return int64(f), nil
	}
	if p[0] == absent {
		return int64(0), nil
	}
	return p[0], nil
}

func filterFormat(r *run, x value, a args) (value, error) {
	t, err := r.str(x)
	if err != nil {
		return nil, err
	}
	if len(a.names) > 0 {
		return nil, errors.New("arguments by name are not supported")
	}
	return r.percent(t, &tuple{a.pos})
}

func filterIndent(r *run, x value, a args) (value, error) {
	p, err := a.params("indent", "width", "first", "blank")
	if err != nil {
		return nil, err
	}
	t, err := textArg(x, "the value")
	if err != nil {
		return nil, err
	}
	by, isText := p[0].(Text)
	if !isText {
		width, err := intOr(p[0], 4, "indent's width")
		if err != nil {
			return nil, err
		}
		if width > 1000 {
			return nil, errors.New("the width is over 1000")
		}
		by = Text{s: strings.Repeat(" ", int(max(width, 0)))}
	}
	lines := concat(t, Text{s: "\n"}).lines(false)
	if err := r.room(len(lines)+1, len(by.s)+2*valueBytes); err != nil {
		return nil, err
	}
	if err := r.alloc(0, len(t.s)); err != nil {
		return nil, err
	}
	blank := p[2] != absent && truth(p[2])
	var b builder
	for i, l := range lines {
		if i > 0 {
			b.write("\n", FromTemplate)
		}
		if i == 0 && p[1] != absent && truth(p[1]) || i > 0 && (blank || l.s != "") {
			b.add(by)
		}
		b.add(l)
	}
	return b.text(), nil
}

func filterItems(r *run, x value, a args) (value, error) {
	if _, err := a.params("items"); err != nil {
		return nil, err
	}
	switch d := x.(type) {
	case *undefined:
		return &iterator{name: "items"}, nil
	case *dict:
		return &iterator{items: d.pairs(), name: "items"}, r.alloc(3*len(d.keys), 0)
	}
	return nil, fmt.Errorf("of a %s, not a mapping", typeName(x))
}

func filterJoin(r *run, x value, a args) (value, error) {
	p, err := a.params("join", "d", "attribute")
	if err != nil {
		return nil, err
	}
	sep := Text{}
	if p[0] != absent {
		if sep, err = r.str(p[0]); err != nil {
			return nil, err
		}
	}
	if p[1] != absent {
		if x, err = r.mapAttr(x, p[1], absent); err != nil {
			return nil, err
		}
	}
	return r.joinItems(x, sep, false)
}

// joinItems joins what is printed of items; strict takes strings only.
func (r *run) joinItems(x value, sep Text, strict bool) (value, error) {
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	var b builder
	for i, it := range items {
		t, ok := it.(Text)
		if !ok {
			if strict {
				return nil, fmt.Errorf("item %d is a %s, not a string", i, typeName(it))
			}
			if t, err = r.str(it); err != nil {
				return nil, err
			}
		}
		if err := r.alloc(1+len(t.marks)+len(sep.marks), len(t.s)+len(sep.s)); err != nil {
			return nil, err
		}
		if i > 0 {
			b.add(sep)
		}
		b.add(t)
	}
	return b.text(), nil
}

func filterList(r *run, x value, a args) (value, error) {
	if _, err := a.params("list"); err != nil {
		return nil, err
	}
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	return &list{slices.Clone(items)}, r.alloc(len(items), 0)
}

func filterReverse(r *run, x value, _ args) (value, error) {
	t, isText := x.(Text)
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	if err := r.alloc(len(items), len(t.s)); err != nil {
		return nil, err
	}
	back := slices.Clone(items)
	slices.Reverse(back)
	if isText {
		return r.joinItems(&list{back}, Text{}, true)
	}
	return &iterator{items: back, name: "reverse"}, nil
}

func filterRound(_ *run, x value, a args) (value, error) {
	p, err := a.params("round", "precision", "method")
	if err != nil {
		return nil, err
	}
	digits, err := intOr(p[0], 0, "round's precision")
	if err != nil {
		return nil, err
	}
	f, ok := number(x)
	if !ok || digits < -300 || digits > 300 {
		return nil, fmt.Errorf("of a %s to %d digits", typeName(x), digits)
	}
	how := "common"
	if t, ok := p[1].(Text); ok {
		how = t.s
	}
	scale := math.Pow(10, float64(digits))
	switch how {
	case "common":
		if n, ok := integer(x); ok && digits >= 0 { // Python's round of an integer is one
			return n, nil
		}
		if digits < 0 {
			return math.RoundToEven(f*scale) / scale, nil
		}
		v, err := strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(digits), 64), 64) // exact, ties to even
		return v, err
	case "ceil":
		return math.Ceil(f*scale) / scale, nil
	case "floor":
		return math.Floor(f*scale) / scale, nil
	}
	return nil, errors.New("the method is common, ceil or floor")
}

func jinjaTitle(t Text) Text {
	start := true
	return t.mapRuns(func(s string) string {
		var b strings.Builder
		for _, c := range s {
			if start {
				b.WriteString(upper(string(c)))
			} else {
				b.WriteString(lower(string(c)))
			}
			start = isSpace(c) || strings.ContainsRune("-({[<", c)
		}
		return b.String()
	})
}

func filterJSON(r *run, x value, a args) (value, error) {
	p, err := a.params("tojson", "ensure_ascii", "indent", "separators", "sort_keys")
	if err != nil {
		return nil, err
	}
	st := &jsonStyle{item: Text{s: ", "}, key: Text{s: ": "}}
	st.ascii = p[0] != absent && truth(p[0])
	st.sorted = p[3] != absent && truth(p[3])
	if p[1] != absent && p[1] != nil {
		by, isText := p[1].(Text)
		if !isText {
			n, err := intOr(p[1], 0, "indent")
			if err != nil {
				return nil, err
			}
			if n > 1000 {
				return nil, errors.New("the indent is over 1000")
			}
			by = Text{s: strings.Repeat(" ", int(max(n, 0)))}
		}
		st.indent, st.item = &by, Text{s: ","}
	}
	if p[2] != absent && p[2] != nil {
		two, err := r.iterate(p[2])
		if err != nil || len(two) != 2 {
			return nil, errors.New("separators are not two strings")
		}
		if st.item, err = textArg(two[0], "a separator"); err != nil {
			return nil, err
		}
		if st.key, err = textArg(two[1], "a separator"); err != nil {
			return nil, err
		}
		if len(st.item.s)+len(st.key.s) > 1000 {
			return nil, errors.New("the separators are longer than 1000 bytes")
		}
	}
	var b builder
	err = r.json(&b, x, st, 0)
	return b.text(), err
}

func filterTruncate(r *run, x value, a args) (value, error) {
	p, err := a.params("truncate", "length", "killwords", "end", "leeway")
	if err != nil {
		return nil, err
	}
	t, err := textArg(x, "the value")
	if err != nil {
		return nil, err
	}
	n, err := intOr(p[0], 255, "truncate's length")
	if err != nil {
		return nil, err
	}
	end := Text{s: "..."}
	if p[2] != absent {
		if end, err = textArg(p[2], "truncate's end"); err != nil {
			return nil, err
		}
	}
	leeway := int64(5)
	if p[3] != nil {
		if leeway, err = intOr(p[3], 5, "truncate's leeway"); err != nil {
			return nil, err
		}
	}
	size, tail := int64(t.runeCount()), int64(end.runeCount())
	if n < tail || leeway < 0 {
		return nil, fmt.Errorf("the length is less than the end's %d characters, or the leeway below 0", tail)
	}
	if err := r.alloc(2, 8*len(t.s)+len(end.s)); err != nil {
		return nil, err
	}
	if size <= n || size-n <= leeway {
		return t, nil
	}
	cut := t.slice(0, t.offsets()[n-tail])
	if p[1] == absent || !truth(p[1]) {
		if i := strings.LastIndexByte(cut.s, ' '); i >= 0 {
			cut = cut.slice(0, i)
		}
	}
	return r.concat(cut, end)
}

func filterWordcount(r *run, x value, _ args) (value, error) {
	t, err := r.str(x)
	if err != nil {
		return nil, err
	}
	n := len(strings.FieldsFunc(t.s, func(c rune) bool { return !isWordRune(c) }))
	return int64(n), r.step(1 + len(t.s)>>4)
}
