package sample

import "math"

// expNeg is e to the power of x for x <= 0, within 2 units in the last place, the same
// bits on every machine: fused multiply-adds are asked for by name, and the rest is
// exact or rounded once. It is 0 below -700 and for NaN.
func expNeg(x float64) float64 {
	const (
		log2e = 1 / math.Ln2
		ln2Hi = 6.93147180369123816490e-01
		ln2Lo = 1.90821492927058770002e-10
		round = 3 << 51 // adding it leaves the nearest integer in the low bits
	)
	if !(x >= -700) {
		return 0
	}
	t := math.FMA(x, log2e, round)
	k := t - round
	r := math.FMA(k, -ln2Lo, math.FMA(k, -ln2Hi, x))
	// Taylor's series of e^r for |r| <= ln2/2.
	y := 1.0 / 6227020800
	y = math.FMA(y, r, 1.0/479001600)
	y = math.FMA(y, r, 1.0/39916800)
	y = math.FMA(y, r, 1.0/3628800)
	y = math.FMA(y, r, 1.0/362880)
	y = math.FMA(y, r, 1.0/40320)
	y = math.FMA(y, r, 1.0/5040)
	y = math.FMA(y, r, 1.0/720)
	y = math.FMA(y, r, 1.0/120)
	y = math.FMA(y, r, 1.0/24)
	y = math.FMA(y, r, 1.0/6)
	y = math.FMA(y, r, 0.5)
	y = math.FMA(y, r, 1)
	y = math.FMA(y, r, 1)
	return y * math.Float64frombits(uint64(int64(k)+1023)<<52)
}
