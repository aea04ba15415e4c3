package grammar

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// span is a range of runes, both ends included.
type span struct{ lo, hi rune }

// anyRune is every rune that UTF-8 encodes.
var anyRune = []span{{0, 0xD7FF}, {0xE000, utf8.MaxRune}}

// runes spells one rune of the spans inside a JSON string, in its shortest way.
func (b *builder) runes(from, to int32, spans []span) {
	tails := map[string]int32{}
	for _, s := range spans {
		for r := s.lo; r <= s.hi && r <= '\\'; r++ {
			if esc := escape(r); esc != "" {
				b.join(b.text(from, esc), to)
			}
		}
		for _, raw := range []span{{0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, 0xD7FF}, {0xE000, utf8.MaxRune}} {
			if lo, hi := max(s.lo, raw.lo), min(s.hi, raw.hi); lo <= hi {
				b.utf8(from, to, lo, hi, tails)
			}
		}
	}
}

// escape is how a JSON string spells a rune that it can't hold; empty for others.
func escape(r rune) string {
	switch r {
	case '"':
		return `\"`
	case '\\':
		return `\\`
	case '\b':
		return `\b`
	case '\f':
		return `\f`
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	}
	if r < 0x20 {
		return fmt.Sprintf(`\u%04x`, r)
	}
	return ""
}

// quote is the shortest JSON string.
func quote(s string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range s {
		if esc := escape(r); esc != "" {
			out.WriteString(esc)
		} else {
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
	return out.String()
}

// utf8 adds the encodings of lo to hi, which hold no surrogates. Ends that lead to the
// same state are shared through tails.
func (b *builder) utf8(from, to int32, lo, hi rune, tails map[string]int32) {
	for n := 1; n < utf8.UTFMax; n++ { // one length at a time
		if last := rune([]int{0, 0x7F, 0x7FF, 0xFFFF}[n]); lo <= last && last < hi {
			b.utf8(from, to, lo, last, tails)
			b.utf8(from, to, last+1, hi, tails)
			return
		}
	}
	for i := 1; i < utf8.UTFMax; i++ { // leading bytes that differ must be followed by full ranges
		m := rune(1)<<(6*i) - 1
		if lo&^m == hi&^m {
			continue
		}
		if lo&m != 0 {
			b.utf8(from, to, lo, lo|m, tails)
			b.utf8(from, to, lo|m+1, hi, tails)
			return
		}
		if hi&m != m {
			b.utf8(from, to, lo, hi&^m-1, tails)
			b.utf8(from, to, hi&^m, hi, tails)
			return
		}
	}
	x, y := utf8.AppendRune(nil, lo), utf8.AppendRune(nil, hi)
	next := to
	key := ""
	for i := len(x) - 1; i > 0; i-- {
		key += fmt.Sprintf("%x-%x,", x[i], y[i])
		s, ok := tails[key]
		if !ok {
			s = b.state()
			b.edge(s, x[i], y[i], next)
			tails[key] = s
		}
		next = s
	}
	b.edge(from, x[0], y[0], next)
}

// character is one character of a string that no schema restricts, in any spelling.
func (b *builder) character(from, to int32) {
	b.utf8Plain(from, to)
	esc := b.text(from, `\`)
	for _, c := range []byte(`"\/bfnrt`) {
		b.edge(esc, c, c, to)
	}
	u := b.text(esc, "u")
	hex := func(from, to int32, lo, hi int) { // hex digits of these values
		for v := lo; v <= hi; v++ {
			d := fmt.Sprintf("%x", v)[0]
			b.edge(from, d, d, to)
			if v > 9 {
				b.edge(from, d-32, d-32, to)
			}
		}
	}
	three, two, one := b.state(), b.state(), b.state()
	hex(one, to, 0, 15)
	hex(two, one, 0, 15)
	hex(three, two, 0, 15)
	hex(u, three, 0, 12)
	hex(u, three, 14, 15)
	d := b.state()
	hex(u, d, 13, 13)
	hex(d, two, 0, 7) // below the surrogates
	// A surrogate pair: D800 to DBFF, then DC00 to DFFF.
	h2, h1, h0 := b.state(), b.state(), b.state()
	hex(d, h2, 8, 11)
	hex(h2, h1, 0, 15)
	hex(h1, h0, 0, 15)
	low := b.text(h0, `\u`)
	l3 := b.state()
	hex(low, l3, 13, 13)
	hex(l3, two, 12, 15)
}

func (b *builder) utf8Plain(from, to int32) {
	tails := map[string]int32{}
	for _, s := range []span{{0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, 0xD7FF}, {0xE000, utf8.MaxRune}} {
		b.utf8(from, to, s.lo, s.hi, tails)
	}
}

// stringTail is what follows the opening quote of any string.
func (b *builder) stringTail() int32 {
	return b.shared("string tail", func(start, end int32) {
		b.character(start, start)
		b.edge(start, '"', '"', end)
	})
}

// anyString is any string.
func (b *builder) anyString() int32 {
	return b.shared("string", func(start, end int32) { b.call(b.text(start, `"`), b.stringTail(), end) })
}

// boundedString has at least lo characters and at most hi, which is -1 for no bound.
func (b *builder) boundedString(from, to int32, lo, hi int) {
	character := b.shared("character", b.character)
	at := b.text(from, `"`)
	for n := 0; !b.full; n++ {
		if n >= lo {
			if hi < 0 {
				b.call(at, b.stringTail(), to)
				return
			}
			b.edge(at, '"', '"', to)
		}
		if n == hi {
			return
		}
		at = b.then(at, character)
	}
}

// gap is optional space: none, one, or a new line with its indentation.
func (b *builder) gap() int32 {
	return b.shared("gap", func(start, end int32) {
		b.join(start, end)
		b.edge(start, ' ', ' ', end)
		at := b.text(start, "\n")
		for range maxIndent {
			b.join(at, end)
			next := b.state()
			b.edge(at, ' ', ' ', next)
			b.edge(at, '\t', '\t', next)
			at = next
		}
		b.join(at, end)
	})
}

const maxIndent = 32

// colon separates a key from its value.
func (b *builder) colon(from int32) int32 {
	at := b.text(from, ":")
	after := b.text(at, " ")
	b.join(at, after)
	return after
}

// comma separates elements.
func (b *builder) comma(from int32) int32 { return b.then(b.text(from, ","), b.gap()) }

// literal spells one given value.
func (b *builder) literal(from int32, v *node) int32 {
	switch v.kind {
	case kindObject:
		at := b.text(from, "{")
		for i, m := range v.members {
			if i > 0 {
				at = b.comma(at)
			}
			at = b.literal(b.colon(b.text(at, quote(m.key))), m.value)
		}
		return b.text(at, "}")
	case kindArray:
		at := b.text(from, "[")
		for i, e := range v.items {
			if i > 0 {
				at = b.comma(at)
			}
			at = b.literal(at, e)
		}
		return b.text(at, "]")
	}
	return b.text(from, v.spelling())
}

// spelling of a scalar.
func (n *node) spelling() string {
	switch n.kind {
	case kindString:
		return quote(n.text)
	case kindNumber:
		return n.text
	case kindBool:
		return n.text
	}
	return "null"
}

// node is a JSON value of a schema, its members in order.
type node struct {
	kind    kind
	text    string // of a string (decoded), of a number, "true" or "false"
	items   []*node
	members []member
}

type member struct {
	key   string
	value *node
}

type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

func (n *node) get(key string) *node {
	for _, m := range n.members {
		if m.key == key {
			return m.value
		}
	}
	return nil
}

// parse reads a schema.
func parse(text []byte) (*node, error) {
	if len(text) > MaxSchemaBytes {
		return nil, &Error{Reason: fmt.Sprintf("it has %d bytes, at most %d are allowed", len(text), MaxSchemaBytes)}
	}
	if !utf8.Valid(text) {
		return nil, &Error{Reason: "it is not UTF-8"}
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	n, err := parseNode(d, 0)
	if err != nil {
		return nil, &Error{Reason: err.Error()}
	}
	if d.More() {
		return nil, &Error{Reason: "something follows it"}
	}
	if n.kind != kindObject && n.kind != kindBool {
		return nil, &Error{Reason: "it must be an object"}
	}
	return n, nil
}

func parseNode(d *json.Decoder, depth int) (*node, error) {
	if depth > maxSchemaDepth {
		return nil, fmt.Errorf("it nests deeper than %d", maxSchemaDepth)
	}
	t, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("it is not valid JSON: %w", err)
	}
	switch t := t.(type) {
	case nil:
		return &node{kind: kindNull}, nil
	case bool:
		return &node{kind: kindBool, text: fmt.Sprint(t)}, nil
	case json.Number:
		return &node{kind: kindNumber, text: t.String()}, nil
	case string:
		return &node{kind: kindString, text: t}, nil
	}
	if t == json.Delim('[') {
		n := &node{kind: kindArray}
		for d.More() {
			e, err := parseNode(d, depth+1)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, e)
		}
		_, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("it is not valid JSON: %w", err)
		}
		return n, nil
	}
	n := &node{kind: kindObject}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("it is not valid JSON: %w", err)
		}
		k, ok := key.(string)
		if !ok || seen[k] {
			return nil, fmt.Errorf("it has the key %q twice", k)
		}
		seen[k] = true
		v, err := parseNode(d, depth+1)
		if err != nil {
			return nil, err
		}
		n.members = append(n.members, member{k, v})
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("it is not valid JSON: %w", err)
	}
	return n, nil
}
