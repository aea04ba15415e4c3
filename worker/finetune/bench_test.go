//go:build unix

package finetune

import (
	"flag"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

var benchThreads = flag.Int("threads", 2, "threads of the training benchmark")

// shapes are those of bench/peft_step.py.
var shapes = map[string]struct {
	cfg                 llama.Config
	batch, length, rank int
}{
	"small": {llama.Config{VocabSize: 4096, HiddenSize: 256, IntermediateSize: 704, Layers: 4, Heads: 8, KVHeads: 4, HeadDim: 32,
		MaxPositions: 512, TieEmbeddings: true}, 16, 128, 16},
	"160m": {llama.Config{VocabSize: 32000, HiddenSize: 768, IntermediateSize: 2048, Layers: 12, Heads: 12, KVHeads: 4, HeadDim: 64,
		MaxPositions: 512, TieEmbeddings: true}, 4, 256, 16},
}

// cpuSeconds is what the process has used of all processors: what else the machine does falls on the wall clock only.
func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// BenchmarkLoRAStep is a whole optimiser step; bench/peft_step.py does the same with PyTorch and PEFT.
func BenchmarkLoRAStep(b *testing.B) {
	for _, name := range []string{"small", "160m"} {
		b.Run(name, func(b *testing.B) {
			s := shapes[name]
			backend, err := cpu.New(cpu.Config{Threads: *benchThreads})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = backend.Close() })
			m, err := llama.New(backend, s.cfg, llama.Random{Config: s.cfg, Seed: 1}, llama.Options{})
			if err != nil {
				b.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, 1))
			draw := func(n int) []uint32 {
				out := make([]uint32, n)
				for i := range out {
					out[i] = uint32(rng.IntN(s.cfg.VocabSize))
				}
				return out
			}
			var ex []Example
			for i := range s.batch {
				ex = append(ex, Example{Prompt: draw(s.length / 2), Answer: draw(s.length / 2), Record: [32]byte{byte(i)}})
			}
			cfg := Config{Rank: s.rank, BatchSize: s.batch, Epochs: MaxEpochs, LearningRate: 1e-3, Seed: 1}
			cfg.EnsureDefaults()
			t, err := newTrainer(m, ex, cfg, nil)
			if err != nil {
				b.Fatal(err)
			}
			tokens := 0
			step := func() {
				t.step %= t.steps
				_, _, n, err := t.once()
				if err != nil {
					b.Fatal(err)
				}
				tokens += n
			}
			step()
			step()
			tokens = 0
			cpuBefore := cpuSeconds(b)
			b.ReportAllocs()
			for b.Loop() {
				step()
			}
			b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tok/s")
			b.ReportMetric(float64(tokens)/(cpuSeconds(b)-cpuBefore), "tok/cpu-s")
		})
	}
}
