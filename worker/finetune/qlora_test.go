package finetune

import (
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/enginetest"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

// decoded is a source of what a format keeps of random weights, in float32.
type decoded struct {
	llama.Random
	t quant.Type
}

func (d decoded) Tensor(name string) ([]float32, []int, error) {
	data, shape, err := d.Random.Tensor(name)
	if err != nil || len(shape) != 2 {
		return data, shape, err
	}
	size, err := quant.RowBytes(d.t, len(data))
	if err != nil {
		return nil, nil, err
	}
	raw := make([]byte, size)
	if err := quant.Encode(d.t, raw, data); err != nil {
		return nil, nil, err
	}
	return data, shape, quant.Decode(d.t, data, raw)
}

// quantised is a model whose weights are kept in t, and the same weights in float32.
func quantised(t *testing.T, typ quant.Type, threads, vocab int) (q, f *llama.Model) {
	t.Helper()
	cfg := llama.Config{VocabSize: vocab, HiddenSize: 64, IntermediateSize: 96, Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 16,
		MaxPositions: 512, TieEmbeddings: true}
	cfg.EnsureDefaults()
	src := decoded{llama.Random{Config: cfg, Seed: 7, Std: 0.1}, typ}
	make := func(opt llama.Options) *llama.Model {
		b, err := cpu.New(cpu.Config{Threads: threads})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, b.Close()) })
		m, err := llama.New(b, cfg, src, opt)
		require.NoError(t, err)
		return m
	}
	return make(llama.Options{Weights: &typ}), make(llama.Options{})
}

var quantTypes = []quant.Type{quant.Q8_0, quant.Q4_0, quant.F16}

// The gradient of an adapter over a quantised base is that over the decoded base, but for what the forward pass loses
// by rounding activations to eight bits (straight through, as QLoRA takes it).
func TestGradientOverQuantisedBase(t *testing.T) {
	for _, typ := range quantTypes {
		t.Run(typ.String(), func(t *testing.T) {
			q, f := quantised(t, typ, 2, enginetest.Vocab)
			a, err := enginetest.Adapter(q.Config(), 8, 3)
			require.NoError(t, err)
			e, err := cut(examples(t, 1)[0], 512, enginetest.Vocab)
			require.NoError(t, err)
			var flat [2][]float32
			var losses [2]float64
			for i, m := range []*llama.Model{q, f} {
				tr, err := m.NewTrainer()
				require.NoError(t, err)
				g := lora.NewGrads(a)
				l, err := tr.LossGrad([]llama.Example{e}, llama.GradOptions{Adapter: a, AdapterGrads: g})
				require.NoError(t, err)
				flat[i], losses[i] = g.Flat, l.Mean()
			}
			require.InEpsilon(t, losses[1], losses[0], 0.01)
			var diff, size float64
			for i, v := range flat[1] {
				d := float64(flat[0][i] - v)
				diff += d * d
				size += float64(v) * float64(v)
			}
			bound := 0.05
			if typ == quant.F16 {
				bound = 1e-5
			}
			t.Logf("error of the gradient: %.1e of its norm", math.Sqrt(diff/size))
			require.Less(t, math.Sqrt(diff/size), bound)
			require.Greater(t, math.Sqrt(size), 1e-3)
		})
	}
}

func TestTrainingOverQuantisedBase(t *testing.T) {
	for _, typ := range quantTypes {
		t.Run(typ.String(), func(t *testing.T) {
			q, f := quantised(t, typ, 2, enginetest.Vocab)
			ex, cfg := examples(t, 8), small()
			cfg.Epochs = 30
			a, s, err := Train(t.Context(), q, ex, cfg, nil, nil)
			require.NoError(t, err)
			_, whole, err := Train(t.Context(), f, ex, cfg, nil, nil)
			require.NoError(t, err)
			require.Less(t, s.LossLast, 0.7*s.LossFirst)
			require.InEpsilon(t, whole.LossLast, s.LossLast, 0.05, "it learns as over the decoded base")
			one, _ := quantised(t, typ, 1, enginetest.Vocab)
			b, _, err := Train(t.Context(), one, ex, cfg, nil, nil)
			require.NoError(t, err)
			require.Equal(t, a.Flat, b.Flat, "threads change no bit")
		})
	}
}

// Training needs no copy of the base in another form: what it takes is far less than the weights in float32 would.
func TestQuantisedBaseIsNotDecodedForTraining(t *testing.T) {
	const vocab = 1 << 17
	q, f := quantised(t, quant.Q4_0, 1, vocab)
	weights := f.Bytes()
	require.Less(t, q.Bytes(), weights/4)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	cfg := small()
	cfg.EnsureDefaults()
	before := heap()
	tr, err := newTrainer(q, examples(t, 1)[:1], cfg, nil)
	require.NoError(t, err)
	for range 3 {
		_, _, _, err = tr.once()
		require.NoError(t, err)
	}
	grown := int64(heap()) - int64(before)
	runtime.KeepAlive(tr)
	require.Less(t, grown, weights/2, fmt.Sprintf("training grew the heap by %d bytes, the weights in float32 have %d", grown, weights))
	t.Logf("the base takes %d KB in Q4_0, %d KB in float32; training took %d KB", q.Bytes()>>10, weights>>10, grown>>10)
}
