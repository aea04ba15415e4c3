package cpu_test

import (
	"runtime"
	"testing"

	"github.com/openledger/openledger/worker/engine/tensor/cpu"
	"github.com/openledger/openledger/worker/engine/tensor/tensortest"
)

func backend(t *testing.T, cfg cpu.Config) *cpu.Backend {
	t.Helper()
	b, err := cpu.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestConformance(t *testing.T) {
	same := backend(t, cpu.Config{Threads: 1, PureGo: true})
	for name, cfg := range map[string]cpu.Config{
		"one thread":    {Threads: 1},
		"three threads": {Threads: 3, SpreadAll: true},
		"pure Go":       {Threads: 2, SpreadAll: true, PureGo: true},
		"pinned":        {Pin: true, SpreadAll: true}, // as many as this machine has
	} {
		t.Run(name, func(t *testing.T) {
			if cfg.Pin && runtime.GOOS != "linux" {
				t.Skip("threads are pinned on Linux only")
			}
			tensortest.Run(t, tensortest.Options{Backend: backend(t, cfg), Same: same})
		})
	}
}

func TestNew_RejectsThreads(t *testing.T) {
	if _, err := cpu.New(cpu.Config{Threads: -1}); err == nil {
		t.Error("a negative number of threads was accepted")
	}
}
