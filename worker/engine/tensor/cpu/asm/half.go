//go:build generate

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// gemmHalf emits a kernel as gemm's, with b in bfloat16: a 32-bit word holds the values of k (low half) and k+1 (high
// half) of a column, so k counts pairs. The chain of every element is the same as with b widened to float32.
func gemmHalf(rows, panels, lanes int) {
	isa := "AVX2"
	vec := func() VecVirtual { return YMM() }
	if lanes == 16 {
		isa = "AVX512"
		vec = func() VecVirtual { return ZMM() }
	}
	name := fmt.Sprintf("gemmHalf%s_%dx%d", isa, rows, panels)
	TEXT(name, NOSPLIT, "func(pairs int, a *float32, rs int, b *uint32, bp int, c *float32, ldc int, acc int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes a tile of %d x %d with b in pairs of bfloat16.", name, rows, panels*16))
	vecs := panels * 16 / lanes
	k := Load(Param("pairs"), GP64())
	a := Load(Param("a"), GP64())
	rs := Load(Param("rs"), GP64())
	b := Load(Param("b"), GP64())
	c := Load(Param("c"), GP64())
	ldc := Load(Param("ldc"), GP64())
	acc := make([][]VecVirtual, rows)
	for i := range acc {
		acc[i] = make([]VecVirtual, vecs)
		for j := range acc[i] {
			acc[i][j] = vec()
		}
	}
	start := Load(Param("acc"), GP64())
	TESTQ(start, start)
	JZ(LabelRef("zero"))
	cp := GP64()
	MOVQ(c, cp)
	for i := 0; i < rows; i++ {
		for j := 0; j < vecs; j++ {
			VMOVUPS(Mem{Base: cp, Disp: j * lanes * 4}, acc[i][j])
		}
		if i+1 < rows {
			ADDQ(ldc, cp)
		}
	}
	JMP(LabelRef("begin"))
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
	Label("begin")
	var bp, bp3, b4, rs3, rs5 Register
	if panels > 1 {
		bp = Load(Param("bp"), GP64())
	}
	if panels > 3 {
		bp3 = GP64()
		LEAQ(Mem{Base: bp, Index: bp, Scale: 2}, bp3)
	}
	if panels > 4 {
		b4 = GP64()
		LEAQ(Mem{Base: b, Index: bp, Scale: 4}, b4)
	}
	bmem := func(j int) Mem {
		p, off := j*lanes/16, j*lanes%16*4
		base := Register(b)
		if p >= 4 {
			base, p = b4, p-4
		}
		switch p {
		case 0:
			return Mem{Base: base, Disp: off}
		case 1:
			return Mem{Base: base, Index: bp, Scale: 1, Disp: off}
		case 2:
			return Mem{Base: base, Index: bp, Scale: 2, Disp: off}
		}
		return Mem{Base: base, Index: bp3, Scale: 1, Disp: off}
	}
	if rows > 3 {
		rs3 = GP64()
		LEAQ(Mem{Base: rs, Index: rs, Scale: 2}, rs3)
	}
	if rows > 5 {
		rs5 = GP64()
		LEAQ(Mem{Base: rs, Index: rs, Scale: 4}, rs5)
	}
	amem := func(i, disp int) Mem {
		switch i {
		case 0:
			return Mem{Base: a, Disp: disp}
		case 3:
			return Mem{Base: a, Index: rs3, Scale: 1, Disp: disp}
		case 5:
			return Mem{Base: a, Index: rs5, Scale: 1, Disp: disp}
		}
		return Mem{Base: a, Index: rs, Scale: uint8(i), Disp: disp}
	}
	high := vec() // selects the high half of each word
	VPBROADCASTD(highMask(), high)
	Label("loop")
	t := vec()
	if rows == 1 {
		hi := vec()
		VBROADCASTSS(amem(0, 0), t)
		VBROADCASTSS(amem(0, 4), hi)
		for j := 0; j < vecs; j++ {
			v := vec()
			if lanes == 16 {
				w := vec()
				VMOVUPS(bmem(j), w)
				VPSLLD(U8(16), w, v)
				VFMADD231PS(v, t, acc[0][j])
				VPANDD(w, high, w)
				VFMADD231PS(w, hi, acc[0][j])
			} else {
				VPSLLD(U8(16), load(bmem(j)), v)
				VFMADD231PS(v, t, acc[0][j])
				VPAND(bmem(j), high, v)
				VFMADD231PS(v, hi, acc[0][j])
			}
		}
	} else {
		bv := make([]VecVirtual, vecs)
		for half := 0; half < 2; half++ {
			for j := range bv {
				if half == 0 {
					bv[j] = vec()
				}
				switch {
				case half == 0 && lanes == 16:
					VMOVUPS(bmem(j), bv[j])
					VPSLLD(U8(16), bv[j], bv[j])
				case half == 0:
					VMOVDQU(bmem(j), bv[j])
					VPSLLD(U8(16), bv[j], bv[j])
				case lanes == 16:
					VPANDD(bmem(j), high, bv[j])
				default:
					VPAND(bmem(j), high, bv[j])
				}
			}
			for i := 0; i < rows; i++ {
				VBROADCASTSS(amem(i, 4*half), t)
				for j := range bv {
					VFMADD231PS(bv[j], t, acc[i][j])
				}
			}
		}
	}
	ADDQ(U8(8), a)
	ADDQ(U8(64), b)
	if b4 != nil {
		ADDQ(U8(64), b4)
	}
	DECQ(k)
	JNZ(LabelRef("loop"))
	for i := 0; i < rows; i++ {
		for j := 0; j < vecs; j++ {
			VMOVUPS(acc[i][j], Mem{Base: c, Disp: j * lanes * 4})
		}
		if i+1 < rows {
			ADDQ(ldc, c)
		}
	}
	VZEROUPPER()
	RET()
}

var highHalf *Mem

func highMask() Mem {
	if highHalf == nil {
		m := constant("highHalf", 0xffff0000)
		highHalf = &m
	}
	return *highHalf
}

// load brings a vector into a register.
func load(m Mem) VecVirtual {
	v := YMM()
	VMOVDQU(m, v)
	return v
}

// widen emits the expansion of a panel of bfloat16 pairs to float32, k-major.
func widen() {
	TEXT("widenPairs", NOSPLIT, "func(dst *float32, src *uint32, pairs int)")
	Pragma("noescape")
	Doc("widenPairs expands pairs of k of a 16-column panel of bfloat16 to float32.")
	d := Load(Param("dst"), GP64())
	s := Load(Param("src"), GP64())
	n := Load(Param("pairs"), GP64())
	Label("loop")
	for j := 0; j < 2; j++ {
		v, lo := YMM(), YMM()
		VMOVDQU(Mem{Base: s, Disp: 32 * j}, v)
		VPSLLD(U8(16), v, lo)
		VPSRLD(U8(16), v, v)
		VPSLLD(U8(16), v, v)
		VMOVDQU(lo, Mem{Base: d, Disp: 32 * j})
		VMOVDQU(v, Mem{Base: d, Disp: 64 + 32*j})
	}
	ADDQ(U8(64), s)
	ADDQ(U32(128), d)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// widenFloat16 emits the expansion of float16 values to float32.
func widenFloat16() {
	TEXT("widenF16", NOSPLIT, "func(dst *float32, src *uint16, n int)")
	Pragma("noescape")
	Doc("widenF16 expands n values, a multiple of 16, of float16 to float32.")
	d := Load(Param("dst"), GP64())
	s := Load(Param("src"), GP64())
	n := Load(Param("n"), GP64())
	Label("loop")
	lo, hi := YMM(), YMM()
	VCVTPH2PS(Mem{Base: s}, lo)
	VCVTPH2PS(Mem{Base: s, Disp: 16}, hi)
	VMOVUPS(lo, Mem{Base: d})
	VMOVUPS(hi, Mem{Base: d, Disp: 32})
	ADDQ(U8(32), s)
	ADDQ(U8(64), d)
	SUBQ(U8(16), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
