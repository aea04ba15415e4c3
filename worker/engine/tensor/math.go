package tensor

import "math"

// The functions here give the same bits on every architecture: products that feed an addition are converted explicitly,
// so that no compiler fuses them, and package math is used for exact operations only.

const (
	ln2Hi = 6.93147180369123816490e-01
	ln2Lo = 1.90821492927058770002e-10
)

// Log is the natural logarithm (FreeBSD's e_log.c).
func Log(x float64) float64 {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 1):
		return x
	case x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	}
	f1, ki := math.Frexp(x)
	if f1 < math.Sqrt2/2 {
		f1 *= 2
		ki--
	}
	f := f1 - 1
	k := float64(ki)
	s := f / (2 + f)
	s2 := float64(s * s)
	s4 := float64(s2 * s2)
	horner := func(x float64, cs ...float64) float64 {
		y := cs[0]
		for _, c := range cs[1:] {
			y = float64(y*x) + c
		}
		return float64(y * x)
	}
	t1 := float64(s2 * (horner(s4, 1.479819860511658591e-01, 1.818357216161805012e-01, 2.857142874366239149e-01) + 6.666666666666735130e-01))
	t2 := horner(s4, 1.531383769920937332e-01, 2.222219843214978396e-01, 3.999999999940941908e-01)
	r := t1 + t2
	hfsq := float64(float64(0.5*f) * f)
	return float64(k*ln2Hi) - ((hfsq - (float64(s*(hfsq+r)) + float64(k*ln2Lo))) - f)
}

// Exp is the exponential, for |x| < 700.
func Exp(x float64) float64 {
	k := math.RoundToEven(float64(x / math.Ln2))
	r := (x - float64(k*ln2Hi)) - float64(k*ln2Lo)
	y := 1.0
	for i := 16; i > 0; i-- {
		y = 1 + float64(float64(y*r)/float64(i))
	}
	return math.Ldexp(y, int(k))
}

// SinCos returns the sine and cosine, for |x| below about 1e6.
func SinCos(x float64) (sin, cos float64) {
	// Reduce by pi/2 in three exact-product parts (Cody and Waite).
	const p1, p2, p3 = 1.57079625129699707031e+00, 7.54978941586159635336e-08, 5.39030285815811905290e-15
	k := math.RoundToEven(float64(x * (2 / math.Pi)))
	r := ((x - float64(k*p1)) - float64(k*p2)) - float64(k*p3)
	r2 := float64(r * r)
	s, c := 1.0, 1.0
	for i := 20; i > 1; i -= 2 {
		s = 1 - float64(float64(s*r2)/float64(i*(i+1)))
		c = 1 - float64(float64(c*r2)/float64(i*(i-1)))
	}
	s = float64(s * r)
	switch int64(k) & 3 {
	case 1:
		return c, -s
	case 2:
		return -s, -c
	case 3:
		return -c, s
	}
	return s, c
}
