package sample

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func drawOne(t *testing.T, p Params, logits []float32, pos int) uint32 {
	t.Helper()
	s, err := New(p, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.Next(logits, pos, nil)
}

func TestGreedyTiesGoToTheLowestID(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		logits []float32
		want   uint32
	}{
		{[]float32{1, 3, 3, 2}, 1},
		{[]float32{nan, 0, nan, 1}, 3},
		{[]float32{-5, -5}, 0},
		{[]float32{float32(math.Inf(-1)), -1}, 1},
	} {
		if got := drawOne(t, Params{}, c.logits, 0); got != c.want {
			t.Errorf("%v: %d, want %d", c.logits, got, c.want)
		}
	}
}

// Another worker that takes over in the middle draws the same tokens.
func TestDrawDependsOnSeedAndPositionOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		logits := rapid.SliceOfN(rapid.Float32Range(-10, 10), 2, 60).Draw(t, "logits")
		p := Params{
			Temperature: rapid.Float32Range(0.1, 2).Draw(t, "temperature"), TopK: rapid.IntRange(0, 10).Draw(t, "k"),
			TopP: rapid.Float32Range(0, 1).Draw(t, "p"), MinP: rapid.Float32Range(0, 0.3).Draw(t, "m"),
			FrequencyPenalty: rapid.Float32Range(-1, 1).Draw(t, "f"), PresencePenalty: rapid.Float32Range(-1, 1).Draw(t, "pp"),
			RepetitionPenalty: rapid.Float32Range(0.5, 2).Draw(t, "r"),
			Seed:              rapid.Uint64().Draw(t, "seed"),
		}
		n := rapid.IntRange(1, 20).Draw(t, "n")
		at := rapid.IntRange(0, n).Draw(t, "failover")
		run := func(s *Sampler, from int, out []uint32) []uint32 {
			for i := from; i < n; i++ {
				id := s.Next(logits, i, nil)
				s.Accept(id)
				out = append(out, id)
			}
			return out
		}
		one, _ := New(p, nil, nil)
		all := run(one, 0, nil)
		two, _ := New(p, nil, nil)
		for _, id := range all[:at] {
			two.Accept(id)
		}
		rest := run(two, at, nil)
		for i, id := range rest {
			if id != all[at+i] {
				t.Fatalf("position %d: %d after failover, %d before", at+i, id, all[at+i])
			}
		}
	})
}

func TestFrequenciesFollowTheDistribution(t *testing.T) {
	logits := []float32{0, 1, 2, -1}
	const n = 40000
	for _, temp := range []float32{0.7, 1, 1.5} {
		var sum float64
		for _, l := range logits {
			sum += math.Exp(float64(l / temp))
		}
		s, err := New(Params{Temperature: temp, Seed: 5}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		var count [4]int
		for i := range n {
			count[s.Next(logits, i, nil)]++
		}
		for id, l := range logits {
			want := math.Exp(float64(l/temp)) / sum
			if got := float64(count[id]) / n; math.Abs(got-want) > 5*math.Sqrt(want/n) {
				t.Errorf("temperature %v token %d: share %.4f, want %.4f", temp, id, got, want)
			}
		}
	}
}

func TestFilters(t *testing.T) {
	logits := []float32{2, 1, 0, -1, 2}
	allowed := func(p Params) map[uint32]bool {
		p.Temperature, p.Seed = 1, 3
		s, err := New(p, []uint32{0}, nil)
		if err != nil {
			t.Fatal(err)
		}
		out := map[uint32]bool{}
		for i := range 4000 {
			out[s.Next(logits, i, nil)] = true
		}
		return out
	}
	for _, c := range []struct {
		name string
		p    Params
		want string
	}{
		{"all", Params{}, "01234"},
		{"top_k 1: the lowest id of a tie", Params{TopK: 1}, "0"},
		{"top_k 2", Params{TopK: 2}, "04"},
		{"top_p", Params{TopP: 0.5}, "04"},
		{"min_p", Params{MinP: 0.3}, "014"},
		{"bias", Params{LogitBias: []Bias{{3, 100}}}, "3"},
		{"repetition of the prompt", Params{RepetitionPenalty: 100, TopK: 1}, "4"},
		{"bias out of range is ignored", Params{LogitBias: []Bias{{99, 100}}, TopK: 1}, "0"},
	} {
		var got strings.Builder
		a := allowed(c.p)
		for id := range uint32(5) {
			if a[id] {
				got.WriteByte('0' + byte(id))
			}
		}
		if got.String() != c.want {
			t.Errorf("%s: drew %s, want %s", c.name, got.String(), c.want)
		}
	}
}

func TestValidateNamesTheField(t *testing.T) {
	for want, p := range map[string]Params{
		"temperature": {Temperature: -1}, "top_k": {TopK: -1}, "top_p": {TopP: 1.5}, "min_p": {MinP: float32(math.NaN())},
		"logit_bias": {LogitBias: []Bias{{1, float32(math.Inf(1))}}}, "frequency_penalty": {FrequencyPenalty: 1e9},
	} {
		if _, err := New(p, nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// The generator is part of what workers must agree on: its values must not change.
func TestUniformIsPinned(t *testing.T) {
	for _, c := range []struct {
		seed, i uint64
		want    float64
	}{{0, 0, pinned[0]}, {1, 0, pinned[1]}, {42, 7, pinned[2]}} {
		if got := Uniform(c.seed, c.i); got != c.want {
			t.Errorf("Uniform(%d, %d) = %v, want %v", c.seed, c.i, got, c.want)
		}
	}
}

var pinned = [3]float64{0.06477138672626537, 0.30189389032200653, 0.030271841121465193}
