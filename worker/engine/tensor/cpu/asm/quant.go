//go:build generate

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A block of a quantised row of activations: 32 signed bytes, the scale, the correction.
const (
	actBlock = 40
	actScale = 32
	actFix   = 36
)

// quantKernel is what the kernels over quantised blocks have in common: pointers, strides, and addresses of row i.
type quantKernel struct {
	n, a, as, as3, as5, w, s Register
	wp, wp3, sp, sp3         Register
}

func quantBegin(name, doc string, rows, panels int) quantKernel {
	TEXT(name, NOSPLIT, "func(blocks int, a *byte, as int, w *byte, wp int, s *uint16, sp int, c *float32, cp int, ldc int, acc int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes a tile of %d x %d over blocks of %s. Strides are in bytes.", name, rows, panels*16, doc))
	get := func(name string) Register { return Load(Param(name), GP64()) }
	q := quantKernel{n: get("blocks"), a: get("a"), w: get("w"), s: get("s")}
	if rows > 1 {
		q.as = get("as")
	}
	if rows > 3 {
		q.as3 = GP64()
		LEAQ(Mem{Base: q.as, Index: q.as, Scale: 2}, q.as3)
	}
	if rows > 5 {
		q.as5 = GP64()
		LEAQ(Mem{Base: q.as, Index: q.as, Scale: 4}, q.as5)
	}
	if panels > 1 {
		q.wp, q.sp = get("wp"), get("sp")
	}
	if panels > 3 {
		q.wp3, q.sp3 = GP64(), GP64()
		LEAQ(Mem{Base: q.wp, Index: q.wp, Scale: 2}, q.wp3)
		LEAQ(Mem{Base: q.sp, Index: q.sp, Scale: 2}, q.sp3)
	}
	start := get("acc")
	TESTQ(start, start)
	return q
}

func (q *quantKernel) row(i, disp int) Mem {
	switch i {
	case 0:
		return Mem{Base: q.a, Disp: disp}
	case 3:
		return Mem{Base: q.a, Index: q.as3, Scale: 1, Disp: disp}
	case 5:
		return Mem{Base: q.a, Index: q.as5, Scale: 1, Disp: disp}
	}
	return Mem{Base: q.a, Index: q.as, Scale: uint8(i), Disp: disp}
}

func (q *quantKernel) panel(p, disp int) Mem { return strided(q.w, q.wp, q.wp3, p, disp) }

func (q *quantKernel) scale(p, disp int) Mem { return strided(q.s, q.sp, q.sp3, p, disp) }

func strided(base, step, step3 Register, i, disp int) Mem {
	switch i {
	case 0:
		return Mem{Base: base, Disp: disp}
	case 3:
		return Mem{Base: base, Index: step3, Scale: 1, Disp: disp}
	}
	return Mem{Base: base, Index: step, Scale: uint8(i), Disp: disp}
}

// each visits the elements of the tile: the vectors of a panel lie side by side, panels cp apart, rows ldc.
func (q *quantKernel) each(acc [][]VecVirtual, lanes int, do func(m Mem, v VecVirtual)) {
	c, cp, ldc, at := Load(Param("c"), GP64()), Register(nil), Register(nil), GP64()
	per := 16 / lanes
	if len(acc[0]) > per {
		cp = Load(Param("cp"), GP64())
	}
	if len(acc) > 1 {
		ldc = Load(Param("ldc"), GP64())
	}
	for i := range acc {
		MOVQ(c, at)
		for j, v := range acc[i] {
			if j > 0 && j%per == 0 {
				ADDQ(cp, at)
			}
			do(Mem{Base: at, Disp: j % per * lanes * 4}, v)
		}
		if i+1 < len(acc) {
			ADDQ(ldc, c)
		}
	}
}

// results loads (or clears) the tile; the flags of quantBegin say which.
func (q *quantKernel) results(acc [][]VecVirtual, lanes int) {
	JZ(LabelRef("zero"))
	q.each(acc, lanes, func(m Mem, v VecVirtual) { VMOVUPS(m, v) })
	JMP(LabelRef("loop"))
	Label("zero")
	for i := range acc {
		for j := range acc[i] {
			if lanes == 16 {
				VPXORD(acc[i][j], acc[i][j], acc[i][j])
			} else {
				VXORPS(acc[i][j], acc[i][j], acc[i][j])
			}
		}
	}
	Label("loop")
}

func (q *quantKernel) finish(acc [][]VecVirtual, lanes, wBytes int) {
	ADDQ(U8(actBlock), q.a)
	ADDQ(U32(wBytes), q.w)
	ADDQ(U8(32), q.s)
	DECQ(q.n)
	JNZ(LabelRef("loop"))
	q.each(acc, lanes, func(m Mem, v VecVirtual) { VMOVUPS(v, m) })
	VZEROUPPER()
	RET()
}

// ahead is how far the kernels of few rows ask for weights in advance, in bytes.
const ahead = 4096

// quantVNNI emits a kernel with AVX-512 VNNI. Weights are the unsigned operand, the correction makes up for that.
func quantVNNI(rows, panels, bits int) {
	name, doc, wBytes := fmt.Sprintf("q8VNNI_%dx%d", rows, panels), "Q8_0", 512
	if bits == 4 {
		name, doc, wBytes = fmt.Sprintf("q4VNNI_%dx%d", rows, panels), "Q4_0", 256
	}
	q := quantBegin(name, doc, rows, panels)
	acc, sum := make([][]VecVirtual, rows), make([][]VecVirtual, rows)
	for i := range acc {
		for range panels {
			acc[i], sum[i] = append(acc[i], ZMM()), append(sum[i], ZMM())
		}
	}
	mask := ZMM()
	if bits == 4 {
		VPBROADCASTD(constOf("nibbles", 0x0f0f0f0f), mask)
	} else {
		VPBROADCASTD(constOf("signs", 0x80808080), mask)
	}
	q.results(acc, 16)
	for i := range acc {
		for p := range panels {
			VPBROADCASTD(q.row(i, actFix), sum[i][p])
		}
	}
	// Two panels share a broadcast of the activations; with one or four each product takes its own from memory, which
	// spares registers where memory is the bound anyway.
	share := panels == 2
	w, hi := make([]VecVirtual, panels), make([]VecVirtual, panels)
	for p := range panels {
		if p == 0 || share {
			w[p], hi[p] = ZMM(), ZMM()
		} else {
			w[p], hi[p] = w[0], hi[0]
		}
	}
	t := ZMM()
	fetch := func(p, v int) {
		if bits == 8 {
			VPXORD(q.panel(p, 64*v), mask, w[p])
			return
		}
		VMOVDQU32(q.panel(p, 64*v), w[p])
		VPSRLW(U8(4), w[p], hi[p])
		VPANDD(w[p], mask, w[p])
		VPANDD(hi[p], mask, hi[p])
	}
	dots := func(quad int, w []VecVirtual) {
		for i := range acc {
			VPBROADCASTD(q.row(i, 4*quad), t)
			for p := range panels {
				VPDPBUSD(t, w[p], sum[i][p])
			}
		}
	}
	for v := 0; v < wBytes/64; v++ {
		for p := range panels {
			if panels == 4 {
				PREFETCHT0(q.panel(p, 64*v+ahead))
			}
			fetch(p, v)
			for i := 0; i < rows && !share; i++ {
				VPDPBUSD_BCST(q.row(i, 4*v), w[p], sum[i][p])
				if bits == 4 {
					VPDPBUSD_BCST(q.row(i, 4*v+16), hi[p], sum[i][p])
				}
			}
		}
		if share {
			dots(v, w)
			if bits == 4 {
				dots(v+4, hi)
			}
		}
	}
	for p := range panels {
		VCVTPH2PS(q.scale(p, 0), w[0]) // w is free again
		for i := range acc {
			VMULPS_BCST(q.row(i, actScale), w[0], t)
			VCVTDQ2PS(sum[i][p], sum[i][p])
			VFMADD231PS(t, sum[i][p], acc[i][p])
		}
	}
	q.finish(acc, 16, wBytes)
}

// quantAVX2 emits a kernel of one panel with AVX2. Products of |w| and a with w's sign are exact in 16 bits.
func quantAVX2(rows, bits int) {
	name, doc, wBytes := fmt.Sprintf("q8AVX2_%dx1", rows), "Q8_0", 512
	if bits == 4 {
		name, doc, wBytes = fmt.Sprintf("q4AVX2_%dx1", rows), "Q4_0", 256
	}
	q := quantBegin(name, doc, rows, 1)
	acc, sum := make([][]VecVirtual, rows), make([][]VecVirtual, rows)
	for i := range acc {
		acc[i], sum[i] = []VecVirtual{YMM(), YMM()}, []VecVirtual{YMM(), YMM()}
	}
	ones := YMM()
	q.results(acc, 8)
	for i := range acc {
		for h := range 2 {
			VPXOR(sum[i][h], sum[i][h], sum[i][h])
		}
	}
	w, t := YMM(), YMM()
	if bits == 8 {
		abs := YMM()
		VPBROADCASTD(constOf("ones16", 0x00010001), ones)
		for v := range 8 {
			for h := range 2 {
				VMOVDQU(q.panel(0, 64*v+32*h), w)
				VPABSB(w, abs)
				for i := range acc {
					VPBROADCASTD(q.row(i, 4*v), t)
					VPSIGNB(w, t, t)
					VPMADDUBSW(t, abs, t)
					VPMADDWD(ones, t, t)
					VPADDD(t, sum[i][h], sum[i][h])
				}
			}
		}
	} else {
		// A nibble times a byte is below 2^11: eight pairs add up in 16 bits.
		mask, hi := YMM(), YMM()
		VPBROADCASTD(constOf("nibbles", 0x0f0f0f0f), mask)
		for v := range 4 {
			for h := range 2 {
				VMOVDQU(q.panel(0, 64*v+32*h), w)
				VPSRLW(U8(4), w, hi)
				VPAND(w, mask, w)
				VPAND(hi, mask, hi)
				for i := range acc {
					VPBROADCASTD(q.row(i, 4*v), t)
					VPMADDUBSW(t, w, t)
					VPADDW(t, sum[i][h], sum[i][h])
					VPBROADCASTD(q.row(i, 4*v+16), t)
					VPMADDUBSW(t, hi, t)
					VPADDW(t, sum[i][h], sum[i][h])
				}
			}
		}
		VPBROADCASTD(constOf("ones16", 0x00010001), ones)
		for i := range acc {
			VPBROADCASTD(q.row(i, actFix), t)
			for h := range 2 {
				VPMADDWD(ones, sum[i][h], sum[i][h])
				VPADDD(t, sum[i][h], sum[i][h])
			}
		}
	}
	for h := range 2 {
		VCVTPH2PS(q.scale(0, 16*h), w)
		for i := range acc {
			VBROADCASTSS(q.row(i, actScale), t)
			VMULPS(t, w, t)
			VCVTDQ2PS(sum[i][h], sum[i][h])
			VFMADD231PS(t, sum[i][h], acc[i][h])
		}
	}
	q.finish(acc, 8, wBytes)
}

var named = map[string]Mem{}

func constOf(name string, bits uint32) Mem {
	m, ok := named[name]
	if !ok {
		m = constant(name, bits)
		named[name] = m
	}
	return m
}

// quantise emits the conversion of a row of activations to blocks.
func quantise() {
	TEXT("quantiseBlocks", NOSPLIT, "func(dst *byte, x *float32, blocks int, factor int)")
	Pragma("noescape")
	Doc("quantiseBlocks converts blocks of 32 values; factor times the sum of a block's integers is its correction.")
	d := Load(Param("dst"), GP64())
	x := Load(Param("x"), GP64())
	n := Load(Param("blocks"), GP64())
	f := GP64()
	Load(Param("factor"), f)
	abs, low, c127, order, ones8, ones16 := YMM(), YMM(), YMM(), YMM(), YMM(), YMM()
	VPBROADCASTD(constOf("absMask", 0x7fffffff), abs)
	VPBROADCASTD(constOf("lowByte", 0xff), low)
	VBROADCASTSS(constOf("f127", 0x42fe0000), c127)
	VPBROADCASTD(constOf("ones8", 0x01010101), ones8)
	VPBROADCASTD(constOf("ones16", 0x00010001), ones16)
	perm := GLOBL("packOrder", RODATA|NOPTR)
	for i, v := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
		DATA(4*i, U32(v))
	}
	VMOVDQU(perm, order)
	Label("loop")
	v := [4]VecVirtual{YMM(), YMM(), YMM(), YMM()}
	m, t := YMM(), YMM()
	for i := range v {
		VMOVUPS(Mem{Base: x, Disp: 32 * i}, v[i])
		if i == 0 {
			VPAND(v[i], abs, m)
			continue
		}
		VPAND(v[i], abs, t)
		VPMAXSD(t, m, m)
	}
	VEXTRACTI128(U8(1), m, t.AsX())
	VPMAXSD(t.AsX(), m.AsX(), m.AsX())
	VPSHUFD(U8(0x4e), m.AsX(), t.AsX())
	VPMAXSD(t.AsX(), m.AsX(), m.AsX())
	VPSHUFD(U8(0xb1), m.AsX(), t.AsX())
	VPMAXSD(t.AsX(), m.AsX(), m.AsX())
	VBROADCASTSS(m.AsX(), m)
	VDIVPS(c127, m, t)
	VMOVSS(t.AsX(), Mem{Base: d, Disp: actScale})
	VDIVPS(m, c127, m)
	for i := range v {
		VMULPS(m, v[i], v[i])
		VCVTPS2DQ(v[i], v[i])
		VPAND(low, v[i], v[i])
	}
	VPACKSSDW(v[1], v[0], v[0])
	VPACKSSDW(v[3], v[2], v[2])
	VPACKUSWB(v[2], v[0], v[0])
	VPERMD(v[0], order, v[0])
	VMOVDQU(v[0], Mem{Base: d})
	VPMADDUBSW(v[0], ones8, t)
	VPMADDWD(t, ones16, t)
	VEXTRACTI128(U8(1), t, m.AsX())
	VPADDD(m.AsX(), t.AsX(), t.AsX())
	VPSHUFD(U8(0x4e), t.AsX(), m.AsX())
	VPADDD(m.AsX(), t.AsX(), t.AsX())
	VPSHUFD(U8(0xb1), t.AsX(), m.AsX())
	VPADDD(m.AsX(), t.AsX(), t.AsX())
	s := GP32()
	VMOVD(t.AsX(), s)
	IMULL(f.As32(), s)
	MOVL(s, Mem{Base: d, Disp: actFix})
	ADDQ(U8(actBlock), d)
	ADDQ(U32(128), x)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func quants() {
	for _, bits := range []int{8, 4} {
		for r := 1; r <= 6; r++ {
			quantVNNI(r, 1, bits)
			if r > 1 {
				quantVNNI(r, 2, bits)
			}
			if r <= 3 {
				quantVNNI(r, 4, bits)
			}
		}
		for r := 1; r <= 3; r++ {
			quantAVX2(r, bits)
		}
	}
	quantise()
}
