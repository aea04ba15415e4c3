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
	linears, matmuls, loras, rows, attns, trains, packs sync.Pool
}

var _ tensor.Backend = (*Backend)(nil)

// New starts a backend's threads. Close stops them.
func New(cfg Config) (*Backend, error) {
	if cfg.Threads < 0 || cfg.Threads > 1024 {
		return nil, fmt.Errorf("cpu: threads is %d: it must be between 0 (all cores) and 1024", cfg.Threads)
	}
	if cfg.Threads == 0 {
		cfg.Threads = runtime.GOMAXPROCS(0)
	}
	b := &Backend{lv: levelGo, pool: newPool(cfg.Threads, cfg.SpreadAll)}
	if !cfg.PureGo {
		b.lv = detect()
	}
	b.linears.New = func() any { return new(linearTask) }
	b.matmuls.New = func() any { return new(matmulTask) }
	b.loras.New = func() any { return new(loraTask) }
	b.rows.New = func() any { return new(rowTask) }
	b.attns.New = func() any { return new(attnTask) }
	b.trains.New = func() any { return new(trainAttnTask) }
	b.packs.New = func() any { return new(packTask) }
	return b, nil
}

// Name is "cpu-" and the instruction set.
func (b *Backend) Name() string { return "cpu-" + b.lv.String() }

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

// weight has its values in panels, or, if they are all bfloat16, in halves.
type weight struct {
	out, in int
	panels  []float32
	halves  []uint32
}

func (w *weight) Out() int     { return w.out }
func (w *weight) In() int      { return w.in }
func (w *weight) Bytes() int64 { return int64(len(w.panels)+len(w.halves)) * 4 }

// Pack lays a weight out as panels of 16 outputs, k-major. Values that are all bfloat16 take two bytes each.
func (b *Backend) Pack(out, in int, data []float32) (tensor.Weight, error) {
	if out < 1 || in < 1 || len(data) != out*in {
		return nil, fmt.Errorf("cpu: a weight of %d x %d cannot have %d values", out, in, len(data))
	}
	w := &weight{out: out, in: in}
	if isHalf(out, in, in, data) {
		w.halves = make([]uint32, packedLen(out, in)/2)
	}
	b.Repack(w, tensor.Of(buffer(data), out, in))
	return w, nil
}

type packTask struct {
	dst, src []float32
	halves   []uint32
	n, k, ld int
}

// packTilePanels is how many panels a tile of a repack covers.
const packTilePanels = 4

func (t *packTask) tile(_ *scratch, i int) {
	from := i * packTilePanels * panelCols
	n := min(packTilePanels*panelCols, t.n-from)
	if t.halves != nil {
		packHalf(t.halves[from*t.k/2:], t.src[from*t.ld:], n, t.k, t.ld)
		return
	}
	packT(t.dst[from*t.k:], t.src[from*t.ld:], n, t.k, t.ld)
}

// Repack replaces the values. A weight in halves whose new values need float32 becomes one of panels for good.
func (b *Backend) Repack(tw tensor.Weight, m tensor.Mat) {
	w := tw.(*weight)
	check(w.out == m.Rows && w.in == m.Cols, "Repack", m)
	if w.halves != nil && !isHalf(w.out, w.in, m.Stride, m.Host()) {
		w.halves = nil
	}
	if w.halves == nil && w.panels == nil {
		w.panels = make([]float32, packedLen(w.out, w.in))
	}
	t := b.packs.Get().(*packTask)
	*t = packTask{dst: w.panels, halves: w.halves, src: m.Host(), n: w.out, k: w.in, ld: m.Stride}
	b.pool.run(t, (w.out+packTilePanels*panelCols-1)/(packTilePanels*panelCols), worth(w.out*w.in))
	*t = packTask{}
	b.packs.Put(t)
}

// Unpack writes the values row-major.
func (b *Backend) Unpack(m tensor.Mat, tw tensor.Weight) {
	w := tw.(*weight)
	check(w.out == m.Rows && w.in == m.Cols, "Unpack", m)
	if w.halves != nil {
		unpackHalf(m.Host(), w.halves, w.out, w.in, m.Stride)
		return
	}
	unpackT(m.Host(), w.panels, w.out, w.in, m.Stride)
}
