package grammar

import (
	"fmt"
	"math/big"
	"slices"
)

const (
	// maxComparisons bounds the work of finding out whether the branches of oneOf exclude each other.
	maxComparisons = 1 << 18
	// maxNesting is how deep into properties and references it looks.
	maxNesting = 16
)

// exclusive says, in an error, which branches of oneOf might both allow a document: an automaton cannot take what both
// allow away again, so oneOf is taken as anyOf where no document is in two branches.
func (c *compiler) exclusive(at string, branches []*node) error {
	for i, b := range branches {
		for j, a := range branches[:i] {
			if !c.disjoint(a, b, 0) {
				return &Error{at, "oneOf", fmt.Sprintf("is supported where branches exclude each other, and %d and %d are not known to: "+
					"give them different types, or a required property with different constants, or use anyOf", j, i)}
			}
		}
	}
	return nil
}

// disjoint says that no document fits both schemas, as JSON Schema has it: a keyword says nothing about values of other
// types. When it is not sure it says no.
func (c *compiler) disjoint(a, b *node, depth int) bool {
	if depth > maxNesting || !c.charge(1+listLen(a.get("type"))+listLen(b.get("type"))) {
		return false
	}
	for _, side := range []struct{ of, other *node }{{a, b}, {b, a}} {
		n := side.of
		if ref := n.get("$ref"); ref != nil {
			target, _, err := c.resolve("", ref)
			return err == nil && c.disjoint(target, side.other, depth+1)
		}
		for _, keyword := range []string{"allOf", "anyOf", "oneOf"} { // one schema each that the document must fit
			if list := n.get(keyword); list != nil {
				return len(list.items) > 0 && !slices.ContainsFunc(list.items, func(s *node) bool { return !c.disjoint(s, side.other, depth+1) })
			}
		}
	}
	x, y := listed(a), listed(b)
	switch {
	case x != nil && y != nil:
		return c.charge(len(x)*len(y)) && !slices.ContainsFunc(x, func(v *node) bool {
			return slices.ContainsFunc(y, func(w *node) bool { return mayEqual(v, w) })
		})
	case x != nil:
		return c.charge(len(x)) && noneOf(x, b)
	case y != nil:
		return c.charge(len(y)) && noneOf(y, a)
	}
	for _, k := range types {
		if k == "integer" || !allows(a, k) || !allows(b, k) { // integers are among the numbers
			continue
		}
		if k == "object" && c.objectsDisjoint(a, b, depth) || k == "number" && c.rangesDisjoint(a, b) {
			continue
		}
		return false
	}
	return a.kind == kindObject && b.kind == kindObject
}

// charge counts work, and says whether there was little enough.
func (c *compiler) charge(n int) bool {
	c.comparisons += n
	return c.comparisons <= maxComparisons
}

func listLen(n *node) int {
	if n == nil {
		return 0
	}
	return len(n.items) + len(n.members)
}

// listed are the values of enum or const, nil if there is neither.
func listed(n *node) []*node {
	if v := n.get("const"); v != nil {
		return []*node{v}
	}
	if v := n.get("enum"); v != nil {
		return v.items
	}
	return nil
}

// noneOf says that no value is of a type that the schema allows.
func noneOf(values []*node, n *node) bool {
	return n.kind == kindObject && !slices.ContainsFunc(values, func(v *node) bool {
		return slices.ContainsFunc(types, func(k string) bool { return isA(v, k) && allows(n, k) })
	})
}

// allows says whether values of a type can fit, by the schema's type alone.
func allows(n *node, k string) bool {
	t := n.get("type")
	if t == nil {
		return true
	}
	return slices.ContainsFunc(append([]*node{t}, t.items...), func(e *node) bool {
		return e.kind == kindString && (e.text == k || e.text == "integer" && k == "number" || e.text == "number" && k == "integer")
	})
}

// mayEqual says whether two values are equal, or might be.
func mayEqual(v, w *node) bool {
	if v.kind != w.kind {
		return false
	}
	switch v.kind {
	case kindNull:
		return true
	case kindNumber:
		x, ok := ratOf(v)
		y, too := ratOf(w)
		return !ok || !too || x.Cmp(y) == 0
	case kindBool, kindString:
		return v.text == w.text
	}
	return true // containers are not looked into
}

func ratOf(n *node) (*big.Rat, bool) {
	if len(n.text) > 64 || exponent(n.text) > maxExponent {
		return nil, false
	}
	return new(big.Rat).SetString(n.text)
}

// objectsDisjoint finds a property that an object of one schema must have and that the other allows to have no value
// such as that.
func (c *compiler) objectsDisjoint(a, b *node, depth int) bool {
	for _, side := range []struct{ of, other *node }{{a, b}, {b, a}} {
		required := side.of.get("required")
		if required == nil {
			continue
		}
		looks := 1 + (listLen(side.of.get("properties"))+listLen(side.other.get("properties")))/16
		for _, k := range required.items {
			if !c.charge(looks) {
				return false
			}
			there := side.other.property(k.text)
			here := side.of.property(k.text)
			more := side.other.get("additionalProperties")
			closed := more != nil && more.kind == kindBool && more.text == "false" && side.other.get("patternProperties") == nil
			if there == nil && closed || there != nil && here != nil && c.disjoint(here, there, depth+1) {
				return true
			}
		}
	}
	return false
}

func (n *node) property(key string) *node {
	if all := n.get("properties"); all != nil {
		return all.get(key)
	}
	return nil
}

// rangesDisjoint says that the numbers of one schema end before those of the other begin.
func (c *compiler) rangesDisjoint(a, b *node) bool {
	ends := func(n *node) (lo, hi limitOf, ok bool) {
		lo, err := c.bound("", n, "minimum", "exclusiveMinimum", 1)
		if err != nil {
			return lo, hi, false
		}
		hi, err = c.bound("", n, "maximum", "exclusiveMaximum", -1)
		return lo, hi, err == nil
	}
	before := func(hi, lo limitOf) bool {
		if hi.at == nil || lo.at == nil {
			return false
		}
		d := hi.at.Cmp(lo.at)
		return d < 0 || d == 0 && (hi.open || lo.open)
	}
	aLo, aHi, ok := ends(a)
	bLo, bHi, too := ends(b)
	return ok && too && (before(aHi, bLo) || before(bHi, aLo))
}
