package gguf

import (
	"math"

	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/nn"
)

// llama3Factors are the divisors of the rotary frequencies that files give for
// Llama 3's scaling, whose parameters they do not have.
func llama3Factors(s nn.RopeScaling, headDim int, theta float64) []float32 {
	out := make([]float32, headDim/2)
	low, high := float64(s.OriginalContext)/s.LowFreqFactor, float64(s.OriginalContext)/s.HighFreqFactor
	for i := range out {
		wavelen := 2 * math.Pi * math.Pow(theta, float64(2*i)/float64(headDim))
		switch {
		case wavelen < high:
			out[i] = 1
		case wavelen > low:
			out[i] = float32(s.Factor)
		default:
			smooth := (float64(s.OriginalContext)/wavelen - s.LowFreqFactor) / (s.HighFreqFactor - s.LowFreqFactor)
			out[i] = float32(1 / ((1-smooth)/s.Factor + smooth))
		}
	}
	return out
}

// recogniseLlama3 finds the parameters that the Llama 3 models have, so that their
// files can become Hugging Face folders that say the same.
func recogniseLlama3(factors []float32, c llama.Config) (nn.RopeScaling, bool) {
	s := nn.RopeScaling{Type: "llama3", Factor: float64(factors[len(factors)-1]), LowFreqFactor: 1, HighFreqFactor: 4, OriginalContext: 8192}
	if s.Validate() != nil {
		return s, false
	}
	for i, want := range llama3Factors(s, c.HeadDim, c.RopeTheta) {
		if math.Abs(float64(factors[i]-want)) > 1e-5*float64(want) {
			return s, false
		}
	}
	return s, true
}
