package chat

import (
	"fmt"
	"slices"
	"strings"
)

// parser turns tokens into statements, by Jinja's grammar.
type parser struct {
	toks  []token
	pos   int
	depth int
	loops int // for loops around the current statement
	names map[string]bool
}

func (p *parser) cur() token { return p.toks[p.pos] }

func (p *parser) next() token {
	t := p.toks[p.pos]
	if t.kind != tokEOF {
		p.pos++
	}
	return t
}

func (p *parser) fail(format string, args ...any) error {
	return &Error{p.cur().line, fmt.Errorf(format, args...)}
}

func (p *parser) isOp(op string) bool { t := p.cur(); return t.kind == tokOp && t.text == op }

func (p *parser) isName(id string) bool { t := p.cur(); return t.kind == tokName && t.text == id }

func (p *parser) skipOp(op string) bool {
	if p.isOp(op) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) skipName(id string) bool {
	if p.isName(id) {
		p.pos++
		return true
	}
	return false
}

func (t token) describe() string {
	switch t.kind {
	case tokEOF:
		return "the end of the template"
	case tokBlockEnd, tokVarEnd:
		return "the end of the tag"
	case tokData, tokVarBegin, tokBlockBegin:
		return "text"
	}
	return fmt.Sprintf("%q", t.text)
}

func (p *parser) expectOp(op string) error {
	if !p.skipOp(op) {
		return p.fail("expected %q, found %s", op, p.cur().describe())
	}
	return nil
}

func (p *parser) ident() (string, error) {
	if p.cur().kind != tokName {
		return "", p.fail("expected a name, found %s", p.cur().describe())
	}
	return p.next().text, nil
}

func (p *parser) blockEnd() error {
	if p.cur().kind != tokBlockEnd {
		return p.fail("expected the end of the tag, found %s", p.cur().describe())
	}
	p.pos++
	return nil
}

func (p *parser) enter() error {
	p.depth++
	if p.depth > maxNesting {
		return p.fail("is nested more than %d deep", maxNesting)
	}
	return nil
}

// statements reads up to a tag named one of ends, which is left for the caller:
// the position is at its name.
func (p *parser) statements(ends ...string) ([]stmt, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	var out []stmt
	for {
		t := p.next()
		switch t.kind {
		case tokEOF:
			if len(ends) > 0 {
				return nil, p.fail("expected %s before the end of the template", strings.Join(ends, " or "))
			}
			return out, nil
		case tokData:
			out = append(out, &data{at{t.line}, t.text})
		case tokVarBegin:
			e, err := p.tuple(nil)
			if err != nil {
				return nil, err
			}
			if p.cur().kind != tokVarEnd {
				return nil, p.fail("expected the end of the print tag, found %s", p.cur().describe())
			}
			p.pos++
			out = append(out, &output{at{t.line}, []expr{e}})
		case tokBlockBegin:
			if p.cur().kind == tokName && slices.Contains(ends, p.cur().text) {
				return out, nil
			}
			s, err := p.statement()
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		default:
			return nil, p.fail("unexpected %s", t.describe())
		}
	}
}

// body reads a tag's content and the tag that ends it.
func (p *parser) body(end string) ([]stmt, error) {
	if err := p.blockEnd(); err != nil {
		return nil, err
	}
	out, err := p.statements(end)
	if err != nil {
		return nil, err
	}
	p.pos++
	return out, p.blockEnd()
}

func (p *parser) statement() (stmt, error) {
	where := at{p.cur().line}
	id, err := p.ident()
	if err != nil {
		return nil, err
	}
	switch id {
	case "if":
		return p.branch(where)
	case "for":
		return p.forLoop(where)
	case "set":
		return p.assign(where)
	case "macro":
		return p.macro(where)
	case "with":
		return p.with(where)
	case "filter":
		f, err := p.inlineFilters(true)
		if err != nil {
			return nil, err
		}
		b, err := p.body("endfilter")
		return &filterBlock{where, f, b}, err
	case "generation":
		b, err := p.body("endgeneration")
		return &scope{at: where, body: b}, err
	case "break", "continue":
		if p.loops == 0 {
			return nil, p.fail("%s outside a loop", id)
		}
		return &jump{where, id == "break"}, p.blockEnd()
	case "print":
		out := &output{at: where}
		for p.cur().kind != tokBlockEnd {
			if len(out.exprs) > 0 {
				if err := p.expectOp(","); err != nil {
					return nil, err
				}
			}
			e, err := p.expression()
			if err != nil {
				return nil, err
			}
			out.exprs = append(out.exprs, e)
		}
		return out, p.blockEnd()
	}
	return nil, p.fail("the tag %q is not supported", id)
}

func (p *parser) branch(where at) (stmt, error) {
	s := &branch{at: where}
	for {
		t, err := p.tupleNoCond(false)
		if err != nil {
			return nil, err
		}
		if err := p.blockEnd(); err != nil {
			return nil, err
		}
		b, err := p.statements("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		s.tests, s.bodies = append(s.tests, t), append(s.bodies, b)
		switch p.next().text {
		case "elif":
			continue
		case "else":
			s.orelse, err = p.body("endif")
			return s, err
		}
		return s, p.blockEnd()
	}
}

func (p *parser) forLoop(where at) (stmt, error) {
	s := &forLoop{at: where}
	var err error
	if s.target, err = p.target("in"); err != nil {
		return nil, err
	}
	if !p.skipName("in") {
		return nil, p.fail("expected \"in\", found %s", p.cur().describe())
	}
	if s.iter, err = p.tupleNoCond(true); err != nil {
		return nil, err
	}
	if p.skipName("if") {
		if s.filter, err = p.expression(); err != nil {
			return nil, err
		}
	}
	s.recursive = p.skipName("recursive")
	if err := p.blockEnd(); err != nil {
		return nil, err
	}
	p.loops++
	s.body, err = p.statements("else", "endfor")
	p.loops--
	if err != nil {
		return nil, err
	}
	if p.next().text == "else" {
		s.orelse, err = p.body("endfor")
		return s, err
	}
	return s, p.blockEnd()
}

// target is what can be assigned to: names, tuples of names, an attribute of a namespace.
func (p *parser) target(end string) (expr, error) {
	where := at{p.cur().line}
	var items []expr
	isTuple := false
	for !p.isOp("=") && !p.isOp(")") && p.cur().kind != tokBlockEnd && (end == "" || !p.isName(end)) {
		var e expr
		if p.skipOp("(") {
			if err := p.enter(); err != nil {
				return nil, err
			}
			inner, err := p.target("")
			if err != nil {
				return nil, err
			}
			p.depth--
			if err := p.expectOp(")"); err != nil {
				return nil, err
			}
			e = inner
		} else {
			id, err := p.ident()
			if err != nil {
				return nil, err
			}
			switch id {
			case "true", "false", "none", "True", "False", "None":
				return nil, p.fail("%s cannot be assigned to", id)
			}
			if end == "" && p.skipOp(".") {
				attr, err := p.ident()
				if err != nil {
					return nil, err
				}
				if strings.HasPrefix(attr, "_") {
					return nil, p.fail("a namespace cannot have an attribute %q", attr)
				}
				e = &nsTarget{where, id, attr}
			} else {
				e = &name{where, id}
			}
		}
		items = append(items, e)
		if !p.skipOp(",") {
			break
		}
		isTuple = true
	}
	if len(items) == 0 {
		return nil, p.fail("expected a name to assign to, found %s", p.cur().describe())
	}
	if !isTuple {
		return items[0], nil
	}
	return &sequence{where, items, true}, nil
}

func (p *parser) assign(where at) (stmt, error) {
	target, err := p.target("")
	if err != nil {
		return nil, err
	}
	if p.skipOp("=") {
		x, err := p.tuple(nil)
		if err != nil {
			return nil, err
		}
		return &assign{where, target, x}, p.blockEnd()
	}
	f, err := p.inlineFilters(false)
	if err != nil {
		return nil, err
	}
	b, err := p.body("endset")
	return &assignBlock{where, target, f, b}, err
}

// inlineFilters are "name(args) | name | ..."; the first bar is left out at the start
// of a filter block.
func (p *parser) inlineFilters(start bool) ([]*filter, error) {
	var out []*filter
	for start || p.skipOp("|") {
		start = false
		f, err := p.filter(nil)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func (p *parser) macro(where at) (stmt, error) {
	m := &macroDef{at: where}
	var err error
	if m.name, err = p.ident(); err != nil {
		return nil, err
	}
	if err := p.expectOp("("); err != nil {
		return nil, err
	}
	for !p.isOp(")") {
		if len(m.params) > 0 {
			if err := p.expectOp(","); err != nil {
				return nil, err
			}
		}
		id, err := p.ident()
		if err != nil {
			return nil, err
		}
		m.params = append(m.params, id)
		if p.skipOp("=") {
			d, err := p.expression()
			if err != nil {
				return nil, err
			}
			m.defaults = append(m.defaults, d)
		} else if len(m.defaults) > 0 {
			return nil, p.fail("parameter %q has no default, but one before it has", id)
		}
	}
	p.pos++
	loops := p.loops
	p.loops = 0
	m.body, err = p.body("endmacro")
	p.loops = loops
	return m, err
}

func (p *parser) with(where at) (stmt, error) {
	s := &scope{at: where}
	for p.cur().kind != tokBlockEnd {
		if len(s.targets) > 0 {
			if err := p.expectOp(","); err != nil {
				return nil, err
			}
		}
		id, err := p.ident()
		if err != nil {
			return nil, err
		}
		if err := p.expectOp("="); err != nil {
			return nil, err
		}
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		s.targets, s.values = append(s.targets, &name{where, id}), append(s.values, x)
	}
	var err error
	s.body, err = p.body("endwith")
	return s, err
}
