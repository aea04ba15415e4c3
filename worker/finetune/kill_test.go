package finetune

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// killed is a training with all that has a state: evaluation with a best adapter,
// early stop, accumulation, weight decay, a schedule.
func killed() Config {
	cfg := small()
	cfg.Epochs, cfg.BatchSize, cfg.Accumulation, cfg.WeightDecay, cfg.Schedule = 150, 1, 3, 0.01, "linear"
	cfg.EvalRatio, cfg.EvalSteps, cfg.Patience, cfg.LearningRate = 0.3, 7, 30, 2e-3
	return cfg
}

// TestKilledChild is no test of its own: TestKillMinusNine runs it in a process
// that it kills.
func TestKilledChild(t *testing.T) {
	if flag.NArg() != 1 {
		t.Skip("run by TestKillMinusNine")
	}
	cfg := killed()
	cfg.CheckpointSteps = 1
	steps := 0
	_, _, err := Train(t.Context(), model(t, 1), examples(t, 9), cfg, File(flag.Arg(0)), func(p Progress) {
		_, _ = fmt.Fprintln(os.Stdout, "step", p.Step)
		if steps++; steps == 25 {
			time.Sleep(time.Hour) // three such lives are not the whole training
		}
	})
	require.NoError(t, err)
}

// A training that is killed three times, wherever it happens to be, gives the
// bits of one that never was.
func TestKillMinusNine(t *testing.T) {
	cfg := killed()
	m, ex := model(t, 2), examples(t, 9)
	straight, whole, err := Train(t.Context(), m, ex, cfg, nil, nil)
	require.NoError(t, err)
	require.Greater(t, whole.Steps, 80, "it must not stop before it is killed")
	require.Less(t, whole.Best.Step, whole.Steps, "the best adapter must not be the last")

	file := filepath.Join(t.TempDir(), "checkpoint")
	for range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledChild$", "--", file)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for n := 0; n < 20 && lines.Scan(); n++ {
			continue
		}
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait(), "it must have been killed on the way")
	}
	resumed, s, err := Train(t.Context(), m, ex, cfg, File(file), nil)
	require.NoError(t, err)
	require.GreaterOrEqual(t, s.Resumed, 40)
	require.Less(t, s.Resumed, s.Steps)
	require.Equal(t, straight.Flat, resumed.Flat)
	require.Equal(t, whole.Best, s.Best)
	require.Equal(t, whole.Curve, s.Curve)
	require.Equal(t, whole.Steps, s.Steps)
	require.Equal(t, whole.LossLast, s.LossLast)
}
