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
