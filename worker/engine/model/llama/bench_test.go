package llama

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

// small is the size of the model that the project ships.
func small() Config {
	c := Config{VocabSize: 4096, HiddenSize: 256, IntermediateSize: 704, Layers: 4, Heads: 8, KVHeads: 4, HeadDim: 32,
		MaxPositions: 512, TieEmbeddings: true}
	c.EnsureDefaults()
	return c
}

func benchModel(b *testing.B, c Config, cfg cpu.Config, trainable bool) *Model {
	b.Helper()
	m, err := New(newBackend(b, cfg), c, Random{Config: c, Seed: 1}, Options{Trainable: trainable})
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func BenchmarkDecode(b *testing.B) {
	c := small()
	for _, bench := range []struct {
		batch, rank int
	}{{1, 0}, {1, 8}, {8, 0}, {8, 8}, {32, 0}, {32, 8}, {32, 16}} {
		b.Run(fmt.Sprintf("batch=%d/rank=%d", bench.batch, bench.rank), func(b *testing.B) {
			m := benchModel(b, c, cpu.Config{Threads: 1}, false)
			kv, err := m.NewKV(bench.batch*9, 0)
			if err != nil {
				b.Fatal(err)
			}
			r := m.NewRunner(kv)
			var seqs []Seq
			for i := range bench.batch {
				s := Seq{Tokens: tokens(1, uint64(i), c.VocabSize), Pos: 128, Blocks: table(int32(9*i), 129), Logits: LogitsLast}
				if bench.rank > 0 {
					s.Adapter = pack(b, m, fmt.Sprint(i), newAdapter(b, c, bench.rank, uint64(i)))
				}
				seqs = append(seqs, s)
			}
			b.ReportAllocs()
			for b.Loop() {
				forward(b, r, seqs...)
			}
			b.ReportMetric(float64(b.N*bench.batch)/b.Elapsed().Seconds(), "tok/s")
		})
	}
}

// BenchmarkPinning takes turns, a decode step with pinned threads and one without, and reports each one's median.
func BenchmarkPinning(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("threads are pinned on Linux only")
	}
	c := small()
	c.HiddenSize, c.IntermediateSize, c.Layers, c.HeadDim = 1024, 2816, 8, 128
	type side struct {
		b     *cpu.Backend
		r     *Runner
		times []float64
	}
	var sides [2]*side
	for i := range sides {
		cfg := cpu.Config{Pin: i == 1}
		be := newBackend(b, cfg)
		m, err := New(be, c, Random{Config: c, Seed: 1}, Options{})
		if err != nil {
			b.Fatal(err)
		}
		kv, err := m.NewKV(16, 0)
		if err != nil {
			b.Fatal(err)
		}
		sides[i] = &side{b: be, r: m.NewRunner(kv)}
	}
	seq := Seq{Tokens: tokens(1, 1, c.VocabSize), Pos: 128, Blocks: table(0, 129), Logits: LogitsLast}
	const steps = 8 // in a turn
	for turn := 0; b.Loop(); turn++ {
		for i := range sides {
			s := sides[(i+turn)%len(sides)]
			release, err := s.b.Bind()
			if err != nil {
				b.Fatal(err)
			}
			forward(b, s.r, seq) // the other's helpers go to sleep
			for range steps {
				start := time.Now()
				forward(b, s.r, seq)
				s.times = append(s.times, time.Since(start).Seconds())
			}
			release()
		}
	}
	median := func(s *side) float64 {
		slices.Sort(s.times)
		return 1e3 * s.times[len(s.times)/2]
	}
	free, pinned := median(sides[0]), median(sides[1])
	b.ReportMetric(free, "free-ms/step")
	b.ReportMetric(pinned, "pinned-ms/step")
	b.ReportMetric(free/pinned, "free/pinned")
}

func BenchmarkPrefill(b *testing.B) {
	c := small()
	for _, rank := range []int{0, 8} {
		b.Run(fmt.Sprintf("rank=%d", rank), func(b *testing.B) {
			m := benchModel(b, c, cpu.Config{Threads: 1}, false)
			kv, err := m.NewKV(16, 0)
			if err != nil {
				b.Fatal(err)
			}
			r := m.NewRunner(kv)
			s := Seq{Tokens: tokens(256, 1, c.VocabSize), Blocks: table(0, 256), Logits: LogitsLast}
			if rank > 0 {
				s.Adapter = pack(b, m, "a", newAdapter(b, c, rank, 1))
			}
			for b.Loop() {
				forward(b, r, s)
			}
			b.ReportMetric(float64(b.N*256)/b.Elapsed().Seconds(), "tok/s")
		})
	}
}

func BenchmarkTrainAdapter(b *testing.B) {
	c := small()
	m := benchModel(b, c, cpu.Config{}, false)
	tr, err := m.NewTrainer()
	if err != nil {
		b.Fatal(err)
	}
	a := newAdapter(b, c, 8, 1)
	g := lora.NewGrads(a)
	var ex []Example
	for i := range 8 {
		ex = append(ex, Example{Tokens: tokens(128, uint64(i), c.VocabSize)})
	}
	for b.Loop() {
		if _, err := tr.LossGrad(ex, GradOptions{Adapter: a, AdapterGrads: g}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*1024)/b.Elapsed().Seconds(), "tok/s")
}

func BenchmarkTrainFull(b *testing.B) {
	c := small()
	m := benchModel(b, c, cpu.Config{}, true)
	tr, err := m.NewTrainer()
	if err != nil {
		b.Fatal(err)
	}
	var ex []Example
	for i := range 8 {
		ex = append(ex, Example{Tokens: tokens(256, uint64(i), c.VocabSize)})
	}
	for b.Loop() {
		if _, err := tr.LossGrad(ex, GradOptions{Full: true}); err != nil {
			b.Fatal(err)
		}
		m.Repack()
	}
	b.ReportMetric(float64(b.N*2048)/b.Elapsed().Seconds(), "tok/s")
	b.ReportMetric(float64(b.N*2048)*float64(6*c.ParamCount())/1e9/b.Elapsed().Seconds(), "GFLOP/s")
}
