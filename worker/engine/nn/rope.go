package nn

import (
	"fmt"
	"math"

	"github.com/openledger/openledger/worker/engine/tensor"
)

// RopeScaling stretches rotary positions, as in the rope_scaling object of a Hugging Face config.
type RopeScaling struct {
	// Type is "", "default", "linear" or "llama3".
	Type            string
	Factor          float64
	LowFreqFactor   float64
	HighFreqFactor  float64
	OriginalContext int
}

// Validate checks the parameters of the type.
func (s RopeScaling) Validate() error {
	switch s.Type {
	case "", "default":
		return nil
	case "linear", "llama3":
		if !(s.Factor >= 1) || math.IsInf(s.Factor, 0) {
			return fmt.Errorf("rope_scaling factor is %v: it must be at least 1", s.Factor)
		}
		if s.Type == "llama3" && (!(s.LowFreqFactor > 0) || !(s.HighFreqFactor > s.LowFreqFactor) || s.OriginalContext < 1) {
			return fmt.Errorf("rope_scaling llama3 needs 0 < low_freq_factor < high_freq_factor and original_max_position_embeddings")
		}
		return nil
	}
	return fmt.Errorf("rope_scaling type %q is not supported: use a model with linear or llama3 scaling", s.Type)
}

// RopeTable computes cos and sin for positions 0..positions-1.
func RopeTable(b tensor.Backend, headDim int, theta float64, positions int, s RopeScaling) (tensor.RopeTable, error) {
	half := headDim / 2
	freqs := make([]float32, half)
	for i := range freqs {
		// As Hugging Face computes it: in float32.
		e := float32(float32(2*i) / float32(headDim))
		p := float32(tensor.Exp(float64(e) * tensor.Log(theta)))
		freqs[i] = s.apply(1 / p)
	}
	cos, sin := make([]float32, positions*half), make([]float32, positions*half)
	for p := range positions {
		for i, f := range freqs {
			sn, cs := tensor.SinCos(float64(float32(float32(p) * f)))
			cos[p*half+i], sin[p*half+i] = float32(cs), float32(sn)
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
