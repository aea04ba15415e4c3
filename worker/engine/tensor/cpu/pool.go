package cpu

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// task is an operation cut into tiles that may run in any order and at the same time. A tile's result must not depend
// on which thread runs it.
type task interface {
	tile(s *scratch, i int)
}

// pool runs tasks over persistent goroutines. One task at a time is spread; a second caller, while the pool is busy, runs
// its own task alone, so there is never a wait for another's work. Nor is there a wait for a helper that has not begun
// when the work is done: under load a sleeping thread may take long to wake.
//
// A decode step is some hundred short tasks one after the other. A helper that has finished therefore looks out for the
// next task for a short while before it sleeps, and so does a caller for its helpers.
type pool struct {
	mu   sync.Mutex
	task task
	n    int64
	next atomic.Int64
	// gate counts the helpers inside the task; shut lets no more of them in.
	gate    atomic.Int64
	gen     atomic.Int64 // number of tasks so far
	left    chan struct{}
	helpers []helper
	closed  chan struct{}
	once    sync.Once
	arenas  sync.Pool
	threads int
	spins   int
	always  bool
	pins    *pins // nil: threads run wherever the system puts them
}

const shut = 1 << 32

// spinPauses is how many times a thread looks before it sleeps: for some tens of microseconds in all.
const spinPauses = 800

type helper struct {
	asleep atomic.Bool
	wake   chan struct{}
}

// newPool starts the helpers. With pins it returns when all of them are at their processors.
func newPool(threads int, always bool, where *pins) (*pool, error) {
	p := &pool{threads: threads, always: always, pins: where, closed: make(chan struct{}), left: make(chan struct{}, 1), helpers: make([]helper, threads-1)}
	p.arenas.New = func() any { return new(scratch) }
	p.gate.Store(shut)
	if threads <= runtime.GOMAXPROCS(0) {
		p.spins = spinPauses
	}
	pinned := make(chan error, len(p.helpers))
	for i := range p.helpers {
		p.helpers[i].wake = make(chan struct{}, 1)
		go func() {
			if where != nil {
				runtime.LockOSThread() // for good: the thread, and its mask, end with the goroutine
				pinned <- bindThread(where.cpus[i+1])
			}
			p.work(&p.helpers[i])
		}()
	}
	if where == nil {
		return p, nil
	}
	var errs []error
	for range p.helpers {
		errs = append(errs, <-pinned)
	}
	if err := errors.Join(errs...); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *pool) work(h *helper) {
	var s scratch
	for seen := int64(0); p.await(h, seen); {
		seen = p.gen.Load()
		if p.enter() {
			p.drain(&s)
			p.leave()
		}
	}
}

// await returns when there has been a task after seen, or false when the pool closes.
func (p *pool) await(h *helper, seen int64) bool {
	for range p.spins {
		if p.gen.Load() != seen {
			return true
		}
		pause()
	}
	h.asleep.Store(true)
	if p.gen.Load() != seen && h.asleep.CompareAndSwap(true, false) {
		return true // a task came in between, and nobody has begun to wake this helper
	}
	select {
	case <-h.wake:
		return true
	case <-p.closed:
		return false
	}
}

func (p *pool) enter() bool {
	for {
		g := p.gate.Load()
		if g >= shut {
			return false
		}
		if p.gate.CompareAndSwap(g, g+1) {
			return true
		}
	}
}

func (p *pool) leave() {
	if p.gate.Add(-1) == shut {
		select {
		case p.left <- struct{}{}:
		default:
		}
	}
}

func (p *pool) drain(s *scratch) {
	for {
		i := p.next.Add(1) - 1
		if i >= p.n {
			return
		}
		p.task.tile(s, int(i))
	}
}

// run carries out tiles 0..n-1; if it is not worth waking the others, on this goroutine alone.
func (p *pool) run(t task, n int, worthwhile bool) {
	s := p.arenas.Get().(*scratch)
	defer p.arenas.Put(s)
	alone := !worthwhile && !p.always
	if n < 2 || alone || len(p.helpers) == 0 || !p.mu.TryLock() {
		for i := range n {
			t.tile(s, i)
		}
		return
	}
	p.task, p.n = t, int64(n)
	p.next.Store(0)
	p.gate.Store(0)
	p.gen.Add(1)
	for i := range min(len(p.helpers), n-1) {
		if h := &p.helpers[i]; h.asleep.CompareAndSwap(true, false) {
			h.wake <- struct{}{}
		}
	}
	p.drain(s)
	// All tiles are taken. Nobody else may enter; those inside are waited for.
	p.gate.Add(shut)
	p.waitLeft()
	p.task = nil
	p.mu.Unlock()
}

// waitLeft waits until nobody is inside.
func (p *pool) waitLeft() {
	for range p.spins {
		if p.gate.Load() == shut {
			return
		}
		pause()
	}
	for p.gate.Load() != shut {
		<-p.left // there may be a signal of an earlier task left
	}
}

func (p *pool) close() {
	p.once.Do(func() { close(p.closed) })
}

// scratch is a thread's private memory, which grows to the largest need and stays.
type scratch struct {
	slots [4][]float32
}

// get returns n values of slot i; they hold whatever was left there.
func (s *scratch) get(i, n int) []float32 {
	if cap(s.slots[i]) < n {
		s.slots[i] = make([]float32, n+n/4)
	}
	return s.slots[i][:n]
}
