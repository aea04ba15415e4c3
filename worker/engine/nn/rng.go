package nn

import (
	"math"

	"github.com/openledger/openledger/worker/engine/tensor"
)

// RNG is a splitmix64 generator: the same seed gives the same numbers on every machine and in every version.
type RNG struct{ state uint64 }

// NewRNG begins at a seed.
func NewRNG(seed uint64) *RNG { return &RNG{state: seed} }

// Uint64 is the next number.
func (r *RNG) Uint64() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Float64 is uniform in [0, 1).
func (r *RNG) Float64() float64 { return float64(r.Uint64()>>11) / (1 << 53) }

// Uniform fills x with values in [-bound, bound).
func (r *RNG) Uniform(x []float32, bound float64) {
	for i := range x {
		x[i] = float32(float64(float64(2*r.Float64()-1) * bound))
	}
}

// Normal fills x with normally distributed values (Box and Muller).
func (r *RNG) Normal(x []float32, std float64) {
	for i := 0; i < len(x); i += 2 {
		u := 1 - r.Float64()
		rad := math.Sqrt(-2*tensor.Log(u)) * std
		s, c := tensor.SinCos(2 * math.Pi * r.Float64())
		x[i] = float32(float64(rad * c))
		if i+1 < len(x) {
			x[i+1] = float32(float64(rad * s))
		}
	}
}
