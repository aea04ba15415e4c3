package chat

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// method is a function bound to a value.
type method struct {
	recv value
	name string
}

var textMethods = map[string]func(r *run, t Text, a args) (value, error){
	"strip":      func(_ *run, t Text, a args) (value, error) { return stripMethod(t, a, true, true) },
	"lstrip":     func(_ *run, t Text, a args) (value, error) { return stripMethod(t, a, true, false) },
	"rstrip":     func(_ *run, t Text, a args) (value, error) { return stripMethod(t, a, false, true) },
	"startswith": func(_ *run, t Text, a args) (value, error) { return affix(t, a, "startswith", strings.HasPrefix) },
	"endswith":   func(_ *run, t Text, a args) (value, error) { return affix(t, a, "endswith", strings.HasSuffix) },
	"split":      func(r *run, t Text, a args) (value, error) { return r.splitMethod(t, a, false) },
	"rsplit":     func(r *run, t Text, a args) (value, error) { return r.splitMethod(t, a, true) },
	"splitlines": splitLines,
	"replace":    replaceMethod,
	"upper":      caseMethod(upper), "lower": caseMethod(lower), "casefold": caseMethod(cases.Fold().String),
	"title": caseMethod(pyTitle), "swapcase": caseMethod(swapCase),
	"capitalize": whole(capitalize),
	"find":       func(_ *run, t Text, a args) (value, error) { return find(t, a, strings.Index, -1) },
	"rfind":      func(_ *run, t Text, a args) (value, error) { return find(t, a, strings.LastIndex, -1) },
	"index":      func(_ *run, t Text, a args) (value, error) { return find(t, a, strings.Index, -2) },
	"rindex":     func(_ *run, t Text, a args) (value, error) { return find(t, a, strings.LastIndex, -2) },
	"count": func(_ *run, t Text, a args) (value, error) {
		s, err := oneText(a, "count")
		return int64(strings.Count(t.s, s.s)), err
	},
	"join": func(r *run, t Text, a args) (value, error) {
		p, err := a.params("join", "!iterable")
		if err != nil {
			return nil, err
		}
		return r.joinItems(p[0], t, true)
	},
	"format":  func(r *run, t Text, a args) (value, error) { return r.format(t, a) },
	"isdigit": every(unicode.IsDigit), "isdecimal": every(unicode.IsDigit), "isnumeric": every(unicode.IsNumber),
	"isalpha": every(unicode.IsLetter), "isspace": every(isSpace),
	"isalnum": every(func(c rune) bool { return unicode.IsLetter(c) || unicode.IsNumber(c) }),
	"isupper": whole(func(t Text) bool { return isCase(t.s, unicode.IsUpper, unicode.IsLower) }),
	"islower": whole(func(t Text) bool { return isCase(t.s, unicode.IsLower, unicode.IsUpper) }),
	"removeprefix": func(_ *run, t Text, a args) (value, error) {
		s, err := oneText(a, "removeprefix")
		return t.slice(len(t.s)-len(strings.TrimPrefix(t.s, s.s)), len(t.s)), err
	},
	"removesuffix": func(_ *run, t Text, a args) (value, error) {
		s, err := oneText(a, "removesuffix")
		return t.slice(0, len(strings.TrimSuffix(t.s, s.s))), err
	},
	"partition":  func(_ *run, t Text, a args) (value, error) { return partition(t, a, strings.Index, false) },
	"rpartition": func(_ *run, t Text, a args) (value, error) { return partition(t, a, strings.LastIndex, true) },
	"zfill":      func(r *run, t Text, a args) (value, error) { return r.pad(t, a, "zfill") },
	"ljust":      func(r *run, t Text, a args) (value, error) { return r.pad(t, a, "ljust") },
	"rjust":      func(r *run, t Text, a args) (value, error) { return r.pad(t, a, "rjust") },
	"center":     func(r *run, t Text, a args) (value, error) { return r.pad(t, a, "center") },
}

var (
	dictMethods = map[string]bool{"get": true, "items": true, "keys": true, "values": true, "copy": true}
	listMethods = map[string]bool{"index": true, "count": true, "copy": true}
)

// bound gives a method of a value, or nil. Python's methods that change a value are
// not there: a template cannot change its input.
func bound(x value, id string) value {
	ok := false
	switch x.(type) {
	case Text:
		_, ok = textMethods[id]
	case *dict:
		ok = dictMethods[id]
	case *list:
		ok = listMethods[id]
	case *tuple:
		ok = listMethods[id] && id != "copy"
	}
	if !ok {
		return nil
	}
	return &method{x, id}
}

func (r *run) callMethod(m *method, a args) (value, error) {
	switch x := m.recv.(type) {
	case Text:
		// What a method makes is in proportion to its text; what it makes more of, it counts itself.
		if err := r.alloc(1, len(x.s)); err != nil {
			return nil, err
		}
		return textMethods[m.name](r, x, a)
	case *dict:
		return r.dictMethod(x, m.name, a)
	case *list:
		return r.listMethod(m.name, x.items, a)
	case *tuple:
		return r.listMethod(m.name, x.items, a)
	case *loop:
		if m.name == "cycle" {
			if len(a.pos) == 0 {
				return nil, errors.New("cycle lacks its arguments")
			}
			return a.pos[x.at%len(a.pos)], nil
		}
		now := &tuple{a.pos}
		same, err := r.equal(now, x.changed, 0)
		x.changed = now
		return !same, err
	}
	return nil, fmt.Errorf("a %s cannot be called", typeName(m.recv))
}

func (r *run) dictMethod(d *dict, id string, a args) (value, error) {
	if id == "get" {
		p, err := a.params("get", "!key", "default")
		if err != nil {
			return nil, err
		}
		v, ok, err := d.get(r, p[0])
		if err != nil || ok {
			return v, err
		}
		if p[1] == absent {
			return nil, nil
		}
		return p[1], nil
	}
	if _, err := a.params(id); err != nil {
		return nil, err
	}
	if err := r.alloc(3*len(d.keys), 0); err != nil {
		return nil, err
	}
	switch id {
	case "items":
		return &view{list{d.pairs()}, "dict_items"}, nil
	case "keys":
		return &view{list{append([]value{}, d.keys...)}, "dict_keys"}, nil
	case "values":
		return &view{list{append([]value{}, d.values...)}, "dict_values"}, nil
	}
	out := newDict()
	return out, r.fill(out, d)
}

func (r *run) listMethod(id string, items []value, a args) (value, error) {
	if id == "copy" {
		return &list{items}, nil // lists never change
	}
	p, err := a.params(id, "!value")
	if err != nil {
		return nil, err
	}
	n := int64(0)
	for i, it := range items {
		same, err := r.equal(it, p[0], 0)
		if err != nil {
			return nil, err
		}
		if same && id == "index" {
			return int64(i), nil
		}
		if same {
			n++
		}
	}
	if id == "index" {
		return nil, errors.New("the value is not in the list")
	}
	return n, nil
}

func oneText(a args, of string) (Text, error) {
	p, err := a.params(of, "!text")
	if err != nil {
		return Text{}, err
	}
	return textArg(p[0], of+"'s argument")
}

func stripMethod(t Text, a args, left, right bool) (value, error) {
	p, err := a.params("strip", "chars")
	if err != nil {
		return nil, err
	}
	if p[0] == absent || p[0] == nil {
		return t.strip(nil, left, right), nil
	}
	chars, err := textArg(p[0], "strip's argument")
	if err != nil {
		return nil, err
	}
	if len(chars.s) > 1000 {
		return nil, errors.New("strip's argument is longer than 1000 bytes")
	}
	return t.strip(&chars.s, left, right), nil
}

func affix(t Text, a args, of string, has func(s, affix string) bool) (value, error) {
	p, err := a.params(of, "!text", "start", "end")
	if err != nil {
		return nil, err
	}
	if p[1] != absent || p[2] != absent {
		return nil, fmt.Errorf("%s with bounds is not supported", of)
	}
	choices := []value{p[0]}
	if tup, ok := p[0].(*tuple); ok {
		choices = tup.items
	}
	for _, c := range choices {
		s, err := textArg(c, of+"'s argument")
		if err != nil {
			return nil, err
		}
		if has(t.s, s.s) {
			return true, nil
		}
	}
	return false, nil
}

func (r *run) splitMethod(t Text, a args, fromEnd bool) (value, error) {
	p, err := a.params("split", "sep", "maxsplit")
	if err != nil {
		return nil, err
	}
	limit, err := intOr(p[1], -1, "split's maxsplit")
	if err != nil {
		return nil, err
	}
	n := int(min(max(limit, -1), int64(len(t.s)+1)))
	var parts []Text
	if p[0] == absent || p[0] == nil {
		if fromEnd && n >= 0 {
			return nil, errors.New("rsplit at white space with a limit is not supported")
		}
		if err := r.alloc(2*(1+len(t.s)/2), 0); err != nil {
			return nil, err
		}
		parts = t.fields(n)
	} else {
		sep, err := textArg(p[0], "split's separator")
		if err != nil {
			return nil, err
		}
		if sep.s == "" {
			return nil, errors.New("split's separator is empty")
		}
		if err := r.alloc(2*(1+strings.Count(t.s, sep.s)), 0); err != nil {
			return nil, err
		}
		if fromEnd {
			parts = t.rsplit(sep.s, n)
		} else {
			parts = t.split(sep.s, n)
		}
	}
	return textList(parts), nil
}

func textList(parts []Text) *list {
	out := &list{make([]value, len(parts))}
	for i, p := range parts {
		out.items[i] = p
	}
	return out
}

func splitLines(r *run, t Text, a args) (value, error) {
	p, err := a.params("splitlines", "keepends")
	if err != nil {
		return nil, err
	}
	if err := r.alloc(2*(1+len(t.s)/16), 0); err != nil {
		return nil, err
	}
	parts := t.lines(p[0] != absent && truth(p[0]))
	return textList(parts), r.alloc(2*len(parts), 0)
}

func replaceMethod(r *run, t Text, a args) (value, error) {
	p, err := a.params("replace", "!old", "!new", "count")
	if err != nil {
		return nil, err
	}
	from, err := textArg(p[0], "replace's first argument")
	if err != nil {
		return nil, err
	}
	to, err := textArg(p[1], "replace's second argument")
	if err != nil {
		return nil, err
	}
	count := int64(-1)
	if p[2] != nil { // the filter's default is none
		if count, err = intOr(p[2], -1, "replace's count"); err != nil {
			return nil, err
		}
	}
	n := strings.Count(t.s, from.s)
	if count >= 0 {
		n = int(min(int64(n), count))
	}
	if err := r.room(n, len(to.s)+valueBytes*(1+len(to.marks))); err != nil {
		return nil, err
	}
	return t.replace(from, to, int(min(count, int64(len(t.s)+1)))), nil
}

// room counts n times size bytes, without overflow.
func (r *run) room(n, size int) error {
	if size > 0 && n > r.limits.Bytes/size {
		return r.alloc(0, r.limits.Bytes+1)
	}
	return r.alloc(0, n*size)
}

func upper(s string) string { return cases.Upper(language.Und).String(s) }

func lower(s string) string { return cases.Lower(language.Und).String(s) }

func caseMethod(f func(string) string) func(*run, Text, args) (value, error) {
	return whole(func(t Text) Text { return t.mapRuns(f) })
}

// whole is a method without arguments.
func whole[V any](f func(Text) V) func(*run, Text, args) (value, error) {
	return func(_ *run, t Text, a args) (value, error) {
		_, err := a.params("the method")
		return f(t), err
	}
}

func capitalize(t Text) Text {
	if t.s == "" {
		return t
	}
	first, rest := t.firstRune()
	return concat(first.mapRuns(cases.Title(language.Und).String), rest.mapRuns(lower))
}

func pyTitle(s string) string {
	var b strings.Builder
	inWord := false
	for _, c := range s {
		if inWord {
			b.WriteRune(unicode.ToLower(c))
		} else {
			b.WriteRune(unicode.ToTitle(c))
		}
		inWord = unicode.IsLetter(c)
	}
	return b.String()
}

func swapCase(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsUpper(c) {
			return unicode.ToLower(c)
		}
		return unicode.ToUpper(c)
	}, s)
}

func find(t Text, a args, index func(s, sub string) int, missing int64) (value, error) {
	s, err := oneText(a, "find")
	if err != nil {
		return nil, err
	}
	i := index(t.s, s.s)
	if i < 0 && missing == -2 {
		return nil, errors.New("the substring is not there")
	}
	if i < 0 {
		return missing, nil
	}
	return int64(utf8.RuneCountInString(t.s[:i])), nil
}

func every(is func(rune) bool) func(*run, Text, args) (value, error) {
	return func(_ *run, t Text, _ args) (value, error) {
		for _, c := range t.s {
			if !is(c) {
				return false, nil
			}
		}
		return t.s != "", nil
	}
}

func isCase(s string, is, isOther func(rune) bool) bool {
	some := false
	for _, c := range s {
		if isOther(c) {
			return false
		}
		some = some || is(c)
	}
	return some
}

func partition(t Text, a args, index func(s, sub string) int, last bool) (value, error) {
	s, err := oneText(a, "partition")
	if err != nil {
		return nil, err
	}
	if s.s == "" {
		return nil, errors.New("partition's separator is empty")
	}
	i := index(t.s, s.s)
	switch {
	case i >= 0:
		return &tuple{[]value{t.slice(0, i), t.slice(i, i+len(s.s)), t.slice(i+len(s.s), len(t.s))}}, nil
	case last:
		return &tuple{[]value{Text{}, Text{}, t}}, nil
	}
	return &tuple{[]value{t, Text{}, Text{}}}, nil
}

// pad widens a text: zfill, ljust, rjust and center.
func (r *run) pad(t Text, a args, how string) (value, error) {
	p, err := a.params(how, "!width", "fillchar")
	if err != nil {
		return nil, err
	}
	width, err := intOr(p[0], 0, how+"'s width")
	if err != nil {
		return nil, err
	}
	fill := Text{s: " "}
	if how == "zfill" {
		fill = Text{s: "0"}
	} else if p[1] != absent {
		if fill, err = textArg(p[1], how+"'s fill"); err != nil {
			return nil, err
		}
		if fill.runeCount() != 1 {
			return nil, fmt.Errorf("%s's fill is not one character", how)
		}
	}
	n := width - int64(t.runeCount())
	if n <= 0 {
		return t, nil
	}
	if n > int64(r.limits.Bytes) {
		return nil, r.alloc(0, r.limits.Bytes+1)
	}
	if err := r.room(int(n), len(fill.s)+valueBytes*len(fill.marks)); err != nil {
		return nil, err
	}
	times := func(n int64) Text {
		var b builder
		for range n {
			b.add(fill)
		}
		return b.text()
	}
	switch how {
	case "zfill":
		if strings.HasPrefix(t.s, "-") || strings.HasPrefix(t.s, "+") {
			return concat(t.slice(0, 1), times(n), t.slice(1, len(t.s))), nil
		}
		return concat(times(n), t), nil
	case "rjust":
		return concat(times(n), t), nil
	case "ljust":
		return concat(t, times(n)), nil
	}
	left := n/2 + n&width&1 // as CPython
	return concat(times(left), t, times(n-left)), nil
}
