package llama

import (
	"github.com/openledger/openledger/worker/engine/nn"
)

// hfRope is a rope_scaling or rope_parameters object.
type hfRope struct {
	RopeType   string   `json:"rope_type,omitempty"`
	Type       string   `json:"type,omitempty"`
	Factor     *float64 `json:"factor,omitempty"`
	Low        float64  `json:"low_freq_factor,omitempty"`
	High       float64  `json:"high_freq_factor,omitempty"`
	OldContext int      `json:"original_max_position_embeddings,omitempty"`
	Theta      float64  `json:"rope_theta,omitempty"`

	Attention    float64   `json:"attention_factor,omitempty"`
	BetaFast     float64   `json:"beta_fast,omitempty"`
	BetaSlow     float64   `json:"beta_slow,omitempty"`
	MScale       float64   `json:"mscale,omitempty"`
	MScaleAllDim float64   `json:"mscale_all_dim,omitempty"`
	Truncate     *bool     `json:"truncate,omitempty"`
	Short        []float32 `json:"short_factor,omitempty"`
	Long         []float32 `json:"long_factor,omitempty"`
}

// rope fills in theta and scaling.
func (h *hfConfig) rope(c *Config) {
	r := h.RopeScaling
	if h.RopeParameters != nil { // the newer form, which holds theta too
		r = h.RopeParameters
		if r.Theta > 0 {
			c.RopeTheta = r.Theta
		}
	}
	if r == nil {
		return
	}
	s := nn.RopeScaling{Type: r.RopeType, LowFreqFactor: r.Low, HighFreqFactor: r.High, OriginalContext: r.OldContext,
		AttentionFactor: r.Attention, BetaFast: r.BetaFast, BetaSlow: r.BetaSlow, MScale: r.MScale, MScaleAllDim: r.MScaleAllDim,
		NoTruncate: r.Truncate != nil && !*r.Truncate}
	if s.Type == "" {
		s.Type = r.Type
	}
	if s.Type == "su" { // longrope's first name
		s.Type = "longrope"
	}
	if s.Type == "longrope" {
		s.Factors = &nn.RopeFactors{Short: r.Short, Long: r.Long}
	}
	scaled := s.Type == "llama3" || s.Type == "yarn" || s.Type == "longrope"
	if scaled && h.OldContext > 0 {
		s.OriginalContext = h.OldContext
	}
	if scaled && s.OriginalContext == 0 {
		s.OriginalContext = h.MaxPositions
	}
	switch {
	case r.Factor != nil:
		s.Factor = *r.Factor
	case scaled && s.OriginalContext > 0:
		s.Factor = float64(h.MaxPositions) / float64(s.OriginalContext)
	}
	c.RopeScaling = s
}

// ropeJSON writes a scaling as rope reads it, nil for none.
func ropeJSON(s nn.RopeScaling) *hfRope {
	if s.Type == "" || s.Type == "default" {
		return nil
	}
	r := &hfRope{RopeType: s.Type, Low: s.LowFreqFactor, High: s.HighFreqFactor, OldContext: s.OriginalContext, Attention: s.AttentionFactor,
		BetaFast: s.BetaFast, BetaSlow: s.BetaSlow, MScale: s.MScale, MScaleAllDim: s.MScaleAllDim}
	if s.Factor != 0 {
		r.Factor = &s.Factor
	}
	if s.NoTruncate {
		r.Truncate = new(bool)
	}
	if s.Factors != nil {
		r.Short, r.Long = s.Factors.Short, s.Factors.Long
	}
	return r
}
