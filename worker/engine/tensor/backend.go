package tensor

import "github.com/openledger/openledger/worker/engine/quant"

// Backend owns memory and carries out the operations of a transformer on it.
//
// Calls from several goroutines are allowed as long as no two of them touch the same buffer with one of them writing.
// An operation may be asynchronous; Download and Sync wait. A device failure is reported by Sync.
type Backend interface {
	// Name identifies the implementation, e.g. "cpu-avx2".
	Name() string
	// Profile names the numeric profile: equal profiles give equal bits.
	Profile() string

	// Alloc returns n zeroed values.
	Alloc(n int) (Buffer, error)
	// Free gives the buffer back; it must not be used any more.
	Free(b Buffer)
	// Upload copies src into b from index off on.
	Upload(b Buffer, off int, src []float32)
	// Download copies values of b from index off on into dst.
	Download(dst []float32, b Buffer, off int)
	// Zero clears the view.
	Zero(m Mat)
	// Sync waits for all that was asked and reports the first failure.
	Sync() error
	// Close releases everything.
	Close() error

	// Pack makes a weight from a row-major [out, in] matrix in host memory.
	Pack(out, in int, data []float32) (Weight, error)
	// PackEncoded makes a weight from a row-major [out, in] matrix in format t, without an intermediate copy in float32.
	// The backend says in Weight.Type what it keeps: F16, BF16, Q8_0 and Q4_0 as they are.
	PackEncoded(out, in int, t quant.Type, raw []byte) (Weight, error)
	// Repack replaces a weight's values by those of the row-major view.
	Repack(w Weight, m Mat)
	// Unpack writes a weight's values into the row-major view.
	Unpack(m Mat, w Weight)

	// Linear is y = x·wᵀ, or y += x·wᵀ.
	Linear(y, x Mat, w Weight, accumulate bool)
	// LinearGrad is dx = dy·w, or dx += dy·w: the gradient of Linear by x.
	LinearGrad(dx, dy Mat, w Weight, accumulate bool)
	// MatMul is c = op(a)·b, or c += op(a)·b, where op transposes a if transA.
	MatMul(c, a, b Mat, transA, accumulate bool)
	// PackLora makes an adapter of its groups, which are numbered in this order.
	PackLora(groups []LoraGroup) (LoraPack, error)
	// FreeLora gives an adapter's memory back.
	FreeLora(p LoraPack)
	// Lora adds the low-rank products of one group of every segment's adapter to the segment's rows of ys, one for each of
	// the group's parts: y += (scale·(x·Aᵀ))·Bᵀ.
	Lora(ys []Mat, x Mat, group int, segs []LoraSegment)

	// Gather is y[i] = table[rows[i]].
	Gather(y, table Mat, rows []int32)
	// GatherWeight is y[i] = row rows[i] of the weight, decoded.
	GatherWeight(y Mat, w Weight, rows []int32)
	// ScatterAdd is table[rows[i]] += x[i], in the order of i.
	ScatterAdd(table, x Mat, rows []int32)
	// Add is y += x.
	Add(y, x Mat)
	// Scale is y *= s.
	Scale(y Mat, s float32)
	// AddRow is y[i] += row for every i.
	AddRow(y, row Mat)
	// SumRows is row += the sum of the rows of x, in ascending order.
	SumRows(row, x Mat)

	// RMSNorm is y = x / rms(x) * w by rows; inv (rows x 1) receives 1/rms.
	RMSNorm(y, x, w, inv Mat, eps float32)
	// RMSNormGrad adds the gradient by x to dx, and the gradient by w to dw unless dw is empty.
	RMSNormGrad(dx, dw, dy, x, w, inv Mat)
	// Rope rotates the heads of x in place; row i is at position pos[i]. inverse rotates back (the gradient).
	Rope(x Mat, t RopeTable, pos []int32, inverse bool)
	// SwiGLU is y = silu(gate) * up.
	SwiGLU(y, gate, up Mat)
	// SwiGLUGrad overwrites dgate and dup with the gradients.
	SwiGLUGrad(dgate, dup, dy, gate, up Mat)

	// KVAppend stores the keys and values of row i in slot slots[i] (page*kv.PageTokens + offset).
	KVAppend(kv KVLayer, k, v Mat, slots []int32)
	// Attention is causal attention of each sequence's new rows over its pages, as far back as the layer's window.
	Attention(out, q Mat, kv KVLayer, seqs []AttnSeq, scale float32)
	// CausalAttention is causal attention within each span of rows, window rows back (see KVLayer). lse (rows x heads*2)
	// receives each row's maximum and sum, which the gradient needs.
	CausalAttention(out, lse, q, k, v Mat, headDim int, spans []Span, scale float32, window int)
	// CausalAttentionGrad overwrites dq, dk and dv.
	CausalAttentionGrad(dq, dk, dv, dout, out, lse, q, k, v Mat, headDim int, spans []Span, scale float32, window int)

	// CrossEntropy sets losses[i] to -log softmax(logits[i])[targets[i]]; if grad, it replaces the logits by the
	// gradient of scale times the sum of the losses.
	CrossEntropy(losses []float64, logits Mat, targets []int32, grad bool, scale float32)
}

// Binder is a backend whose threads may be tied to processors: the goroutine that calls it most can be tied too.
type Binder interface {
	// Bind ties the calling goroutine until it calls release. It does nothing where the threads are not tied, or while
	// another goroutine is.
	Bind() (release func(), err error)
}

// RopeTable holds cos and sin of every position: row p has headDim/2 values.
type RopeTable struct {
	Cos, Sin Mat
	HeadDim  int
}

// KVLayer is one layer's part of the paged cache. Keys of a page and head are panels of PanelTokens positions, each
// [headDim][PanelTokens]; values are [PageTokens][headDim]. A page holds the heads one after the other. The size of a
// page changes no result.
type KVLayer struct {
	K, V       Buffer
	Pages      int
	PageTokens int // positions in a page, see CheckPageTokens
	Heads      int
	HeadDim    int
	Window     int // how many positions a query sees, its own the last of them; 0: all
}

// AttnSeq is a sequence's part in a batch: Rows new rows from Row on, the first of them at position Pos, whose pages
// (old and new positions) are Blocks.
type AttnSeq struct {
	Row, Rows, Pos int
	Blocks         []int32
}

// Span is a run of rows that form one training sequence.
type Span struct {
	Row, Rows int
}
