package optim

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func problem(n int) []Param {
	r := rand.New(rand.NewPCG(1, 2))
	p := []Param{{Name: "a", W: make([]float32, n), G: make([]float32, n), Decay: true}, {Name: "b", W: make([]float32, 3), G: make([]float32, 3)}}
	for _, q := range p {
		for i := range q.W {
			q.W[i] = r.Float32()
		}
	}
	return p
}

func grads(p []Param, step int) {
	r := rand.New(rand.NewPCG(uint64(step), 9))
	for _, q := range p {
		for i := range q.G {
			q.G[i] = q.W[i] + 0.1*float32(r.NormFloat64())
		}
	}
}

// The textbook recurrence in float64.
func TestMatchesDefinition(t *testing.T) {
	cfg := Config{LR: 0.01, Beta1: 0.9, Beta2: 0.99, WeightDecay: 0.1, ClipNorm: 1, Warmup: 3, Steps: 20}
	p := problem(7)
	o, err := New(cfg, p)
	if err != nil {
		t.Fatal(err)
	}
	cfg.EnsureDefaults()
	ref := map[string][3][]float64{}
	for _, q := range p {
		w := make([]float64, len(q.W))
		for i := range w {
			w[i] = float64(q.W[i])
		}
		ref[q.Name] = [3][]float64{w, make([]float64, len(w)), make([]float64, len(w))}
	}
	for step := range 20 {
		grads(p, step)
		norm := 0.0
		for _, q := range p {
			for _, g := range q.G {
				norm += float64(g) * float64(g)
			}
		}
		norm = math.Sqrt(norm)
		scale := min(1, cfg.ClipNorm/norm)
		lr, n := cfg.LRAt(step), float64(step+1)
		for _, q := range p {
			s := ref[q.Name]
			for i := range q.W {
				g := float64(q.G[i]) * scale
				s[1][i] = cfg.Beta1*s[1][i] + (1-cfg.Beta1)*g
				s[2][i] = cfg.Beta2*s[2][i] + (1-cfg.Beta2)*g*g
				if q.Decay {
					s[0][i] *= 1 - lr*cfg.WeightDecay
				}
				s[0][i] -= lr * (s[1][i] / (1 - math.Pow(cfg.Beta1, n))) / (math.Sqrt(s[2][i]/(1-math.Pow(cfg.Beta2, n))) + cfg.Eps)
			}
		}
		st, err := o.Step()
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(st.GradNorm-norm) > 1e-9 || st.LR != lr {
			t.Errorf("step %d: stats %+v, want norm %v and lr %v", step, st, norm, lr)
		}
		for _, q := range p {
			for i := range q.W {
				if d := math.Abs(float64(q.W[i]) - ref[q.Name][0][i]); d > 1e-5 {
					t.Fatalf("step %d %s[%d]: %v, want %v", step, q.Name, i, q.W[i], ref[q.Name][0][i])
				}
			}
		}
	}
}

func TestSchedule(t *testing.T) {
	c := Config{LR: 1, MinLR: 0.1, Warmup: 10, Steps: 110}
	for step, want := range map[int]float64{0: 0.1, 9: 1, 10: 1, 60: 0.55, 110: 0.1, 500: 0.1} {
		if got := c.LRAt(step); math.Abs(got-want) > 1e-12 {
			t.Errorf("step %d: %v, want %v", step, got, want)
		}
	}
}

func TestConstantScheduleWithFinalDecay(t *testing.T) {
	c := Config{LR: 1, MinLR: 0.2, Warmup: 10, Steps: 110, Decay: 20}
	for step, want := range map[int]float64{0: 0.1, 10: 1, 89: 1, 90: 1, 100: 0.6, 110: 0.2} {
		if got := c.LRAt(step); math.Abs(got-want) > 1e-12 {
			t.Errorf("step %d: %v, want %v", step, got, want)
		}
	}
}

func TestResumesBitExactly(t *testing.T) {
	cfg := Config{LR: 0.01, WeightDecay: 0.1, ClipNorm: 1, Warmup: 2, Steps: 30}
	run := func(p []Param, o *AdamW, from, to int) {
		for i := from; i < to; i++ {
			grads(p, i)
			if _, err := o.Step(); err != nil {
				t.Fatal(err)
			}
		}
	}
	p := problem(50)
	o, err := New(cfg, p)
	if err != nil {
		t.Fatal(err)
	}
	run(p, o, 0, 10)
	var state bytes.Buffer
	if err := o.Save(&state); err != nil {
		t.Fatal(err)
	}
	q := problem(50)
	for i := range q {
		copy(q[i].W, p[i].W)
	}
	o2, err := New(cfg, q)
	if err != nil {
		t.Fatal(err)
	}
	saved := state.Bytes()
	if err := o2.Load(bytes.NewReader(saved)); err != nil {
		t.Fatal(err)
	}
	run(p, o, 10, 30)
	run(q, o2, 10, 30)
	for i := range p {
		if !slices.Equal(p[i].W, q[i].W) {
			t.Errorf("%s differs after resuming", p[i].Name)
		}
	}
	for n := range len(saved) {
		if err := o2.Load(bytes.NewReader(saved[:n])); err == nil {
			t.Fatalf("loaded a state truncated to %d bytes", n)
		}
	}
	other, err := New(cfg, problem(49))
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Load(bytes.NewReader(saved)); err == nil || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("state of another model: %v", err)
	}
}

func TestDivergenceChangesNothing(t *testing.T) {
	p := problem(4)
	o, err := New(Config{LR: 1}, p)
	if err != nil {
		t.Fatal(err)
	}
	p[0].G[2] = float32(math.NaN())
	before := slices.Clone(p[0].W)
	if _, err := o.Step(); !errors.Is(err, ErrDiverged) {
		t.Errorf("error %v", err)
	}
	if !slices.Equal(before, p[0].W) || o.StepCount() != 0 {
		t.Error("a refused step changed something")
	}
	o.ZeroGrad()
	if _, err := o.Step(); err != nil {
		t.Errorf("after clearing: %v", err)
	}
}

func TestConfigErrorsNameTheField(t *testing.T) {
	for want, c := range map[string]Config{
		"lr must": {}, "beta1": {LR: 1, Beta1: 1}, "eps": {LR: 1, Eps: -1}, "warmup (": {LR: 1, Warmup: 5, Steps: 5}, "clip": {LR: 1, ClipNorm: -1},
	} {
		if _, err := New(c, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
