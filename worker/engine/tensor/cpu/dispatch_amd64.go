package cpu

import "golang.org/x/sys/cpu"

func detect() level {
	x := &cpu.X86
	switch {
	case x.HasAVX2 && x.HasFMA && x.HasF16C && x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VNNI:
		return levelAVX512
	case x.HasAVX2 && x.HasFMA && x.HasF16C:
		return levelAVX2
	}
	return levelGo
}

// masks[cols] selects the first cols of 16 columns.
var masks = func() (m [17][16]int32) {
	for c := range m {
		for j := range c {
			m[c][j] = -1
		}
	}
	return m
}()

// micro computes a tile of rows x (panels*16) elements, of whose last panel only cols columns exist.
// Strides are in elements.
func micro(lv level, rows, panels, cols, k int, a []float32, rs, cs int, b []float32, bs, bp int, c []float32, ldc int, acc bool) {
	if lv == levelGo || k == 0 {
		microGo(rows, panels, cols, k, a, rs, cs, b, bs, bp, c, ldc, acc)
		return
	}
	// The assembly checks nothing: touch the last element of each operand.
	_ = a[(rows-1)*rs+(k-1)*cs]
	_ = b[(panels-1)*bp+(k-1)*bs+cols-1]
	_ = c[(rows-1)*ldc+(panels-1)*16+cols-1]
	rs, cs, bs, bp, ldc = rs*4, cs*4, bs*4, bp*4, ldc*4
	from := 0
	if acc {
		from = 1
	}
	if cols <= 8 && panels == 1 {
		narrow(rows, cols, k, &a[0], rs, cs, &b[0], bs, &c[0], ldc, from)
		return
	}
	if cols < 16 {
		m := &masks[cols][0]
		switch rows {
		case 1:
			gemmAVX2_1x1m(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from, m)
		case 2:
			gemmAVX2_2x1m(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from, m)
		case 3:
			gemmAVX2_3x1m(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from, m)
		case 4:
			gemmAVX2_4x1m(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from, m)
		case 5:
			gemmAVX2_5x1m(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from, m)
		case 6:
			gemmAVX2_6x1m(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from, m)
		}
		return
	}
	if lv == levelAVX512 {
		switch rows*16 + panels {
		case 6*16 + 2:
			gemmAVX512_6x2(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
		case 5*16 + 2:
			gemmAVX512_5x2(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
		case 4*16 + 2:
			gemmAVX512_4x2(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
		case 3*16 + 2:
			gemmAVX512_3x2(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
		case 2*16 + 2:
			gemmAVX512_2x2(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
		case 1*16 + 2:
			gemmAVX512_1x2(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
		case 6*16 + 1:
			gemmAVX512_6x1(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
		case 5*16 + 1:
			gemmAVX512_5x1(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
		case 4*16 + 1:
			gemmAVX512_4x1(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
		case 3*16 + 1:
			gemmAVX512_3x1(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
		case 2*16 + 1:
			gemmAVX512_2x1(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
		case 1*16 + 1:
			gemmAVX512_1x1(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
		case 2*16 + 4:
			gemmAVX512_2x4(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
		case 1*16 + 8:
			gemmAVX512_1x8(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
		default:
			panic("cpu: no such kernel")
		}
		return
	}
	switch rows*16 + panels {
	case 6*16 + 1:
		gemmAVX2_6x1(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
	case 5*16 + 1:
		gemmAVX2_5x1(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
	case 4*16 + 1:
		gemmAVX2_4x1(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
	case 3*16 + 1:
		gemmAVX2_3x1(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
	case 2*16 + 1:
		gemmAVX2_2x1(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
	case 1*16 + 1:
		gemmAVX2_1x1(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
	case 2*16 + 2:
		gemmAVX2_2x2(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
	case 1*16 + 4:
		gemmAVX2_1x4(k, &a[0], rs, cs, &b[0], bs, bp, &c[0], ldc, from)
	default:
		panic("cpu: no such kernel")
	}
}

// microHalf is micro with b in pairs of bfloat16.
func microHalf(lv level, rows, panels, pairs int, a []float32, rs int, b []uint32, bp int, c []float32, ldc int, acc bool) {
	if lv == levelGo {
		microHalfGo(rows, panels, pairs, a, rs, b, bp, c, ldc, acc)
		return
	}
	_ = a[(rows-1)*rs+2*pairs-1]
	_ = b[(panels-1)*bp+pairs*panelCols-1]
	_ = c[(rows-1)*ldc+panels*panelCols-1]
	rs, bp, ldc = rs*4, bp*4, ldc*4
	from := 0
	if acc {
		from = 1
	}
	if lv == levelAVX512 {
		switch rows*16 + panels {
		case 6*16 + 2:
			gemmHalfAVX512_6x2(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
		case 5*16 + 2:
			gemmHalfAVX512_5x2(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
		case 4*16 + 2:
			gemmHalfAVX512_4x2(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
		case 3*16 + 2:
			gemmHalfAVX512_3x2(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
		case 2*16 + 2:
			gemmHalfAVX512_2x2(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
		case 1*16 + 2:
			gemmHalfAVX512_1x2(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
		case 6*16 + 1:
			gemmHalfAVX512_6x1(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
		case 5*16 + 1:
			gemmHalfAVX512_5x1(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
		case 4*16 + 1:
			gemmHalfAVX512_4x1(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
		case 3*16 + 1:
			gemmHalfAVX512_3x1(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
		case 2*16 + 1:
			gemmHalfAVX512_2x1(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
		case 1*16 + 1:
			gemmHalfAVX512_1x1(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
		case 2*16 + 4:
			gemmHalfAVX512_2x4(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
		case 1*16 + 8:
			gemmHalfAVX512_1x8(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
		default:
			panic("cpu: no such kernel")
		}
		return
	}
	switch rows*16 + panels {
	case 6*16 + 1:
		gemmHalfAVX2_6x1(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
	case 5*16 + 1:
		gemmHalfAVX2_5x1(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
	case 4*16 + 1:
		gemmHalfAVX2_4x1(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
	case 3*16 + 1:
		gemmHalfAVX2_3x1(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
	case 2*16 + 1:
		gemmHalfAVX2_2x1(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
	case 1*16 + 1:
		gemmHalfAVX2_1x1(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
	case 2*16 + 2:
		gemmHalfAVX2_2x2(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
	case 1*16 + 4:
		gemmHalfAVX2_1x4(pairs, &a[0], rs, &b[0], bp, &c[0], ldc, from)
	default:
		panic("cpu: no such kernel")
	}
}

// narrow dispatches the kernels of at most eight columns.
func narrow(rows, cols, k int, a *float32, rs, cs int, b *float32, bs int, c *float32, ldc, from int) {
	m := &masks[cols][0]
	switch rows {
	case 1:
		gemmNarrow_1(k, a, rs, cs, b, bs, c, ldc, from, m)
	case 2:
		gemmNarrow_2(k, a, rs, cs, b, bs, c, ldc, from, m)
	case 3:
		gemmNarrow_3(k, a, rs, cs, b, bs, c, ldc, from, m)
	case 4:
		gemmNarrow_4(k, a, rs, cs, b, bs, c, ldc, from, m)
	case 5:
		gemmNarrow_5(k, a, rs, cs, b, bs, c, ldc, from, m)
	case 6:
		gemmNarrow_6(k, a, rs, cs, b, bs, c, ldc, from, m)
	case 12:
		gemmNarrow_12(k, a, rs, cs, b, bs, c, ldc, from, m)
	default:
		panic("cpu: no such kernel")
	}
}

// quadRows sets four rows of c, ldc apart, to the vectors a times the matrices b (k x cols, at most 16 columns).
func quadRows(cols, k int, a, b *[4]*float32, bs int, c []float32, ldc int) {
	_ = c[3*ldc+cols-1]
	m := &masks[cols][0]
	if cols <= 8 {
		quad8(k, a, b, bs*4, &c[0], ldc*4, m)
		return
	}
	quad16(k, a, b, bs*4, &c[0], ldc*4, m)
}

type f16Kernel = func(k int, a *float32, rs, cs int, b *uint16, bs, bp int, c *float32, ldc, acc int)

// f16Kernels are indexed by rows and panels.
var f16Kernels = [...][7][9]f16Kernel{
	levelAVX2: {
		1: {1: gemmF16AVX2_1x1, 4: gemmF16AVX2_1x4}, 2: {1: gemmF16AVX2_2x1, 2: gemmF16AVX2_2x2}, 3: {1: gemmF16AVX2_3x1},
		4: {1: gemmF16AVX2_4x1}, 5: {1: gemmF16AVX2_5x1}, 6: {1: gemmF16AVX2_6x1},
	},
	levelAVX512: {
		1: {1: gemmF16AVX512_1x1, 2: gemmF16AVX512_1x2, 8: gemmF16AVX512_1x8},
		2: {1: gemmF16AVX512_2x1, 2: gemmF16AVX512_2x2, 4: gemmF16AVX512_2x4},
		3: {1: gemmF16AVX512_3x1, 2: gemmF16AVX512_3x2}, 4: {1: gemmF16AVX512_4x1, 2: gemmF16AVX512_4x2},
		5: {1: gemmF16AVX512_5x1, 2: gemmF16AVX512_5x2}, 6: {1: gemmF16AVX512_6x1, 2: gemmF16AVX512_6x2},
	},
}

// microF16 is micro with b in float16.
func microF16(lv level, rows, panels, k int, a []float32, rs int, b []uint16, bp int, c []float32, ldc int, acc bool) {
	if lv == levelGo {
		microF16Go(rows, panels, k, a, rs, b, bp, c, ldc, acc)
		return
	}
	_ = a[(rows-1)*rs+k-1]
	_ = b[(panels-1)*bp+k*panelCols-1]
	_ = c[(rows-1)*ldc+panels*panelCols-1]
	f16Kernels[lv][rows][panels](k, &a[0], rs*4, 4, &b[0], panelCols*2, bp*2, &c[0], ldc*4, flag(acc))
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

type quantKernel = func(blocks int, a *byte, as int, w *byte, wp int, s *uint16, sp int, c *float32, cp, ldc, acc int)

// The kernels are indexed by rows and panels.
var q8Kernels = [...][7][5]quantKernel{
	levelAVX2: {1: {1: q8AVX2_1x1}, 2: {1: q8AVX2_2x1}, 3: {1: q8AVX2_3x1}},
	levelAVX512: {
		1: {1: q8VNNI_1x1, 4: q8VNNI_1x4}, 2: {1: q8VNNI_2x1, 2: q8VNNI_2x2, 4: q8VNNI_2x4},
		3: {1: q8VNNI_3x1, 2: q8VNNI_3x2, 4: q8VNNI_3x4},
		4: {1: q8VNNI_4x1, 2: q8VNNI_4x2}, 5: {1: q8VNNI_5x1, 2: q8VNNI_5x2}, 6: {1: q8VNNI_6x1, 2: q8VNNI_6x2},
	},
}

var q4Kernels = [...][7][5]quantKernel{
	levelAVX2: {1: {1: q4AVX2_1x1}, 2: {1: q4AVX2_2x1}, 3: {1: q4AVX2_3x1}},
	levelAVX512: {
		1: {1: q4VNNI_1x1, 4: q4VNNI_1x4}, 2: {1: q4VNNI_2x1, 2: q4VNNI_2x2, 4: q4VNNI_2x4},
		3: {1: q4VNNI_3x1, 2: q4VNNI_3x2, 4: q4VNNI_3x4},
		4: {1: q4VNNI_4x1, 2: q4VNNI_4x2}, 5: {1: q4VNNI_5x1, 2: q4VNNI_5x2}, 6: {1: q4VNNI_6x1, 2: q4VNNI_6x2},
	},
}

// quantTile is how many of the rows left one kernel call takes, and how many panels side by side when there are m rows.
func quantTile(lv level, m, left int) (rows, panels int) {
	switch {
	case lv == levelGo:
		return left, 1
	case lv == levelAVX2:
		return min(left, 3), 1
	case m <= 3:
		return left, 4
	case m == 4:
		return 2, 4
	}
	return rowGroup(left), 2
}

// quantMicro computes rows of some panels of a weight in blocks: p, p+step, ... Rows of a are blocks of activations.
func quantMicro(lv level, rows, panels, step int, w *weight, p int, a []byte, c []float32, ldc int, acc bool) {
	if lv == levelGo {
		quantMicroGo(rows, panels, step, w, p, a, c, ldc, acc)
		return
	}
	blocks := w.in / blockLen
	q, size, kernels := w.q8, panelCols*blockLen, &q8Kernels
	if w.q4 != nil {
		q, size, kernels = w.q4, size/2, &q4Kernels
	}
	span := (panels-1)*step + 1
	_ = a[rows*blocks*actBlock-1]
	_ = c[(rows-1)*ldc+span*panelCols-1]
	q, sc := q[p*blocks*size:], w.scales[p*blocks*panelCols:]
	_, _ = q[span*blocks*size-1], sc[span*blocks*panelCols-1]
	kernels[lv][rows][panels](blocks, &a[0], blocks*actBlock, &q[0], step*blocks*size, &sc[0], step*blocks*panelCols*2,
		&c[0], step*panelCols*4, ldc*4, flag(acc))
}

func readAll(mem []byte) {
	if detect() == levelGo {
		readAllGo(mem)
		return
	}
	readBytes(&mem[0], len(mem)/8, len(mem)/8)
}

// fmaVector is the number of values that one step of fmaLoop multiplies.
func fmaVector() int {
	return [...]int{levelGo: 1, levelAVX2: 12 * 8, levelAVX512: 12 * 16}[detect()]
}

func fmaLoop(n int) {
	x := float32(1e-30)
	switch detect() {
	case levelGo:
		fmaLoopGo(n)
	case levelAVX2:
		fmaAVX2(n, &x)
	case levelAVX512:
		fmaAVX512(n, &x)
	}
}
