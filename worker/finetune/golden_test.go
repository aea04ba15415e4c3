package finetune

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
	"github.com/openledger/openledger/worker/engine/weights"
)

// Bounds of the error against PyTorch, which sums in another order: of losses and gradient norms relative to
// themselves, of an adapter's matrix relative to its largest value.
const (
	lossBound   = 2e-5
	normBound   = 2e-4
	weightBound = 3e-4
)

// A fine-tune takes the steps that PyTorch with PEFT takes: losses, gradient norms, learning rates and the adapter
// after the last one. See testdata/peft_train.py.
func TestTrainingMatchesPEFT(t *testing.T) {
	for _, name := range []string{"llama", "qwen3", "qwen2"} {
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join("testdata", "train_"+name+".json"))
			require.NoError(t, err)
			var want struct {
				Config   Config
				Examples []Example
				Steps    []struct{ Loss, GradNorm, LR float64 }
			}
			require.NoError(t, json.Unmarshal(raw, &want))
			require.GreaterOrEqual(t, len(want.Steps), 5)
			for _, pass := range []int{1 << 20, 1} {
				cfg := want.Config
				cfg.PassTokens = pass
				step := 0
				a, s, err := Train(t.Context(), goldenModel(t, name), want.Examples, cfg, nil, func(p Progress) {
					w := want.Steps[step]
					step++
					require.InEpsilon(t, w.Loss, p.Loss, lossBound, "loss of step %d", step)
					require.InEpsilon(t, w.GradNorm, p.GradNorm, normBound, "gradient norm of step %d", step)
					require.InEpsilon(t, w.LR, p.LR, 1e-6, "learning rate of step %d", step)
				})
				require.NoError(t, err)
				require.Equal(t, len(want.Steps), s.Steps)
				require.Less(t, s.LossLast, 0.9*s.LossFirst, "nothing was learned: the test shows nothing")

				raw, err = os.ReadFile(filepath.Join("testdata", "train_"+name+".safetensors"))
				require.NoError(t, err)
				f, err := weights.ParseSafetensors(bytes.NewReader(raw), int64(len(raw)), name)
				require.NoError(t, err)
				worst := 0.0
				for _, p := range a.Params(nil) {
					w, shape, err := f.Tensor(p.Name)
					require.NoError(t, err)
					require.Equal(t, p.Shape, shape)
					diff, size := 0.0, 0.0
					for i, v := range w {
						diff = max(diff, math.Abs(float64(v)-float64(p.Data[i])))
						size = max(size, math.Abs(float64(v)))
					}
					worst = max(worst, diff/size)
					require.LessOrEqual(t, diff, weightBound*size, p.Name)
				}
				t.Logf("largest error of the adapter: %.1e", worst)
			}
		})
	}
}

func goldenModel(t *testing.T, name string) *llama.Model {
	t.Helper()
	dir := os.DirFS(filepath.Join("../engine/testdata/models", name))
	raw, err := os.ReadFile(filepath.Join("../engine/testdata/models", name, weights.ConfigFile))
	require.NoError(t, err)
	cfg, err := llama.ParseConfig(raw)
	require.NoError(t, err)
	src, err := weights.OpenWeights(dir)
	require.NoError(t, err)
	b, err := cpu.New(cpu.Config{Threads: 2})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	m, err := llama.New(b, cfg, src, llama.Options{})
	require.NoError(t, err)
	return m
}
