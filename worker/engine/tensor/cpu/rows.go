package cpu

import (
	"math"

	"github.com/openledger/openledger/worker/engine/tensor"
)

type rowOp int

const (
	opGather rowOp = iota
	opGatherWeight
	opAdd
	opScale
	opAddRow
	opNorm
	opNormGrad
	opRope
	opSwiGLU
	opSwiGLUGrad
	opCrossEntropy
	opScatter // these three split columns, so that rows are added in order
	opSumRows
	opNormGradW
)

// rowTask is an operation on rows, cut into blocks of rows (or of columns, for sums over rows).
type rowTask struct {
	lv       level
	op       rowOp
	block, n int
	m        [6]tensor.Mat
	idx      []int32
	scale    float32
	flag     bool
	table    tensor.RopeTable
	losses   []float64
	w        *weight
}

// run cuts n rows or columns, each of the given cost in operations, into blocks.
func (b *Backend) run(t *rowTask, n, cost int) {
	if n > 0 {
		t.lv, t.n = b.lv, n
		t.block = min(max(1, 65536/max(1, cost)), (n+2*b.pool.threads-1)/(2*b.pool.threads))
		if t.op >= opScatter {
			t.block = (t.block + 7) &^ 7
		}
		b.pool.run(t, (n+t.block-1)/t.block, n*cost >= 100_000)
	}
	*t = rowTask{}
	b.rows.Put(t)
}

func (b *Backend) rowTask(op rowOp, ms ...tensor.Mat) *rowTask {
	t := b.rows.Get().(*rowTask)
	t.op = op
	copy(t.m[:], ms)
	return t
}

// Gather copies rows of a table.
func (b *Backend) Gather(y, table tensor.Mat, rows []int32) {
	check(y.Rows == len(rows) && y.Cols == table.Cols, "Gather", y, table)
	checkRows(rows, table.Rows)
	t := b.rowTask(opGather, y, table)
	t.idx = rows
	b.run(t, y.Rows, y.Cols)
}

// ScatterAdd adds rows to a table, in order.
func (b *Backend) ScatterAdd(table, x tensor.Mat, rows []int32) {
	check(x.Rows == len(rows) && x.Cols == table.Cols, "ScatterAdd", x, table)
	checkRows(rows, table.Rows)
	t := b.rowTask(opScatter, table, x)
	t.idx = rows
	b.run(t, x.Cols, x.Rows)
}

func checkRows(rows []int32, n int) {
	for _, r := range rows {
		if r < 0 || int(r) >= n {
			panic("cpu: row index out of range")
		}
	}
}

// Add is y += x.
func (b *Backend) Add(y, x tensor.Mat) {
	check(y.Rows == x.Rows && y.Cols == x.Cols, "Add", y, x)
	b.run(b.rowTask(opAdd, y, x), y.Rows, y.Cols)
}

// Scale is y *= s.
func (b *Backend) Scale(y tensor.Mat, s float32) {
	t := b.rowTask(opScale, y)
	t.scale = s
	b.run(t, y.Rows, y.Cols)
}

// AddRow adds a row to every row.
func (b *Backend) AddRow(y, r tensor.Mat) {
	check(r.Rows == 1 && y.Cols == r.Cols, "AddRow", y, r)
	b.run(b.rowTask(opAddRow, y, r), y.Rows, y.Cols)
}

// SumRows adds the rows of x to a row.
func (b *Backend) SumRows(r, x tensor.Mat) {
	check(r.Rows == 1 && x.Cols == r.Cols, "SumRows", r, x)
	b.run(b.rowTask(opSumRows, r, x), x.Cols, x.Rows)
}

// RMSNorm normalises rows.
func (b *Backend) RMSNorm(y, x, w, inv tensor.Mat, eps float32) {
	check(y.Rows == x.Rows && y.Cols == x.Cols && w.Rows == 1 && w.Cols == x.Cols && inv.Rows == x.Rows, "RMSNorm", y, x, w, inv)
	t := b.rowTask(opNorm, y, x, w, inv)
	t.scale = eps
	b.run(t, y.Rows, 2*y.Cols)
}

// RMSNormGrad is the gradient of RMSNorm.
func (b *Backend) RMSNormGrad(dx, dw, dy, x, w, inv tensor.Mat) {
	check(dx.Rows == x.Rows && dy.Rows == x.Rows && dx.Cols == x.Cols && dy.Cols == x.Cols && w.Cols == x.Cols && inv.Rows == x.Rows,
		"RMSNormGrad", dx, dy, x, w, inv)
	if !dw.Empty() {
		check(dw.Rows == 1 && dw.Cols == x.Cols, "RMSNormGrad", dw, x)
		b.run(b.rowTask(opNormGradW, dw, dy, x, inv), x.Cols, x.Rows)
	}
	b.run(b.rowTask(opNormGrad, dx, dy, x, w, inv), x.Rows, 4*x.Cols)
}

// Rope rotates heads.
func (b *Backend) Rope(x tensor.Mat, table tensor.RopeTable, pos []int32, inverse bool) {
	check(len(pos) == x.Rows && x.Cols%table.HeadDim == 0 && table.Cos.Cols == table.HeadDim/2, "Rope", x, table.Cos)
	checkRows(pos, table.Cos.Rows)
	t := b.rowTask(opRope, x)
	t.table, t.idx, t.flag = table, pos, inverse
	b.run(t, x.Rows, 3*x.Cols)
}

// SwiGLU is silu(gate)*up.
func (b *Backend) SwiGLU(y, gate, up tensor.Mat) {
	check(y.Rows == gate.Rows && y.Rows == up.Rows && y.Cols == gate.Cols && y.Cols == up.Cols, "SwiGLU", y, gate, up)
	b.run(b.rowTask(opSwiGLU, y, gate, up), y.Rows, 4*y.Cols)
}

// SwiGLUGrad is the gradient of SwiGLU.
func (b *Backend) SwiGLUGrad(dgate, dup, dy, gate, up tensor.Mat) {
	check(dy.Rows == gate.Rows && dy.Rows == up.Rows && dgate.Rows == dy.Rows && dup.Rows == dy.Rows && dy.Cols == gate.Cols &&
		dy.Cols == up.Cols && dgate.Cols == dy.Cols && dup.Cols == dy.Cols, "SwiGLUGrad", dy, gate, up)
	b.run(b.rowTask(opSwiGLUGrad, dgate, dup, dy, gate, up), dy.Rows, 6*dy.Cols)
}

// CrossEntropy computes losses and, if asked, the gradient by the logits.
func (b *Backend) CrossEntropy(losses []float64, logits tensor.Mat, targets []int32, grad bool, scale float32) {
	check(len(losses) == logits.Rows && len(targets) == logits.Rows, "CrossEntropy", logits)
	checkRows(targets, logits.Cols)
	t := b.rowTask(opCrossEntropy, logits)
	t.losses, t.idx, t.flag, t.scale = losses, targets, grad, scale
	b.run(t, logits.Rows, 6*logits.Cols)
}

func (t *rowTask) tile(s *scratch, i int) {
	from, to := i*t.block, min((i+1)*t.block, t.n)
	var h [6][]float32
	for j := range h {
		if t.m[j].Buf != nil {
			h[j] = t.m[j].Host()
		}
	}
	at := func(j, r int) []float32 { return row(h[j], t.m[j], r) }
	switch t.op {
	case opScatter:
		for r, dst := range t.idx {
			addRow(t.lv, at(0, int(dst))[from:to], at(1, r)[from:to])
		}
		return
	case opSumRows:
		for r := range t.m[1].Rows {
			addRow(t.lv, at(0, 0)[from:to], at(1, r)[from:to])
		}
		return
	case opNormGradW: // dw += dy * (x*inv), in the order of the rows
		tmp := s.get(0, to-from)
		for r := range t.m[1].Rows {
			mulScaledRow(t.lv, tmp, at(2, r)[from:to], at(1, r)[from:to], at(3, r)[0])
			addRow(t.lv, at(0, 0)[from:to], tmp)
		}
		return
	}
	for r := from; r < to; r++ {
		switch t.op {
		case opGather:
			copy(at(0, r), at(1, int(t.idx[r])))
		case opGatherWeight:
			t.w.row(at(0, r), int(t.idx[r]))
		case opAdd:
			addRow(t.lv, at(0, r), at(1, r))
		case opAddRow:
			addRow(t.lv, at(0, r), at(1, 0))
		case opScale:
			y := at(0, r)
			for j := range y {
				y[j] = float32(y[j] * t.scale)
			}
		case opNorm:
			x := at(1, r)
			mean := dot8(t.lv, x, x) / float32(len(x))
			inv := 1 / sqrt32(mean+t.scale)
			at(3, r)[0] = inv
			mulScaledRow(t.lv, at(0, r), x, at(2, 0), inv)
		case opNormGrad:
			t.normGrad(s, at(0, r), at(1, r), at(2, r), at(3, 0), at(4, r)[0])
		case opRope:
			t.rope(at(0, r), int(t.idx[r]))
		case opSwiGLU:
			swigluRow(t.lv, at(0, r), at(1, r), at(2, r))
		case opSwiGLUGrad:
			swigluGradRow(t.lv, at(0, r), at(1, r), at(2, r), at(3, r), at(4, r))
		case opCrossEntropy:
			t.losses[r] = t.crossEntropy(s, at(0, r), int(t.idx[r]))
		}
	}
}

func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// normGrad is dx += inv*(dy*w) - x*(inv^3 * dot(dy*w, x)/n).
func (t *rowTask) normGrad(s *scratch, dx, dy, x, w []float32, inv float32) {
	g := s.get(0, len(x))
	mulScaledRow(t.lv, g, dy, w, 1)
	c := dot8(t.lv, g, x) / float32(len(x))
	c = float32(float32(float32(inv*inv)*inv) * c)
	for j, v := range g {
		dx[j] += float32(v*inv) - float32(x[j]*c)
	}
}

func (t *rowTask) rope(x []float32, pos int) {
	half := t.table.HeadDim / 2
	cos, sin := row(t.table.Cos.Host(), t.table.Cos, pos), row(t.table.Sin.Host(), t.table.Sin, pos)
	for h := 0; h < len(x); h += 2 * half {
		lo, hi := x[h:][:half:half], x[h+half:][:half:half]
		cos, sin := cos[:half], sin[:half]
		if t.flag {
			for j := range lo {
				a, b := lo[j], hi[j]
				lo[j] = float32(a*cos[j]) + float32(b*sin[j])
				hi[j] = float32(b*cos[j]) - float32(a*sin[j])
			}
			continue
		}
		for j := range lo {
			a, b := lo[j], hi[j]
			lo[j] = float32(a*cos[j]) - float32(b*sin[j])
			hi[j] = float32(b*cos[j]) + float32(a*sin[j])
		}
	}
}

func (t *rowTask) crossEntropy(s *scratch, x []float32, target int) float64 {
	m := max8(t.lv, x)
	at := x[target]
	e := x
	if !t.flag {
		e = s.get(0, len(x))
	}
	expRow(t.lv, e, x, 1, m)
	sum := sum8(t.lv, e)
	if t.flag {
		f := t.scale / sum
		for j := range e {
			e[j] = float32(e[j] * f)
		}
		e[target] -= t.scale
	}
	return tensor.Log(float64(sum)) - (float64(at) - float64(m))
}
