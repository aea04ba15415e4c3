package finetune

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/enginetest"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/nn"
	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

// A checkpoint belongs to what its numbers depend on: it is found again by a process that loads the same model, and not
// by one whose model computes other numbers.
func TestCheckpointsAreOfOneModel(t *testing.T) {
	id := func(m *llama.Model) [32]byte {
		a, err := enginetest.Adapter(m.Config(), 2, 1, lora.QProj)
		require.NoError(t, err)
		return identify(m, a, nil, nil, small())
	}
	q, f := quantised(t, quant.Q8_0, 1, enginetest.Vocab)
	require.NotEqual(t, id(q), id(f), "weights converted on loading are another numeric profile")

	longrope := func(factor float32) *llama.Model {
		b, err := cpu.New(cpu.Config{Threads: 1})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, b.Close()) })
		c := enginetest.ModelConfig()
		factors := slices.Repeat([]float32{factor}, c.HeadDim/2)
		c.RopeScaling = nn.RopeScaling{Type: "longrope", Factor: 1, OriginalContext: c.MaxPositions, Factors: &nn.RopeFactors{Short: factors, Long: factors}}
		m, err := llama.New(b, c, llama.Random{Config: c, Seed: 7}, llama.Options{})
		require.NoError(t, err)
		return m
	}
	require.Equal(t, id(longrope(2)), id(longrope(2)), "the same model, loaded twice")
	require.NotEqual(t, id(longrope(2)), id(longrope(3)))
}
