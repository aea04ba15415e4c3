package tensor

import (
	"math"
	"testing"
)

func TestMath_AgreesWithTheLibrary(t *testing.T) {
	near := func(what string, x, got, want, tol float64) {
		t.Helper()
		if math.Abs(got-want) > tol*math.Max(1, math.Abs(want)) {
			t.Errorf("%s(%v) = %v, want %v", what, x, got, want)
		}
	}
	for i := range 4000 {
		x := float64(i-2000) * 0.173
		near("exp", x/10, Exp(x/10), math.Exp(x/10), 1e-14)
		y := math.Exp(x / 5)
		near("log", y, Log(y), math.Log(y), 1e-15)
		for _, z := range []float64{x, x * 37.7, x * 300} {
			s, c := SinCos(z)
			near("sin", z, s, math.Sin(z), 1e-12)
			near("cos", z, c, math.Cos(z), 1e-12)
		}
	}
	if !math.IsNaN(Log(-1)) || !math.IsInf(Log(0), -1) || !math.IsInf(Log(math.Inf(1)), 1) {
		t.Error("log of -1, 0 or infinity")
	}
}
