package llama

import (
	"fmt"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/nn"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// Rows copies a layer's map row-major into host memory: [out, in].
func (m *Model) Rows(l int, mod lora.Module) ([]float32, error) {
	lin, err := m.linear(l, mod)
	if err != nil {
		return nil, err
	}
	rows, err := nn.Zeros(m.backend, lin.W.Out(), lin.W.In())
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	defer m.backend.Free(rows.Buf)
	m.backend.Unpack(rows, lin.W)
	out := make([]float32, rows.Rows*rows.Cols)
	m.backend.Download(out, rows.Buf, 0)
	return out, m.backend.Sync()
}

// Rewrite replaces a layer's map by the row-major matrix, such as one with an adapter merged into it. Nothing may run on
// the model meanwhile, and what caches hold of it is void.
func (m *Model) Rewrite(l int, mod lora.Module, rows tensor.Mat) error {
	lin, err := m.linear(l, mod)
	if err != nil {
		return err
	}
	if rows.Rows != lin.W.Out() || rows.Cols != lin.W.In() {
		return fmt.Errorf("model: %v of layer %d is %d x %d, not %d x %d", mod, l, lin.W.Out(), lin.W.In(), rows.Rows, rows.Cols)
	}
	m.backend.Repack(lin.W, rows)
	return m.backend.Sync()
}

func (m *Model) linear(l int, mod lora.Module) (*nn.Linear, error) {
	if l < 0 || l >= len(m.layers) || mod < 0 || mod >= lora.NumModules {
		return nil, fmt.Errorf("model: there is no %v of layer %d", mod, l)
	}
	return &m.layers[l].lin[mod], nil
}
