// Package optim is the optimiser shared by every trainer of the project: AdamW
// with decoupled weight decay, clipping by the global gradient norm and a schedule
// with linear warm-up (cosine, linear or constant, or constant with a final decay).
//
// Invariants: one Step is a pure function of (parameters, gradients, state), in a
// fixed order of summation, so that a run restored from its saved state continues
// bit for bit. It allocates only in New.
//
// It does not compute gradients, and knows nothing of models or adapters: a
// parameter is a flat slice of float32 beside its gradient.
package optim

import (
	"errors"
	"fmt"
	"math"
)

// Param is one trainable tensor: W is updated in place from G.
type Param struct {
	Name  string
	W, G  []float32
	Decay bool // apply weight decay (matrices yes; norms and biases no)
}

// Config of AdamW and its schedule.
type Config struct {
	LR          float64 // peak learning rate, reached after Warmup steps
	MinLR       float64 // learning rate that the schedule falls to; default LR/10 for Cosine and with Decay, else 0
	Beta1       float64 // default 0.9
	Beta2       float64 // default 0.95
	Eps         float64 // default 1e-8
	WeightDecay float64 // decoupled; 0 is off
	ClipNorm    float64 // clip the global gradient norm; 0 is off
	Warmup      int     // steps of linear warm-up
	Steps       int     // steps in all, for the schedule; 0 keeps LR constant after warm-up
	Schedule    Schedule
	Decay       int // 0: Schedule over all steps; else LR stays constant but for the last Decay steps, which fall linearly
}

// Schedule is how the learning rate falls from the end of the warm-up to the last step.
type Schedule string

// The schedules. The zero value is Cosine.
const (
	Cosine   Schedule = "cosine"
	Linear   Schedule = "linear"
	Constant Schedule = "constant"
)

// EnsureDefaults fills unset fields.
func (c *Config) EnsureDefaults() {
	if c.Beta1 == 0 {
		c.Beta1 = 0.9
	}
	if c.Beta2 == 0 {
		c.Beta2 = 0.95
	}
	if c.Eps == 0 {
		c.Eps = 1e-8
	}
	if c.Schedule == "" {
		c.Schedule = Cosine
	}
	if c.MinLR == 0 && (c.Schedule == Cosine || c.Decay > 0) {
		c.MinLR = c.LR / 10
	}
}

// Validate reports the first bad field.
func (c *Config) Validate() error {
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	switch {
	case !(c.LR > 0) || !finite(c.LR):
		return fmt.Errorf("optim: lr must be positive, got %v", c.LR)
	case !(c.MinLR >= 0) || c.MinLR > c.LR:
		return fmt.Errorf("optim: min lr must lie between 0 and lr, got %v", c.MinLR)
	case !(c.Beta1 >= 0 && c.Beta1 < 1):
		return fmt.Errorf("optim: beta1 must lie in [0,1), got %v", c.Beta1)
	case !(c.Beta2 >= 0 && c.Beta2 < 1):
		return fmt.Errorf("optim: beta2 must lie in [0,1), got %v", c.Beta2)
	case !(c.Eps > 0):
		return fmt.Errorf("optim: eps must be positive, got %v", c.Eps)
	case !(c.WeightDecay >= 0) || !finite(c.WeightDecay):
		return fmt.Errorf("optim: weight decay must not be negative, got %v", c.WeightDecay)
	case !(c.ClipNorm >= 0) || !finite(c.ClipNorm):
		return fmt.Errorf("optim: clip norm must not be negative, got %v", c.ClipNorm)
	case c.Schedule != Cosine && c.Schedule != Linear && c.Schedule != Constant:
		return fmt.Errorf("optim: schedule %q is not known: choose cosine, linear or constant", c.Schedule)
	case c.Warmup < 0 || c.Steps < 0 || c.Decay < 0:
		return errors.New("optim: warmup, steps and decay must not be negative")
	case c.Decay > max(0, c.Steps-c.Warmup):
		return fmt.Errorf("optim: warmup (%d) and decay (%d) are longer than steps (%d)", c.Warmup, c.Decay, c.Steps)
	case c.Steps > 0 && c.Warmup >= c.Steps:
		return fmt.Errorf("optim: warmup (%d) must be shorter than steps (%d)", c.Warmup, c.Steps)
	}
	return nil
}

// LRAt is the learning rate of step n, counted from 0.
func (c *Config) LRAt(n int) float64 {
	if n < c.Warmup {
		return c.LR * float64(n+1) / float64(c.Warmup)
	}
	if c.Steps == 0 || (c.Schedule == Constant && c.Decay == 0) {
		return c.LR
	}
	if n >= c.Steps {
		return c.MinLR
	}
	if c.Decay > 0 {
		left := min(1, float64(c.Steps-n)/float64(c.Decay))
		return c.MinLR + (c.LR-c.MinLR)*left
	}
	t := float64(n-c.Warmup) / float64(c.Steps-c.Warmup)
	if c.Schedule == Linear {
		return c.MinLR + (c.LR-c.MinLR)*(1-t)
	}
	return c.MinLR + (c.LR-c.MinLR)*0.5*(1+math.Cos(math.Pi*t))
}

// Stats of one step.
type Stats struct {
	Step     int // steps done, this one included
	LR       float64
	GradNorm float64 // before clipping
}

// ErrDiverged is returned by Step when a gradient is not finite; nothing has been
// changed then.
var ErrDiverged = errors.New("optim: gradients are not finite; lower the learning rate")

// AdamW holds the moments of a fixed list of parameters.
type AdamW struct {
	cfg    Config
	params []Param
	m, v   [][]float32
	step   int
}

// New binds an optimiser to parameters. Their slices must stay in place.
func New(cfg Config, params []Param) (*AdamW, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	o := &AdamW{cfg: cfg, params: params}
	for _, p := range params {
		if len(p.W) != len(p.G) {
			return nil, fmt.Errorf("optim: parameter %q has %d weights but %d gradients", p.Name, len(p.W), len(p.G))
		}
		o.m = append(o.m, make([]float32, len(p.W)))
		o.v = append(o.v, make([]float32, len(p.W)))
	}
	return o, nil
}

// StepCount is the number of steps done.
func (o *AdamW) StepCount() int { return o.step }

// ZeroGrad clears all gradients.
func (o *AdamW) ZeroGrad() {
	for _, p := range o.params {
		clear(p.G)
	}
}

// GradNorm is the global L2 norm of the gradients.
func (o *AdamW) GradNorm() float64 {
	var sum float64
	for _, p := range o.params {
		var s [4]float64
		g := p.G
		for ; len(g) >= 4; g = g[4:] {
			s[0] += float64(g[0]) * float64(g[0])
			s[1] += float64(g[1]) * float64(g[1])
			s[2] += float64(g[2]) * float64(g[2])
			s[3] += float64(g[3]) * float64(g[3])
		}
		for _, x := range g {
			s[0] += float64(x) * float64(x)
		}
		sum += s[0] + s[1] + s[2] + s[3]
	}
	return math.Sqrt(sum)
}

// Step updates all parameters from their gradients. Gradients are left as they
// are; call ZeroGrad before the next accumulation.
func (o *AdamW) Step() (Stats, error) {
	norm := o.GradNorm()
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return Stats{Step: o.step, GradNorm: norm}, ErrDiverged
	}
	scale := float32(1)
	if o.cfg.ClipNorm > 0 && norm > o.cfg.ClipNorm {
		scale = float32(o.cfg.ClipNorm / norm)
	}
	lr := o.cfg.LRAt(o.step)
	o.step++
	t := float64(o.step)
	c1 := float32(1 / (1 - math.Pow(o.cfg.Beta1, t)))
	c2 := float32(1 / (1 - math.Pow(o.cfg.Beta2, t)))
	for i := range o.params {
		p := &o.params[i]
		decay := float32(1)
		if p.Decay {
			decay = float32(1 - lr*o.cfg.WeightDecay)
		}
		o.update(p.W, p.G, o.m[i], o.v[i], scale, float32(lr), decay, c1, c2)
	}
	return Stats{Step: o.step, LR: lr, GradNorm: norm}, nil
}

func (o *AdamW) update(w, g, m, v []float32, scale, lr, decay, c1, c2 float32) {
	b1, b2, eps := float32(o.cfg.Beta1), float32(o.cfg.Beta2), float32(o.cfg.Eps)
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	for i := range w {
		gi := float32(g[i] * scale)
		// Explicit conversions forbid fused multiply-add: the same bits everywhere.
		mi := float32(b1*m[i]) + float32((1-b1)*gi)
		vi := float32(b2*v[i]) + float32(float32((1-b2)*gi)*gi)
		m[i], v[i] = mi, vi
		den := float32(math.Sqrt(float64(float32(vi*c2)))) + eps
		w[i] = float32(w[i]*decay) - float32(float32(lr*float32(mi*c1))/den)
	}
}
