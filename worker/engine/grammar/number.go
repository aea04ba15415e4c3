package grammar

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

const (
	intDigits   = 18 // before the point
	fracDigits  = 18 // behind it
	maxExponent = 40 // of a number in a schema
)

// plainNumber is any number, or any integer.
func (b *builder) plainNumber(from, to int32, integer bool) {
	b.call(from, b.shared(fmt.Sprint("number ", integer), func(start, end int32) {
		sign := b.text(start, "-")
		b.join(start, sign)
		whole := b.state()
		b.edge(sign, '0', '0', whole)
		at := b.state()
		b.edge(sign, '1', '9', at)
		for range intDigits - 1 {
			b.join(at, whole)
			next := b.state()
			b.edge(at, '0', '9', next)
			at = next
		}
		b.join(at, whole)
		b.join(whole, end)
		if integer {
			return
		}
		frac := b.state()
		b.join(whole, frac)
		at = b.text(whole, ".")
		for range fracDigits {
			next := b.state()
			b.edge(at, '0', '9', next)
			b.join(next, frac)
			at = next
		}
		b.join(frac, end)
		exp := b.state()
		b.edge(frac, 'e', 'e', exp)
		b.edge(frac, 'E', 'E', exp)
		digits, one := b.state(), b.state()
		b.edge(exp, '+', '+', digits)
		b.edge(exp, '-', '-', digits)
		b.join(exp, digits)
		b.edge(digits, '0', '9', one)
		b.join(one, end)
		b.edge(one, '0', '9', end)
	}), to)
}

// decimal is a number from 0 up, as digits.
type decimal struct {
	whole, frac string // frac without zeros at its end
	open        bool   // the bound itself is excluded
}

// number allows numbers, or integers, within bounds. Bounded ones have no exponent.
func (c *compiler) number(at string, n *node, integer bool, start, end int32) error {
	lo, err := c.bound(at, n, "minimum", "exclusiveMinimum", 1)
	if err != nil {
		return err
	}
	hi, err := c.bound(at, n, "maximum", "exclusiveMaximum", -1)
	if err != nil {
		return err
	}
	if lo.at == nil && hi.at == nil {
		c.plainNumber(start, end, integer)
		return nil
	}
	limit := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(intDigits), nil))
	lo.clamp(new(big.Rat).Neg(limit))
	hi.clamp(limit)
	zero := new(big.Rat)
	if hi.at.Sign() >= 0 { // zero and above
		from := lo
		if from.at.Sign() < 0 {
			from = limitOf{at: zero}
		}
		c.magnitudes(start, end, from, hi, integer)
	}
	if lo.at.Sign() < 0 { // below zero
		from := limitOf{at: new(big.Rat).Neg(hi.at), open: hi.open}
		if from.at.Sign() < 0 {
			from = limitOf{at: zero, open: true}
		}
		c.magnitudes(c.text(start, "-"), end, from, limitOf{at: new(big.Rat).Neg(lo.at), open: lo.open}, integer)
	}
	return nil
}

// limitOf is one end of a range.
type limitOf struct {
	at   *big.Rat
	open bool
}

// clamp replaces a bound that is missing or beyond what digits can spell.
func (l *limitOf) clamp(limit *big.Rat) {
	if l.at == nil || l.at.Cmp(limit)*limit.Sign() >= 0 {
		*l = limitOf{at: limit, open: true}
	}
}

// bound reads a limit and its exclusive form; the tighter one counts. Towards is the
// direction in which it is tighter.
func (c *compiler) bound(at string, n *node, closed, open string, towards int) (limitOf, error) {
	var out limitOf
	for _, keyword := range []string{closed, open} {
		v := n.get(keyword)
		if v == nil {
			continue
		}
		if v.kind != kindNumber {
			return out, &Error{at, keyword, "must be a number"}
		}
		if len(v.text) > 64 || exponent(v.text) > maxExponent {
			return out, &Error{at, keyword, "has too many digits"}
		}
		r, ok := new(big.Rat).SetString(v.text)
		if !ok {
			return out, &Error{at, keyword, "must be a number"}
		}
		order := 1
		if out.at != nil {
			order = r.Cmp(out.at) * towards
		}
		if order > 0 || order == 0 && keyword == open {
			out = limitOf{at: r, open: keyword == open}
		}
	}
	return out, nil
}

// exponent is the size of a number literal's exponent.
func exponent(s string) int {
	i := strings.IndexAny(s, "eE")
	if i < 0 {
		return 0
	}
	e, err := strconv.Atoi(s[i+1:])
	if err != nil {
		return maxExponent + 1
	}
	return max(e, -e)
}

func (l limitOf) decimal() decimal {
	whole, frac, _ := strings.Cut(l.at.FloatString(64+maxExponent), ".")
	return decimal{whole: whole, frac: strings.TrimRight(frac, "0"), open: l.open}
}

// magnitudes spells the numbers from lo to hi, both at least 0, without a sign.
func (b *builder) magnitudes(from, to int32, low, high limitOf, integer bool) {
	lo, hi := low.decimal(), high.decimal()
	if len(hi.whole) > intDigits { // the clamp, which is open
		hi = decimal{whole: strings.Repeat("9", intDigits), frac: strings.Repeat("9", fracDigits)}
	}
	// While the digits so far equal those of a bound, it restricts the next one.
	type key struct {
		length, pos     int // length 0: behind the point
		lowest, highest bool
	}
	digit := func(s string, i int) byte {
		if i < len(s) {
			return s[i]
		}
		return '0'
	}
	memo := map[key]int32{}
	var at func(k key) int32
	digits := func(s int32, k key, lows, highs string, first byte) {
		for d := first; d <= '9'; d++ {
			if k.lowest && d < digit(lows, k.pos) || k.highest && d > digit(highs, k.pos) {
				continue
			}
			next := k
			next.pos++
			next.lowest = k.lowest && d == digit(lows, k.pos)
			next.highest = k.highest && d == digit(highs, k.pos)
			b.edge(s, d, d, at(next))
		}
	}
	at = func(k key) int32 {
		if s, ok := memo[k]; ok {
			return s
		}
		s := b.state()
		memo[k] = s
		switch {
		case k.length > 0 && k.pos < k.length:
			first := byte('0')
			if k.pos == 0 && k.length > 1 {
				first = '1'
			}
			digits(s, k, lo.whole, hi.whole, first)
		case k.length > 0:
			point := key{lowest: k.lowest, highest: k.highest}
			b.ends(s, to, 0, lo, hi, k.lowest, k.highest)
			if !integer {
				dot := b.text(s, ".")
				b.join(dot, at(point))
			}
		default:
			if k.pos > 0 {
				b.ends(s, to, k.pos, lo, hi, k.lowest, k.highest)
			}
			if k.pos < fracDigits {
				digits(s, k, lo.frac, hi.frac, '0')
			}
		}
		return s
	}
	for n := len(lo.whole); n <= len(hi.whole); n++ {
		b.join(from, at(key{length: n, lowest: n == len(lo.whole), highest: n == len(hi.whole)}))
	}
}

// ends lets a number end after so many digits behind the point, if it is within bounds.
func (b *builder) ends(s, to int32, digits int, lo, hi decimal, lowest, highest bool) {
	if lowest && (len(lo.frac) > digits || lo.open) {
		return
	}
	if highest && hi.open && len(hi.frac) <= digits {
		return
	}
	b.join(s, to)
}
