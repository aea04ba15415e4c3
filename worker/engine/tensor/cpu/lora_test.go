package cpu

import (
	"fmt"
	"math"
	"testing"

	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// rounded makes every value one of the kind; what the kind cannot hold becomes small.
func rounded(x []float32, kind loraKind) []float32 {
	for i, v := range x {
		switch kind {
		case loraBF16:
			x[i] = quant.FromBF16(quant.ToBF16(v))
		case loraF16:
			if x[i] = quant.FromF16(quant.ToF16(v)); math.IsInf(float64(x[i]), 0) || x[i] != x[i] {
				x[i] = 0.5
			}
		}
	}
	return x
}

func loraPackOf(t testing.TB, b *Backend, kind loraKind, in int, ranks, outs []int, seed uint64, values func(n int, seed uint64) []float32) tensor.LoraPack {
	t.Helper()
	g := tensor.LoraGroup{In: in}
	for j, r := range ranks {
		q := tensor.LoraPart{Rank: r, Out: outs[j], Scale: 1.5, A: rounded(values(r*in, seed+uint64(j)), kind), B: rounded(values(outs[j]*r, seed+50+uint64(j)), kind)}
		g.Parts = append(g.Parts, q)
	}
	p, err := b.PackLora([]tensor.LoraGroup{g})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every rank, type, way of computing and instruction set gives a row the same bits, whatever else is in the batch.
func TestLora_BitsDependOnTheRowAlone(t *testing.T) {
	const rows, in = 40, 37
	values := func(n int, seed uint64) []float32 { return wild(n, seed, false) }
	outs := []int{33, 16}
	x := random(rows*in, 1)
	for _, kind := range []loraKind{loraF32, loraBF16, loraF16} {
		for _, ranks := range [][]int{{1, 0}, {2, 1}, {8, 8}, {9, 4}, {16, 16}, {24, 23}, {64, 3}, {40, 31}} {
			t.Run(fmt.Sprint("kind ", kind, " ranks ", ranks), func(t *testing.T) {
				run := func(cfg Config, lv level, lay func(p, q tensor.LoraPack) []tensor.LoraSegment) [2][]float32 {
					b, err := New(cfg)
					if err != nil {
						t.Fatal(err)
					}
					defer func() { _ = b.Close() }()
					b.lv = lv
					p, q := loraPackOf(t, b, kind, in, ranks, outs, 7, values), loraPackOf(t, b, kind, in, ranks, outs, 1007, values)
					if got := p.(*loraPack).kind; got != kind {
						t.Fatalf("values of kind %d are kept as %d", kind, got)
					}
					var ys []tensor.Mat
					var got [2][]float32
					for j, out := range outs {
						got[j] = random(rows*out, uint64(j))
						ys = append(ys, tensor.Of(buffer(got[j]), rows, out))
					}
					b.Lora(ys, tensor.Of(buffer(x), rows, in), 0, lay(p, q))
					return got
				}
				// Row 3 is q's in every layout, all others are p's.
				seg := func(row, rows int, p tensor.LoraPack) tensor.LoraSegment {
					return tensor.LoraSegment{Row: row, Rows: rows, Pack: p}
				}
				layouts := map[string]func(p, q tensor.LoraPack) []tensor.LoraSegment{
					"runs": func(p, q tensor.LoraPack) []tensor.LoraSegment {
						return []tensor.LoraSegment{seg(0, 3, p), seg(3, 1, q), seg(4, 36, p)}
					},
					"any order": func(p, q tensor.LoraPack) []tensor.LoraSegment {
						return []tensor.LoraSegment{seg(4, 36, p), seg(3, 1, q), seg(0, 1, p), seg(1, 2, p)}
					},
					"single rows": func(p, q tensor.LoraPack) (segs []tensor.LoraSegment) {
						for i := range rows {
							segs = append(segs, seg(i, 1, p))
						}
						segs[3].Pack = q
						return segs
					},
				}
				want := run(Config{Threads: 1, PureGo: true}, levelGo, layouts["runs"])
				for lv := levelGo; lv <= detect(); lv++ {
					for name, lay := range layouts {
						got := run(Config{Threads: 3, SpreadAll: true}, lv, lay)
						for j := range got {
							sameAll(t, fmt.Sprint(lv, ", ", name, ", part ", j), got[j], want[j])
						}
					}
				}
			})
		}
	}
}

// What an adapter takes is close to its values in the type in which they come.
func TestPackLora_TakesNoMoreThanItsFile(t *testing.T) {
	b, err := New(Config{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	for kind, bytes := range map[loraKind]int{loraF32: 4, loraBF16: 2, loraF16: 2} {
		p := loraPackOf(t, b, kind, 256, []int{8, 8, 8}, []int{256, 128, 128}, 1, random)
		file := int64(bytes * 8 * (3*256 + 256 + 128 + 128))
		if got := p.Bytes(); got < file || got > file*11/10 {
			t.Errorf("kind %d: %d bytes for %d bytes of values", kind, got, file)
		}
	}
}

func TestPackLora_RefusesWhatDoesNotFit(t *testing.T) {
	b, err := New(Config{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	for name, part := range map[string]tensor.LoraPart{
		"rank":   {Rank: -1, Out: 4},
		"out":    {Rank: 1, Out: 0, A: make([]float32, 4)},
		"values": {Rank: 2, Out: 4, A: make([]float32, 8), B: make([]float32, 7)},
	} {
		if _, err := b.PackLora([]tensor.LoraGroup{{In: 4, Parts: []tensor.LoraPart{part}}}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
