package cpu

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
