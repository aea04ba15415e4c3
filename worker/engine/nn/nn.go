// Package nn has the layers that models are built of: linear maps, norms, rotary tables, and a seeded generator for
// initial values.
//
// Invariants: a layer holds its values and, in a trainable model, their gradients; the caller owns all activations.
// Gradients are added up, never overwritten.
//
// What it does not do: no graph, no optimiser, nothing about a particular model.
package nn

import (
	"fmt"

	"github.com/openledger/openledger/worker/engine/tensor"
)

// Upload copies host values into a new dense matrix of the backend.
func Upload(b tensor.Backend, rows, cols int, data []float32) (tensor.Mat, error) {
	if len(data) != rows*cols {
		return tensor.Mat{}, fmt.Errorf("%d values for a matrix of %d x %d", len(data), rows, cols)
	}
	m, err := Zeros(b, rows, cols)
	if err != nil {
		return m, err
	}
	b.Upload(m.Buf, 0, data)
	return m, nil
}

// Zeros is a new dense matrix.
func Zeros(b tensor.Backend, rows, cols int) (tensor.Mat, error) {
	buf, err := b.Alloc(rows * cols)
	if err != nil {
		return tensor.Mat{}, err
	}
	return tensor.Of(buf, rows, cols), nil
}

// Linear is y = x·Wᵀ + bias.
type Linear struct {
	W    tensor.Weight
	Bias tensor.Mat // 1 x out, or without a buffer
	// Rows is W row-major, for the optimiser. It, Grad and BiasGrad exist in a trainable model.
	Rows           tensor.Mat
	Grad, BiasGrad tensor.Mat
}

// Forward computes y from x.
func (l *Linear) Forward(b tensor.Backend, y, x tensor.Mat) {
	b.Linear(y, x, l.W, false)
	if l.Bias.Buf != nil {
		b.AddRow(y, l.Bias)
	}
}

// Backward adds up the layer's gradients (if full), and sets (or adds to) the gradient by x unless dx has no buffer.
func (l *Linear) Backward(b tensor.Backend, dx, dy, x tensor.Mat, full, accumulate bool) {
	if full {
		b.MatMul(l.Grad, dy, x, true, true)
		if l.Bias.Buf != nil {
			b.SumRows(l.BiasGrad, dy)
		}
	}
	if dx.Buf != nil {
		b.LinearGrad(dx, dy, l.W, accumulate)
	}
}

// Norm is a root-mean-square norm.
type Norm struct {
	W, Grad tensor.Mat // 1 x width
	Eps     float32
}

// Forward computes y from x and keeps 1/rms of every row in inv.
func (n *Norm) Forward(b tensor.Backend, y, x, inv tensor.Mat) {
	b.RMSNorm(y, x, n.W, inv, n.Eps)
}

// Backward adds the gradient by x to dx, and that of the weight to Grad if full.
func (n *Norm) Backward(b tensor.Backend, dx, dy, x, inv tensor.Mat, full bool) {
	dw := tensor.Mat{}
	if full {
		dw = n.Grad
	}
	b.RMSNormGrad(dx, dw, dy, x, n.W, inv)
}
