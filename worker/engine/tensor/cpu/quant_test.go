package cpu

import (
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/openledger/openledger/worker/engine/nn"
	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// anyBytes are blocks with every bit pattern but scales that are not finite.
func anyBytes(t quant.Type, n int, seed uint64) []byte {
	size, err := quant.RowBytes(t, n)
	if err != nil {
		panic(err)
	}
	raw, r := make([]byte, size), nn.NewRNG(seed)
	for i := range raw {
		raw[i] = byte(r.Uint64() >> 33)
		if t.BlockSize() > 1 && i%5 == 0 {
			raw[i] = 0x80 // -128, and the end of the range of nibbles
		}
	}
	if t == quant.F16 {
		return raw
	}
	for b := 1; b < size; b += t.BlockBytes() {
		raw[b] &^= 0x40
	}
	return raw
}

func TestQuantise_AssemblyHasTheBitsOfGo(t *testing.T) {
	for _, lv := range levels(t) {
		for seed := range uint64(200) {
			x := wild(4*blockLen, seed, seed%2 == 0)
			if seed%3 == 0 { // ordinary values, with a tie
				x = random(4*blockLen, seed)
				x[5], x[6] = 127, 62.5
			}
			got, want := make([]byte, 4*actBlock), make([]byte, 4*actBlock)
			quantiseRow(lv, got, x, -128)
			quantiseRow(levelGo, want, x, -128)
			for i := range want {
				if got[i] != want[i] && !nanScale(want, i) {
					t.Fatalf("%v, seed %d: byte %d is %#x, want %#x", lv, seed, i, got[i], want[i])
				}
			}
		}
	}
}

// nanScale says whether byte i belongs to a scale that is not a number, whose payload is free.
func nanScale(b []byte, i int) bool {
	d := b[i/actBlock*actBlock:][blockLen : blockLen+4]
	v := math.Float32frombits(uint32(d[0]) | uint32(d[1])<<8 | uint32(d[2])<<16 | uint32(d[3])<<24)
	return v != v && i%actBlock >= blockLen && i%actBlock < blockLen+4
}

func TestQuantise_RoundsToTheNearestStep(t *testing.T) {
	x := random(64*blockLen, 1)
	acts := make([]byte, 64*actBlock)
	quantiseRow(levelGo, acts, x, 1)
	for i, v := range x {
		b := acts[i/blockLen*actBlock:]
		d := math.Float32frombits(uint32(b[blockLen]) | uint32(b[blockLen+1])<<8 | uint32(b[blockLen+2])<<16 | uint32(b[blockLen+3])<<24)
		if e := math.Abs(float64(v) - float64(d)*float64(int8(b[i%blockLen]))); e > 0.501*float64(d) {
			t.Fatalf("value %v became %v", v, d*float32(int8(b[i%blockLen])))
		}
	}
}

// TestEncodedProduct_AllLevelsHaveTheSameBits covers every kernel: all numbers of rows and panels, any weights.
func TestEncodedProduct_AllLevelsHaveTheSameBits(t *testing.T) {
	for _, typ := range []quant.Type{quant.Q8_0, quant.Q4_0, quant.F16} {
		for _, n := range []int{1, 16, 33, 100, 176} {
			for _, k := range []int{32, 160} {
				raw := anyBytes(typ, n*k, uint64(n+k))
				for _, m := range []int{1, 2, 3, 4, 5, 6, 7, 8, 13, 16, 17, 30, 33, 50} {
					x, c := wild(m*k, uint64(m), m%2 == 0), wild(m*n, uint64(k), true)
					if m%3 == 0 {
						x = random(m*k, uint64(m))
					}
					run := func(lv level, threads int, acc bool) []float32 {
						b, err := New(Config{Threads: threads, SpreadAll: true})
						if err != nil {
							t.Fatal(err)
						}
						defer func() { _ = b.Close() }()
						b.lv = lv
						w, err := b.PackEncoded(n, k, typ, raw)
						if err != nil {
							t.Fatal(err)
						}
						out := append([]float32(nil), c...)
						b.Linear(tensor.Of(buffer(out), m, n), tensor.Of(buffer(x), m, k), w, acc)
						return out
					}
					for _, acc := range []bool{false, true} {
						want := run(levelGo, 1, acc)
						for _, lv := range levels(t) {
							sameAll(t, fmt.Sprintf("%v %v %dx%dx%d", lv, typ, m, n, k), run(lv, 3, acc), want)
						}
					}
				}
			}
		}
	}
}

// TestLinear_AllocatesNothing is about the decode loop: after the first call no operation on weights allocates.
func TestLinear_AllocatesNothing(t *testing.T) {
	probe := sync.Pool{New: func() any { return new(scratch) }}
	if testing.AllocsPerRun(20, func() {
		for range 50 {
			probe.Put(probe.Get())
		}
	}) > 0 {
		t.Skip("pools are emptied at random here, as by the race detector")
	}
	const n, k = 512, 1024
	for _, typ := range []quant.Type{quant.F32, quant.F16, quant.BF16, quant.Q8_0, quant.Q4_0} {
		b, err := New(Config{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		size, _ := quant.RowBytes(typ, n*k)
		w, err := b.PackEncoded(n, k, typ, make([]byte, size))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []int{1, 5, 40} {
			x, y := tensor.Of(buffer(random(m*k, 1)), m, k), tensor.Of(buffer(make([]float32, m*n)), m, n)
			emb, rows := tensor.Of(buffer(make([]float32, m*k)), m, k), make([]int32, m)
			step := func() {
				b.GatherWeight(emb, w, rows)
				b.Linear(y, x, w, false)
			}
			for range 4 {
				step()
			}
			// A garbage collection may empty the pools of tasks once.
			if a := testing.AllocsPerRun(50, step); a > 0.5 {
				t.Errorf("%v with %d rows: %v allocations a step", typ, m, a)
			}
		}
		_ = b.Close()
	}
}
