//go:build generate

// Command gen writes kernels_amd64.s and its Go stubs. Run it through "go generate" in the parent folder.
package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	for r := 1; r <= 6; r++ {
		gemm(r, 1, 8, plain)
		gemm(r, 1, 8, masked)
	}
	gemm(2, 2, 8, plain)
	gemm(1, 4, 8, plain)
	for r := 1; r <= 6; r++ {
		gemm(r, 1, 16, plain)
		gemm(r, 2, 16, plain)
	}
	gemm(2, 4, 16, plain)
	gemm(1, 8, 16, plain)

	for _, t := range [][3]int{{1, 1, 8}, {2, 1, 8}, {3, 1, 8}, {4, 1, 8}, {5, 1, 8}, {6, 1, 8}, {2, 2, 8}, {1, 4, 8},
		{1, 1, 16}, {2, 1, 16}, {3, 1, 16}, {4, 1, 16}, {5, 1, 16}, {6, 1, 16},
		{1, 2, 16}, {2, 2, 16}, {3, 2, 16}, {4, 2, 16}, {5, 2, 16}, {6, 2, 16}, {2, 4, 16}, {1, 8, 16}} {
		gemmHalf(t[0], t[1], t[2])
		gemm(t[0], t[1], t[2], float16)
	}
	widen()
	widenFloat16()
	quants()
	for _, r := range []int{1, 2, 3, 4, 5, 6, 12} {
		narrow(r)
	}

	lanes("sumLanes", false)
	lanes("dotLanes", true)
	maxLanes()
	expScaled()
	swiglu()
	swigluGrad()
	add()
	mulScaled()
	copyPanel()
	Generate()
}

// variant of a kernel of float32 products.
type variant int

const (
	plain variant = iota
	masked
	float16
)

// gemm emits a kernel of rows x (panels*16) elements, with vectors of `lanes` floats. Every element of c is one chain of
// FMAs over k; it starts at c if acc is not 0, else at +0. Strides are in bytes: rs and cs from row to row and from k to
// k of a, bs from k to k of b, bp from panel to panel of b, ldc from row to row of c.
func gemm(rows, panels, lanes int, form variant) {
	masked, half := form == masked, form == float16
	isa, params, doc, elem, size := "AVX2", "", "", "*float32", 4
	if lanes == 16 {
		isa = "AVX512"
	}
	name := fmt.Sprintf("gemm%s_%dx%d", isa, rows, panels)
	if masked {
		name += "m"
		params = ", mask *int32"
		doc = ", of which mask selects the columns"
	}
	if half {
		name = strings.Replace(name, "gemm", "gemmF16", 1)
		doc, elem, size = " with b in float16", "*uint16", 2
	}
	TEXT(name, NOSPLIT, "func(k int, a *float32, rs int, cs int, b "+elem+", bs int, bp int, c *float32, ldc int, acc int"+params+")")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes a tile of %d x %d%s.", name, rows, panels*16, doc))
	vec := func() VecVirtual {
		if lanes == 16 {
			return ZMM()
		}
		return YMM()
	}
	vecs := panels * 16 / lanes
	k := Load(Param("k"), GP64())
	a := Load(Param("a"), GP64())
	rs := Load(Param("rs"), GP64())
	cs := Load(Param("cs"), GP64())
	b := Load(Param("b"), GP64())
	bs := Load(Param("bs"), GP64())
	c := Load(Param("c"), GP64())
	ldc := Load(Param("ldc"), GP64())
	var maskp Register
	if masked {
		maskp = Load(Param("mask"), GP64())
	}

	acc := make([][]VecVirtual, rows)
	for i := range acc {
		acc[i] = make([]VecVirtual, vecs)
		for j := range acc[i] {
			acc[i][j] = vec()
		}
	}
	bv := make([]VecVirtual, vecs)
	if rows > 1 {
		for j := range bv {
			bv[j] = vec()
		}
	}
	t := vec()

	start := Load(Param("acc"), GP64())
	TESTQ(start, start)
	JZ(LabelRef("zero"))
	cp := GP64()
	MOVQ(c, cp)
	for i := 0; i < rows; i++ {
		for j := 0; j < vecs; j++ {
			m := Mem{Base: cp, Disp: j * lanes * 4}
			if masked {
				VMOVDQU(Mem{Base: maskp, Disp: j * 32}, t)
				VMASKMOVPS(m, t, acc[i][j])
			} else {
				VMOVUPS(m, acc[i][j])
			}
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

	// Panel p of b is at b + p*bp; two pointers and an index reach eight of them.
	var bp, bp3, b4 Register
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
		p, off := j*lanes/16, j*lanes%16*size
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
	var rs3, rs5 Register
	if rows > 3 {
		rs3 = GP64()
		LEAQ(Mem{Base: rs, Index: rs, Scale: 2}, rs3)
	}
	if rows > 5 {
		rs5 = GP64()
		LEAQ(Mem{Base: rs, Index: rs, Scale: 4}, rs5)
	}
	amem := func(i int) Mem {
		switch i {
		case 0:
			return Mem{Base: a}
		case 3:
			return Mem{Base: a, Index: rs3, Scale: 1}
		case 5:
			return Mem{Base: a, Index: rs5, Scale: 1}
		}
		return Mem{Base: a, Index: rs, Scale: uint8(i)}
	}

	TESTQ(k, k)
	JZ(LabelRef("store"))
	Label("loop")
	if rows > 1 {
		for j := range bv {
			if masked {
				VMOVDQU(Mem{Base: maskp, Disp: j * 32}, t)
				VMASKMOVPS(bmem(j), t, bv[j])
			} else if half {
				VCVTPH2PS(bmem(j), bv[j])
			} else {
				VMOVUPS(bmem(j), bv[j])
			}
		}
		for i := 0; i < rows; i++ {
			VBROADCASTSS(amem(i), t)
			for j := range bv {
				VFMADD231PS(bv[j], t, acc[i][j])
			}
		}
	} else {
		VBROADCASTSS(amem(0), t)
		for j := 0; j < vecs; j++ {
			if masked {
				mv, v := YMM(), YMM()
				VMOVDQU(Mem{Base: maskp, Disp: j * 32}, mv)
				VMASKMOVPS(bmem(j), mv, v)
				VFMADD231PS(v, t, acc[0][j])
			} else if half {
				v := vec()
				far := bmem(j)
				far.Disp += 1024
				PREFETCHT0(far)
				VCVTPH2PS(bmem(j), v)
				VFMADD231PS(v, t, acc[0][j])
			} else {
				VFMADD231PS(bmem(j), t, acc[0][j])
			}
		}
	}
	ADDQ(cs, a)
	ADDQ(bs, b)
	if b4 != nil {
		ADDQ(bs, b4)
	}
	DECQ(k)
	JNZ(LabelRef("loop"))

	Label("store")
	for i := 0; i < rows; i++ {
		for j := 0; j < vecs; j++ {
			m := Mem{Base: c, Disp: j * lanes * 4}
			if masked {
				VMOVDQU(Mem{Base: maskp, Disp: j * 32}, t)
				VMASKMOVPS(acc[i][j], t, m)
			} else {
				VMOVUPS(acc[i][j], m)
			}
		}
		if i+1 < rows {
			ADDQ(ldc, c)
		}
	}
	VZEROUPPER()
	RET()
}
