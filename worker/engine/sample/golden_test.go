package sample

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// distribution is what Next draws from: ascending ids with probabilities above zero.
func distribution(s *Sampler, logits []float32, mask Mask) (ids []uint32, probs []float64) {
	x := s.adjust(logits, mask)
	cand, weights := s.weigh(x, x[Argmax(x)])
	cand = slices.Clone(cand)
	for i, w := range weights {
		if w > 0 {
			cand = append(cand, candidate{id: uint32(i), w: w})
		}
	}
	slices.SortFunc(cand, func(a, b candidate) int { return int(a.id) - int(b.id) })
	var sum float64
	for _, c := range cand {
		sum += c.w
	}
	for _, c := range cand {
		ids, probs = append(ids, c.id), append(probs, c.w/sum)
	}
	return ids, probs
}

type goldenCase struct {
	Temperature       float32      `json:"temperature"`
	TopK              int          `json:"top_k"`
	TopP              float32      `json:"top_p"`
	MinP              float32      `json:"min_p"`
	RepetitionPenalty float32      `json:"repetition_penalty"`
	PresencePenalty   float32      `json:"presence_penalty"`
	FrequencyPenalty  float32      `json:"frequency_penalty"`
	Bias              [][2]float64 `json:"bias"`
	Prompt            []uint32     `json:"prompt"`
	Output            []uint32     `json:"output"`
	Logits            []float32    `json:"logits"`
	Kept              []uint32     `json:"kept"`
	Probs             []float64    `json:"probs"`
	LogProbs          []float64    `json:"logprobs"`
}

// The filters keep the tokens that transformers' logits processors keep, with the same
// probabilities (which are computed there in float32).
func TestDistributionsAreThoseOfTransformers(t *testing.T) {
	raw, err := os.ReadFile("testdata/golden.json")
	require.NoError(t, err)
	var golden struct{ Cases []goldenCase }
	require.NoError(t, json.Unmarshal(raw, &golden))
	require.Len(t, golden.Cases, 50)
	for i, c := range golden.Cases {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			p := Params{Temperature: c.Temperature, TopK: c.TopK, TopP: c.TopP, MinP: c.MinP, RepetitionPenalty: c.RepetitionPenalty,
				PresencePenalty: c.PresencePenalty, FrequencyPenalty: c.FrequencyPenalty}
			for _, b := range c.Bias {
				p.LogitBias = append(p.LogitBias, Bias{uint32(b[0]), float32(b[1])})
			}
			s, err := New(p, c.Prompt, nil)
			require.NoError(t, err)
			for _, id := range c.Output {
				s.Accept(id)
			}
			ids, probs := distribution(s, c.Logits, nil)
			require.Equal(t, c.Kept, ids)
			require.InEpsilonSlice(t, c.Probs, probs, 1e-5)
			for id, want := range c.LogProbs {
				got, _ := LogProbs(nil, c.Logits, uint32(id), 0, nil)
				require.InDelta(t, want, got.LogProb, 2e-6)
			}
		})
	}
}

// plain computes the distribution as the package comment says, by full sorting and
// package math.
func plain(p Params, logits []float32, mask Mask) (ids []uint32) {
	type one struct {
		id uint32
		p  float64
	}
	var all []one
	for i, l := range logits {
		if mask.Has(uint32(i)) {
			all = append(all, one{uint32(i), math.Exp(float64(l) / float64(p.Temperature))})
		}
	}
	slices.SortStableFunc(all, func(a, b one) int {
		if logits[a.id] != logits[b.id] {
			return int(math.Copysign(1, float64(logits[b.id]-logits[a.id])))
		}
		return int(a.id) - int(b.id)
	})
	if p.TopK > 0 {
		all = all[:min(p.TopK, len(all))]
	}
	var sum, mass float64
	for _, o := range all {
		sum += o.p
	}
	if p.nucleus() {
		for i, o := range all {
			if mass += o.p; mass >= float64(p.TopP)*sum {
				all = all[:i+1]
				break
			}
		}
	}
	for i, o := range all {
		if i == 0 || o.p >= float64(p.MinP)*all[0].p {
			ids = append(ids, o.id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Selection by heap, by quickselect and by threshold gives what sorting everything
// gives, probabilities sum to 1, and a mask is kept whatever the filters.
func TestFiltersAreThoseOfSortingEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 3000).Draw(t, "n")
		scale := rapid.SampledFrom([]float32{0, 0.01, 1, 8}).Draw(t, "scale")
		seed := rapid.Uint64().Draw(t, "seed")
		logits := make([]float32, n)
		for i := range logits {
			logits[i] = float32(math.Round(Uniform(seed, uint64(i))*200)) / 100 * scale // with ties
		}
		p := Params{
			Temperature: rapid.Float32Range(0.2, 3).Draw(t, "temperature"),
			TopK:        rapid.SampledFrom([]int{0, 0, 1, 3, 50, n - 1, n, n + 5}).Draw(t, "k"),
			TopP:        rapid.SampledFrom([]float32{0, 0.001, 0.3, 0.7, 0.97, 0.9999, 1}).Draw(t, "p"),
			MinP:        rapid.SampledFrom([]float32{0, 0.02, 0.5, 1}).Draw(t, "min"),
		}
		var mask Mask
		if rapid.Bool().Draw(t, "masked") {
			mask = NewMask(n)
			for i := range n {
				if mix(seed^uint64(i))%3 == 0 {
					mask.Add(uint32(i))
				}
			}
			mask.Add(uint32(seed % uint64(n)))
		}
		s, err := New(p, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids, probs := distribution(s, logits, mask)
		if want := plain(p, logits, mask); !slices.Equal(ids, want) {
			t.Fatalf("%+v keeps %d tokens %v, want %d %v", p, len(ids), ids, len(want), want)
		}
		var sum float64
		for i := range ids {
			sum += probs[i]
			if !mask.Has(ids[i]) {
				t.Fatalf("token %d is not in the mask", ids[i])
			}
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Fatalf("probabilities sum to %v", sum)
		}
		before := slices.Clone(logits)
		if id := s.Next(logits, 3, mask); !slices.Contains(ids, id) {
			t.Fatalf("drew %d, which no filter kept", id)
		}
		if !slices.Equal(before, logits) {
			t.Fatal("logits were changed")
		}
	})
}

// Adding a constant to all logits, or dividing logits and temperature alike, changes
// nothing; a tighter filter keeps a subset.
func TestInvariances(t *testing.T) {
	logits := make([]float32, 500)
	for i := range logits {
		logits[i] = float32(math.Round(Uniform(9, uint64(i))*4096)) / 512 // exact under the changes below
	}
	keep := func(p Params, x []float32) []uint32 {
		s, err := New(p, nil, nil)
		require.NoError(t, err)
		ids, _ := distribution(s, x, nil)
		return ids
	}
	for _, p := range []Params{{Temperature: 1}, {Temperature: 1, TopK: 30}, {Temperature: 1, TopP: 0.8}, {Temperature: 1, MinP: 0.1}, {Temperature: 1, TopK: 90, TopP: 0.6, MinP: 0.1}} {
		shifted, halved := slices.Clone(logits), slices.Clone(logits)
		for i := range logits {
			shifted[i] += 64
			halved[i] /= 2
		}
		half := p
		half.Temperature = 0.5
		want := keep(p, logits)
		require.Equal(t, want, keep(p, shifted))
		require.Equal(t, want, keep(half, halved))
		for pos := range 50 {
			a, err := New(p, nil, nil)
			require.NoError(t, err)
			b, err := New(half, nil, nil)
			require.NoError(t, err)
			require.Equal(t, a.Next(logits, pos, nil), a.Next(shifted, pos, nil))
			require.Equal(t, a.Next(logits, pos, nil), b.Next(halved, pos, nil))
		}
		for _, tighter := range []Params{{Temperature: 1, TopK: 20, TopP: p.TopP, MinP: p.MinP}, {Temperature: 1, TopK: p.TopK, TopP: 0.5, MinP: p.MinP}, {Temperature: 1, TopK: p.TopK, TopP: p.TopP, MinP: 0.3}} {
			require.Subset(t, want, keep(tighter, logits))
		}
	}
}

// Logits that leave no choice still give a token, one that the mask allows.
func TestNothingToChooseFrom(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	mask := NewMask(70)
	mask.Add(66)
	mask.Add(68)
	for name, fill := range map[string]float32{"NaN": nan, "-Inf": inf} {
		logits := slices.Repeat([]float32{fill}, 70)
		for _, p := range []Params{{}, {Temperature: 1}, {Temperature: 1, TopK: 3}, {Temperature: 1, TopP: 0.5, MinP: 0.1}} {
			s, err := New(p, nil, nil)
			require.NoError(t, err)
			require.EqualValues(t, 66, s.Next(logits, 0, mask), "%s %+v", name, p)
			require.EqualValues(t, 0, s.Next(logits, 0, nil), "%s %+v", name, p)
		}
	}
	logits := slices.Repeat([]float32{5}, 70)
	logits[68] = -3
	s, err := New(Params{}, nil, nil)
	require.NoError(t, err)
	require.EqualValues(t, 66, s.Next(logits, 0, mask))
	logits[66] = nan
	require.EqualValues(t, 68, s.Next(logits, 0, mask))
}

func TestLogProbs(t *testing.T) {
	logits := []float32{1, 3, 2, 3, float32(math.Inf(-1)), float32(math.NaN())}
	var scratch Scratch
	chosen, top := LogProbs(nil, logits, 2, 3, &scratch)
	z := math.Log(math.Exp(1) + 2*math.Exp(3) + math.Exp(2))
	require.EqualValues(t, 2, chosen.ID)
	require.InDelta(t, 2-z, chosen.LogProb, 1e-6)
	require.Equal(t, []uint32{1, 3, 2}, []uint32{top[0].ID, top[1].ID, top[2].ID}, "ties go to the lowest id")
	require.Equal(t, top[2].LogProb, chosen.LogProb)
	for _, id := range []uint32{4, 5} {
		never, _ := LogProbs(nil, logits, id, 0, &scratch)
		require.EqualValues(t, minLogProb, never.LogProb)
	}
	_, all := LogProbs(nil, logits, 0, 20, &scratch)
	require.Len(t, all, 4, "what is no number is not among the likeliest")
	// The defined sum has these bits on every machine.
	pinnedBits, _ := LogProbs(nil, []float32{0.1, -2.5, 7.25, 3.125}, 1, 0, nil)
	require.Equal(t, uint32(0xc11c4513), math.Float32bits(pinnedBits.LogProb))
}

func TestExpNeg(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-700, 0).Draw(t, "x")
		if got, want := expNeg(x), math.Exp(x); math.Abs(got-want) > 2e-15*want {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
	})
	require.Equal(t, []float64{1, 0, 0, 0}, []float64{expNeg(0), expNeg(-701), expNeg(math.NaN()), expNeg(math.Inf(-1))})
	require.Equal(t, uint64(0x3fd78b56362cef38), math.Float64bits(expNeg(-1)), "the bits are the same on every machine")
}

func TestNoAllocationPerToken(t *testing.T) {
	logits := make([]float32, 5000)
	for i := range logits {
		logits[i] = float32(Uniform(1, uint64(i))) * 10
	}
	mask := NewMask(len(logits))
	for i := range uint32(2500) {
		mask.Add(2 * i)
	}
	for _, p := range []Params{
		{}, {Temperature: 1}, {Temperature: 1, TopK: 40}, {Temperature: 1, TopK: 4000}, {Temperature: 1, TopP: 0.9}, {Temperature: 1, MinP: 0.1},
		{Temperature: 1, TopP: 0.9, RepetitionPenalty: 1.2, FrequencyPenalty: 1, LogitBias: []Bias{{1, 2}}},
	} {
		s, err := New(p, []uint32{1, 2, 3}, nil)
		require.NoError(t, err)
		for id := range uint32(50) {
			s.Accept(id)
		}
		var top []LogProb
		run := func() {
			id := s.Next(logits, 4, mask)
			_, top = LogProbs(top[:0], logits, id, 20, s.scratch)
		}
		run()
		require.Zero(t, testing.AllocsPerRun(20, run), "%+v", p)
	}
}

func BenchmarkNext(b *testing.B) {
	const vocab = 151_936 // Qwen 2.5
	logits := make([]float32, vocab)
	for i := range logits { // normal, as trained models' are in bulk
		u, v := Uniform(1, uint64(2*i)), Uniform(1, uint64(2*i+1))
		logits[i] = float32(2.5 * math.Sqrt(-2*math.Log(1-u)) * math.Cos(2*math.Pi*v))
	}
	mask := NewMask(vocab)
	for i := range uint32(vocab) {
		if i%3 != 0 {
			mask.Add(i)
		}
	}
	for _, c := range []struct {
		name string
		p    Params
		mask Mask
	}{
		{"greedy", Params{}, nil},
		{"temperature", Params{Temperature: 1}, nil},
		{"top_k=40", Params{Temperature: 1, TopK: 40}, nil},
		{"top_p=0.9", Params{Temperature: 1, TopP: 0.9}, nil},
		{"top_k=40,top_p=0.9,min_p=0.05", Params{Temperature: 1, TopK: 40, TopP: 0.9, MinP: 0.05}, nil},
		{"penalties,top_k=40", Params{Temperature: 1, TopK: 40, RepetitionPenalty: 1.1, FrequencyPenalty: 0.5}, nil},
		{"mask,top_k=40", Params{Temperature: 1, TopK: 40}, mask},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, err := New(c.p, []uint32{1, 2, 3}, nil)
			require.NoError(b, err)
			b.ReportAllocs()
			for i := range b.N {
				s.Next(logits, i, c.mask)
			}
		})
	}
	b.Run("logprobs,top=20", func(b *testing.B) {
		var scratch Scratch
		var top []LogProb
		b.ReportAllocs()
		for b.Loop() {
			_, top = LogProbs(top[:0], logits, 5, 20, &scratch)
		}
	})
	b.Run("sort everything (for comparison)", func(b *testing.B) {
		all := make([]candidate, vocab)
		for b.Loop() {
			for i, l := range logits {
				all[i] = candidate{id: uint32(i), l: l}
			}
			slices.SortFunc(all, compare)
		}
	})
}
