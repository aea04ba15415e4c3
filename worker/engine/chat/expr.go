package chat

import (
	"math/big"
	"slices"
	"strconv"
)

// expression is a full one: with "a if b else c".
func (p *parser) expression() (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	where := at{p.cur().line}
	x, err := p.or()
	for n := 0; err == nil && p.skipName("if"); n++ {
		if n >= maxNesting {
			return nil, p.fail("more than %d conditions in a row", maxNesting)
		}
		c := &conditional{at: where, then: x}
		if c.test, err = p.or(); err != nil {
			break
		}
		if p.skipName("else") {
			c.otherwise, err = p.expression()
		}
		x = c
	}
	return x, err
}

// tuple is one expression, or several with commas between.
func (p *parser) tuple(end func() bool) (expr, error) { return p.tupleOf(p.expression, end, false) }

// tupleNoCond is a tuple whose parts have no conditional: after "if" and "in".
func (p *parser) tupleNoCond(recursive bool) (expr, error) {
	return p.tupleOf(p.or, func() bool { return recursive && p.isName("recursive") }, false)
}

func (p *parser) tupleOf(part func() (expr, error), end func() bool, emptyAllowed bool) (expr, error) {
	where := at{p.cur().line}
	var items []expr
	isTuple := false
	for {
		if k := p.cur().kind; k == tokVarEnd || k == tokBlockEnd || p.isOp(")") || (end != nil && end()) {
			break
		}
		e, err := part()
		if err != nil {
			return nil, err
		}
		items = append(items, e)
		if !p.skipOp(",") {
			break
		}
		isTuple = true
	}
	if !isTuple {
		if len(items) == 1 {
			return items[0], nil
		}
		if !emptyAllowed {
			return nil, p.fail("expected an expression, found %s", p.cur().describe())
		}
	}
	return &sequence{where, items, true}, nil
}

// left reads operands of equal rank from the left.
func (p *parser) left(operand func() (expr, error), ops ...string) (expr, error) {
	x, err := operand()
	for n := 0; err == nil; n++ {
		t := p.cur()
		if (t.kind != tokOp && t.kind != tokName) || !slices.Contains(ops, t.text) {
			break
		}
		if n >= maxNesting { // the tree is as deep as the chain is long
			return nil, p.fail("more than %d operators in a row", maxNesting)
		}
		p.pos++
		var y expr
		if y, err = operand(); err == nil {
			x = &binary{at{t.line}, t.text, x, y}
		}
	}
	return x, err
}

func (p *parser) or() (expr, error)  { return p.left(p.and, "or") }
func (p *parser) and() (expr, error) { return p.left(p.not, "and") }

func (p *parser) not() (expr, error) {
	where := at{p.cur().line}
	if p.skipName("not") {
		if err := p.enter(); err != nil {
			return nil, err
		}
		defer func() { p.depth-- }()
		x, err := p.not()
		return &unary{where, "not", x}, err
	}
	return p.compare()
}

func (p *parser) compare() (expr, error) {
	where := at{p.cur().line}
	x, err := p.sum()
	if err != nil {
		return nil, err
	}
	c := &comparison{at: where, x: x}
	for {
		t, op := p.cur(), ""
		switch {
		case t.kind == tokOp && slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, t.text):
			op = t.text
		case p.isName("in"):
			op = "in"
		case p.isName("not") && p.toks[p.pos+1].kind == tokName && p.toks[p.pos+1].text == "in":
			p.pos++
			op = "notin"
		}
		if op == "" {
			break
		}
		p.pos++
		y, err := p.sum()
		if err != nil {
			return nil, err
		}
		c.ops, c.rest = append(c.ops, op), append(c.rest, y)
	}
	if len(c.ops) == 0 {
		return x, nil
	}
	return c, nil
}

func (p *parser) sum() (expr, error) { return p.left(p.joined, "+", "-") }

func (p *parser) joined() (expr, error) {
	where := at{p.cur().line}
	x, err := p.product()
	if err != nil || !p.isOp("~") {
		return x, err
	}
	j := &join{where, []expr{x}}
	for p.skipOp("~") {
		y, err := p.product()
		if err != nil {
			return nil, err
		}
		j.parts = append(j.parts, y)
	}
	return j, nil
}

func (p *parser) product() (expr, error) { return p.left(p.power, "*", "/", "//", "%") }

func (p *parser) power() (expr, error) {
	return p.left(func() (expr, error) { return p.unary(true) }, "**")
}

func (p *parser) unary(withFilter bool) (expr, error) {
	where := at{p.cur().line}
	var x expr
	var err error
	if p.isOp("-") || p.isOp("+") {
		if err := p.enter(); err != nil {
			return nil, err
		}
		defer func() { p.depth-- }()
		op := p.next().text
		if x, err = p.unary(false); err == nil {
			x = &unary{where, op, x}
		}
	} else {
		x, err = p.primary()
	}
	if err != nil {
		return nil, err
	}
	for n := 0; ; n++ {
		if n >= maxNesting {
			return nil, p.fail("more than %d accesses, calls and filters in a row", maxNesting)
		}
		t := p.cur()
		switch {
		case p.isOp(".") || p.isOp("["):
			x, err = p.access(x)
		case p.isOp("("):
			c := &call{at: at{t.line}, f: x}
			c.args, err = p.arguments()
			x = c
		case withFilter && p.skipOp("|"):
			x, err = p.filter(x)
			x, err = p.afterFilter(x, err)
		case withFilter && p.isName("is"):
			x, err = p.test(x)
			x, err = p.afterFilter(x, err)
		default:
			return x, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// afterFilter refuses "x|f.y", as the grammar does: only calls, filters and tests follow.
func (p *parser) afterFilter(x expr, err error) (expr, error) {
	if err == nil && (p.isOp(".") || p.isOp("[")) {
		return nil, p.fail("unexpected %s after a filter or test", p.cur().describe())
	}
	return x, err
}

func (p *parser) primary() (expr, error) {
	t := p.next()
	where := at{t.line}
	switch t.kind {
	case tokName:
		switch t.text {
		case "true", "True":
			return &constant{where, true}, nil
		case "false", "False":
			return &constant{where, false}, nil
		case "none", "None":
			return &constant{where, nil}, nil
		}
		p.names[t.text] = true
		return &name{where, t.text}, nil
	case tokString:
		s := t.text
		for p.cur().kind == tokString {
			s += p.next().text
		}
		return &constant{where, Text{s: s}}, nil
	case tokInt:
		n, ok := new(big.Int).SetString(t.text, 0)
		if !ok {
			n, ok = new(big.Int).SetString(t.text, 10)
		}
		if !ok || !n.IsInt64() {
			return nil, p.fail("the integer %s is too large", t.text)
		}
		return &constant{where, n.Int64()}, nil
	case tokFloat:
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return nil, p.fail("the number %s is too large", t.text)
		}
		return &constant{where, f}, nil
	case tokOp:
		switch t.text {
		case "(":
			x, err := p.tupleOf(p.expression, nil, true)
			if err != nil {
				return nil, err
			}
			return x, p.expectOp(")")
		case "[":
			items, err := p.items("]")
			return &sequence{where, items, false}, err
		case "{":
			return p.mapping(where)
		}
	}
	if t.kind != tokEOF {
		p.pos--
	}
	return nil, p.fail("unexpected %s", t.describe())
}

// items reads expressions with commas between, up to the bracket, which it takes.
func (p *parser) items(end string) ([]expr, error) {
	var out []expr
	for !p.skipOp(end) {
		if len(out) > 0 {
			if err := p.expectOp(","); err != nil {
				return nil, err
			}
			if p.skipOp(end) {
				break
			}
		}
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (p *parser) mapping(where at) (expr, error) {
	m := &mapping{at: where}
	for !p.skipOp("}") {
		if len(m.keys) > 0 {
			if err := p.expectOp(","); err != nil {
				return nil, err
			}
			if p.skipOp("}") {
				break
			}
		}
		k, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.expectOp(":"); err != nil {
			return nil, err
		}
		v, err := p.expression()
		if err != nil {
			return nil, err
		}
		m.keys, m.values = append(m.keys, k), append(m.values, v)
	}
	return m, nil
}

func (p *parser) access(x expr) (expr, error) {
	t := p.next()
	where := at{t.line}
	if t.text == "." {
		switch k := p.next(); k.kind {
		case tokName:
			return &attribute{where, x, k.text}, nil
		case tokInt:
			n, err := strconv.ParseInt(k.text, 10, 64)
			if err != nil {
				return nil, p.fail("the index %s is too large", k.text)
			}
			return &subscript{where, x, &constant{where, n}}, nil
		}
		p.pos--
		return nil, p.fail("expected a name or a number after \".\"")
	}
	var keys []expr
	for !p.skipOp("]") {
		if len(keys) > 0 {
			if err := p.expectOp(","); err != nil {
				return nil, err
			}
		}
		k, err := p.index()
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if len(keys) == 1 {
		return &subscript{where, x, keys[0]}, nil
	}
	return &subscript{where, x, &sequence{where, keys, true}}, nil
}

// index is a key, or a slice a:b:c.
func (p *parser) index() (expr, error) {
	s := &slicing{at: at{p.cur().line}}
	var err error
	if !p.isOp(":") {
		if s.from, err = p.expression(); err != nil || !p.isOp(":") {
			return s.from, err
		}
	}
	p.pos++
	if !p.isOp(":") && !p.isOp("]") && !p.isOp(",") {
		if s.to, err = p.expression(); err != nil {
			return nil, err
		}
	}
	if p.skipOp(":") && !p.isOp("]") && !p.isOp(",") {
		if s.step, err = p.expression(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (p *parser) arguments() (arguments, error) {
	var a arguments
	if err := p.expectOp("("); err != nil {
		return a, err
	}
	for first := true; !p.skipOp(")"); first = false {
		if !first {
			if err := p.expectOp(","); err != nil {
				return a, err
			}
			if p.skipOp(")") {
				break
			}
		}
		var err error
		switch {
		case p.skipOp("**") && a.dict == nil:
			a.dict, err = p.expression()
		case p.isOp("*") && a.star == nil && a.dict == nil:
			p.pos++
			a.star, err = p.expression()
		case p.cur().kind == tokName && p.toks[p.pos+1].kind == tokOp && p.toks[p.pos+1].text == "=" && a.dict == nil:
			id := p.next().text
			p.pos++
			var e expr
			e, err = p.expression()
			if slices.Contains(a.names, id) {
				return a, p.fail("argument %q is given twice", id)
			}
			a.names, a.named = append(a.names, id), append(a.named, e)
		case len(a.names) == 0 && a.star == nil && a.dict == nil:
			var e expr
			e, err = p.expression()
			a.pos = append(a.pos, e)
		default:
			return a, p.fail("arguments by position come before the others")
		}
		if err != nil {
			return a, err
		}
	}
	return a, nil
}

// filter reads a filter's name and arguments; the bar has been taken.
func (p *parser) filter(x expr) (*filter, error) {
	f := &filter{at: at{p.cur().line}, x: x}
	var err error
	if f.id, err = p.ident(); err != nil {
		return nil, err
	}
	for p.skipOp(".") {
		part, err := p.ident()
		if err != nil {
			return nil, err
		}
		f.id += "." + part
	}
	if p.isOp("(") {
		f.args, err = p.arguments()
	}
	return f, err
}

// test reads "is [not] name [argument]".
func (p *parser) test(x expr) (expr, error) {
	t := &test{at: at{p.next().line}, x: x}
	t.not = p.skipName("not")
	var err error
	if t.id, err = p.ident(); err != nil {
		return nil, err
	}
	c := p.cur()
	switch {
	case p.isOp("("):
		t.args, err = p.arguments()
	case c.kind == tokName && slices.Contains([]string{"else", "or", "and"}, c.text):
	case p.isName("is"):
		return nil, p.fail("tests cannot be chained")
	case c.kind == tokName || c.kind == tokString || c.kind == tokInt || c.kind == tokFloat || p.isOp("[") || p.isOp("{"):
		if c.kind == tokName && (c.text == "if" || c.text == "not" || c.text == "in") {
			break
		}
		var arg expr
		if arg, err = p.primary(); err != nil {
			return nil, err
		}
		for p.isOp(".") || p.isOp("[") || p.isOp("(") {
			if p.isOp("(") {
				cl := &call{at: at{c.line}, f: arg}
				cl.args, err = p.arguments()
				arg = cl
			} else {
				arg, err = p.access(arg)
			}
			if err != nil {
				return nil, err
			}
		}
		t.args.pos = []expr{arg}
	}
	return t, err
}
