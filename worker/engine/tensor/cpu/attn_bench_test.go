package cpu

import (
	"fmt"
	"testing"

	"github.com/openledger/openledger/worker/engine/tensor"
)

// BenchmarkAttention is one layer of a 1B-class Llama (8 key-value heads of 64, 4 query heads to each) over a scattered
// table of pages: a decode step, and a prefill chunk of 64.
func BenchmarkAttention(b *testing.B) {
	for _, rows := range []int{1, 64} {
		for _, seen := range []int{128, 1024, 4096} {
			b.Run(fmt.Sprintf("rows=%d/seen=%d", rows, seen), func(b *testing.B) {
				benchAttention(b, rows, seen, tensor.DefaultPageTokens, 0)
			})
		}
	}
}

// BenchmarkPageTokens is the same by the size of a page.
func BenchmarkPageTokens(b *testing.B) {
	for _, page := range []int{16, 32, 64, 128} {
		for _, rows := range []int{1, 64} {
			b.Run(fmt.Sprintf("rows=%d/page=%d", rows, page), func(b *testing.B) { benchAttention(b, rows, 1024, page, 0) })
		}
	}
}

// BenchmarkWindow is the same with 4096 positions, of which a row sees the window's.
func BenchmarkWindow(b *testing.B) {
	for _, rows := range []int{1, 64} {
		for _, window := range []int{0, 1024} {
			b.Run(fmt.Sprintf("rows=%d/window=%d", rows, window), func(b *testing.B) {
				benchAttention(b, rows, 4096, tensor.DefaultPageTokens, window)
			})
		}
	}
}

func benchAttention(b *testing.B, rows, seen, page, window int) {
	const kvHeads, group, dim = 8, 4, 64
	be, err := New(Config{Threads: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = be.Close() }()
	pages := seen / page
	n := pages * page * kvHeads * dim
	kv := tensor.KVLayer{K: buffer(random(n, 3)), V: buffer(random(n, 4)), Pages: pages, PageTokens: page, Heads: kvHeads, HeadDim: dim, Window: window}
	seqs := []tensor.AttnSeq{{Rows: rows, Pos: seen - rows}}
	for i := range pages { // in a scattered order
		seqs[0].Blocks = append(seqs[0].Blocks, int32(i*7%pages))
	}
	q := tensor.Of(buffer(random(rows*kvHeads*group*dim, 1)), rows, kvHeads*group*dim)
	out := tensor.Of(buffer(random(rows*kvHeads*group*dim, 2)), rows, kvHeads*group*dim)
	b.ReportAllocs()
	for b.Loop() {
		be.Attention(out, q, kv, seqs, 0.125)
	}
	each := float64(seen) - float64(rows)/2
	if window > 0 {
		each = min(each, float64(window))
	}
	rate(b, 4*float64(rows)*each*kvHeads*group*dim)
}
