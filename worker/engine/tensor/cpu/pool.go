package cpu

import (
	"sync"
	"sync/atomic"
)

// task is an operation cut into tiles that may run in any order and at the same time. A tile's result must not depend
// on which thread runs it.
type task interface {
	tile(s *scratch, i int)
}

// pool runs tasks over persistent goroutines. One task at a time is spread; a second caller, while the pool is busy, runs
// its own task alone, so there is never a wait for another's work.
type pool struct {
	mu      sync.Mutex
	wake    []chan struct{}
	wg      sync.WaitGroup
	task    task
	n       int64
	next    atomic.Int64
	closed  chan struct{}
	once    sync.Once
	arenas  sync.Pool
	threads int
	always  bool
}

func newPool(threads int, always bool) *pool {
	p := &pool{threads: threads, always: always, closed: make(chan struct{})}
	p.arenas.New = func() any { return new(scratch) }
	for range threads - 1 {
		c := make(chan struct{}, 1)
		p.wake = append(p.wake, c)
		go p.work(c)
	}
	return p
}

func (p *pool) work(wake chan struct{}) {
	var s scratch
	for {
		select {
		case <-wake:
			p.drain(&s)
			p.wg.Done()
		case <-p.closed:
			return
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
	if n < 2 || alone || len(p.wake) == 0 || !p.mu.TryLock() {
		for i := range n {
			t.tile(s, i)
		}
		return
	}
	p.task, p.n = t, int64(n)
	p.next.Store(0)
	helpers := min(len(p.wake), n-1)
	p.wg.Add(helpers)
	for _, c := range p.wake[:helpers] {
		c <- struct{}{}
	}
	p.drain(s)
	p.wg.Wait()
	p.task = nil
	p.mu.Unlock()
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
