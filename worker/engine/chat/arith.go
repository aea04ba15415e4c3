package chat

import (
	"errors"
	"fmt"
	"math"
	"math/big"
)

func (r *run) binary(e *binary) (value, error) {
	x, err := r.eval(e.x)
	if err != nil {
		return nil, err
	}
	if e.op == "and" && !truth(x) || e.op == "or" && truth(x) {
		return x, nil
	}
	y, err := r.eval(e.y)
	if err != nil || e.op == "and" || e.op == "or" {
		return y, err
	}
	return r.arith(e.op, x, y)
}

// arith is Python's arithmetic, with integers of 64 bits: a larger one is an error.
func (r *run) arith(op string, x, y value) (value, error) {
	if t, ok := x.(Text); ok && op == "%" {
		return r.percent(t, y)
	}
	for _, v := range []value{x, y} {
		if u, ok := v.(*undefined); ok {
			return nil, u.err()
		}
	}
	if op == "+" {
		if v, ok, err := r.addSequences(x, y); ok || err != nil {
			return v, err
		}
	}
	if op == "*" {
		if n, ok := integer(y); ok && isRepeatable(x) {
			return r.repeat(x, n)
		}
		if n, ok := integer(x); ok && isRepeatable(y) {
			return r.repeat(y, n)
		}
	}
	a, oka := wide(x)
	b, okb := wide(y)
	if oka && okb && op != "/" {
		return r.bigger(op, a, b)
	}
	f, okf := number(x)
	g, okg := number(y)
	if !okf || !okg {
		return nil, fmt.Errorf("%s between a %s and a %s", op, typeName(x), typeName(y))
	}
	switch op {
	case "+":
		return f + g, nil
	case "-":
		return f - g, nil
	case "*":
		return f * g, nil
	case "**":
		v := math.Pow(f, g)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errors.New("the power is not a finite real number")
		}
		return v, nil
	}
	if g == 0 {
		return nil, errors.New("division by zero")
	}
	switch op {
	case "/":
		return f / g, nil
	case "//":
		return math.Floor(f / g), nil
	}
	m := math.Mod(f, g)
	if m != 0 && (m < 0) != (g < 0) {
		m += g
	}
	return m, nil
}

// wide gives an integer without bounds.
func wide(v value) (*big.Int, bool) {
	if n, ok := integer(v); ok {
		return big.NewInt(n), true
	}
	n, ok := v.(*big.Int)
	return n, ok
}

// bigger computes with integers and refuses a result over 64 bits.
func (r *run) bigger(op string, a, b *big.Int) (value, error) {
	z := new(big.Int)
	switch op {
	case "+":
		z.Add(a, b)
	case "-":
		z.Sub(a, b)
	case "*":
		z.Mul(a, b)
	case "//", "%":
		if b.Sign() == 0 {
			return nil, errors.New("division by zero")
		}
		m := new(big.Int)
		z.QuoRem(a, b, m)
		if m.Sign() != 0 && (m.Sign() < 0) != (b.Sign() < 0) { // Python rounds down
			z.Sub(z, big.NewInt(1))
			m.Add(m, b)
		}
		if op == "%" {
			z = m
		}
	case "**":
		if b.Sign() < 0 {
			f, _ := new(big.Float).SetInt(a).Float64()
			g, _ := new(big.Float).SetInt(b).Float64()
			if f == 0 {
				return nil, errors.New("zero to a negative power")
			}
			return math.Pow(f, g), nil
		}
		if a.BitLen() > 1 && (!b.IsInt64() || b.Int64() > 64) || !b.IsInt64() {
			return nil, errors.New("the integer is too large")
		}
		z.Exp(a, b, nil)
	}
	if !z.IsInt64() {
		return nil, errors.New("the integer is too large")
	}
	return z.Int64(), nil
}

func (r *run) addSequences(x, y value) (value, bool, error) {
	switch a := x.(type) {
	case Text:
		if b, ok := y.(Text); ok {
			t, err := r.concat(a, b)
			return t, true, err
		}
	case *list:
		if b, ok := y.(*list); ok {
			items, err := r.addItems(a.items, b.items)
			return &list{items}, true, err
		}
	case *tuple:
		if b, ok := y.(*tuple); ok {
			items, err := r.addItems(a.items, b.items)
			return &tuple{items}, true, err
		}
	}
	return nil, false, nil
}

func (r *run) addItems(a, b []value) ([]value, error) {
	if err := r.alloc(len(a)+len(b), 0); err != nil {
		return nil, err
	}
	return append(append(make([]value, 0, len(a)+len(b)), a...), b...), nil
}

func isRepeatable(v value) bool {
	_, ok := v.(Text)
	return ok || isSequence(v)
}

// repeat is a string or a list n times.
func (r *run) repeat(v value, n int64) (value, error) {
	n = max(n, 0)
	size, err := r.length(v)
	if err != nil {
		return nil, err
	}
	if t, ok := v.(Text); ok {
		size = len(t.s) + len(t.marks)
	}
	if size > 0 && n > int64(r.limits.Bytes/size) {
		return nil, fmt.Errorf("%w: %d times %d", ErrLimit, n, size)
	}
	if size == 0 {
		n = 0
	}
	if t, ok := v.(Text); ok {
		if err := r.alloc(len(t.marks)*int(n), len(t.s)*int(n)); err != nil {
			return nil, err
		}
		var b builder
		for range n {
			b.add(t)
		}
		return b.text(), nil
	}
	if err := r.alloc(size*int(n), 0); err != nil {
		return nil, err
	}
	var out []value
	for range n {
		if l, ok := v.(*list); ok {
			out = append(out, l.items...)
		} else {
			out = append(out, v.(*tuple).items...)
		}
	}
	if _, ok := v.(*list); ok {
		return &list{out}, nil
	}
	return &tuple{out}, nil
}
