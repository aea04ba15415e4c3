package node

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/engine/base"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
	"github.com/openledger/openledger/worker/engine/weights"
)

// Model is a loaded base model.
type Model struct {
	Bundle  *weights.Bundle
	Model   *llama.Model
	backend *cpu.Backend
}

// OpenBase opens a base model: a Hugging Face folder or a GGUF file, or the embedded
// one if the path is empty. Its Hash, by which the network knows it, depends on its
// content only.
func OpenBase(path string) (*weights.Bundle, error) {
	if path == "" {
		return base.Open()
	}
	return weights.OpenPath(path)
}

// contextOf is how many tokens a base takes at most, prompt and answer together; a worker
// may take fewer.
func contextOf(path string) (int, error) {
	b, err := OpenBase(path)
	if err != nil {
		return 0, err
	}
	return b.Config.MaxPositions, b.Close()
}

// NameOfBase is what requests call a base model.
func NameOfBase(path string) string {
	if path == "" {
		return BaseName
	}
	return strings.ToLower(strings.TrimSuffix(filepath.Base(filepath.Clean(path)), ".gguf"))
}

// OpenModel loads the embedded base. Threads 0 means all cores.
func OpenModel(threads int) (*Model, error) { return OpenModelAt("", threads) }

// OpenModelAt loads the base of a path, as OpenBase has it.
func OpenModelAt(path string, threads int) (*Model, error) {
	return openModel(path, cpu.Config{Threads: threads})
}

// CheckThreads says whether a worker's settings of threads are possible on this machine.
func CheckThreads(s *WorkerSettings) error {
	b, err := cpu.New(s.cpu())
	if err != nil {
		return protocol.Errorf(protocol.KindInvalid, "threads", "%w", err)
	}
	return b.Close()
}

// cpu is the backend's configuration.
func (s *WorkerSettings) cpu() cpu.Config { return cpu.Config{Threads: s.Threads, Pin: s.PinThreads} }

func openModel(path string, c cpu.Config) (_ *Model, err error) {
	m := &Model{}
	if m.Bundle, err = OpenBase(path); err != nil {
		return nil, err
	}
	if m.backend, err = cpu.New(c); err != nil {
		return nil, errors.Join(err, m.Bundle.Close())
	}
	if m.Model, err = llama.New(m.backend, m.Bundle.Config, m.Bundle, llama.Options{}); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// Close lets go of the model.
func (m *Model) Close() error {
	return errors.Join(m.backend.Close(), m.Bundle.Close())
}
