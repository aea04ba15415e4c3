package cpu

import (
	"fmt"
	"testing"

	"github.com/openledger/openledger/worker/engine/nn"
	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// loraShape is q, k, v; o; gate, up; down of a layer.
func loraShape(hidden, kv, inter, rank int) []tensor.LoraGroup {
	part := func(out int) tensor.LoraPart { return tensor.LoraPart{Rank: rank, Out: out, Scale: 2} }
	return []tensor.LoraGroup{
		{In: hidden, Parts: []tensor.LoraPart{part(hidden), part(kv), part(kv)}}, {In: hidden, Parts: []tensor.LoraPart{part(hidden)}},
		{In: hidden, Parts: []tensor.LoraPart{part(inter), part(inter)}}, {In: inter, Parts: []tensor.LoraPart{part(hidden)}},
	}
}

// BenchmarkLora is the low-rank part of a decode step of 32 rows, each with its own adapter, or all with one.
func BenchmarkLora(b *testing.B) {
	const rows, layers = 32, 4
	for _, hidden := range []int{256, 1024} {
		for _, kind := range []loraKind{loraF32, loraBF16, loraF16} {
			for _, rank := range []int{8, 16, 64} {
				for _, adapters := range []int{rows, 4, 1} {
					b.Run(fmt.Sprintf("hidden=%d/kind=%d/rank=%d/adapters=%d", hidden, kind, rank, adapters), func(b *testing.B) {
						be, err := New(Config{Threads: 1})
						if err != nil {
							b.Fatal(err)
						}
						defer func() { _ = be.Close() }()
						segs := make([]tensor.LoraSegment, 0, rows)
						bytes := int64(0)
						for i := range adapters {
							var groups []tensor.LoraGroup
							for range layers {
								groups = append(groups, loraShape(hidden, hidden/4, hidden*11/4, rank)...)
							}
							for g := range groups {
								for p := range groups[g].Parts {
									q := &groups[g].Parts[p]
									q.A, q.B = random(rank*groups[g].In, uint64(i)), random(rank*q.Out, 1)
									for _, m := range [][]float32{q.A, q.B} {
										for k, v := range m {
											switch kind {
											case loraBF16:
												m[k] = quant.FromBF16(quant.ToBF16(v))
											case loraF16:
												m[k] = quant.FromF16(quant.ToF16(v))
											}
										}
									}
								}
							}
							p, err := be.PackLora(groups)
							if err != nil {
								b.Fatal(err)
							}
							bytes += p.Bytes()
							segs = append(segs, tensor.LoraSegment{Row: i * rows / adapters, Rows: rows / adapters, Pack: p})
						}
						shape := loraShape(hidden, hidden/4, hidden*11/4, rank)
						xs := make([]tensor.Mat, 4)
						ys := make([][]tensor.Mat, 4)
						for g := range shape {
							x := make([]float32, rows*shape[g].In)
							nn.NewRNG(1).Normal(x, 1)
							xs[g] = tensor.Of(buffer(x), rows, shape[g].In)
							for _, p := range shape[g].Parts {
								ys[g] = append(ys[g], tensor.Of(buffer(make([]float32, rows*p.Out)), rows, p.Out))
							}
						}
						b.ReportAllocs()
						b.SetBytes(bytes)
						for b.Loop() {
							for g := range 4 * layers {
								be.Lora(ys[g%4], xs[g%4], g, segs)
							}
						}
					})
				}
			}
		}
	}
}
