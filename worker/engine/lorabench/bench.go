package lorabench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/openledger/openledger/worker/engine/speed"
)

// Config of a comparison.
type Config struct {
	Shape    Shape                            `json:"shape"`
	Workload Workload                         `json:"workload"` // Adapters is set per row
	Adapters []int                            `json:"adapters"` // rows; 0 is the bare base
	Swap     int                              `json:"swap"`     // adapters of the merge-and-swap row; 0: none
	Limit    time.Duration                    `json:"-"`        // of one run with one adapter at a time
	Peft     Peft                             `json:"peft"`
	Cold     int                              `json:"cold"` // adapters read from disk; 0: none
	Runs     int                              `json:"runs"` // of every row, in turns
	Threads  int                              `json:"threads"`
	MaxBatch int                              `json:"max_batch"`
	Page     int                              `json:"page_tokens"` // of the KV cache; 0: the engine's default
	Say      func(format string, args ...any) `json:"-"`
}

// Row is one number of adapters, or a way to serve one adapter at a time.
type Row struct {
	Name       string    `json:"name"`
	Adapters   int       `json:"adapters"`
	Throughput Range     `json:"throughput"`
	Runs       []Outcome `json:"runs"`
	Merges     []int     `json:"merges,omitempty"` // or switches
}

// Ratio is a comparison, made within each turn: of requests per second, and of requests per second of CPU time, which
// other programs on the machine disturb less.
type Ratio struct {
	Name  string `json:"name"`
	Goal  string `json:"goal"`
	Range Range  `json:"range"`
	Met   bool   `json:"met"` // by the median
}

// Report is the outcome.
type Report struct {
	Config  Config  `json:"config"`
	Machine string  `json:"machine"`
	Backend string  `json:"backend"`
	Rows    []Row   `json:"rows"`
	Ratios  []Ratio `json:"ratios"`
	Memory  Memory  `json:"memory"`
	Cold    *Cold   `json:"cold_start,omitempty"`
}

// Range of some measurements.
type Range struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func rangeOf(x []float64) Range {
	if len(x) == 0 {
		return Range{}
	}
	s := slices.Sorted(slices.Values(x))
	return Range{Median: (s[(len(s)-1)/2] + s[len(s)/2]) / 2, Min: s[0], Max: s[len(s)-1]}
}

// EnsureDefaults fills what is zero.
func (c *Config) EnsureDefaults() {
	c.Workload.EnsureDefaults()
	if c.Runs == 0 {
		c.Runs = 5
	}
	if c.MaxBatch == 0 {
		c.MaxBatch = 32
	}
	if c.Limit == 0 {
		c.Limit = 10 * time.Duration(c.Workload.Seconds*float64(time.Second))
	}
	if c.Say == nil {
		c.Say = func(string, ...any) {}
	}
}

// Validate names the first field that cannot be used.
func (c *Config) Validate() error {
	switch {
	case len(c.Adapters) == 0:
		return fmt.Errorf("lorabench: name at least one number of adapters")
	case c.Runs < 1 || c.Runs > 1000:
		return fmt.Errorf("lorabench: runs is %d: set it from 1 to 1000", c.Runs)
	case c.MaxBatch < 1 || c.MaxBatch > 4096:
		return fmt.Errorf("lorabench: max batch is %d: set it from 1 to 4096", c.MaxBatch)
	case c.Swap < 0 || c.Cold < 0 || c.Limit <= 0:
		return fmt.Errorf("lorabench: swap, cold and limit must not be negative")
	case c.Swap > 0 && c.Shape.Base == "q8_0":
		return fmt.Errorf("lorabench: swap: a Q8_0 base would have to be quantised anew for each adapter: set it to 0, or use a bf16 or f32 base")
	case c.Workload.MaxLen*2 > c.Shape.Config.MaxPositions:
		return fmt.Errorf("lorabench: lengths up to %d do not fit twice in the model's %d positions", c.Workload.MaxLen, c.Shape.Config.MaxPositions)
	}
	if err := c.Peft.validate(c.Shape); err != nil {
		return err
	}
	for _, n := range c.Adapters {
		w := c.Workload
		w.Adapters = n
		if err := w.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// Run measures. Every run has all adapters resident, whatever number it uses, so that memory is the same in all.
func Run(ctx context.Context, c Config) (_ *Report, err error) {
	c.EnsureDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	most := slices.Max(c.Adapters)
	bytes, err := c.Shape.AdapterBytes(most + 1)
	if err != nil {
		return nil, err
	}
	rig, err := NewRig(RigConfig{Shape: c.Shape, Threads: c.Threads, MaxBatch: c.MaxBatch, KVTokens: c.MaxBatch * (2*c.Workload.MaxLen + 32 + 2*c.Page), PageTokens: c.Page, AdapterBytes: bytes})
	if err != nil {
		return nil, err
	}
	defer func() {
		if closed := rig.Close(); err == nil {
			err = closed
		}
	}()
	r := &Report{Config: c, Machine: speed.Machine(), Backend: rig.backend.Name()}
	if c.Cold > 0 {
		c.Say("cold start of %d adapters", c.Cold)
		cold, err := rig.ColdStart(ctx, c.Cold, (c.Workload.MinLen+c.Workload.MaxLen)/2)
		if err != nil {
			return nil, err
		}
		r.Cold = &cold
	}
	c.Say("loading %d adapters", most)
	if r.Memory, err = rig.LoadMeasured(most); err != nil {
		return nil, err
	}
	for _, n := range c.Adapters {
		r.Rows = append(r.Rows, Row{Name: fmt.Sprintf("n = %d", n), Adapters: n})
		if n == 0 {
			r.Rows[len(r.Rows)-1].Name = "bare base"
		}
	}
	var merger *Merger
	if c.Swap > 0 {
		if merger, err = rig.NewMerger(c.Swap); err != nil {
			return nil, err
		}
		r.Rows = append(r.Rows, Row{Name: "merge and swap", Adapters: c.Swap})
	}
	if c.Peft.Python != "" {
		r.Rows = append(r.Rows, Row{Name: c.Peft.name(), Adapters: c.Peft.Adapters})
	}
	for run := range c.Runs {
		for i := range r.Rows {
			row := &r.Rows[(i+run)%len(r.Rows)] // another one begins each turn
			if err := r.play(ctx, rig, merger, row); err != nil {
				return nil, err
			}
			o := row.Runs[len(row.Runs)-1]
			c.Say("run %d of %d, %s: %d of %d requests, %.3f requests/s, %.0f tokens/s", run+1, c.Runs, row.Name, o.Done, o.Requests, o.Throughput, o.Tokens)
		}
	}
	for i := range r.Rows {
		var x []float64
		for _, o := range r.Rows[i].Runs {
			x = append(x, o.Throughput)
		}
		r.Rows[i].Throughput = rangeOf(x)
	}
	r.compare()
	return r, nil
}

func (r *Report) play(ctx context.Context, rig *Rig, merger *Merger, row *Row) error {
	w := r.Config.Workload
	w.Adapters = row.Adapters
	oneByOne := func(o Outcome, switches int, err error) error {
		row.Runs, row.Merges = append(row.Runs, o), append(row.Merges, switches)
		return err
	}
	switch row.Name {
	case "merge and swap":
		return oneByOne(merger.Play(ctx, w, r.Config.MaxBatch, r.Config.Limit))
	case r.Config.Peft.name():
		return oneByOne(r.Config.Peft.play(ctx, r.Config.Shape, w, r.Config.Threads, r.Config.MaxBatch, r.Config.Limit))
	}
	o, err := rig.Play(ctx, w)
	row.Runs = append(row.Runs, o)
	return err
}

// compare makes the ratios that the goals are about.
func (r *Report) compare() {
	row := func(name string) *Row {
		i := slices.IndexFunc(r.Rows, func(x Row) bool { return x.Name == name })
		if i < 0 {
			return nil
		}
		return &r.Rows[i]
	}
	add := func(what string, over, under *Row, goal float64) {
		if over == nil || under == nil {
			return
		}
		var wall, cpu []float64
		for i, o := range over.Runs {
			u := under.Runs[i]
			if u.Throughput > 0 {
				wall = append(wall, o.Throughput/u.Throughput)
			}
			if o.CPU > 0 && u.CPU > 0 && o.Done > 0 {
				cpu = append(cpu, float64(o.Done)/o.CPU*u.CPU/float64(u.Done))
			}
		}
		g := rangeOf(wall)
		r.Ratios = append(r.Ratios, Ratio{Name: "throughput, " + what, Goal: fmt.Sprintf(">= %v", goal), Range: g, Met: g.Median >= goal})
		if g = rangeOf(cpu); len(cpu) > 0 {
			r.Ratios = append(r.Ratios, Ratio{Name: "same, requests per second of CPU time", Goal: fmt.Sprintf(">= %v", goal), Range: g, Met: g.Median >= goal})
		}
	}
	add("n = 2000 over n = 5", row("n = 2000"), row("n = 5"), 0.97)
	add("one adapter over the bare base", row("n = 1"), row("bare base"), 0.92)
	add("n = 100 over merge and swap", row("n = 100"), row("merge and swap"), 10)
	add("n = 100 over "+r.Config.Peft.name(), row("n = 100"), row(r.Config.Peft.name()), 10)
	if r.Cold != nil {
		r.Ratios = append(r.Ratios, Ratio{Name: "first token, adapter on disk over resident", Goal: "< 1.3", Range: r.Cold.Ratio, Met: r.Cold.Ratio.Median < 1.3})
	}
	if m := r.Memory; m.Adapters > 0 {
		r.Ratios = append(r.Ratios, Ratio{Name: fmt.Sprintf("memory of %d adapters over their files", m.Adapters), Goal: "<= 1.1",
			Range: Range{m.Ratio, m.Ratio, m.Ratio}, Met: m.Ratio <= 1.1})
	}
}
