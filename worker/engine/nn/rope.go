package nn

import (
	"fmt"
	"math"
	"slices"

	"github.com/openledger/openledger/worker/engine/tensor"
)

// RopeScaling stretches rotary positions, as in the rope_scaling object of a Hugging Face config.
type RopeScaling struct {
	// Type is "", "default", "linear", "dynamic", "llama3", "yarn" or "longrope".
	Type string
	// Factor by which the context grew: of linear, llama3 and yarn. Of dynamic it is kept only: within the trained
	// context, where it is served here, it changes nothing.
	Factor float64
	// LowFreqFactor and HighFreqFactor bound the wavelengths between which llama3 blends.
	LowFreqFactor  float64
	HighFreqFactor float64
	// OriginalContext is the context before scaling: of llama3, yarn and longrope.
	OriginalContext int
	// AttentionFactor multiplies cos and sin in yarn and longrope. 0 means the method's own choice, which for yarn
	// depends on MScale and MScaleAllDim if both are set.
	AttentionFactor      float64
	MScale, MScaleAllDim float64
	// BetaFast and BetaSlow are the rotations between which yarn blends; 0 means 32 and 1. NoTruncate keeps the bounds
	// of the blend from being rounded to whole dimensions.
	BetaFast, BetaSlow float64
	NoTruncate         bool
	// Factors divide the frequencies in longrope, one for each pair of dimensions.
	Factors *RopeFactors
}

// RopeFactors are longrope's: Short within the original context, Long for sequences beyond it. Files of other scalings
// may give theirs as such factors, equal for both.
type RopeFactors struct{ Short, Long []float32 }

// Uniform says whether the same factors hold for sequences of any length.
func (f *RopeFactors) Uniform() bool { return slices.Equal(f.Short, f.Long) }

// Validate checks the parameters of the type.
func (s RopeScaling) Validate() error {
	switch s.Type {
	case "", "default":
		return nil
	case "longrope":
		return s.validateLong()
	case "linear", "dynamic", "llama3", "yarn":
	default:
		return fmt.Errorf("rope_scaling type %q is not supported: use a model with linear, dynamic, llama3, yarn or longrope scaling", s.Type)
	}
	if !(s.Factor >= 1) || math.IsInf(s.Factor, 0) {
		return fmt.Errorf("rope_scaling factor is %v: it must be at least 1", s.Factor)
	}
	if s.Type == "llama3" && (!(s.LowFreqFactor > 0) || !(s.HighFreqFactor > s.LowFreqFactor) || s.OriginalContext < 1) {
		return fmt.Errorf("rope_scaling llama3 needs 0 < low_freq_factor < high_freq_factor and original_max_position_embeddings")
	}
	if s.Type == "yarn" && s.OriginalContext < 1 {
		return fmt.Errorf("rope_scaling yarn needs original_max_position_embeddings")
	}
	for _, v := range []struct {
		name string
		v    float64
	}{{"attention_factor", s.AttentionFactor}, {"beta_fast", s.BetaFast}, {"beta_slow", s.BetaSlow}, {"mscale", s.MScale}, {"mscale_all_dim", s.MScaleAllDim}} {
		if !(v.v >= 0) || math.IsInf(v.v, 0) {
			return fmt.Errorf("rope_scaling %s is %v: it must not be negative", v.name, v.v)
		}
	}
	return nil
}

func (s RopeScaling) validateLong() error {
	if s.Factors == nil || len(s.Factors.Short) == 0 || len(s.Factors.Short) != len(s.Factors.Long) {
		return fmt.Errorf("rope_scaling longrope needs short_factor and long_factor of equal length")
	}
	for _, f := range [][]float32{s.Factors.Short, s.Factors.Long} {
		for i, v := range f {
			if !(v > 0) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("rope_scaling longrope: factor %d is %v: it must be positive", i, v)
			}
		}
	}
	if s.OriginalContext < 1 || !(s.AttentionFactor >= 0) || math.IsInf(s.AttentionFactor, 0) {
		return fmt.Errorf("rope_scaling longrope needs original_max_position_embeddings, and an attention_factor that is not negative")
	}
	return nil
}

// RopeTable computes cos and sin for positions 0..positions-1.
func RopeTable(b tensor.Backend, headDim int, theta float64, positions int, s RopeScaling) (tensor.RopeTable, error) {
	half := headDim / 2
	if s.Factors != nil && len(s.Factors.Short) != half {
		return tensor.RopeTable{}, fmt.Errorf("rope table: rope_scaling has %d factors, heads of %d need %d", len(s.Factors.Short), headDim, half)
	}
	freqs := make([]float32, half)
	low, high := s.yarnRange(headDim, theta)
	for i := range freqs {
		// As Hugging Face computes it: in float32.
		e := float32(float32(2*i) / float32(headDim))
		p := float32(tensor.Exp(float64(e) * tensor.Log(theta)))
		switch s.Type {
		case "yarn":
			freqs[i] = s.yarn(p, float64(i), low, high)
		case "longrope":
			freqs[i] = 1 / float32(s.Factors.Short[i]*p)
		default:
			freqs[i] = s.apply(1 / p)
		}
	}
	scale := s.attention()
	cos, sin := make([]float32, positions*half), make([]float32, positions*half)
	for p := range positions {
		for i, f := range freqs {
			sn, cs := tensor.SinCos(float64(float32(float32(p) * f)))
			cos[p*half+i], sin[p*half+i] = float32(cs), float32(sn)
			if scale != 1 {
				cos[p*half+i], sin[p*half+i] = cos[p*half+i]*scale, sin[p*half+i]*scale
			}
		}
	}
	t := tensor.RopeTable{HeadDim: headDim}
	for _, x := range []struct {
		m    *tensor.Mat
		data []float32
	}{{&t.Cos, cos}, {&t.Sin, sin}} {
		m, err := Upload(b, positions, half, x.data)
		if err != nil {
			return t, fmt.Errorf("rope table: %w", err)
		}
		*x.m = m
	}
	return t, nil
}

func (s RopeScaling) apply(f float32) float32 {
	switch s.Type {
	case "linear":
		return float32(float64(f) / s.Factor)
	case "llama3":
		wavelen := 2 * math.Pi / float64(f)
		low := float64(s.OriginalContext) / s.LowFreqFactor
		high := float64(s.OriginalContext) / s.HighFreqFactor
		switch {
		case wavelen < high:
			return f
		case wavelen > low:
			return float32(float64(f) / s.Factor)
		}
		smooth := (float64(s.OriginalContext)/wavelen - s.LowFreqFactor) / (s.HighFreqFactor - s.LowFreqFactor)
		return float32(float64((1-smooth)*float64(f))/s.Factor + float64(smooth*float64(f)))
	}
	return f
}

// yarn blends a frequency that is kept (fast rotations) with one that is divided by the factor (slow ones). p is the
// inverse of the frequency, i its index. Peng et al., "YaRN", 2023, section 3.2.
func (s RopeScaling) yarn(p float32, i, low, high float64) float32 {
	ramp := float32(min(max((i-low)/(high-low), 0), 1))
	slow, fast := 1/float32(float32(s.Factor)*p), 1/p
	return float32(slow*ramp) + float32(fast*(1-ramp))
}

// yarnRange are the dimensions between which yarn blends.
func (s RopeScaling) yarnRange(headDim int, theta float64) (low, high float64) {
	if s.Type != "yarn" {
		return 0, 0
	}
	fast, slow := s.BetaFast, s.BetaSlow
	if fast == 0 {
		fast = 32
	}
	if slow == 0 {
		slow = 1
	}
	// The dimension that makes so many rotations in the original context.
	dim := func(rotations float64) float64 {
		return float64(headDim) * tensor.Log(float64(s.OriginalContext)/float64(rotations*2*math.Pi)) / float64(2*tensor.Log(theta))
	}
	low, high = dim(fast), dim(slow)
	if !s.NoTruncate {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(headDim-1))
	if low == high {
		high += 0.001
	}
	return low, high
}

// attention is the factor of cos and sin.
func (s RopeScaling) attention() float32 {
	grown := func(m float64) float64 {
		if s.Factor <= 1 {
			return 1
		}
		return float64(0.1*m*tensor.Log(s.Factor)) + 1
	}
	switch {
	case s.Type != "yarn" && s.Type != "longrope":
		return 1
	case s.AttentionFactor != 0:
		return float32(s.AttentionFactor)
	case s.Type == "yarn" && s.MScale != 0 && s.MScaleAllDim != 0:
		return float32(grown(s.MScale) / grown(s.MScaleAllDim))
	case s.Type == "yarn":
		return float32(grown(1))
	case s.Factor <= 1:
		return 1
	}
	return float32(math.Sqrt(1 + tensor.Log(s.Factor)/tensor.Log(float64(s.OriginalContext))))
}
