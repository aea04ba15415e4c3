package finetune

import (
	"crypto/sha256"
	"encoding/binary"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
)

func TestSplitIsStableAcrossVersions(t *testing.T) {
	var all []Example
	for i := range 2000 {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(i))
		all = append(all, Example{Record: sha256.Sum256(n[:])})
	}
	records := func(ex []Example, at []int) map[[32]byte]bool {
		out := map[[32]byte]bool{}
		for _, i := range at {
			out[ex[i].Record] = true
		}
		return out
	}
	trained, held := Split(all, 0.1)
	require.Len(t, append(trained, held...), 2000)
	require.InDelta(t, 200, len(held), 45)
	before := records(all, held)
	older := all[300:1500] // another version of the datanet: other records, another order
	_, held = Split(older, 0.1)
	for r := range records(older, held) {
		require.True(t, before[r], "a record changed sides")
	}
	require.Greater(t, len(held), 80)
	trained, held = Split(all, 0)
	require.Empty(t, held)
	require.Len(t, trained, 2000)
	for n := 2; n < 40; n++ {
		for _, ratio := range []float32{0.01, 0.5} {
			trained, held = Split(all[:n], ratio)
			require.NotEmpty(t, held)
			require.NotEmpty(t, trained)
		}
	}
}

// Examples that say so are held out, and no others: what is learned is what a training
// without them learns, and the curve is theirs.
func TestMarkedExamplesAreHeldOut(t *testing.T) {
	m, all := model(t, 2), examples(t, 6)
	all[1].Held, all[4].Held = true, true
	trained, held := Marked(all)
	require.Equal(t, []int{0, 2, 3, 5}, trained)
	require.Equal(t, []int{1, 4}, held)
	cfg := small()
	cfg.Epochs, cfg.HeldOut = 1, true
	a, s, err := Train(t.Context(), m, all, cfg, nil, nil)
	require.NoError(t, err)
	require.Len(t, s.Curve, 2, "the base, and after the epoch")
	require.Equal(t, 2, s.Curve[0].Examples)
	cfg.HeldOut = false
	alone, _, err := Train(t.Context(), m, []Example{all[0], all[2], all[3], all[5]}, cfg, nil, nil)
	require.NoError(t, err)
	require.Equal(t, alone.Flat, a.Flat)

	cfg.HeldOut = true
	for _, ex := range [][]Example{{all[0], all[2]}, {all[1], all[4]}} {
		_, _, err = Train(t.Context(), m, ex, cfg, nil, nil)
		var field *FieldError
		require.ErrorAs(t, err, &field)
		require.Equal(t, "held_out", field.Field)
	}
	cfg.EvalRatio = 0.1
	_, _, err = Train(t.Context(), m, all, cfg, nil, nil)
	require.ErrorContains(t, err, "held_out: goes without an eval_ratio")
}

// Batches, accumulation and passes are bookkeeping: what is learned depends on the
// examples of a step only, to the bit.
func TestAccumulationAndPackingChangeNoBit(t *testing.T) {
	m, ex := model(t, 2), examples(t, 11)
	cfg := small()
	cfg.BatchSize, cfg.EvalRatio, cfg.PassTokens = 4, 0.2, 1<<20
	var losses []float64
	want, whole, err := Train(t.Context(), m, ex, cfg, nil, func(p Progress) { losses = append(losses, p.Loss) })
	require.NoError(t, err)
	for name, change := range map[string]func(*Config){
		"one example a pass": func(c *Config) { c.PassTokens = 1 },
		"two or three":       func(c *Config) { c.PassTokens = 60 },
		"accumulation":       func(c *Config) { c.BatchSize, c.Accumulation = 1, 4 },
		"both":               func(c *Config) { c.BatchSize, c.Accumulation, c.PassTokens = 2, 2, 60 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := cfg
			change(&cfg)
			var got []float64
			a, s, err := Train(t.Context(), m, ex, cfg, nil, func(p Progress) { got = append(got, p.Loss) })
			require.NoError(t, err)
			require.Equal(t, want.Flat, a.Flat)
			require.Equal(t, losses, got)
			require.Equal(t, whole.Best, s.Best)
			require.Equal(t, whole.LossLast, s.LossLast)
		})
	}
}

// score evaluates an adapter from outside the training.
func score(t *testing.T, m *llama.Model, ex []Example, ratio float32, a *lora.Adapter) (loss float64, exact int) {
	t.Helper()
	tr, err := m.NewTrainer()
	require.NoError(t, err)
	_, held := Split(ex, ratio)
	var sum float64
	tokens := 0
	for _, i := range held {
		e, err := cut(ex[i], 512, uint32(m.Config().VocabSize))
		require.NoError(t, err)
		l, err := tr.Score([]llama.Example{e}, a)
		require.NoError(t, err)
		sum, tokens = sum+l.Sum, tokens+l.Tokens
		if l.PerExample[0].Right == l.Tokens {
			exact++
		}
	}
	return sum / float64(tokens), exact
}

func TestEarlyStopGivesTheBestAdapter(t *testing.T) {
	m, ex := model(t, 2), examples(t, 12)
	cfg := small()
	cfg.Epochs, cfg.EvalRatio, cfg.EvalSteps, cfg.Patience = 200, 0.3, 5, 3
	var evals []Evaluation
	a, s, err := Train(t.Context(), m, ex, cfg, nil, func(p Progress) {
		if p.Evaluated {
			evals = append(evals, *p.Eval)
		}
	})
	require.NoError(t, err)
	require.Equal(t, evals, s.Curve)
	require.Zero(t, evals[0].Step)
	none, _, err := Train(t.Context(), m, ex, small(), nil, nil)
	require.NoError(t, err)
	clear(none.Flat) // an adapter that changes nothing
	plain, right := score(t, m, ex, 0.3, none)
	require.Equal(t, plain, evals[0].Loss, "the curve begins with the base")
	require.Equal(t, right, evals[0].Exact)
	evals = evals[1:]
	require.Less(t, s.Steps, 600, "these records have nothing in common: it must stop early")
	best := evals[0]
	for _, e := range evals {
		if e.Loss < best.Loss {
			best = e
		}
	}
	require.Equal(t, best, *s.Best)
	require.Equal(t, best.Step+3*5, s.Steps, "three evaluations without a better one")
	loss, exact := score(t, m, ex, 0.3, a)
	require.Equal(t, best.Loss, loss, "the result is not the best adapter")
	require.Equal(t, best.Exact, exact)

	// An early stop on the way is not forgotten by a restart.
	file := File(filepath.Join(t.TempDir(), "checkpoint"))
	cfg.CheckpointSteps = 1
	_, _, err = Train(t.Context(), m, ex, cfg, &dying{File: file, saves: s.Steps}, nil)
	require.NoError(t, err)
	again, s2, err := Train(t.Context(), m, ex, cfg, file, nil)
	require.NoError(t, err)
	require.Equal(t, s.Steps, s2.Steps)
	require.Equal(t, a.Flat, again.Flat)
	require.Equal(t, s.Curve, s2.Curve)
}

// However many evaluations there are, the curve stays small, and begins with the base.
func TestCurveIsBounded(t *testing.T) {
	var j judge
	a := &lora.Adapter{Flat: []float32{0}}
	for step := range 5 * MaxCurve {
		j.take(Evaluation{Step: step, Loss: float64(-step)}, a)
		require.LessOrEqual(t, len(j.curve), MaxCurve)
	}
	require.Zero(t, j.curve[0].Step)
	require.Equal(t, 5*MaxCurve-1, j.curve[len(j.curve)-1].Step)
	require.Equal(t, 5*MaxCurve-1, j.best.Step)
	for i := 1; i < len(j.curve); i++ {
		require.Greater(t, j.curve[i].Step, j.curve[i-1].Step)
	}
}

// Held-out records that are told by the trained ones are learned.
func TestHeldOutLossFallsWhereThereIsSomethingToLearn(t *testing.T) {
	m, ex := model(t, 2), examples(t, 24)
	for i := range ex {
		ex[i].Answer = ex[0].Answer
	}
	cfg := small()
	cfg.Epochs, cfg.EvalRatio = 30, 0.25
	var first Evaluation
	_, s, err := Train(t.Context(), m, ex, cfg, nil, func(p Progress) {
		if p.Evaluated && first.Step == 0 {
			first = *p.Eval
		}
	})
	require.NoError(t, err)
	require.Less(t, s.Best.Loss, first.Loss-0.3)
	require.Zero(t, first.Exact)
	require.Equal(t, s.Best.Examples, s.Best.Exact)
	require.Positive(t, s.Best.Exact)
}

func TestNewHyperParametersMatter(t *testing.T) {
	m, ex := model(t, 2), examples(t, 7)
	base, _, err := Train(t.Context(), m, ex, small(), nil, nil)
	require.NoError(t, err)
	for name, change := range map[string]func(*Config){
		"schedule":     func(c *Config) { c.Schedule = "linear" },
		"weight decay": func(c *Config) { c.WeightDecay = 0.5 },
		"clip norm":    func(c *Config) { c.ClipNorm = 0.01 },
		"rslora":       func(c *Config) { c.RSLoRA, c.Alpha = true, 16 },
		"targets":      func(c *Config) { c.Targets = []string{"q_proj", "v_proj"} },
	} {
		cfg := small()
		change(&cfg)
		a, _, err := Train(t.Context(), m, ex, cfg, nil, nil)
		require.NoError(t, err)
		require.NotEqual(t, base.Flat, a.Flat, name)
	}
	var rates []float64
	cfg := small()
	cfg.Schedule, cfg.WarmupRatio = "linear", 0.25
	_, _, err = Train(t.Context(), m, ex, cfg, nil, func(p Progress) { rates = append(rates, p.LR/float64(cfg.LearningRate)) })
	require.NoError(t, err)
	require.InDeltaSlice(t, []float64{0.5, 1, 1, 6. / 7, 5. / 7, 4. / 7, 3. / 7, 2. / 7, 1. / 7}, rates, 1e-12)
}
