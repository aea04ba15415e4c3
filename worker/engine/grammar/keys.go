package grammar

import (
	"fmt"
	"regexp"
)

// patterned takes additional properties from patternProperties. A key that two patterns match, or a pattern and
// properties, would have to fit several schemas at once: one pattern is supported, which no declared property matches.
func (c *compiler) patterned(at string, n *node, keys []string, p *properties) error {
	const keyword = "patternProperties"
	all := n.get(keyword)
	if all == nil {
		return nil
	}
	fail := func(format string, args ...any) error { return &Error{at, keyword, fmt.Sprintf(format, args...)} }
	switch {
	case all.kind != kindObject:
		return fail("must be an object")
	case len(all.members) != 1:
		return fail("is supported with one pattern, here are %d", len(all.members))
	case p.others >= 0:
		return fail("is supported with additionalProperties false or left out")
	}
	m := all.members[0]
	where := pointer(pointer(at, keyword), m.key)
	if m.value.kind == kindBool && m.value.text == "false" {
		return nil // never there
	}
	body := c.newRule(where)
	inside, closing := c.text(c.rules[body].start, `"`), c.state()
	if err := c.pattern(inside, closing, m.key); err != nil {
		return fail("%q %s", m.key, err.Error())
	}
	c.edge(closing, '"', '"', c.rules[body].end)
	re, err := regexp.Compile(m.key)
	if err != nil {
		return fail("%q is not a regular expression: %s", m.key, err.Error())
	}
	for _, key := range keys {
		if re.MatchString(key) {
			return fail("matches %q, which properties describes: let the pattern exclude it", key)
		}
	}
	p.extra = body
	p.others, err = c.rule(where, m.value)
	return err
}

// named restricts the keys of additional properties to a schema of strings.
func (c *compiler) named(at string, n *node, p *properties) error {
	const keyword = "propertyNames"
	names := n.get(keyword)
	if names == nil {
		return nil
	}
	if n.get("properties") != nil || n.get("patternProperties") != nil {
		return &Error{at, keyword, `is not supported beside "properties" and "patternProperties"`}
	}
	if p.others < 0 {
		return nil // there are no keys
	}
	where := pointer(at, keyword)
	kinds := []string{"string"}
	var err error
	if names.kind == kindObject && len(names.members) > 0 {
		if kinds, err = c.kinds(where, names); err != nil {
			return err
		}
	}
	for _, v := range listed(names) {
		if v.kind != kindString {
			return &Error{where, "", "lists a value that is not a string, as keys are"}
		}
	}
	if names.kind != kindObject || listed(names) == nil && (len(kinds) != 1 || kinds[0] != "string") {
		return &Error{at, keyword, "must be a schema of strings with their own keywords, such as pattern or maxLength"}
	}
	if len(names.members) == 0 {
		return nil // any key
	}
	p.extra, err = c.rule(where, names)
	return err
}
