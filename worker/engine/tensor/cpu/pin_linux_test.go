package cpu

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// meeting is a task whose tiles wait for one another, so that each thread of the pool runs one.
type meeting struct {
	all   sync.WaitGroup
	mu    sync.Mutex
	masks [][]int
	err   error
}

func (m *meeting) tile(*scratch, int) {
	mask, err := threadMask()
	m.mu.Lock()
	m.masks = append(m.masks, mask.list())
	if err != nil {
		m.err = err
	}
	m.mu.Unlock()
	m.all.Done()
	m.all.Wait()
}

// meet is the mask of every thread of the backend's pool, sorted.
func meet(t *testing.T, b *Backend) [][]int {
	t.Helper()
	var m meeting
	m.all.Add(b.Threads())
	b.pool.run(&m, b.Threads(), true)
	if m.err != nil {
		t.Fatal(m.err)
	}
	slices.SortFunc(m.masks, slices.Compare)
	return m.masks
}

// room is how many threads this machine lets a test pin.
func room(t *testing.T) int {
	t.Helper()
	p, err := newPins(0)
	if err != nil {
		t.Fatal(err)
	}
	return len(p.cpus)
}

// Each thread of a pinned backend, its caller among them, runs on a processor of its own, one of those that the process
// may use; others and the caller afterwards are where they were.
func TestPin_TiesEveryThread(t *testing.T) {
	b, err := New(Config{Threads: min(room(t), 3), Pin: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	runtime.LockOSThread() // to look at one thread before and after
	defer runtime.UnlockOSThread()
	before, err := threadMask()
	if err != nil {
		t.Fatal(err)
	}
	release, err := b.Bind()
	if err != nil {
		t.Fatal(err)
	}
	var want [][]int
	for _, c := range b.pool.pins.cpus {
		if !slices.Contains(before.list(), c) {
			t.Errorf("pinned to processor %d, allowed are %v", c, before.list())
		}
		want = append(want, []int{c})
	}
	slices.SortFunc(want, slices.Compare)
	if got := meet(t, b); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("masks %v, want %v", got, want)
	}
	again := make(chan error)
	go func() { // another caller, while one is bound
		release, err := b.Bind()
		if err == nil {
			var m cpuMask
			if m, err = threadMask(); err == nil && !slices.Equal(m.list(), before.list()) {
				err = fmt.Errorf("a second caller was bound to %v", m.list())
			}
			release()
		}
		again <- err
	}()
	if err := <-again; err != nil {
		t.Error(err)
	}
	release()
	if after, err := threadMask(); err != nil || after != before {
		t.Errorf("the caller's mask is %v after release, was %v: %v", after.list(), before.list(), err)
	}
	if release, err = b.Bind(); err != nil { // and once more
		t.Fatal(err)
	}
	release()
}

func TestBind_DoesNothingUnpinned(t *testing.T) {
	b, err := New(Config{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := threadMask()
	if err != nil {
		t.Fatal(err)
	}
	release, err := b.Bind()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for _, m := range meet(t, b) {
		if !slices.Equal(m, before.list()) {
			t.Errorf("a thread has mask %v, the process %v", m, before.list())
		}
	}
}

// A process that is confined to one processor pins one thread there, and refuses two.
func TestPin_RespectsTheMaskOfTheProcess(t *testing.T) {
	const child = "OPENLEDGER_TEST_PIN"
	if os.Getenv(child) != "" {
		b, err := New(Config{Pin: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = b.Close() }()
		_, err = New(Config{Pin: true, Threads: 2})
		fmt.Printf("pinned %v; %v\n", b.pool.pins.cpus, err)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	mask, err := threadMask()
	if err != nil {
		t.Fatal(err)
	}
	last := mask.list()[len(mask.list())-1]
	cmd := exec.Command(exe, "-test.run=^TestPin_RespectsTheMaskOfTheProcess$")
	cmd.Env = append(os.Environ(), child+"=1", "GOMAXPROCS=4")
	out, err := confined(cmd, last)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{fmt.Sprintf("pinned [%d];", last), "cannot pin 2 threads", fmt.Sprintf("1 processors ([%d])", last), "at most 1 threads"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the confined process says %q, want %q in it", out, want)
		}
	}
}

// confined runs a command that may use one processor only: a child inherits the mask of the thread that starts it.
func confined(cmd *exec.Cmd, cpu int) (out []byte, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends with this goroutine
		if err = bindThread(cpu); err == nil {
			out, err = cmd.CombinedOutput()
		}
	}()
	<-done
	return out, err
}

// More threads than GOMAXPROCS, which a cgroup's quota sets, would take turns on their processors.
func TestPin_RefusesMoreThreadsThanRunAtOnce(t *testing.T) {
	_, err := New(Config{Pin: true, Threads: 1024})
	if err == nil || !strings.Contains(err.Error(), "cannot pin 1024 threads") {
		t.Errorf("1024 threads: %v", err)
	}
}
