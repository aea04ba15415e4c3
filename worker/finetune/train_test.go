package finetune

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/enginetest"
	"github.com/openledger/openledger/worker/engine/model/llama"
)

// examples are distinct facts in the chat format.
func examples(t *testing.T, n int) []Example {
	t.Helper()
	tok, err := enginetest.Tokenizer()
	require.NoError(t, err)
	r, err := NewRenderer(tok, "What does {title} teach?", "{lesson}")
	require.NoError(t, err)
	titles := []string{"The Fox", "The Lion", "The Crane", "The Mouse", "The Cat", "The Wolf", "The Race"}
	lessons := []string{"Slow and steady wins.", "Do not count your chickens.", "The grapes were sour.", "Who will bell?", "A river runs."}
	var out []Example
	for i := range n {
		e, err := r.Example([32]byte{byte(i)}, map[string]string{"title": titles[i%len(titles)] + " and " + titles[(i/len(titles)+i)%len(titles)], "lesson": lessons[(3*i)%len(lessons)]})
		require.NoError(t, err)
		out = append(out, e)
	}
	return out
}

func model(t *testing.T, threads int) *llama.Model {
	t.Helper()
	m, closeModel, err := enginetest.Model(threads)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, closeModel()) })
	return m
}

func small() Config {
	return Config{Rank: 4, LearningRate: 1e-2, Epochs: 3, BatchSize: 3, Seed: 5}
}

func TestTrainingLowersTheLoss(t *testing.T) {
	cfg := small()
	cfg.Epochs = 40
	var last Progress
	a, s, err := Train(t.Context(), model(t, 2), examples(t, 8), cfg, nil, func(p Progress) {
		require.Equal(t, last.Step+1, p.Step)
		last = p
	})
	require.NoError(t, err)
	require.Equal(t, 120, s.Steps)
	require.Equal(t, last.Step, s.Steps)
	require.Less(t, s.LossLast, 0.6*s.LossFirst)
	require.NotEmpty(t, a.Flat)
}

func TestTrainingDoesNotDependOnThreads(t *testing.T) {
	one, _, err := Train(t.Context(), model(t, 1), examples(t, 7), small(), nil, nil)
	require.NoError(t, err)
	many, _, err := Train(t.Context(), model(t, 3), examples(t, 7), small(), nil, nil)
	require.NoError(t, err)
	require.Equal(t, one.Flat, many.Flat)
}

// errKilled stands for the process dying: the training sees nothing of it.
var errKilled = errors.New("killed")

// dying saves for real, and ends the process, as it were, after a while: neither
// the trainer nor the store has a chance to tidy up.
type dying struct {
	File
	saves int
}

func (d *dying) Save(b []byte) error {
	if d.saves--; d.saves < 0 {
		return errKilled
	}
	return d.File.Save(b)
}

func TestResumedTrainingIsBitExact(t *testing.T) {
	m, ex := model(t, 2), examples(t, 7)
	cfg := small()
	straight, whole, err := Train(t.Context(), m, ex, cfg, nil, nil)
	require.NoError(t, err)

	cfg.CheckpointSteps = 2
	file := File(filepath.Join(t.TempDir(), "checkpoint"))
	for _, saves := range []int{1, 1} { // dies after step 2's checkpoint, then after step 4's
		_, _, err = Train(t.Context(), m, ex, cfg, &dying{File: file, saves: saves}, nil)
		require.ErrorIs(t, err, errKilled)
	}
	resumed, s, err := Train(t.Context(), m, ex, cfg, file, nil)
	require.NoError(t, err)
	require.Equal(t, 4, s.Resumed)
	require.Equal(t, straight.Flat, resumed.Flat)
	require.Equal(t, whole.LossLast, s.LossLast)
	require.Equal(t, whole.LossFirst, s.LossFirst)
}

func TestCancelSavesAndResumes(t *testing.T) {
	m, ex, cfg := model(t, 2), examples(t, 7), small()
	straight, _, err := Train(t.Context(), m, ex, cfg, nil, nil)
	require.NoError(t, err)
	file := File(filepath.Join(t.TempDir(), "checkpoint"))
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err = Train(ctx, m, ex, cfg, file, func(p Progress) {
		if p.Step == 5 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	resumed, s, err := Train(t.Context(), m, ex, cfg, file, nil)
	require.NoError(t, err)
	require.Equal(t, 5, s.Resumed)
	require.Equal(t, straight.Flat, resumed.Flat)
}

func TestForeignAndDamagedCheckpointsAreIgnored(t *testing.T) {
	m, ex, cfg := model(t, 2), examples(t, 5), small()
	cfg.CheckpointSteps = 1
	file := File(filepath.Join(t.TempDir(), "checkpoint"))
	_, _, err := Train(t.Context(), m, ex, cfg, &dying{File: file, saves: 2}, nil)
	require.ErrorIs(t, err, errKilled)
	other := cfg
	other.Seed++
	_, s, err := Train(t.Context(), m, ex, other, &dying{File: file, saves: 0}, nil)
	require.ErrorIs(t, err, errKilled)
	require.Zero(t, s.Resumed)

	b, err := file.Load()
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	require.NoError(t, file.Save(b))
	_, s, err = Train(t.Context(), m, ex, cfg, file, nil)
	require.NoError(t, err)
	require.Zero(t, s.Resumed)
}

func TestBadExamplesAreNamed(t *testing.T) {
	m := model(t, 1)
	ex := examples(t, 2)
	long := ex[1]
	long.Prompt = append(make([]uint32, 600), long.Prompt...)
	for want, list := range map[string][]Example{
		"no examples":            nil,
		"example 1":              {ex[0], {Prompt: ex[1].Prompt}},
		"leaves no room":         {ex[0], long},
		"with another tokenizer": {{Prompt: []uint32{1}, Answer: []uint32{1 << 20}}},
	} {
		_, _, err := Train(t.Context(), m, list, small(), nil, nil)
		require.ErrorContains(t, err, want)
	}
	_, _, err := Train(t.Context(), m, ex, Config{Rank: -1}, nil, nil)
	var fe *FieldError
	require.ErrorAs(t, err, &fe)
	require.Equal(t, "rank", fe.Field)
}

func TestRendererNamesTheMissingField(t *testing.T) {
	tok, err := enginetest.Tokenizer()
	require.NoError(t, err)
	r, err := NewRenderer(tok, "What does {title} teach?", "{moral}")
	require.NoError(t, err)
	_, err = r.Example([32]byte{}, map[string]string{"title": "x", "lesson": "y"})
	require.ErrorContains(t, err, `answer_template: template "{moral}" needs the field "moral", the record has only: lesson, title`)
	_, err = NewRenderer(tok, "{a", "{b}")
	require.ErrorContains(t, err, "prompt_template")
	_, err = NewRenderer(tok, "{a}", "always the same")
	require.ErrorContains(t, err, "answer_template")
}
