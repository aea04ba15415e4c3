package lorabench

import "math"

// randomState draws as numpy's RandomState does (numpy.random.seed and the functions of that module): Mersenne Twister
// (Matsumoto and Nishimura, 1998), seeded by one integer, and the transformations of numpy's legacy distributions.
type randomState struct {
	mt  [624]uint32
	at  int
	has bool // a normal value is left from the last pair
	val float64
}

func newRandomState(seed uint32) *randomState {
	r := &randomState{at: 624}
	r.mt[0] = seed
	for i := 1; i < len(r.mt); i++ {
		r.mt[i] = 1812433253*(r.mt[i-1]^r.mt[i-1]>>30) + uint32(i)
	}
	return r
}

func (r *randomState) uint32() uint32 {
	if r.at == len(r.mt) {
		for i := range r.mt {
			y := r.mt[i]&0x80000000 | r.mt[(i+1)%624]&0x7fffffff
			r.mt[i] = r.mt[(i+397)%624] ^ y>>1 ^ (y&1)*0x9908b0df
		}
		r.at = 0
	}
	y := r.mt[r.at]
	r.at++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// float is uniform in [0, 1) with 53 bits.
func (r *randomState) float() float64 {
	a, b := r.uint32()>>5, r.uint32()>>6
	return (float64(a)*67108864 + float64(b)) / 9007199254740992
}

func (r *randomState) exponential() float64 { return -math.Log(1 - r.float()) }

// power has density a·x^(a-1) on [0, 1].
func (r *randomState) power(a float64) float64 {
	return math.Pow(1-math.Exp(-r.exponential()), 1/a)
}

// integer is uniform in [low, high), by masking and rejection.
func (r *randomState) integer(low, high int) int {
	span := uint32(high - low - 1)
	if span == 0 {
		return low
	}
	mask := span
	for s := 1; s < 32; s *= 2 {
		mask |= mask >> s
	}
	for {
		if v := r.uint32() & mask; v <= span {
			return low + int(v)
		}
	}
}

// normal draws by the polar method, which gives two values at a time.
func (r *randomState) normal() float64 {
	if r.has {
		r.has = false
		return r.val
	}
	for {
		x, y := 2*r.float()-1, 2*r.float()-1
		s := x*x + y*y
		if s < 1 && s != 0 {
			f := math.Sqrt(-2 * math.Log(s) / s)
			r.has, r.val = true, f*x
			return f * y
		}
	}
}

// gamma of any shape, scale 1: Ahrens and Dieter (1974) below shape 1, Marsaglia and Tsang (2000) above.
func (r *randomState) gamma(shape float64) float64 {
	switch {
	case shape == 1:
		return r.exponential()
	case shape == 0:
		return 0
	case shape < 1:
		for {
			u, v := r.float(), r.exponential()
			if u <= 1-shape {
				if x := math.Pow(u, 1/shape); x <= v {
					return x
				}
				continue
			}
			y := -math.Log((1 - u) / shape)
			if x := math.Pow(1-shape+shape*y, 1/shape); x <= v+y {
				return x
			}
		}
	}
	b := shape - 1.0/3
	c := 1 / math.Sqrt(9*b)
	for {
		var x, v float64
		for v <= 0 {
			x = r.normal()
			v = 1 + c*x
		}
		v = v * v * v
		u := r.float()
		if u < 1-0.0331*(x*x)*(x*x) || math.Log(u) < 0.5*x*x+b*(1-v+math.Log(v)) {
			return b * v
		}
	}
}
