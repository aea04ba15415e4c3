package node

import (
	"errors"

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

// OpenModel loads the embedded base. Threads 0 means all cores.
func OpenModel(threads int) (_ *Model, err error) {
	m := &Model{}
	if m.Bundle, err = base.Open(); err != nil {
		return nil, err
	}
	if m.backend, err = cpu.New(cpu.Config{Threads: threads}); err != nil {
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
