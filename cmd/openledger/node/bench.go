package node

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"runtime"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker"
	"github.com/openledger/openledger/worker/engine/speed"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

// BenchFile is where a worker's home keeps what 'worker bench' measured.
const BenchFile = "bench.json"

// Bench measures this machine with the base model. In a worker's home it does so with
// the worker's settings, keeps the report for its announcements, and notes in worker.json
// how much memory they take: the worker starts with no more. What c leaves out
// of threads, slots and cache comes from there, or is the worker's default.
func Bench(ctx context.Context, home Home, c speed.Config) (_ *speed.Report, err error) {
	var s WorkerSettings
	err = ReadJSON(home.Path(WorkerFile), &s)
	isWorker := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if c.Threads == 0 {
		c.Threads = threadsOf(s.Threads)
	}
	m, err := openModel(s.BaseModel, cpu.Config{Threads: c.Threads, Pin: s.PinThreads})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	w := worker.Config{MaxBatch: s.MaxBatch, KVTokens: s.KVTokens, AdapterBytes: s.AdapterBytes}
	w.EnsureDefaults()
	c.Model, c.Base, c.Machine = m.Model, protocol.Hash(m.Bundle.Hash).Hex(), speed.Machine()
	c.Slots, c.KVTokens, c.PageTokens, c.AdapterBytes = w.MaxBatch, w.KVTokens, s.PageTokens, w.AdapterBytes
	report, err := speed.Measure(ctx, c)
	if err != nil {
		return nil, err
	}
	if isWorker && c.Threads == threadsOf(s.Threads) {
		s.MemoryBytes = report.MemoryBytes
		err = errors.Join(WriteJSON(home.Path(BenchFile), report), WriteJSON(home.Path(WorkerFile), s))
	}
	return report, err
}

func threadsOf(setting int) int {
	if setting == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return setting
}

// statedTPS is the speed for announcements, 0 when there is no report, or only one of
// another model or other settings.
func statedTPS(home Home, s *WorkerSettings, m *Model, log *slog.Logger) float64 {
	var r speed.Report
	if err := ReadJSON(home.Path(BenchFile), &r); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			log.Warn("the measured speed cannot be read: run 'openledger worker bench' again", "err", err)
		}
		return 0
	}
	w := worker.Config{MaxBatch: s.MaxBatch}
	w.EnsureDefaults()
	if r.Base != protocol.Hash(m.Bundle.Hash).Hex() || r.Backend != m.Model.Backend().Name() || r.Threads != threadsOf(s.Threads) || r.CostModel.Slots != w.MaxBatch {
		log.Warn("the measured speed is of another base, backend or setting: run 'openledger worker bench' again")
		return 0
	}
	return r.DecodeTPS()
}
