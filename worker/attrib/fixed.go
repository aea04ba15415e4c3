package attrib

import "math/bits"

// log2Fixed is log2(x) in 1/65536ths, truncated, by repeated squaring of the
// mantissa. log2Fixed(0) is 0.
func log2Fixed(x uint64) int64 {
	if x == 0 {
		return 0
	}
	e := bits.Len64(x) - 1
	m := x << (63 - e) // in [2^63, 2^64): 1.63 fixed point
	r := int64(e)
	for range 16 {
		hi, lo := bits.Mul64(m, m) // 2.126 fixed point
		r <<= 1
		if hi>>63 == 1 {
			r |= 1
			m = hi
		} else {
			m = hi<<1 | lo>>63
		}
	}
	return r
}

// isqrt is the integer square root.
func isqrt(x uint64) uint64 {
	if x == 0 {
		return 0
	}
	r := uint64(1) << ((bits.Len64(x) + 1) / 2)
	for {
		n := (r + x/r) / 2
		if n >= r {
			return r
		}
		r = n
	}
}

// mulDiv is a*b/c rounded down; the quotient must fit.
func mulDiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	q, _ := bits.Div64(hi, lo, c)
	return q
}
