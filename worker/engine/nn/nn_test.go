package nn

import (
	"math"
	"testing"

	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

func TestRNG_IsSplitmix64(t *testing.T) {
	r := NewRNG(1234567)
	for i, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423} {
		if got := r.Uint64(); got != want {
			t.Errorf("number %d is %d, want %d", i, got, want)
		}
	}
	x := make([]float32, 20001)
	NewRNG(1).Normal(x, 2)
	sum, sq := 0.0, 0.0
	for _, v := range x {
		sum += float64(v)
		sq += float64(v) * float64(v)
	}
	n := float64(len(x))
	if mean, std := sum/n, math.Sqrt(sq/n); math.Abs(mean) > 0.06 || math.Abs(std-2) > 0.06 {
		t.Errorf("mean %v and deviation %v, want 0 and 2", mean, std)
	}
}

func TestRopeTable(t *testing.T) {
	b, err := cpu.New(cpu.Config{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	const dim, positions = 8, 40
	for _, s := range []RopeScaling{{}, {Type: "linear", Factor: 4},
		{Type: "llama3", Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalContext: 64}} {
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		tab, err := RopeTable(b, dim, 500, positions, s)
		if err != nil {
			t.Fatal(err)
		}
		cos, sin := tab.Cos.Host(), tab.Sin.Host()
		for p := range positions {
			for i := range dim / 2 {
				f := math.Pow(500, -float64(2*i)/dim)
				switch s.Type {
				case "linear":
					f /= 4
				case "llama3":
					if wl := 2 * math.Pi / f; wl > 64 {
						f /= 8
					} else if wl > 16 {
						smooth := (64/wl - 1) / 3
						f = (1-smooth)*f/8 + smooth*f
					}
				}
				c, sn := math.Cos(float64(p)*f), math.Sin(float64(p)*f)
				if math.Abs(float64(cos[p*dim/2+i])-c) > 1e-5 || math.Abs(float64(sin[p*dim/2+i])-sn) > 1e-5 {
					t.Fatalf("%q position %d frequency %d: %v %v, want %v %v", s.Type, p, i, cos[p*dim/2+i], sin[p*dim/2+i], c, sn)
				}
			}
		}
	}
	for _, s := range []RopeScaling{{Type: "yarn", Factor: 2}, {Type: "su"}, {Type: "longrope", OriginalContext: 8}, {Type: "linear"}, {Type: "llama3", Factor: 2}} {
		if s.Validate() == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
}
