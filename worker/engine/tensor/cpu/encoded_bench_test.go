package cpu

import (
	"fmt"
	"testing"

	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// BenchmarkEncoded multiplies by weights that together do not fit in the caches, as a model's do.
func BenchmarkEncoded(b *testing.B) {
	const n, k, copies = 8192, 2048, 8
	for _, typ := range []quant.Type{quant.F32, quant.F16, quant.BF16, quant.Q8_0, quant.Q4_0} {
		be, err := New(Config{Threads: 1})
		if err != nil {
			b.Fatal(err)
		}
		size, err := quant.RowBytes(typ, n*k)
		if err != nil {
			b.Fatal(err)
		}
		var ws []tensor.Weight
		for range copies {
			w, err := be.PackEncoded(n, k, typ, make([]byte, size))
			if err != nil {
				b.Fatal(err)
			}
			ws = append(ws, w)
		}
		for _, m := range []int{1, 2, 4, 8, 128} {
			b.Run(fmt.Sprintf("%v/rows=%d", typ, m), func(b *testing.B) {
				x, y := tensor.Of(buffer(random(m*k, 2)), m, k), tensor.Of(buffer(make([]float32, m*n)), m, n)
				i := 0
				for b.Loop() {
					be.Linear(y, x, ws[i%copies], false)
					i++
				}
				rate(b, 2*float64(m)*n*k)
				b.ReportMetric(float64(b.N)*float64(size)/1e9/b.Elapsed().Seconds(), "GB/s")
			})
		}
		_ = be.Close()
	}
}
