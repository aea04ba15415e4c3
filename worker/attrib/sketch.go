package attrib

import (
	"math"
	"sync"
)

// sketch projects a gradient onto len(out) numbers, a power of two: parameter j
// is added to one of them, drawn by a hash of (seed, j), with a drawn sign. This
// is a CountSketch: inner products survive in expectation, with the variance of a
// dense random projection, and nothing is stored per parameter.
func sketch(out []float64, seed uint64, gradient []float32) {
	clear(out)
	mask := uint64(len(out) - 1)
	j := mix(seed)
	for _, v := range gradient {
		j += 0x9e3779b97f4a7c15
		h := mix(j)
		out[h&mask] += math.Float64frombits(math.Float64bits(float64(v)) ^ h&(1<<63))
	}
}

// mix is the finaliser of SplitMix64.
func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
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

// parallel runs f(0..n-1), strided over threads.
func parallel(threads, n int, f func(int)) {
	threads = max(1, min(threads, n))
	var wg sync.WaitGroup
	for t := range threads {
		wg.Go(func() {
			for i := t; i < n; i += threads {
				f(i)
			}
		})
	}
	wg.Wait()
}
