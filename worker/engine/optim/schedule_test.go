package optim

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// Schedules agree with PyTorch's and transformers' own; see testdata/schedules.py.
func TestSchedulesMatchPyTorch(t *testing.T) {
	raw, err := os.ReadFile("testdata/schedules.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Schedules []struct {
			Schedule      Schedule
			LR, MinLR     float64
			Warmup, Steps int
			Values        []float64
		}
	}
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Schedules) < 8 {
		t.Fatalf("only %d schedules", len(golden.Schedules))
	}
	for _, g := range golden.Schedules {
		c := Config{LR: g.LR, MinLR: g.MinLR, Warmup: g.Warmup, Steps: g.Steps, Schedule: g.Schedule}
		c.EnsureDefaults()
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		for n, want := range g.Values {
			if got := c.LRAt(n); math.Abs(got-want) > 1e-12*g.LR {
				t.Errorf("%s, warm-up %d of %d: step %d has %v, want %v", g.Schedule, g.Warmup, g.Steps, n, got, want)
			}
		}
	}
}
