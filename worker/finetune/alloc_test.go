//go:build !race

package finetune

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The memory of a step is taken once.
func TestStepDoesNotAllocate(t *testing.T) {
	m, ex := model(t, 1), examples(t, 7)
	cfg := small()
	cfg.Epochs, cfg.EvalRatio, cfg.PassTokens = 1000, 0.3, 60
	cfg.EnsureDefaults()
	tr, err := newTrainer(m, ex, cfg, nil)
	require.NoError(t, err)
	step := func() {
		_, _, _, err := tr.once()
		require.NoError(t, err)
		require.NoError(t, tr.evaluate(t.Context()))
	}
	for range 5 {
		step()
	}
	require.Zero(t, testing.AllocsPerRun(20, step))
}
