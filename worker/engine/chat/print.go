package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// str is what printing a value gives: Python's str.
func (r *run) str(v value) (Text, error) {
	switch v := v.(type) {
	case Text:
		return v, nil
	case *undefined:
		return Text{}, nil
	}
	var b builder
	err := r.repr(&b, v, 0)
	return b.text(), err
}

// repr writes a value as Python's repr does.
func (r *run) repr(b *builder, v value, depth int) error {
	if depth > maxNesting {
		return errNested
	}
	if err := r.alloc(1, 8); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		b.write("None", FromTemplate)
	case bool:
		if v {
			b.write("True", FromTemplate)
		} else {
			b.write("False", FromTemplate)
		}
	case int64:
		b.write(strconv.FormatInt(v, 10), FromTemplate)
	case *big.Int:
		b.write(v.String(), FromTemplate)
	case float64:
		b.write(pyFloat(v), FromTemplate)
	case Text:
		if err := r.alloc(len(v.marks), 2*len(v.s)); err != nil {
			return err
		}
		reprText(b, v)
	case *list:
		return r.reprItems(b, "[", v.items, "]", depth)
	case *tuple:
		if len(v.items) == 1 {
			return r.reprItems(b, "(", v.items, ",)", depth)
		}
		return r.reprItems(b, "(", v.items, ")", depth)
	case *dict:
		b.write("{", FromTemplate)
		for i := range v.keys {
			if i > 0 {
				b.write(", ", FromTemplate)
			}
			if err := r.repr(b, v.keys[i], depth+1); err != nil {
				return err
			}
			b.write(": ", FromTemplate)
			if err := r.repr(b, v.values[i], depth+1); err != nil {
				return err
			}
		}
		b.write("}", FromTemplate)
	case *undefined:
		b.write("Undefined", FromTemplate)
	case *view:
		return r.reprItems(b, v.name+"([", v.items, "])", depth)
	case *iterator:
		return fmt.Errorf("the result of %q is an iterator: add |list to print it", v.name)
	default:
		return fmt.Errorf("a %s cannot be printed", typeName(v))
	}
	return nil
}

func (r *run) reprItems(b *builder, open string, items []value, end string, depth int) error {
	b.write(open, FromTemplate)
	for i, it := range items {
		if i > 0 {
			b.write(", ", FromTemplate)
		}
		if err := r.repr(b, it, depth+1); err != nil {
			return err
		}
	}
	b.write(end, FromTemplate)
	return nil
}

func reprText(b *builder, t Text) {
	quote := '\''
	if strings.Contains(t.s, "'") && !strings.Contains(t.s, `"`) {
		quote = '"'
	}
	b.write(string(quote), FromTemplate)
	t.runs(func(s string, by Origin) {
		var out strings.Builder
		for _, c := range s {
			switch {
			case c == quote || c == '\\':
				out.WriteRune('\\')
				out.WriteRune(c)
			case c == '\n':
				out.WriteString(`\n`)
			case c == '\r':
				out.WriteString(`\r`)
			case c == '\t':
				out.WriteString(`\t`)
			case c == ' ' || unicode.IsGraphic(c) && !unicode.Is(unicode.Z, c):
				out.WriteRune(c)
			case c < 0x100:
				fmt.Fprintf(&out, `\x%02x`, c)
			case c < 0x10000:
				fmt.Fprintf(&out, `\u%04x`, c)
			default:
				fmt.Fprintf(&out, `\U%08x`, c)
			}
		}
		b.write(out.String(), by)
	})
	b.write(string(quote), FromTemplate)
}

// pyFloat spells a float as Python does.
func pyFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64) // two digits of exponent at least, as Python
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// jsonStyle is how tojson writes.
type jsonStyle struct {
	ascii, sorted bool
	indent        *Text
	item, key     Text // separators
}

// json writes a value as Python's json.dumps does.
func (r *run) json(b *builder, v value, st *jsonStyle, depth int) error {
	if depth > maxNesting {
		return errNested
	}
	if err := r.alloc(1, 8); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		b.write("null", FromTemplate)
	case bool:
		b.write(strconv.FormatBool(v), FromTemplate)
	case int64:
		b.write(strconv.FormatInt(v, 10), FromTemplate)
	case *big.Int:
		b.write(v.String(), FromTemplate)
	case float64:
		b.write(jsonFloat(v), FromTemplate)
	case Text:
		if err := r.alloc(len(v.marks), 2*len(v.s)); err != nil {
			return err
		}
		jsonText(b, v, st.ascii)
	case *list:
		return r.jsonItems(b, v.items, st, depth)
	case *tuple:
		return r.jsonItems(b, v.items, st, depth)
	case *dict:
		return r.jsonDict(b, v, st, depth)
	case *undefined:
		return v.err()
	default:
		return fmt.Errorf("a %s cannot be written as JSON", typeName(v))
	}
	return nil
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return pyFloat(f)
}

// newline starts a line of an indented JSON text.
func (r *run) newline(b *builder, st *jsonStyle, depth int) error {
	if st.indent == nil {
		return nil
	}
	if err := r.alloc(0, depth*len(st.indent.s)+1); err != nil {
		return err
	}
	b.write("\n", FromTemplate)
	for range depth {
		b.add(*st.indent)
	}
	return nil
}

func (r *run) jsonItems(b *builder, items []value, st *jsonStyle, depth int) error {
	if len(items) == 0 {
		b.write("[]", FromTemplate)
		return nil
	}
	b.write("[", FromTemplate)
	for i, it := range items {
		if i > 0 {
			b.add(st.item)
		}
		if err := r.newline(b, st, depth+1); err != nil {
			return err
		}
		if err := r.json(b, it, st, depth+1); err != nil {
			return err
		}
	}
	if err := r.newline(b, st, depth); err != nil {
		return err
	}
	b.write("]", FromTemplate)
	return nil
}

func (r *run) jsonDict(b *builder, d *dict, st *jsonStyle, depth int) error {
	if len(d.keys) == 0 {
		b.write("{}", FromTemplate)
		return nil
	}
	order, err := r.alloc2(len(d.keys))
	if err != nil {
		return err
	}
	for i := range d.keys {
		order[i] = i
	}
	if st.sorted {
		if err := r.sortBy(order, func(i, j int) (int, error) { return r.compare(d.keys[i], d.keys[j], 0) }); err != nil {
			return err
		}
	}
	b.write("{", FromTemplate)
	for n, i := range order {
		if n > 0 {
			b.add(st.item)
		}
		if err := r.newline(b, st, depth+1); err != nil {
			return err
		}
		switch k := d.keys[i].(type) {
		case Text:
			jsonText(b, k, st.ascii)
		case nil, bool, int64, *big.Int, float64:
			b.write(`"`, FromTemplate)
			if err := r.json(b, k, st, depth+1); err != nil {
				return err
			}
			b.write(`"`, FromTemplate)
		default:
			return fmt.Errorf("a %s cannot be a key in JSON", typeName(k))
		}
		b.add(st.key)
		if err := r.json(b, d.values[i], st, depth+1); err != nil {
			return err
		}
	}
	if err := r.newline(b, st, depth); err != nil {
		return err
	}
	b.write("}", FromTemplate)
	return nil
}

func (r *run) alloc2(n int) ([]int, error) {
	if err := r.alloc(n, 0); err != nil {
		return nil, err
	}
	return make([]int, n), nil
}

func jsonText(b *builder, t Text, ascii bool) {
	b.write(`"`, FromTemplate)
	t.runs(func(s string, by Origin) {
		var out strings.Builder
		for _, c := range s {
			switch {
			case c == '"' || c == '\\':
				out.WriteByte('\\')
				out.WriteRune(c)
			case c == '\n':
				out.WriteString(`\n`)
			case c == '\r':
				out.WriteString(`\r`)
			case c == '\t':
				out.WriteString(`\t`)
			case c == '\f':
				out.WriteString(`\f`)
			case c == '\b':
				out.WriteString(`\b`)
			case c < 0x20 || ascii && c > 0x7f && c < 0x10000:
				fmt.Fprintf(&out, `\u%04x`, c)
			case ascii && c >= 0x10000:
				fmt.Fprintf(&out, `\u%04x\u%04x`, 0xd800+(c-0x10000)>>10, 0xdc00+(c-0x10000)&0x3ff)
			default:
				out.WriteRune(c)
			}
		}
		b.write(out.String(), by)
	})
	b.write(`"`, FromTemplate)
}

// fromJSON reads input, keeping the order of keys. Strings get the origin by.
func fromJSON(raw []byte, by Origin) (value, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	v, err := readJSON(d, by, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something after the JSON value")
	}
	return v, nil
}

func readJSON(d *json.Decoder, by Origin, depth int) (value, error) {
	if depth > maxNesting {
		return nil, errNested
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case nil, bool:
		return t, nil
	case string:
		return Written(t, by), nil
	case json.Number:
		return readNumber(t.String())
	case json.Delim:
		if t == '[' {
			out := &list{}
			for d.More() {
				v, err := readJSON(d, by, depth+1)
				if err != nil {
					return nil, err
				}
				out.items = append(out.items, v)
			}
			_, err := d.Token()
			return out, err
		}
		out := newDict()
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, err
			}
			s, _ := k.(string)
			v, err := readJSON(d, by, depth+1)
			if err != nil {
				return nil, err
			}
			if err := out.set(nil, Written(s, by), v); err != nil {
				return nil, err
			}
		}
		_, err := d.Token()
		return out, err
	}
	return nil, fmt.Errorf("unexpected %v", t)
}

const maxDigits = 400

func readNumber(s string) (value, error) {
	if len(s) > maxDigits {
		return nil, fmt.Errorf("a number has over %d digits", maxDigits)
	}
	if !strings.ContainsAny(s, ".eE") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, nil
		}
		n, ok := new(big.Int).SetString(s, 10)
		if !ok {
			return nil, fmt.Errorf("%q is no number", s)
		}
		return n, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return nil, err
	}
	return f, nil
}

// firstRune splits off the first character.
func (t Text) firstRune() (first, rest Text) {
	_, n := utf8.DecodeRuneInString(t.s)
	return t.slice(0, n), t.slice(n, len(t.s))
}
