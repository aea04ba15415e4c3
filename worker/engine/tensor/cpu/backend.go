package cpu

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/openledger/openledger/worker/engine/tensor"
)

// Backend implements tensor.Backend.
type Backend struct {
	lv   level
	pool *pool

	// Tasks are reused, so that an operation allocates nothing.
	linears, matmuls, loras, rows, attns, trains, packs, quants sync.Pool
}

var (
	_ tensor.Backend = (*Backend)(nil)
	_ tensor.Binder  = (*Backend)(nil)
)

// New starts a backend's threads. Close stops them.
func New(cfg Config) (*Backend, error) {
	if cfg.Threads < 0 || cfg.Threads > 1024 {
		return nil, fmt.Errorf("cpu: threads is %d: it must be between 0 (all cores) and 1024", cfg.Threads)
	}
	var where *pins
	if cfg.Pin {
		var err error
		if where, err = newPins(cfg.Threads); err != nil {
			return nil, err
		}
		cfg.Threads = len(where.cpus)
	}
	if cfg.Threads == 0 {
		cfg.Threads = runtime.GOMAXPROCS(0)
	}
	p, err := newPool(cfg.Threads, cfg.SpreadAll, where)
	if err != nil {
		return nil, err
	}
	b := &Backend{lv: levelGo, pool: p}
	if !cfg.PureGo {
		b.lv = detect()
	}
	b.linears.New = func() any { return new(linearTask) }
	b.matmuls.New = func() any { return new(matmulTask) }
	b.loras.New = func() any { return new(loraTask) }
	b.rows.New = func() any { return new(rowTask) }
	b.attns.New = func() any { return new(attnTask) }
	b.trains.New = func() any { return new(trainAttnTask) }
	b.quants.New = func() any { return new(quantTask) }
	b.packs.New = func() any { return new(packTask) }
	return b, nil
}

// Name is "cpu-" and the instruction set.
func (b *Backend) Name() string { return "cpu-" + b.lv.String() }

// Threads is the number of goroutines that work on one operation.
func (b *Backend) Threads() int { return b.pool.threads }

// Profile is "cpu-f32-v1" on every architecture.
func (b *Backend) Profile() string { return Profile }

type buffer []float32

func (b buffer) Len() int        { return len(b) }
func (b buffer) Host() []float32 { return b }

// View wraps host memory as a buffer of this backend, without a copy.
func View(x []float32) tensor.Buffer { return buffer(x) }

// Alloc returns zeroed memory.
func (b *Backend) Alloc(n int) (tensor.Buffer, error) {
	if n < 0 {
		return nil, fmt.Errorf("cpu: cannot allocate %d values", n)
	}
	return buffer(make([]float32, n)), nil
}

// Free leaves the memory to the garbage collector.
func (b *Backend) Free(tensor.Buffer) {}

// Upload copies src to index off of dst.
func (b *Backend) Upload(dst tensor.Buffer, off int, src []float32) {
	if copy(dst.Host()[off:], src) != len(src) {
		panic("cpu: upload past the end of the buffer")
	}
}

// Download copies from index off of src.
func (b *Backend) Download(dst []float32, src tensor.Buffer, off int) {
	if copy(dst, src.Host()[off:]) != len(dst) {
		panic("cpu: download past the end of the buffer")
	}
}

// Zero clears the view.
func (b *Backend) Zero(m tensor.Mat) {
	h := m.Host()
	for i := range m.Rows {
		clear(row(h, m, i))
	}
}

// Sync has nothing to wait for.
func (b *Backend) Sync() error { return nil }

// Close stops the threads.
func (b *Backend) Close() error {
	b.pool.close()
	return nil
}

// row is row i of the view whose host values are h.
func row(h []float32, m tensor.Mat, i int) []float32 {
	return h[i*m.Stride:][:m.Cols:m.Cols]
}

func check(ok bool, op string, ms ...tensor.Mat) {
	if ok {
		return
	}
	s := "cpu: shapes do not fit in " + op
	for _, m := range ms {
		s += fmt.Sprintf(" [%d %d]", m.Rows, m.Cols)
	}
	panic(s)
}

// worth says whether an operation of that many multiply-adds is worth waking other threads.
func worth(n int) bool { return n >= 400_000 }
