package sample

import "math"

const (
	expSteps = 32
	// expRound, added, leaves the nearest integer in the low bits of the sum.
	expRound = 3 << 51
)

// powers holds 2^(i/32), made by square roots, which are the same on every machine.
var powers = func() (t [expSteps]float64) {
	t[0] = 1
	root := 2.0
	for step := expSteps / 2; step > 0; step /= 2 {
		root = math.Sqrt(root)
		for i := step; i < expSteps; i += 2 * step {
			t[i] = float64(t[i-step] * root)
		}
	}
	return t
}()

// expNeg is e to the power of x for x <= 0, with a relative error below 2e-15. Products
// are rounded by themselves, so that no compiler fuses them and every machine computes
// the same bits. It is 0 below -700 and for NaN.
func expNeg(x float64) float64 {
	const (
		perStep = expSteps / math.Ln2
		stepHi  = 6.93147180369123816490e-01 / expSteps
		stepLo  = 1.90821492927058770002e-10 / expSteps
	)
	if !(x >= -700) {
		return 0
	}
	t := float64(x*perStep) + expRound
	k := int64(math.Float64bits(t)<<13) >> 13 // the integer that was rounded to
	n := t - expRound
	r := (x - float64(n*stepHi)) - float64(n*stepLo)
	// Taylor's series of e^r for |r| <= ln2/64.
	y := float64(r*(1.0/720)) + 1.0/120
	y = float64(y*r) + 1.0/24
	y = float64(y*r) + 1.0/6
	y = float64(y*r) + 0.5
	y = float64(y*r) + 1
	y = float64(y*r) + 1
	i := uint64(k) % expSteps
	scale := math.Float64frombits(uint64((k>>5)+1023) << 52)
	return float64(y*powers[i]) * scale
}
