package chat

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// spec is how a value is formatted: [[fill]align][sign][0][width][,][.precision][type].
type spec struct {
	fill            string
	align, sign     byte
	width, prec     int
	comma, hasPrec  bool
	kind            byte
	alternate, zero bool
}

const maxWidth = 10_000

func parseSpec(s string) (spec, error) {
	sp := spec{fill: " "}
	if r, n := utf8.DecodeRuneInString(s); n < len(s) && strings.IndexByte("<>^=", s[n]) >= 0 && s != "" {
		sp.fill, sp.align = string(r), s[n]
		s = s[n+1:]
	} else if s != "" && strings.IndexByte("<>^=", s[0]) >= 0 {
		sp.align = s[0]
		s = s[1:]
	}
	if s != "" && strings.IndexByte("+- ", s[0]) >= 0 {
		sp.sign = s[0]
		s = s[1:]
	}
	if strings.HasPrefix(s, "#") {
		sp.alternate = true
		s = s[1:]
	}
	if strings.HasPrefix(s, "0") {
		sp.zero = true
		s = s[1:]
	}
	digits := func() (int, error) {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		v, err := strconv.Atoi("0" + s[:n])
		s = s[n:]
		if err != nil || v > maxWidth {
			return 0, fmt.Errorf("%w: a width over %d", errFormat, maxWidth)
		}
		return v, nil
	}
	var err error
	if sp.width, err = digits(); err != nil {
		return sp, err
	}
	if strings.HasPrefix(s, ",") {
		sp.comma = true
		s = s[1:]
	}
	if strings.HasPrefix(s, ".") {
		s = s[1:]
		sp.hasPrec = true
		if sp.prec, err = digits(); err != nil {
			return sp, err
		}
		if sp.prec > 300 {
			return sp, fmt.Errorf("%w: over 300 digits", errFormat)
		}
	}
	if len(s) > 1 {
		return sp, fmt.Errorf("%w: %q", errFormat, clip(s))
	}
	if s != "" {
		sp.kind = s[0]
	}
	if sp.zero && sp.align == 0 {
		sp.fill, sp.align = "0", '='
	}
	return sp, nil
}

// spelled formats one value.
func (r *run) spelled(v value, sp spec) (Text, error) {
	if err := r.alloc(1, sp.width*len(sp.fill)); err != nil {
		return Text{}, err
	}
	var t Text
	sign := ""
	f, isNum := number(v)
	if _, isBool := v.(bool); isBool && sp.kind == 0 {
		isNum = false
	}
	switch {
	case !isNum:
		if sp.kind != 0 && sp.kind != 's' || sp.align == '=' || sp.sign != 0 || sp.comma {
			return t, fmt.Errorf("%w for a %s", errFormat, typeName(v))
		}
		var err error
		if t, err = r.str(v); err != nil {
			return t, err
		}
		if sp.hasPrec {
			offs := t.offsets()
			t = t.slice(0, offs[min(sp.prec, len(offs)-1)])
		}
	default:
		n, isInt := integer(v)
		s, err := digitsOf(f, n, isInt, sp)
		if err != nil {
			return t, err
		}
		if strings.HasPrefix(s, "-") {
			sign, s = "-", s[1:]
		} else if sp.sign == '+' || sp.sign == ' ' {
			sign = string(sp.sign)
		}
		if sp.comma {
			s = group(s)
		}
		t = Text{s: s}
		if sp.align == 0 {
			sp.align = '>'
		}
	}
	pad := sp.width - t.runeCount() - len(sign)
	if pad < 0 {
		pad = 0
	}
	left, inner, right := 0, 0, 0
	switch sp.align {
	case '>':
		left = pad
	case '^':
		left = pad / 2
		right = pad - left
	case '=':
		inner = pad
	default:
		right = pad
	}
	fill := func(n int) Text { return Text{s: strings.Repeat(sp.fill, n)} }
	return concat(fill(left), Text{s: sign}, fill(inner), t, fill(right)), nil
}

func digitsOf(f float64, n int64, isInt bool, sp spec) (string, error) {
	prec := 6
	if sp.hasPrec {
		prec = sp.prec
	}
	base := map[byte]int{'x': 16, 'X': 16, 'o': 8, 'b': 2, 'd': 10}[sp.kind]
	switch {
	case base > 0 || sp.kind == 0 && isInt && !sp.hasPrec:
		if !isInt {
			return "", fmt.Errorf("%w: a float as an integer", errFormat)
		}
		s := strconv.FormatInt(n, max(base, 2))
		if base == 0 {
			s = strconv.FormatInt(n, 10)
		}
		if sp.kind == 'X' {
			s = strings.ToUpper(s)
		}
		if sp.alternate && base != 10 && base != 0 {
			return "", fmt.Errorf("%w: #", errFormat)
		}
		return s, nil
	case math.IsNaN(f) || math.IsInf(f, 0):
		return pyFloat(f), nil
	case sp.kind == 'f' || sp.kind == 'F':
		return strconv.FormatFloat(f, 'f', prec, 64), nil
	case sp.kind == '%':
		return strconv.FormatFloat(f*100, 'f', prec, 64) + "%", nil
	case sp.kind == 'e' || sp.kind == 'E':
		return strconv.FormatFloat(f, sp.kind, prec, 64), nil
	case sp.kind == 0 && !sp.hasPrec:
		return pyFloat(f), nil
	}
	return "", fmt.Errorf("%w: %q of a number", errFormat, sp.kind)
}

// group puts commas between thousands.
func group(s string) string {
	whole, rest, _ := strings.Cut(s, ".")
	if len(whole) < len(s) {
		rest = "." + rest
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return whole + rest
}

// format is str.format: {}, {0}, {name}, with a spec after a colon.
func (r *run) format(t Text, a args) (value, error) {
	var b builder
	next, at := 0, 0
	for at < len(t.s) {
		i := strings.IndexAny(t.s[at:], "{}")
		if i < 0 {
			break
		}
		b.add(t.slice(at, at+i))
		at += i
		if strings.HasPrefix(t.s[at:], "{{") || strings.HasPrefix(t.s[at:], "}}") {
			b.add(t.slice(at, at+1))
			at += 2
			continue
		}
		end := strings.IndexByte(t.s[at:], '}')
		if t.s[at] == '}' || end < 0 {
			return nil, fmt.Errorf("%w: a single brace", errFormat)
		}
		field, how, _ := strings.Cut(t.s[at+1:at+end], ":")
		at += end + 1
		if strings.ContainsAny(field, "!.[{") || strings.Contains(how, "{") {
			return nil, fmt.Errorf("%w: %q", errFormat, clip(field))
		}
		v := absent
		if field == "" {
			field = strconv.Itoa(next)
			next++
		}
		if n, err := strconv.Atoi(field); err == nil {
			if n >= 0 && n < len(a.pos) {
				v = a.pos[n]
			}
		} else {
			for k, id := range a.names {
				if id == field {
					v = a.named[k]
				}
			}
		}
		if v == absent {
			return nil, fmt.Errorf("format lacks an argument for {%s}", clip(field))
		}
		sp, err := parseSpec(how)
		if err != nil {
			return nil, err
		}
		s, err := r.spelled(v, sp)
		if err != nil {
			return nil, err
		}
		if err := r.alloc(1+len(s.marks), len(s.s)); err != nil {
			return nil, err
		}
		b.add(s)
	}
	b.add(t.slice(at, len(t.s)))
	return b.text(), nil
}

// percent is Python's "..." % values.
func (r *run) percent(t Text, y value) (value, error) {
	values := []value{y}
	if tup, ok := y.(*tuple); ok {
		values = tup.items
	}
	if err := r.alloc(1, len(t.s)); err != nil {
		return nil, err
	}
	var b builder
	next, at := 0, 0
	for {
		i := strings.IndexByte(t.s[at:], '%')
		if i < 0 {
			break
		}
		b.add(t.slice(at, at+i))
		at += i + 1
		end := at
		for end < len(t.s) && strings.IndexByte("-+ #0123456789.", t.s[end]) >= 0 {
			end++
		}
		if end >= len(t.s) {
			return nil, fmt.Errorf("%w: %% at the end", errFormat)
		}
		flags, kind := t.s[at:end], t.s[end]
		at = end + 1
		if kind == '%' {
			b.write("%", FromTemplate)
			continue
		}
		if next >= len(values) {
			return nil, fmt.Errorf("%w: more directives than values", errFormat)
		}
		s, err := r.directive(flags, kind, values[next])
		if err != nil {
			return nil, err
		}
		next++
		if err := r.alloc(1+len(s.marks), len(s.s)); err != nil {
			return nil, err
		}
		b.add(s)
	}
	if _, isDict := y.(*dict); next < len(values) && !isDict {
		return nil, fmt.Errorf("%w: more values than directives", errFormat)
	}
	b.add(t.slice(at, len(t.s)))
	return b.text(), nil
}

// directive is one %d, %s and so on.
func (r *run) directive(flags string, kind byte, v value) (Text, error) {
	left := strings.HasPrefix(flags, "-")
	sp, err := parseSpec(strings.TrimPrefix(flags, "-"))
	if err != nil {
		return Text{}, err
	}
	sp.kind = kind
	if left {
		sp.align, sp.fill = '<', " "
	} else if sp.align == 0 {
		sp.align = '>'
	}
	switch kind {
	case 's', 'r':
		var t Text
		if kind == 's' {
			t, err = r.str(v)
		} else {
			var b builder
			err = r.repr(&b, v, 0)
			t = b.text()
		}
		if err != nil {
			return Text{}, err
		}
		sp.kind, sp.fill = 0, " "
		if sp.align == '=' {
			sp.align = '>'
		}
		return r.spelled(t, sp)
	case 'd', 'i', 'u':
		sp.kind = 'd'
		f, ok := number(v)
		if !ok || math.Abs(f) >= 1<<63 {
			return Text{}, fmt.Errorf("%w: %%%c of a %s", errFormat, kind, typeName(v))
		}
		if n, isInt := integer(v); isInt {
			return r.spelled(n, sp)
		}
		return r.spelled(int64(f), sp)
	case 'x', 'X', 'o', 'f', 'F', 'e', 'E':
		if _, ok := number(v); !ok {
			return Text{}, fmt.Errorf("%w: %%%c of a %s", errFormat, kind, typeName(v))
		}
		return r.spelled(v, sp)
	}
	return Text{}, fmt.Errorf("%w: %%%c", errFormat, kind)
}
