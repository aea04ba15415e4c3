package cpu

import (
	"sync/atomic"
	"time"
)

//go:generate go run -tags generate ./asm/ceiling -out ceiling_amd64.s -stubs ceilingkernels_amd64.go -pkg cpu

// MeasureRead is how fast so many threads together can read memory that is in no cache, in GB/s. It takes about a second
// and 512 MiB.
func MeasureRead(threads int) float64 {
	mem := huge[byte](512 << 20)
	for i := 0; i < len(mem); i += 4096 {
		mem[i] = 1
	}
	part := len(mem) / threads &^ 511
	return best(threads, float64(part*threads)/1e9, func(i int) { readAll(mem[i*part:][:part]) })
}

// MeasureFMA is how many float32 operations so many threads can do in registers, in GFLOP/s: two for each of the
// multiply-adds. It takes about a second.
func MeasureFMA(threads int) float64 {
	const n = 20_000_000
	return best(threads, 2*float64(n)*float64(fmaVector())*float64(threads)/1e9, func(int) { fmaLoop(n) })
}

// MeasureDot is how many operations on bytes so many threads can do in registers, as MeasureFMA counts them, in Gop/s; 0
// if the machine has no instructions for that.
func MeasureDot(threads int) float64 {
	const n = 20_000_000
	if !dotLoop(1) {
		return 0
	}
	return best(threads, 2*float64(n)*12*64*float64(threads)/1e9, func(int) { dotLoop(n) })
}

// best is the highest rate of some runs on all threads at once.
func best(threads int, amount float64, f func(i int)) (rate float64) {
	for range 5 {
		start, done := time.Now(), make(chan struct{})
		for i := range threads {
			go func() {
				f(i)
				done <- struct{}{}
			}()
		}
		for range threads {
			<-done
		}
		rate = max(rate, amount/time.Since(start).Seconds())
	}
	return rate
}

// The loops keep their result where the compiler cannot leave them out.
var sink atomic.Uint32

func readAllGo(mem []byte) {
	s := byte(0)
	for _, v := range mem {
		s |= v
	}
	sink.Store(uint32(s))
}

func fmaLoopGo(n int) {
	s := float32(1e-30)
	for range n {
		s = fma32(s, s, s)
	}
	sink.Store(uint32(s))
}
