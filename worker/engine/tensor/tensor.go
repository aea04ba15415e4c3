// Package tensor is the narrow contract between the models and the hardware.
//
// A Backend owns buffers of float32 and a fixed set of operations on matrices that are views of those buffers. The
// models (worker/engine/model/...) are written against this contract only; tensor/cpu implements it in host memory and
// is the reference, a device backend implements the same set. Both must pass the suite in tensor/tensortest.
//
// Invariants, which make up a numeric profile (Backend.Profile):
//   - an element of a matrix product is one chain of fused multiply-adds over k in ascending order, begun at +0 or at the
//     stored value when accumulating; so it does not depend on the other rows, on blocking or on the number of threads;
//   - a weight kept in float16 or bfloat16 is widened, which is exact: its products have the bits of float32 ones;
//   - for a weight in blocks (Q8_0, Q4_0) each 32 activations of a row are rounded to signed bytes a with a float32 scale
//     da = max|x|/127, a = round(x * (127/max|x|)), ties to even; the dot product s of two blocks is an exact integer, and
//     the element is one chain of fused multiply-adds float32(s) * (da*dw) over the blocks in ascending order. A row's
//     values depend on that row alone, so the promise above holds;
//   - every other reduction has a fixed order that depends on the reduced length alone;
//   - an operation reads nothing but its arguments, so the same inputs give the same bits every time.
//
// Two backends with one profile agree bit for bit; across profiles results agree within a tolerance only.
//
// What it does not do: no automatic differentiation, no broadcasting, no types but float32 outside packed
// weights. A shape that does not fit is a bug of the caller and panics; sizes that come from outside are
// checked by the models before they get here.
package tensor

import (
	"fmt"

	"github.com/openledger/openledger/worker/engine/quant"
)

// Buffer is a block of float32 owned by a backend.
type Buffer interface {
	// Len is the number of values.
	Len() int
	// Host is the values in place, without a copy, if they lie in host memory; otherwise nil.
	Host() []float32
}

// Mat is a row-major view of a buffer: element (i, j) is at Off + i*Stride + j.
type Mat struct {
	Buf    Buffer
	Off    int
	Rows   int
	Cols   int
	Stride int
}

// Of views the start of a buffer as a dense rows x cols matrix.
func Of(b Buffer, rows, cols int) Mat {
	if rows < 0 || cols < 0 || rows*cols > b.Len() {
		panic(fmt.Sprintf("tensor: a %d x %d matrix does not fit in %d values", rows, cols, b.Len()))
	}
	return Mat{Buf: b, Rows: rows, Cols: cols, Stride: cols}
}

// RowRange is the view of rows [from, from+n).
func (m Mat) RowRange(from, n int) Mat {
	if from < 0 || n < 0 || from+n > m.Rows {
		panic(fmt.Sprintf("tensor: rows [%d, %d) of %d", from, from+n, m.Rows))
	}
	m.Off += from * m.Stride
	m.Rows = n
	return m
}

// ColRange is the view of columns [from, from+n).
func (m Mat) ColRange(from, n int) Mat {
	if from < 0 || n < 0 || from+n > m.Cols {
		panic(fmt.Sprintf("tensor: columns [%d, %d) of %d", from, from+n, m.Cols))
	}
	m.Off += from
	m.Cols = n
	return m
}

// Reshape views a dense matrix with other dimensions of the same product.
func (m Mat) Reshape(rows, cols int) Mat {
	if m.Stride != m.Cols || rows*cols != m.Rows*m.Cols {
		panic(fmt.Sprintf("tensor: cannot view %d x %d (stride %d) as %d x %d", m.Rows, m.Cols, m.Stride, rows, cols))
	}
	m.Rows, m.Cols, m.Stride = rows, cols, cols
	return m
}

// Empty says that the view has no elements.
func (m Mat) Empty() bool { return m.Rows == 0 || m.Cols == 0 }

// Host is the view's values from its first element on, or nil if the buffer is not in host memory.
func (m Mat) Host() []float32 {
	h := m.Buf.Host()
	if h == nil || m.Empty() {
		return nil
	}
	return h[m.Off : m.Off+(m.Rows-1)*m.Stride+m.Cols]
}

// Weight is a matrix [out, in] that a backend has packed for multiplication.
type Weight interface {
	Out() int
	In() int
	// Bytes is the memory that the packed form takes.
	Bytes() int64
	// Type is the format that the values are kept in.
	Type() quant.Type
}
