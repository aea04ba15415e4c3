package cpu

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
)

// pins ties the threads of a pool to processors: the helpers for as long as they live, and one caller at a time between
// Bind and its release.
type pins struct {
	mask  cpuMask // what this process may use
	cpus  []int   // one for each thread; the first is the caller's
	taken atomic.Bool
}

// newPins chooses processors for the threads, 0 meaning as many as there are. It respects the process' own mask, which a
// cpuset narrows too, and GOMAXPROCS, which the runtime sets from a cgroup's CPU quota: more threads than that would
// only take turns.
func newPins(threads int) (*pins, error) {
	mask, err := processMask()
	if err != nil {
		return nil, err
	}
	allowed := mask.list()
	room := min(len(allowed), runtime.GOMAXPROCS(0))
	if threads == 0 {
		threads = room
	}
	if threads > room {
		return nil, fmt.Errorf("cpu: cannot pin %d threads: this process may use %d processors (%v) and GOMAXPROCS is %d: ask for at most %d threads, or do not pin",
			threads, len(allowed), allowed, runtime.GOMAXPROCS(0), room)
	}
	return &pins{mask: mask, cpus: spread(allowed, coreOf)[:threads]}, nil
}

// spread orders processors so that the first ones have a core each, and threads of one core come as late as possible.
func spread(cpus []int, core func(cpu int) int) []int {
	type place struct{ turn, cpu int }
	turns := map[int]int{}
	var places []place
	for _, c := range cpus {
		k := core(c)
		places = append(places, place{turns[k], c})
		turns[k]++
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(a.turn, b.turn) })
	out := make([]int, len(places))
	for i, p := range places {
		out[i] = p.cpu
	}
	return out
}

// Bind ties the calling goroutine to the processor that a pinned pool keeps for its caller, until release is called by
// the same goroutine. Without Config.Pin, or while another goroutine is bound, it does nothing.
func (b *Backend) Bind() (release func(), err error) {
	p := b.pool.pins
	if p == nil || !p.taken.CompareAndSwap(false, true) {
		return func() {}, nil
	}
	runtime.LockOSThread()
	if err := bindThread(p.cpus[0]); err != nil {
		runtime.UnlockOSThread()
		p.taken.Store(false)
		return nil, err
	}
	return func() {
		// A thread that cannot be set free stays locked, and ends with its goroutine.
		if err := p.mask.restore(); err == nil {
			runtime.UnlockOSThread()
		}
		p.taken.Store(false)
	}, nil
}
