package lora

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/openledger/openledger/worker/engine/nn"
)

// combine merges vectors of one length: prune each, elect signs where the method does, add up. Sums are in the order of
// the vectors. streams seed what DARE drops, one a vector.
//
// Sources: Yadav et al., "TIES-Merging", NeurIPS 2023; Yu et al., "Language Models are Super Mario" (DARE), ICML 2024.
func (c MergeConfig) combine(vectors [][]float32, weights []float32, streams []uint64) []float32 {
	m := c.Method.onFactors()
	pruned := make([][]float32, len(vectors))
	for i, v := range vectors {
		switch m {
		case MergeTIES, MergeMagnitudePrune:
			pruned[i] = keepLargest(v, c.Density)
		case MergeDARELinear, MergeDARETIES:
			pruned[i] = dropRandom(v, c.Density, streams[i])
		default:
			pruned[i] = v
		}
	}
	if m == MergeTIES || m == MergeDARETIES {
		return disjoint(pruned, weights, c.Frequency)
	}
	return weightedSum(pruned, weights)
}

func weightedSum(vectors [][]float32, weights []float32) []float32 {
	out := make([]float32, len(vectors[0]))
	for i, v := range vectors {
		w := weights[i]
		for j, x := range v {
			out[j] += float32(x * w)
		}
	}
	return out
}

// keepLargest keeps the floor(density·n) values of the largest magnitude; of equal ones, those that come first. The
// magnitude of a float orders as its bits do, so two histograms of 16 bits find the smallest one that is kept.
func keepLargest(v []float32, density float64) []float32 {
	if density >= 1 {
		return v
	}
	keep := int(density * float64(len(v)))
	out := make([]float32, len(v))
	if keep == 0 {
		return out
	}
	magnitude := func(x float32) uint32 { return math.Float32bits(x) &^ (1 << 31) }
	bucket := func(in func(uint32) (int, bool), size, want int) (at, left int) {
		count := make([]int, size)
		for _, x := range v {
			if b, ok := in(magnitude(x)); ok {
				count[b]++
			}
		}
		for at = size - 1; count[at] < want; at-- {
			want -= count[at]
		}
		return at, want
	}
	high, left := bucket(func(m uint32) (int, bool) { return int(m >> 16), true }, 1<<15, keep)
	low, left := bucket(func(m uint32) (int, bool) { return int(m & 0xffff), int(m>>16) == high }, 1<<16, left)
	least := uint32(high)<<16 | uint32(low)
	for i, x := range v {
		switch m := magnitude(x); {
		case m > least:
			out[i] = x
		case m == least && left > 0:
			out[i] = x
			left--
		}
	}
	return out
}

// dropRandom keeps each value with probability density and divides it by density, so that the expectation stays. Value
// i is kept when number i of the stream is below density.
func dropRandom(v []float32, density float64, stream uint64) []float32 {
	if density >= 1 {
		return v
	}
	out := make([]float32, len(v))
	rng := nn.NewRNG(stream)
	d := float32(density)
	for i, x := range v {
		if rng.Float64() < density {
			out[i] = x / d
		}
	}
	return out
}

// streams seed the numbers that DARE draws for a tensor ("A", "B" or "delta") of each parent: by what it is, not by the
// order in which things are merged.
func (g *contributions) streams(seed uint64, tensor string) []uint64 {
	out := make([]uint64, len(g.keys))
	for i, key := range g.keys {
		h := sha256.Sum256([]byte(strings.Join([]string{"dare", fmt.Sprint(seed), key, fmt.Sprint(g.layer), g.module.Path(), tensor}, "\x00")))
		out[i] = binary.LittleEndian.Uint64(h[:])
	}
	return out
}

// disjoint elects a sign for each value and adds up the values that have it, divided by how many they are. The sign is
// that of the sum of the values before weighting, or of the majority of their signs; a sum of 0 elects +.
func disjoint(vectors [][]float32, weights []float32, frequency bool) []float32 {
	out := make([]float32, len(vectors[0]))
	for j := range out {
		var elected float32
		for _, v := range vectors {
			if x := v[j]; frequency {
				elected += sign(x)
			} else {
				elected += x
			}
		}
		want := float32(1)
		if elected < 0 {
			want = -1
		}
		var sum float32
		n := 0
		for i, v := range vectors {
			if sign(v[j]) == want {
				sum += float32(v[j] * weights[i])
				n++
			}
		}
		if n > 0 {
			out[j] = sum / float32(n)
		}
	}
	return out
}

func sign(x float32) float32 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}
