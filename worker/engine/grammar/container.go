package grammar

import (
	"fmt"
	"slices"
)

// anyDepth is how deep a value nests that no schema describes.
const anyDepth = 16

// anyValue is any value, nesting at most depth deep.
func (b *builder) anyValue(depth int) int32 {
	return b.shared(fmt.Sprint("any ", depth), func(start, end int32) {
		b.texts(start, end, []string{"true", "false", "null"})
		b.call(start, b.anyString(), end)
		b.plainNumber(start, end, false)
		if depth == 0 {
			return
		}
		b.call(start, b.anyObject(depth), end)
		at := b.text(start, "[")
		b.elements(at, end, nil, b.anyValue(depth-1), 0, -1)
	})
}

// anyObject is any object, nesting at most depth deep.
func (b *builder) anyObject(depth int) int32 {
	return b.shared(fmt.Sprint("object ", depth), func(start, end int32) {
		var p properties
		p.extra, p.others = b.anyString(), b.anyValue(depth-1)
		b.members(start, end, p)
	})
}

// elements are those of an array and its closing bracket: first ones with rules of their
// own, then others, at least lo and at most hi (-1: no bound) in all. A rest of -1
// allows no others.
func (b *builder) elements(from, to int32, first []int32, rest int32, lo, hi int) {
	if rest < 0 && (hi < 0 || hi > len(first)) {
		hi = len(first)
	}
	if lo == 0 {
		b.edge(from, ']', ']', to)
	}
	if hi == 0 {
		return
	}
	at := b.then(from, b.gap())
	for n := 1; !b.full; n++ {
		r := rest
		if n <= len(first) {
			r = first[n-1]
		}
		after := b.then(at, r)
		if n >= lo {
			b.edge(b.then(after, b.gap()), ']', ']', to)
		}
		if n == hi {
			return
		}
		if hi < 0 && n >= lo && n > len(first) { // from here on it repeats
			b.join(b.comma(after), at)
			return
		}
		at = b.comma(after)
	}
}

// array allows arrays.
func (c *compiler) array(at string, n *node, start, end int32) error {
	lo, hi, err := c.bounds(at, n, "minItems", "maxItems")
	if err != nil {
		return err
	}
	var first []int32
	if prefix := n.get("prefixItems"); prefix != nil {
		if prefix.kind != kindArray {
			return &Error{at, "prefixItems", "must be a list of schemas"}
		}
		for i, s := range prefix.items {
			r, err := c.rule(fmt.Sprintf("%s/prefixItems/%d", at, i), s)
			if err != nil {
				return err
			}
			first = append(first, r)
		}
	}
	rest := int32(-1)
	switch items := n.get("items"); {
	case items != nil && items.kind == kindBool && items.text == "false":
		if lo > len(first) {
			return &Error{at, "minItems", "asks for more than items allows"}
		}
	case items != nil:
		if rest, err = c.rule(pointer(at, "items"), items); err != nil {
			return err
		}
	case hi < 0 || hi > len(first):
		rest = c.anyValue(anyDepth - 1)
	}
	c.elements(c.text(start, "["), end, first, rest, lo, hi)
	return nil
}

// properties of an object, in the order in which they are written.
type properties struct {
	list   []property
	extra  int32 // the key of an additional one
	others int32 // its value; -1: there are none
}

type property struct {
	key      string
	rule     int32
	required bool
}

// members spells an object.
func (b *builder) members(start, end int32, p properties) {
	open := b.text(start, "{")
	b.edge(open, '}', '}', b.emptyEnd(end, p))
	none, some := b.then(open, b.gap()), b.state()
	// none and some: at property i, nothing or something is written already.
	for _, prop := range p.list {
		key := b.state()
		b.join(none, key)
		b.join(b.comma(some), key)
		after := b.then(b.colon(b.text(key, quote(prop.key))), prop.rule)
		if prop.required {
			none, some = b.state(), after // none is out of reach now
		} else {
			next := b.state()
			b.join(none, next)
			b.join(some, after)
			none, some = next, after
		}
	}
	if p.others >= 0 {
		key := b.state()
		b.join(none, key)
		b.join(b.comma(some), key)
		b.join(b.then(b.colon(b.then(key, p.extra)), p.others), some)
	}
	b.edge(b.then(some, b.gap()), '}', '}', end)
}

// emptyEnd is where an object without members leads: nowhere if one is required.
func (b *builder) emptyEnd(end int32, p properties) int32 {
	if slices.ContainsFunc(p.list, func(p property) bool { return p.required }) {
		return b.state()
	}
	return end
}

// object allows objects.
func (c *compiler) object(at string, n *node, start, end int32) error {
	declared := n.get("properties")
	required, err := c.required(at, n)
	if err != nil {
		return err
	}
	p := properties{others: -1}
	var keys []string
	if declared != nil {
		if declared.kind != kindObject {
			return &Error{at, "properties", "must be an object"}
		}
		for _, m := range declared.members {
			where := pointer(pointer(at, "properties"), m.key)
			isRequired := slices.Contains(required, m.key)
			keys = append(keys, m.key)
			if m.value.kind == kindBool && m.value.text == "false" && !isRequired {
				continue // never there
			}
			r, err := c.rule(where, m.value)
			if err != nil {
				return err
			}
			p.list = append(p.list, property{m.key, r, isRequired})
		}
	}
	for _, key := range required {
		if !slices.Contains(keys, key) {
			return &Error{at, "required", fmt.Sprintf("names %q, which properties does not describe", key)}
		}
	}
	switch more := n.get("additionalProperties"); {
	case more == nil:
		if declared == nil && n.get("patternProperties") == nil {
			p.others = c.anyValue(anyDepth - 1)
		}
	case more.kind == kindBool && more.text == "false":
	default:
		if p.others, err = c.rule(pointer(at, "additionalProperties"), more); err != nil {
			return err
		}
	}
	if p.others >= 0 {
		p.extra = c.otherKey(keys)
	}
	if err := c.patterned(at, n, keys, &p); err != nil {
		return err
	}
	if err := c.named(at, n, &p); err != nil {
		return err
	}
	c.members(start, end, p)
	return nil
}

func (c *compiler) required(at string, n *node) (keys []string, err error) {
	list := n.get("required")
	if list == nil {
		return nil, nil
	}
	for _, k := range list.items {
		if k.kind == kindString {
			keys = append(keys, k.text)
		}
	}
	if list.kind != kindArray || len(keys) != len(list.items) {
		return nil, &Error{at, "required", "must be a list of names"}
	}
	return keys, nil
}

// otherKey is any key but those, which are spelled out rune by rune to find where
// another one departs from them.
func (c *compiler) otherKey(keys []string) int32 {
	if len(keys) == 0 {
		return c.anyString()
	}
	r := c.newRule("")
	end := c.rules[r].end
	other := c.state() // departed
	c.runes(other, other, anyRune)
	c.edge(other, '"', '"', end)

	var spell func(from int32, rest []string)
	spell = func(from int32, rest []string) {
		ends := false
		next := map[rune][]string{}
		var order []rune
		for _, s := range rest {
			if s == "" {
				ends = true
				continue
			}
			k := []rune(s)
			if next[k[0]] == nil {
				order = append(order, k[0])
			}
			next[k[0]] = append(next[k[0]], string(k[1:]))
		}
		if !ends {
			c.edge(from, '"', '"', end)
		}
		slices.Sort(order)
		var free []span
		lo := rune(0)
		for _, r := range order {
			at := c.state()
			c.runes(from, at, []span{{r, r}})
			spell(at, next[r])
			if r > lo {
				free = append(free, span{lo, r - 1})
			}
			lo = r + 1
		}
		c.runes(from, other, append(free, span{lo, anyRune[1].hi}))
	}
	spell(c.text(c.rules[r].start, `"`), keys)
	return r
}
