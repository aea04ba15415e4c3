package chat

import (
	"errors"
	"fmt"
	"math/big"
)

// test evaluates "x is [not] name".
func (r *run) test(t *test) (value, error) {
	x, err := r.eval(t.x)
	if err != nil {
		return nil, err
	}
	a, err := r.args(&t.args)
	if err != nil {
		return nil, err
	}
	ok, err := r.applyTest(t.id, x, a)
	return ok != t.not, err
}

// relations are tests that are comparisons.
var relations = map[string]string{
	"eq": "==", "equalto": "==", "==": "==", "ne": "!=", "!=": "!=", "lt": "<", "lessthan": "<", "<": "<", "le": "<=", "<=": "<=",
	"gt": ">", "greaterthan": ">", ">": ">", "ge": ">=", ">=": ">=", "in": "in",
}

func (r *run) applyTest(id string, x value, a args) (bool, error) {
	if op, ok := relations[id]; ok {
		p, err := a.params(id, "!other")
		if err != nil {
			return false, err
		}
		return r.relation(op, x, p[0])
	}
	switch id {
	case "divisibleby", "sameas":
		p, err := a.params(id, "!other")
		if err != nil {
			return false, err
		}
		if id == "divisibleby" {
			rest, err := r.arith("%", x, p[0])
			return err == nil && !truth(rest), err
		}
		return same(x, p[0]), nil
	case "filter", "test":
		t, err := textArg(x, "a name")
		if err != nil {
			return false, err
		}
		if id == "filter" {
			_, ok := r.filterTable[t.s]
			return ok, nil
		}
		_, ok := relations[t.s]
		return ok || simpleTests[t.s] != nil || t.s == "divisibleby" || t.s == "sameas" || t.s == "filter" || t.s == "test" || numeric[t.s], nil
	}
	if len(a.pos)+len(a.names) > 0 {
		return false, fmt.Errorf("test %q takes no argument", clip(id))
	}
	if numeric[id] {
		rest, err := r.arith("%", x, int64(2))
		if err != nil {
			return false, err
		}
		n, _ := number(rest)
		return (n == 1) == (id == "odd") && (n == 0 || id == "odd"), nil
	}
	f, ok := simpleTests[id]
	if !ok {
		return false, fmt.Errorf("there is no test %q", clip(id))
	}
	if id == "lower" || id == "upper" {
		t, err := r.str(x)
		if err != nil {
			return false, err
		}
		x = t
	}
	return f(x), nil
}

var numeric = map[string]bool{"odd": true, "even": true}

// same is Python's is, as far as a template can tell.
func same(a, b value) bool {
	switch a.(type) {
	case nil, bool, int64:
		return a == b
	case Text, float64:
		return false
	}
	if _, ok := b.(Text); ok {
		return false
	}
	return a == b
}

var simpleTests = map[string]func(x value) bool{
	"defined":   func(x value) bool { _, ok := x.(*undefined); return !ok },
	"undefined": func(x value) bool { _, ok := x.(*undefined); return ok },
	"none":      func(x value) bool { return x == nil },
	"boolean":   func(x value) bool { _, ok := x.(bool); return ok },
	"true":      func(x value) bool { b, ok := x.(bool); return ok && b },
	"false":     func(x value) bool { b, ok := x.(bool); return ok && !b },
	"string":    func(x value) bool { _, ok := x.(Text); return ok },
	"mapping":   func(x value) bool { _, ok := x.(*dict); return ok },
	"number":    func(x value) bool { _, ok := number(x); return ok },
	"float":     func(x value) bool { _, ok := x.(float64); return ok },
	"integer": func(x value) bool {
		switch x.(type) {
		case int64, *big.Int:
			return true
		}
		return false
	},
	"sequence": func(x value) bool {
		switch x.(type) {
		case Text, *list, *tuple, *dict, *undefined:
			return true
		}
		return false
	},
	"iterable": func(x value) bool {
		switch x.(type) {
		case Text, *list, *tuple, *dict, *iterator, *view, *undefined:
			return true
		}
		return false
	},
	"callable": func(x value) bool {
		switch x.(type) {
		case *macro, *method, *global, *undefined, *loop:
			return true
		}
		return false
	},
	"lower": func(x value) bool { t := x.(Text); return isLowerText(t.s, false) },
	"upper": func(x value) bool { t := x.(Text); return isLowerText(t.s, true) },
}

func isLowerText(s string, up bool) bool {
	v, _ := textMethods[map[bool]string{false: "islower", true: "isupper"}[up]](nil, Text{s: s}, args{})
	ok, _ := v.(bool)
	return ok
}

var errFormat = errors.New("the format is not supported")
