package lorabench

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The requests are those that numpy draws (testdata/golden.py), apart from the last bits of the logarithms.
func TestArrivals_AreNumpys(t *testing.T) {
	raw, err := os.ReadFile("testdata/trace.json")
	require.NoError(t, err)
	var golden struct {
		Cases []struct {
			Workload
			Requests [][4]float64
		}
	}
	require.NoError(t, json.Unmarshal(raw, &golden))
	require.NotEmpty(t, golden.Cases)
	for _, c := range golden.Cases {
		got, err := c.Arrivals()
		require.NoError(t, err)
		require.Len(t, got, len(c.Requests))
		for i, want := range c.Requests {
			g := got[i]
			require.InEpsilon(t, want[0], g.At, 1e-12, "request %d of %+v", i, c.Workload)
			require.Equal(t, want[1:], []float64{float64(g.Adapter), float64(g.Prompt), float64(g.Output)}, "request %d of %+v", i, c.Workload)
		}
	}
}

// What alpha means: the share of the first adapter is n^-alpha.
func TestArrivals_Alpha(t *testing.T) {
	for alpha, want := range map[float64]float64{1: 1.0 / 200, 0.1: math.Pow(200, -0.1)} {
		got, err := Workload{Adapters: 200, Alpha: alpha, Rate: 1000, Seconds: 50}.Arrivals()
		require.NoError(t, err)
		first := 0
		for _, a := range got {
			require.Less(t, a.Adapter, 200)
			if a.Adapter == 0 {
				first++
			}
		}
		require.InDelta(t, want, float64(first)/float64(len(got)), 0.01)
	}
}

func TestArrivals_NamesTheBadField(t *testing.T) {
	for field, w := range map[string]Workload{
		"adapters": {Adapters: -1}, "alpha": {Alpha: -1}, "rate": {Rate: math.NaN()}, "cv": {CV: 1e9},
		"seconds": {Seconds: 1e12}, "min_len": {MinLen: 9, MaxLen: 9},
	} {
		_, err := w.Arrivals()
		require.ErrorContains(t, err, field)
	}
}
