package lorabench

import (
	"fmt"
	"math"
)

// Workload are the parameters of S-LoRA's generator (its benchmarks/trace.py). The defaults are those of its table of
// throughput by number of adapters on an A100.
//
// Alpha is the exponent of numpy's power distribution, whose density is alpha·x^(alpha-1): adapter i of n is asked for
// with probability ((i+1)/n)^alpha - (i/n)^alpha. So 1 is uniform, and a smaller alpha is more skewed: with 0.1 the first
// of 200 adapters gets 59 % of the requests. The paper's power law reads the other way round; the code is followed here.
type Workload struct {
	Adapters int     `json:"adapters"` // 0: the bare base
	Alpha    float64 `json:"alpha"`
	Rate     float64 `json:"rate"`    // requests per second
	CV       float64 `json:"cv"`      // coefficient of variation of the gaps: 1 is a Poisson process
	Seconds  float64 `json:"seconds"` // Rate·Seconds requests in all
	MinLen   int     `json:"min_len"` // tokens of prompt, and of output
	MaxLen   int     `json:"max_len"` // exclusive
	Seed     uint32  `json:"seed"`
}

// Arrival is one request.
type Arrival struct {
	At             float64 // seconds from the start
	Adapter        int
	Prompt, Output int // tokens
}

// EnsureDefaults fills what is zero.
func (w *Workload) EnsureDefaults() {
	def := func(p *float64, v float64) {
		if *p == 0 {
			*p = v
		}
	}
	def(&w.Alpha, 1)
	def(&w.Rate, 10)
	def(&w.CV, 1)
	def(&w.Seconds, 120)
	if w.MinLen == 0 && w.MaxLen == 0 {
		w.MinLen, w.MaxLen = 8, 512
	}
	if w.Seed == 0 {
		w.Seed = 42
	}
}

// Validate names the first field that cannot be used.
func (w *Workload) Validate() error {
	within := func(v, low, high float64) bool { return v >= low && v <= high }
	switch {
	case w.Adapters < 0 || w.Adapters > 1_000_000:
		return fmt.Errorf("workload: adapters is %d: set it from 0 to 1,000,000", w.Adapters)
	case !within(w.Alpha, 0.01, 100):
		return fmt.Errorf("workload: alpha is %v: set it from 0.01 to 100", w.Alpha)
	case !within(w.Rate, 1e-3, 1e6):
		return fmt.Errorf("workload: rate is %v: set it from 0.001 to 1,000,000 per second", w.Rate)
	case !within(w.CV, 0.01, 100):
		return fmt.Errorf("workload: cv is %v: set it from 0.01 to 100", w.CV)
	case !within(w.Seconds*w.Rate, 1, 1e6):
		return fmt.Errorf("workload: %v seconds at %v per second: ask for 1 to 1,000,000 requests", w.Seconds, w.Rate)
	case w.MinLen < 1 || w.MaxLen <= w.MinLen || w.MaxLen > 1<<20:
		return fmt.Errorf("workload: lengths from %d to %d: set 1 <= min_len < max_len", w.MinLen, w.MaxLen)
	}
	return nil
}

// Arrivals draws the requests, the same ones as numpy does.
func (w Workload) Arrivals() ([]Arrival, error) {
	w.EnsureDefaults()
	if err := w.Validate(); err != nil {
		return nil, err
	}
	r := newRandomState(w.Seed)
	list := make([]Arrival, int(w.Rate*w.Seconds))
	n := max(1, w.Adapters)
	for i := range list {
		list[i].Adapter = min(int(r.power(w.Alpha)*float64(n)), n-1)
	}
	for i := range list {
		list[i].Prompt = r.integer(w.MinLen, w.MaxLen)
	}
	for i := range list {
		list[i].Output = r.integer(w.MinLen, w.MaxLen)
	}
	shape, scale := 1/(w.CV*w.CV), w.CV*w.CV/w.Rate
	at := 0.0
	for i := range list {
		at += scale * r.gamma(shape)
		list[i].At = at
	}
	if math.IsNaN(at) {
		return nil, fmt.Errorf("workload: the arrivals of cv %v are not numbers", w.CV)
	}
	return list, nil
}
