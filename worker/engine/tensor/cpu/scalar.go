package cpu

import "math"

// The functions in this file are the definition of the profile's arithmetic; the assembly does the same operations on
// vectors. Products that feed an addition are converted explicitly, so that no compiler fuses them.

// fma32 is a*b + c with one rounding to float32.
//
// The product of two float32 is exact in float64. The sum is rounded to float64 first, and then to float32; that goes
// wrong only if the first rounding lands on a tie of the second, so near a tie (and for subnormal results) the sum is
// rounded to odd instead, which makes the second rounding correct.
func fma32(a, b, c float32) float32 {
	p := float64(float64(a) * float64(b))
	d := float64(c)
	s := p + d
	bits := math.Float64bits(s)
	exp := bits >> 52 & 0x7ff
	if bits&0x0fffffff != 0 && exp > 1023-126 {
		return float32(s)
	}
	if exp == 0x7ff {
		return float32(s)
	}
	bb := s - p
	err := (p - (s - bb)) + (d - bb)
	if err != 0 && bits&1 == 0 {
		if (err > 0) == (s > 0) {
			bits++
		} else {
			bits--
		}
		s = math.Float64frombits(bits)
	}
	return float32(s)
}

var (
	expHi    = math.Float32frombits(0x42b00000) // 88
	expLo    = math.Float32frombits(0xc2aeac4f) // below it the result is 0
	expLog2e = math.Float32frombits(0x3fb8aa3b)
	expMagic = math.Float32frombits(0x4b400000) // 1.5 * 2^23: adding it rounds to an integer
	expLn2Hi = math.Float32frombits(0x3f318000)
	expLn2Lo = math.Float32frombits(0xb95e8083)
	expPoly  = [6]float32{
		math.Float32frombits(0x39506967), math.Float32frombits(0x3ab743ce), math.Float32frombits(0x3c088908),
		math.Float32frombits(0x3d2aa9c1), math.Float32frombits(0x3e2aaaaa), math.Float32frombits(0x3f000000),
	}
)

// exp32 is the exponential: Cephes' polynomial, within 2 units in the last place; 0 below -87.33, capped at exp(88).
func exp32(x float32) float32 {
	below := x < expLo
	if expHi < x {
		x = expHi
	}
	if expLo > x {
		x = expLo
	}
	t := fma32(x, expLog2e, expMagic)
	n := t - expMagic
	x = fma32(-n, expLn2Hi, x)
	x = fma32(-n, expLn2Lo, x)
	y := expPoly[0]
	for _, p := range expPoly[1:] {
		y = fma32(y, x, p)
	}
	sq := float32(x * x)
	y = fma32(y, sq, x)
	y = y + 1
	y = float32(y * math.Float32frombits((math.Float32bits(t)+127)<<23))
	if below {
		return 0
	}
	return y
}

func sigmoid32(g float32) float32 {
	return 1 / (1 + exp32(0-g))
}

// tree folds the eight lanes of a reduction.
func tree(l *[8]float32) float32 {
	return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
}

// sum8 adds x: lane j takes the elements i with i%8 == j in order, then the lanes are folded.
func sum8(lv level, x []float32) float32 {
	var l [8]float32
	n := 0
	if lv != levelGo {
		n = len(x) &^ 7
		if n > 0 {
			sumLanes(&l[0], &x[0], n)
		}
	}
	for i := n; i < len(x); i++ {
		l[i&7] += x[i]
	}
	return tree(&l)
}

// dot8 is the product of x and y with the lanes of sum8, each a chain of FMAs.
func dot8(lv level, x, y []float32) float32 {
	var l [8]float32
	n := 0
	if lv != levelGo {
		n = len(x) &^ 7
		if n > 0 {
			dotLanes(&l[0], &x[0], &y[0], n)
		}
	}
	for i := n; i < len(x); i++ {
		l[i&7] = fma32(x[i], y[i], l[i&7])
	}
	return tree(&l)
}

// max8 is the largest of x, which must not be empty.
func max8(lv level, x []float32) float32 {
	m := x[0]
	l := [8]float32{m, m, m, m, m, m, m, m}
	n := 0
	if lv != levelGo {
		n = len(x) &^ 7
		if n > 0 {
			maxLanes(&l[0], &x[0], n)
		}
	}
	for i := n; i < len(x); i++ {
		if !(l[i&7] > x[i]) {
			l[i&7] = x[i]
		}
	}
	for _, v := range l[1:] {
		if !(m > v) {
			m = v
		}
	}
	if !(m > l[0]) {
		m = l[0]
	}
	return m
}

// expRow is dst = exp(src*scale - shift). The two may be the same.
func expRow(lv level, dst, src []float32, scale, shift float32) {
	n := 0
	if lv != levelGo {
		n = len(src) &^ 7
		if n > 0 {
			expScaled(&dst[0], &src[0], n, scale, shift)
		}
		if n < len(src) { // the rest as one more vector
			var tmp [8]float32
			copy(tmp[:], src[n:])
			expScaled(&tmp[0], &tmp[0], 8, scale, shift)
			copy(dst[n:len(src)], tmp[:])
		}
		return
	}
	for i := n; i < len(src); i++ {
		dst[i] = exp32(float32(src[i]*scale) - shift)
	}
}

func swigluRow(lv level, y, gate, up []float32) {
	n := 0
	if lv != levelGo {
		n = len(y) &^ 7
		if n > 0 {
			swigluBlock(&y[0], &gate[0], &up[0], n)
		}
	}
	for i := n; i < len(y); i++ {
		g := gate[i]
		y[i] = float32(float32(g*sigmoid32(g)) * up[i])
	}
}

func swigluGradRow(lv level, dgate, dup, dy, gate, up []float32) {
	n := 0
	if lv != levelGo {
		n = len(dy) &^ 7
		if n > 0 {
			swigluGradBlock(&dgate[0], &dup[0], &dy[0], &gate[0], &up[0], n)
		}
	}
	for i := n; i < len(dy); i++ {
		g, d, u := gate[i], dy[i], up[i]
		s := sigmoid32(g)
		t := float32(s * fma32(1-s, g, 1))
		dup[i] = float32(float32(g*s) * d)
		dgate[i] = float32(float32(d*u) * t)
	}
}

func addRow(lv level, y, x []float32) {
	n := 0
	if lv != levelGo {
		n = len(y) &^ 7
		if n > 0 {
			addBlock(&y[0], &x[0], n)
		}
	}
	for i := n; i < len(y); i++ {
		y[i] += x[i]
	}
}

// mulScaledRow is y = (x*scale)*w.
func mulScaledRow(lv level, y, x, w []float32, scale float32) {
	n := 0
	if lv != levelGo {
		n = len(y) &^ 7
		if n > 0 {
			mulScaledBlock(&y[0], &x[0], &w[0], n, scale)
		}
	}
	for i := n; i < len(y); i++ {
		y[i] = float32(float32(x[i]*scale) * w[i])
	}
}
