package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/openledger/openledger/cmd/openledger/node"
)

// workerProcess is 'openledger worker run' in a process of its own, which the demo
// kills and starts again.
type workerProcess struct {
	home node.Home

	mu      sync.Mutex
	cmd     *exec.Cmd
	exited  chan error
	wanted  bool // it should be running
	lastLog *bytes.Buffer
}

// start runs the worker.
func (w *workerProcess) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lastLog = &bytes.Buffer{}
	w.cmd = exec.Command(self, "worker", "run", "--home", w.home.Dir)
	w.cmd.Stderr = &tail{b: w.lastLog}
	w.cmd.SysProcAttr = withParent()
	if err := w.cmd.Start(); err != nil {
		return err
	}
	w.exited = make(chan error, 1)
	w.wanted = true
	go func(cmd *exec.Cmd, exited chan<- error) { exited <- cmd.Wait() }(w.cmd, w.exited)
	return nil
}

// died says why a worker that should run does not.
func (w *workerProcess) died() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.wanted {
		return nil
	}
	select {
	case err := <-w.exited:
		w.exited <- err
		if err == nil {
			err = errors.New("it ended")
		}
		return errors.Join(err, errors.New(w.lastLog.String()))
	default:
		return nil
	}
}

// kill ends the worker with SIGKILL: it can save nothing.
func (w *workerProcess) kill() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted = false
	if err := w.cmd.Process.Kill(); err != nil {
		return err
	}
	err := <-w.exited
	w.exited <- err
	return nil
}

// stop ends the worker in order, or by force after a while.
func (w *workerProcess) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted = false
	if w.cmd == nil || w.cmd.Process == nil {
		return
	}
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return // it has ended
	}
	select {
	case <-w.exited:
	case <-time.After(5 * time.Second):
		_ = w.cmd.Process.Kill() // it ends either way
		<-w.exited
	}
}

// tail keeps the last bytes that were written.
type tail struct {
	mu sync.Mutex
	b  *bytes.Buffer
}

const tailBytes = 4 << 10

// Write keeps the end of what it gets.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Write(p)
	if extra := t.b.Len() - tailBytes; extra > 0 {
		t.b.Next(extra)
	}
	return len(p), nil
}
