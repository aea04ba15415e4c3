package attrib

import "math"

// sketcher projects a gradient onto dim numbers: parameter j is added to one of
// them, drawn by a hash of (seed, j), with a drawn sign and the scale of its
// matrix. Nothing is stored per parameter.
type sketcher struct {
	seed  uint64
	dim   int       // a power of two
	scale []float64 // per matrix, in the order of the adapter's flat vector
}

// sketch writes the projection of the gradient's matrices into out.
func (s *sketcher) sketch(out []float64, matrices [][]float32) {
	clear(out)
	mask := uint64(s.dim - 1)
	j := mix(s.seed)
	for m, g := range matrices {
		k := s.scale[m]
		for _, v := range g {
			j += 0x9e3779b97f4a7c15
			h := mix(j)
			// The explicit conversion forbids a fused multiply-add: the
			// same bits on every machine.
			x := float64(k * float64(v))
			x = math.Float64frombits(math.Float64bits(x) ^ h&(1<<63))
			out[h&mask] += x
		}
	}
}

// mix is the finaliser of SplitMix64.
func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// energy is the sum of squares, in order.
func energy(g []float32) float64 {
	var sum float64
	for _, v := range g {
		x := float64(v)
		sum += float64(x * x)
	}
	return sum
}

// one is the integer length of a unit vector; one*one is the cosine 1.
const one = 1<<15 - 1

// quantise brings v to unit length and rounds it to integers. A zero vector
// stays zero.
func quantise(out []int16, v []float64) {
	var sum float64
	for _, x := range v {
		sum += float64(x * x)
	}
	if !(sum > 0) || math.IsInf(sum, 0) {
		clear(out)
		return
	}
	k := one / math.Sqrt(sum)
	for i, x := range v {
		out[i] = int16(math.RoundToEven(float64(x * k)))
	}
}

// normalise brings v to unit length; zero stays zero.
func normalise(v []float64) {
	var sum float64
	for _, x := range v {
		sum += float64(x * x)
	}
	if !(sum > 0) {
		return
	}
	k := 1 / math.Sqrt(sum)
	for i := range v {
		v[i] *= k
	}
}

// dotGo is exact, and so does not depend on order.
func dotGo(a, b []int16) int64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 int64
	for len(a) >= 4 {
		s0 += int64(int32(a[0]) * int32(b[0]))
		s1 += int64(int32(a[1]) * int32(b[1]))
		s2 += int64(int32(a[2]) * int32(b[2]))
		s3 += int64(int32(a[3]) * int32(b[3]))
		a, b = a[4:], b[4:]
	}
	for i, x := range a {
		s0 += int64(int32(x) * int32(b[i]))
	}
	return s0 + s1 + s2 + s3
}

// scan gives the product of q with each of the vectors, whose length is q's.
func scan(out []int64, q, vectors []int16, threads int) {
	const chunk = 1024
	parallel(threads, (len(out)+chunk-1)/chunk, func(c int) {
		for i := c * chunk; i < min((c+1)*chunk, len(out)); i++ {
			out[i] = dot(q, vectors[i*len(q):(i+1)*len(q)])
		}
	})
}
