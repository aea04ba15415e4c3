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

// TestKilledChild is no test of its own: TestKillMinusNine runs it in a process
// that it kills.
func TestKilledChild(t *testing.T) {
	if flag.NArg() != 1 {
		t.Skip("run by TestKillMinusNine")
	}
	cfg := small()
	cfg.Epochs, cfg.CheckpointSteps = 100, 1
	_, _, err := Train(t.Context(), model(t, 1), examples(t, 7), cfg, File(flag.Arg(0)), func(p Progress) {
		_, _ = fmt.Fprintln(os.Stdout, "step", p.Step)
		time.Sleep(5 * time.Millisecond) // long enough to be killed in
	})
	require.NoError(t, err)
}

// A training that is killed three times, wherever it happens to be, gives the
// bits of one that never was.
func TestKillMinusNine(t *testing.T) {
	cfg := small()
	cfg.Epochs = 100
	m, ex := model(t, 2), examples(t, 7)
	straight, _, err := Train(t.Context(), m, ex, cfg, nil, nil)
	require.NoError(t, err)

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
}
