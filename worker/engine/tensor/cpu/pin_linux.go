package cpu

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// cpuMask is the processors that a thread may run on.
type cpuMask struct{ set unix.CPUSet }

// processMask is what this process was allowed when it first pinned threads: later, the calling thread may be one that
// is pinned itself.
var processMask = sync.OnceValues(threadMask)

// threadMask is what the calling thread is allowed.
func threadMask() (m cpuMask, err error) {
	if err := unix.SchedGetaffinity(0, &m.set); err != nil {
		return m, fmt.Errorf("cpu: processors that this process may use: %w", err)
	}
	return m, nil
}

func (m cpuMask) list() (cpus []int) {
	for i, n := 0, m.set.Count(); len(cpus) < n; i++ {
		if m.set.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	return cpus
}

// restore gives the calling thread this mask.
func (m cpuMask) restore() error { return unix.SchedSetaffinity(0, &m.set) }

// bindThread ties the calling thread, which must be locked to its goroutine, to one processor.
func bindThread(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("cpu: cannot pin a thread to processor %d: %w", cpu, err)
	}
	return nil
}

// coreOf names the core of a processor: the lowest of the processors that share it, or itself if the system does not say.
func coreOf(cpu int) int {
	raw, err := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu))
	if err != nil {
		return cpu
	}
	first, _, _ := strings.Cut(strings.TrimSpace(strings.ReplaceAll(string(raw), "-", ",")), ",")
	if n, err := strconv.Atoi(first); err == nil && n >= 0 {
		return n
	}
	return cpu
}
