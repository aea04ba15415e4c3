package grammar

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// compiler turns subschemas into rules, one for each place in the document.
type compiler struct {
	*builder
	root  *node
	todo  []subschema
	chain []string // places being resolved, to find references that lead nowhere

	comparisons int // of branches of oneOf
}

type subschema struct {
	rule int32
	at   string
	n    *node
}

// annotations say nothing about which documents are valid.
var annotations = []string{
	"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "$schema", "$id", "$anchor",
	"$defs", "definitions", "contentEncoding", "contentMediaType",
}

// keywordsOf lists what each type's values can be restricted by.
var keywordsOf = map[string][]string{
	"object":  {"properties", "required", "additionalProperties", "patternProperties", "propertyNames"},
	"array":   {"items", "prefixItems", "minItems", "maxItems"},
	"string":  {"minLength", "maxLength", "pattern", "format"},
	"number":  {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
	"integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
	"boolean": {},
	"null":    {},
}

// types in the order in which they are tried.
var types = []string{"object", "array", "string", "number", "integer", "boolean", "null"}

// rule gives the rule of a subschema, which drain then fills in.
func (c *compiler) rule(at string, n *node) (int32, error) {
	if r, ok := c.memo["schema "+at]; ok {
		return r, nil
	}
	fail := func(keyword, reason string) (int32, error) {
		return 0, &Error{Pointer: at, Keyword: keyword, Reason: reason}
	}
	if n.kind == kindBool && n.text == "false" {
		return fail("", "false allows nothing: leave the branch out")
	}
	if n.kind != kindObject && n.kind != kindBool {
		return fail("", "a schema must be an object, true or false")
	}
	if ref := n.get("$ref"); ref != nil {
		if err := c.only(at, n, "$ref"); err != nil {
			return 0, err
		}
		if slices.Contains(c.chain, at) {
			return fail("$ref", "leads back to itself")
		}
		target, where, err := c.resolve(at, ref)
		if err != nil {
			return 0, err
		}
		c.chain = append(c.chain, at)
		defer func() { c.chain = c.chain[:len(c.chain)-1] }()
		return c.rule(where, target)
	}
	if all := n.get("allOf"); all != nil {
		if err := c.only(at, n, "allOf"); err != nil {
			return 0, err
		}
		if all.kind != kindArray || len(all.items) != 1 {
			return fail("allOf", "is supported with one schema only: merge them")
		}
		return c.rule(at+"/allOf/0", all.items[0])
	}
	if r, any := c.unrestricted(n); any {
		return r, nil
	}
	r := c.newRule(at)
	c.memo["schema "+at] = r
	c.todo = append(c.todo, subschema{r, at, n})
	return r, nil
}

// drain fills rules in until all are.
func (c *compiler) drain() error {
	for len(c.todo) > 0 && !c.full {
		s := c.todo[len(c.todo)-1]
		c.todo = c.todo[:len(c.todo)-1]
		if err := c.fill(s); err != nil {
			return err
		}
	}
	return nil
}

// unrestricted recognises a schema that allows any value.
func (c *compiler) unrestricted(n *node) (rule int32, ok bool) {
	for _, m := range n.members {
		if !slices.Contains(annotations, m.key) {
			return 0, false
		}
	}
	return c.anyValue(anyDepth), true
}

// only refuses keywords beside those named and annotations.
func (c *compiler) only(at string, n *node, keywords ...string) error {
	for _, m := range n.members {
		if !slices.Contains(keywords, m.key) && !slices.Contains(annotations, m.key) {
			return &Error{at, m.key, fmt.Sprintf("is not supported beside %q", keywords[0])}
		}
	}
	return nil
}

// resolve follows a reference into this document.
func (c *compiler) resolve(at string, ref *node) (n *node, where string, err error) {
	bad := func(format string, args ...any) error {
		return &Error{at, "$ref", fmt.Sprintf(format, args...)}
	}
	path, local := strings.CutPrefix(ref.text, "#")
	if ref.kind != kindString || !local || path != "" && path[0] != '/' {
		return nil, "", bad(`must lead into this document, as in "#/$defs/name"`)
	}
	n = c.root
	if path == "" {
		return n, "", nil
	}
	for _, part := range strings.Split(path[1:], "/") {
		key := strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		var next *node
		switch n.kind {
		case kindObject:
			next = n.get(key)
		case kindArray:
			if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(n.items) {
				next = n.items[i]
			}
		}
		if next == nil {
			return nil, "", bad("leads to %q, which does not exist", ref.text)
		}
		n = next
	}
	return n, path, nil
}

// pointer appends a key to a JSON pointer.
func pointer(at, key string) string {
	return at + "/" + strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

// fill builds the rule of one subschema.
func (c *compiler) fill(s subschema) error {
	n, start, end := s.n, c.rules[s.rule].start, c.rules[s.rule].end
	for _, keyword := range []string{"anyOf", "oneOf"} {
		if list := n.get(keyword); list != nil {
			return c.branches(s, keyword, list)
		}
	}
	kinds, err := c.kinds(s.at, n)
	if err != nil {
		return err
	}
	if n.get("enum") != nil || n.get("const") != nil {
		return c.values(s, kinds)
	}
	for _, k := range kinds {
		if err := c.typed(s.at, n, k, start, end); err != nil {
			return err
		}
	}
	return nil
}

// branches allows what any of the schemas in a list allows.
func (c *compiler) branches(s subschema, keyword string, list *node) error {
	start, end := c.rules[s.rule].start, c.rules[s.rule].end
	if err := c.only(s.at, s.n, keyword); err != nil {
		return err
	}
	if list.kind != kindArray || len(list.items) == 0 {
		return &Error{s.at, keyword, "must be a list of at least one schema"}
	}
	for i, branch := range list.items {
		r, err := c.rule(fmt.Sprintf("%s/%s/%d", s.at, keyword, i), branch)
		if err != nil {
			return err
		}
		c.call(start, r, end)
	}
	if keyword == "oneOf" {
		return c.exclusive(s.at, list.items)
	}
	return nil
}

// kinds are the types that a schema allows: those of type, or those that its keywords
// are about. A keyword of no allowed type is refused.
func (c *compiler) kinds(at string, n *node) ([]string, error) {
	var kinds []string
	t := n.get("type")
	switch {
	case t == nil:
		for _, m := range n.members {
			for _, k := range types {
				if slices.Contains(keywordsOf[k], m.key) && !slices.Contains(kinds, k) {
					kinds = append(kinds, k)
				}
			}
		}
	case t.kind == kindString:
		kinds = []string{t.text}
	case t.kind == kindArray:
		for _, e := range t.items {
			kinds = append(kinds, e.text)
		}
	}
	if t != nil && len(kinds) == 0 {
		return nil, &Error{at, "type", "must be a type's name or a list of names"}
	}
	for _, k := range kinds {
		if _, ok := keywordsOf[k]; !ok {
			return nil, &Error{at, "type", fmt.Sprintf("%q is unknown: use %s", k, strings.Join(types, ", "))}
		}
	}
	if slices.Contains(kinds, "number") {
		kinds = keep(kinds, func(k string) bool { return k != "integer" }) // it is among the numbers
	}
	for _, m := range n.members {
		known := m.key == "type" || m.key == "enum" || m.key == "const" || slices.Contains(annotations, m.key)
		for _, k := range kinds {
			known = known || slices.Contains(keywordsOf[k], m.key)
		}
		if !known {
			return nil, &Error{at, m.key, "is not supported here"}
		}
	}
	return kinds, nil
}

// values allows listed values.
func (c *compiler) values(s subschema, kinds []string) error {
	start, end := c.rules[s.rule].start, c.rules[s.rule].end
	keyword := "enum"
	if s.n.get("enum") == nil {
		keyword = "const"
	}
	if err := c.only(s.at, s.n, keyword, "type"); err != nil {
		return err
	}
	list := []*node{s.n.get(keyword)}
	if keyword == "enum" {
		if list[0].kind != kindArray {
			return &Error{s.at, "enum", "must be a list"}
		}
		list = list[0].items
	}
	var scalars []string
	some := false
	for _, v := range list {
		if s.n.get("type") != nil && !slices.ContainsFunc(kinds, func(k string) bool { return isA(v, k) }) {
			continue
		}
		some = true
		if v.kind == kindObject || v.kind == kindArray {
			c.join(c.literal(start, v), end)
		} else {
			scalars = append(scalars, v.spelling())
		}
	}
	if !some {
		return &Error{s.at, keyword, "holds no value that type allows"}
	}
	c.texts(start, end, scalars)
	return nil
}

// isA says whether a value is of a type.
func isA(v *node, k string) bool {
	switch k {
	case "object":
		return v.kind == kindObject
	case "array":
		return v.kind == kindArray
	case "string":
		return v.kind == kindString
	case "boolean":
		return v.kind == kindBool
	case "null":
		return v.kind == kindNull
	case "integer":
		if v.kind != kindNumber || len(v.text) > 64 || exponent(v.text) > maxExponent {
			return false
		}
		r, ok := new(big.Rat).SetString(v.text)
		return ok && r.IsInt()
	}
	return v.kind == kindNumber
}

// typed allows the values of one type.
func (c *compiler) typed(at string, n *node, k string, start, end int32) error {
	switch k {
	case "object":
		return c.object(at, n, start, end)
	case "array":
		return c.array(at, n, start, end)
	case "string":
		return c.str(at, n, start, end)
	case "number", "integer":
		return c.number(at, n, k == "integer", start, end)
	case "boolean":
		c.texts(start, end, []string{"true", "false"})
	case "null":
		c.join(c.text(start, "null"), end)
	}
	return nil
}

// str allows strings.
func (c *compiler) str(at string, n *node, start, end int32) error {
	lo, hi, err := c.bounds(at, n, "minLength", "maxLength")
	if err != nil {
		return err
	}
	pattern, format := n.get("pattern"), n.get("format")
	if pattern == nil && format == nil {
		c.boundedString(start, end, lo, hi)
		return nil
	}
	keyword, p := "pattern", pattern
	if pattern == nil {
		keyword, p = "format", format
	}
	if lo != 0 || hi >= 0 || pattern != nil && format != nil {
		return &Error{at, keyword, "is not supported beside other limits of a string"}
	}
	if p.kind != kindString {
		return &Error{at, keyword, "must be a string"}
	}
	text := p.text
	if keyword == "format" {
		var ok bool
		if text, ok = formats[text]; !ok {
			return &Error{at, keyword, fmt.Sprintf("%q is not supported: use date, time, date-time, uuid, ipv4 or email", p.text)}
		}
	}
	body := c.text(start, `"`)
	after := c.state()
	if err := c.pattern(body, after, text); err != nil {
		return &Error{at, keyword, err.Error()}
	}
	c.edge(after, '"', '"', end)
	return nil
}

// bounds reads a pair of counts; hi is -1 for none.
func (c *compiler) bounds(at string, n *node, least, most string) (lo, hi int, err error) {
	read := func(keyword string, otherwise int) int {
		v := n.get(keyword)
		if v == nil || err != nil {
			return otherwise
		}
		i, bad := strconv.Atoi(v.text)
		switch {
		case v.kind != kindNumber || bad != nil || i < 0:
			err = &Error{at, keyword, "must be a whole number from 0 up"}
		case i > maxStates:
			err = &Error{at, keyword, fmt.Sprintf("is %d, more than %d", i, maxStates)}
		}
		return i
	}
	lo, hi = read(least, 0), read(most, -1)
	if err == nil && hi >= 0 && hi < lo {
		err = &Error{at, most, fmt.Sprintf("is less than %s", least)}
	}
	return lo, hi, err
}
