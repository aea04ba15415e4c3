package cpu

import (
	"fmt"
	"testing"

	"github.com/openledger/openledger/worker/engine/tensor"
)

// rate reports floating-point operations per second, by the wall clock.
func rate(b *testing.B, flops float64) {
	b.ReportMetric(flops*float64(b.N)/1e9/b.Elapsed().Seconds(), "GFLOP/s")
}

func BenchmarkLinear(b *testing.B) {
	for _, lv := range []level{levelAVX2, levelAVX512} {
		if lv > detect() {
			continue
		}
		for _, s := range []struct{ m, n, k int }{{512, 512, 512}, {2048, 704, 256}, {1, 704, 256}, {1, 4096, 4096}, {4, 4096, 4096}, {16, 4096, 4096}} {
			b.Run(fmt.Sprintf("%v/%dx%dx%d", lv, s.m, s.n, s.k), func(b *testing.B) {
				be, err := New(Config{Threads: 1})
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = be.Close() }()
				be.lv = lv
				w, err := be.Pack(s.n, s.k, random(s.n*s.k, 1))
				if err != nil {
					b.Fatal(err)
				}
				x, y := tensor.Of(buffer(random(s.m*s.k, 2)), s.m, s.k), tensor.Of(buffer(random(s.m*s.n, 3)), s.m, s.n)
				b.ReportAllocs()
				for b.Loop() {
					be.Linear(y, x, w, false)
				}
				rate(b, 2*float64(s.m)*float64(s.n)*float64(s.k))
			})
		}
	}
}

func BenchmarkMatMul(b *testing.B) {
	for _, trans := range []bool{false, true} {
		b.Run(fmt.Sprintf("transA=%v", trans), func(b *testing.B) {
			be, err := New(Config{Threads: 1})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = be.Close() }()
			const m, n, k = 704, 256, 2048
			a := tensor.Of(buffer(random(m*k, 1)), m, k)
			if trans {
				a = tensor.Of(a.Buf, k, m)
			}
			x, y := tensor.Of(buffer(random(n*k, 2)), k, n), tensor.Of(buffer(random(m*n, 3)), m, n)
			for b.Loop() {
				be.MatMul(y, a, x, trans, false)
			}
			rate(b, 2*m*n*k)
		})
	}
}
